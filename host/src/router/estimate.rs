//! What a request would come to at each target of its route, before it is sent.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;

use crate::accounting::{Accounts, CostLine};
use crate::guard::Claim;
use crate::types::as_json::{maybe_usd, standing};
use crate::types::{ChatRequest, NanoUsd, Price, Standing, TargetName, Verdict};

use super::asked::Asked;
use super::choice::Named;
use super::journey::Journey;
use super::legs::Legs;
use super::output::Output;
use super::seat::Seat;
use super::story::Story;
use super::{RouteError, Router};

/// What a request would come to at one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Where.
    pub target: Arc<TargetName>,
    /// Whether the strategy would ask it first, as things stand.
    pub is_first: bool,
    /// How it stands for this request.
    #[serde(with = "standing")]
    pub standing: Standing,
    /// Why it could not be asked, where that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Input tokens, as near as can be told.
    pub input_tokens: u32,
    /// How that figure came about.
    pub counted: Counted,
    /// Input tokens that cannot be exceeded: what a budget reckons with. Media are not among them.
    pub input_bound: u32,
    /// Output tokens at most.
    pub max_output_tokens: u32,
    /// The cost at most: what a budget sets aside. `None` where the price is not known.
    #[serde(rename = "worst_usd", with = "maybe_usd")]
    pub cost: Option<NanoUsd>,
    /// What answers of this target have come to so far; `None` where it has given none.
    pub expected: Option<Expectation>,
    #[serde(skip)]
    price: Option<Price>,
}

/// How a number of tokens came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counted {
    /// With the model's own tokenizer.
    Tokenizer,
    /// A third of the bytes.
    RuleOfThumb,
}

/// What an answer is expected to come to, going by earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Expectation {
    /// How many answers it goes by.
    pub answers: u64,
    /// Their output tokens on average, and never more than the request's own bound.
    pub output_tokens: u32,
    /// What the request would cost with so many; `None` where the price is not known.
    #[serde(rename = "usd", with = "maybe_usd")]
    pub cost: Option<NanoUsd>,
}

/// What one attempt may cost at one target at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorstCase {
    /// Where.
    pub target: Arc<TargetName>,
    /// How much; `None` where the price is not known.
    pub cost: Option<NanoUsd>,
}

impl Estimate {
    /// Expects what earlier answers of this target came to on average, where any of the lines are its own.
    #[must_use]
    pub fn going_by(self, history: &[CostLine]) -> Self {
        let own =
            history.iter().filter(|line| line.provider == self.target.provider && line.model == self.target.model);
        let (answers, output) = own.fold((0u64, 0u64), |(answers, output), line| {
            (answers.saturating_add(line.answers), output.saturating_add(line.usage.output))
        });
        let Some(average) = output.checked_add(answers.saturating_sub(1)).and_then(|sum| sum.checked_div(answers))
        else {
            return self;
        };
        let output_tokens = u32::try_from(average).unwrap_or(u32::MAX).min(self.max_output_tokens);
        let cost = self.price.map(|price| price.cost(self.input_tokens.into(), output_tokens.into()));
        Self { expected: Some(Expectation { answers, output_tokens, cost }), ..self }
    }
}

impl Router {
    /// Reckons without sending anything: the strategy is asked as it would be, and what it says is not obeyed.
    ///
    /// # Errors
    /// When the request names a model, a provider or a purpose that is not there.
    pub fn estimate(self: &Arc<Self>, request: &ChatRequest) -> Result<Vec<Estimate>, RouteError> {
        let mut journey = self.rehearse(request)?;
        let route = Arc::clone(&journey.route);
        let asked = journey.question(&Legs::<()>::none());
        let states = asked.as_ref().map(|ask| ask.states.clone()).unwrap_or_default();
        let first = asked.and_then(|ask| match route.decider().decide(&ask, journey.asked.chat()).decision.verdict {
            Verdict::Attempt(plan) => Some(plan.target as usize),
            Verdict::Hold | Verdict::GiveUp => None,
        });
        let history: Vec<CostLine> = self.accounts.costs().lines().collect();
        let seats = route.roster.iter().zip(states).enumerate();
        let estimates = seats.map(|(index, (seat, state))| {
            let (input_tokens, counted) = count(request, seat, journey.needs.input_tokens);
            let is_usable = matches!(state.standing, Standing::Ready);
            let estimate = Estimate {
                target: Arc::clone(&seat.name),
                is_first: first == Some(index),
                standing: state.standing,
                why: (!is_usable).then(|| journey.why(index, seat, state.standing)),
                input_tokens,
                counted,
                input_bound: journey.needs.input_bound,
                max_output_tokens: journey.output(index).tokens(),
                cost: state.estimated_cost,
                expected: None,
                price: seat.roster.price,
            };
            estimate.going_by(&history)
        });
        Ok(estimates.collect())
    }

    /// What one attempt of a request may cost at most at each target it may go to.
    ///
    /// # Errors
    /// As [`Router::estimate`].
    pub fn worst_cases(&self, request: &ChatRequest) -> Result<Vec<WorstCase>, RouteError> {
        let choice = self.choose(request)?;
        self.purpose(request)?;
        let needs = self.needs(request);
        let may_go = |place: usize| !matches!(&choice.named, Named::Only(only) if only.get(place) != Some(&true));
        let seats = choice.route.roster.iter().enumerate().filter(|(place, _)| may_go(*place));
        let outlooks = self.outlooks(request, request.stream, &choice.route.roster);
        let worst_case = |(place, seat): (usize, &Seat)| {
            let output = outlooks.get(place).map_or(Output::NONE, |outlook| outlook.output);
            let claim = Claim {
                input_tokens: needs.input_tokens,
                input_bound: needs.input_bound,
                media: needs.media,
                max_output_tokens: output.tokens(),
                // Who asks counts money: a price that the operator assumes is taken for one.
                allowed: Some(NanoUsd::from_nanos(u64::MAX)),
                ..Claim::default()
            };
            WorstCase { target: Arc::clone(&seat.name), cost: self.guard.worst_case(seat.target, &claim) }
        };
        Ok(seats.map(worst_case).collect())
    }

    /// The request's journey as far as its first question, entered in books that nobody reads.
    fn rehearse(self: &Arc<Self>, request: &ChatRequest) -> Result<Journey, RouteError> {
        let choice = self.choose(request)?;
        self.purpose(request)?;
        let asked = Asked::Chat(Arc::new(request.clone()));
        let record = self.record(&asked, request.stream, &choice);
        let books = Arc::new(Accounts::new(Vec::new(), Arc::clone(&self.clock), 0));
        let story = Story::begin(record, None, books, Arc::clone(&self.clock));
        // The number that the next request will have, so that strategies that take turns say whose turn it is.
        let sequence = self.sequence.load(Ordering::Relaxed);
        Ok(Journey::new(Arc::clone(self), asked, request.stream, choice, story, sequence))
    }
}

/// The input tokens at a seat: counted with the model's own tokenizer where there is one, else by the rule of thumb.
fn count(request: &ChatRequest, seat: &Seat, rule_of_thumb: u32) -> (u32, Counted) {
    #[cfg(feature = "tokens")]
    if let Some(tokens) = super::count::tokens(request, &seat.name.model) {
        return (tokens, Counted::Tokenizer);
    }
    let _ = (request, seat);
    (rule_of_thumb, Counted::RuleOfThumb)
}
