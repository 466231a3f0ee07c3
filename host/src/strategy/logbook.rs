//! The lines a strategy writes into the host's log: tidied, short, and not too many.

use std::sync::{Arc, Mutex, PoisonError};

use super::plain_text;

/// Longest line, in characters.
const LINE_CHARS: usize = 300;

/// Lines that may come at once.
const AT_ONCE: u64 = 50;

/// How long it takes until there is room for another line, in milliseconds.
const EACH_MS: u64 = 200;

/// How urgent a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Debug,
    Info,
    Warn,
}

/// The lines of one strategy on one route.
pub(super) struct Logbook {
    strategy: Arc<str>,
    room: Mutex<Room>,
}

/// How many lines there is room for; time is that of the questions, as everywhere in a guest's world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Room {
    left: u64,
    /// Up to when room was given.
    given_ms: u64,
    left_out: u64,
}

impl Logbook {
    /// The lines of a strategy, none of which was written yet.
    pub(super) fn of(strategy: &Arc<str>) -> Arc<Self> {
        let room = Room { left: AT_ONCE, given_ms: 0, left_out: 0 };
        Arc::new(Self { strategy: Arc::clone(strategy), room: Mutex::new(room) })
    }

    /// Writes a line, if there is room for it at this time.
    pub(super) fn write(&self, level: Level, text: &str, now_ms: u64) {
        let taken = self.room.lock().unwrap_or_else(PoisonError::into_inner).take(now_ms);
        let Some(left_out) = taken else { return };
        let (strategy, line) = (&*self.strategy, plain_text::tidy(text, LINE_CHARS));
        if left_out > 0 {
            tracing::warn!(strategy, left_out, "lines of the strategy were left out: it writes too many");
        }
        match level {
            Level::Debug => tracing::debug!(strategy, "strategy says: {line}"),
            Level::Info => tracing::info!(strategy, "strategy says: {line}"),
            Level::Warn => tracing::warn!(strategy, "strategy says: {line}"),
        }
    }
}

impl Room {
    /// Takes room for a line: how many were left out before it, or `None` where there is no room.
    fn take(&mut self, now_ms: u64) -> Option<u64> {
        let given = now_ms.saturating_sub(self.given_ms) / EACH_MS;
        if given > 0 {
            self.left = self.left.saturating_add(given).min(AT_ONCE);
            self.given_ms = now_ms - now_ms % EACH_MS;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Some(std::mem::take(&mut self.left_out))
            }
            None => {
                self.left_out += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_room_for_a_burst_and_for_five_lines_a_second_and_tells_what_was_left_out() {
        let mut room = Room { left: AT_ONCE, given_ms: 0, left_out: 0 };
        let mut written = |now_ms| (0..1_000).filter(|_| room.take(now_ms).is_some()).count();

        let counts = [1_000_000, 1_000_000, 1_001_000, 1_001_100, 1_001_200].map(&mut written);

        assert_eq!(counts, [50, 0, 5, 0, 1]);
        assert_eq!(room.take(1_001_400), Some(999));
    }

    #[test]
    fn is_not_confused_by_a_clock_that_is_set_back() {
        let mut room = Room { left: 1, given_ms: 0, left_out: 0 };

        let taken = [9_000, 1_000, 9_100].map(|now_ms| room.take(now_ms).is_some());

        assert_eq!(taken, [true, true, true]);
        assert_eq!(room.given_ms, 9_000);
    }
}
