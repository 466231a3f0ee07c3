//! Enters the record of every request, as it ends, into what the scenario came to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;

use crate::accounting::RecordSink;
use crate::config::scenario::{Phase, Scenario};
use crate::types::{NanoUsd, Outcome as Ending, RequestRecord};

use super::outcome::{Outcome, Recovery, Slice};
use super::spread::Lengths;

/// Slices of a timeline, unless they would be shorter than a second.
const SLICES: f64 = 120.0;

/// What has come of a scenario so far.
pub(super) struct Tally {
    start: Timestamp,
    slice: f64,
    quality: Vec<f64>,
    names: Vec<String>,
    sums: Mutex<Sums>,
    callers: Callers,
}

/// Those who asked, whether once or again and again.
#[derive(Default)]
struct Callers {
    left: AtomicU64,
    answered: AtomicU64,
}

struct Sums {
    slices: Vec<SliceSums>,
    quality: f64,
    failures: BTreeMap<String, u64>,
    outages: Vec<Outage>,
}

#[derive(Default)]
struct SliceSums {
    requests: u64,
    first_tokens: Lengths,
    answers: Lengths,
    cost: NanoUsd,
    attempts: u64,
    failed_over: u64,
    answered_by: Vec<u64>,
}

/// A time in which a provider failed otherwise than usual, and when it first answered after that.
struct Outage {
    provider: usize,
    ended: Duration,
    recovered: Option<Duration>,
}

impl Tally {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let seconds = scenario.duration.as_secs_f64();
        let slice = (seconds / SLICES).max(1.0).min(seconds);
        let outages = scenario.providers.values().enumerate().flat_map(|(provider, simulated)| {
            // One that lasts to the end is none that anybody recovers from.
            let ends = |phase: &&Phase| phase.failures.is_some() && phase.to < scenario.duration;
            let outage = move |ended| Outage { provider, ended, recovered: None };
            simulated.phases.iter().filter(ends).map(move |phase| outage(phase.to))
        });
        let sums = Sums { slices: Vec::new(), quality: 0.0, failures: BTreeMap::new(), outages: outages.collect() };
        Self {
            start: scenario.start,
            slice,
            quality: scenario.providers.values().map(|simulated| simulated.quality).collect(),
            names: scenario.providers.keys().cloned().collect(),
            sums: Mutex::new(sums),
            callers: Callers::default(),
        }
    }

    /// A caller goes away, with an answer or without.
    pub(super) fn caller_left(&self, is_answered: bool) {
        self.callers.left.fetch_add(1, Ordering::Relaxed);
        self.callers.answered.fetch_add(u64::from(is_answered), Ordering::Relaxed);
    }

    /// What the scenario came to, under the name of a strategy.
    pub(super) fn outcome(&self, strategy: &str) -> Outcome {
        let sums = &mut *self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut first_tokens, mut all) = (Lengths::default(), Lengths::default());
        for slice in &sums.slices {
            first_tokens.extend(&slice.first_tokens);
            all.extend(&slice.answers);
        }
        let answered_by = |place: usize| sums.slices.iter().map(|slice| slice.answers_of(place)).sum();
        let answers: IndexMap<String, u64> =
            self.names.iter().enumerate().map(|(place, name)| (name.clone(), answered_by(place))).collect();
        let timeline: Vec<Slice> = sums.slices.iter().map(|slice| slice.told(self.names.len())).collect();
        let (requests, answered) = (sum(&timeline, |slice| slice.requests), sum(&timeline, |slice| slice.answered));
        Outcome {
            strategy: strategy.to_owned(),
            callers: self.callers.left.load(Ordering::Relaxed),
            callers_answered: self.callers.answered.load(Ordering::Relaxed),
            requests,
            answered,
            success: share(answered, requests),
            first_token_ms: first_tokens.spread(),
            answer_ms: all.spread(),
            cost_usd: timeline.iter().fold(NanoUsd::ZERO, |cost, slice| cost.saturating_add(slice.cost_usd)),
            attempts: sum(&timeline, |slice| slice.attempts),
            fail_over_rate: share(sum(&timeline, |slice| slice.failed_over), requests),
            quality: (answered > 0).then(|| sums.quality / figure(answered)),
            recoveries: sums.outages.iter().map(|outage| outage.told(&self.names)).collect(),
            answers,
            failures: sums.failures.clone(),
            slice_seconds: self.slice,
            timeline,
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no scenario has so many slices")]
    fn place_of(&self, began: Duration) -> usize {
        (began.as_secs_f64() / self.slice) as usize
    }
}

