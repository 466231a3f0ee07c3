//! How an account stands, for this ledger and those it shares a store with.

use std::sync::Arc;

use crate::accounting::Ask;

/// What is asked for of an account. Nano-dollars.
pub(super) struct Claim {
    pub(super) limit: i64,
    /// What was spent, and what is lent.
    pub(super) spent: i64,
    pub(super) lent: i64,
    /// So much is needed, and so much is welcome: nothing where only the standing is asked for.
    pub(super) least: i64,
    pub(super) desired: i64,
    /// Whether it is waited for.
    pub(super) waits: bool,
}

/// How an account stands. Nano-dollars.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Standing {
    /// What can be lent now.
    pub(super) spare: i64,
    /// What is free besides, in a store that this ledger shares with others.
    pub(super) free: i64,
    /// What the others have spent, and what they hold.
    pub(super) spent_elsewhere: i64,
    pub(super) held_elsewhere: i64,
    /// Whether one of the others waits.
    pub(super) is_wanted: bool,
    pub(super) funds: Source,
}

impl Standing {
    /// Nobody else lends of it.
    pub(super) fn alone(claim: &Claim) -> Self {
        Self { spare: claim.limit.saturating_sub(claim.spent).saturating_sub(claim.lent).max(0), ..Self::default() }
    }
}

/// Where a ledger's money comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Source {
    /// There is more of it, or there is not.
    #[default]
    Sure,
    /// It lends nothing yet, since it has begun anew.
    New,
    /// It does not answer.
    Silent,
}

/// What a store that lends to several ledgers has said.
pub(super) enum Report {
    /// How the accounts stand is to be asked anew, where others have changed anything.
    Heard { news: Vec<Ask> },
    /// Nothing, and not for long enough that it would matter.
    Silent,
    /// Nothing for so long that nothing may be spent any more.
    CutOff(Arc<str>),
}
