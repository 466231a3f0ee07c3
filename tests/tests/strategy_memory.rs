//! What a thousand strategies hold together.

#![cfg(target_os = "linux")]

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
    let ready = State::unknown(Standing::Ready);
    Ask {
        input_tokens: 1,
        max_output_tokens: 1,
        attempts_left: 4,
        retries_left: 4,
        remaining_ms: None,
        ..Ask::first(vec![ready])
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
