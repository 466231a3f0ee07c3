//! What may be asked at most: of a provider, of one of its models, or by one of the gateway's keys.

use std::time::Duration;

/// What may be asked at most; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Requests a minute.
    pub rpm: Option<u32>,
    /// Tokens a minute, input and output together.
    pub tpm: Option<u32>,
    /// Requests a day.
    pub rpd: Option<u32>,
    /// Tokens a day, input and output together.
    pub tpd: Option<u32>,
    /// Requests at once.
    pub concurrent: Option<u32>,
    /// How many of a minute's requests may come together; the others are spaced evenly. Only with `rpm`.
    pub burst: Option<u32>,
    /// How long a request may wait in line for its turn. `None` is no line: how long to wait is up to the strategy. Of a
    /// provider only.
    pub queue: Option<Duration>,
    /// Requests in the line at most. 100.
    pub queue_size: Option<u32>,
}

impl Limits {
    /// Requests in a provider's line where the operator does not say how many.
    pub const QUEUE_SIZE: u32 = 100;

    /// All limits that are numbers, each by its name in the file.
    #[must_use]
    pub fn numbers(&self) -> [(&'static str, Option<u32>); 7] {
        [
            ("rpm", self.rpm),
            ("tpm", self.tpm),
            ("rpd", self.rpd),
            ("tpd", self.tpd),
            ("concurrent", self.concurrent),
            ("burst", self.burst),
            ("queue_size", self.queue_size),
        ]
    }
}
