//! One question of the demonstration and what became of it, step by step.

use std::time::Duration;

use backstop::types::{Event, Failure, NanoUsd, RequestRecord};
use serde_json::{Value, json};

use super::super::narrator::Length;

/// A question under a strategy.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) strategy: &'static str,
    pub(super) question: &'static str,
    pub(super) steps: Vec<Step>,
    pub(super) answered_by: Option<String>,
    pub(super) took: Duration,
    pub(super) cost: Option<NanoUsd>,
}

/// One attempt, and why it was made; or the end without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// Who was tried; `None` where the strategy gave up.
    pub(super) provider: Option<String>,
    /// How it failed; `None` is an answer.
    pub(super) failure: Option<String>,
    /// What the strategy said.
    pub(super) reason: String,
}

impl Row {
    /// Reads a record.
    pub(super) fn of(strategy: &'static str, question: &'static str, record: &RequestRecord) -> Self {
        Self {
            strategy,
            question,
            steps: steps(record),
            answered_by: record.served_by.as_ref().map(|target| target.provider.to_string()),
            took: record.took,
            cost: record.cost,
        }
    }

    pub(super) fn time(&self) -> String {
        Length(self.took).to_string()
    }

    pub(super) fn cost(&self) -> String {
        self.cost.map_or_else(|| "-".to_owned(), |cost| cost.to_string())
    }

    pub(super) fn to_json(&self) -> Value {
        let attempts = self.steps.iter().filter(|step| step.provider.is_some());
        let attempts =
            attempts.map(|step| json!({"provider": step.provider, "failure": step.failure, "reason": step.reason}));
        json!({
            "strategy": self.strategy, "question": self.question, "answered_by": self.answered_by,
            "attempts": attempts.collect::<Vec<_>>(), "took_ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "cost": self.cost.map(NanoUsd::as_dollars),
        })
    }
}

impl Step {
    /// What happened, in a few words.
    pub(super) fn in_words(&self) -> String {
        match (&self.provider, &self.failure) {
            (Some(provider), Some(failure)) => format!("{provider}: {failure}"),
            (Some(provider), None) => format!("{provider} answered"),
            (None, _) => "nobody answered".to_owned(),
        }
    }
}

fn steps(record: &RequestRecord) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut said = String::new();
    for (_, event) in &record.steps {
        match event {
            Event::Decided { reason, .. } => said = reason.clone().unwrap_or_default(),
            Event::Attempting { target, .. } => {
                let reason = std::mem::take(&mut said);
                steps.push(Step { provider: Some(target.provider.to_string()), failure: None, reason });
            }
            Event::Failed { failure, .. } => {
                if let Some(step) = steps.last_mut() {
                    step.failure = Some(briefly(failure));
                }
            }
            Event::StrategyFault { .. }
            | Event::Waiting { .. }
            | Event::Denied { .. }
            | Event::Served { .. }
            | Event::Cancelled { .. }
            | Event::Adapted { .. }
            | Event::Resuming { .. }
            | Event::Joined
            | Event::FromCache { .. }
            | Event::Completed { .. } => {}
        }
    }
    if record.served_by.is_none() {
        steps.push(Step { provider: None, failure: None, reason: said });
    }
    steps
}

fn briefly(failure: &Failure) -> String {
    match failure.status {
        Some(status) => format!("{} ({status})", failure.kind),
        None => failure.kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use backstop::types::{FailureKind, Outcome, RequestId, TargetName};
    use jiff::Timestamp;

    use super::*;

    fn record(steps: Vec<Event>, served_by: Option<&Arc<TargetName>>) -> RequestRecord {
        RequestRecord {
            id: RequestId(1),
            started: Timestamp::UNIX_EPOCH,
            route: "default".into(),
            strategy: "smart".into(),
            streaming: false,
            labels: Arc::new([]),
            parent: None,
            outcome: Outcome::Served,
            error: None,
            served_by: served_by.cloned(),
            usage: None,
            cost: None,
            took: Duration::from_millis(120),
            attempts: Vec::new(),
            steps: steps.into_iter().map(|event| (Duration::ZERO, event)).collect(),
        }
    }

    fn decided(reason: &str) -> Event {
        Event::Decided { candidates: Vec::new(), verdict: String::new(), reason: Some(reason.to_owned()), state: None }
    }

    fn attempting(target: &Arc<TargetName>) -> Event {
        Event::Attempting { target: Arc::clone(target), attempt: 1, model_of: (1, 1) }
    }

    fn failed(target: &Arc<TargetName>) -> Event {
        let failure = Failure::new(FailureKind::RateLimited, "slow down").with_status(429);
        Event::Failed { target: Arc::clone(target), failure, took: Duration::ZERO }
    }

    fn told(row: &Row) -> Vec<(String, &str)> {
        row.steps.iter().map(|step| (step.in_words(), step.reason.as_str())).collect()
    }

    #[test]
    fn gives_each_attempt_the_reason_it_was_made_for() {
        let (alpha, gamma) = (Arc::new(TargetName::new("alpha", "m")), Arc::new(TargetName::new("gamma", "m")));
        let steps = vec![decided("best"), attempting(&alpha), failed(&alpha), decided("next best"), attempting(&gamma)];

        let row = Row::of("quality", "Why?", &record(steps, Some(&gamma)));

        assert_eq!(told(&row), [("alpha: rate-limited (429)".into(), "best"), ("gamma answered".into(), "next best")]);
        assert_eq!((row.time(), row.cost()), ("120 ms".to_owned(), "-".to_owned()));
    }

    #[test]
    fn says_why_nobody_answered() {
        let alpha = Arc::new(TargetName::new("alpha", "m"));
        let steps = vec![decided("first"), attempting(&alpha), failed(&alpha), decided("one try is enough")];

        let row = Row::of("fail-fast", "Why?", &record(steps, None));

        assert_eq!(
            told(&row),
            [("alpha: rate-limited (429)".into(), "first"), ("nobody answered".into(), "one try is enough"),]
        );
        assert_eq!(
            row.to_json()["attempts"],
            json!([
                {"provider": "alpha", "failure": "rate-limited (429)", "reason": "first"},
            ])
        );
    }
}
