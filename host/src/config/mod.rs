//! Configuration: file, environment and flags become one checked [`Config`].
//!
//! The way of a value: `document` reads the file and `section` walks it table by table (`file/`), with the readers of `value` and
//! `units`; `environment` joins the process's variables and `.env`, and `variables/` puts them over the file; `draft` turns what
//! was said of a provider into the provider; `overrides` puts the flags over everything; `catalogue` adds what
//! models are known to cost; `check` looks at the whole. What is
//! wrong is collected on the way in a `report`, each with its place, and told all at once.

mod load;
mod sources;
mod overrides;
mod document;
mod section;
mod file;
mod environment;
mod dotenv;
mod variables;
mod draft;
mod key;
mod base_url;
mod header;
mod listen;
mod collector;
mod ledger_address;
mod shared_address;
mod substitution;
mod answers;
mod strategy_name;
#[cfg(feature = "oci")]
mod registry_login;
mod value;
mod units;
mod finish;
mod catalogue;
mod check;
mod report;
mod problem;
mod origin;
mod show;
mod effective;
mod presets;
mod known;
mod protocol;
mod settings;
#[cfg(feature = "simulation")]
pub mod scenario;
#[cfg(test)]
mod tests;

pub use answers::answers_digest;
pub use catalogue::look_up;
pub use check::check;
pub use finish::finish;
pub use known::{KNOWN_PROVIDERS, KnownProvider};
pub use listen::{ListenError, listen_address};
pub use load::{Loaded, load};
pub use origin::{Origin, Origins};
pub use overrides::{Override, Overrides};
pub use presets::{InitError, PRESETS, Preset, init, preset};
pub use problem::{ConfigError, Notice, Problem};
#[cfg(feature = "oci")]
pub use registry_login::{RegistryLogin, RegistryLoginError, login_file, registry_login};
pub use section::nearest_or_all;
#[cfg(feature = "oci")]
pub(crate) use settings::is_of_this_machine;
pub use settings::{
    ApiKey, BreakerConfig, BreakerScope, BudgetConfig, CacheConfig, Config, CooldownConfig, Credentials,
    EmbeddingModel, GatewayConfig, GenerationDefaults, Grants, HoldBack, LedgerAddress, LedgerTls, Limits, Listing,
    LogFormat, ModelConfig, OciReference, OciReferenceError, OciVersion, OnInterrupt, Power, Powers, Protocol,
    ProviderConfig, Purpose, RecordingConfig, RegistryConfig, RetryConfig, RouteConfig, SandboxConfig, SharedAddress,
    SpendLimits, StoreConfig, StrategyRef, TargetRef, TelemetryConfig, Timeouts, UnknownPrice,
};
pub use show::{show, show_json, show_values};
pub use sources::Sources;
pub use strategy_name::{StrategyNameError, built_in_strategy, strategy_named};
