//! A decision depends on nothing but its question: questions drawn at random, asked again.

use backstop::config::{SandboxConfig, StrategyRef};
use backstop::random::Random;
use backstop::strategy::{BUILT_IN, Strategy};
use backstop_tests::drawn;

// RELIABILITY 62: 20,000 questions to each of those built in, and to a second instance of it in the opposite order.
#[test]
fn gives_the_same_answers_to_100_000_questions_asked_again() {
    let random = Random::seeded(62);
    let (roster, sandbox) = (drawn::roster(6), SandboxConfig::default());
    let asks: Vec<_> = (0..20_000).map(|_| drawn::ask(&random, roster.len())).collect();
    for name in BUILT_IN {
        let load = || Strategy::load(&StrategyRef::BuiltIn(name), &roster, &serde_json::Map::new(), &sandbox);
        let (one, other) = (load().unwrap(), load().unwrap());

        let first: Vec<_> = asks.iter().map(|ask| one.decide(ask).unwrap()).collect();
        let second: Vec<_> = asks.iter().rev().map(|ask| other.decide(ask).unwrap()).collect();

        assert!(first.iter().eq(second.iter().rev()), "{name}");
    }
}
