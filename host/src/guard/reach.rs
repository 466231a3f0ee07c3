//! Whether the store that instances share answers: what an operator is told of it.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::clock::Moment;

/// How long a store that has answered may be silent before that is told: a pause of its own wakes nobody.
const GRACE: Duration = Duration::from_secs(1);

/// How the store that instances share is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SharedStoreStatus {
    /// Why it is away; `None` where it answers. Never holds its password.
    pub fault: Option<Arc<str>>,
}

/// What is known of the store.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Reach {
    /// Nobody has asked it yet.
    #[default]
    Unasked,
    Answers,
    /// It has not answered since, which may be nothing.
    Silent {
        since: Moment,
    },
    Away {
        why: Arc<str>,
    },
}

/// What has changed for whoever looks after it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Lost,
    Back,
}

impl Reach {
    /// Takes in that the store has answered, or why not. Returns what that has changed.
    pub(super) fn take_in(&mut self, fault: Option<Arc<str>>, now: Moment) -> Option<Turn> {
        let before = std::mem::take(self);
        let (after, turn) = match (before, fault) {
            (Self::Away { .. }, None) => (Self::Answers, Some(Turn::Back)),
            (_, None) => (Self::Answers, None),
            (Self::Answers, Some(_)) => (Self::Silent { since: now }, None),
            (Self::Silent { since }, Some(_)) if now.since(since) < GRACE => (Self::Silent { since }, None),
            (Self::Unasked | Self::Silent { .. }, Some(why)) => (Self::Away { why }, Some(Turn::Lost)),
            (Self::Away { .. }, Some(why)) => (Self::Away { why }, None),
        };
        *self = after;
        turn
    }

    pub(super) fn status(&self) -> SharedStoreStatus {
        let fault = match self {
            Self::Away { why } => Some(Arc::clone(why)),
            Self::Unasked | Self::Answers | Self::Silent { .. } => None,
        };
        SharedStoreStatus { fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_start(Duration::from_millis(ms))
    }

    fn refused() -> Option<Arc<str>> {
        Some("refused".into())
    }

    #[test]
    fn tells_once_that_a_store_is_lost_when_it_has_been_silent_for_a_second_and_once_that_it_is_back() {
        let mut reach = Reach::default();

        let words = [(0, None), (100, refused()), (1_099, refused()), (1_100, refused()), (9_000, refused())];
        let turns = words.map(|(ms, fault)| reach.take_in(fault, at(ms)));

        assert_eq!(turns, [None, None, None, Some(Turn::Lost), None]);
        assert_eq!(reach.status(), SharedStoreStatus { fault: refused() });
        assert_eq!([10_000, 10_200].map(|ms| reach.take_in(None, at(ms))), [Some(Turn::Back), None]);
        assert_eq!(reach.status(), SharedStoreStatus { fault: None });
    }

    #[test]
    fn makes_nothing_of_a_short_silence() {
        let mut reach = Reach::default();

        let words = [(0, None), (100, refused()), (900, None), (1_000, refused()), (1_900, refused())];
        let turns = words.map(|(ms, fault)| reach.take_in(fault, at(ms)));

        assert_eq!((turns, reach.status().fault), ([const { None }; 5], None));
    }

    #[test]
    fn tells_at_once_that_a_store_is_not_there_at_the_start() {
        let mut reach = Reach::default();

        assert_eq!((reach.status().fault, reach.take_in(refused(), at(0))), (None, Some(Turn::Lost)));
    }
}
