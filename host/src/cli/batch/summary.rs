//! What a batch came to, in words and as JSON.

use std::path::Path;
use std::time::Duration;

use backstop::types::{NanoUsd, Usage};
use serde_json::{Map, Value, json};

use crate::cli::exit::Exit;
use crate::cli::narrator::Length;
use crate::cli::paint::{Tone, paint};

use super::progress::rounded;
use super::tally::{OfProvider, Tally};

/// Uncertain questions that are named in words.
const MOST_NAMED: usize = 5;

/// Why a run has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Every question has had its turn.
    Through,
    /// The rest could have cost more than was allowed.
    OverBudget,
    /// Nobody has answered for as long as the patience lasted.
    NobodyAnswers,
    /// Ctrl-C.
    Interrupted,
}

/// The figures of a run that has ended.
#[derive(Debug)]
pub(crate) struct Summary<'a> {
    pub(crate) ending: Ending,
    /// All questions that can be asked.
    pub(crate) total: usize,
    pub(crate) tally: &'a Tally,
    /// Lines that were left out.
    pub(crate) skipped: usize,
    /// Questions that may have been paid for and whose answers are lost.
    pub(crate) uncertain: usize,
    /// The first of these, by their indices.
    pub(crate) uncertain_first: &'a [u32],
    /// Questions that were not asked.
    pub(crate) not_asked: usize,
    /// What the whole batch has cost.
    pub(crate) spent: NanoUsd,
    /// How long this run took.
    pub(crate) took: Duration,
    /// Where the answers are, where that is a file.
    pub(crate) answers: Option<&'a Path>,
}

impl Ending {
    fn name(self) -> &'static str {
        match self {
            Self::Through => "finished",
            Self::OverBudget => "budget",
            Self::NobodyAnswers => "no-provider",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Summary<'_> {
    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        match self.ending {
            Ending::Interrupted => Exit::Interrupted,
            Ending::OverBudget => Exit::Budget,
            Ending::NobodyAnswers => Exit::NoProvider,
            Ending::Through if self.tally.refused > 0 => Exit::Budget,
            Ending::Through if self.tally.failed > 0 && self.tally.answered == 0 => Exit::NoProvider,
            Ending::Through if self.tally.failed > 0 || self.uncertain > 0 => Exit::Failed,
            Ending::Through => Exit::Done,
        }
    }

    /// As one object.
    pub(crate) fn to_json(&self) -> Value {
        let Self { tally, .. } = self;
        let providers = tally.providers.iter().map(|(name, own)| (name.clone(), provider_json(own)));
        json!({
            "ended": self.ending.name(),
            "total": self.total,
            "successful": tally.answered,
            "failed": tally.failed,
            "refused": tally.refused,
            "uncertain": self.uncertain,
            "uncertain_indices": self.uncertain_first,
            "not_asked": self.not_asked,
            "skipped": self.skipped,
            "answered_before": tally.answered - tally.answered_now,
            "success_rate": self.success_rate(),
            "total_seconds": self.took.as_secs_f64(),
            "average_seconds": self.average().map(|average| average.as_secs_f64()),
            "usage": tokens_json(&tally.usage),
            "cost_usd": self.spent.decimal(),
            "providers": Value::Object(Map::from_iter(providers)),
            "output": self.answers.map(|path| path.display().to_string()),
        })
    }

