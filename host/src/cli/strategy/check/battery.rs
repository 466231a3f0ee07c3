//! Situations that every strategy must cope with, and what is wrong with an answer to one.

use backstop::types::{
    Ask, Decision, FailureKind, NanoUsd, PastAttempt, Price, RosterTarget, Standing, State, TargetName, Verdict,
};

/// One situation: a name for the report, and the question it comes to.
pub(super) struct Situation {
    pub(super) name: String,
    pub(super) ask: Ask,
}

/// The sizes of roster that a strategy is put before, besides the usual one.
pub(super) const SIZES: [usize; 4] = [1, 8, 64, 256];

/// How much targets take, one after the other: what goes into the first goes into all.
const WINDOWS: [Option<u32>; 3] = [Some(8_192), Some(131_072), None];

/// The usual size of roster.
pub(super) const USUAL: usize = 3;

impl Situation {
    pub(super) fn new(name: impl Into<String>, ask: Ask) -> Self {
        Self { name: name.into(), ask }
    }
}

/// A roster of so many targets: priorities, prices, windows and places differ, so that every order has something to go by.
pub(super) fn roster(size: usize) -> Vec<RosterTarget> {
    (0..size).map(target).collect()
}

fn target(place: usize) -> RosterTarget {
    let number = u32::try_from(place).unwrap_or(u32::MAX);
    let price = NanoUsd::from_nanos(u64::from(number % 7) * 100_000_000);
    RosterTarget {
        name: TargetName::new(&format!("provider-{}", place / 2), &format!("model-{place}")),
        priority: i32::try_from(place % 5).unwrap_or(0),
        local: place % 3 == 2,
        price: (place % 4 != 3).then_some(Price::new(price, price)),
        context_window: WINDOWS.get(place % WINDOWS.len()).copied().flatten(),
        tools: true,
        json: true,
        vision: place.is_multiple_of(2),
        labels: Vec::new(),
    }
}

/// What can be asked about a usual roster.
pub(super) fn situations() -> Vec<Situation> {
    let mut all = standings();
    all.extend(failures());
    all.extend(hedges());
    all.extend(lengths());
    all.extend(extremes());
    all
}

/// How targets stand.
fn standings() -> Vec<Situation> {
    let alike = [
        Standing::Ready,
        Standing::CoolingDown(30_000),
        Standing::Tripped(5_000),
        Standing::Probing,
        Standing::Limited(700),
        Standing::OutOfQuota(3_600_000),
        Standing::OverBudget,
        Standing::Unsupported,
        Standing::Spent,
        Standing::Disabled,
    ];
    let alike = alike.map(|standing| Situation::new(format!("all {}", standing.name()), ask(&[standing; USUAL])));
    let mixed = [
        ("one cooling down", [Standing::CoolingDown(30_000), Standing::Ready, Standing::Ready]),
        ("one ready", [Standing::Tripped(5_000), Standing::Disabled, Standing::Ready]),
        ("one probing", [Standing::Probing, Standing::Tripped(4_000), Standing::Tripped(5_000)]),
    ];
    let mixed = mixed.map(|(name, standings)| Situation::new(name, ask(&standings)));
    let emergencies = [
        ("emergency: all tripped", [Standing::Tripped(0); USUAL]),
        ("emergency: all cooling down", [Standing::CoolingDown(0); USUAL]),
    ];
    let emergencies =
        emergencies.map(|(name, standings)| Situation::new(name, Ask { emergency: true, ..ask(&standings) }));
    alike.into_iter().chain(mixed).chain(emergencies).collect()
}

/// What was tried already.
fn failures() -> Vec<Situation> {
    let ready = || ask(&[Standing::Ready; USUAL]);
    let failed = |target, failure| PastAttempt { target, failure, took_ms: 20, retry_after_ms: None };
    let after = |attempts: Vec<PastAttempt>| Ask { attempts_left: 2, attempts, ..ready() };
    let once =
        FailureKind::ALL.map(|kind| Situation::new(format!("after {}", kind.name()), after(vec![failed(0, kind)])));
    let everywhere = (0..).take(USUAL).map(|target| failed(target, FailureKind::ServerError)).collect();
    let named_wait = PastAttempt { retry_after_ms: Some(250), ..failed(0, FailureKind::RateLimited) };
    let more = [
        ("after two failures", after(vec![failed(0, FailureKind::ServerError), failed(1, FailureKind::Timeout)])),
        ("after a failure everywhere", after(everywhere)),
        ("after a rate limit that names a wait", after(vec![named_wait])),
        ("after 100 failures", after(vec![failed(1, FailureKind::Overloaded); 100])),
        ("no retries left", Ask { retries_left: 0, ..after(vec![failed(0, FailureKind::Overloaded)]) }),
        ("one attempt left", Ask { attempts_left: 1, ..after(vec![failed(0, FailureKind::Overloaded)]) }),
        ("a favourite", Ask { preferred: Some(2), ..ready() }),
    ];
    once.into_iter().chain(more.map(|(name, ask)| Situation::new(name, ask))).collect()
}

