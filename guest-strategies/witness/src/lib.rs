//! `witness`: uses every power and tells what it saw, for tests of the host. It is no part of what is shipped.

// Some of what it does is what one should not.
#![allow(clippy::infinite_loop, reason = "see above")]

use std::hint::black_box;

use backstop_strategy::powers::{content, log, state};
use backstop_strategy::{
    Ask, Decision, Observe, OptionValue, Outcome, Roster, Select, Strategy, Value, export, options,
};

options! {
    /// What `witness` can be told.
    struct Options {
        /// What it does beside deciding.
        mode: Mode = Mode::Tell,
    }
}

/// What it does beside deciding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Tells of the messages as its reason, notes each outcome, and writes a line for each.
    Tell,
    /// Counts its questions in its state, as careful as one has to be there.
    Count,
    /// Writes a million keys.
    FloodState,
    /// Writes ten million lines.
    FloodLog,
    /// Writes a line that would take over a terminal.
    AnsiLog,
    /// Reads its messages without end.
    FloodContent,
    /// Traps on each outcome.
    TrapOnOutcome,
    /// Never finishes with an outcome.
    LoopOnOutcome,
}

/// Bears witness.
struct Witness(Mode);

export!(Witness: Observe);

impl Strategy for Witness {
    type Options = Options;

    fn configure(_: &Roster, options: Options) -> Result<Self, String> {
        Ok(Self(options.mode))
    }

    fn next(&self, ask: &Ask<'_>) -> Decision {
        let next = ask.candidates().ready().untried().idle().next();
        let decision = match (next, ask.in_flight.is_empty()) {
            // Hedged after 100 ms, so that there are losers to be told of.
            (Some(candidate), true) => Decision::attempt(&candidate).hedge_after_ms(100),
            (Some(candidate), false) => Decision::attempt(&candidate),
            (None, true) => Decision::give_up(),
            (None, false) => Decision::hold(),
        };
        match self.0 {
            Mode::Tell => decision.because(messages()),
            Mode::Count => decision.because(count().to_string()),
            // What the host does to prove a strategy is no request.
            _ if ask.now_ms == 0 => decision,
            Mode::FloodState => {
                let refused = (0..1_000_000).filter(|n| state::set(&format!("{n}"), b"x").is_err()).count();
                decision.because(format!("{refused} refused"))
            }
            Mode::FloodLog => {
                (0..10_000_000).for_each(|n| log::info(&format!("line {n}")));
                decision
            }
            Mode::AnsiLog => {
                log::warn("\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31mred\u{1b}[0m\r\nlevel=error second line\u{202e}");
                decision
            }
            Mode::FloodContent => loop {
                black_box(content::message(0, u32::MAX));
            },
            Mode::TrapOnOutcome | Mode::LoopOnOutcome => decision,
        }
    }
}

impl Observe for Witness {
    fn observe(&self, roster: &Roster, outcome: &Outcome) {
        match self.0 {
            Mode::TrapOnOutcome => std::process::abort(),
            Mode::LoopOnOutcome => loop {
                black_box(outcome);
            },
            Mode::Count => return,
            _ => {}
        }
        let target = roster.target(outcome.target).map_or_else(String::new, backstop_strategy::Target::name);
        let Outcome { sequence, end, took_ms, first_token_ms, cost, streaming, .. } = outcome;
        let tokens = (outcome.input_tokens, outcome.output_tokens);
        let told = format!(
            "{sequence} {target} {end:?} took {took_ms} first {first_token_ms:?} cost {cost:?} tokens {tokens:?} \
             streaming {streaming} labels {:?}",
            outcome.labels
        );
        log::info(&told);
        let [noted] = state::numbers("noted");
        let _ = state::set(&format!("outcome {noted:04}"), told.as_bytes());
        let _ = state::set_numbers("noted", &[noted + 1.0]);
    }
}

/// How many messages there are, and what is said in the last.
fn messages() -> String {
    content::last(100).map_or_else(
        || "no messages".to_owned(),
        |last| format!("{} messages, {} of {} bytes: {}", content::count(), last.role, last.text_bytes, last.text),
    )
}

/// Counts a question, whoever else does so at the same time.
fn count() -> u64 {
    loop {
        let before = state::get("count");
        let counted = before.as_deref().and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        if state::swap("count", before.as_deref(), &(counted + 1).to_le_bytes()) != Ok(false) {
            return counted + 1;
        }
    }
}

impl Mode {
    const ALL: [(&str, Self); 8] = [
        ("tell", Self::Tell),
        ("count", Self::Count),
        ("flood-state", Self::FloodState),
        ("flood-log", Self::FloodLog),
        ("ansi-log", Self::AnsiLog),
        ("flood-content", Self::FloodContent),
        ("trap-on-outcome", Self::TrapOnOutcome),
        ("loop-on-outcome", Self::LoopOnOutcome),
    ];
}

impl OptionValue for Mode {
    const EXPECTED: &'static str = "one of the modes in its sources";
    const SCHEMA: &'static str = r#""type":"string""#;

    fn read(value: &Value) -> Option<Self> {
        Self::ALL.into_iter().find(|(name, _)| Some(*name) == value.as_str()).map(|(_, mode)| mode)
    }

    fn to_json(&self) -> String {
        let name = Self::ALL.into_iter().find(|(_, mode)| mode == self).map_or("", |(name, _)| name);
        Value::from(name).to_string()
    }
}

#[cfg(test)]
mod tests {
    use backstop_strategy::End;
    use backstop_strategy::powers::state;
    use backstop_strategy::testing::{Situation, forget, show};

    use super::Witness;

    #[test]
    fn tells_what_it_saw() {
        forget();
        show(&[("user", "hi")]);
        let situation = Situation::new().target("a/x");

        situation.observed::<Witness>("a/x", End::Served, 7, None);

        assert_eq!(situation.answer::<Witness>(), "a/x, hedged after 100 ms (1 messages, user of 2 bytes: hi)");
        let told = String::from_utf8(state::get("outcome 0000").unwrap()).unwrap();
        assert!(told.starts_with("0 a/x Served took 7 "), "{told}");
    }
}
