//! Traffic, failures, latency and cost over time: what the dashboard draws. In memory, for a day.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::types::{NanoUsd, Outcome, RequestRecord};

/// Requests over the last day, in two grains: the last hour finely, the day coarsely.
#[derive(Debug)]
pub(super) struct Timeline {
    fine: Grain,
    coarse: Grain,
}

/// The requests of a length of time, bucket by bucket, oldest first; a bucket without requests is there as well.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimelineView {
    /// Seconds of one bucket.
    pub bucket_s: i64,
    /// The buckets.
    pub buckets: Vec<BucketView>,
}

/// The requests that ended within one bucket.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BucketView {
    /// Its beginning, in seconds since 1970.
    pub at: i64,
    /// Requests that ended.
    pub requests: u64,
    /// Those that no provider answered whole.
    pub failed: u64,
    /// Those that took more than one target.
    pub failed_over: u64,
    /// Half of the answered requests took no longer than this, within a tenth.
    pub p50_ms: Option<f64>,
    /// Nineteen of twenty.
    pub p95_ms: Option<f64>,
    /// The same of the time to the first token, for half of them.
    pub first_token_p50_ms: Option<f64>,
    /// What they cost.
    pub cost_usd: String,
    /// Answers by provider.
    pub by_provider: BTreeMap<Arc<str>, u64>,
}

/// Buckets of one length.
#[derive(Debug)]
struct Grain {
    seconds: i64,
    kept: usize,
    /// Oldest first, only those with requests.
    buckets: VecDeque<Bucket>,
}

#[derive(Debug, Clone, Default)]
struct Bucket {
    at: i64,
    requests: u64,
    failed: u64,
    failed_over: u64,
    cost: NanoUsd,
    took: Spread,
    first_token: Spread,
    by_provider: BTreeMap<Arc<str>, u64>,
}

/// Lengths of time, counted by their size: each place is a tenth longer than the one before.
#[derive(Debug, Clone, Default)]
struct Spread {
    /// By place; most requests of a bucket share a few.
    counts: BTreeMap<u8, u32>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { fine: Grain::new(5, 720), coarse: Grain::new(60, 1_440) }
    }
}

impl Timeline {
    /// Enters a request that has just ended.
    pub(super) fn enter(&mut self, record: &RequestRecord, now: Timestamp) {
        self.fine.enter(record, now.as_second());
        self.coarse.enter(record, now.as_second());
    }

    /// The last so many minutes, a day at most.
    pub(super) fn view(&self, minutes: u32, now: Timestamp) -> TimelineView {
        let minutes = i64::from(minutes.clamp(1, 1_440));
        let (grain, bucket_s) = match minutes {
            ..=30 => (&self.fine, 5),
            31..=60 => (&self.fine, 10),
            61..=360 => (&self.coarse, 60),
            _ => (&self.coarse, 300),
        };
        grain.view(bucket_s, minutes * 60, now.as_second())
    }
}

impl Grain {
    fn new(seconds: i64, kept: usize) -> Self {
        Self { seconds, kept, buckets: VecDeque::new() }
    }

    fn enter(&mut self, record: &RequestRecord, now: i64) {
        let at = now - now.rem_euclid(self.seconds);
        // A clock that was set back adds to the latest bucket.
        if self.buckets.back().is_none_or(|last| last.at < at) {
            if self.buckets.len() == self.kept {
                self.buckets.pop_front();
            }
            self.buckets.push_back(Bucket { at, ..Bucket::default() });
        }
        if let Some(bucket) = self.buckets.back_mut() {
            bucket.enter(record);
        }
    }

    fn view(&self, bucket_s: i64, length: i64, now: i64) -> TimelineView {
        let last = now - now.rem_euclid(bucket_s);
        let first = last - length + bucket_s;
        let mut merged: BTreeMap<i64, Bucket> = BTreeMap::new();
        for bucket in self.buckets.iter().filter(|bucket| (first..last + bucket_s).contains(&bucket.at)) {
            merged.entry(bucket.at - bucket.at.rem_euclid(bucket_s)).or_default().add(bucket);
        }
        let starts = (0..length / bucket_s).map(|place| first + place * bucket_s);
        let buckets = starts.map(|at| merged.remove(&at).unwrap_or_default().view(at));
        TimelineView { bucket_s, buckets: buckets.collect() }
    }
}

