//! `backstop status`: every provider's state, and what would make the missing ones usable.

use std::path::PathBuf;

use backstop::client::{Backstop, RouteStatus};
use backstop::clock::{Clock, SystemClock};
use backstop::config::{self, Config, Credentials, ProviderConfig, Sources};
use backstop::guard::{ProviderState, ProviderStatus};
use backstop::types::Price;
use serde_json::{Value, json};

use super::args::ReportArgs;
use super::exit::Exit;
use super::narrator::Length;
use super::paint::{STATE_TONES, Tone, paint, paint_words};
use super::remote::Remote;
use super::{aside, ask, running, table};

/// Shows how a running gateway's providers are doing; where none runs, what the configuration gives.
///
/// # Errors
/// When the configuration is at fault, or the gateway named does not answer.
pub(crate) async fn run(args: ReportArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let sources = Sources { file, ..Sources::from_process() };
    let loaded = config::load(&sources)?;
    let is_named = args.gateway.is_some();
    if let Some(remote) = Remote::of(args.gateway, &loaded.config, &sources) {
        match running::look(&remote).await {
            Ok(running) if args.json => {
                ask::print_json(&running.to_json(remote.url()))?;
                return Ok(Exit::Done);
            }
            Ok(running) => {
                table::print(&running.in_words(remote.url()))?;
                return Ok(Exit::Done);
            }
            Err(error) if is_named => return Err(error.into()),
            Err(error) if error.is_absence() => {}
            // Somebody else may listen there.
            Err(error) => aside::tell(&[paint(Tone::Warn, error)]),
        }
    }
    let config = loaded.config.clone();
    let backstop = Backstop::builder().config(config.clone()).build().await?;
    let statuses = backstop.status();
    if args.json {
        ask::print_json(&json!({"providers": to_json(&statuses, &config), "routes": by_name(&backstop.routes())}))?;
    } else {
        table::print(&in_words(&statuses, &backstop.routes(), &config))?;
    }
    if let Err(error) = loaded.require_provider() {
        let mends = error.problems.iter().map(|problem| paint(Tone::Warn, problem));
        aside::tell(&mends.collect::<Vec<_>>());
    }
    Ok(Exit::Done)
}

fn in_words(statuses: &[ProviderStatus], routes: &[RouteStatus], config: &Config) -> String {
    let mut table = table::ruled(&["provider", "state", "models", "key from", "priority", "per 1M tokens", "routes"]);
    for status in statuses {
        let Some(provider) = config.providers.get(&*status.provider) else { continue };
        let models: Vec<&str> = provider.model_ids().collect();
        table.add_row([
            status.provider.to_string(),
            state_in_words(&status.state),
            models.join("\n"),
            keys(provider).join("\n"),
            provider.priority.to_string(),
            price(provider),
            routes_of(&status.provider, config).join("\n"),
        ]);
    }
    let routes: Vec<String> = routes.iter().map(route_in_words).collect();
    format!("{}\n{}", paint_words(&table::headed(&table), &STATE_TONES), paint(Tone::Faint, routes.join("\n")))
}

fn route_in_words(route: &RouteStatus) -> String {
    let named = |what: &str, who: Option<String>| who.map_or_else(String::new, |who| format!("; {what} {who}"));
    let fallbacks: Vec<String> = route.fallbacks.iter().map(ToString::to_string).collect();
    [
        format!("route {} is decided by {}", route.route, route.strategy),
        named("primary", route.primary.as_ref().map(ToString::to_string)),
        named("fallback", Some(fallbacks.join(", ")).filter(|fallbacks| !fallbacks.is_empty())),
        named("preferred", route.preferred.as_ref().map(ToString::to_string)),
        named("forced", route.forced.as_ref().map(|provider| forced_in_words(provider, route.forced_for_ms))),
    ]
    .concat()
}

fn forced_in_words(provider: &str, for_ms: Option<u32>) -> String {
    let seconds = for_ms.map(|ms| format!(" for {} s", ms.div_ceil(1_000)));
    format!("{provider}{}", seconds.unwrap_or_default())
}

