//! The line of requests that wait for their turn at a provider that is at its limit: bounded, in order, and fair to all who ask.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::Notify;

use super::limits::Ahead;

/// Requests in the order of their turns.
///
/// Whoever has many requests in line has them served in turn with those of others: a place is numbered by how many of the same
/// asker's are before it, then by arrival.
#[derive(Debug)]
pub(super) struct Line {
    most: usize,
    waiting: BTreeMap<Rank, Waiter>,
    /// The last number each of those has who wait.
    last: HashMap<Arc<str>, Last>,
    /// The number of the latest that was served: newcomers begin behind it.
    served: u64,
    arrivals: u64,
    tokens: u64,
}

/// A place in line. The least goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    round: u64,
    arrival: u64,
}

/// A request that waits.
#[derive(Debug)]
struct Waiter {
    who: Arc<str>,
    model: usize,
    tokens: u64,
    call: Arc<Notify>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    round: u64,
    waiting: u32,
}

impl Line {
    /// An empty line for so many.
    pub(super) fn new(most: usize) -> Self {
        Self { most, waiting: BTreeMap::new(), last: HashMap::new(), served: 0, arrivals: 0, tokens: 0 }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Adds a request of somebody's at the end of their turn; `None` where the line is full. `call` is told when to look again.
    pub(super) fn join(&mut self, who: Arc<str>, model: usize, tokens: u64, call: Arc<Notify>) -> Option<Rank> {
        if self.waiting.len() >= self.most {
            return None;
        }
        let last = self.last.entry(Arc::clone(&who)).or_insert(Last { round: 0, waiting: 0 });
        last.round = last.round.max(self.served) + 1;
        last.waiting += 1;
        self.arrivals += 1;
        self.tokens = self.tokens.saturating_add(tokens);
        let rank = Rank { round: last.round, arrival: self.arrivals };
        self.waiting.insert(rank, Waiter { who, model, tokens, call });
        Some(rank)
    }

    /// The request's turn has come: those who come now begin behind it.
    pub(super) fn serve(&mut self, rank: Rank) {
        if self.leave(rank) {
            self.served = self.served.max(rank.round);
        }
    }

    /// The request does not wait any more; whether it did.
    pub(super) fn leave(&mut self, rank: Rank) -> bool {
        let Some(Waiter { who, tokens, .. }) = self.waiting.remove(&rank) else { return false };
        self.tokens = self.tokens.saturating_sub(tokens);
        if let Some(last) = self.last.get_mut(&who) {
            last.waiting = last.waiting.saturating_sub(1);
            if last.waiting == 0 {
                self.last.remove(&who);
            }
        }
        true
    }

    /// All that would go before somebody new.
    pub(super) fn all(&self) -> Ahead {
        Ahead { requests: u32::try_from(self.waiting.len()).unwrap_or(u32::MAX), tokens: self.tokens }
    }

    /// What goes before a place, but for requests to models that cannot be asked anyway.
    pub(super) fn ahead_of(&self, rank: Rank, mut is_held_up: impl FnMut(usize) -> bool) -> Ahead {
        let before = self.waiting.range(..rank).filter(|(_, waiter)| !is_held_up(waiter.model));
        before.fold(Ahead::default(), |ahead, (_, waiter)| Ahead {
            requests: ahead.requests.saturating_add(1),
            tokens: ahead.tokens.saturating_add(waiter.tokens),
        })
    }

    /// Has the first in line look again, and the first for each other model: something has changed.
    pub(super) fn call_first(&self) {
        let mut called: Vec<usize> = Vec::new();
        for waiter in self.waiting.values() {
            if !called.contains(&waiter.model) {
                waiter.call.notify_one();
                called.push(waiter.model);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn join(line: &mut Line, who: &str) -> Option<Rank> {
        line.join(who.into(), 0, 10, Arc::default())
    }

    /// Adds a request of each of these askers.
    fn join_all(line: &mut Line, askers: &str) {
        for who in askers.chars() {
            join(line, &who.to_string()).unwrap();
        }
    }

    /// Serves the first in line until nobody is left; who had each turn.
    fn serve_all(line: &mut Line) -> String {
        let mut served = String::new();
        while let Some((rank, waiter)) = line.waiting.first_key_value() {
            served.push_str(&waiter.who);
            let rank = *rank;
            line.serve(rank);
        }
        served
    }

    #[test]
    fn serves_equals_in_the_order_they_came() {
        let mut line = Line::new(9);
        let ranks: Vec<Rank> = (0..4).map(|_| join(&mut line, "a").unwrap()).collect();

        let ahead: Vec<u32> = ranks.iter().map(|rank| line.ahead_of(*rank, |_| false).requests).collect();

        assert_eq!(ahead, [0, 1, 2, 3]);
    }

    #[test]
    fn takes_askers_in_turn_however_many_requests_one_has() {
        let mut line = Line::new(99);
        join_all(&mut line, "aaaaabbc");

        assert_eq!(serve_all(&mut line), "abcabaaa");
    }

    #[test]
    fn gives_nobody_an_advance_for_having_been_away() {
        let mut line = Line::new(99);
        join_all(&mut line, "aaa");
        serve_all(&mut line);

        join_all(&mut line, "bbba");

        assert_eq!(serve_all(&mut line), "babb");
    }

    #[test]
    fn takes_no_more_than_it_has_room_for_and_has_room_again() {
        let mut line = Line::new(2);
        let first = join(&mut line, "a").unwrap();
        join(&mut line, "b").unwrap();
        assert_eq!(join(&mut line, "c"), None);

        assert!(line.leave(first) && !line.leave(first));

        assert!(join(&mut line, "c").is_some());
    }

    #[test]
    fn passes_over_those_whose_model_is_held_up() {
        let mut line = Line::new(9);
        line.join("a".into(), 1, 500, Arc::default()).unwrap();
        let second = line.join("b".into(), 0, 10, Arc::default()).unwrap();

        assert_eq!(line.ahead_of(second, |_| false), Ahead { requests: 1, tokens: 500 });
        assert_eq!(line.ahead_of(second, |model| model == 1), Ahead::default());
    }

    #[derive(Debug, Clone)]
    enum Step {
        Join(u8),
        Leave(prop::sample::Index),
        Serve,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            5 => (0u8..4).prop_map(Step::Join),
            1 => any::<prop::sample::Index>().prop_map(Step::Leave),
            3 => Just(Step::Serve),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        /// Whoever waits is overtaken by no later request of their own, and by others' as often at most as they have more
        /// askers than themselves for each place of their own: nobody starves. Nothing is left behind at the end.
        #[test]
        fn keeps_each_askers_order_and_starves_nobody(steps in steps()) {
            let mut line = Line::new(20);
            let mut waiting: Vec<(u8, Rank, u32)> = Vec::new();
            for step in steps {
                match step {
                    Step::Join(who) => {
                        let joined = join(&mut line, &who.to_string());
                        prop_assert_eq!(joined.is_none(), waiting.len() == 20);
                        waiting.extend(joined.map(|rank| (who, rank, 0)));
                    }
                    Step::Leave(place) if !waiting.is_empty() => {
                        let (_, rank, _) = waiting.remove(place.index(waiting.len()));
                        prop_assert!(line.leave(rank));
                    }
                    Step::Serve if !waiting.is_empty() => {
                        let rank = *line.waiting.first_key_value().unwrap().0;
                        let place = waiting.iter().position(|(_, other, _)| *other == rank).unwrap();
                        let (who, ..) = waiting.remove(place);
                        let earlier = waiting.iter().take(place).any(|(other, ..)| *other == who);
                        prop_assert!(!earlier, "overtook an earlier one of their own");
                        line.serve(rank);
                        for (_, _, overtaken) in waiting.iter_mut().take(place) {
                            *overtaken += 1;
                            prop_assert!(*overtaken <= 3 * 20, "starves");
                        }
                    }
                    Step::Leave(_) | Step::Serve => {}
                }
                prop_assert_eq!(line.len(), waiting.len());
                prop_assert_eq!(line.all().tokens, 10 * waiting.len() as u64);
            }
            prop_assert!(waiting.iter().all(|(_, rank, _)| line.leave(*rank)));
            prop_assert!(line.last.is_empty() && line.tokens == 0);
        }
    }
}
