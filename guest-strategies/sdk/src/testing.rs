//! Situations to try a strategy in, natively and without a host.
//!
//! ```
//! use backstop_strategy::testing::Situation;
//! # use backstop_strategy::{Ask, Candidate, Decision, Fallback, FallbackOptions, Order, Roster, Strategy};
//! # struct InOrder(Fallback);
//! # impl Strategy for InOrder {
//! #     type Options = FallbackOptions;
//! #     fn configure(roster: &Roster, options: FallbackOptions) -> Result<Self, String> {
//! #         Fallback::new(roster, options).map(Self)
//! #     }
//! #     fn next(&self, ask: &Ask<'_>) -> Decision {
//! #         self.0.decide(ask, self)
//! #     }
//! # }
//! # impl Order for InOrder {
//! #     type Rank = u32;
//! #     fn rank(&self, candidate: &Candidate<'_>) -> u32 {
//! #         candidate.index()
//! #     }
//! #     fn reason(&self, _: &Candidate<'_>) -> String {
//! #         "first".to_owned()
//! #     }
//! # }
//!
//! let situation = Situation::new().target("groq/llama").cooling_down(5_000).target("openai/gpt-4o");
//!
//! assert_eq!(situation.chosen::<InOrder>(), "openai/gpt-4o");
//! ```

// A test that is set up wrongly should say so and stop.
#![allow(clippy::panic, reason = "for tests only")]

mod memory;

use crate::{Ask, Decision, Failure, PastAttempt, Question, Roster, Standing, State, Strategy, Target, Verdict};

pub use memory::{forget, show};

/// A roster, a question and options in the making. A target that is added is ready, knows nothing of prices, and is what
/// the calls after it speak of.
#[derive(Debug, Clone)]
pub struct Situation {
    targets: Vec<Target>,
    question: Question,
    options: String,
}

impl Default for Situation {
    fn default() -> Self {
        Self::new()
    }
}

/// About the request.
impl Situation {
    /// A request of which nothing was tried yet, with no target to go to.
    #[must_use]
    pub fn new() -> Self {
        let question = Question {
            sequence: 0,
            entropy: 0,
            now_ms: 1_767_225_600_000,
            input_tokens: 100,
            max_output_tokens: 500,
            streaming: false,
            labels: Vec::new(),
            states: Vec::new(),
            attempts: Vec::new(),
            in_flight: Vec::new(),
            preferred: None,
            emergency: false,
            attempts_left: 100,
            retries_left: 100,
            elapsed_ms: 0,
            remaining_ms: None,
            note: Vec::new(),
            extras: Vec::new(),
        };
        Self { targets: Vec::new(), question, options: "{}".to_owned() }
    }

    /// Gives the strategy these options, as JSON.
    #[must_use]
    pub fn options(mut self, json: &str) -> Self {
        json.clone_into(&mut self.options);
        self
    }

    /// Makes it the request with this number.
    #[must_use]
    pub fn sequence(mut self, sequence: u64) -> Self {
        self.question.sequence = sequence;
        self
    }

    /// Sets the random bits.
    #[must_use]
    pub fn entropy(mut self, entropy: u64) -> Self {
        self.question.entropy = entropy;
        self
    }

    /// Sets the time: milliseconds since 1970-01-01 UTC. It is midnight of the first day of 2026 otherwise.
    #[must_use]
    pub fn now_ms(mut self, ms: u64) -> Self {
        self.question.now_ms = ms;
        self
    }

    /// Makes it a request for a stream.
    #[must_use]
    pub fn streaming(mut self) -> Self {
        self.question.streaming = true;
        self
    }

    /// Sets how many input tokens it has.
    #[must_use]
    pub fn input_tokens(mut self, tokens: u32) -> Self {
        self.question.input_tokens = tokens;
        self
    }

    /// Labels the request.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.question.labels.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets how many milliseconds are left until the deadline.
    #[must_use]
    pub fn remaining_ms(mut self, ms: u32) -> Self {
        self.question.remaining_ms = Some(ms);
        self
    }

    /// Sets how many attempts the host will still make.
    #[must_use]
    pub fn attempts_left(mut self, attempts: u32) -> Self {
        self.question.attempts_left = attempts;
        self
    }

