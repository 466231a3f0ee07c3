//! The policy, apart from any order but the declared one.

use super::{Fallback, FallbackOptions, Order};
use crate::testing::Situation;
use crate::{Ask, Candidate, Decision, Failure, Roster, Standing, Strategy, Verdict};

/// Declared order.
pub(super) struct InOrder(Fallback);

impl Strategy for InOrder {
    type Options = FallbackOptions;

    fn configure(roster: &Roster, options: FallbackOptions) -> Result<Self, String> {
        Fallback::new(roster, options).map(Self)
    }

    fn next(&self, ask: &Ask<'_>) -> Decision {
        self.0.decide(ask, self)
    }
}

impl Order for InOrder {
    type Rank = u32;

    fn rank(&self, candidate: &Candidate<'_>) -> u32 {
        candidate.index()
    }

    fn reason(&self, _: &Candidate<'_>) -> String {
        "next in order".to_owned()
    }
}

/// The delays of the terminal tool: 2 s doubling to 60 s, by chance or not.
const TERMINAL: &str = r#"{
    "attempts": 5, "retries": 4, "patience": "60s", "base_delay": "2s", "max_delay": "60s", "jitter": 0
}"#;

fn three() -> Situation {
    Situation::new().target("groq/a").target("groq/b").target("openai/x")
}

fn answer(situation: &Situation) -> String {
    situation.answer::<InOrder>()
}

fn course(situation: &Situation, failure: Failure) -> Vec<String> {
    situation.course::<InOrder>(failure)
}

mod order {
    use super::*;

