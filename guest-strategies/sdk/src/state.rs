//! A target at the moment of the question: whether it would be admitted, and how it has been doing.

/// Whether the host would admit a target now, and if not, why. Payloads: milliseconds until it would, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Would be admitted now.
    Ready,
    /// Asked to be left alone (a rate limit); waiting helps.
    CoolingDown(u32),
    /// Failed so often of late that it is left alone; one probe will be let through then. Waiting may not help.
    Tripped(u32),
    /// Another request is trying it at this moment; to choose it is to wait for that request's result.
    Probing,
    /// The operator's own limit is used up; waiting helps.
    Limited(u32),
    /// Its account or daily quota is used up.
    OutOfQuota(u32),
    /// The request would not fit a budget.
    OverBudget,
    /// Cannot serve this request.
    Unsupported,
    /// Has had its turns in this request.
    Spent,
    /// Out until someone does something about it.
    Disabled,
}

/// One target at the moment of the question. Health covers all requests through the host, not only this one.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Whether it would be admitted.
    pub standing: Standing,
    /// US dollars this request would cost there at most; `None` where the price is unknown.
    pub estimated_cost: Option<f64>,
    /// Requests under way there now.
    pub in_flight: u32,
    /// Failures since the last success, all requests together.
    pub consecutive_failures: u32,
    /// Share of the latest attempts that were served, 0 to 1; 1 where there were none.
    pub success_rate: f32,
    /// Milliseconds from sending to the first token, smoothed over the latest attempts.
    pub first_token_ms: Option<f32>,
    /// The share still left, 0 to 1, of the scarcest quota its replies told of.
    pub quota_left: Option<f32>,
}

impl Standing {
    /// Whether an attempt made now would be admitted.
    #[must_use]
    pub const fn is_ready(self) -> bool {
        matches!(self, Self::Ready)
    }

    /// Whether it may come to serve this request in a while, by waiting if need be.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        match self {
            Self::Ready
            | Self::CoolingDown(_)
            | Self::Tripped(_)
            | Self::Probing
            | Self::Limited(_)
            | Self::OutOfQuota(_) => true,
            Self::OverBudget | Self::Unsupported | Self::Spent | Self::Disabled => false,
        }
    }

    /// Milliseconds until the host may admit it, where that is known.
    #[must_use]
    pub const fn wait_ms(self) -> Option<u32> {
        match self {
            Self::Ready => Some(0),
            Self::CoolingDown(ms) | Self::Tripped(ms) | Self::Limited(ms) | Self::OutOfQuota(ms) => Some(ms),
            Self::Probing | Self::OverBudget | Self::Unsupported | Self::Spent | Self::Disabled => None,
        }
    }
}

impl State {
    /// A target that is ready and of which nothing else is known.
    #[must_use]
    pub const fn ready() -> Self {
        Self {
            standing: Standing::Ready,
            estimated_cost: None,
            in_flight: 0,
            consecutive_failures: 0,
            success_rate: 1.0,
            first_token_ms: None,
            quota_left: None,
        }
    }
}
