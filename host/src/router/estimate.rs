//! What a request would cost at each target of its route, before it is sent.

use std::sync::Arc;

use serde::Serialize;

use crate::types::{ChatRequest, NanoUsd, TargetName};

use super::eligibility::output_bound;
use super::{RouteError, Router};

/// What a request would cost at one target at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// Where.
    pub target: Arc<TargetName>,
    /// Input tokens, estimated from above.
    pub input_tokens: u32,
    /// Output tokens at most.
    pub max_output_tokens: u32,
    /// The cost of both; `None` where the price is not known.
    pub cost: Option<NanoUsd>,
}

impl Router {
    /// Reckons without sending anything.
    ///
    /// # Errors
    /// When the request names a model, a provider or a purpose that is not there.
    pub fn estimate(&self, request: &ChatRequest) -> Result<Vec<Estimate>, RouteError> {
        let route = self.choose(request)?.route;
        self.purpose(request)?;
        let needs = self.needs(request);
        let seats = route.roster.iter().map(|seat| {
            let most = output_bound(request, &needs, self.default_max_tokens(request, Some(seat)));
            Estimate {
                target: Arc::clone(&seat.name),
                input_tokens: needs.input_tokens,
                max_output_tokens: most,
                cost: seat.roster.cost(needs.input_tokens.into(), most.into()),
            }
        });
        Ok(seats.collect())
    }
}
