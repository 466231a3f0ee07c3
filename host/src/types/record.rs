//! The whole story of one request: what `explain` tells.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::as_json::{labels, maybe_usd, millis, standing, steps};
use super::{Event, Failure, NanoUsd, Standing, TargetName, TraceParent, Usage};

/// Names one request in replies, logs and records: `bs-` and 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(pub u128);

impl RequestId {
    /// A name that nobody can guess, from 80 random bits of the two numbers. Names sort by the time they were given at, so that an
    /// index of them grows at its end.
    #[must_use]
    pub fn new(at: Timestamp, random: [u64; 2]) -> Self {
        let ms = u128::try_from(at.as_millisecond()).unwrap_or_default();
        let [high, low] = random.map(u128::from);
        Self((ms << 80) | ((high << 64 | low) & ((1 << 80) - 1)))
    }

    /// Reads what [`fmt::Display`] shows.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("bs-").filter(|digits| digits.len() == 32)?;
        u128::from_str_radix(digits, 16).ok().map(Self)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' + half - 10 };
        let mut text = *b"bs-00000000000000000000000000000000";
        let halves = self.0.to_be_bytes().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
        text.iter_mut().skip(3).zip(halves).for_each(|(place, half)| *place = digit(half));
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format_args!("{text:?} names no request")))
    }
}

/// One target of the roster, as it stood when the strategy was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateRecord {
    /// Who.
    pub target: Arc<TargetName>,
    /// Whether it would have been admitted, and if not, why.
    #[serde(with = "standing")]
    pub standing: Standing,
    /// What the request would have cost there at most.
    #[serde(rename = "estimated_cost_usd", with = "maybe_usd", default, skip_serializing_if = "Option::is_none")]
    pub estimated_cost: Option<NanoUsd>,
    /// What it lacks that the request needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Arc<str>>,
}

/// One HTTP call that was made for the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// To whom.
    pub target: Arc<TargetName>,
    /// How it ended.
    #[serde(flatten)]
    pub end: AttemptEnd,
    /// How long it took: to the end of a whole reply, to the first token of a stream.
    #[serde(rename = "took_ms", with = "millis")]
    pub took: Duration,
}

/// How a HTTP call ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "end", content = "failure")]
pub enum AttemptEnd {
    /// It brought the answer.
    Served,
    /// It did not, for this reason.
    Failed(Failure),
    /// Another one was faster.
    Cancelled,
}

impl AttemptRecord {
    /// Why it failed, where it did.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match &self.end {
            AttemptEnd::Failed(failure) => Some(failure),
            AttemptEnd::Served | AttemptEnd::Cancelled => None,
        }
    }
}

/// How the request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Still under way.
    Pending,
    /// A provider answered.
    Served,
    /// A reply kept from an equal request was given again; nobody was asked.
    Cached,
    /// The caller's own fallback text was given, marked as such.
    Degraded,
    /// Nobody could answer.
    Failed,
    /// A stream broke after part of it had reached the caller.
    Interrupted,
    /// The caller went away.
    Abandoned,
    /// The process ended before the request did.
    Unknown,
}

impl Outcome {
    /// The outcome in a word, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Served => "served",
            Self::Cached => "cached",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Abandoned => "abandoned",
            Self::Unknown => "unknown",
        }
    }

    /// Reads what [`Outcome::name`] says.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Pending, Self::Served, Self::Degraded, Self::Failed, Self::Interrupted, Self::Abandoned];
        all.into_iter().chain([Self::Cached, Self::Unknown]).find(|outcome| outcome.name() == name)
    }
}

/// What kind of error ended a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// A provider refused the request itself.
    Rejected,
    /// Every attempt failed.
    AllProvidersFailed,
    /// Nothing could be tried.
    NoProviderAvailable,
    /// The deadline passed.
    DeadlineExceeded,
    /// It would have broken a budget.
    BudgetExceeded,
    /// What is spent could not be entered into the ledger.
    LedgerUnavailable,
    /// The answer broke off, and nobody went on with it.
    StreamInterrupted,
}

