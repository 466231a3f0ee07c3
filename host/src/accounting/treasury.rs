//! Keeps the money of budgets for good, and lends it out in slices: what the ledger is to the guard.

use std::sync::{Arc, Weak};

use tokio::sync::oneshot;

use crate::types::{NanoUsd, RequestId, TargetName, Usage};

use super::account::Account;

/// Lends slices of budgets, and enters what was spent of them. None of its methods waits for a disk.
pub trait Treasury: Send + Sync {
    /// Says who holds the slices. There is one holder, for as long as the treasury is open.
    fn attach(&self, holder: Weak<dyn Holder>);

    /// Enters what an attempt cost. It is on disk a moment later.
    fn post(&self, posting: Posting);

    /// Asks for more. Each answer is put into the holder's hands; the receiver ends when all of them are, or with an error
    /// where nothing can be lent any more.
    fn ask(&self, asks: Vec<Ask>) -> oneshot::Receiver<()>;

    /// Asks for more ahead of time, and does not wait.
    fn top_up(&self, asks: Vec<Ask>);

    /// Takes back what the holder had, which is no more.
    fn take_back(&self, slices: Vec<Slice>);
}

/// Whoever spends slices, in memory.
pub trait Holder: Send + Sync {
    /// Takes an answer.
    fn put(&self, lent: Lent);

    /// Gives back what is neither spent nor reserved.
    fn give_back(&self, which: Back<'_>) -> Vec<Slice>;

    /// Whether anything is held that could be given back.
    fn holds_any(&self) -> bool;

    /// Nothing more can be lent for now, for this reason: what is lent may be spent.
    fn starve(&self, why: Arc<str>);

    /// Nothing can be lent or entered any more, for this reason: nobody may spend.
    fn shut(&self, why: Arc<str>);

    /// All is well again.
    fn reopen(&self);
}

/// Which accounts something is to be given back of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back<'a> {
    /// These, which others wait for.
    Wanted(&'a [Account]),
    /// Those that nothing was spent of since this was asked before.
    Idle,
    /// All.
    All,
}

/// A wish for money of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Whose.
    pub account: Arc<Account>,
    /// What may be spent of it in all.
    pub limit: NanoUsd,
    /// What is needed.
    pub need: Need,
}

/// What is needed of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// At least so much: a request waits, and is refused without it.
    Now(NanoUsd),
    /// Something, before a request has to wait.
    Ahead,
    /// Only to know how the account stands.
    News,
}

/// The answer to an [`Ask`], and news of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lent {
    /// Whose.
    pub account: Arc<Account>,
    /// So much more.
    pub granted: NanoUsd,
    /// Why it is less than was needed, where it is.
    pub refused: Option<Refusal>,
    /// What was spent of it, but for what its holder has entered itself.
    pub spent_elsewhere: NanoUsd,
    /// What other processes hold of it.
    pub lent_elsewhere: NanoUsd,
}

/// Why something is not lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No more than so much can be lent.
    Beyond(NanoUsd),
    /// Whoever knows cannot be asked now.
    Unknown,
}

/// An amount of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Whose.
    pub account: Arc<Account>,
    /// How much.
    pub amount: NanoUsd,
}

/// What an attempt cost, for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// The request it was made for.
    pub request: RequestId,
    /// Its route.
    pub route: Arc<str>,
    /// Who was asked.
    pub target: Arc<TargetName>,
    /// The gateway's key that it came with, by its name.
    pub key: Option<Arc<str>>,
    /// The caller's words about it.
    pub labels: Arc<[(String, String)]>,
    /// The day it counts in: days since 1970.
    pub day: i32,
    /// How the cost came about.
    pub kind: PostingKind,
    /// What it cost.
    pub cost: NanoUsd,
    /// What the provider counted.
    pub usage: Usage,
    /// Answers it brought: one, or none.
    pub answers: u32,
    /// The accounts whose slices it was reserved from.
    pub held: Vec<Arc<Account>>,
}

/// How a cost came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostingKind {
    /// The provider's own count.
    Exact,
    /// The worst case.
    Uncertain,
    /// The provider's own count, which is more than the worst case.
    Overrun,
}
