//! The length of time a limit is given for.

use std::time::Duration;

/// A minute or a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// 60 seconds.
    Minute,
    /// 24 hours, of any beginning.
    Day,
}

impl Span {
    pub(super) fn length(self) -> Duration {
        match self {
            Self::Minute => Duration::from_secs(60),
            Self::Day => Duration::from_secs(24 * 3_600),
        }
    }

    pub(super) fn nanos(self) -> u64 {
        match self {
            Self::Minute => 60_000_000_000,
            Self::Day => 86_400_000_000_000,
        }
    }
}
