//! The money a period may spend: its whole limit, or the slices of it that a ledger has lent to this process.

use crate::accounting::{Lent, Refusal};
use crate::types::NanoUsd;

/// What this process has spent and reserved of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Held {
    pub(super) spent: NanoUsd,
    pub(super) reserved: NanoUsd,
}

/// Where a period's money comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Funds {
    /// There is nobody else: all that the limit allows.
    #[default]
    Own,
    /// A ledger lends it, so that the limit holds for all processes together, and after this one.
    Lent(Loan),
}

/// What a ledger has lent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Loan {
    /// In all. What this process has spent in all comes off it.
    granted: NanoUsd,
    spent_elsewhere: NanoUsd,
    lent_elsewhere: NanoUsd,
    /// Until there is news, this holds for more than what is lent.
    refused: Option<Refused>,
    /// Whether more was asked for ahead of time.
    is_asked: bool,
    /// The largest amount lent at once, by which "soon used up" is measured.
    latest: NanoUsd,
    /// Whether anything was reserved or spent since slices were asked back last.
    is_touched: bool,
}

/// What the ledger has said of more money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// This level is the highest that it can lend for: more is over budget.
    Above(NanoUsd),
    /// It cannot tell.
    Unknown,
}

/// Why money is not at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    /// More has to be asked for.
    Short,
    /// There is no more: so much is held by other processes.
    Over { lent_elsewhere: NanoUsd },
    /// Nobody can tell whether there is more.
    Unknown,
}

impl Held {
    pub(super) fn used(self) -> NanoUsd {
        self.spent.saturating_add(self.reserved)
    }
}

impl Funds {
    /// The same, lent from now on; nothing is lent yet.
    pub(super) fn lent(&self) -> Self {
        match self {
            Self::Own => Self::Lent(Loan::default()),
            Self::Lent(loan) => Self::Lent(loan.clone()),
        }
    }

    pub(super) fn spent_elsewhere(&self) -> NanoUsd {
        match self {
            Self::Own => NanoUsd::ZERO,
            Self::Lent(loan) => loan.spent_elsewhere,
        }
    }

    /// Whether there is so much at hand.
    ///
    /// # Errors
    /// What stands in the way.
    pub(super) fn check(&self, held: Held, amount: NanoUsd) -> Result<(), Lack> {
        let Self::Lent(loan) = self else { return Ok(()) };
        let level = held.used().saturating_add(amount);
        if level <= loan.granted {
            return Ok(());
        }
        Err(match loan.refused {
            Some(Refused::Above(highest)) if level > highest => Lack::Over { lent_elsewhere: loan.lent_elsewhere },
            Some(Refused::Unknown) => Lack::Unknown,
            Some(Refused::Above(_)) | None => Lack::Short,
        })
    }

    /// What is missing at hand for so much; `None` where nothing is.
    pub(super) fn missing(&self, held: Held, amount: NanoUsd) -> Option<NanoUsd> {
        let Self::Lent(loan) = self else { return None };
        let level = held.used().saturating_add(amount);
        (level > loan.granted).then(|| level.saturating_sub(loan.granted))
    }

    /// Whether more is to be asked for now, so that the next requests need not wait; told once.
    pub(super) fn is_thirsty(&mut self, held: Held, amount: NanoUsd) -> bool {
        let Self::Lent(loan) = self else { return false };
        let rest = loan.granted.saturating_sub(held.used());
        let soon = amount.max(NanoUsd::from_nanos(loan.latest.nanos() / 2));
        if loan.is_asked || rest >= soon {
            return false;
        }
        loan.is_asked = true;
        true
    }

    pub(super) fn put(&mut self, lent: &Lent) {
        let Self::Lent(loan) = self else { return };
        loan.granted = loan.granted.saturating_add(lent.granted);
        loan.spent_elsewhere = lent.spent_elsewhere;
        loan.lent_elsewhere = lent.lent_elsewhere;
        loan.refused = lent.refused.map(|refusal| match refusal {
            Refusal::Beyond(beyond) => Refused::Above(loan.granted.saturating_add(beyond)),
            Refusal::Unknown => Refused::Unknown,
        });
        if lent.granted > NanoUsd::ZERO {
            // Where nothing was left to lend, asking ahead again and again would be of no use.
            loan.is_asked = false;
            loan.latest = lent.granted;
        }
    }

    pub(super) fn forget_refusal(&mut self) {
        if let Self::Lent(loan) = self {
            loan.refused = None;
            loan.is_asked = false;
        }
    }

