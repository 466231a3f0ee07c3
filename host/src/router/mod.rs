//! The loop: asks the strategy, the guard, a provider, until one has answered.

// In the order a request meets them.
mod asked;
mod choice;
mod route;
mod decider;
mod shadow;
mod seat;
mod travel;
mod journey;
mod cached;
mod line;
mod question;
mod eligibility;
mod output;
mod leave;
mod refused;
mod served;
mod legs;
mod report;
mod outgoing;
mod attempt;
mod endpoint;
mod limits;
mod relay;
mod seam;
mod transcript;
mod chunk;
mod stream;
mod answer;
mod embeddings;
mod ending;
mod estimate;
#[cfg(feature = "tokens")]
mod count;
mod error;
mod error_json;
mod story;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indexmap::IndexMap;

use crate::accounting::Accounts;
use crate::accounting::recording::Recorder;
use crate::cache::{Claim, ReplyCache};
use crate::clock::Clock;
use crate::config::{GenerationDefaults, Purpose};
use crate::guard::{Guard, Target};
use crate::random::Random;
use crate::transport::Transport;
use crate::types::{ChatRequest, Needs, Observer, Outcome, RequestId, RequestRecord, TargetName};

use asked::Asked;
use attempt::{Shape, Whole};
use cached::LookedUp;
use choice::{Choice, nearest};
use journey::Journey;
use relay::Streamed;
use story::Story;

pub use answer::Answer;
pub use chunk::Chunk;
pub use decider::{Decider, Stamp, Surroundings};
pub use embeddings::Embeddings;
pub use endpoint::Endpoint;
pub use error::{RouteError, StreamError, Wanted};
pub use estimate::{Counted, Estimate, Expectation, WorstCase};
pub use route::Route;
pub use seat::{Seat, seat};
pub use shadow::{Disagreement, Shadow, ShadowStatus};
pub use stream::AnswerStream;

/// Everything a request meets on its way.
pub struct Router {
    /// The host's own rules.
    pub guard: Arc<Guard>,
    /// The way out.
    pub transport: Arc<dyn Transport>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Entropy for strategies, names and spreading.
    pub random: Arc<Random>,
    /// The books.
    pub accounts: Arc<Accounts>,
    /// One endpoint for each provider, in declared order.
    pub endpoints: Vec<Endpoint>,
    /// The routes by name.
    pub routes: IndexMap<String, Arc<Route>>,
    /// A route for each embedding model, by its name: the targets that have it.
    pub embeddings: IndexMap<String, Arc<Route>>,
    /// The purpose presets by name.
    pub purposes: IndexMap<String, Purpose>,
    /// Generation settings for everyone who says nothing.
    pub defaults: GenerationDefaults,
    /// The replies that are kept, where any are.
    pub cache: Option<Arc<ReplyCache>>,
    /// Where decisions are written down, where they are.
    pub recorder: Option<Arc<Recorder>>,
    /// Counts requests.
    pub sequence: Arc<AtomicU64>,
}

