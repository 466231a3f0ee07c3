//! The configuration as the rest of the host sees it: complete, checked, every default filled in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use secrecy::SecretString;
use url::Url;

use crate::types::{NanoUsd, Price};

/// Everything Backstop is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The providers in declared order, by name.
    pub providers: IndexMap<String, ProviderConfig>,
    /// The routes by name; there is always one named `default`, and it comes first.
    pub routes: IndexMap<String, RouteConfig>,
    /// How long a target is left alone after a rate limit or a used-up quota.
    pub cooldown: CooldownConfig,
    /// When a failing target is left alone.
    pub breaker: BreakerConfig,
    /// How many same-target retries all requests share.
    pub retries: RetryConfig,
    /// What may be spent.
    pub budget: BudgetConfig,
    /// Generation settings for everyone who says nothing, from `LLM_DEFAULT_TEMPERATURE` and the like.
    pub defaults: GenerationDefaults,
    /// Named sets of request fields a caller can pick: `moderation`, `title` and the operator's own.
    pub purposes: IndexMap<String, Purpose>,
    /// How guests run.
    pub sandbox: SandboxConfig,
    /// Replies kept for equal requests.
    pub cache: CacheConfig,
    /// Where the ledger and the records live.
    pub store: StoreConfig,
    /// The HTTP front door.
    pub gateway: GatewayConfig,
    /// Where traces and metrics are sent.
    pub telemetry: TelemetryConfig,
    /// Whether each request leaves a line in the log (`LLM_LOG_REQUESTS`).
    pub log_requests: bool,
}

/// One provider.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// The wire protocol.
    pub kind: Protocol,
    /// Where its API begins, such as `https://api.openai.com/v1`.
    pub base_url: Url,
    /// Whether keys may travel unencrypted (`http://`) to a host that is neither this machine nor a private address.
    pub allow_insecure: bool,
    /// Its keys, or why it has none.
    pub credentials: Credentials,
    /// Its chat models in the order they are tried; at least one of these or of the next where the provider is usable.
    pub models: Vec<ModelConfig>,
    /// Its embedding models: no route of chats tries them.
    pub embedding_models: Vec<EmbeddingModel>,
    /// Switched off by the operator where false.
    pub enabled: bool,
    /// Higher is better.
    pub priority: i32,
    /// Runs on the operator's own machines.
    pub local: bool,
    /// The price of models that have none of their own.
    pub price: Option<Price>,
    /// Its time limits.
    pub timeouts: Timeouts,
    /// What it may be asked at most.
    pub limits: Limits,
    /// Generation settings for requests that say nothing.
    pub defaults: GenerationDefaults,
    /// Headers sent along with every request, such as `HTTP-Referer`.
    pub headers: IndexMap<String, String>,
    /// The operator's own words about it, shown to strategies.
    pub labels: IndexMap<String, String>,
}

/// How a provider is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `POST {base_url}/chat/completions` as OpenAI defined it.
    OpenAi,
    /// Anthropic Messages: `POST {base_url}/v1/messages`.
    Anthropic,
    /// Gemini: `POST {base_url}/v1beta/models/{model}:generateContent`, or `:streamGenerateContent`.
    Gemini,
    /// Ollama: `POST {base_url}/api/chat`.
    Ollama,
}

/// A provider's keys.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// It takes none (a local server).
    NotNeeded,
    /// Rotated, each with its own cooldown.
    Keys(Vec<ApiKey>),
    /// It wants one and has none, or only a placeholder: "not initialised".
    Missing {
        /// The variables that would bring one.
        variables: Vec<String>,
        /// The variable that holds a placeholder, where that is the trouble.
        placeholder: Option<String>,
    },
}

/// One key and where it came from.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The variable (or the place in code) it came from: what logs and records name it by.
    pub name: String,
    /// The key itself. Only the transport looks at it.
    pub secret: SecretString,
}

/// One model of a provider.
#[derive(Debug, Clone)]
pub struct ModelConfig {
    /// The provider's id of it.
    pub id: String,
    /// Its own price, where it differs from the provider's.
    pub price: Option<Price>,
    /// Tokens of input and output together, where known.
    pub context_window: Option<u32>,
    /// Takes tool definitions.
    pub tools: bool,
    /// Can be held to JSON.
    pub json: bool,
    /// Takes images.
    pub vision: bool,
    /// Goes on with an answer that has begun; `None` is what is known of its provider.
    pub prefill: Option<bool>,
    /// What the catalogue says of it, which counts where the operator says nothing; `None` where it was not asked.
    pub listed: Option<Listing>,
}

