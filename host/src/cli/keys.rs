//! `backstop keys ...`: make, list and revoke the gateway's own keys.

use std::path::PathBuf;

use anyhow::Context;
use backstop::clock::{Clock, SystemClock};
use backstop::config::Config;
use backstop::gateway::keys::{Grant, KeyBudget, KeyFile, KeyLimits, KeyRecord, KeyState, NewKey};
use backstop::types::NanoUsd;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::args::{CreateKeyArgs, KeyArgs, KeysCommand, ReportArgs};
use super::exit::{Exit, UsageError};
use super::paint::{Tone, paint, paint_words};
use super::{aside, ask, setup, table};

/// How each state is coloured.
const STATE_TONES: [(&str, Tone); 3] = [(" live ", Tone::Good), (" expired ", Tone::Warn), (" revoked ", Tone::Faint)];

/// Labels of a key at most, and characters of each at most: as of a request's own.
const MOST_LABELS: usize = 16;
const LONGEST_LABEL: usize = 256;

/// Runs one of the commands on a thread that may block: files are locked and written through.
pub(crate) async fn run(command: KeysCommand, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let work = move || {
        let config = setup::load(file)?.config;
        let path = config.gateway.keys.clone();
        let path =
            path.context(UsageError("this platform has no folder for data; set keys = \"...\" in [gateway]".into()))?;
        let (keys, now) = (KeyFile::at(path), SystemClock::start().wall());
        match command {
            KeysCommand::Create(args) => create(&keys, args, &config, now),
            KeysCommand::List(args) => list(&keys, &args, now),
            KeysCommand::Revoke(args) => revoke(&keys, &args, now),
            KeysCommand::Rotate(args) => rotate(&keys, &args, now),
        }
    };
    tokio::task::spawn_blocking(work).await?
}

fn create(keys: &KeyFile, args: CreateKeyArgs, config: &Config, now: Timestamp) -> anyhow::Result<Exit> {
    let (name, is_json) = (args.name.clone(), args.json);
    let new = keys.create(&name, grant(args, config, now)?, now)?;
    show_new(&new, is_json, &format!("{} is {name:?}'s; this is the only time its key is shown", new.record.id))
}

fn rotate(keys: &KeyFile, args: &KeyArgs, now: Timestamp) -> anyhow::Result<Exit> {
    let new = keys.rotate(&args.which, now)?;
    let KeyRecord { id, name, .. } = &new.record;
    let note =
        format!("{id} takes the place of {name:?}'s key, which is dead within a second; this one is shown only now");
    show_new(&new, args.json, &note)
}

fn revoke(keys: &KeyFile, args: &KeyArgs, now: Timestamp) -> anyhow::Result<Exit> {
    let record = keys.revoke(&args.which, now)?;
    if args.json {
        ask::print_json(&to_json(&record, now))?;
    } else {
        let line =
            format!("{} ({:?}) is revoked; within a second no gateway takes it any more", record.id, record.name);
        table::print(&paint(Tone::Good, line))?;
    }
    Ok(Exit::Done)
}

fn list(keys: &KeyFile, args: &ReportArgs, now: Timestamp) -> anyhow::Result<Exit> {
    let records = keys.read()?;
    if args.json {
        let shown: Vec<Value> = records.iter().map(|record| to_json(record, now)).collect();
        ask::print_json(&json!({"file": keys.path(), "keys": shown}))?;
    } else if records.is_empty() {
        aside::tell(&[format!(
            "no keys yet: anyone on this machine may use the gateway, and nobody beyond it ({})",
            keys.path().display()
        )]);
    } else {
        table::print(&in_words(&records, now))?;
    }
    Ok(Exit::Done)
}

/// The key alone on standard output, so that it can be caught in a variable.
fn show_new(new: &NewKey, is_json: bool, note: &str) -> anyhow::Result<Exit> {
    if is_json {
        let mut shown = to_json(&new.record, new.record.created);
        if let Value::Object(fields) = &mut shown {
            fields.insert("key".to_owned(), json!(new.text.expose()));
        }
        ask::print_json(&shown)?;
    } else {
        table::print(new.text.expose())?;
        aside::tell(&[paint(Tone::Good, note)]);
    }
    Ok(Exit::Done)
}

