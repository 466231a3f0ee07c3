//! Requests a minute, exactly: never more than the limit in any sliding minute.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Moment;

/// The length the limit is given for.
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// Up to this many requests are kept one by one; beyond it, those of the same 60 ms or so are kept together, as of the
/// last of them. That bounds the memory and errs towards too few requests by less than 0.1 %.
const MAX_RUNS: u32 = 1_024;

/// When the requests of the last minute were admitted.
///
/// A log and no leaky bucket (as in the `governor` crate): providers count per window, a bucket lets twice the limit
/// through in its first minute; and neither could a request that was never sent be taken back there, nor is its clock ours.
#[derive(Debug, Clone)]
pub(super) struct RequestWindow {
    limit: u32,
    runs: VecDeque<Run>,
    total: u32,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    last: Moment,
    count: u32,
}

impl RequestWindow {
    /// An empty window; `limit` is in requests a minute.
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, runs: VecDeque::new(), total: 0 }
    }

    /// How long until a request is admitted, if no other comes first; `None` is now.
    pub(super) fn wait(&mut self, now: Moment) -> Option<Duration> {
        self.forget(now);
        if self.total < self.limit {
            return None;
        }
        let oldest = self.runs.front().map_or(now, |run| run.last);
        Some((oldest + MINUTE).since(now))
    }

    /// Counts a request that has asked.
    pub(super) fn enter(&mut self, now: Moment) {
        self.total = self.total.saturating_add(1);
        let is_same_part = self.runs.back().is_some_and(|run| self.part(run.last) == self.part(now));
        match self.runs.back_mut() {
            Some(run) if is_same_part => {
                run.count = run.count.saturating_add(1);
                run.last = run.last.max(now);
            }
            Some(_) | None => self.runs.push_back(Run { last: now, count: 1 }),
        }
    }

    /// Takes back a request that was counted at that moment and never sent.
    pub(super) fn undo(&mut self, entered: Moment) {
        let part = self.part(entered);
        let Some(place) = self.runs.iter().rposition(|run| self.part(run.last) == part) else { return };
        let Some(run) = self.runs.get_mut(place) else { return };
        run.count = run.count.saturating_sub(1);
        self.total = self.total.saturating_sub(1);
        if run.count == 0 {
            self.runs.remove(place);
        }
    }

    fn forget(&mut self, now: Moment) {
        while let Some(run) = self.runs.front().filter(|run| run.last + MINUTE <= now) {
            self.total = self.total.saturating_sub(run.count);
            self.runs.pop_front();
        }
    }

    fn part(&self, moment: Moment) -> u128 {
        let length = if self.limit > MAX_RUNS { MINUTE.as_nanos() / u128::from(MAX_RUNS) } else { 1 };
        moment.since(Moment::START).as_nanos() / length
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at_ms(ms: u64) -> Moment {
        Moment::from_start(Duration::from_millis(ms))
    }

    fn admitted(window: &mut RequestWindow, arrivals: &[u64]) -> Vec<Moment> {
        let mut now = at_ms(0);
        let mut admitted = Vec::new();
        for gap in arrivals {
            now = now + Duration::from_millis(*gap);
            if window.wait(now).is_none() {
                window.enter(now);
                admitted.push(now);
            }
        }
        admitted
    }

    fn most_in_a_minute(moments: &[Moment]) -> usize {
        let in_minute_from = |start: &Moment| moments.iter().filter(|m| *m >= start && **m < *start + MINUTE).count();
        moments.iter().map(in_minute_from).max().unwrap_or(0)
    }

    #[test]
    fn takes_a_request_back_that_was_never_sent() {
        let mut window = RequestWindow::new(1);
        window.enter(at_ms(5));

        window.undo(at_ms(5));

        assert_eq!(window.wait(at_ms(6)), None);
        assert_eq!(window.runs.len(), 0);
    }

    #[test]
    fn admits_nothing_and_does_not_panic_where_the_limit_is_zero() {
        let mut window = RequestWindow::new(0);

        assert_eq!(window.wait(at_ms(0)), Some(MINUTE));
    }

    #[test]
    fn bounds_its_memory_whatever_the_limit() {
        let mut window = RequestWindow::new(u32::MAX);

        for ms in 0..300_000 {
            assert_eq!(window.wait(at_ms(ms)), None);
            window.enter(at_ms(ms));
        }

        assert!(window.runs.len() <= MAX_RUNS as usize + 1, "{}", window.runs.len());
    }

    proptest! {
        #[test]
        fn never_admits_more_than_the_limit_in_any_sliding_minute(
            limit in prop_oneof![1u32..20, Just(60), Just(1_100)],
            arrivals in prop::collection::vec(prop_oneof![3 => 0u64..50, 1 => 0u64..5_000, 1 => 50_000u64..70_000], 0..1_500),
        ) {
            let admitted = admitted(&mut RequestWindow::new(limit), &arrivals);

            prop_assert!(most_in_a_minute(&admitted) <= limit as usize);
        }

        #[test]
        fn admits_a_refused_request_exactly_at_the_told_time(
            limit in prop_oneof![1u32..20, Just(1_100)],
            arrivals in prop::collection::vec(0u64..200, 1..1_500),
        ) {
            let mut window = RequestWindow::new(limit);
            admitted(&mut window, &arrivals);
            let now = at_ms(arrivals.iter().sum());

            if let Some(wait) = window.wait(now) {
                let early = now + wait.saturating_sub(Duration::from_nanos(1));
                prop_assert!(window.clone().wait(early).is_some());
                prop_assert_eq!(window.wait(now + wait), None);
            }
        }
    }
}
