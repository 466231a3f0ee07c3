//! The configuration as the rest of the host sees it: complete, checked, every default filled in.

mod provider;
mod limits;
mod model;
mod route;
mod oci_reference;
mod powers;
mod purpose;
mod health;
mod budget;
mod surroundings;
mod ledger_address;
mod shared_address;

use indexmap::IndexMap;

pub use budget::{BudgetConfig, SpendLimits, UnknownPrice};
pub use health::{BreakerConfig, BreakerScope, CooldownConfig, RetryConfig};
pub use ledger_address::{LedgerAddress, LedgerTls};
pub use limits::Limits;
pub use model::{EmbeddingModel, Listing, ModelConfig};
#[cfg(feature = "oci")]
pub(crate) use oci_reference::is_of_this_machine;
pub use oci_reference::{OciReference, OciReferenceError, OciVersion};
pub use powers::{Grants, Power, Powers};
pub use provider::{ApiKey, Credentials, GenerationDefaults, Protocol, ProviderConfig, Timeouts};
pub use purpose::Purpose;
pub use route::{HoldBack, OnInterrupt, RouteConfig, StrategyRef, TargetRef};
pub use shared_address::SharedAddress;
pub use surroundings::{
    CacheConfig, GatewayConfig, LogFormat, RecordingConfig, RegistryConfig, SandboxConfig, StoreConfig, TelemetryConfig,
};

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
    /// Whether decisions are written down, and where.
    pub recording: RecordingConfig,
    /// The HTTP front door.
    pub gateway: GatewayConfig,
    /// Where traces and metrics are sent.
    pub telemetry: TelemetryConfig,
    /// Whether each request leaves a line in the log (`LLM_LOG_REQUESTS`).
    pub log_requests: bool,
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
            recording: RecordingConfig::default(),
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
