//! So much in a minute or a day, exactly: never more than the limit in any sliding span of that length.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Moment;

/// Up to this many entries are kept one by one; beyond it, those of the same 1,024th of the span are kept together, as of the
/// last of them. That bounds the memory and errs towards too little by less than 0.1 %.
const MAX_RUNS: u32 = 1_024;

/// What was admitted within the last span, and when: requests, or tokens by estimate that are corrected later.
///
/// A log and no leaky bucket: providers count per window, and a bucket lets twice the limit through in its first one.
#[derive(Debug, Clone)]
pub(super) struct Window {
    limit: u64,
    length: Duration,
    parts: u32,
    runs: VecDeque<Run>,
    total: u64,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    last: Moment,
    amount: u64,
}

impl Window {
    /// An empty window of requests, each of which counts one.
    pub(super) fn of_requests(limit: u32, length: Duration) -> Self {
        let parts = if limit > MAX_RUNS { MAX_RUNS } else { u32::MAX };
        Self { limit: limit.into(), length, parts, runs: VecDeque::new(), total: 0 }
    }

    /// An empty window of amounts of any size.
    pub(super) fn of_amounts(limit: u32, length: Duration) -> Self {
        Self { parts: MAX_RUNS, ..Self::of_requests(limit, length) }
    }

    /// How long it is.
    pub(super) fn length(&self) -> Duration {
        self.length
    }

    /// How long until so much is admitted once so much `ahead` of it has been, if nothing else comes first; `None` is now. What
    /// is more than the limit waits for an empty window.
    pub(super) fn wait(&mut self, ahead: u64, amount: u64, now: Moment) -> Option<Duration> {
        self.forget(now);
        if self.limit == 0 {
            return Some(self.length);
        }
        let room = self.limit.saturating_sub(ahead.saturating_add(amount).min(self.limit));
        let mut left = self.total;
        let mut wait = None;
        for run in &self.runs {
            if left <= room {
                break;
            }
            left = left.saturating_sub(run.amount);
            wait = Some((run.last + self.length).since(now));
        }
        wait
    }

    /// Counts what was admitted.
    pub(super) fn enter(&mut self, amount: u64, now: Moment) {
        self.total = self.total.saturating_add(amount);
        let is_same_part = self.runs.back().is_some_and(|run| self.part(run.last) == self.part(now));
        match self.runs.back_mut() {
            Some(run) if is_same_part => {
                run.amount = run.amount.saturating_add(amount);
                run.last = run.last.max(now);
            }
            Some(_) | None => self.runs.push_back(Run { last: now, amount }),
        }
    }

    /// Replaces what was counted at that moment by what it really was: nothing, where it was never sent.
    pub(super) fn correct(&mut self, entered: Moment, taken: u64, used: u64) {
        let part = self.part(entered);
        // What is not there any more was so long ago that it does not count.
        let Some(place) = self.runs.iter().rposition(|run| self.part(run.last) == part) else { return };
        let Some(run) = self.runs.get_mut(place) else { return };
        run.amount = run.amount.saturating_sub(taken).saturating_add(used);
        self.total = self.total.saturating_sub(taken).saturating_add(used);
        if run.amount == 0 {
            self.runs.remove(place);
        }
    }

    /// What was admitted within the last span.
    pub(super) fn total(&mut self, now: Moment) -> u64 {
        self.forget(now);
        self.total
    }

    /// How long until the oldest of it does not count any more; `None` where there is none.
    pub(super) fn oldest_leaves_in(&self, now: Moment) -> Option<Duration> {
        self.runs.front().map(|run| (run.last + self.length).since(now))
    }

    /// Has another limit from now on, which what was admitted may be above.
    pub(super) fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    fn forget(&mut self, now: Moment) {
        while let Some(run) = self.runs.front().filter(|run| run.last + self.length <= now) {
            self.total = self.total.saturating_sub(run.amount);
            self.runs.pop_front();
        }
    }