    /// In lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Self { tally, total, .. } = self;
        let rate = self.success_rate().map(|rate| format!(" ({:.1} %)", rate * 100.0)).unwrap_or_default();
        let before = match tally.answered - tally.answered_now {
            0 => String::new(),
            before => format!(", {before} of them before"),
        };
        let average = self.average().map(|average| format!(", {} for each on average", Length(average)));
        let mut lines = vec![
            paint(
                Tone::Strong,
                format_args!("{total} questions: {} answered{before}{rate}, {} failed", tally.answered, tally.failed),
            ),
            format!("{}{}", Length(self.took), average.unwrap_or_default()),
            format!("{} tokens in, {} out; {}", tally.usage.input, tally.usage.output, self.spent),
        ];
        for (name, OfProvider { answers, usage, cost }) in &tally.providers {
            lines.push(format!("  {name}: {answers} answers, {} tokens in, {} out, {cost}", usage.input, usage.output));
        }
        lines.extend(self.answers.map(|path| format!("answers in {}", path.display())));
        lines
    }

    /// What is not as one would have it, and what to do about it.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let mut remark = |tone: Tone, words: String| remarks.push(paint(tone, words));
        let refused = self.tally.refused;
        match self.ending {
            Ending::OverBudget => {
                let left = self.not_asked + refused;
                remark(
                    Tone::Warn,
                    format!(
                        "stopped at {}: the rest, {left} questions, could cost more than is allowed",
                        rounded(self.spent)
                    ),
                );
            }
            Ending::NobodyAnswers => {
                remark(
                    Tone::Bad,
                    format!("stopped: nobody answers any more; {} questions were not asked", self.not_asked),
                );
            }
            Ending::Interrupted => {
                remark(Tone::Warn, format!("interrupted: {} questions were not asked", self.not_asked))
            }
            Ending::Through if refused > 0 => {
                remark(
                    Tone::Warn,
                    format!("{refused} questions were refused by a budget, and nothing was sent for them"),
                );
            }
            Ending::Through => {}
        }
        if self.uncertain > 0 {
            let named: Vec<String> = self.uncertain_first.iter().take(MOST_NAMED).map(ToString::to_string).collect();
            let more = if self.uncertain > MOST_NAMED { ", …" } else { "" };
            let words = format!(
                "{} questions are uncertain (index {}{more}): they were under way when a run ended, may have been paid for, and are not \
                 asked again without --retry-uncertain",
                self.uncertain,
                named.join(", "),
            );
            remark(Tone::Warn, words);
        }
        let is_open = self.not_asked + refused + self.tally.failed > 0;
        if is_open && self.answers.is_some() {
            remark(Tone::Faint, "the same command goes on from here and asks again what failed".to_owned());
        }
        remarks
    }

    /// The share of answers among what has ended, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a figure to show")]
    fn success_rate(&self) -> Option<f64> {
        let ended = self.tally.answered + self.tally.failed;
        (ended > 0).then(|| self.tally.answered as f64 / ended as f64)
    }

    /// How long a question of this run took on average.
    fn average(&self) -> Option<Duration> {
        self.tally.took.checked_div(u32::try_from(self.tally.ended_now()).ok()?)
    }
}

fn provider_json(own: &OfProvider) -> Value {
    json!({"answers": own.answers, "usage": tokens_json(&own.usage), "cost_usd": own.cost.decimal()})
}

fn tokens_json(usage: &Usage) -> Value {
    json!({"input": usage.input, "output": usage.output})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(answered: usize, failed: usize, refused: usize) -> Tally {
        let own = OfProvider { answers: answered, ..OfProvider::default() };
        let providers = [("groq".to_owned(), own)].into();
        let took = Duration::from_secs(6);
        Tally {
            answered,
            answered_now: answered,
            failed,
            failed_now: failed,
            refused,
            took,
            providers,
            ..Tally::default()
        }
    }

    fn summary(ending: Ending, tally: &Tally) -> Summary<'_> {
        Summary {
            ending,
            total: 10,
            tally,
            skipped: 0,
            uncertain: 0,
            uncertain_first: &[],
            not_asked: 10 - tally.answered - tally.failed - tally.refused,
            spent: NanoUsd::from_nanos(1_500_000),
            took: Duration::from_secs(3),
            answers: Some(Path::new("answers.jsonl")),
        }
    }

    #[test]
    fn ends_with_the_code_that_tells_what_is_left_to_do() {
        for (ending, tally, uncertain, exit) in [
            (Ending::Through, tally(10, 0, 0), 0, Exit::Done),
            (Ending::Through, tally(9, 1, 0), 0, Exit::Failed),
            (Ending::Through, tally(9, 0, 0), 1, Exit::Failed),
            (Ending::Through, tally(0, 10, 0), 0, Exit::NoProvider),
            (Ending::Through, tally(8, 1, 1), 0, Exit::Budget),
            (Ending::OverBudget, tally(5, 0, 0), 0, Exit::Budget),
            (Ending::NobodyAnswers, tally(5, 2, 0), 0, Exit::NoProvider),
            (Ending::Interrupted, tally(5, 0, 0), 0, Exit::Interrupted),
        ] {
            let summary = Summary { uncertain, ..summary(ending, &tally) };
            assert_eq!(summary.exit(), exit, "{summary:?}");
        }
    }

    #[test]
    fn tells_the_figures() {
        let tally = tally(3, 1, 0);
        let summary =
            Summary { uncertain: 2, uncertain_first: &[4, 7], not_asked: 4, ..summary(Ending::OverBudget, &tally) };

        let lines = [summary.lines(), summary.remarks()].concat().join("\n");

        insta::assert_snapshot!(anstream::adapter::strip_str(&lines).to_string(), @r"
        10 questions: 3 answered (75.0 %), 1 failed
        3.00 s, 1.50 s for each on average
        0 tokens in, 0 out; $0.0015
          groq: 3 answers, 0 tokens in, 0 out, $0.00
        answers in answers.jsonl
        stopped at $0.0015: the rest, 4 questions, could cost more than is allowed
        2 questions are uncertain (index 4, 7): they were under way when a run ended, may have been paid for, and are not asked again without --retry-uncertain
        the same command goes on from here and asks again what failed
        ");
        assert_eq!(
            (&summary.to_json()["success_rate"], &summary.to_json()["average_seconds"]),
            (&json!(0.75), &json!(1.5))
        );
    }
}
