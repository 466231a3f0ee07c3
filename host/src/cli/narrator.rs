//! `--verbose`: each step of a request in a line, as it happens.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backstop::types::{Event, NanoUsd, Observer, TargetName, Usage};

use super::paint::{Tone, harmless, paint};

/// Tells the steps of requests on standard error.
#[derive(Debug, Default)]
pub(crate) struct Narrator {
    provider: Mutex<Option<Arc<str>>>,
}

impl Observer for Narrator {
    fn on_event(&self, event: &Event) {
        let mut stderr = anstream::stderr().lock();
        for line in self.lines(event) {
            // Nobody may be reading any more, and then nothing is lost.
            let _ = writeln!(stderr, "{line}");
        }
    }
}

impl Narrator {
    /// The lines a step is told in; most have one, some none.
    fn lines(&self, event: &Event) -> Vec<String> {
        match event {
            Event::Decided { reason: Some(reason), .. } => {
                vec![paint(Tone::Faint, format_args!("  strategy: {reason}"))]
            }
            Event::Decided { reason: None, .. } => Vec::new(),
            Event::StrategyFault { message } => {
                vec![paint(Tone::Bad, format_args!("strategy fault: {message}; declared order decides"))]
            }
            Event::Waiting { target, wait, ahead: None } => {
                vec![paint(Tone::Warn, format_args!("waiting {} before {target}", Length(*wait)))]
            }
            Event::Waiting { target, wait, ahead: Some(ahead) } => {
                let line = format_args!("in line for {target}: {ahead} before it, {} at most", Length(*wait));
                vec![paint(Tone::Warn, line)]
            }
            Event::Denied { target, why, .. } => {
                vec![paint(Tone::Warn, format_args!("{target} was not admitted: {why}"))]
            }
            Event::Attempting { target, attempt, model_of } => self.attempting(target, *attempt, *model_of),
            Event::Failed { target, failure, took } => {
                let why = harmless(&failure.to_string());
                vec![paint(Tone::Bad, format_args!("{target} failed after {}: {why}", Length(*took)))]
            }
            Event::Served { target, took } => {
                vec![paint(Tone::Faint, format_args!("  {target} answers after {}", Length(*took)))]
            }
            Event::Cancelled { target, took } => {
                vec![paint(
                    Tone::Faint,
                    format_args!("  {target} given up after {}: another was faster", Length(*took)),
                )]
            }
            Event::Adapted { target, notes } => {
                notes.iter().map(|note| paint(Tone::Faint, format_args!("  for {target}: {note}"))).collect()
            }
            Event::Resuming { target, goes_on: true } => {
                vec![paint(Tone::Warn, format_args!("{target} goes on with the answer from where it broke off"))]
            }
            Event::Resuming { target, goes_on: false } => {
                vec![paint(
                    Tone::Warn,
                    format_args!("{target} begins the answer again; what was shown is not repeated"),
                )]
            }
            Event::Joined => vec![paint(Tone::Faint, "  an equal request is under way: waiting for its answer")],
            Event::FromCache { target, age } => {
                vec![paint(Tone::Faint, format_args!("  from the cache: {target} answered so {} ago", Length(*age)))]
            }
            Event::Completed { .. } => Vec::new(),
        }
    }

    fn attempting(&self, target: &TargetName, attempt: u32, (place, count): (u32, u32)) -> Vec<String> {
        let mut lines = Vec::new();
        let mut before = self.provider.lock().unwrap_or_else(PoisonError::into_inner);
        let is_switch = attempt > 1 && before.as_ref().is_some_and(|before| *before != target.provider);
        if is_switch {
            lines.push(paint(Tone::Strong, format_args!("switching to {}", target.provider)));
        }
        *before = Some(Arc::clone(&target.provider));
        let TargetName { provider, model } = target;
        lines.push(format!("trying {provider} model {place}/{count}: {model} (attempt {attempt})"));
        lines
    }
}

