//! How much is lent at once: about as much as a process spends between two answers, so that few requests wait and little is
//! charged for a process that dies.

use std::time::Duration;

use crate::clock::Moment;

/// Asked again within this, a process was lent too little.
const SOON: Duration = Duration::from_millis(50);

/// Asked again after this, it was lent too much.
const LATE: Duration = Duration::from_millis(500);

/// How much a process takes of an account at a time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Appetite {
    size: i64,
    asked: Option<Moment>,
}

/// What there is to be had of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer {
    /// What is neither spent nor lent.
    pub(super) free: i64,
    /// Processes that may want some of it, this one included.
    pub(super) instances: i64,
    /// Whether another one waits for it.
    pub(super) is_wanted: bool,
}

impl Appetite {
    /// How much to lend to somebody who needs at least so much; `None` where there is not as much. Near the limit it is no more
    /// than is needed, so that several processes can spend the last cent.
    pub(super) fn portion(&mut self, need: i64, offer: Offer, now: Moment) -> Option<i64> {
        if need > offer.free {
            // Who is refused, or waits for others, has shown no appetite.
            return None;
        }
        let since = self.asked.map(|asked| now.since(asked));
        if since == Some(Duration::ZERO) {
            // Many asked at once: the first was lent what lies ahead for all of them.
            return Some(need);
        }
        self.asked = Some(now);
        match since {
            Some(since) if since < SOON => self.size = self.size.saturating_mul(2),
            Some(since) if since > LATE => self.size /= 2,
            Some(_) | None => {}
        }
        self.size = self.size.max(need);
        let share = if offer.is_wanted { 0 } else { offer.free / (2 * offer.instances.max(1)) };
        // Doubling goes on only as long as there is as much to be had.
        self.size = self.size.min(share.max(need));
        Some(self.size.max(need))
    }
}

impl Appetite {
    /// How much is welcome of a store that several ledgers share, for somebody who needs at least so much: room for this portion to
    /// double.
    pub(super) fn welcome(&self, need: i64) -> i64 {
        self.size.max(need).max(1).saturating_mul(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RICH: Offer = Offer { free: 1_000_000, instances: 1, is_wanted: false };

    fn at(ms: u64) -> Moment {
        Moment::from_start(Duration::from_millis(ms))
    }

    #[test]
    fn grows_with_those_who_come_again_soon_and_shrinks_with_those_who_do_not() {
        let mut appetite = Appetite::default();

        let portions = [0, 25, 50, 300, 1_500].map(|ms| appetite.portion(10, RICH, at(ms)).unwrap());

        assert_eq!(portions, [10, 20, 40, 40, 20]);
    }

    #[test]
    fn takes_many_who_ask_at_once_for_one() {
        let mut appetite = Appetite::default();

        let lent: i64 = (0..32).map(|_| appetite.portion(10, RICH, at(3)).unwrap()).sum();

        assert_eq!(lent, 320);
        assert_eq!(appetite.portion(10, RICH, at(28)), Some(20));
    }

    #[test]
    fn learns_nothing_from_who_is_refused() {
        let mut appetite = Appetite::default();
        let poor = Offer { free: 9, ..RICH };

        assert!((0..50).all(|ms| appetite.portion(10, poor, at(ms)).is_none()));

        assert_eq!(appetite.portion(10, RICH, at(51)), Some(10));
    }

    #[test]
    fn lends_the_last_cents_by_what_is_needed() {
        let mut appetite = Appetite { size: 1_000, asked: None };
        let offer = |free, instances| Offer { free, instances, is_wanted: false };

        assert_eq!(appetite.portion(10, offer(100, 2), at(0)), Some(25));
        assert_eq!(appetite.portion(10, offer(12, 2), at(500)), Some(10));
        assert_eq!(appetite.portion(10, offer(10, 2), at(1_000)), Some(10));
        assert_eq!(appetite.portion(10, offer(9, 2), at(1_500)), None);
    }

    #[test]
    fn lends_no_more_than_is_needed_of_what_others_wait_for() {
        let mut appetite = Appetite { size: 1_000, asked: None };

        assert_eq!(appetite.portion(10, Offer { is_wanted: true, ..RICH }, at(0)), Some(10));
    }
}
