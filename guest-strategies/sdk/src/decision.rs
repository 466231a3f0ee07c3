//! A strategy's answer.

use crate::Candidate;

/// Send the request to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The target's place in the roster.
    pub target: u32,
    /// Wait so many milliseconds before sending. More than what remains until the deadline is nonsense.
    pub after_ms: u32,
    /// Give the attempt up after so many milliseconds; the operator's own timeouts hold all the same.
    pub timeout_ms: Option<u32>,
    /// If no token has come after so many milliseconds, ask again for a second target while this attempt goes on.
    pub hedge_after_ms: Option<u32>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send the request to a target.
    Attempt(Attempt),
    /// Go on waiting for what is in flight.
    Hold,
    /// The request has failed.
    GiveUp,
}

/// What to do next, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What to do.
    pub verdict: Verdict,
    /// A short sentence for people.
    pub reason: Option<String>,
    /// At most 256 bytes that come back with the next question about the same request.
    pub note: Vec<u8>,
}

impl Decision {
    /// Sends the request to this candidate, at once.
    #[must_use]
    pub const fn attempt(candidate: &Candidate<'_>) -> Self {
        Self::attempt_at(candidate.index())
    }

    /// Sends the request to the target at this place in the roster, at once.
    #[must_use]
    pub const fn attempt_at(target: u32) -> Self {
        Self::of(Verdict::Attempt(Attempt { target, after_ms: 0, timeout_ms: None, hedge_after_ms: None }))
    }

    /// Goes on waiting for what is in flight.
    #[must_use]
    pub const fn hold() -> Self {
        Self::of(Verdict::Hold)
    }

    /// Ends the request: the caller is told of every attempt.
    #[must_use]
    pub const fn give_up() -> Self {
        Self::of(Verdict::GiveUp)
    }

    /// Waits so many milliseconds before sending. Of no effect where nothing is sent, as with the two below.
    #[must_use]
    pub fn after_ms(self, after_ms: u32) -> Self {
        self.with_attempt(|attempt| Attempt { after_ms, ..attempt })
    }

    /// Gives the attempt up after so many milliseconds.
    #[must_use]
    pub fn timeout_ms(self, timeout_ms: u32) -> Self {
        self.with_attempt(|attempt| Attempt { timeout_ms: Some(timeout_ms), ..attempt })
    }

    /// Asks again for a second target if no token has come after so many milliseconds.
    #[must_use]
    pub fn hedge_after_ms(self, hedge_after_ms: u32) -> Self {
        self.with_attempt(|attempt| Attempt { hedge_after_ms: Some(hedge_after_ms), ..attempt })
    }

    /// Says why, in a short sentence for people.
    #[must_use]
    pub fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    /// Leaves a note of at most 256 bytes for the next question about the same request.
    #[must_use]
    pub fn with_note(self, note: impl Into<Vec<u8>>) -> Self {
        Self { note: note.into(), ..self }
    }

    const fn of(verdict: Verdict) -> Self {
        Self { verdict, reason: None, note: Vec::new() }
    }

    fn with_attempt(mut self, change: impl FnOnce(Attempt) -> Attempt) -> Self {
        if let Verdict::Attempt(attempt) = self.verdict {
            self.verdict = Verdict::Attempt(change(attempt));
        }
        self
    }
}
