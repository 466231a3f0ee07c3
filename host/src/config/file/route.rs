//! `[routes.NAME]`.

use std::path::Path;

use crate::config::problem::{Fault, Read};
use crate::config::section::{Section, nearest_or_all};
use crate::config::settings::{HoldBack, OnInterrupt, RouteConfig, TargetRef};
use crate::config::{strategy_name, units, value};

use super::budget;

/// Targets a route may name.
const MOST_TARGETS: usize = 1_000;

/// Reads one route.
pub(in crate::config) fn read(mut section: Section<'_, '_>, route: &mut RouteConfig, folder: &Path) {
    targets(&mut section, &mut route.targets);
    section.set("strategy", &mut route.strategy, |value| {
        value::text(value).and_then(|word| strategy_name::parse(&word, folder))
    });
    options(&mut section, "options", &mut route.options);
    section.set_some("digest", &mut route.digest, |value| value::text(value).and_then(|text| digest(&text)));
    section.set_some("shadow", &mut route.shadow, |value| {
        value::text(value).and_then(|word| strategy_name::parse(&word, folder))
    });
    options(&mut section, "shadow_options", &mut route.shadow_options);
    section.set_some("max_attempts", &mut route.max_attempts, value::whole(units::ATTEMPTS));
    section.set("deadline", &mut route.deadline, value::positive_length);
    section
        .set("on_interrupt", &mut route.on_interrupt, |value| value::text(value).and_then(|word| on_interrupt(&word)));
    section.set("emergency", &mut route.emergency, value::switch);
    section.set("prefer_for", &mut route.prefer_for, value::length);
    section.set("content_filter", &mut route.content_filter_falls_back, |value| {
        value::text(value).and_then(|word| content_filter(&word))
    });
    section.set_some("fallback_text", &mut route.fallback_text, value::text);
    hold_back(&mut section, &mut route.hold_back);
    budget::read_limits(&mut section, "budget", &mut route.budget);
    section.finish();
}

/// Reads `provider` or `provider/model`; a model's id may have slashes of its own.
pub(in crate::config) fn target(text: &str) -> Read<TargetRef> {
    let (provider, model) = text.split_once('/').map_or((text, None), |(provider, model)| (provider, Some(model)));
    if provider.is_empty() || model.is_some_and(str::is_empty) {
        return Err(Fault::example("neither a provider nor provider/model", "\"groq/llama-3.1-8b-instant\""));
    }
    Ok(TargetRef { provider: provider.to_owned(), model: model.map(str::to_owned) })
}

fn targets(section: &mut Section<'_, '_>, targets: &mut Vec<TargetRef>) {
    let Some(list) = section.entry("targets") else { return };
    let Some(items) = section.items(list) else {
        section.fault(list, value::wrong_type(list.value, "a list of targets", "[\"groq\", \"openai/gpt-4o\"]"));
        return;
    };
    if items.is_empty() || items.len() > MOST_TARGETS {
        let fault = Fault::words(format!("from 1 to {MOST_TARGETS} targets"), "leave it out to take every provider");
        section.fault(list, fault);
        return;
    }
    for item in items {
        targets.extend(section.read(item, |value| value::text(value).and_then(|text| target(&text))));
    }
}

/// Reads `sha256:` and 64 hexadecimal digits.
fn digest(text: &str) -> Read<String> {
    let digits = text.strip_prefix("sha256:").filter(|digits| digits.len() == 64);
    match digits.filter(|digits| digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))) {
        Some(digits) => Ok(digits.to_owned()),
        None => Err(Fault::words("not sha256: and 64 hexadecimal digits", "have `backstop strategy pin` write it")),
    }
}

/// Reads a strategy's own table.
pub(in crate::config) fn options(
    section: &mut Section<'_, '_>,
    key: &'static str,
    options: &mut serde_json::Map<String, serde_json::Value>,
) {
    let Some(mut section) = section.section(key) else { return };
    for entry in section.entries() {
        if let Some(value) = section.read(entry, value::json) {
            options.insert(entry.key.to_owned(), value);
        }
    }
}

fn on_interrupt(word: &str) -> Read<OnInterrupt> {
    match word {
        "continue" => Ok(OnInterrupt::Continue),
        "restart" => Ok(OnInterrupt::Restart),
        "fail" => Ok(OnInterrupt::Fail),
        other => Err(Fault::words("no such way", nearest_or_all(other, &["continue", "restart", "fail"]))),
    }
}

fn hold_back(section: &mut Section<'_, '_>, hold_back: &mut HoldBack) {
    let Some(mut section) = section.section("hold_back") else { return };
    section.set("tokens", &mut hold_back.tokens, value::whole(units::HELD_TOKENS));
    section.set_some("time", &mut hold_back.time, value::positive_length);
    if hold_back.tokens == 0 && hold_back.time.is_some() {
        // Time alone means: whatever comes within it.
        hold_back.tokens = u32::try_from(*units::HELD_TOKENS.end()).unwrap_or(u32::MAX);
    }
    section.finish();
}

fn content_filter(word: &str) -> Read<bool> {
    match word {
        "stop" => Ok(false),
        "fall-back" => Ok(true),
        other => Err(Fault::words("no such way", nearest_or_all(other, &["stop", "fall-back"]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_a_target_at_its_first_slash() {
        let parts = |text| target(text).map(|target| (target.provider, target.model));

        assert_eq!(parts("openai"), Ok(("openai".to_owned(), None)));
        assert_eq!(parts("or/openai/gpt-4o"), Ok(("or".to_owned(), Some("openai/gpt-4o".to_owned()))));
        for text in ["", "/", "openai/", "/gpt-4o"] {
            assert!(target(text).is_err(), "{text}");
        }
    }

    #[test]
    fn takes_a_whole_digest_and_nothing_else() {
        let digits = "0a".repeat(32);

        assert_eq!(digest(&format!("sha256:{digits}")), Ok(digits.clone()));
        for text in
            ["", &digits, "sha256:", &format!("sha256:{}", &digits[1..]), &format!("sha256:{}", "0A".repeat(32))]
        {
            assert!(digest(text).is_err(), "{text}");
        }
    }
}
