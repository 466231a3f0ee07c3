//! What a provider, a model or one of the gateway's keys may be asked at most: a meter for each limit, and a place for each
//! request at once.

use std::time::Duration;

use super::pace::{Counts, Pace};
use super::part::{Holding, Lot, Part};
use super::span::Span;
use super::window::Window;
use crate::clock::Moment;
use crate::config;

/// When a place among the requests at once comes free is not known; a request that waits for one looks again after this.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A request is under way for this long at most: as long as a place counts that nobody has given back.
const LONGEST_REQUEST: Duration = Duration::from_secs(600);

/// What may be asked at most. Without a limit it takes next to no memory.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    meters: Box<[Meter]>,
    at_once: Option<u32>,
    in_flight: u32,
    /// The part of the places at once, where several instances share them: `at_once` is its size then.
    places: Option<Box<Part>>,
}

/// One limit and what was used of it.
#[derive(Debug, Clone)]
enum Meter {
    RequestsWithin(Box<Window>),
    TokensWithin(Box<Window>),
    Evenly(Pace),
    Shared(Box<Shared>),
}

/// A limit that several instances share: this one's part of it, and what was used of that.
///
/// Always a window, also of what flows back evenly where nobody shares it: of a window it is known what can be given to others.
#[derive(Debug, Clone)]
struct Shared {
    counts: Counts,
    window: Window,
    part: Part,
}

/// One request's part of the limits.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(crate) struct Share {
    entered: Moment,
    tokens: u64,
}

/// Requests that go first, and their tokens together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ahead {
    pub(super) requests: u32,
    pub(super) tokens: u64,
}

impl Allowance {
    /// A provider's, or a model's: as providers count. Never more than a limit in any sliding minute or day; tokens of a minute
    /// flow back evenly, since their number is not known before the reply.
    pub(super) fn of_provider(limits: &config::Limits) -> Self {
        let tokens = |per| Meter::Evenly(Pace::new(Counts::Tokens, per, Span::Minute, per));
        let spaced = |(rpm, burst)| Meter::Evenly(Pace::new(Counts::Requests, rpm, Span::Minute, burst));
        let meters = [
            limits.rpm.map(|limit| Meter::RequestsWithin(Box::new(Window::of_requests(limit, Span::Minute.length())))),
            limits.rpm.zip(limits.burst).map(spaced),
            limits.rpd.map(|limit| Meter::RequestsWithin(Box::new(Window::of_requests(limit, Span::Day.length())))),
            limits.tpm.map(tokens),
            limits.tpd.map(|limit| Meter::TokensWithin(Box::new(Window::of_amounts(limit, Span::Day.length())))),
        ];
        Self::with(meters.into_iter().flatten().collect(), limits.concurrent)
    }

    /// A key's: a number for each limit, so that there may be a million of them. Whoever has saved up may send a burst at once,
    /// which is the whole limit unless said otherwise.
    #[cfg(feature = "gateway")]
    pub(crate) fn of_key(limits: &config::Limits) -> Self {
        let evenly = |counts, per, span, burst| Meter::Evenly(Pace::new(counts, per, span, burst));
        let meters = [
            limits.rpm.map(|per| evenly(Counts::Requests, per, Span::Minute, limits.burst.unwrap_or(per))),
            limits.tpm.map(|per| evenly(Counts::Tokens, per, Span::Minute, per)),
            limits.rpd.map(|per| evenly(Counts::Requests, per, Span::Day, per)),
            limits.tpd.map(|per| evenly(Counts::Tokens, per, Span::Day, per)),
        ];
        Self::with(meters.into_iter().flatten().collect(), limits.concurrent)
    }