    fn part(&self, moment: Moment) -> u128 {
        let length = if self.parts == u32::MAX { 1 } else { self.length.as_nanos() / u128::from(self.parts) };
        moment.since(Moment::START).as_nanos() / length.max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at_ms(ms: u64) -> Moment {
        Moment::from_start(Duration::from_millis(ms))
    }

    fn of_requests(limit: u32) -> Window {
        Window::of_requests(limit, MINUTE)
    }

    fn admitted(window: &mut Window, arrivals: &[u64]) -> Vec<Moment> {
        let mut now = at_ms(0);
        let mut admitted = Vec::new();
        for gap in arrivals {
            now = now + Duration::from_millis(*gap);
            if window.wait(0, 1, now).is_none() {
                window.enter(1, now);
                admitted.push(now);
            }
        }
        admitted
    }

    fn most_in_a_minute(moments: &[(Moment, u64)]) -> u64 {
        let in_minute_from = |start: Moment| {
            let within = moments.iter().filter(|(moment, _)| *moment >= start && *moment < start + MINUTE);
            within.map(|(_, amount)| amount).sum()
        };
        moments.iter().map(|(start, _)| in_minute_from(*start)).max().unwrap_or(0)
    }

    #[test]
    fn takes_a_request_back_that_was_never_sent() {
        let mut window = of_requests(1);
        window.enter(1, at_ms(5));

        window.correct(at_ms(5), 1, 0);

        assert_eq!(window.wait(0, 1, at_ms(6)), None);
        assert_eq!(window.runs.len(), 0);
    }

    #[test]
    fn admits_nothing_and_does_not_panic_where_the_limit_is_zero() {
        assert_eq!(of_requests(0).wait(0, 1, at_ms(0)), Some(MINUTE));
    }

    #[test]
    fn bounds_its_memory_whatever_the_limit() {
        let mut window = of_requests(u32::MAX);

        for ms in 0..300_000 {
            assert_eq!(window.wait(0, 1, at_ms(ms)), None);
            window.enter(1, at_ms(ms));
        }

        assert!(window.runs.len() <= MAX_RUNS as usize + 1, "{}", window.runs.len());
    }

    #[test]
    fn counts_a_day_as_24_hours_back() {
        let mut window = Window::of_requests(2, Duration::from_secs(86_400));
        let hour = |hours: u64| at_ms(hours * 3_600_000);
        window.enter(1, hour(1));
        window.enter(1, hour(20));

        assert_eq!(window.wait(0, 1, hour(24)), Some(Duration::from_secs(3_600)));
        assert_eq!(window.wait(0, 1, hour(25)), None);
    }

    #[test]
    fn tells_those_behind_others_when_their_turn_will_be() {
        let mut window = of_requests(2);
        window.enter(1, at_ms(0));
        window.enter(1, at_ms(10_000));

        let waits = [0, 1].map(|ahead| window.wait(ahead, 1, at_ms(20_000)));

        assert_eq!(waits, [Some(Duration::from_secs(40)), Some(Duration::from_secs(50))]);
    }

    #[test]
    fn admits_what_is_more_than_the_limit_into_an_empty_window_only() {
        let mut window = Window::of_amounts(100, MINUTE);
        window.enter(1, at_ms(0));

        assert_eq!(window.wait(0, 500, at_ms(0)), Some(MINUTE));
        assert_eq!(window.wait(0, 500, at_ms(60_000)), None);
    }

    proptest! {
        #[test]
        fn never_admits_more_than_the_limit_in_any_sliding_minute(
            limit in prop_oneof![1u32..20, Just(60), Just(1_100)],
            arrivals in prop::collection::vec(prop_oneof![3 => 0u64..50, 1 => 0u64..5_000, 1 => 50_000u64..70_000], 0..1_500),
        ) {
            let admitted = admitted(&mut of_requests(limit), &arrivals);

            let ones: Vec<_> = admitted.into_iter().map(|moment| (moment, 1)).collect();
            prop_assert!(most_in_a_minute(&ones) <= u64::from(limit));
        }

        #[test]
        fn admits_a_refused_request_exactly_at_the_told_time(
            limit in prop_oneof![1u32..20, Just(1_100)],
            arrivals in prop::collection::vec(0u64..200, 1..1_500),
        ) {
            let mut window = of_requests(limit);
            admitted(&mut window, &arrivals);
            let now = at_ms(arrivals.iter().sum());

            if let Some(wait) = window.wait(0, 1, now) {
                let early = now + wait.saturating_sub(Duration::from_nanos(1));
                prop_assert!(window.clone().wait(0, 1, early).is_some());
                prop_assert_eq!(window.wait(0, 1, now + wait), None);
            }
        }

        /// Amounts that are admitted by estimate and turn out smaller at once: what was really used keeps to the limit.
        #[test]
        fn never_admits_more_than_the_amount_in_any_sliding_minute(
            arrivals in prop::collection::vec((0u64..9_000, 1u64..400, 1u64..10), 0..400),
        ) {
            let mut window = Window::of_amounts(1_000, MINUTE);
            let (mut now, mut used) = (at_ms(0), Vec::new());
            for (gap, estimate, factor) in arrivals {
                now = now + Duration::from_millis(gap);
                if window.wait(0, estimate, now).is_none() {
                    window.enter(estimate, now);
                    window.correct(now, estimate, estimate / factor);
                    used.push((now, estimate / factor));
                }
            }

            prop_assert!(most_in_a_minute(&used) <= 1_000);
        }
    }
}
