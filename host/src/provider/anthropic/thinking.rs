//! Whether and how the model is to think, and how many tokens it may take for that.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::conversation::called_without_thought;
use super::model::{Mode, Model};
use crate::provider::call::Call;
use crate::provider::dialogue::Turn;
use crate::provider::json::{pick_from, words};
use crate::provider::tokens::count;
use crate::provider::wishes::{Effort, Wishes};

/// Output tokens where the caller names no limit: Anthropic wants one.
const USUAL_OUTPUT: u64 = 4_096;

/// The smallest budget for thoughts that Anthropic takes.
const LEAST_BUDGET: u64 = 1_024;

/// What a request says of thinking.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thinking<'a> {
    /// Up to so many tokens.
    Enabled { budget_tokens: u64 },
    /// As the model sees fit.
    Adaptive,
    /// In the caller's own words.
    #[serde(untagged)]
    Own(&'a RawValue),
}

/// How much is thought and said.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// `None` where nothing is said of it, and no thinking done.
    pub thinking: Option<Thinking<'a>>,
    /// How hard an adaptive model tries.
    pub effort: Option<&'static str>,
    /// Output tokens at most, those of thoughts among them.
    pub max_tokens: u64,
}

/// What stands in the way of thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Force {
    /// The model must call a tool.
    Tool,
    /// Nothing must be.
    None,
}

impl<'a> Plan<'a> {
    /// Reads it from the wishes, or from the caller's own `thinking`.
    pub(super) fn of(
        call: &Call<'_>,
        wishes: &Wishes<'_>,
        own: Option<&'a RawValue>,
        force: Force,
        notes: &mut Vec<String>,
    ) -> Self {
        let model = Model::of(call.model);
        let mut plan = Self { thinking: None, effort: None, max_tokens: limit(wishes, model, notes) };
        // Who says both leaves it to us to find out what the model takes.
        let own = own.filter(|own| wishes.effort.is_none() || model.takes_thinking(kind(own).as_deref()));
        match (own, wishes.effort) {
            (Some(own), _) => plan.take_own(own, obstacle(call, force, kind(own).as_deref() == Some("enabled")), notes),
            (None, Some(Effort::None) | None) => {}
            (None, Some(effort)) => match model.mode() {
                Mode::Never => notes.push("reasoning_effort is left out: the model does not think".to_owned()),
                Mode::Budget => match obstacle(call, force, true) {
                    Some(why) => notes.push(left_out(why)),
                    None => plan.think_within(budget(effort), model, notes),
                },
                Mode::Adaptive => {
                    plan.effort = Some(level(effort));
                    match obstacle(call, force, false) {
                        Some(why) => notes.push(left_out(why)),
                        None => plan.think_freely(effort, wishes),
                    }
                }
            },
        }
        plan
    }

    /// Whether anything is thought.
    pub(super) fn thinks(&self) -> bool {
        match &self.thinking {
            Some(Thinking::Enabled { .. } | Thinking::Adaptive) => true,
            Some(Thinking::Own(own)) => is_on(own),
            None => false,
        }
    }

    fn take_own(&mut self, own: &'a RawValue, obstacle: Option<&str>, notes: &mut Vec<String>) {
        if let Some(why) = obstacle.filter(|_| is_on(own)) {
            notes.push(left_out(why));
            return;
        }
        let [budget] = pick_from(own, ["budget_tokens"]);
        let budget = budget.and_then(count).unwrap_or(0);
        if is_on(own) && self.max_tokens <= budget {
            self.max_tokens += budget;
        }
        self.thinking = Some(Thinking::Own(own));
    }

    /// Thoughts come on top of the answer, as far as the model has room for both.
    fn think_within(&mut self, budget: u64, model: Model, notes: &mut Vec<String>) {
        let room = model.most_output().map_or(budget, |most| most.saturating_sub(self.max_tokens));
        let budget_tokens = budget.min(room);
        if budget_tokens < LEAST_BUDGET {
            notes.push(left_out("max_tokens leaves no room for it"));
            return;
        }
        self.max_tokens = self.max_tokens.saturating_add(budget_tokens);
        self.thinking = Some(Thinking::Enabled { budget_tokens });
    }

    /// A limit of the caller's own holds thoughts and answer, as it does at OpenAI.
    fn think_freely(&mut self, effort: Effort, wishes: &Wishes<'_>) {
        if wishes.max_tokens.is_none() {
            self.max_tokens += budget(effort);
        }
        self.thinking = Some(Thinking::Adaptive);
    }
}

/// Whether the caller wants thoughts that the model would have.
pub(super) fn is_wanted(model: Model, wishes: &Wishes<'_>) -> bool {
    match (wishes.own("thinking"), wishes.effort) {
        (Some(own), _) => is_on(own),
        (None, Some(Effort::None) | None) => false,
        (None, Some(_)) => model.mode() != Mode::Never,
    }
}

/// Whether an answer has begun that is to be gone on with.
pub(super) fn has_begun(call: &Call<'_>) -> bool {
    let last = call.dialogue.turns.iter().rev().find(|turn| !matches!(turn, Turn::Instruction(_)));
    let is_answer = match last {
        Some(Turn::Assistant(answer)) => !answer.text.trim().is_empty() || !answer.calls.is_empty(),
        Some(Turn::Instruction(_) | Turn::User(_) | Turn::Tool(_)) | None => false,
    };
    is_answer || call.prefill.is_some_and(|begun| !begun.trim().is_empty())
}

/// Why a model cannot think here. Only a model that thinks up to a budget insists on the thoughts before its last calls.
fn obstacle(call: &Call<'_>, force: Force, by_budget: bool) -> Option<&'static str> {
    if force == Force::Tool {
        Some("it does not go with a tool that must be called")
    } else if has_begun(call) {
        Some("it does not go with an answer that has begun")
    } else if by_budget && called_without_thought(call.dialogue, call.provider) {
        Some("the last tool calls were made without thoughts of this provider")
    } else {
        None
    }
}

fn left_out(why: &str) -> String {
    format!("thinking is left out: {why}")
}

fn limit(wishes: &Wishes<'_>, model: Model, notes: &mut Vec<String>) -> u64 {
    let asked = wishes.max_tokens.unwrap_or(USUAL_OUTPUT).max(1);
    match model.most_output() {
        Some(most) if asked > most => {
            notes.push(format!("max_tokens is lowered to {most}: the model gives no more"));
            most
        }
        Some(_) | None => asked,
    }
}

fn kind(own: &RawValue) -> Option<Cow<'_, str>> {
    let [kind] = pick_from(own, ["type"]);
    kind.and_then(words)
}

fn is_on(own: &RawValue) -> bool {
    kind(own).as_deref() != Some("disabled")
}

fn budget(effort: Effort) -> u64 {
    match effort {
        Effort::None => 0,
        Effort::Minimal => LEAST_BUDGET,
        Effort::Low => 2_048,
        Effort::Medium => 8_192,
        Effort::High => 16_384,
        Effort::Highest => 32_768,
    }
}

fn level(effort: Effort) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Highest => "max",
    }
}