    /// A provider's, a model's or a key's that several instances share.
    pub(crate) fn shared(limits: &config::Limits) -> Self {
        let meter = |name, counts, limit: Option<u32>, span: Duration| {
            limit.map(|limit| Meter::Shared(Box::new(Shared::new(name, counts, limit, span))))
        };
        let (minute, day) = (Span::Minute.length(), Span::Day.length());
        let of_burst = limits.rpm.zip(limits.burst).map(|(rpm, burst)| minute * burst / rpm.max(1));
        let meters = [
            meter("rpm", Counts::Requests, limits.rpm, minute),
            meter("burst", Counts::Requests, of_burst.and(limits.burst), of_burst.unwrap_or_default()),
            meter("rpd", Counts::Requests, limits.rpd, day),
            meter("tpm", Counts::Tokens, limits.tpm, minute),
            meter("tpd", Counts::Tokens, limits.tpd, day),
        ];
        let places = limits.concurrent.map(|most| Box::new(Part::new("concurrent", most, LONGEST_REQUEST)));
        let meters = meters.into_iter().flatten().collect();
        Self { meters, at_once: places.as_ref().map(|_| 0), in_flight: 0, places }
    }

    /// What there is to tell of each limit that is shared.
    pub(crate) fn holdings(&mut self, now: Moment) -> Vec<Holding> {
        let meters = self.meters.iter_mut().filter_map(Meter::as_shared).map(|shared| shared.holding(now));
        let in_flight = self.in_flight.into();
        meters.chain(self.places.iter().map(|places| places.holding(in_flight, None, now))).collect()
    }

    /// Takes what the others leave of the limits.
    pub(crate) fn put(&mut self, lot: impl Fn(&str) -> Option<Lot>, now: Moment) {
        self.each_part(|part| lot(part.name()).into_iter().for_each(|lot| part.take(lot, now)));
    }

    /// Gives up its parts: nothing more may be used.
    pub(crate) fn give_up(&mut self) {
        self.each_part(Part::give_up);
    }

    /// Nobody was heard of for so long, of so many that share the limits.
    pub(crate) fn alone(&mut self, of: u32, silent_for: Duration) {
        self.each_part(|part| part.alone(of, silent_for));
    }

    fn each_part(&mut self, mut change: impl FnMut(&mut Part)) {
        for shared in self.meters.iter_mut().filter_map(Meter::as_shared) {
            change(&mut shared.part);
            shared.window.set_limit(shared.part.size());
        }
        if let Some(places) = &mut self.places {
            change(places);
            self.at_once = Some(u32::try_from(places.size()).unwrap_or(u32::MAX));
        }
    }

    /// The same with what was used of it, for whom nobody is under way: they end elsewhere.
    pub(super) fn taken_over(&self) -> Self {
        Self { in_flight: 0, ..self.clone() }
    }

    fn with(meters: Box<[Meter]>, at_once: Option<u32>) -> Self {
        Self { meters, at_once, in_flight: 0, places: None }
    }

    /// How long until a request of so many tokens may be sent, if no other comes first; `None` is now.
    #[cfg(feature = "gateway")]
    pub(crate) fn wait(&mut self, tokens: u64, now: Moment) -> Option<Duration> {
        self.wait_behind(Ahead::default(), tokens, now)
    }

    /// The same behind others.
    pub(super) fn wait_behind(&mut self, ahead: Ahead, tokens: u64, now: Moment) -> Option<Duration> {
        let is_full = self.at_once.is_some_and(|at_once| self.in_flight.saturating_add(ahead.requests) >= at_once);
        // Those further back look less often: they are called when their turn comes.
        let place = is_full.then(|| LOOK_AGAIN.saturating_mul(ahead.requests.saturating_add(1)));
        if let (Some(places), Some(wait)) = (&mut self.places, place) {
            places.lacks(ahead.requests.into(), 1, wait, now);
        }
        self.meters.iter_mut().filter_map(|meter| meter.wait(ahead, tokens, now)).chain(place).max()
    }

    /// How long a request behind others has to wait at the least, whatever comes of those under way: their number in a minute
    /// or a day is what it is, while tokens are given back and places come free.
    pub(super) fn wait_for_sure(&mut self, ahead: Ahead, now: Moment) -> Option<Duration> {
        let requests = self.meters.iter_mut().filter(|meter| meter.counts() == Counts::Requests);
        requests.filter_map(|meter| meter.wait(ahead, 0, now)).max()
    }

    /// Takes a request's share.
    pub(crate) fn take(&mut self, tokens: u64, now: Moment) -> Share {
        self.in_flight = self.in_flight.saturating_add(1);
        for meter in &mut self.meters {
            match meter {
                Meter::RequestsWithin(window) => window.enter(1, now),
                Meter::TokensWithin(window) => window.enter(tokens, now),
                Meter::Evenly(pace) => pace.take(pace.counts.of(tokens), now),
                Meter::Shared(shared) => shared.window.enter(shared.counts.of(tokens), now),
            }
        }
        Share { entered: now, tokens }
    }

