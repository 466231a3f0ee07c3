//! What strategies are told and remember in tests: outcomes, state, messages.

use super::Situation;
use crate::powers::{content, state};
use crate::{End, Observe, Outcome};

/// Forgets what this thread's strategies remembered.
pub fn forget() {
    state::backing::forget();
}

/// Shows this thread's strategies messages: role and text.
pub fn show(messages: &[(&str, &str)]) {
    content::backing::show(messages);
}

impl Situation {
    /// Tells the strategy of an attempt that is over at a target: how it ended, after how many milliseconds, and what it cost.
    pub fn observed<S: Observe>(&self, name: &str, end: End, ms: u32, cost: Option<f64>) {
        let strategy = match self.configure::<S>() {
            Ok(strategy) => strategy,
            Err(error) => panic!("the options are refused: {error}"),
        };
        let question = &self.question;
        let outcome = Outcome {
            sequence: question.sequence,
            entropy: question.entropy,
            now_ms: question.now_ms,
            target: self.place(name),
            end,
            took_ms: ms,
            first_token_ms: question.streaming.then_some(ms),
            cost,
            input_tokens: None,
            output_tokens: None,
            streaming: question.streaming,
            labels: question.labels.clone(),
            extras: Vec::new(),
        };
        strategy.observe(&self.roster(), &outcome);
    }
}