    /// Sets how many of them may be retries.
    #[must_use]
    pub fn retries_left(mut self, retries: u32) -> Self {
        self.question.retries_left = retries;
        self
    }

    /// Says that nothing is ready and that trying anyway is allowed.
    #[must_use]
    pub fn emergency(mut self) -> Self {
        self.question.emergency = true;
        self
    }

    /// Adds a failed attempt at a target.
    #[must_use]
    pub fn failed(self, name: &str, failure: Failure) -> Self {
        self.failed_asking(name, failure, None)
    }

    /// Adds a failed attempt at a target whose reply asked for a wait.
    #[must_use]
    pub fn failed_asking(mut self, name: &str, failure: Failure, retry_after_ms: Option<u32>) -> Self {
        let target = self.place(name);
        self.question.attempts.push(PastAttempt { target, failure, took_ms: 100, retry_after_ms });
        self
    }

    /// Says that an attempt is under way at a target.
    #[must_use]
    pub fn under_way_at(mut self, name: &str) -> Self {
        let target = self.place(name);
        self.question.in_flight.push(target);
        self
    }

    /// Says that a target served last.
    #[must_use]
    pub fn preferred(mut self, name: &str) -> Self {
        self.question.preferred = Some(self.place(name));
        self
    }
}

/// About the latest target.
impl Situation {
    /// Adds a target, `provider/model`.
    #[must_use]
    pub fn target(mut self, name: &str) -> Self {
        let Some((provider, model)) = name.split_once('/') else { panic!("`{name}` is not provider/model") };
        let (provider, model) = (provider.to_owned(), model.to_owned());
        self.targets.push(Target { provider, model, tools: true, json: true, vision: true, ..Target::default() });
        self.question.states.push(State::ready());
        self
    }

    /// Sets its priority.
    #[must_use]
    pub fn priority(self, priority: i32) -> Self {
        self.with_target(|target| target.priority = priority)
    }

    /// Makes it the operator's own.
    #[must_use]
    pub fn local(self) -> Self {
        self.with_target(|target| target.local = true)
    }

    /// Sets its price in US dollars for 1,000,000 tokens of input and of output.
    #[must_use]
    pub fn price(self, input: f64, output: f64) -> Self {
        self.with_target(|target| (target.input_price, target.output_price) = (Some(input), Some(output)))
    }

    /// Sets its window in tokens.
    #[must_use]
    pub fn window(self, tokens: u32) -> Self {
        self.with_target(|target| target.context_window = Some(tokens))
    }

    /// Gives it a label of the operator's.
    #[must_use]
    pub fn labelled(self, name: &str, value: &str) -> Self {
        self.with_target(|target| target.labels.push((name.to_owned(), value.to_owned())))
    }

    /// Sets what the request would cost there, in US dollars.
    #[must_use]
    pub fn cost(self, dollars: f64) -> Self {
        self.with_state(|state| state.estimated_cost = Some(dollars))
    }

    /// Sets whether it would be admitted.
    #[must_use]
    pub fn standing(self, standing: Standing) -> Self {
        self.with_state(|state| state.standing = standing)
    }

    /// Leaves it alone for so many milliseconds after a rate limit.
    #[must_use]
    pub fn cooling_down(self, ms: u32) -> Self {
        self.standing(Standing::CoolingDown(ms))
    }

    /// Leaves it alone for so many milliseconds after an outage.
    #[must_use]
    pub fn tripped(self, ms: u32) -> Self {
        self.standing(Standing::Tripped(ms))
    }

    /// Takes it out.
    #[must_use]
    pub fn disabled(self) -> Self {
        self.standing(Standing::Disabled)
    }

    /// Makes it fail so many times running.
    #[must_use]
    pub fn consecutive_failures(self, failures: u32) -> Self {
        self.with_state(|state| state.consecutive_failures = failures)
    }

    /// Sets the share of its latest attempts that were served.
    #[must_use]
    pub fn success_rate(self, share: f32) -> Self {
        self.with_state(|state| state.success_rate = share)
    }

    /// Sets how many requests are under way there.
    #[must_use]
    pub fn in_flight(self, requests: u32) -> Self {
        self.with_state(|state| state.in_flight = requests)
    }

    /// Sets the milliseconds to its first token.
    #[must_use]
    pub fn first_token_ms(self, ms: f32) -> Self {
        self.with_state(|state| state.first_token_ms = Some(ms))
    }

