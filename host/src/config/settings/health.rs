//! When and for how long a failing target is left alone, and how often it is asked again.

use std::time::Duration;

/// Lengths a target is left alone for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CooldownConfig {
    /// After a rate limit that names no wait. 60 s; zero is not at all.
    pub rate_limited: Duration,
    /// After a used-up quota that names no reset. 1 h.
    pub quota_exhausted: Duration,
    /// The longest wait a rate limit may name. 300 s.
    pub longest: Duration,
    /// The longest reset a quota may name. 25 h.
    pub longest_quota: Duration,
}

/// When and for how long a failing target is left alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerConfig {
    /// Counted failures in a row that open it; 0 is never. 5.
    pub failures: u32,
    /// The share of served attempts under which it opens, of at least `samples` within `window`. 0.5; 0 is never.
    pub success_rate: f64,
    /// 20.
    pub samples: u32,
    /// 30 s.
    pub window: Duration,
    /// The first pause. 5 s.
    pub pause: Duration,
    /// Pauses double up to this. 30 s.
    pub longest_pause: Duration,
    /// Whether one model's failures pause its provider's other models too.
    pub scope: BreakerScope,
}

/// What a breaker guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerScope {
    /// One provider, model and key.
    Model,
    /// One provider and key: all its models rest together.
    Provider,
}

/// The retry budget: a bucket that every request fills a little and every same-target retry draws from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryConfig {
    /// Retries per request in the long run. 0.1.
    pub ratio: f64,
    /// Retries that are there from the start and come back at one a second. 10.
    pub floor: u32,
    /// Second attempts in parallel per request in the long run. 0.05.
    pub hedges: f64,
}

impl Default for CooldownConfig {
    fn default() -> Self {
        Self {
            rate_limited: Duration::from_secs(60),
            quota_exhausted: Duration::from_secs(3_600),
            longest: Duration::from_secs(300),
            longest_quota: Duration::from_secs(25 * 3_600),
        }
    }
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures: 5,
            success_rate: 0.5,
            samples: 20,
            window: Duration::from_secs(30),
            pause: Duration::from_secs(5),
            longest_pause: Duration::from_secs(30),
            scope: BreakerScope::Model,
        }
    }
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self { ratio: 0.1, floor: 10, hedges: 0.05 }
    }
}