/// A state with its end or its mend.
pub(crate) fn state_in_words(state: &ProviderState) -> String {
    let words = state.words();
    match state {
        ProviderState::Available | ProviderState::Probing | ProviderState::SwitchedOff => words.to_owned(),
        ProviderState::RateLimited { until }
        | ProviderState::TemporarilyDisabled { until }
        | ProviderState::OutOfQuota { until } => {
            let left = until.duration_since(SystemClock::start().wall()).try_into().unwrap_or_default();
            format!("{words} for {}", Length(left))
        }
        ProviderState::NotInitialised { why } | ProviderState::Rejected { why } => format!("{words}: {why}"),
    }
}

/// Where a provider's keys come from, or would.
fn keys(provider: &ProviderConfig) -> Vec<String> {
    match &provider.credentials {
        Credentials::NotNeeded => vec!["none needed".to_owned()],
        Credentials::Keys(keys) => keys.iter().map(|key| key.name.clone()).collect(),
        Credentials::Missing { variables, .. } => variables.clone(),
    }
}

fn price(provider: &ProviderConfig) -> String {
    if provider.local && provider.price.is_none_or(|price| price == Price::FREE) {
        return "free".to_owned();
    }
    let of_models = provider.models.iter().find_map(|model| provider.price_of(model));
    match provider.price.or(of_models) {
        Some(Price { rates, .. }) => format!("{} in, {} out", rates.input_per_mtok, rates.output_per_mtok),
        None => "unknown".to_owned(),
    }
}

fn routes_of(provider: &str, config: &Config) -> Vec<String> {
    let takes = |targets: &[backstop::config::TargetRef]| {
        targets.is_empty() || targets.iter().any(|target| target.provider == provider)
    };
    config.routes.iter().filter(|(_, route)| takes(&route.targets)).map(|(name, _)| name.clone()).collect()
}

fn to_json(statuses: &[ProviderStatus], config: &Config) -> Vec<Value> {
    let providers = statuses.iter().filter_map(|status| Some((status, config.providers.get(&*status.provider)?)));
    providers
        .map(|(status, provider)| {
            let mut shown = serde_json::to_value(status).unwrap_or_default();
            if let Value::Object(fields) = &mut shown {
                fields.insert("state".to_owned(), json!(status.state.words()));
                fields.insert("detail".to_owned(), json!(state_in_words(&status.state)));
                fields.insert("until".to_owned(), json!(status.state.until()));
                fields.insert("key_variables".to_owned(), json!(keys(provider)));
                fields.insert("priority".to_owned(), json!(provider.priority));
                fields.insert("local".to_owned(), json!(provider.local));
                fields.insert("price".to_owned(), json!(price(provider)));
                fields.insert("routes".to_owned(), json!(routes_of(&status.provider, config)));
            }
            shown
        })
        .collect()
}

fn by_name(routes: &[RouteStatus]) -> Value {
    Value::Object(routes.iter().map(|route| (route.route.to_string(), json!(route))).collect())
}

#[cfg(test)]
mod tests {
    use backstop::types::NanoUsd;

    use super::*;

    fn provider() -> ProviderConfig {
        ProviderConfig::openai_compatible("http://127.0.0.1:1/v1".parse().unwrap()).with_model("m")
    }

    #[test]
    fn names_the_variables_and_never_the_keys() {
        let with_key = provider().with_key("GROQ_API_KEY", "gsk-secret");
        let mut without = provider();
        without.credentials =
            Credentials::Missing { variables: vec!["A_KEY".into(), "B_KEY".into()], placeholder: None };

        assert_eq!(keys(&with_key), ["GROQ_API_KEY"]);
        assert_eq!(keys(&without), ["A_KEY", "B_KEY"]);
        assert_eq!(keys(&provider()), ["none needed"]);
    }

    #[test]
    fn tells_an_unknown_price_from_a_free_one() {
        let dollars = |text: &str| text.parse::<NanoUsd>().unwrap();
        let priced = provider().with_price(Price::new(dollars("0.05"), dollars("0.08")));
        let mut local = provider();
        local.local = true;

        assert_eq!(price(&priced), "$0.05 in, $0.08 out");
        assert_eq!(price(&local), "free");
        assert_eq!(price(&provider()), "unknown");
    }

    #[test]
    fn says_what_would_mend_a_state() {
        let missing = ProviderState::NotInitialised { why: "set GROQ_API_KEY".into() };

        assert_eq!(state_in_words(&missing), "not initialised: set GROQ_API_KEY");
        assert_eq!(state_in_words(&ProviderState::Available), "available");
    }
}