impl RecordSink for Tally {
    fn ended(&self, record: &Arc<RequestRecord>) {
        let began = Duration::try_from(record.started.duration_since(self.start)).unwrap_or_default();
        let place = self.place_of(began);
        let served_by = record.answered_by().filter(|_| record.outcome == Ending::Served);
        let provider = served_by.and_then(|target| self.names.iter().position(|name| **name == *target.provider));
        let sums = &mut *self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        if sums.slices.len() <= place {
            sums.slices.resize_with(place + 1, SliceSums::default);
        }
        if let Some(slice) = sums.slices.get_mut(place) {
            slice.enter(record, provider);
        }
        let Some(provider) = provider else {
            let reason = record.error.map_or(record.outcome.name(), |error| error.name());
            *sums.failures.entry(reason.to_owned()).or_default() += 1;
            return;
        };
        sums.quality += self.quality.get(provider).copied().unwrap_or_default();
        let ended = began + record.took;
        let waiting =
            |outage: &&mut Outage| outage.provider == provider && outage.recovered.is_none() && outage.ended <= ended;
        sums.outages.iter_mut().filter(waiting).for_each(|outage| outage.recovered = Some(ended));
    }
}

impl SliceSums {
    fn enter(&mut self, record: &RequestRecord, provider: Option<usize>) {
        self.requests += 1;
        self.attempts += record.attempts.len() as u64;
        self.failed_over += u64::from(record.failed_over());
        self.cost = self.cost.saturating_add(record.cost.unwrap_or_default());
        let Some(provider) = provider else { return };
        if self.answered_by.len() <= provider {
            self.answered_by.resize(provider + 1, 0);
        }
        if let Some(answers) = self.answered_by.get_mut(provider) {
            *answers += 1;
        }
        self.answers.add(record.took);
        if let Some(first_token) = record.first_token() {
            self.first_tokens.add(first_token);
        }
    }

    fn answers_of(&self, provider: usize) -> u64 {
        self.answered_by.get(provider).copied().unwrap_or_default()
    }

    fn told(&self, providers: usize) -> Slice {
        let answers: Vec<u64> = (0..providers).map(|provider| self.answers_of(provider)).collect();
        Slice {
            requests: self.requests,
            answered: answers.iter().sum(),
            first_token_ms: self.first_tokens.clone().spread(),
            answer_ms: self.answers.clone().spread(),
            cost_usd: self.cost,
            attempts: self.attempts,
            failed_over: self.failed_over,
            answers,
        }
    }
}

impl Outage {
    fn told(&self, names: &[String]) -> Recovery {
        Recovery {
            provider: names.get(self.provider).cloned().unwrap_or_default(),
            ended: self.ended.as_secs_f64(),
            recovered_after: self.recovered.map(|recovered| (recovered - self.ended).as_secs_f64()),
        }
    }
}

fn sum(slices: &[Slice], of: impl Fn(&Slice) -> u64) -> u64 {
    slices.iter().map(of).sum()
}

fn share(part: u64, whole: u64) -> f64 {
    figure(part) / figure(whole.max(1))
}

#[expect(clippy::cast_precision_loss, reason = "a figure to show")]
fn figure(count: u64) -> f64 {
    count as f64
}
