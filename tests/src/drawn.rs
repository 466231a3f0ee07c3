//! Questions to a strategy, drawn at random.

use std::sync::Arc;

use backstop::random::Random;
use backstop::types::{Ask, FailureKind, NanoUsd, PastAttempt, RosterTarget, Standing, State, TargetName};

/// A roster of so many targets that differ in all that strategies go by.
#[must_use]
pub fn roster(targets: usize) -> Vec<RosterTarget> {
    let target = |number: usize| RosterTarget {
        name: TargetName::new(&format!("p{}", number / 2), &format!("m{number}")),
        priority: i32::try_from(number % 3).unwrap(),
        local: number == 4,
        price: None,
        context_window: number.is_multiple_of(2).then_some(8_000),
        tools: true,
        json: true,
        vision: true,
        labels: Vec::new(),
    };
    (0..targets).map(target).collect()
}

fn below(random: &Random, bound: u32) -> u32 {
    u32::try_from(random.next() % u64::from(bound)).unwrap()
}

fn standing(random: &Random) -> Standing {
    let ms = below(random, 5_000);
    match random.next() % 12 {
        0..3 => Standing::Ready,
        3 => Standing::CoolingDown(ms),
        4 => Standing::Tripped(ms),
        5 => Standing::Probing,
        6 => Standing::Limited(ms),
        7 => Standing::OutOfQuota(ms),
        8 => Standing::OverBudget,
        9 => Standing::Unsupported,
        10 => Standing::Spent,
        _ => Standing::Disabled,
    }
}

fn share(random: &Random) -> f32 {
    f32::from(u8::try_from(random.next() % 101).unwrap()) / 100.0
}

fn state(random: &Random) -> State {
    State {
        standing: standing(random),
        estimated_cost: random.next().is_multiple_of(2).then(|| NanoUsd::from_nanos(random.next() % 1_000_000)),
        in_flight: below(random, 4),
        consecutive_failures: below(random, 6),
        success_rate: share(random),
        first_token_ms: random.next().is_multiple_of(2).then(|| share(random) * 1_000.0),
        quota_left: random.next().is_multiple_of(2).then(|| share(random)),
    }
}

fn attempt(random: &Random, targets: usize) -> PastAttempt {
    PastAttempt {
        target: below(random, u32::try_from(targets).unwrap()),
        failure: FailureKind::ALL[random.next() as usize % FailureKind::ALL.len()],
        took_ms: below(random, 9_000),
        retry_after_ms: random.next().is_multiple_of(3).then(|| below(random, 4_000)),
    }
}

/// A question, with everything in it drawn.
#[must_use]
pub fn ask(random: &Random, targets: usize) -> Ask {
    let attempts = random.next() % 4;
    Ask {
        sequence: random.next(),
        entropy: random.next(),
        now_ms: 1_800_000_000_000 + random.next() % 1_000_000,
        input_tokens: below(random, 9_000),
        max_output_tokens: below(random, 4_000),
        streaming: random.next().is_multiple_of(2),
        labels: Arc::new([]),
        states: (0..targets).map(|_| state(random)).collect(),
        attempts: (0..attempts).map(|_| attempt(random, targets)).collect(),
        in_flight: Vec::new(),
        preferred: random.next().is_multiple_of(3).then(|| below(random, u32::try_from(targets).unwrap())),
        emergency: random.next().is_multiple_of(5),
        attempts_left: below(random, 6),
        retries_left: below(random, 6),
        elapsed_ms: below(random, 30_000),
        remaining_ms: (!random.next().is_multiple_of(4)).then(|| below(random, 30_000)),
        note: Vec::new(),
    }
}
