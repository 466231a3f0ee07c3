//! The virtual clock: it stands still while anybody has something to do, and leaps to whatever comes next.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::{Clock, Moment};

/// A clock that is moved by hand. All clones show the same time.
#[derive(Clone)]
pub(super) struct VirtualClock(Arc<Shared>);

struct Shared {
    /// Nanoseconds since the start.
    now: AtomicU64,
    wall_at_start: Timestamp,
    alarms: Mutex<Alarms>,
}

/// Those who sleep, by the moment they are to be woken at; of one moment, whoever fell asleep first is first.
#[derive(Default)]
struct Alarms {
    set: BTreeMap<(Moment, u64), Waker>,
    made: u64,
}

/// A wait on the clock.
struct Sleep {
    clock: Arc<Shared>,
    until: Moment,
    alarm: Option<u64>,
}

impl VirtualClock {
    /// A clock at its start, which is this time of day.
    pub(super) fn starting_at(wall: Timestamp) -> Self {
        Self(Arc::new(Shared { now: AtomicU64::new(0), wall_at_start: wall, alarms: Mutex::default() }))
    }

    /// The moment at which somebody is to be woken next.
    pub(super) fn next_alarm(&self) -> Option<Moment> {
        self.0.alarms().set.first_key_value().map(|((moment, _), _)| *moment)
    }

    /// Moves on to a moment, unless it has passed, and wakes everybody who sleeps until then.
    pub(super) fn leap_to(&self, moment: Moment) {
        let nanos = u64::try_from(moment.since(Moment::START).as_nanos()).unwrap_or(u64::MAX);
        self.0.now.fetch_max(nanos, Ordering::Relaxed);
        let now = self.now();
        while let Some(waker) = self.0.alarms().take_due(now) {
            waker.wake();
        }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Moment {
        self.0.now()
    }

    fn wall(&self) -> Timestamp {
        let since_start = self.0.now().since(Moment::START);
        self.0.wall_at_start.saturating_add(since_start).unwrap_or(self.0.wall_at_start)
    }

    fn sleep_until(&self, moment: Moment) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(Sleep { clock: Arc::clone(&self.0), until: moment, alarm: None })
    }
}

impl Shared {
    fn now(&self) -> Moment {
        Moment::from_start(Duration::from_nanos(self.now.load(Ordering::Relaxed)))
    }

    fn alarms(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Alarms {
    fn take_due(&mut self, now: Moment) -> Option<Waker> {
        let first = self.set.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let clock = Arc::clone(&self.clock);
        if clock.now() >= self.until {
            return Poll::Ready(());
        }
        let mut alarms = clock.alarms();
        let alarm = *self.alarm.get_or_insert_with(|| {
            alarms.made += 1;
            alarms.made
        });
        alarms.set.insert((self.until, alarm), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(alarm) = self.alarm {
            self.clock.alarms().set.remove(&(self.until, alarm));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn shows_the_same_leap_on_both_faces() {
        let clock = VirtualClock::starting_at(Timestamp::UNIX_EPOCH);

        clock.leap_to(at(90));
        clock.leap_to(at(60));

        assert_eq!((clock.now(), clock.wall()), (at(90), Timestamp::from_second(90).unwrap()));
    }

    #[test]
    fn wakes_sleepers_when_their_moment_comes_and_forgets_those_who_went_away() {
        let clock = VirtualClock::starting_at(Timestamp::UNIX_EPOCH);
        let (mut early, mut late) = (clock.sleep_until(at(1)), clock.sleep_until(at(2)));
        assert!((&mut early).now_or_never().is_none() && (&mut late).now_or_never().is_none());
        assert_eq!(clock.next_alarm(), Some(at(1)));

        clock.leap_to(at(1));

        assert!(early.now_or_never().is_some() && (&mut late).now_or_never().is_none());
        assert_eq!(clock.next_alarm(), Some(at(2)));
        drop(late);
        assert_eq!(clock.next_alarm(), None);
    }
}