fn grant(args: CreateKeyArgs, config: &Config, now: Timestamp) -> anyhow::Result<Grant> {
    if let Some(route) = args.routes.iter().find(|route| !config.routes.contains_key(*route)) {
        let routes: Vec<&str> = config.routes.keys().map(String::as_str).collect();
        return Err(UsageError(format!("there is no route {route:?}; there are: {}", routes.join(", "))).into());
    }
    let is_long = |text: &String| text.chars().nth(LONGEST_LABEL).is_some();
    if args.labels.len() > MOST_LABELS || args.labels.iter().any(|(name, text)| is_long(name) || is_long(text)) {
        let says = format!("a key has at most {MOST_LABELS} labels, none longer than {LONGEST_LABEL} characters");
        return Err(UsageError(says).into());
    }
    let expires = args.expires.map(|length| now.checked_add(length)).transpose();
    let expires = expires
        .map_err(|_| UsageError("--expires is too far away; leave it out for a key that never expires".into()))?;
    let CreateKeyArgs { rpm, tpm, rpd, tpd, concurrent, burst, .. } = args;
    let limits = KeyLimits { rpm, tpm, rpd, tpd, concurrent, burst };
    let labels = args.labels.into_iter().collect();
    let budget = KeyBudget { daily: args.daily_usd, monthly: args.monthly_usd };
    if budget.daily.zip(budget.monthly).is_some_and(|(daily, monthly)| daily > monthly) {
        return Err(
            UsageError("--daily-usd is more than --monthly-usd allows; lower it, or raise the other".into()).into()
        );
    }
    Ok(Grant { admin: args.admin, routes: args.routes, labels, limits, budget, expires })
}

fn in_words(records: &[KeyRecord], now: Timestamp) -> String {
    let mut table =
        table::table(&["id", "name", "key", "state", "may use", "limits", "budget", "labels", "made", "expires"]);
    for record in records {
        let grant = &record.grant;
        let labels: Vec<String> = grant.labels.iter().map(|(name, text)| format!("{name}={text}")).collect();
        table.add_row([
            record.id.clone(),
            record.name.clone(),
            format!("...{}", record.last4),
            record.state(now).word().to_owned(),
            uses(grant),
            grant.limits.in_words(),
            grant.budget.in_words(),
            labels.join(", "),
            day(record.created),
            grant.expires.map(day).unwrap_or_default(),
        ]);
    }
    paint_words(&table::headed(&table), &STATE_TONES)
}

fn uses(grant: &Grant) -> String {
    let routes = if grant.routes.is_empty() { "every route".to_owned() } else { grant.routes.join(", ") };
    if grant.admin { format!("{routes}, admin") } else { routes }
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

/// What is known of a key, without its digest, which is of use to nobody.
fn to_json(record: &KeyRecord, now: Timestamp) -> Value {
    let Grant { admin, routes, labels, limits, budget, expires } = &record.grant;
    json!({
        "id": record.id,
        "name": record.name,
        "last4": record.last4,
        "state": record.state(now).word(),
        "live": record.state(now) == KeyState::Live,
        "admin": admin,
        "routes": routes,
        "labels": labels,
        "limits": {
            "rpm": limits.rpm, "tpm": limits.tpm, "rpd": limits.rpd, "tpd": limits.tpd,
            "concurrent": limits.concurrent, "burst": limits.burst,
        },
        "budget": {"daily_usd": budget.daily.map(NanoUsd::decimal), "monthly_usd": budget.monthly.map(NanoUsd::decimal)},
        "created": record.created,
        "expires": expires,
        "revoked": record.revoked,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_a_key_may_use() {
        let named = Grant { routes: vec!["fast".into(), "cheap".into()], admin: true, ..Grant::default() };

        assert_eq!([uses(&Grant::default()), uses(&named)], ["every route", "fast, cheap, admin"]);
    }
}
