//! What a thousand strategies hold together.

#![cfg(target_os = "linux")]

use std::sync::Arc;

use backstop::config::{SandboxConfig, StrategyRef};
use backstop::strategy::Strategy;
use backstop::types::{Ask, RosterTarget, Standing, State, TargetName, Verdict};

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

fn roster() -> Vec<RosterTarget> {
    vec![RosterTarget {
        name: TargetName::new("p", "m"),
        priority: 0,
        local: false,
        price: None,
        context_window: None,
        tools: true,
        json: true,
        vision: true,
        labels: Vec::new(),
    }]
}

fn ask() -> Ask {
    let state = State {
        standing: Standing::Ready,
        estimated_cost: None,
        in_flight: 0,
        consecutive_failures: 0,
        success_rate: 1.0,
        first_token_ms: None,
        quota_left: None,
    };
    Ask {
        sequence: 0,
        entropy: 0,
        now_ms: 0,
        input_tokens: 1,
        max_output_tokens: 1,
        streaming: false,
        labels: Arc::new([]),
        states: vec![state],
        attempts: Vec::new(),
        in_flight: Vec::new(),
        preferred: None,
        emergency: false,
        attempts_left: 4,
        retries_left: 4,
        elapsed_ms: 0,
        remaining_ms: None,
        note: Vec::new(),
    }
}

// RELIABILITY 58
#[test]
fn a_thousand_strategies_stay_far_below_their_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = SandboxConfig { compile_cache: Some(folder.path().join("components")), ..SandboxConfig::default() };
    let load = || Strategy::load(&StrategyRef::BuiltIn("smart"), &roster(), &serde_json::Map::new(), &sandbox).unwrap();
    let (first, before) = (load(), resident());

    let strategies: Vec<Strategy> = (0..1_000).map(|_| load()).collect();
    let answers: Vec<_> = strategies.iter().map(|strategy| strategy.decide(&ask()).unwrap().verdict).collect();

    let each = resident().saturating_sub(before) / strategies.len();
    assert!(answers.iter().all(|verdict| matches!(verdict, Verdict::Attempt(_))));
    assert!(each < sandbox.memory / 8, "{each} bytes for each strategy");
    drop(first);
}
