//! The only place that reads time: everything that decides is given `now`.

use std::fmt;
use std::future::Future;
use std::ops::Add;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;

/// A moment on a clock that only goes forward, counted from the clock's own start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(Duration);

impl Moment {
    /// The clock's start.
    pub const START: Self = Self(Duration::ZERO);

    /// The moment so long after the clock's start.
    #[must_use]
    pub const fn from_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// How long it has been since an earlier moment; nothing where that one is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "start+{:?}", self.0)
    }
}

/// A length as whole milliseconds, at most what fits.
#[must_use]
pub fn whole_ms(length: Duration) -> u32 {
    u32::try_from(length.as_millis()).unwrap_or(u32::MAX)
}

/// Tells the time and waits. A caller may bring its own; tests bring one that they move by hand.
pub trait Clock: Send + Sync {
    /// The present moment, for measuring and waiting.
    fn now(&self) -> Moment;

    /// The present time of day, for people, records and the windows of budgets.
    fn wall(&self) -> Timestamp;

    /// Ends at the moment, at once where it has passed.
    fn sleep_until(&self, moment: Moment) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// The machine's clock, by way of the runtime: a runtime with paused time pauses it too.
#[derive(Debug)]
pub struct SystemClock {
    start: tokio::time::Instant,
    wall_at_start: Timestamp,
}

impl SystemClock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: tokio::time::Instant::now(), wall_at_start: Timestamp::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment(self.start.elapsed())
    }

    fn wall(&self) -> Timestamp {
        self.wall_at_start.saturating_add(self.start.elapsed()).unwrap_or(self.wall_at_start)
    }

    fn sleep_until(&self, moment: Moment) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep_until(self.start + moment.0))
    }
}