impl Router {
    /// Answers a request with a whole reply.
    ///
    /// # Errors
    /// When no target can serve it within its bounds; see [`RouteError`].
    pub async fn answer(
        self: &Arc<Self>,
        request: Arc<ChatRequest>,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Answer, RouteError> {
        let mut journey = self.depart(request, Whole::STREAMING, observer)?;
        let claim = match journey.look_up().await {
            LookedUp::Kept(reply) => return Ok(Answer::of_kept(journey, &reply)),
            LookedUp::Ask(claim) => claim,
        };
        self.guard.begin(self.clock.now());
        match journey.travel::<Whole>().await {
            Ok(served) => Ok(journey.arrive(served, claim)),
            Err(error) => {
                claim.into_iter().for_each(Claim::fail);
                match journey.end_failed(&error) {
                    Some(text) => Ok(Answer::of_fallback_text(&journey, text)),
                    None => Err(error),
                }
            }
        }
    }

    /// Answers a request with a stream whose first token is here.
    ///
    /// # Errors
    /// When no target can serve it within its bounds; see [`RouteError`].
    pub async fn open(
        self: &Arc<Self>,
        request: Arc<ChatRequest>,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<AnswerStream, RouteError> {
        let mut journey = self.depart(request, Streamed::STREAMING, observer)?;
        let claim = match journey.look_up().await {
            LookedUp::Kept(reply) => return Ok(AnswerStream::of_kept(journey, reply)),
            LookedUp::Ask(claim) => claim,
        };
        self.guard.begin(self.clock.now());
        match journey.travel::<Streamed>().await {
            Ok(served) => Ok(AnswerStream::of_provider(journey, served, claim)),
            Err(error) => {
                claim.into_iter().for_each(Claim::fail);
                match journey.end_failed(&error) {
                    Some(text) => Ok(AnswerStream::of_fallback_text(&journey, &text)),
                    None => Err(error),
                }
            }
        }
    }

    /// Finds a chat's route and opens its record.
    fn depart(
        self: &Arc<Self>,
        request: Arc<ChatRequest>,
        streaming: bool,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Journey, RouteError> {
        let choice = self.choose(&request)?;
        self.purpose(&request)?;
        Ok(self.set_off(Asked::Chat(request), streaming, choice, observer))
    }

    /// Opens the record of a request that has its route.
    fn set_off(
        self: &Arc<Self>,
        asked: Asked,
        streaming: bool,
        choice: Choice,
        observer: Option<Arc<dyn Observer>>,
    ) -> Journey {
        let record = self.record(&asked, streaming, &choice);
        self.accounts.begin(&record);
        let story = Story::begin(record, observer, Arc::clone(&self.accounts), Arc::clone(&self.clock));
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        Journey::new(Arc::clone(self), asked, streaming, choice, story, sequence)
    }

    /// The record of a request of which nothing has happened yet.
    fn record(&self, asked: &Asked, streaming: bool, choice: &Choice) -> RequestRecord {
        let started = self.clock.wall();
        RequestRecord {
            id: RequestId::new(started, [self.random.next(), self.random.next()]),
            started,
            route: Arc::clone(&choice.route.name),
            strategy: Arc::clone(&choice.route.decider().name),
            streaming,
            labels: asked.labels().into(),
            parent: asked.parent(),
            outcome: Outcome::Pending,
            error: None,
            served_by: None,
            usage: None,
            cost: None,
            took: Duration::ZERO,
            attempts: Vec::new(),
            steps: Vec::new(),
        }
    }

    fn route(&self, name: &str) -> Option<Arc<Route>> {
        self.routes.get(name).cloned()
    }

    /// The names of the targets of a kind.
    fn target_names(&self, wanted: Wanted) -> impl Iterator<Item = &Arc<TargetName>> {
        let is_wanted = move |target: &&Target| target.embeds.is_some() == (wanted == Wanted::Embeddings);
        self.guard.targets().iter().filter(is_wanted).map(|target| &target.name)
    }

    fn endpoint(&self, seat: &Seat) -> Option<&Endpoint> {
        let target = self.guard.targets().get(seat.target.index())?;
        self.endpoints.get(target.provider)
    }

    /// The purpose preset a request names.
    fn purpose(&self, request: &ChatRequest) -> Result<Option<&Purpose>, RouteError> {
        let Some(name) = &request.purpose else { return Ok(None) };
        let unknown = || RouteError::UnknownPurpose {
            purpose: name.clone(),
            nearest: nearest(name, self.purposes.keys().cloned()),
        };
        self.purposes.get(name).ok_or_else(unknown).map(Some)
    }

    /// What a request needs, its purpose's JSON mode included.
    fn needs(&self, request: &ChatRequest) -> Needs {
        let purpose = request.purpose.as_ref().and_then(|name| self.purposes.get(name));
        let format = purpose.and_then(|purpose| purpose.fields.get("response_format"));
        let wants_json = format.is_some_and(|format| format["type"] != "text");
        let needs = request.needs();
        let of_purpose = purpose.map_or(0, |purpose| u32::try_from(purpose.size()).unwrap_or(u32::MAX));
        let input_bound = needs.input_bound.saturating_add(of_purpose);
        Needs { json: needs.json || wants_json, input_bound, ..needs }
    }

    /// The output tokens that are asked for where neither the request says nor a target has a word of its own.
    fn default_max_tokens(&self, request: &ChatRequest) -> Option<u32> {
        self.purposes_number(request, "max_tokens").or(self.defaults.max_tokens)
    }

    /// How many answers are asked for.
    fn answers(&self, request: &ChatRequest) -> u32 {
        request.answers().or_else(|| self.purposes_number(request, "n")).unwrap_or(1)
    }

    /// A number that a request's purpose has for a field.
    fn purposes_number(&self, request: &ChatRequest, field: &str) -> Option<u32> {
        let purpose = self.purposes.get(request.purpose.as_ref()?)?;
        purpose.fields.get(field)?.as_u64().and_then(|number| u32::try_from(number).ok())
    }
}