    #[test]
    fn asks_the_primary_first_and_then_the_others_in_order() {
        let provider = three().options(r#"{"primary": "openai"}"#);
        let model = three().options(r#"{"primary": "groq/b"}"#);

        assert_eq!(course(&provider, Failure::Timeout), ["openai/x", "groq/a", "groq/b", "give up"]);
        assert_eq!(course(&model, Failure::Timeout), ["groq/b", "groq/a", "openai/x", "give up"]);
        assert_eq!(answer(&provider), "openai/x (primary)");
    }

    #[test]
    fn passes_over_the_primary_while_it_cools_down() {
        let situation = Situation::new().target("a/x").target("b/x").cooling_down(60_000);

        let answer = answer(&situation.options(r#"{"primary": "b"}"#));

        assert_eq!(answer, "a/x (next in order)");
    }

    #[test]
    fn refuses_a_primary_that_is_not_there() {
        let error = three().options(r#"{"primary": "opnai"}"#).configure::<InOrder>().err().unwrap();

        assert_eq!(error, "`primary`: `opnai` is no provider or provider/model of this route; did you mean `openai`?");
    }

    #[test]
    fn prefers_the_one_that_served_last_to_all_but_the_first() {
        let while_down = Situation::new().target("ollama/x").tripped(5_000).target("groq/x").target("openai/x");
        let once_back = Situation::new().target("ollama/x").target("groq/x").target("openai/x");

        assert_eq!(answer(&while_down.preferred("openai/x")), "openai/x (served last)");
        assert_eq!(course(&once_back.preferred("openai/x"), Failure::Timeout)[..2], ["ollama/x", "openai/x"]);
    }

    #[test]
    fn prefers_the_one_that_served_last_to_all_but_the_primary() {
        let situation = three().options(r#"{"primary": "groq/b"}"#).preferred("openai/x");

        assert_eq!(course(&situation, Failure::Timeout)[..3], ["groq/b", "openai/x", "groq/a"]);
    }

    #[test]
    fn takes_no_notice_of_who_served_last_when_told_not_to() {
        let situation = three().options(r#"{"sticky": false}"#).preferred("openai/x");

        assert_eq!(course(&situation, Failure::Timeout)[..3], ["groq/a", "groq/b", "openai/x"]);
    }

    #[test]
    fn asks_troubled_targets_last_when_told_to_avoid_them() {
        let situation =
            Situation::new().target("a/x").consecutive_failures(2).target("b/x").quota_left(0.04).target("c/x");

        let plain = course(&situation, Failure::Timeout);
        let wary = course(&situation.options(r#"{"avoid_trouble": true}"#), Failure::Timeout);

        assert_eq!(plain, ["a/x", "b/x", "c/x", "give up"]);
        assert_eq!(wary, ["c/x", "a/x", "b/x", "give up"]);
    }

    #[test]
    fn looks_in_on_troubled_targets_with_every_sixteenth_request() {
        let situation = Situation::new().target("a/x").consecutive_failures(2).target("b/x");
        let situation = situation.options(r#"{"avoid_trouble": true}"#);

        let chosen: Vec<String> = (0..32).map(|n| situation.clone().sequence(n).chosen::<InOrder>()).collect();

        assert_eq!(chosen.iter().filter(|name| *name == "a/x").count(), 2);
    }

    #[test]
    fn leaves_a_failing_provider_with_all_its_models_when_told_to() {
        let situation = three().options(r#"{"leave_provider": true, "retries": 0}"#);

        assert_eq!(course(&situation, Failure::Connection), ["groq/a", "openai/x", "groq/b", "give up"]);
        assert_eq!(course(&situation, Failure::ModelNotFound), ["groq/a", "groq/b", "openai/x", "give up"]);
    }
}

mod staying {
    use super::*;

    #[test]
    fn asks_the_same_target_once_more_after_an_outage_and_then_the_next() {
        let situation = three().options(r#"{"jitter": 0}"#);

        let course = course(&situation, Failure::ServerError);

        let each = ["groq/a", "groq/a after 1000 ms", "groq/b", "groq/b after 1000 ms"];
        assert_eq!(course, [&each[..], &["openai/x", "openai/x after 1000 ms", "give up"]].concat());
    }

    #[test]
    fn spends_no_attempt_on_a_retry_that_an_untried_target_needs() {
        let situation = three().options(r#"{"jitter": 0}"#).failed("groq/a", Failure::ServerError);

        assert_eq!(
            answer(&situation.clone().attempts_left(3)),
            "groq/a after 1000 ms (again in 1.0 s, after a server error)"
        );
        assert!(answer(&situation.attempts_left(2)).starts_with("groq/b ("));
    }

    #[test]
    fn says_what_it_waits_for() {
        let situation =
            three().options(r#"{"jitter": 0, "base_delay": "250ms"}"#).failed("groq/a", Failure::ServerError);

        assert_eq!(answer(&situation), "groq/a after 250 ms (again in 250 ms, after a server error)");
    }

    #[test]
    fn goes_on_at_once_after_a_failure_that_a_retry_does_not_mend() {
        for failure in Failure::ALL.into_iter().filter(|failure| !failure.is_transient()) {
            if failure == Failure::RateLimited || failure == Failure::InvalidRequest {
                continue;
            }
            assert_eq!(course(&three(), failure), ["groq/a", "groq/b", "openai/x", "give up"], "{failure:?}");
        }
    }

    #[test]
    fn costs_one_attempt_per_failing_provider_when_told_not_to_retry() {
        for failure in [Failure::Connection, Failure::ServerError, Failure::Timeout, Failure::Overloaded] {
            let situation = Situation::new().target("ollama/x").target("openai/x").options(r#"{"retries": 0}"#);

            assert_eq!(course(&situation, failure), ["ollama/x", "openai/x", "give up"]);
        }
    }

    #[test]
    fn goes_straight_to_the_working_one_while_the_other_is_out() {
        let situation = Situation::new().target("ollama/x").tripped(300_000).target("openai/x").preferred("openai/x");

        assert_eq!(answer(&situation), "openai/x (served last)");
    }

    #[test]
    fn gives_up_on_a_request_that_everyone_would_refuse() {
        let situation = three().failed("groq/a", Failure::InvalidRequest);

        assert_eq!(answer(&situation), "give up (every target would refuse this request)");
    }

    #[test]
    fn takes_a_request_that_is_too_long_to_larger_windows_only() {
        let situation = Situation::new().target("a/x").window(8_000).target("b/x").window(8_000).target("c/x");
        let situation = situation.target("d/x").window(128_000);

        assert_eq!(course(&situation, Failure::ContextLength), ["a/x", "c/x", "d/x", "give up"]);
    }

    #[test]
    fn leaves_a_rate_limited_target_at_once_for_one_that_is_ready() {
        let situation = Situation::new().target("a/x").cooling_down(2_000).target("b/x");

        let answer = answer(&situation.failed("a/x", Failure::RateLimited));

        assert_eq!(answer, "b/x (next in order, after a rate limit)");
    }

    #[test]
    fn stays_for_a_wait_within_its_patience() {
        let limited =
            |ms| Situation::new().target("a/x").cooling_down(ms).target("b/x").failed("a/x", Failure::RateLimited);
        let patient = |ms| limited(ms).options(r#"{"patience": "2s", "jitter": 0}"#);

        assert_eq!(answer(&patient(2_000)), "a/x after 2000 ms (waiting 2.0 s for a/x: within patience)");
        assert_eq!(answer(&patient(2_001)), "b/x (next in order, after a rate limit)");
    }

    #[test]
    fn waits_at_least_as_long_as_the_reply_asked_for() {
        let failed = |failure| three().failed_asking("groq/a", failure, Some(3_000)).options(r#"{"jitter": 0}"#);

        assert_eq!(failed(Failure::Overloaded).chosen::<InOrder>(), "groq/b");
        let patient = failed(Failure::Overloaded).options(r#"{"jitter": 0, "patience": "5s"}"#);
        assert_eq!(patient.chosen::<InOrder>(), "groq/a after 3000 ms");
    }

    #[test]
    fn makes_no_retry_where_the_host_allows_none() {
        let course = course(&three().retries_left(1).options(r#"{"jitter": 0}"#), Failure::ServerError);

        assert_eq!(course, ["groq/a", "groq/a after 1000 ms", "groq/b", "openai/x", "give up"]);
    }

    #[test]
    fn goes_on_rather_than_retry_past_the_deadline() {
        let situation = three().options(r#"{"jitter": 0}"#).failed("groq/a", Failure::ServerError);

        assert_eq!(situation.clone().remaining_ms(1_001).chosen::<InOrder>(), "groq/a after 1000 ms");
        assert_eq!(situation.remaining_ms(1_000).chosen::<InOrder>(), "groq/b");
    }

    #[test]
    fn spreads_simultaneous_retries_over_the_first_second() {
        let situation = Situation::new().target("a/x").failed("a/x", Failure::ServerError);
        let mut entropy: u64 = 1;
        let mut slots = [0_u32; 10];

        for _ in 0..1_000 {
            entropy = entropy.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let decision = situation.clone().entropy(entropy).decide::<InOrder>();
            let Verdict::Attempt(attempt) = decision.verdict else { panic!("no attempt") };
            slots[(attempt.after_ms / 100).min(9) as usize] += 1;
        }

        assert!(slots.iter().all(|&slot| slot <= 150), "{slots:?}");
    }
}

mod terminal {
    use super::*;

    #[test]
    fn makes_all_attempts_on_a_model_then_on_the_next_and_then_at_the_next_provider() {
        let situation = Situation::new().target("cerebras/one").target("cerebras/two").target("groq/one");

        for failure in [Failure::RateLimited, Failure::ServerError] {
            let course = course(&situation.clone().options(TERMINAL), failure);

            let delays = ["", " after 2000 ms", " after 4000 ms", " after 8000 ms", " after 16000 ms"];
            let models = ["cerebras/one", "cerebras/two", "groq/one"];
            let attempts = models.iter().flat_map(|model| delays.map(|delay| format!("{model}{delay}")));
            assert_eq!(course, attempts.chain(["give up".to_owned()]).collect::<Vec<_>>());
        }
    }

    #[test]
    fn goes_to_32_s_with_a_sixth_attempt_and_to_the_cap_with_a_seventh() {
        let options = TERMINAL.replace("\"attempts\": 5", "\"attempts\": 7");
        let situation = Situation::new().target("cerebras/one").options(&options);

        let course = course(&situation, Failure::RateLimited);

        assert_eq!(course[5..], ["cerebras/one after 32000 ms", "cerebras/one after 60000 ms", "give up"]);
    }

    #[test]
    fn takes_up_to_a_fifth_off_each_delay() {
        let options = TERMINAL.replace("\"jitter\": 0", "\"jitter\": 0.2");
        let situation =
            Situation::new().target("cerebras/one").options(&options).failed("cerebras/one", Failure::Timeout);
        let situation = situation.failed("cerebras/one", Failure::RateLimited);

        assert_eq!(situation.clone().entropy(0).chosen::<InOrder>(), "cerebras/one after 4000 ms");
        assert_eq!(situation.entropy(u64::MAX).chosen::<InOrder>(), "cerebras/one after 3200 ms");
    }
}

mod waiting {
    use super::*;

    #[test]
    fn waits_for_the_one_that_is_back_soonest_where_nothing_is_ready() {
        let situation =
            Situation::new().target("a/x").cooling_down(5_000).target("b/x").standing(Standing::Limited(2_000));

        let answer = answer(&situation.remaining_ms(10_000).options(r#"{"jitter": 0}"#));

        assert_eq!(answer, "b/x after 2000 ms (waiting 2.0 s for b/x: nothing else is ready)");
    }

    #[test]
    fn comes_a_little_later_than_others_who_were_told_the_same() {
        let situation = Situation::new().target("a/x").cooling_down(2_000);

        assert_eq!(situation.clone().entropy(0).chosen::<InOrder>(), "a/x after 2000 ms");
        assert_eq!(situation.clone().entropy(1 << 63).chosen::<InOrder>(), "a/x after 2500 ms");
        assert_eq!(situation.entropy(1 << 63).remaining_ms(2_200).chosen::<InOrder>(), "a/x after 2199 ms");
    }

    #[test]
    fn gives_up_where_the_wait_would_end_after_the_deadline() {
        let situation = Situation::new().target("a/x").cooling_down(60_000).remaining_ms(10_000);

        assert_eq!(answer(&situation), "give up (nothing is ready, and in 60.0 s it would be too late)");
    }

    #[test]
    fn does_not_wait_for_a_provider_that_may_still_be_broken_then() {
        let situation = Situation::new().target("a/x").tripped(4_000).remaining_ms(60_000);

        assert_eq!(answer(&situation), "give up (nothing is ready, the next may be in 4.0 s)");
    }

    #[test]
    fn does_not_wait_for_a_quota_unless_it_has_the_patience() {
        let situation =
            Situation::new().target("a/x").standing(Standing::OutOfQuota(5_000)).options(r#"{"jitter": 0}"#);

        assert_eq!(situation.chosen::<InOrder>(), "give up");
        let patient = situation.options(r#"{"jitter": 0, "patience": "5s"}"#);
        assert_eq!(patient.chosen::<InOrder>(), "a/x after 5000 ms");
    }

    #[test]
    fn joins_another_requests_probe_where_that_is_the_nearest_hope() {
        let probing = || Situation::new().target("a/x").standing(Standing::Probing);

        assert_eq!(answer(&probing()), "a/x (waiting for another request's probe)");
        assert_eq!(probing().target("b/x").cooling_down(60_000).chosen::<InOrder>(), "a/x");
        let sooner = probing().target("b/x").cooling_down(500).entropy(0);
        assert_eq!(sooner.chosen::<InOrder>(), "b/x after 500 ms");
        assert_eq!(probing().target("b/x").chosen::<InOrder>(), "b/x");
    }

    #[test]
    fn comes_back_to_the_least_tried_where_rate_limits_leave_no_mark() {
        let situation = Situation::new().target("a/x").target("b/x").options(r#"{"jitter": 0, "attempts": 2}"#);

        let course = course(&situation, Failure::RateLimited);

        assert_eq!(course, ["a/x", "b/x", "a/x after 1000 ms", "b/x after 1000 ms", "give up"]);
    }

    #[test]
    fn says_when_there_is_nobody_to_ask() {
        let hopeless = Situation::new().target("a/x").disabled().target("b/x").standing(Standing::Unsupported);

        assert_eq!(answer(&hopeless), "give up (no target can take this request)");
        assert_eq!(answer(&three().attempts_left(0)), "give up (no attempts are left)");
        assert_eq!(answer(&Situation::new()), "give up (no target can take this request)");
    }
}

mod hedging {
    use super::*;

    fn hedged() -> Situation {
        three().options(r#"{"hedge": "800ms", "jitter": 0}"#)
    }

    #[test]
    fn asks_for_a_second_target_in_parallel_where_the_first_is_slow() {
        let hedged = hedged().under_way_at("groq/a");

        assert_eq!(answer(&hedged), "groq/b (in parallel: next in order)");
    }

    #[test]
    fn says_with_every_attempt_when_the_second_is_due_and_with_the_second_no_more() {
        let chosen = |situation: Situation| situation.chosen::<InOrder>();

        assert_eq!(chosen(hedged()), "groq/a, hedged after 800 ms");
        let again = hedged().failed("groq/a", Failure::ServerError);
        assert_eq!(chosen(again), "groq/a after 1000 ms, hedged after 800 ms");
        assert_eq!(chosen(hedged().under_way_at("groq/a")), "groq/b");
    }

    #[test]
    fn never_hedges_unless_told_to() {
        for options in ["{}", r#"{"hedge": "off"}"#] {
            let situation = three().options(options);

            assert_eq!(situation.chosen::<InOrder>(), "groq/a");
            assert_eq!(situation.under_way_at("groq/a").chosen::<InOrder>(), "hold");
        }
    }

    #[test]
    fn holds_where_no_second_target_is_ready() {
        let hedged = |situation: Situation| situation.options(r#"{"hedge": "1s"}"#).under_way_at("a/x");
        let alone = Situation::new().target("a/x");
        let second_away = Situation::new().target("a/x").target("b/x").cooling_down(10);
        let second_failed = Situation::new().target("a/x").target("b/x").failed("b/x", Failure::ServerError);

        for situation in [alone, second_away, second_failed] {
            assert_eq!(hedged(situation).chosen::<InOrder>(), "hold");
        }
    }

    #[test]
    fn holds_where_no_attempt_is_left_or_the_request_was_refused_for_good() {
        let refused = hedged().under_way_at("groq/a").failed("groq/b", Failure::InvalidRequest);

        assert_eq!(hedged().under_way_at("groq/a").attempts_left(0).chosen::<InOrder>(), "hold");
        assert_eq!(refused.chosen::<InOrder>(), "hold");
    }

    #[test]
    fn goes_on_in_parallel_where_one_of_two_has_failed() {
        let situation = hedged().under_way_at("groq/a").failed("groq/b", Failure::ServerError);

        assert_eq!(answer(&situation), "openai/x (in parallel: next in order, after a server error)");
    }

    #[test]
    fn refuses_to_hedge_at_once() {
        let error = three().options(r#"{"hedge": "0s"}"#).configure::<InOrder>().err().unwrap();

        assert_eq!(error, r#"`hedge` is "0s", but must be "off" or a length of time from 1 ms, such as "800ms""#);
    }
}

mod emergency {
    use super::*;

    #[test]
    fn tries_everything_again_in_order_when_all_are_left_alone() {
        let left_alone = || Situation::new().target("a/x").cooling_down(0).target("b/x").tripped(0);

        assert_eq!(answer(&left_alone().emergency()), "a/x (emergency: nothing is ready)");
        let course = course(&left_alone().emergency().options(r#"{"jitter": 0, "attempts": 2}"#), Failure::RateLimited);
        assert_eq!(course[2..], ["a/x after 1000 ms", "b/x after 1000 ms", "give up"]);
    }

    #[test]
    fn keeps_a_wait_that_the_provider_asked_for() {
        let situation = Situation::new().target("a/x").cooling_down(5_000).target("b/x").tripped(0);

        assert_eq!(situation.emergency().chosen::<InOrder>(), "b/x");
    }

    #[test]
    fn tries_nothing_that_is_left_alone_unless_it_may() {
        let situation = Situation::new().target("a/x").tripped(0);

        assert_eq!(situation.chosen::<InOrder>(), "give up");
    }
}