/// What an answer came to: told once it is whole.
#[derive(Debug, Clone)]
pub(crate) struct Summary {
    pub(crate) target: Option<Arc<TargetName>>,
    pub(crate) attempts: u32,
    pub(crate) took: Duration,
    pub(crate) usage: Option<Usage>,
    pub(crate) cost: Option<NanoUsd>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(target) = &self.target else {
            return write!(f, "no model answered, after {} attempts in {}", self.attempts, Length(self.took));
        };
        if self.attempts == 0 {
            return write!(f, "answered from the cache in {}, as {target} did before", Length(self.took));
        }
        write!(f, "answered by {target} on attempt {} in {}", self.attempts, Length(self.took))?;
        if let Some(usage) = &self.usage {
            write!(f, ", {} tokens", usage.total())?;
        }
        if let Some(cost) = &self.cost {
            write!(f, ", {cost}")?;
        }
        Ok(())
    }
}

/// A length of time as people say it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Length(pub(crate) Duration);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0 => write!(f, "{} ms", self.0.as_millis()),
            1..=99 => write!(f, "{:.2} s", self.0.as_secs_f64()),
            seconds @ 100..=7_199 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            seconds => write!(f, "{} h {} min", seconds / 3_600, seconds / 60 % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use backstop::types::{Failure, FailureKind};

    use super::*;

    fn told(events: &[Event]) -> String {
        let narrator = Narrator::default();
        let lines: Vec<String> = events.iter().flat_map(|event| narrator.lines(event)).collect();
        anstream::adapter::strip_str(&lines.join("\n")).to_string()
    }

    #[test]
    fn tells_the_story_of_a_failover() {
        let cerebras = Arc::new(TargetName::new("cerebras", "llama-4-scout"));
        let groq = Arc::new(TargetName::new("groq", "llama-3.1-8b-instant"));
        let failure = Failure::new(FailureKind::RateLimited, "slow down").with_status(429);
        let took = Duration::from_millis(310);

        let story = told(&[
            Event::Decided {
                candidates: Vec::new(),
                verdict: "attempt".into(),
                reason: Some("highest priority".into()),
                state: None,
            },
            Event::Attempting { target: Arc::clone(&cerebras), attempt: 1, model_of: (1, 4) },
            Event::Failed { target: Arc::clone(&cerebras), failure, took },
            Event::Waiting { target: Arc::clone(&cerebras), wait: Duration::from_millis(1_890), ahead: None },
            Event::Attempting { target: cerebras, attempt: 2, model_of: (1, 4) },
            Event::StrategyFault { message: "out of fuel".into() },
            Event::Attempting { target: Arc::clone(&groq), attempt: 3, model_of: (1, 1) },
            Event::Served { target: groq, took },
        ]);

        insta::assert_snapshot!(story, @r"
          strategy: highest priority
        trying cerebras model 1/4: llama-4-scout (attempt 1)
        cerebras/llama-4-scout failed after 310 ms: rate-limited (HTTP 429): slow down
        waiting 1.89 s before cerebras/llama-4-scout
        trying cerebras model 1/4: llama-4-scout (attempt 2)
        strategy fault: out of fuel; declared order decides
        switching to groq
        trying groq model 1/1: llama-3.1-8b-instant (attempt 3)
          groq/llama-3.1-8b-instant answers after 310 ms
        ");
    }

    #[test]
    fn sums_an_answer_up() {
        let summary = Summary {
            target: Some(Arc::new(TargetName::new("groq", "llama-3.1-8b-instant"))),
            attempts: 3,
            took: Duration::from_millis(1_204),
            usage: Some(Usage { input: 12, output: 8, ..Usage::default() }),
            cost: Some(NanoUsd::from_nanos(300_000)),
        };

        assert_eq!(
            summary.to_string(),
            "answered by groq/llama-3.1-8b-instant on attempt 3 in 1.20 s, 20 tokens, $0.0003"
        );
    }

    #[test]
    fn says_lengths_as_people_do() {
        let said = |ms| Length(Duration::from_millis(ms)).to_string();

        assert_eq!([7, 1_890, 125_000, 7_260_000].map(said), ["7 ms", "1.89 s", "2 min 5 s", "2 h 1 min"]);
    }
}