/// One embedding model of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddingModel {
    /// The provider's id of it.
    pub id: String,
    /// The name it shares with the same model elsewhere, where that is not its id: vectors of different models cannot be
    /// compared, so that only models of one name stand in for each other.
    pub same_as: Option<String>,
    /// Its own price; the provider's is that of its chat models.
    pub price: Option<Price>,
    /// What the catalogue says it costs, which counts where the operator says nothing.
    pub listed: Option<Price>,
}

/// What the catalogue says of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Listing {
    /// Its price, where it has one that can be billed by tokens.
    pub price: Option<Price>,
    /// Tokens of input and output together, where known.
    pub context_window: Option<u32>,
}

/// Time limits of one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection. 5 s.
    pub connect: Duration,
    /// From sending to the first token. `None` is 10 s for streams and no limit of its own for whole replies, which come
    /// in one piece when the last token is made; set by hand it holds for both.
    pub first_token: Option<Duration>,
    /// Between two tokens of a stream; comments do not count. 15 s.
    pub idle: Duration,
    /// The whole attempt. 120 s.
    pub total: Duration,
}

/// What a provider may be asked at most; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Requests a minute.
    pub rpm: Option<u32>,
    /// Tokens a minute, input and output together.
    pub tpm: Option<u32>,
    /// Requests at once.
    pub concurrent: Option<u32>,
    /// How long a request may wait for its turn.
    pub queue: Option<Duration>,
}

/// Generation settings for requests that say nothing themselves.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GenerationDefaults {
    /// `temperature`, 0 to 2.
    pub temperature: Option<f64>,
    /// `max_tokens`, from 1.
    pub max_tokens: Option<u32>,
}

/// A named set of request fields, each used where the request says nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Purpose {
    /// Body fields as JSON, such as `temperature` and `response_format`.
    pub fields: IndexMap<String, serde_json::Value>,
}

/// One route.
#[derive(Debug, Clone)]
pub struct RouteConfig {
    /// Who may be asked, in declared order; never empty in a checked configuration.
    pub targets: Vec<TargetRef>,
    /// Who decides.
    pub strategy: StrategyRef,
    /// The strategy's own table.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// Attempts for one request at most; `None` is one for every target and one more, and no less than 4.
    pub max_attempts: Option<u32>,
    /// How long a request may take in all. 120 s.
    pub deadline: Duration,
    /// What becomes of a stream that breaks after part of it reached the caller.
    pub on_interrupt: OnInterrupt,
    /// How much of a stream is held back at first, so that a break within it is nobody's loss.
    pub hold_back: HoldBack,
    /// Whether targets that are left alone may be tried when nothing else is left.
    pub emergency: bool,
    /// How long the target that served last is shown to the strategy as preferred; zero is never.
    pub prefer_for: Duration,
    /// Whether a refusal on grounds of content may be taken to the next target.
    pub content_filter_falls_back: bool,
    /// The text to answer with, marked as degraded, when every provider failed.
    pub fallback_text: Option<String>,
}

/// A target as a route names it: `provider` (all its models) or `provider/model`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TargetRef {
    /// A provider of the configuration.
    pub provider: String,
    /// One of its models.
    pub model: Option<String>,
}

/// Which strategy decides.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StrategyRef {
    /// One of those built in, by its own name: `smart`, `cost`, `quality`, `round-robin`, `fail-fast`.
    BuiltIn(&'static str),
    /// A component or core module on disk.
    File(PathBuf),
}

/// How much of a stream is held back at first: until so many tokens are here, or so long after the first, whichever comes
/// first. Nothing by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HoldBack {
    /// Tokens, counted as events that carry any.
    pub tokens: u32,
    /// Since the first token; `None` is as long as the tokens take.
    pub time: Option<Duration>,
}

/// What becomes of a stream that breaks after part of it reached the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInterrupt {
    /// Another target goes on where it broke, where one can; else `Restart`.
    Continue,
    /// Ask afresh and suppress what was already sent; else `Fail`.
    Restart,
    /// An error with the original cause.
    Fail,
}

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

/// What may be spent; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BudgetConfig {
    /// By one request.
    pub per_request: Option<NanoUsd>,
    /// In one day.
    pub daily: Option<NanoUsd>,
    /// In one month.
    pub monthly: Option<NanoUsd>,
    /// The share at which an alert is given, 0 to 1. 0.8.
    pub alert_at: Option<f64>,
    /// Whether costs are counted at all (`LLM_COST_TRACKING`).
    pub tracking: bool,
    /// What a model without a known price means while a budget is set.
    pub unknown_price: UnknownPrice,
}

