//! The library's front door: [`Backstop`] and its builder.

mod build_error;
mod builder;
mod live;
mod watch;
mod change;
mod route_status;

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::accounting::{Costs, NewsReceiver, Scope, Stats, TimelineView};
use crate::config::Config;
use crate::guard::{BudgetStatus, ProviderStatus, SharedStoreStatus};
use crate::router::{Answer, AnswerStream, Embeddings, Estimate, RouteError, Router, WorstCase};
use crate::types::{Alert, ChatRequest, EmbeddingRequest, FailureKind, Observer, RequestId, RequestRecord};
#[cfg(feature = "gateway")]
use crate::{accounting::About, clock::Clock, guard::Fleet, types::AlertKind};

use live::Stand;

pub use build_error::BuildError;
pub use builder::Builder;
pub use change::ChangeError;
pub use route_status::{RouteStatus, StrategyStatus};

/// Answers chat requests, and requests for embeddings, from whichever provider can. Cheap to clone; all clones share one state.
///
/// A strategy that is a file is looked at every half second: a new one that proves fit takes over between two decisions, one
/// that does not is logged and left out.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use backstop::{Backstop, ChatRequest};
///
/// let backstop = Backstop::builder().build().await?;
/// let answer = backstop.chat(ChatRequest::ask("What is the capital of France?")).await?;
/// println!("{} (from {:?})", answer.text, answer.target);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Backstop {
    stand: Arc<Stand>,
}

/// The name given is no provider's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no provider is called {0:?}")]
pub struct UnknownProvider(pub String);

impl Backstop {
    /// Begins a configuration; without a word more it is the one `backstop.toml`, `.env` and the environment give.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Asks a question and returns the text of the answer.
    ///
    /// # Errors
    /// As [`Backstop::chat`].
    pub async fn ask(&self, question: &str) -> Result<String, RouteError> {
        self.chat(ChatRequest::ask(question)).await.map(|answer| answer.text)
    }

    /// Answers a request with a whole reply.
    ///
    /// # Errors
    /// When no target can serve the request within its bounds.
    pub async fn chat(&self, request: ChatRequest) -> Result<Answer, RouteError> {
        self.router().answer(Arc::new(request), None).await
    }

    /// As [`Backstop::chat`], telling an observer every step as it happens.
    ///
    /// # Errors
    /// As [`Backstop::chat`].
    pub async fn chat_observed(&self, request: ChatRequest, observer: Arc<dyn Observer>) -> Result<Answer, RouteError> {
        self.router().answer(Arc::new(request), Some(observer)).await
    }

    /// Answers a request with a stream whose first token is here: until then, failing over is invisible.
    ///
    /// # Errors
    /// When no target can serve the request within its bounds. What breaks later is an item of the stream.
    pub async fn stream(&self, request: ChatRequest) -> Result<AnswerStream, RouteError> {
        self.router().open(Arc::new(request), None).await
    }

    /// As [`Backstop::stream`], telling an observer every step as it happens.
    ///
    /// # Errors
    /// As [`Backstop::stream`].
    pub async fn stream_observed(
        &self,
        request: ChatRequest,
        observer: Arc<dyn Observer>,
    ) -> Result<AnswerStream, RouteError> {
        self.router().open(Arc::new(request), Some(observer)).await
    }

    /// Has texts embedded: by any of the targets that have the model the request names, never by another model.
    ///
    /// # Errors
    /// When no target has the model, or none can serve the request within its bounds.
    pub async fn embed(&self, request: EmbeddingRequest) -> Result<Embeddings, RouteError> {
        self.router().embed(Arc::new(request), None).await
    }

    /// As [`Backstop::embed`], telling an observer every step as it happens.
    ///
    /// # Errors
    /// As [`Backstop::embed`].
    pub async fn embed_observed(
        &self,
        request: EmbeddingRequest,
        observer: Arc<dyn Observer>,
    ) -> Result<Embeddings, RouteError> {
        self.router().embed(Arc::new(request), Some(observer)).await
    }