    pub(super) fn touch(&mut self) {
        if let Self::Lent(loan) = self {
            loan.is_touched = true;
        }
    }

    /// What is at hand and not reserved.
    pub(super) fn rest(&self, held: Held) -> NanoUsd {
        match self {
            Self::Own => NanoUsd::ZERO,
            Self::Lent(loan) => loan.granted.saturating_sub(held.used()),
        }
    }

    /// Gives back what is neither spent nor reserved.
    pub(super) fn give_back(&mut self, held: Held) -> NanoUsd {
        let rest = self.rest(held);
        let Self::Lent(loan) = self else { return NanoUsd::ZERO };
        loan.granted = loan.granted.saturating_sub(rest);
        loan.is_asked = false;
        loan.latest = NanoUsd::ZERO;
        rest
    }

    /// Whether nothing was reserved or spent since this was asked before.
    pub(super) fn is_idle(&mut self) -> bool {
        match self {
            Self::Own => true,
            Self::Lent(loan) => !std::mem::take(&mut loan.is_touched),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::accounting::{Account, Scope, Window};

    fn nanos(nanos: u64) -> NanoUsd {
        NanoUsd::from_nanos(nanos)
    }

    fn lent(granted: u64, beyond: Option<u64>) -> Lent {
        Lent {
            account: Arc::new(Account { scope: Scope::Everything, window: Window::Day, period: 1 }),
            granted: nanos(granted),
            refused: beyond.map(|beyond| Refusal::Beyond(nanos(beyond))),
            spent_elsewhere: nanos(5),
            lent_elsewhere: nanos(7),
        }
    }

    fn held(spent: u64, reserved: u64) -> Held {
        Held { spent: nanos(spent), reserved: nanos(reserved) }
    }

    #[test]
    fn spends_what_is_lent_and_asks_for_what_is_missing() {
        let mut funds = Funds::Own.lent();
        assert_eq!(funds.check(held(0, 0), nanos(3)), Err(Lack::Short));
        assert_eq!(funds.missing(held(0, 0), nanos(3)), Some(nanos(3)));

        funds.put(&lent(10, None));

        assert_eq!(funds.check(held(4, 3), nanos(3)), Ok(()));
        assert_eq!(funds.missing(held(4, 3), nanos(5)), Some(nanos(2)));
    }

    #[test]
    fn is_refused_more_than_can_be_lent_until_there_is_news() {
        let mut funds = Funds::Own.lent();
        funds.put(&lent(10, Some(1)));

        let checks = [1, 2, 3].map(|amount| funds.check(held(8, 1), nanos(amount)));
        funds.put(&lent(0, None));

        assert_eq!(checks, [Ok(()), Err(Lack::Short), Err(Lack::Over { lent_elsewhere: nanos(7) })]);
        assert_eq!(funds.check(held(8, 1), nanos(3)), Err(Lack::Short));
    }

    #[test]
    fn spends_what_is_at_hand_while_nobody_can_tell_whether_there_is_more() {
        let mut funds = Funds::Own.lent();
        funds.put(&lent(10, None));
        funds.put(&Lent { refused: Some(Refusal::Unknown), ..lent(0, None) });

        assert_eq!(funds.check(held(8, 1), nanos(1)), Ok(()));
        assert_eq!(funds.check(held(8, 1), nanos(2)), Err(Lack::Unknown));

        funds.put(&lent(0, None));
        assert_eq!(funds.check(held(8, 1), nanos(2)), Err(Lack::Short));
    }

    #[test]
    fn gives_back_what_nobody_needs() {
        let mut funds = Funds::Own.lent();
        funds.put(&lent(10, None));
        funds.touch();

        let idle = [funds.is_idle(), funds.is_idle()];
        let given = [funds.give_back(held(2, 3)), funds.give_back(held(2, 3))];

        assert_eq!((idle, given), ([false, true], [nanos(5), nanos(0)]));
        assert_eq!(funds.check(held(2, 3), nanos(1)), Err(Lack::Short));
    }

    #[test]
    fn asks_ahead_once_when_half_of_the_latest_slice_is_gone() {
        let mut funds = Funds::Own.lent();
        funds.put(&lent(10, None));

        let asks = [(5, 0), (5, 1), (6, 0)].map(|(spent, reserved)| funds.is_thirsty(held(spent, reserved), nanos(1)));

        assert_eq!(asks, [false, true, false]);
    }
}