/// What a target without a known price means to a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownPrice {
    /// Not used while a budget is set.
    #[default]
    Refuse,
    /// Counted at this price.
    Assume(Price),
}

/// How guests run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxConfig {
    /// Fuel for one call. 5,000,000.
    pub fuel: u64,
    /// Memory of one instance in bytes. 16 MiB.
    pub memory: usize,
    /// Bytes of a strategy's file at most. 2 MiB; components of JavaScript and Python need more.
    pub module_bytes: usize,
    /// How long a strategy may take to compile. 2 s.
    pub compile_time: Duration,
    /// Whether `wasi:*` imports are answered (with nothing behind them but the question's own clock and entropy).
    pub wasi: bool,
    /// Where compiled components are kept; `None` is not at all.
    pub compile_cache: Option<PathBuf>,
}

/// Replies kept for equal requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheConfig {
    /// Whether it is on.
    pub enabled: bool,
}

/// Where the records of requests, and what was spent, outlive the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The file; `None` is nowhere. Loaded configurations name one in the platform's data folder.
    pub path: Option<PathBuf>,
    /// Records that are kept at most. 100,000.
    pub keep_requests: u64,
    /// How long records are kept. 30 days.
    pub keep: Duration,
    /// A store shared by several instances.
    pub shared: Option<String>,
}

/// The HTTP front door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Where it listens. `127.0.0.1:7878`.
    pub listen: String,
    /// The file of its own keys; `gateway-keys.json` beside the store where nothing is said. `None` is no keys at all.
    pub keys: Option<PathBuf>,
    /// How the lines of its log are written.
    pub log_format: LogFormat,
}

/// How a log's lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Where traces and metrics are sent, in OpenTelemetry's protocol.
#[derive(Debug, Clone)]
pub struct TelemetryConfig {
    /// The collector, such as `http://127.0.0.1:4318` (`OTEL_EXPORTER_OTLP_ENDPOINT`); `None` is nowhere.
    pub otlp_endpoint: Option<Url>,
    /// Headers for it, which often hold keys (`OTEL_EXPORTER_OTLP_HEADERS`): name and value.
    pub otlp_headers: Vec<(String, SecretString)>,
    /// What this program is called there. `backstop`.
    pub service_name: String,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { path: None, keep_requests: 100_000, keep: Duration::from_secs(30 * 24 * 3_600), shared: None }
    }
}

impl ProviderConfig {
    /// A provider that speaks OpenAI's protocol at `base_url`, with every setting at its default and no model yet.
    #[must_use]
    pub fn openai_compatible(base_url: Url) -> Self {
        Self {
            kind: Protocol::OpenAi,
            base_url,
            allow_insecure: false,
            credentials: Credentials::NotNeeded,
            models: Vec::new(),
            embedding_models: Vec::new(),
            enabled: true,
            priority: 0,
            local: false,
            price: None,
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            defaults: GenerationDefaults::default(),
            headers: IndexMap::new(),
            labels: IndexMap::new(),
        }
    }

    /// Adds a key.
    #[must_use]
    pub fn with_key(mut self, name: &str, secret: &str) -> Self {
        let key = ApiKey { name: name.to_owned(), secret: SecretString::from(secret) };
        match &mut self.credentials {
            Credentials::Keys(keys) => keys.push(key),
            Credentials::NotNeeded | Credentials::Missing { .. } => self.credentials = Credentials::Keys(vec![key]),
        }
        self
    }

    /// Adds a model; models are tried in the order they were added.
    #[must_use]
    pub fn with_model(mut self, id: &str) -> Self {
        self.models.push(ModelConfig::new(id));
        self
    }

    /// Adds an embedding model.
    #[must_use]
    pub fn with_embedding_model(mut self, id: &str) -> Self {
        self.embedding_models.push(EmbeddingModel::new(id));
        self
    }

    /// The ids of all its models, those for embeddings last. A model's place is its place among these.
    pub fn model_ids(&self) -> impl Iterator<Item = &str> {
        let chat = self.models.iter().map(|model| model.id.as_str());
        chat.chain(self.embedding_models.iter().map(|model| model.id.as_str()))
    }

    /// Sets the price of the models that have none of their own.
    #[must_use]
    pub fn with_price(mut self, price: Price) -> Self {
        self.price = Some(price);
        self
    }

    /// What one of its models costs: the operator's own word, for a local one nothing, else what the catalogue says.
    #[must_use]
    pub fn price_of(&self, model: &ModelConfig) -> Option<Price> {
        let own = model.price.or(self.price).or(self.local.then_some(Price::FREE));
        own.or(model.listed.and_then(|listed| listed.price))
    }