impl ErrorKind {
    /// The kind's name in records, logs and in the errors clients see.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::AllProvidersFailed => "all_providers_failed",
            Self::NoProviderAvailable => "no_provider_available",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::BudgetExceeded => "budget_exceeded",
            Self::LedgerUnavailable => "ledger_unavailable",
            Self::StreamInterrupted => "stream_interrupted",
        }
    }

    /// Whether the providers are at fault, and not the request or a budget.
    #[must_use]
    pub fn is_outage(self) -> bool {
        match self {
            Self::AllProvidersFailed | Self::NoProviderAvailable | Self::DeadlineExceeded => true,
            Self::Rejected | Self::BudgetExceeded | Self::LedgerUnavailable | Self::StreamInterrupted => false,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The story of one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Its name.
    pub id: RequestId,
    /// When it began.
    pub started: Timestamp,
    /// The route it took.
    pub route: Arc<str>,
    /// The strategy that was asked.
    pub strategy: Arc<str>,
    /// Whether a stream was asked for.
    #[serde(default)]
    pub streaming: bool,
    /// The caller's words about it.
    #[serde(with = "labels")]
    pub labels: Arc<[(String, String)]>,
    /// The span of the caller's own trace that it belongs to.
    #[serde(skip)]
    pub parent: Option<TraceParent>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why nobody has answered, or not in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorKind>,
    /// Who answered.
    pub served_by: Option<Arc<TargetName>>,
    /// What the answering provider counted.
    pub usage: Option<Usage>,
    /// What the answer cost, where the price is known.
    #[serde(rename = "cost_usd", with = "maybe_usd", default)]
    pub cost: Option<NanoUsd>,
    /// From the start to the end.
    #[serde(rename = "took_ms", with = "millis")]
    pub took: Duration,
    /// Every HTTP call.
    #[serde(rename = "tried")]
    pub attempts: Vec<AttemptRecord>,
    /// Every step with the time since the start.
    #[serde(with = "steps")]
    pub steps: Vec<(Duration, Event)>,
}

impl RequestRecord {
    /// Whether somebody else was tried than the target that was tried first.
    #[must_use]
    pub fn failed_over(&self) -> bool {
        let mut targets = self.attempts.iter().map(|attempt| &attempt.target);
        let first = targets.next();
        targets.any(|target| Some(target) != first)
    }

    /// Who was asked and has answered; nobody, where the answer came from the cache.
    #[must_use]
    pub fn answered_by(&self) -> Option<&Arc<TargetName>> {
        self.served_by.as_ref().filter(|_| self.outcome != Outcome::Cached)
    }

    /// What the caller said the request is for: the label `context`.
    #[must_use]
    pub fn context(&self) -> Option<&str> {
        self.labels.iter().find(|(name, _)| name == "context").map(|(_, text)| text.as_str())
    }

    /// How long the caller of a stream waited for its first token; `None` where none came, and for whole replies.
    #[must_use]
    pub fn first_token(&self) -> Option<Duration> {
        let served = self.steps.iter().find(|(_, event)| matches!(event, Event::Served { .. }));
        served.filter(|_| self.streaming).map(|(at, _)| *at)
    }

    /// Each time the request went on from a provider that failed to another one: from whom, and to whom.
    pub fn fail_overs(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        let mut failed: Option<&Arc<str>> = None;
        self.steps.iter().filter_map(move |(_, event)| match event {
            Event::Failed { target, .. } => {
                failed = Some(&target.provider);
                None
            }
            Event::Attempting { target, .. } => {
                failed.take().filter(|from| **from != target.provider).map(|from| (from, &target.provider))
            }
            Event::Decided { .. }
            | Event::StrategyFault { .. }
            | Event::Waiting { .. }
            | Event::Denied { .. }
            | Event::Served { .. }
            | Event::Cancelled { .. }
            | Event::Adapted { .. }
            | Event::Resuming { .. }
            | Event::Joined
            | Event::FromCache { .. }
            | Event::Completed { .. } => None,
        })
    }
}