impl Bucket {
    fn enter(&mut self, record: &RequestRecord) {
        self.requests += 1;
        self.failed += u64::from(!matches!(record.outcome, Outcome::Served | Outcome::Cached | Outcome::Abandoned));
        self.failed_over += u64::from(record.failed_over());
        self.cost = self.cost.saturating_add(record.cost.unwrap_or_default());
        if let Some(target) = record.answered_by() {
            self.took.enter(record.took);
            if let Some(first_token) = record.first_token() {
                self.first_token.enter(first_token);
            }
            match self.by_provider.get_mut(&target.provider) {
                Some(count) => *count += 1,
                None => drop(self.by_provider.insert(Arc::clone(&target.provider), 1)),
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.failed_over += other.failed_over;
        self.cost = self.cost.saturating_add(other.cost);
        self.took.add(&other.took);
        self.first_token.add(&other.first_token);
        for (provider, count) in &other.by_provider {
            *self.by_provider.entry(Arc::clone(provider)).or_default() += count;
        }
    }

    fn view(self, at: i64) -> BucketView {
        BucketView {
            at,
            requests: self.requests,
            failed: self.failed,
            failed_over: self.failed_over,
            p50_ms: self.took.quantile_ms(0.5),
            p95_ms: self.took.quantile_ms(0.95),
            first_token_p50_ms: self.first_token.quantile_ms(0.5),
            cost_usd: self.cost.decimal(),
            by_provider: self.by_provider,
        }
    }
}

impl Spread {
    /// Each place's lengths are up to this much longer than the place's before.
    const STEP: f64 = 1.1;

    /// The shortest length that is told from none, in milliseconds.
    const SHORTEST_MS: f64 = 0.1;

    fn enter(&mut self, length: Duration) {
        let ms = length.as_secs_f64() * 1e3;
        let place = (ms / Self::SHORTEST_MS).max(1.0).log(Self::STEP).ceil().min(255.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 255")]
        let place = place as u8;
        *self.counts.entry(place).or_default() += 1;
    }

    fn add(&mut self, other: &Self) {
        for (place, count) in &other.counts {
            *self.counts.entry(*place).or_default() += count;
        }
    }

    /// The length that so large a share does not exceed; `None` where there is none at all.
    fn quantile_ms(&self, share: f64) -> Option<f64> {
        let all: u32 = self.counts.values().sum();
        let wanted = (f64::from(all) * share).ceil().max(1.0);
        let mut passed = 0;
        let place = self.counts.iter().find_map(|(place, count)| {
            passed += count;
            (f64::from(passed) >= wanted).then_some(*place)
        })?;
        let ms = Self::SHORTEST_MS * Self::STEP.powi(i32::from(place));
        Some((ms * 100.0).round() / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::types::{AttemptEnd, AttemptRecord, RequestId, TargetName};

    use super::*;

    fn record(outcome: Outcome, took_ms: u64, tried: &[&str]) -> RequestRecord {
        let target = |name: &&str| Arc::new(TargetName::new(name, "m"));
        let attempts = tried.iter().map(|name| AttemptRecord {
            target: target(name),
            end: AttemptEnd::Served,
            took: Duration::ZERO,
        });
        RequestRecord {
            id: RequestId(1),
            started: Timestamp::UNIX_EPOCH,
            route: "default".into(),
            strategy: "smart".into(),
            streaming: false,
            labels: Arc::from([]),
            outcome,
            error: None,
            parent: None,
            served_by: tried.last().filter(|_| outcome == Outcome::Served).map(target),
            usage: None,
            cost: Some(NanoUsd::from_nanos(5)),
            took: Duration::from_millis(took_ms),
            attempts: attempts.collect(),
            steps: Vec::new(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn shows_every_bucket_and_what_ended_in_it() {
        let mut timeline = Timeline::default();
        for took in [100, 100, 100, 900] {
            timeline.enter(&record(Outcome::Served, took, &["a"]), at(1_001));
        }
        timeline.enter(&record(Outcome::Served, 50, &["a", "b"]), at(1_006));
        timeline.enter(&record(Outcome::Failed, 50, &["a", "b"]), at(1_006));

        let view = timeline.view(1, at(1_009));

        let seen: Vec<_> = view.buckets.iter().map(|bucket| (bucket.at, bucket.requests)).collect();
        let empty = |place: i64| (950 + 5 * place, 0);
        let expected: Vec<_> = (0..10).map(empty).chain([(1_000, 4), (1_005, 2)]).collect();
        assert_eq!((view.bucket_s, seen), (5, expected));
        let (first, last) = (&view.buckets[10], &view.buckets[11]);
        assert_eq!((last.failed, last.failed_over, last.cost_usd.as_str()), (1, 2, "0.00000001"));
        assert_eq!(last.by_provider, BTreeMap::from([("b".into(), 1)]));
        let (p50, p95) = (first.p50_ms.unwrap(), first.p95_ms.unwrap());
        assert!((100.0..110.0).contains(&p50) && (900.0..990.0).contains(&p95), "{p50} {p95}");
    }

    #[test]
    fn widens_its_buckets_with_the_time_that_is_shown() {
        let mut timeline = Timeline::default();
        for second in [10, 17, 200] {
            timeline.enter(&record(Outcome::Served, 1, &["a"]), at(86_000 + second));
        }

        let sums = [30, 60, 360, 1_440].map(|minutes| {
            let view = timeline.view(minutes, at(86_230));
            let shown = i64::try_from(view.buckets.len()).unwrap() * view.bucket_s;
            (view.bucket_s, shown / 60, view.buckets.iter().map(|bucket| bucket.requests).sum::<u64>())
        });

        assert_eq!(sums, [(5, 30, 3), (10, 60, 3), (60, 360, 3), (300, 1_440, 3)]);
    }

    #[test]
    fn forgets_what_is_too_long_ago() {
        let mut timeline = Timeline::default();

        for second in 0..10_000 {
            timeline.enter(&record(Outcome::Served, 1, &["a"]), at(second));
        }

        assert!(timeline.fine.buckets.len() <= 720 && timeline.coarse.buckets.len() <= 1_440);
    }
}
