//! The guard's no, with its reason.

use std::time::Duration;

use thiserror::Error;

use super::period::OverBudget;
use crate::types::Standing;

/// Why a target may not be tried now. Durations: until it may, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Denied {
    /// It was rate-limited and is left alone; zero where an emergency may overrule the rest.
    #[error("cooling down for {0:.0?} after a rate limit")]
    CoolingDown(Duration),
    /// Its breaker is open; zero where an emergency may overrule the pause.
    #[error("left alone for {0:.0?} after failing")]
    Tripped(Duration),
    /// Its one probe is under way.
    #[error("another request is trying it at this moment")]
    Probing,
    /// The operator's own limit is used up.
    #[error("the operator's limit for it is used up for {0:.0?}")]
    Limited(Duration),
    /// Its account or daily quota is used up.
    #[error("out of quota for {0:.0?}")]
    OutOfQuota(Duration),
    /// The request would not fit a budget.
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    /// What a ledger has lent to this process of a budget is used up, and more has to be asked for: see [`super::Guard::ask`].
    #[error("its budget waits for the ledger")]
    Short,
    /// The ledger cannot be written, and nothing may be spent that it would not show.
    #[error("the ledger of what is spent cannot be written")]
    LedgerUnavailable,
    /// It has no known price while a budget is set.
    #[error("its price is unknown and a budget is set: give the model a price, or set budget.unknown_price")]
    Unpriced,
    /// The request has images, sounds or files, and nobody has said what one may take at most, while a budget is set.
    #[error(
        "unpriced: what an image, a sound or a file takes there at most is not known and a budget is set: give the model media_tokens"
    )]
    Unmeasured,
    /// The retry budget that all requests share is used up.
    #[error("no same-target retry is left")]
    NoRetriesLeft,
    /// The hedge budget that all requests share is used up.
    #[error("no second attempt in parallel is left")]
    NoHedgesLeft,
    /// It is out until somebody does something about it.
    #[error(transparent)]
    Disabled(#[from] Disabled),
}

/// Why a target is out until somebody does something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Disabled {
    /// The operator switched its provider off.
    #[error("switched off by the operator")]
    SwitchedOff,
    /// Its provider has no key.
    #[error("not initialised: its provider has no key")]
    NotInitialised,
    /// Its provider accepted none of its keys.
    #[error("every key of its provider was rejected")]
    KeysRejected,
    /// Its provider does not have the model.
    #[error("its provider does not have the model")]
    ModelUnknown,
    /// The configuration has no such target.
    #[error("the configuration has no such target")]
    NoSuchTarget,
}

impl Denied {
    /// How a strategy is told.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match *self {
            Self::CoolingDown(wait) => Standing::CoolingDown(ms_up(wait)),
            Self::Tripped(wait) => Standing::Tripped(ms_up(wait)),
            Self::Probing => Standing::Probing,
            Self::Limited(wait) => Standing::Limited(ms_up(wait)),
            Self::OutOfQuota(wait) => Standing::OutOfQuota(ms_up(wait)),
            Self::Short => Standing::Ready,
            Self::OverBudget(_) | Self::Unpriced | Self::Unmeasured | Self::LedgerUnavailable => Standing::OverBudget,
            Self::NoRetriesLeft | Self::NoHedgesLeft => Standing::Spent,
            Self::Disabled(_) => Standing::Disabled,
        }
    }

    /// How long until it may be tried, where that is known.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        match *self {
            Self::CoolingDown(wait) | Self::Tripped(wait) | Self::Limited(wait) | Self::OutOfQuota(wait) => Some(wait),
            Self::Probing
            | Self::OverBudget(_)
            | Self::Short
            | Self::LedgerUnavailable
            | Self::Unpriced
            | Self::Unmeasured
            | Self::NoRetriesLeft
            | Self::NoHedgesLeft
            | Self::Disabled(_) => None,
        }
    }

    /// Whether a request in an emergency is admitted all the same.
    pub(super) fn is_overruled(&self) -> bool {
        match *self {
            Self::CoolingDown(wait) | Self::Tripped(wait) => wait.is_zero(),
            Self::Probing
            | Self::Limited(_)
            | Self::OutOfQuota(_)
            | Self::OverBudget(_)
            | Self::Short
            | Self::LedgerUnavailable
            | Self::Unpriced
            | Self::Unmeasured
            | Self::NoRetriesLeft
            | Self::NoHedgesLeft
            | Self::Disabled(_) => false,
        }
    }
}

// Rounded up: who comes back after so many milliseconds must not come too early.
fn ms_up(wait: Duration) -> u32 {
    u32::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_tells_a_strategy_to_come_too_early() {
        let denied = Denied::CoolingDown(Duration::from_micros(1_001));

        assert_eq!(denied.standing(), Standing::CoolingDown(2));
    }

    #[test]
    fn says_why_in_words() {
        let says = |denied: Denied| denied.to_string();

        assert_eq!(says(Denied::CoolingDown(Duration::from_secs(60))), "cooling down for 60s after a rate limit");
        assert_eq!(says(Denied::Disabled(Disabled::SwitchedOff)), "switched off by the operator");
    }
}
