//! `backstop demo`, which needs nothing.

use std::time::Duration;

use backstop_tests::Cli;
use serde_json::Value;
use tempfile::TempDir;

#[test]
fn shows_every_strategy_at_work_without_key_or_configuration() {
    // Neither a broken file nor a strange environment is its business.
    let home = TempDir::new().unwrap();
    std::fs::write(home.path().join("backstop.toml"), "[[[").unwrap();

    let ran = Cli::new(home.path(), ["demo"]).env("LLM_FALLBACK_STRATEGY", "nonsense").run_blocking();

    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.took < Duration::from_secs(20), "{:?}", ran.took);
    for strategy in ["smart", "cost", "quality", "round-robin", "fail-fast"] {
        assert!(ran.stdout.contains(strategy), "{strategy} is missing: {}", ran.stdout);
    }
    for words in ["alpha: rate-limited (429)", "beta: connection", "gamma answered", "$"] {
        assert!(ran.stdout.contains(words), "{words} is missing: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains('\u{1b}'), "colours in a pipe");
}

#[test]
fn remembers_a_failure_from_one_question_to_the_next() {
    let home = TempDir::new().unwrap();

    let rows = Cli::new(home.path(), ["demo", "--json"]).run_blocking().json();

    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 15);
    for strategy in ["smart", "cost", "quality", "round-robin"] {
        let of_strategy: Vec<&Value> = rows.iter().filter(|row| row["strategy"] == strategy).collect();
        assert!(of_strategy.iter().all(|row| row["answered_by"] == "gamma"), "{strategy}: {of_strategy:#?}");
        for failing in ["alpha", "beta"] {
            let attempts = of_strategy.iter().flat_map(|row| row["attempts"].as_array().unwrap());
            let failures = attempts.filter(|attempt| attempt["provider"] == failing).count();
            assert!(failures <= 1, "{strategy} tried {failing} {failures} times");
        }
    }
}
