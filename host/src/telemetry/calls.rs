//! The HTTP calls of a request with their times, read off the steps of its record.

use std::sync::Arc;
use std::time::Duration;

use crate::types::{Event, Failure, RequestRecord, TargetName};

/// One HTTP call. Times are since the request began.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call<'a> {
    pub(super) target: &'a Arc<TargetName>,
    /// Which one of the request it was, from 1.
    pub(super) number: u32,
    pub(super) began: Duration,
    /// When the first token, or the whole reply, was here.
    pub(super) served: Option<Duration>,
    pub(super) ended: Duration,
    pub(super) end: CallEnd<'a>,
}

/// How a HTTP call ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum CallEnd<'a> {
    /// Its answer is whole.
    Served,
    /// It failed, perhaps after part of its answer had reached the caller.
    Failed(&'a Failure),
    /// Another one was faster.
    Cancelled,
    /// The request ended before it did.
    Abandoned,
}

/// The calls in the order they were made.
pub(super) fn calls(record: &RequestRecord) -> Vec<Call<'_>> {
    let mut calls: Vec<(Call<'_>, bool)> = Vec::with_capacity(record.attempts.len());
    for (at, event) in &record.steps {
        let (target, end) = match event {
            Event::Attempting { target, attempt, .. } => {
                let (number, ended, end) = (*attempt, record.took, CallEnd::Abandoned);
                calls.push((Call { target, number, began: *at, served: None, ended, end }, true));
                continue;
            }
            Event::Served { target, .. } => (target, None),
            Event::Completed { target, .. } => (target, Some(CallEnd::Served)),
            Event::Failed { target, failure, .. } => (target, Some(CallEnd::Failed(failure))),
            Event::Cancelled { target, .. } => (target, Some(CallEnd::Cancelled)),
            Event::Decided { .. }
            | Event::StrategyFault { .. }
            | Event::Waiting { .. }
            | Event::Denied { .. }
            | Event::Adapted { .. }
            | Event::Resuming { .. }
            | Event::Joined
            | Event::FromCache { .. } => continue,
        };
        let Some((call, is_open)) = calls.iter_mut().find(|(call, is_open)| *is_open && call.target == target) else {
            continue;
        };
        match end {
            None => call.served = Some(*at),
            Some(end) => {
                (call.ended, call.end) = (*at, end);
                *is_open = false;
            }
        }
    }
    calls.into_iter().map(|(call, _)| call).collect()
}

impl CallEnd<'_> {
    /// The end in a word.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
            Self::Abandoned => "abandoned",
        }
    }

    /// Why it failed, in a word; empty where it did not.
    pub(super) fn failure(self) -> &'static str {
        match self {
            Self::Failed(failure) => failure.kind.name(),
            Self::Served | Self::Cancelled | Self::Abandoned => "",
        }
    }
}

impl Call<'_> {
    /// How long its first token, or its whole reply, took.
    pub(super) fn first_token(&self) -> Option<Duration> {
        self.served.map(|served| served.saturating_sub(self.began))
    }

    /// How long it took, to the end of its answer.
    pub(super) fn took(&self) -> Duration {
        self.ended.saturating_sub(self.began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::test_records::{attempting, failed, failed_over, ms, target};
    use crate::types::FailureKind;

    fn told(steps: Vec<(Duration, Event)>, took: Duration) -> Vec<String> {
        let record = RequestRecord { steps, took, ..failed_over() };
        let told = calls(&record).into_iter().map(|call| {
            let times =
                (call.began.as_millis(), call.first_token().map(|waited| waited.as_millis()), call.took().as_millis());
            format!("{} {} {} {} {times:?}", call.number, call.target, call.end.name(), call.end.failure())
        });
        told.collect()
    }

    #[test]
    fn gives_each_call_its_own_times() {
        let record = failed_over();

        let told = told(record.steps, record.took);

        assert_eq!(
            told,
            ["1 groq/llama failed rate-limited (0, None, 12)", "2 openai/gpt-4o served  (12, Some(420), 421)"]
        );
    }

    #[test]
    fn tells_a_stream_that_broke_from_the_one_that_went_on() {
        let (groq, openai) = (target("groq", "m"), target("openai", "m"));
        let served = |target: &Arc<TargetName>| Event::Served { target: Arc::clone(target), took: ms(0) };
        let steps = vec![
            (ms(0), attempting(&groq, 1)),
            (ms(5), served(&groq)),
            (ms(50), failed(&groq, FailureKind::Interrupted)),
            (ms(51), Event::Resuming { target: Arc::clone(&openai), goes_on: true }),
            (ms(51), attempting(&openai, 2)),
            (ms(60), served(&openai)),
        ];

        let told = told(steps, ms(100));

        assert_eq!(told, ["1 groq/m failed interrupted (0, Some(5), 50)", "2 openai/m abandoned  (51, Some(9), 49)"]);
    }

    #[test]
    fn keeps_two_legs_of_a_race_apart() {
        let (groq, openai) = (target("groq", "m"), target("openai", "m"));
        let steps = vec![
            (ms(0), attempting(&groq, 1)),
            (ms(20), attempting(&openai, 2)),
            (ms(30), Event::Served { target: Arc::clone(&openai), took: ms(10) }),
            (ms(31), Event::Cancelled { target: Arc::clone(&groq), took: ms(31) }),
            (ms(32), Event::Completed { target: Arc::clone(&openai), usage: None, took: ms(12) }),
        ];
        let record = RequestRecord { steps: steps.clone(), ..failed_over() };

        assert_eq!(told(steps, ms(32)), ["1 groq/m cancelled  (0, None, 31)", "2 openai/m served  (20, Some(10), 12)"]);
        assert_eq!(record.fail_overs().count(), 0);
    }
}