    /// The request was never sent: nothing was used.
    pub(crate) fn undo(&mut self, share: Share) {
        for meter in &mut self.meters {
            match meter {
                Meter::RequestsWithin(window) => window.correct(share.entered, 1, 0),
                Meter::TokensWithin(window) => window.correct(share.entered, share.tokens, 0),
                Meter::Evenly(pace) => pace.correct(pace.counts.of(share.tokens), 0, share.entered),
                Meter::Shared(shared) => shared.window.correct(share.entered, shared.counts.of(share.tokens), 0),
            }
        }
        self.leave(share);
    }

    /// The request has ended and took so many tokens.
    pub(crate) fn settle(&mut self, share: Share, used: u64, now: Moment) {
        for meter in &mut self.meters {
            match meter {
                Meter::TokensWithin(window) => window.correct(share.entered, share.tokens, used),
                Meter::Evenly(pace) if pace.counts == Counts::Tokens => pace.correct(share.tokens, used, now),
                Meter::Shared(shared) if shared.counts == Counts::Tokens => {
                    shared.window.correct(share.entered, share.tokens, used);
                }
                Meter::RequestsWithin(_) | Meter::Evenly(_) | Meter::Shared(_) => {}
            }
        }
        self.leave(share);
    }

    /// The request has ended, and how many tokens it took is not known: its estimate stands.
    pub(crate) fn leave(&mut self, _share: Share) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}

impl Meter {
    fn counts(&self) -> Counts {
        match self {
            Self::RequestsWithin(_) => Counts::Requests,
            Self::TokensWithin(_) => Counts::Tokens,
            Self::Evenly(pace) => pace.counts,
            Self::Shared(shared) => shared.counts,
        }
    }

    fn as_shared(&mut self) -> Option<&mut Shared> {
        match self {
            Self::Shared(shared) => Some(shared),
            Self::RequestsWithin(_) | Self::TokensWithin(_) | Self::Evenly(_) => None,
        }
    }

    fn wait(&mut self, ahead: Ahead, tokens: u64, now: Moment) -> Option<Duration> {
        match self {
            Self::RequestsWithin(window) => window.wait(ahead.requests.into(), 1, now),
            Self::TokensWithin(window) => window.wait(ahead.tokens, tokens, now),
            Self::Evenly(pace) => match pace.counts {
                Counts::Requests => pace.wait(ahead.requests.into(), 1, now),
                Counts::Tokens => pace.wait(ahead.tokens, tokens, now),
            },
            Self::Shared(shared) => match shared.counts {
                Counts::Requests => shared.wait(ahead.requests.into(), 1, now),
                Counts::Tokens => shared.wait(ahead.tokens, tokens, now),
            },
        }
    }
}

impl Shared {
    fn new(name: &'static str, counts: Counts, limit: u32, span: Duration) -> Self {
        let mut window = match counts {
            Counts::Requests => Window::of_requests(limit, span),
            Counts::Tokens => Window::of_amounts(limit, span),
        };
        window.set_limit(0);
        Self { counts, window, part: Part::new(name, limit, span) }
    }

    fn wait(&mut self, ahead: u64, amount: u64, now: Moment) -> Option<Duration> {
        let is_too_small = self.part.is_too_small_for(ahead.saturating_add(amount));
        let wait = self.window.wait(ahead, amount, now).or(is_too_small.then(|| self.window.length()))?;
        Some(self.part.lacks(ahead, amount, wait, now))
    }

    fn holding(&mut self, now: Moment) -> Holding {
        let used = self.window.total(now);
        self.part.holding(used, self.window.oldest_leaves_in(now), now)
    }
}

