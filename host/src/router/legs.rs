//! The attempts of one request that are under way: one as a rule, two while a hedge runs.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::clock::{Clock, Moment};
use crate::types::{AttemptPlan, NanoUsd, TargetName};

use super::leave::Failed;
use super::report::Report;
use super::served::Served;

/// The attempts under way. Dropped, they are cancelled, and settled as abandoned.
pub(super) struct Legs<R> {
    // Looked at one by one: there are two at most, and a set that knows who was woken costs each request five allocations.
    legs: Vec<(Leg, Flight<R>)>,
    hedge_at: Option<Moment>,
}

/// An attempt on its way to its end.
pub(super) type Flight<R> = Pin<Box<dyn Future<Output = Result<Served<R>, Failed>> + Send>>;

/// What is known of an attempt while it is under way.
pub(super) struct Leg {
    /// What was planned.
    pub(super) plan: AttemptPlan,
    /// To whom it went.
    pub(super) target: Arc<TargetName>,
    /// When.
    pub(super) sent: Moment,
    /// What it costs where nobody waits for its end.
    pub(super) worst_case: Option<NanoUsd>,
    /// What its strategy is to be told of it, where it is told anything.
    pub(super) report: Option<Report>,
}

/// What happens next.
pub(super) enum Next<R> {
    /// An attempt has served, or its stream's first token is here.
    Served(Box<Served<R>>),
    /// An attempt has failed.
    Failed(AttemptPlan, Box<Failed>),
    /// The time has come to ask for a second attempt.
    HedgeDue,
    /// Nothing is under way.
    Nothing,
}

impl<R> Legs<R> {
    /// None under way.
    pub(super) fn none() -> Self {
        Self { legs: Vec::new(), hedge_at: None }
    }

    /// Whether none is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.legs.is_empty()
    }

    /// Those under way, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().map(|(leg, _)| leg)
    }

    /// What they cost where nobody waits for their ends.
    pub(super) fn worst_case(&self) -> NanoUsd {
        let costs = self.iter().filter_map(|leg| leg.worst_case);
        costs.fold(NanoUsd::ZERO, NanoUsd::saturating_add)
    }

    /// Lets an attempt set out.
    pub(super) fn add(&mut self, leg: Leg, flight: Flight<R>) {
        let after = leg.plan.hedge_after_ms.map(|ms| std::time::Duration::from_millis(ms.into()));
        self.hedge_at = after.map(|after| leg.sent + after);
        self.legs.push((leg, flight));
    }

    /// Waits for those under way, and asks for no further one.
    pub(super) fn hold(&mut self) {
        self.hedge_at = None;
    }

    /// Waits for an end, or for the time of a second attempt.
    pub(super) async fn next(&mut self, clock: &dyn Clock) -> Next<R> {
        if self.legs.is_empty() {
            return Next::Nothing;
        }
        let hedge_at = self.hedge_at;
        let hedge = async {
            match hedge_at {
                Some(at) => clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            (leg, outcome) = poll_fn(|context| self.first_to_end(context)) => leg.land(outcome),
            () = hedge => {
                self.hedge_at = None;
                Next::HedgeDue
            }
        }
    }

    /// Whichever ends first; of several at once, the one that set out first.
    fn first_to_end(&mut self, context: &mut Context<'_>) -> Poll<(Leg, Result<Served<R>, Failed>)> {
        let mut legs = self.legs.iter_mut().enumerate();
        let ended = legs.find_map(|(place, (_, flight))| match flight.as_mut().poll(context) {
            Poll::Ready(outcome) => Some((place, outcome)),
            Poll::Pending => None,
        });
        let Some((place, outcome)) = ended else { return Poll::Pending };
        Poll::Ready((self.legs.remove(place).0, outcome))
    }

    /// Gives them up.
    pub(super) fn give_up(self) -> Vec<Leg> {
        self.legs.into_iter().map(|(leg, _)| leg).collect()
    }
}

impl Leg {
    /// What an attempt's end means for its request.
    fn land<R>(self, outcome: Result<Served<R>, Failed>) -> Next<R> {
        let mut report = self.report;
        match outcome {
            Ok(served) => {
                report.iter_mut().for_each(|report| report.first_token(served.first_token));
                Next::Served(Box::new(Served { report, ..served }))
            }
            Err(failed) => Next::Failed(self.plan, Box::new(Failed { report, ..failed })),
        }
    }
}