    /// Every provider's state, in declared order.
    #[must_use]
    pub fn status(&self) -> Vec<ProviderStatus> {
        let router = self.router();
        router.guard.status(router.clock.now(), router.clock.wall())
    }

    /// Every route: who comes first, who served last, who is forced, who decides.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteStatus> {
        let router = self.router();
        let now = router.clock.now();
        router.routes.values().map(|route| RouteStatus::of(route, &router, now)).collect()
    }

    /// Every route's strategy: where it came from, and how it fares.
    #[must_use]
    pub fn strategies(&self) -> Vec<StrategyStatus> {
        self.router().routes.values().map(|route| StrategyStatus::of(route)).collect()
    }

    /// How the daily and the monthly budget stand, where they are set.
    #[must_use]
    pub fn budgets(&self) -> Vec<BudgetStatus> {
        let router = self.router();
        router.guard.budgets(router.clock.wall())
    }

    /// How the budgets of routes, providers, keys and labels stand.
    #[must_use]
    pub fn scoped_budgets(&self) -> Vec<(Scope, BudgetStatus)> {
        let router = self.router();
        router.guard.scoped_budgets(router.clock.wall())
    }

    /// Why nothing may be spent that a budget limits, where the ledger cannot be written or is damaged.
    #[must_use]
    pub fn ledger_fault(&self) -> Option<Arc<str>> {
        self.router().guard.ledger_fault()
    }

    /// How the store is doing that instances share; `None` where there is none.
    #[must_use]
    pub fn shared_store(&self) -> Option<SharedStoreStatus> {
        self.router().guard.shared_store()
    }

    /// The route that a request for this `model` takes: the one of that name, else the default one.
    #[must_use]
    pub fn route_of<'a>(&self, model: Option<&'a str>) -> &'a str {
        model.filter(|model| self.router().routes.contains_key(*model)).unwrap_or(Config::DEFAULT_ROUTE)
    }

    /// Every embedding model as the route it is, named `embeddings/MODEL`: the targets that have it.
    #[must_use]
    pub fn embedding_routes(&self) -> Vec<RouteStatus> {
        let router = self.router();
        let now = router.clock.now();
        router.embeddings.values().map(|route| RouteStatus::of(route, &router, now)).collect()
    }

    /// Uses one provider and no other for a while.
    ///
    /// # Errors
    /// When no provider has that name.
    pub fn force_provider(&self, provider: &str, lasting: Duration) -> Result<(), UnknownProvider> {
        self.at_provider(provider, |router, place| router.guard.force(place, router.clock.now() + lasting))
    }

    /// Forgets which target served last on each route, and ends [`Backstop::force_provider`].
    pub fn clear_preference(&self) {
        self.router().guard.clear_preference();
    }

    /// Leaves a provider alone for a while, with all its models and keys, as if it had asked for that.
    ///
    /// # Errors
    /// When no provider has that name.
    pub fn cool_down(&self, provider: &str, lasting: Duration) -> Result<(), UnknownProvider> {
        self.at_provider(provider, |router, place| router.guard.cool_down(place, router.clock.now() + lasting))
    }

    /// Ends every cooldown and breaker's pause of a provider; keys it has rejected and models it does not know get another
    /// chance.
    ///
    /// # Errors
    /// When no provider has that name.
    pub fn clear_provider(&self, provider: &str) -> Result<(), UnknownProvider> {
        self.at_provider(provider, |router, place| router.guard.clear(place))
    }

    /// Counts a failure that was met elsewhere against all of a provider's models.
    ///
    /// # Errors
    /// When no provider has that name.
    pub fn report_failure(&self, provider: &str, kind: FailureKind) -> Result<(), UnknownProvider> {
        self.at_provider(provider, |router, place| {
            router.guard.report_failure(place, kind, router.clock.now(), router.clock.wall());
        })
    }

    /// Counts a success that was met elsewhere in favour of all of a provider's models. Waits that the provider itself
    /// asked for are kept.
    ///
    /// # Errors
    /// When no provider has that name.
    pub fn report_success(&self, provider: &str) -> Result<(), UnknownProvider> {
        self.at_provider(provider, |router, place| {
            router.guard.report_success(place, router.clock.now(), router.clock.wall());
        })
    }

    /// What a request would come to at each target of its route, and which of them would be asked first, without sending anything.
    /// Asks the strategy, and counts tokens where it can: to be shown to somebody, not to be asked for on every request.
    ///
    /// # Errors
    /// When the request names a model, a provider or a purpose that is not there.
    pub fn estimate(&self, request: &ChatRequest) -> Result<Vec<Estimate>, RouteError> {
        self.router().estimate(request)
    }

    /// What one attempt of a request may cost at most at each target that it may go to: what a budget sets aside. Cheap.
    ///
    /// # Errors
    /// As [`Backstop::estimate`].
    pub fn worst_cases(&self, request: &ChatRequest) -> Result<Vec<WorstCase>, RouteError> {
        self.router().worst_cases(request)
    }

    /// What was spent since the start or the latest reset, by provider and day.
    #[must_use]
    pub fn costs(&self) -> Costs {
        self.router().accounts.costs()
    }

    /// Forgets what was spent, at one provider or at all of them.
    pub fn reset_costs(&self, provider: Option<&str>) {
        self.router().accounts.reset_costs(provider);
    }

    /// The counts since the start or the latest reset.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.router().accounts.stats()
    }

    /// Begins the counts anew.
    pub fn reset_stats(&self) {
        self.router().accounts.reset_stats();
    }

    /// The whole story of a request: who might have been asked, what the strategy said and why, what was tried, how long it
    /// took and what it cost. The latest 1,000 are kept, or as many as [`Builder::kept_records`] says.
    #[must_use]
    pub fn explain(&self, id: RequestId) -> Option<Arc<RequestRecord>> {
        self.router().accounts.record(id)
    }

    /// The latest requests, newest first.
    #[must_use]
    pub fn latest(&self, most: usize) -> Vec<Arc<RequestRecord>> {
        self.router().accounts.latest(most)
    }

    /// Requests as they end and alerts as they are raised, from now on.
    #[must_use]
    pub fn news(&self) -> NewsReceiver {
        self.router().accounts.news()
    }

    /// Raises an alert about what is outside of requests.
    #[cfg(feature = "gateway")]
    pub(crate) fn raise(&self, kind: AlertKind, message: String) {
        self.router().accounts.alarm().raise(kind, About::Everything, message);
    }

    /// Tells whoever listens that another configuration has taken over.
    #[cfg(feature = "gateway")]
    pub(crate) fn tell_reloaded(&self, notices: &[String]) {
        self.router().accounts.reloaded(notices);
    }

    /// Other instances, where there are any.
    #[cfg(feature = "gateway")]
    pub(crate) fn fleet(&self) -> Option<Arc<dyn Fleet>> {
        self.stand.live().fleet.clone()
    }

    /// The clock everything goes by.
    #[cfg(feature = "gateway")]
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.router().clock)
    }

    /// The latest alerts, newest first; 50 are kept.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        self.router().accounts.alarm().latest()
    }

    /// Traffic, failures, latency and cost over the last so many minutes, a day at most.
    #[must_use]
    pub fn timeline(&self, minutes: u32) -> TimelineView {
        let router = self.router();
        router.accounts.timeline(minutes, router.clock.wall())
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.stand.live().config)
    }

    fn router(&self) -> Arc<Router> {
        Arc::clone(&self.stand.live().router)
    }

    fn at_provider(&self, provider: &str, act: impl FnOnce(&Router, usize)) -> Result<(), UnknownProvider> {
        let router = self.router();
        let place = router.endpoints.iter().position(|endpoint| *endpoint.name == *provider);
        act(&router, place.ok_or_else(|| UnknownProvider(provider.to_owned()))?);
        Ok(())
    }
}
