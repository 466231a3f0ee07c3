//! `hostile`: misbehaves in the way its option says, for tests of the host. It is no part of what is shipped.

// The point of this guest is to do what one should not.
#![allow(clippy::infinite_loop, unconditional_recursion, reason = "see above")]

mod mode;
mod spy;

use std::cell::Cell;
use std::hint::black_box;

use backstop_strategy::{Ask, Attempt, Decision, Roster, Select, Strategy, Verdict, Wait, export, options};

use mode::Mode;

options! {
    /// What `hostile` can be told.
    struct Options {
        /// How to misbehave.
        mode: Mode = Mode::Trap,
        /// Misbehave on so many calls only, counted by each instance, and behave after that; 0 is for ever.
        calls: u32 = 0,
        /// Behave while being proven, which the host does with a question of 1 January 1970, and misbehave in earnest only.
        after_proof: bool = false,
        /// The text `spy` looks for, written backwards, so that it does not find these options.
        backwards: String = String::new(),
        /// How long `long-delay` wants to wait.
        delay: Wait = Wait::from_ms(u32::MAX),
    }
}

/// Misbehaves.
struct Hostile {
    options: Options,
    calls: Cell<u32>,
}

export!(Hostile);

impl Strategy for Hostile {
    type Options = Options;

    fn configure(_: &Roster, options: Options) -> Result<Self, String> {
        match options.mode {
            Mode::ConfigureError => return Err("these options are not to my taste".to_owned()),
            Mode::ConfigureHugeError => return Err("no ".repeat(333_334)),
            Mode::ConfigureTrap => std::process::abort(),
            Mode::ConfigureLoop => spin(),
            Mode::ConfigureGrow => grow(),
            _ => {}
        }
        Ok(Self { options, calls: Cell::new(0) })
    }

    fn next(&self, ask: &Ask<'_>) -> Decision {
        let call = self.calls.replace(self.calls.get().saturating_add(1));
        let is_proof = self.options.after_proof && ask.now_ms == 0;
        if is_proof || (self.options.calls != 0 && call >= self.options.calls) {
            return well_behaved(ask);
        }
        match self.options.mode {
            Mode::Trap => std::process::abort(),
            Mode::Loop => spin(),
            Mode::Recurse => Decision::attempt_at(recurse(black_box(0))),
            Mode::GrowMemory => grow(),
            Mode::OutOfRange => Decision::attempt_at(u32::MAX),
            Mode::LongNote => well_behaved(ask).with_note(vec![b'n'; 257]),
            Mode::HugeNote => well_behaved(ask).with_note(vec![b'n'; 1_000_000]),
            Mode::HugeReason => well_behaved(ask).because("r".repeat(1_000_000)),
            Mode::AnsiReason => well_behaved(ask).because("\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31mred\r\n\0\u{202e}"),
            Mode::NotUtf8 => well_behaved(ask).because(mode::not_utf8()),
            Mode::WildPointer => well_behaved(ask).because(mode::wild_text()),
            Mode::WildNote => well_behaved(ask).with_note(mode::wild_bytes()),
            Mode::LongDelay => well_behaved(ask).after_ms(self.options.delay.ms()),
            Mode::PastDeadline => well_behaved(ask).after_ms(ask.remaining_ms.unwrap_or(u32::MAX).saturating_add(1)),
            Mode::NoTime => well_behaved(ask).timeout_ms(0),
            Mode::HedgeAtOnce => well_behaved(ask).hedge_after_ms(0),
            Mode::HoldForever => Decision::hold(),
            Mode::AlwaysGiveUp => Decision::give_up(),
            Mode::AlwaysFirst => Decision::attempt_at(0),
            Mode::AlwaysLast => {
                Decision::attempt_at(u32::try_from(ask.candidates().len()).unwrap_or(1).saturating_sub(1))
            }
            Mode::NeverReady => {
                ask.candidates().find(|c| !c.is_ready()).map_or(Decision::attempt_at(0), |c| Decision::attempt(&c))
            }
            Mode::SameAgain => ask.last_tried().map_or_else(|| well_behaved(ask), |tried| Decision::attempt(&tried)),
            Mode::DifferentEachCall => different(ask, call),
            Mode::Spy => {
                well_behaved(ask).because(if spy::has_seen(&self.options.backwards) { "seen" } else { "not seen" })
            }
            Mode::ConfigureError
            | Mode::ConfigureHugeError
            | Mode::ConfigureTrap
            | Mode::ConfigureLoop
            | Mode::ConfigureGrow => well_behaved(ask),
        }
    }
}

