//! The prebuilt guests that are not built in (one that misbehaves on request, two that want grants), and what those built in ask for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::config::{Power, SandboxConfig, StrategyRef};
use crate::types::{Ask, ChatRequest, Standing, Verdict};

use super::test_guests::{ask_of, roster};
use super::{LoadStrategyError, Strategy, StrategyFault, contract, inspect};

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
    insta::assert_snapshot!(hostile("configure-loop"), @"it fails when it is started: ran out of fuel after 5000000 units (`sandbox.fuel` allows more); with an interpreter in it (Python, JavaScript), set `sandbox.interpreters = true`");
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

/// Everything but `wasi`, for the file of a guest.
fn granted(name: &str) -> SandboxConfig {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-strategies/prebuilt");
    let mut sandbox = SandboxConfig::default();
    let powers = Power::ALL.into_iter().filter(|power| *power != Power::Wasi).collect();
    sandbox.grants.grant(StrategyRef::File(folder.join(format!("{name}.wasm"))), powers);
    sandbox
}

#[test]
fn asks_for_no_power_that_a_strategy_does_not_use() {
    let asked = |name: &'static str| {
        let inspection = inspect(&StrategyRef::BuiltIn(name), &SandboxConfig::default()).unwrap();
        let wanted = contract::wanted(&inspection.imports, &inspection.exports);
        wanted.map(|(_, power)| power.name()).collect::<Vec<_>>()
    };

    for name in ["smart", "cost", "quality", "round-robin", "fail-fast", "by-task", "quota-aware"] {
        assert_eq!(asked(name), [""; 0], "{name}");
    }
    assert_eq!(asked("bandit"), ["state", "observe"]);
    assert_eq!(asked("hedge"), ["state", "observe"]);
}

#[test]
fn can_be_inspected_without_a_grant_and_not_be_loaded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-strategies/prebuilt");
    let source = StrategyRef::File(folder.join("witness.wasm"));

    let inspection =
        inspect(&source, &SandboxConfig { compile_time: Duration::from_secs(60), ..SandboxConfig::default() });
    let loaded = prebuilt("witness", &json!({}), &SandboxConfig::default());

    assert_eq!(inspection.unwrap().description.unwrap().name, "witness");
    assert!(matches!(loaded, Err(LoadStrategyError::NotGranted { .. })));
}

#[test]
fn shows_the_messages_of_a_request_for_one_decision() {
    let witness = prebuilt("witness", &json!({}), &granted("witness")).unwrap();
    let request = Arc::new(ChatRequest::ask("secret"));
    let ask = ask_of(&[Standing::Ready; 3]);

    let shown = witness.answer(&ask, Some(&request)).unwrap().decision.reason.unwrap();
    let after = witness.answer(&ask, None).unwrap().decision.reason.unwrap();

    assert_eq!((&*shown, &*after), ("1 messages, user of 6 bytes: secret", "no messages"));
}

#[test]
fn proves_a_strategy_over_a_state_of_its_own() {
    let witness = prebuilt("witness", &json!({"mode": "count"}), &granted("witness")).unwrap();

    let counted = witness.decide(&ask_of(&[Standing::Ready; 3])).unwrap().reason;

    assert_eq!(counted.as_deref(), Some("1"));
}