    /// What one of its embedding models costs: the operator's own word, for a local one nothing, else what the catalogue says.
    #[must_use]
    pub fn embedding_price_of(&self, model: &EmbeddingModel) -> Option<Price> {
        model.price.or(self.local.then_some(Price::FREE)).or(model.listed)
    }

    /// Sets the priority; higher is better.
    #[must_use]
    pub fn with_priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Sets the time limits.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }
}

impl ModelConfig {
    /// A model of which nothing is known but its id: it is taken to be capable of everything.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            price: None,
            context_window: None,
            tools: true,
            json: true,
            vision: true,
            prefill: None,
            listed: None,
        }
    }

    /// How much it takes in: the operator's own word, else the catalogue's. Tokens of input and output together.
    #[must_use]
    pub fn window(&self) -> Option<u32> {
        self.context_window.or(self.listed.and_then(|listed| listed.context_window))
    }
}

impl EmbeddingModel {
    /// A model of which nothing is known but its id.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), same_as: None, price: None, listed: None }
    }

    /// The name by which it is the same model as others.
    #[must_use]
    pub fn name(&self) -> &str {
        self.same_as.as_deref().unwrap_or(&self.id)
    }
}

impl Credentials {
    /// Whether the provider can be asked at all.
    #[must_use]
    pub fn are_usable(&self) -> bool {
        !matches!(self, Self::Missing { .. })
    }
}

impl StrategyRef {
    /// The name for logs and records.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        match self {
            Self::BuiltIn(name) => (*name).into(),
            Self::File(path) => path.display().to_string().into(),
        }
    }
}

impl Config {
    /// The name of the route that is always there.
    pub const DEFAULT_ROUTE: &'static str = "default";

    /// What the names of the routes of embedding models begin with; no route of the configuration has such a name.
    pub const EMBEDDINGS: &'static str = "embeddings/";

    /// A configuration with no provider, the built-in purposes, and a default route that takes in every provider added.
    #[must_use]
    pub fn new() -> Self {
        Self {
            providers: IndexMap::new(),
            routes: IndexMap::from([(Self::DEFAULT_ROUTE.to_owned(), RouteConfig::default())]),
            cooldown: CooldownConfig::default(),
            breaker: BreakerConfig::default(),
            retries: RetryConfig::default(),
            budget: BudgetConfig { alert_at: Some(0.8), tracking: true, ..BudgetConfig::default() },
            defaults: GenerationDefaults::default(),
            purposes: Purpose::built_in(),
            sandbox: SandboxConfig::default(),
            cache: CacheConfig::default(),
            store: StoreConfig::default(),
            gateway: GatewayConfig::default(),
            telemetry: TelemetryConfig::default(),
            log_requests: true,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Purpose {
    /// The presets that are always there: `moderation` (temperature 0, JSON mode) and `title` (a short answer).
    #[must_use]
    pub fn built_in() -> IndexMap<String, Self> {
        let purpose = |fields: serde_json::Value| match fields {
            serde_json::Value::Object(fields) => Self { fields: fields.into_iter().collect() },
            _ => Self::default(),
        };
        IndexMap::from([
            (
                "moderation".to_owned(),
                purpose(serde_json::json!({"temperature": 0.0, "response_format": {"type": "json_object"}})),
            ),
            ("title".to_owned(), purpose(serde_json::json!({"temperature": 0.3, "max_tokens": 24}))),
        ])
    }
}

impl Default for RouteConfig {
    /// Every target in declared order (an empty list until the configuration is checked), decided by `smart`.
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            strategy: StrategyRef::BuiltIn("smart"),
            options: serde_json::Map::new(),
            max_attempts: None,
            deadline: Duration::from_secs(120),
            on_interrupt: OnInterrupt::Continue,
            hold_back: HoldBack::default(),
            emergency: false,
            prefer_for: Duration::ZERO,
            content_filter_falls_back: false,
            fallback_text: None,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_token: None,
            idle: Duration::from_secs(15),
            total: Duration::from_secs(120),
        }
    }
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

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            fuel: 5_000_000,
            memory: 16 << 20,
            module_bytes: 2 << 20,
            compile_time: Duration::from_secs(2),
            wasi: false,
            compile_cache: None,
        }
    }
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self { listen: "127.0.0.1:7878".to_owned(), keys: None, log_format: LogFormat::default() }
    }
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { otlp_endpoint: None, otlp_headers: Vec::new(), service_name: "backstop".to_owned() }
    }
}

impl LogFormat {
    /// All formats.
    pub const ALL: [Self; 2] = [Self::Text, Self::Json];

    /// The format's name in the file and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}