/// What a plain strategy would say.
fn well_behaved(ask: &Ask<'_>) -> Decision {
    let next = ask.candidates().ready().untried().next();
    next.map_or_else(Decision::give_up, |candidate| Decision::attempt(&candidate))
}

/// Something else each time, for the same question: what a strategy with a memory does.
fn different(ask: &Ask<'_>, call: u32) -> Decision {
    let count = u32::try_from(ask.candidates().len()).unwrap_or(u32::MAX).max(1);
    match call % 4 {
        0 => Decision::attempt_at(call % count),
        1 => Decision::hold(),
        2 => Decision {
            verdict: Verdict::Attempt(Attempt {
                target: call % count,
                after_ms: call,
                timeout_ms: None,
                hedge_after_ms: Some(call),
            }),
            ..Decision::hold()
        },
        _ => well_behaved(ask),
    }
}

/// Never ends.
fn spin() -> ! {
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Uses up the stack.
#[inline(never)]
fn recurse(depth: u32) -> u32 {
    let frame = black_box([depth; 16]);
    recurse(black_box(depth.wrapping_add(1))).wrapping_add(frame.iter().sum())
}

/// Takes memory for as long as there is any.
fn grow() -> ! {
    loop {
        black_box(Vec::<u8>::with_capacity(1 << 20).leak().as_ptr());
    }
}

#[cfg(test)]
mod tests {
    use backstop_strategy::testing::Situation;

    use super::{Hostile, Mode};

    fn in_mode(mode: &str) -> Situation {
        let options = format!(r#"{{"mode": "{mode}", "calls": 1}}"#);
        Situation::new().target("a/x").cooling_down(5).target("b/x").options(&options)
    }

    #[test]
    fn misbehaves_as_it_is_told() {
        assert_eq!(in_mode("out-of-range").chosen::<Hostile>(), "nobody");
        assert_eq!(in_mode("always-first").chosen::<Hostile>(), "a/x");
        assert_eq!(in_mode("hold-forever").chosen::<Hostile>(), "hold");
        assert_eq!(in_mode("long-note").decide::<Hostile>().note.len(), 257);
        assert_eq!(in_mode("huge-reason").decide::<Hostile>().reason.unwrap().len(), 1_000_000);
        assert_eq!(
            in_mode("configure-error").configure::<Hostile>().err().unwrap(),
            "these options are not to my taste"
        );
    }

    #[test]
    fn behaves_once_it_has_misbehaved_often_enough() {
        let situation = in_mode("out-of-range");
        let (strategy, roster) = (situation.configure::<Hostile>().unwrap(), situation.roster());
        let ask = backstop_strategy::Ask::new(&roster, situation.question());

        let targets = [(); 3].map(|()| backstop_strategy::Strategy::next(&strategy, &ask).verdict);

        assert_ne!(targets[0], targets[1]);
        assert_eq!(targets[1], backstop_strategy::Decision::attempt_at(1).verdict);
        assert_eq!(targets[1], targets[2]);
    }

    #[test]
    fn behaves_while_it_is_proven_where_told_to() {
        let situation = in_mode("out-of-range").options(r#"{"mode": "out-of-range", "after_proof": true}"#);
        let (strategy, roster) = (situation.configure::<Hostile>().unwrap(), situation.roster());
        let proof = backstop_strategy::Question { now_ms: 0, ..situation.question().clone() };

        let proven = backstop_strategy::Strategy::next(&strategy, &backstop_strategy::Ask::new(&roster, &proof));

        assert_eq!(proven.verdict, backstop_strategy::Decision::attempt_at(1).verdict);
        assert_eq!(situation.chosen::<Hostile>(), "nobody");
    }

    #[test]
    fn lists_every_mode_in_its_schema() {
        let schema = backstop_strategy::schema_of::<super::Options>();

        for (name, _) in Mode::ALL {
            assert!(schema.contains(&format!("\"{name}\"")), "{name}");
        }
    }
}
