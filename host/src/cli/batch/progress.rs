//! How far a batch has come: a bar on a terminal, a line now and then elsewhere. All of it on standard error.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use backstop::clock::{Clock, Moment};
use backstop::types::NanoUsd;
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::aside::tell;
use crate::cli::narrator::Length;
use crate::cli::paint::{Tone, paint};

use super::tally::Tally;

/// How often a line is told where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);

/// Failures that are told one by one; all of them are in the answers.
const MOST_FAILURES: usize = 10;

const TEMPLATE: &str = "{bar:28} {pos}/{len}  {msg}  {eta} left";

/// Tells how far it is.
pub(crate) struct Progress {
    clock: Arc<dyn Clock>,
    began: Moment,
    total: usize,
    bar: Option<ProgressBar>,
    next_line: Moment,
    failures: usize,
}

impl Progress {
    /// Begins, with so many done before.
    pub(crate) fn start(clock: Arc<dyn Clock>, total: usize, done: usize) -> Self {
        let began = clock.now();
        let bar = std::io::stderr().is_terminal().then(|| bar(total, done));
        Self { clock, began, total, bar, next_line: began + EVERY, failures: 0 }
    }

    /// Shows how far it is now.
    pub(crate) fn show(&mut self, tally: &Tally, spent: NanoUsd) {
        let done = tally.answered + tally.failed + tally.refused;
        let now = self.clock.now();
        if let Some(bar) = &self.bar {
            bar.set_position(wide(done));
            bar.set_message(figures(tally, spent, now.since(self.began)));
        } else if now >= self.next_line {
            self.next_line = now + EVERY;
            let took = now.since(self.began);
            let left = left(took, tally.ended_now(), self.total.saturating_sub(done));
            let left = left.map(|left| format!(", {} left", Length(left))).unwrap_or_default();
            tell(&[format!("{done}/{}  {}{left}", self.total, figures(tally, spent, took))]);
        }
    }

    /// Tells something beside.
    pub(crate) fn say(&self, line: String) {
        match &self.bar {
            Some(bar) => bar.suspend(|| tell(&[line])),
            None => tell(&[line]),
        }
    }

    /// Tells a failure, as long as there are not too many.
    pub(crate) fn say_failed(&mut self, number: u64, why: &str) {
        self.failures += 1;
        match self.failures {
            ..=MOST_FAILURES => self.say(paint(Tone::Bad, format_args!("line {number}: {why}"))),
            // One more, and then silence.
            failures if failures == MOST_FAILURES + 1 => {
                self.say(paint(Tone::Faint, "further failures are told in the answers only"));
            }
            _ => {}
        }
    }

    /// How long it has taken.
    pub(crate) fn took(&self) -> Duration {
        self.clock.now().since(self.began)
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: usize, done: usize) -> ProgressBar {
    let bar = ProgressBar::new(wide(total)).with_position(wide(done));
    if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.reset_eta();
    bar
}

fn figures(tally: &Tally, spent: NanoUsd, took: Duration) -> String {
    let failed = if tally.failed > 0 { format!("  {} failed", tally.failed) } else { String::new() };
    format!("{}  {}{failed}", rate(tally.ended_now(), took), rounded(spent))
}

/// An amount as it is looked at in passing.
pub(super) fn rounded(amount: NanoUsd) -> String {
    format!("${:.4}", amount.as_dollars())
}

#[expect(clippy::cast_precision_loss, reason = "a figure to show")]
fn rate(ended: usize, took: Duration) -> String {
    let seconds = took.as_secs_f64().max(0.001);
    format!("{:.1}/s", ended as f64 / seconds)
}

/// How long the rest will take at the pace so far.
fn left(took: Duration, ended: usize, rest: usize) -> Option<Duration> {
    let each = took.checked_div(u32::try_from(ended).ok()?)?;
    each.checked_mul(u32::try_from(rest).ok()?)
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_pace_cost_and_failures() {
        let tally = Tally { answered: 30, answered_now: 20, failed: 1, failed_now: 1, ..Tally::default() };

        let told = figures(&tally, NanoUsd::from_nanos(12_345_678), Duration::from_secs(7));

        assert_eq!(told, "3.0/s  $0.0123  1 failed");
    }

    #[test]
    fn reckons_what_is_left_by_the_pace_so_far() {
        assert_eq!(left(Duration::from_secs(10), 5, 50), Some(Duration::from_secs(100)));
        assert_eq!(left(Duration::from_secs(10), 0, 50), None);
    }
}