/// Attempts that go on while the strategy is asked.
fn hedges() -> Vec<Situation> {
    let under_way = |standings: &[Standing], targets: &[u32]| Ask { in_flight: targets.to_vec(), ..ask(standings) };
    let ready = [Standing::Ready; USUAL];
    vec![
        Situation::new("one in flight", under_way(&ready, &[0])),
        Situation::new("all in flight", under_way(&ready, &[0, 1, 2])),
        Situation::new(
            "one in flight, nobody else ready",
            under_way(&[Standing::Ready, Standing::Disabled, Standing::CoolingDown(30_000)], &[0]),
        ),
    ]
}

/// Questions of all lengths. Whom one is too long for does not support it.
fn lengths() -> Vec<Situation> {
    let of = |input_tokens, max_output_tokens, standings: [Standing; USUAL]| Ask {
        input_tokens,
        max_output_tokens,
        ..ask(&standings)
    };
    let too_long_for_one = [Standing::Unsupported, Standing::Ready, Standing::Ready];
    let too_long_for_two = [Standing::Unsupported, Standing::Unsupported, Standing::Ready];
    vec![
        Situation::new("a question of one word", of(1, 1, [Standing::Ready; USUAL])),
        Situation::new("a question of 6,000 tokens", of(6_000, 500, [Standing::Ready; USUAL])),
        Situation::new("a question of 50,000 tokens, too long for one", of(50_000, 500, too_long_for_one)),
        Situation::new("a question of 500,000 tokens, too long for two", of(500_000, 8_000, too_long_for_two)),
        Situation::new("a short question with a long answer", of(20, 6_000, [Standing::Ready; USUAL])),
    ]
}

/// Numbers and texts as large, as small and as odd as they come.
fn extremes() -> Vec<Situation> {
    let ready = || ask(&[Standing::Ready; USUAL]);
    let label = |name: &str, value: String| (name.to_owned(), value);
    let labels = |labels: Vec<(String, String)>| Ask { labels: labels.into(), ..ready() };
    let largest = Ask {
        sequence: u64::MAX,
        entropy: u64::MAX,
        now_ms: u64::MAX,
        input_tokens: u32::MAX,
        max_output_tokens: u32::MAX,
        attempts_left: u32::MAX,
        retries_left: u32::MAX,
        elapsed_ms: u32::MAX,
        remaining_ms: None,
        ..ready()
    };
    let unknown = |state: State| State { estimated_cost: None, first_token_ms: None, success_rate: 0.0, ..state };
    let nothing_known = Ask { states: ready().states.into_iter().map(unknown).collect(), ..ready() };
    vec![
        Situation::new("one millisecond left", Ask { remaining_ms: Some(1), ..ready() }),
        Situation::new("no deadline", Ask { remaining_ms: None, ..ready() }),
        Situation::new("no deadline, all disabled", Ask { remaining_ms: None, ..ask(&[Standing::Disabled; USUAL]) }),
        Situation::new("the largest numbers", largest),
        Situation::new("nothing is known of the targets", nothing_known),
        Situation::new("empty labels", labels(vec![label("", String::new()), label("", String::new())])),
        Situation::new("a label of 16 KiB", labels(vec![label("context", "\u{1f50c}".repeat(4_096))])),
        Situation::new("1,000 labels", labels((0..1_000).map(|n| label("n", n.to_string())).collect())),
    ]
}

/// The question that everything is ready.
pub(super) fn all_ready(size: usize) -> Ask {
    ask(&vec![Standing::Ready; size])
}

fn ask(standings: &[Standing]) -> Ask {
    let states = (1_u16..).zip(standings).map(|(nth, &standing)| State {
        estimated_cost: Some(NanoUsd::from_nanos(u64::from(nth % 7) * 1_000_000)),
        first_token_ms: Some(200.0 + f32::from(nth % 5) * 50.0),
        ..State::unknown(standing)
    });
    Ask {
        sequence: 7,
        entropy: 0x5eed_5eed_5eed_5eed,
        now_ms: 1_760_000_000_000,
        input_tokens: 200,
        max_output_tokens: 500,
        streaming: true,
        attempts_left: 4,
        retries_left: 4,
        elapsed_ms: 40,
        ..Ask::first(states.collect())
    }
}

