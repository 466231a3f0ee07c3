//! What one of several instances may use of a limit that they share.
//!
//! All parts together are never more than the limit, and what an instance has used within the limit's span is never more than its
//! part. So all instances together stay within the limit in every sliding span, whatever their clocks say: no time of day is
//! compared, and nobody has to be asked before a request is sent.

use std::time::Duration;

use crate::clock::Moment;

/// How long it is remembered that a request was turned away.
const WANTED_FOR: Duration = Duration::from_millis(500);

/// Where others may have room, a request looks again after this at the earliest: by then they have been asked.
pub(crate) const ASKED_IN: Duration = Duration::from_millis(100);

/// After so long without a word of the others nobody uses more than an equal part.
const ALONE_AFTER: Duration = Duration::from_secs(1);

/// By how much an instance that is alone raises its part later than the others have lowered theirs.
const GRACE: Duration = Duration::from_secs(3);

/// An instance's part of one limit.
#[derive(Debug, Clone)]
pub(super) struct Part {
    name: &'static str,
    whole: u32,
    span: Duration,
    size: u64,
    wanted: Option<Wanted>,
    others: Others,
}

/// What is known of the other instances.
#[derive(Debug, Clone, Copy)]
enum Others {
    /// Nothing yet: they are being asked.
    Unheard,
    /// One of them may have something to give from then on.
    MayGive(Moment),
    /// They cannot be reached.
    Away,
}

#[derive(Debug, Clone, Copy)]
struct Wanted {
    least: u64,
    all: u64,
    at: Moment,
}

/// What an instance tells of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Whose limit it is a part of, and which one.
    pub name: String,
    /// The limit.
    pub whole: u32,
    /// How long what is used counts.
    pub span: Duration,
    /// What nobody else may use: the part, or what is used where that is more.
    pub held: u64,
    /// What is used now.
    pub used: u64,
    /// What the next of the requests that were turned away needs beside that; 0 where none was.
    pub least: u64,
    /// What all of them need.
    pub wanted: u64,
    /// How long until some of what is used does not count any more.
    pub frees_in: Option<Duration>,
    /// Whether nothing of it is needed any more.
    pub is_idle: bool,
}

/// What the others leave to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lot {
    /// What it may use from now on. Less than it has used: nothing, until that counts no more.
    pub size: u64,
    /// How long until anybody may have something to give.
    pub room_in: Duration,
}

impl Part {
    /// Nothing yet: how much it is, only the others can tell.
    pub(super) fn new(name: &'static str, whole: u32, span: Duration) -> Self {
        Self { name, whole, span, size: 0, wanted: None, others: Others::Unheard }
    }

    /// Which limit it is of.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// How much may be used.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Whether so much is more than the part, though not more than the limit.
    pub(super) fn is_too_small_for(&self, amount: u64) -> bool {
        amount.min(self.whole.into()) > self.size
    }

    /// A request was turned away. Returns how long it has to wait: as long as the part alone says, or until another may give.
    pub(super) fn lacks(&mut self, ahead: u64, amount: u64, wait: Duration, now: Moment) -> Duration {
        let most = u64::from(self.whole);
        let before = self.wanted.filter(|wanted| now.since(wanted.at) < WANTED_FOR);
        let (least, all) = before.map_or((0, 0), |wanted| (wanted.least, wanted.all));
        let all = all.max(ahead.saturating_add(amount).min(most));
        self.wanted = Some(Wanted { least: least.max(amount.min(most)), all, at: now });
        match self.others {
            Others::Unheard => ASKED_IN,
            Others::MayGive(from) => wait.min(from.since(now).max(ASKED_IN)),
            Others::Away => wait,
        }
    }

    /// What there is to tell.
    pub(super) fn holding(&self, used: u64, frees_in: Option<Duration>, now: Moment) -> Holding {
        let wanted = self.wanted.filter(|wanted| now.since(wanted.at) < WANTED_FOR);
        Holding {
            name: self.name.to_owned(),
            whole: self.whole,
            span: self.span,
            held: self.size.max(used),
            used,
            least: wanted.map_or(0, |wanted| wanted.least),
            wanted: wanted.map_or(0, |wanted| wanted.all),
            frees_in,
            is_idle: false,
        }
    }

    /// Takes what the others leave.
    pub(super) fn take(&mut self, lot: Lot, now: Moment) {
        self.size = lot.size.min(self.whole.into());
        self.others = Others::MayGive(now + lot.room_in);
    }

    /// Gives all of it up.
    pub(super) fn give_up(&mut self) {
        self.size = 0;
        self.others = Others::Unheard;
    }

    /// Nobody was heard of for so long, of so many that share the limit. An equal part is all that anybody uses then; more than
    /// before only when everybody has had a whole span to come down to that.
    pub(super) fn alone(&mut self, of: u32, silent_for: Duration) {
        let equal = u64::from(self.whole / of.max(1));
        self.others = Others::Away;
        if silent_for >= self.span + GRACE {
            self.size = equal;
        } else if silent_for >= ALONE_AFTER {
            self.size = self.size.min(equal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(ms: u64) -> Moment {
        Moment::from_start(Duration::from_millis(ms))
    }

    fn part(size: u64) -> Part {
        let mut part = Part::new("rpm", 20, MINUTE);
        part.take(Lot { size, room_in: Duration::ZERO }, at(0));
        part
    }

    #[test]
    fn is_nothing_until_the_others_were_heard_of() {
        let part = Part::new("rpm", 20, MINUTE);

        assert!(part.is_too_small_for(1));
    }

    #[test]
    fn holds_what_was_used_also_where_it_may_use_less() {
        let part = part(4);

        assert_eq!(part.holding(9, None, at(0)).held, 9);
        assert_eq!(part.holding(3, None, at(0)).held, 4);
    }

    #[test]
    fn tells_what_was_lacking_for_half_a_second() {
        let mut part = part(4);

        part.lacks(2, 1, MINUTE, at(0));

        let told = |ms| part.holding(4, None, at(ms));
        assert_eq!((told(499).least, told(499).wanted), (1, 3));
        assert_eq!((told(500).least, told(500).wanted), (0, 0));
    }

    #[test]
    fn waits_for_the_first_that_may_give() {
        let mut part = part(4);
        assert_eq!(part.lacks(0, 1, MINUTE, at(0)), ASKED_IN);

        part.take(Lot { size: 4, room_in: Duration::from_secs(7) }, at(0));

        assert_eq!(part.lacks(0, 1, MINUTE, at(2_000)), Duration::from_secs(5));
        assert_eq!(part.lacks(0, 1, Duration::from_secs(1), at(2_000)), Duration::from_secs(1));
    }

    // R44
    #[test]
    fn comes_down_to_an_equal_part_at_once_and_goes_up_to_it_when_all_have_come_down() {
        let (mut much, mut little) = (part(15), part(1));

        for part in [&mut much, &mut little] {
            part.alone(3, ALONE_AFTER);
        }
        assert_eq!((much.size(), little.size()), (6, 1));

        for part in [&mut much, &mut little] {
            part.alone(3, MINUTE + GRACE);
        }
        assert_eq!((much.size(), little.size()), (6, 6));
    }
}
