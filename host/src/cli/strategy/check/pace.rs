//! What decisions of one size take: time, fuel, memory.

use std::time::Duration;

use backstop::clock::{Clock, Moment, SystemClock};
use backstop::config::SandboxConfig;
use backstop::strategy::{Effort, Strategy};
use backstop::types::Ask;

use super::finding::Finding;

/// Calls that a decision's time is averaged over. As many come first: interpreters grow until they have their working set.
const CALLS: u32 = 500;

/// Calls that an instance lives for; what it has leaked by then must fit.
const LIFETIME_CALLS: usize = 100_000;

/// What one decision takes, instance warm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// Targets it chooses among.
    pub(super) candidates: usize,
    /// Time of one decision.
    pub(super) time: Duration,
    /// Fuel of the latest decision, memory after it.
    pub(super) effort: Effort,
    /// Bytes that memory grew by within [`CALLS`].
    pub(super) growth: usize,
}

impl Pace {
    /// Takes the pace; `None` where the question is not answered, which its finding tells.
    pub(super) fn of(strategy: &Strategy, question: &Ask) -> Option<Self> {
        let before = run(strategy, question)?;
        let clock = SystemClock::start();
        let after = run(strategy, question)?;
        let time = clock.now().since(Moment::START) / CALLS;
        let growth = after.memory.saturating_sub(before.memory);
        Some(Self { candidates: question.states.len(), time, effort: after, growth })
    }

    /// That an instance would outgrow its memory before it is replaced.
    pub(super) fn leak(&self, sandbox: &SandboxConfig) -> Option<Finding> {
        let each = self.growth / CALLS as usize;
        let at_end = self.effort.memory.saturating_add(each.saturating_mul(LIFETIME_CALLS));
        (at_end > sandbox.memory).then(|| {
            let fault = format!(
                "its memory grows by {each} bytes with each decision among {}, and an instance answers {LIFETIME_CALLS}: \
                 free what a question brought",
                self.candidates
            );
            Finding::problem("memory".to_owned(), fault)
        })
    }
}

fn run(strategy: &Strategy, question: &Ask) -> Option<Effort> {
    (0..CALLS).map(|_| strategy.measure(question).ok().map(|(_, effort)| effort)).last()?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown_by(growth: usize) -> Option<Finding> {
        let effort = Effort { fuel: 1, memory: 1 << 20 };
        Pace { candidates: 8, time: Duration::ZERO, effort, growth }.leak(&SandboxConfig::default())
    }

    #[test]
    fn finds_memory_that_would_run_out_before_its_instance_is_replaced() {
        assert_eq!(grown_by(0), None);
        assert_eq!(grown_by(65_536), None);
        assert!(grown_by(1 << 20).unwrap().fault.unwrap().contains("grows by 2097 bytes"));
    }
}
