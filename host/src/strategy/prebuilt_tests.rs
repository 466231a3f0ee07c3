//! The prebuilt guests that are not built in: one that misbehaves on request, one that wants a grant.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::config::{SandboxConfig, StrategyRef};
use crate::types::{Ask, Standing, Verdict};

use super::test_guests::{ask_of, roster};
use super::{LoadStrategyError, Strategy, StrategyFault};

fn prebuilt(name: &str, options: &serde_json::Value, sandbox: &SandboxConfig) -> Result<Strategy, LoadStrategyError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-strategies/prebuilt");
    let source = StrategyRef::File(folder.join(format!("{name}.wasm")));
    let options = options.as_object().cloned().unwrap_or_default();
    // These tests are not about a machine that is busy with other tests.
    let sandbox = SandboxConfig { compile_time: Duration::from_secs(60), ..sandbox.clone() };
    Strategy::load(&source, &roster(3), &options, &sandbox)
}

fn hostile(mode: &str) -> String {
    let loaded = prebuilt("hostile", &json!({"mode": mode}), &SandboxConfig::default());
    loaded.map_or_else(|error| error.to_string(), |_| "loads".to_owned())
}

#[test]
fn refuses_a_guest_that_fails_while_it_is_configured() {
    insta::assert_snapshot!(hostile("configure-error"), @"it refuses its options: these options are not to my taste (`options` of the route)");
    insta::assert_snapshot!(hostile("configure-huge-error"), @"it fails when it is started: trapped: too much data is being copied between the host and the guest: fuel allocated for hostcalls has been exhausted");
    insta::assert_snapshot!(hostile("configure-trap"), @"it fails when it is started: trapped: wasm `unreachable` instruction executed");
    insta::assert_snapshot!(hostile("configure-loop"), @"it fails when it is started: ran out of fuel after 5000000 units (`sandbox.fuel` allows more)");
    assert!(hostile("configure-grow").starts_with("it fails when it is started: asked for "));
}

#[test]
fn refuses_a_guest_that_fails_at_its_first_question() {
    insta::assert_snapshot!(hostile("trap"), @"it fails at its first question: trapped: wasm `unreachable` instruction executed");
    insta::assert_snapshot!(hostile("loop"), @"it fails at its first question: ran out of fuel after 5000000 units (`sandbox.fuel` allows more)");
    insta::assert_snapshot!(hostile("recurse"), @"it fails at its first question: trapped: out of bounds memory access");
    insta::assert_snapshot!(hostile("out-of-range"), @"it fails at its first question: answered nonsense: target 4294967295 of 3");
    insta::assert_snapshot!(hostile("long-note"), @"it fails at its first question: answered nonsense: a note of 257 bytes (at most 256)");
    insta::assert_snapshot!(hostile("huge-reason"), @"it fails at its first question: trapped: too much data is being copied between the host and the guest: fuel allocated for hostcalls has been exhausted");
    insta::assert_snapshot!(hostile("not-utf8"), @"it fails at its first question: trapped: invalid utf-8 sequence of 1 bytes from index 0");
    insta::assert_snapshot!(hostile("wild-pointer"), @"it fails at its first question: trapped: string pointer/length out of bounds of memory");
    insta::assert_snapshot!(hostile("long-delay"), @"it fails at its first question: answered nonsense: a wait of 4294967295 ms with 60000 ms left");
    insta::assert_snapshot!(hostile("hold-forever"), @"it fails at its first question: answered nonsense: hold with nothing in flight");
    assert!(hostile("grow-memory").starts_with("it fails at its first question: asked for "));
}

#[test]
fn takes_a_guest_that_is_merely_unwise() {
    for mode in
        ["ansi-reason", "no-time", "hedge-at-once", "always-give-up", "always-first", "never-ready", "same-again"]
    {
        assert_eq!(hostile(mode), "loads", "{mode}");
    }
}

#[test]
fn w11_loads_a_guest_without_the_grant_it_wants_and_loses_its_decisions() {
    let weighted = prebuilt("weighted", &json!({}), &SandboxConfig::default()).unwrap();

    let fault = weighted.decide(&ask_of(&[Standing::Ready; 3])).unwrap_err();

    assert!(
        matches!(&fault, StrategyFault::NotGranted { import } if import.starts_with("wasi:random/random@0.2.")),
        "{fault}"
    );
}

#[test]
fn w11_lets_a_guest_draw_by_lot_with_the_grant_and_draw_the_same_again() {
    let granted = SandboxConfig { wasi: true, ..SandboxConfig::default() };
    let weighted = prebuilt("weighted", &json!({}), &granted).unwrap();
    let drawn = |entropy| match weighted.decide(&Ask { entropy, ..ask_of(&[Standing::Ready; 3]) }).unwrap().verdict {
        Verdict::Attempt(plan) => plan.target as usize,
        verdict @ (Verdict::Hold | Verdict::GiveUp) => panic!("{verdict:?}"),
    };

    let mut counts = [0; 3];
    (0..3_000).for_each(|entropy| counts[drawn(entropy)] += 1);

    assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
    assert_eq!(drawn(7), drawn(7));
}
