//! What an operator can set of how a strategy keeps at it.

use crate::{Backoff, Hedge, Share, Wait, options};

options! {
    /// The options every built-in strategy takes.
    pub struct FallbackOptions {
        /// The provider, or provider/model, that goes before all others while it is available.
        pub primary: Option<String> = None,
        /// Whether the target that served last goes before all but the first, while the route's prefer_for lasts.
        pub sticky: bool = true,
        /// Whether targets that show signs of trouble (failures in a row, a low success rate, a quota near its end) go
        /// last. One request in sixteen goes by the plain order all the same, to notice when they have recovered.
        pub avoid_trouble: bool = false,
        /// Whether the other models of a provider that has just failed go last.
        pub leave_provider: bool = false,
        /// How many attempts one request may make at one target.
        pub attempts: u32 = 5,
        /// How many times one request asks a target again at once after an outage there, before it goes on to the next:
        /// 1, and with fail-fast 0.
        pub retries: Option<u32> = None,
        /// How long a wait for a rate-limited target may be, to be preferred to going on to the next.
        pub patience: Wait = Wait::ZERO,
        /// How long to wait before a target is asked again; doubled with each attempt there.
        pub base_delay: Wait = Wait::from_secs(1),
        /// The longest such wait.
        pub max_delay: Wait = Wait::from_secs(60),
        /// The share of such a wait that chance may take away, so that callers do not come back as one.
        pub jitter: Share = Share::new(1.0),
        /// How long an attempt may go without a token before a second target is asked in parallel: the first of the two to
        /// give a token serves. Not with fail-fast.
        pub hedge: Hedge = Hedge::Off,
    }
}

impl FallbackOptions {
    /// The delays these options ask for.
    #[must_use]
    pub fn backoff(&self) -> Backoff {
        Backoff { base_ms: self.base_delay.ms(), max_ms: self.max_delay.ms(), jitter: self.jitter.get() }
    }
}
