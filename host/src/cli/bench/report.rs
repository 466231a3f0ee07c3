//! What a load came to: pace, percentiles, attempts, fail-overs, cost.

use std::collections::BTreeMap;
use std::time::Duration;

use backstop::types::{NanoUsd, percentile};
use serde_json::{Value, json};

use crate::cli::exit::Exit;
use crate::cli::narrator::Length;
use crate::cli::paint::{Tone, paint};
use crate::cli::table;

use super::load::Sample;

/// The figures.
#[derive(Debug)]
pub(super) struct Report {
    requests: usize,
    took: Duration,
    /// Answers by provider, and failures by the word for the error.
    answers: BTreeMap<String, usize>,
    failures: BTreeMap<String, usize>,
    whole: Option<Spread>,
    first_token: Option<Spread>,
    attempts: u64,
    failed_over: usize,
    cost: NanoUsd,
}

/// How lengths of time spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spread {
    p50: Duration,
    p95: Duration,
    p99: Duration,
    longest: Duration,
}

impl Report {
    pub(super) fn of(samples: &[Sample], took: Duration) -> Self {
        let (mut answers, mut failures) = (BTreeMap::new(), BTreeMap::new());
        for sample in samples {
            match &sample.answered_by {
                Ok(provider) => *answers.entry(provider.clone()).or_default() += 1,
                Err(code) => *failures.entry(code.clone()).or_default() += 1,
            }
        }
        let served = || samples.iter().filter(|sample| sample.answered_by.is_ok());
        Self {
            requests: samples.len(),
            took,
            answers,
            failures,
            whole: Spread::of(served().map(|sample| sample.took).collect()),
            first_token: Spread::of(served().filter_map(|sample| sample.first_token).collect()),
            attempts: samples.iter().map(|sample| u64::from(sample.attempts)).sum(),
            failed_over: samples.iter().filter(|sample| sample.failed_over).count(),
            cost: samples.iter().fold(NanoUsd::ZERO, |sum, sample| sum.saturating_add(sample.cost)),
        }
    }

    /// How the command ends.
    pub(super) fn exit(&self) -> Exit {
        match (self.answers.is_empty(), self.failures.is_empty()) {
            (_, true) => Exit::Done,
            (true, false) => Exit::NoProvider,
            (false, false) => Exit::Failed,
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "requests": self.requests,
            "answered": self.answered(),
            "failed": self.requests - self.answered(),
            "seconds": self.took.as_secs_f64(),
            "per_second": self.pace(),
            "answer_ms": self.whole.map(Spread::to_json),
            "first_token_ms": self.first_token.map(Spread::to_json),
            "attempts": self.attempts,
            "fail_over_rate": self.share(self.failed_over),
            "cost_usd": self.cost.decimal(),
            "answers": self.answers,
            "failures": self.failures,
        })
    }

    pub(super) fn in_words(&self) -> String {
        let answered = self.answered();
        let head = format!(
            "{} requests in {}: {:.1}/s, {answered} answered, {} failed",
            self.requests,
            Length(self.took),
            self.pace(),
            self.requests - answered
        );
        let mut times = table::table(&["", "p50", "p95", "p99", "longest"]);
        for (what, spread) in [("first token", self.first_token), ("answer", self.whole)] {
            let Some(Spread { p50, p95, p99, longest }) = spread else { continue };
            let [p50, p95, p99, longest] = [p50, p95, p99, longest].map(ms);
            times.add_row([what.to_owned(), p50, p95, p99, longest]);
        }
        let mut lines = vec![paint(Tone::Strong, head)];
        if times.row_count() > 0 {
            lines.extend([String::new(), table::headed(&times), String::new()]);
        }
        let rate = self.share(self.failed_over) * 100.0;
        lines.push(format!("{} attempts, {rate:.1} % failed over, {}", self.attempts, self.cost));
        lines.extend(self.answers.iter().map(|(provider, count)| format!("  {provider}: {count} answers")));
        lines.extend(self.failures.iter().map(|(code, count)| paint(Tone::Bad, format_args!("  {code}: {count}"))));
        lines.join("\n")
    }

    fn answered(&self) -> usize {
        self.answers.values().sum()
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure to show")]
    fn pace(&self) -> f64 {
        self.requests as f64 / self.took.as_secs_f64().max(1e-9)
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure to show")]
    fn share(&self, count: usize) -> f64 {
        count as f64 / (self.requests.max(1)) as f64
    }
}

impl Spread {
    /// `None` where there is nothing.
    fn of(mut lengths: Vec<Duration>) -> Option<Self> {
        lengths.sort_unstable();
        let at = |percent| percentile(&lengths, percent);
        Some(Self { p50: at(50)?, p95: at(95)?, p99: at(99)?, longest: at(100)? })
    }

    fn to_json(self) -> Value {
        let ms = |length: Duration| length.as_secs_f64() * 1e3;
        json!({"p50": ms(self.p50), "p95": ms(self.p95), "p99": ms(self.p99), "max": ms(self.longest)})
    }
}

fn ms(length: Duration) -> String {
    format!("{:.1} ms", length.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(ms: u64, answered_by: Result<&str, &str>) -> Sample {
        Sample {
            answered_by: answered_by.map(str::to_owned).map_err(str::to_owned),
            took: Duration::from_millis(ms),
            first_token: None,
            attempts: 2,
            failed_over: ms == 100,
            cost: NanoUsd::from_nanos(5),
        }
    }

    #[test]
    fn sums_up_a_hundred_requests() {
        let samples: Vec<Sample> = (1..=100).map(|ms| sample(ms, Ok("groq"))).collect();

        let report = Report::of(&samples, Duration::from_secs(2));

        let ms = Duration::from_millis;
        assert_eq!(report.whole, Some(Spread { p50: ms(50), p95: ms(95), p99: ms(99), longest: ms(100) }));
        assert_eq!((report.attempts, report.failed_over, report.cost.nanos()), (200, 1, 500));
        assert_eq!((report.to_json()["per_second"].as_f64(), report.exit()), (Some(50.0), Exit::Done));
    }

    #[test]
    fn measures_nothing_where_nobody_answered() {
        let report = Report::of(&[sample(1, Err("all_providers_failed"))], Duration::from_secs(1));

        assert_eq!((report.whole, report.exit()), (None, Exit::NoProvider));
        assert!(report.in_words().contains("all_providers_failed: 1"));
    }
}