    /// Sets the share of its quota that is left.
    #[must_use]
    pub fn quota_left(self, share: f32) -> Self {
        self.with_state(|state| state.quota_left = Some(share))
    }

    fn with_target(mut self, change: impl FnOnce(&mut Target)) -> Self {
        let Some(target) = self.targets.last_mut() else { panic!("there is no target yet") };
        change(target);
        self
    }

    fn with_state(mut self, change: impl FnOnce(&mut State)) -> Self {
        let Some(state) = self.question.states.last_mut() else { panic!("there is no target yet") };
        change(state);
        self
    }

    fn place(&self, name: &str) -> u32 {
        let found = self.targets.iter().zip(0..).find(|(target, _)| target.is_named(name));
        let Some((_, place)) = found else { panic!("there is no target `{name}`") };
        place
    }
}

/// What the strategy makes of it.
impl Situation {
    /// The strategy, configured for it.
    ///
    /// # Errors
    /// What the strategy has against its options.
    pub fn configure<S: Strategy>(&self) -> Result<S, String> {
        S::configure(&self.roster(), crate::read_options(&self.options)?)
    }

    /// The strategy's decision.
    #[must_use]
    pub fn decide<S: Strategy>(&self) -> Decision {
        match self.configure::<S>() {
            Ok(strategy) => strategy.next(&Ask::new(&self.roster(), &self.question)),
            Err(error) => panic!("the options are refused: {error}"),
        }
    }

    /// What is chosen, in words: `groq/llama`, `groq/llama after 250 ms`, `groq/llama, hedged after 800 ms`, `hold`,
    /// `give up`.
    #[must_use]
    pub fn chosen<S: Strategy>(&self) -> String {
        self.describe(&self.decide::<S>())
    }

    /// What is chosen, and why: `groq/llama (primary)`.
    #[must_use]
    pub fn answer<S: Strategy>(&self) -> String {
        let decision = self.decide::<S>();
        let reason = decision.reason.as_deref().unwrap_or("no reason");
        [&self.describe(&decision), " (", reason, ")"].concat()
    }

    /// Everything that is chosen, up to the end of the request, when every attempt fails like this and the host never
    /// changes what it thinks of a target.
    #[must_use]
    pub fn course<S: Strategy>(&self, failure: Failure) -> Vec<String> {
        let mut situation = self.clone();
        let mut course = Vec::new();
        loop {
            let decision = situation.decide::<S>();
            course.push(situation.describe(&decision));
            let Verdict::Attempt(attempt) = decision.verdict else { return course };
            assert!(course.len() < 1_000, "the strategy never gives up");
            situation.record(attempt.target, failure);
            situation.question.note = decision.note;
        }
    }

    /// The roster.
    #[must_use]
    pub fn roster(&self) -> Roster {
        Roster::new(self.targets.clone())
    }

    /// The question.
    #[must_use]
    pub const fn question(&self) -> &Question {
        &self.question
    }

    /// Counts a failed attempt, as the host does.
    fn record(&mut self, target: u32, failure: Failure) {
        let attempt = PastAttempt { target, failure, took_ms: 100, retry_after_ms: None };
        let question = &mut self.question;
        if question.attempts.iter().any(|past| past.target == target) {
            question.retries_left = question.retries_left.saturating_sub(1);
        }
        question.attempts_left = question.attempts_left.saturating_sub(1);
        question.attempts.push(attempt);
    }

    fn describe(&self, decision: &Decision) -> String {
        let attempt = match decision.verdict {
            Verdict::Attempt(attempt) => attempt,
            Verdict::Hold => return "hold".to_owned(),
            Verdict::GiveUp => return "give up".to_owned(),
        };
        let target = usize::try_from(attempt.target).ok().and_then(|place| self.targets.get(place));
        let name = target.map_or_else(|| "nobody".to_owned(), |target| format!("{}/{}", target.provider, target.model));
        let wait = if attempt.after_ms == 0 { String::new() } else { format!(" after {} ms", attempt.after_ms) };
        let hedge = attempt.hedge_after_ms.map_or_else(String::new, |ms| format!(", hedged after {ms} ms"));
        format!("{name}{wait}{hedge}")
    }
}