/// What is wrong with a decision, where something is. The host would cope with each of these; the request would be slower,
/// or would fail where it need not.
pub(super) fn fault_of(ask: &Ask, decision: &Decision) -> Option<String> {
    match decision.verdict {
        Verdict::Attempt(plan) if ask.in_flight.contains(&plan.target) => {
            Some(format!("chose target {}, which is being asked at this moment", plan.target))
        }
        Verdict::Attempt(plan) => {
            let standing = ask.states.get(plan.target as usize)?.standing;
            match standing {
                Standing::Ready | Standing::Probing => None,
                Standing::CoolingDown(ms)
                | Standing::Tripped(ms)
                | Standing::Limited(ms)
                | Standing::OutOfQuota(ms) => (plan.after_ms < ms).then(|| {
                    format!(
                        "chose target {} after {} ms, which is {} for {ms} ms",
                        plan.target,
                        plan.after_ms,
                        standing.name()
                    )
                }),
                Standing::OverBudget | Standing::Unsupported | Standing::Spent | Standing::Disabled => {
                    Some(format!("chose target {}, which is {}", plan.target, standing.name()))
                }
            }
        }
        Verdict::Hold => ask.in_flight.is_empty().then(|| "holds while nothing is in flight".to_owned()),
        // The host takes it for holding.
        Verdict::GiveUp if !ask.in_flight.is_empty() => None,
        Verdict::GiveUp => {
            let has_fresh = ask.attempts.is_empty() && ask.states.iter().any(|state| state.standing == Standing::Ready);
            has_fresh.then(|| "gives up although a target is ready and nothing was tried".to_owned())
        }
    }
}

/// A decision in words.
pub(super) fn in_words(decision: &Decision) -> String {
    match decision.verdict {
        Verdict::Attempt(plan) if plan.after_ms > 0 => format!("target {} after {} ms", plan.target, plan.after_ms),
        Verdict::Attempt(plan) => format!("target {}", plan.target),
        Verdict::Hold => "hold".to_owned(),
        Verdict::GiveUp => "give up".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use backstop::types::AttemptPlan;

    use super::*;

    fn decided(verdict: Verdict) -> Decision {
        Decision { verdict, reason: None, note: Vec::new() }
    }

    #[test]
    fn has_a_state_for_every_target() {
        assert!(situations().iter().all(|situation| situation.ask.states.len() == USUAL));
        for size in SIZES {
            assert_eq!((roster(size).len(), all_ready(size).states.len()), (size, size));
        }
    }

    #[test]
    fn finds_fault_with_targets_the_host_would_not_admit() {
        let resting = ask(&[Standing::CoolingDown(100), Standing::Disabled]);
        let early = decided(Verdict::Attempt(AttemptPlan::now(0)));
        let patient = decided(Verdict::Attempt(AttemptPlan { after_ms: 100, ..AttemptPlan::now(0) }));
        let hopeless = decided(Verdict::Attempt(AttemptPlan::now(1)));

        assert_eq!(fault_of(&resting, &early).unwrap(), "chose target 0 after 0 ms, which is cooling down for 100 ms");
        assert_eq!(fault_of(&resting, &patient), None);
        assert_eq!(fault_of(&resting, &hopeless).unwrap(), "chose target 1, which is disabled");
    }

    #[test]
    fn finds_fault_with_what_disturbs_an_attempt_in_flight() {
        let under_way = Ask { in_flight: vec![0], ..all_ready(2) };
        let at = |target| decided(Verdict::Attempt(AttemptPlan::now(target)));

        assert!(fault_of(&under_way, &at(0)).is_some());
        assert_eq!(fault_of(&under_way, &at(1)), None);
        assert_eq!(fault_of(&under_way, &decided(Verdict::Hold)), None);
    }

    #[test]
    fn puts_a_strategy_before_every_failure_there_is() {
        let failures: Vec<_> =
            situations().iter().filter_map(|one| one.ask.attempts.first()).map(|one| one.failure).collect();

        assert!(FailureKind::ALL.iter().all(|kind| failures.contains(kind)));
    }

    #[test]
    fn finds_fault_with_giving_up_too_soon() {
        let ready = all_ready(1);
        let resting = ask(&[Standing::Tripped(100)]);

        assert!(fault_of(&ready, &decided(Verdict::GiveUp)).is_some());
        assert_eq!(fault_of(&resting, &decided(Verdict::GiveUp)), None);
    }
}