impl Counts {
    /// What a request of so many tokens is to it.
    fn of(self, tokens: u64) -> u64 {
        match self {
            Self::Requests => 1,
            Self::Tokens => tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    fn wait(allowance: &mut Allowance, tokens: u64, now: Moment) -> Option<Duration> {
        allowance.wait_behind(Ahead::default(), tokens, now)
    }

    #[test]
    fn has_no_limit_unless_told() {
        let mut allowance = Allowance::of_provider(&config::Limits::default());

        for _ in 0..10_000 {
            let _ = allowance.take(1_000_000, at(0));
        }

        assert_eq!(wait(&mut allowance, 1_000_000, at(0)), None);
    }

    #[test]
    fn names_the_longest_of_its_waits() {
        let limits = config::Limits { rpm: Some(1), tpm: Some(60), rpd: Some(2), ..config::Limits::default() };
        let mut allowance = Allowance::of_provider(&limits);

        let _ = allowance.take(60, at(0));
        assert_eq!(wait(&mut allowance, 1, at(0)), Some(MINUTE));
        let _ = allowance.take(60, at(60));

        assert_eq!(wait(&mut allowance, 1, at(60)), Some(Duration::from_secs(24 * 3_600 - 60)));
    }

    #[test]
    fn keeps_to_the_tokens_of_a_day() {
        let limits = config::Limits { tpd: Some(1_000), ..config::Limits::default() };
        let mut allowance = Allowance::of_provider(&limits);
        let share = allowance.take(900, at(0));
        assert!(wait(&mut allowance, 200, at(1)).is_some());

        allowance.settle(share, 300, at(2));

        assert_eq!(wait(&mut allowance, 700, at(3)), None);
        assert_eq!(wait(&mut allowance, 701, at(3)), Some(Duration::from_secs(24 * 3_600 - 3)));
    }

    #[test]
    fn frees_the_place_of_a_request_that_ended() {
        let limits = config::Limits { concurrent: Some(1), ..config::Limits::default() };
        let mut allowance = Allowance::of_provider(&limits);
        let share = allowance.take(1, at(0));
        assert_eq!(wait(&mut allowance, 1, at(0)), Some(LOOK_AGAIN));

        allowance.leave(share);

        assert_eq!(wait(&mut allowance, 1, at(0)), None);
    }

    #[test]
    fn uses_nothing_for_a_request_that_was_never_sent() {
        let one = Some(1);
        let limits = config::Limits {
            rpm: one,
            tpm: one,
            rpd: one,
            tpd: one,
            burst: one,
            concurrent: one,
            ..config::Limits::default()
        };
        for mut allowance in [Allowance::of_provider(&limits), Allowance::of_key(&limits)] {
            let share = allowance.take(1, at(0));
            assert!(wait(&mut allowance, 1, at(0)).is_some());

            allowance.undo(share);

            assert_eq!(wait(&mut allowance, 1, at(0)), None);
        }
    }

    #[test]
    fn spaces_requests_beyond_a_burst_and_keeps_to_the_minute_all_the_same() {
        let limits = config::Limits { rpm: Some(4), burst: Some(2), ..config::Limits::default() };
        let mut allowance = Allowance::of_provider(&limits);
        let mut sent = Vec::new();

        for second in 0..75 {
            if wait(&mut allowance, 1, at(second)).is_none() {
                let _ = allowance.take(1, at(second));
                sent.push(second);
            }
        }

        assert_eq!(sent, [0, 1, 15, 30, 60, 61]);
    }

    // R45
    #[test]
    fn takes_less_than_200_bytes_for_a_key_and_no_more_the_more_it_asks() {
        let all = Some(1_000_000);
        let limits = config::Limits {
            rpm: all,
            tpm: all,
            rpd: all,
            tpd: all,
            concurrent: all,
            burst: all,
            ..config::Limits::default()
        };
        let mut allowance = Allowance::of_key(&limits);
        for second in 0..10_000 {
            let _ = allowance.take(7, at(second));
        }

        // As a gateway has it: behind a lock that is shared, in two pieces of memory of their own.
        let piece = 16;
        let held = size_of::<std::sync::Mutex<Allowance>>() + 2 * size_of::<usize>() + 2 * piece;
        let meters = allowance.meters.len() * size_of::<Meter>();
        let grows = allowance.meters.iter().any(|meter| !matches!(meter, Meter::Evenly(_)));

        assert!(held + meters <= 200 && !grows, "{held} and {meters} bytes");
    }
}
