//! What a decision of a real guest costs, conversion included: warm with 8 and 64 candidates, and in a fresh instance.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot load its guest has nothing to measure")]

use std::hint::black_box;
use std::sync::Arc;

use backstop::config::{SandboxConfig, StrategyRef};
use backstop::strategy::Strategy;
use backstop::types::{Ask, NanoUsd, Price, RosterTarget, Standing, State, TargetName};
use criterion::{Criterion, criterion_group, criterion_main};

fn decisions(criterion: &mut Criterion) {
    for targets in [8, 64] {
        let strategy = smart(targets);
        let ask = question(targets);
        criterion.bench_function(&format!("warm decision, {targets} candidates"), |bencher| {
            bencher.iter(|| strategy.decide(black_box(&ask)).unwrap());
        });
    }
    let strategy = smart(8);
    let ask = question(8);
    criterion.bench_function("decision in a fresh instance, 8 candidates", |bencher| {
        bencher.iter(|| {
            strategy.rest();
            strategy.decide(black_box(&ask)).unwrap()
        });
    });
}

fn smart(targets: usize) -> Strategy {
    let source = StrategyRef::BuiltIn("smart");
    Strategy::load(&source, &roster(targets), &serde_json::Map::new(), &SandboxConfig::default()).unwrap()
}

fn roster(targets: usize) -> Vec<RosterTarget> {
    let target = |number: usize| RosterTarget {
        name: TargetName::new(&format!("provider-{number}"), "llama-3.1-8b-instant"),
        priority: i32::try_from(number % 5).unwrap(),
        local: number.is_multiple_of(7),
        price: Some(Price::flat_per_1k(NanoUsd::from_nanos(50_000))),
        context_window: Some(131_072),
        tools: true,
        json: true,
        vision: false,
        labels: Vec::new(),
    };
    (0..targets).map(target).collect()
}

/// A question of an ordinary day: most targets are ready, some are left alone.
fn question(targets: usize) -> Ask {
    let state = |number: usize| State {
        standing: if number % 4 == 3 { Standing::CoolingDown(12_000) } else { Standing::Ready },
        estimated_cost: Some(NanoUsd::from_nanos(1_234_567)),
        in_flight: 2,
        consecutive_failures: 0,
        success_rate: 0.99,
        first_token_ms: Some(310.0),
        quota_left: Some(0.7),
    };
    Ask {
        sequence: 41,
        entropy: 0x1234_5678_9abc_def0,
        now_ms: 1_800_000_000_000,
        input_tokens: 900,
        max_output_tokens: 1_000,
        streaming: true,
        labels: Arc::new([]),
        states: (0..targets).map(state).collect(),
        attempts: Vec::new(),
        in_flight: Vec::new(),
        preferred: None,
        emergency: false,
        attempts_left: 4,
        retries_left: 2,
        elapsed_ms: 3,
        remaining_ms: Some(119_997),
        note: Vec::new(),
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
