//! What is around the requests: sandbox, cache, store, gateway, telemetry.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::ledger_address::LedgerAddress;
use super::powers::{Grants, Power, Powers};
use super::route::StrategyRef;
use super::shared_address::SharedAddress;

/// How guests run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxConfig {
    /// Fuel for one call. 5,000,000; 20,000,000 for interpreters.
    pub fuel: u64,
    /// Memory of one instance in bytes. 16 MiB; 64 MiB for interpreters.
    pub memory: usize,
    /// Bytes of a strategy's file at most. 2 MiB; 32 MiB for interpreters.
    pub module_bytes: usize,
    /// How long a strategy may take to compile. 2 s; a minute for interpreters.
    pub compile_time: Duration,
    /// Whether `wasi:*` imports are answered (with nothing behind them but the question's own clock and entropy), whoever has
    /// them.
    pub wasi: bool,
    /// Which strategy was granted which power.
    pub grants: Grants,
    /// Where compiled components are kept; `None` is not at all.
    pub compile_cache: Option<PathBuf>,
    /// Registries that strategies come from.
    pub registry: RegistryConfig,
}

/// Registries that strategies come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegistryConfig {
    /// Where copies of what came from there are kept; `None` is nowhere. Loaded configurations name a folder in the platform's data folder.
    pub copies: Option<PathBuf>,
    /// Docker's folder (`DOCKER_CONFIG`), whose `config.json` says who we are to them; `None` is nobody.
    pub docker: Option<PathBuf>,
}

/// Replies kept for equal requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheConfig {
    /// Whether it is on.
    pub enabled: bool,
    /// How long a reply is given again. 10 minutes.
    pub ttl: Duration,
    /// Bytes of all replies that are kept. 64 MiB.
    pub max_bytes: usize,
    /// Whether each of the gateway's keys has its own: what one client was told is told to no other.
    pub per_key: bool,
    /// Whether replies are kept that would be another one each time: those of a temperature above 0, or of the provider's own.
    pub any_temperature: bool,
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
    /// The database with the ledger that several instances share; `None` is a file beside `path`.
    pub ledger: Option<LedgerAddress>,
    /// A store that several instances share: budgets hold for all of them together.
    pub shared: Option<SharedAddress>,
}

/// Decisions written down, so that another strategy can be asked the same afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingConfig {
    /// Whether it is on.
    pub enabled: bool,
    /// Where the files are; `None` is nowhere. Loaded configurations name one in the platform's data folder.
    pub folder: Option<PathBuf>,
    /// Bytes of all files in the folder. 256 MiB.
    pub most_bytes: usize,
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
    /// Connections at once; more wait in the system's queue. 16,384, or as many as the process may have files open for.
    pub max_connections: usize,
    /// Requests being answered at once; more are refused at once with 503 and `Retry-After`. 2,048.
    pub max_requests: usize,
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

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            ttl: Duration::from_secs(600),
            max_bytes: 64 << 20,
            per_key: true,
            any_temperature: false,
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            path: None,
            keep_requests: 100_000,
            keep: Duration::from_secs(30 * 24 * 3_600),
            ledger: None,
            shared: None,
        }
    }
}

impl Default for RecordingConfig {
    fn default() -> Self {
        Self { enabled: false, folder: None, most_bytes: 256 << 20 }
    }
}

impl SandboxConfig {
    /// Room for components that carry an interpreter, as Python's do: `sandbox.interpreters = true`.
    #[must_use]
    pub fn for_interpreters() -> Self {
        Self {
            fuel: 20_000_000,
            memory: 64 << 20,
            module_bytes: 32 << 20,
            compile_time: Duration::from_secs(60),
            ..Self::default()
        }
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
            grants: Grants::default(),
            compile_cache: None,
            registry: RegistryConfig::default(),
        }
    }
}

impl SandboxConfig {
    /// The same with powers granted to a strategy.
    #[must_use]
    pub fn with_grant(mut self, strategy: StrategyRef, powers: Powers) -> Self {
        self.grants.grant(strategy, powers);
        self
    }

    /// What a strategy may have beyond its question. Those built in have what they learn by, since whoever names one wants it to;
    /// none of them reads messages.
    #[must_use]
    pub fn powers_of(&self, strategy: &StrategyRef) -> Powers {
        let of_its_own = match strategy {
            StrategyRef::BuiltIn(_) => Powers::from_iter([Power::Observe, Power::State, Power::Log]),
            StrategyRef::File(_) | StrategyRef::Registry(_) => Powers::NONE,
        };
        let of_all = if self.wasi { Powers::NONE.with(Power::Wasi) } else { Powers::NONE };
        self.grants.of(strategy).and(of_its_own).and(of_all)
    }
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7878".to_owned(),
            keys: None,
            log_format: LogFormat::default(),
            max_connections: 16_384,
            max_requests: 2_048,
        }
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
