//! Why nothing came of a registry, each with what would mend it and nothing that is secret.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::config::RegistryLoginError;
use crate::transport::TransportError;

/// What a component in a registry looks like, for whoever found something else.
const SHAPE: &str = "one layer of application/wasm with a configuration of application/vnd.wasm.config.v0+json, as `backstop strategy push` and `wkg oci push` write it";

/// Why nothing came of a registry. Sizes are in bytes.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// Nobody answers, or not to the end.
    #[error("{host} cannot be asked: {source}")]
    Unreachable {
        /// The registry.
        host: String,
        /// What was wrong.
        source: TransportError,
    },
    /// It took too long altogether.
    #[error("{host} has not done within {seconds} s")]
    TooSlow {
        /// The registry.
        host: String,
        /// How long it was given.
        seconds: u64,
    },
    /// It is away, and nothing was kept from before.
    #[error(
        "{source}; no copy is kept of what is there: look whether the address is right, or have `backstop strategy pull` fetch it while the registry is there"
    )]
    NothingKept {
        /// Why it was asked in vain.
        source: Box<RegistryError>,
    },
    /// It answers with something that helps nobody.
    #[error("{host} answers {status}{code} when it is asked {what}: try again later, or ask whoever keeps it", code = words(.code.as_deref()))]
    Status {
        /// The registry.
        host: String,
        /// The HTTP status.
        status: u16,
        /// The protocol's own word for what is wrong.
        code: Option<String>,
        /// What it was asked for.
        what: &'static str,
    },
    /// There is no such thing.
    #[error(
        "{host} has no {named}{code}: look whether it is written as it was pushed; behind @ stands the digest of a manifest, not that of a component",
        code = words(.code.as_deref())
    )]
    NotFound {
        /// The registry.
        host: String,
        /// The repository with tag or digest.
        named: String,
        /// The protocol's own word for what is wrong.
        code: Option<String>,
    },
    /// It wants to know who we are.
    #[error(
        "{host} wants a login for {repository}, and there is none{file}: `docker login {host}` writes one",
        file = within(.file.as_deref())
    )]
    NoLogin {
        /// The registry.
        host: String,
        /// The repository.
        repository: String,
        /// Where it was looked for.
        file: Option<PathBuf>,
    },
    /// It was told who we are, and does not let us.
    #[error(
        "{host} refuses {repository} to the login{file}: `docker login {host}` writes another one, if it is not the repository's owner who has to grant it",
        file = within(.file.as_deref())
    )]
    Refused {
        /// The registry.
        host: String,
        /// The repository.
        repository: String,
        /// Where the login was read.
        file: Option<PathBuf>,
    },
    /// It wants to know who we are, and that cannot be read.
    #[error("{host} wants a login: {source}")]
    Login {
        /// The registry.
        host: String,
        /// Why it is not known.
        source: RegistryLoginError,
    },
    /// It wants a login in a form of its own.
    #[error("{host} wants a login in a way that is not understood: registries take `Basic` or `Bearer`")]
    Challenge {
        /// The registry.
        host: String,
    },
    /// It sends us where anybody could listen in.
    #[error("{host} leads to {place}, which is not secured: only https is followed, and http on this machine")]
    Insecure {
        /// The registry.
        host: String,
        /// Host and port.
        place: String,
    },
    /// It breaks the protocol.
    #[error("{host} does not speak the registries' protocol: {what}; look whether the address is that of a registry")]
    Protocol {
        /// The registry.
        host: String,
        /// What it did.
        what: &'static str,
    },
    /// It is something else than a component.
    #[error("what is there is {found}, not a component: that is {SHAPE}")]
    NotAComponent {
        /// What it is.
        found: String,
    },
    /// It is not what its digest says.
    #[error(
        "the registry sent {what} of sha256:{found} where sha256:{expected} was asked for: it is damaged or was tampered with; have it pushed again"
    )]
    Tampered {
        /// The manifest or the component.
        what: &'static str,
        /// The digest that was asked for.
        expected: String,
        /// The digest of what came.
        found: String,
    },
    /// More than its manifest says.
    #[error(
        "the registry sends more than the {bytes} bytes that the manifest says: it is damaged or was tampered with; have it pushed again"
    )]
    LongerThanSaid {
        /// What the manifest says.
        bytes: u64,
    },
    /// More than a component may have.
    #[error("it has {bytes} bytes, and may have {limit}")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The most allowed.
        limit: usize,
    },
    /// The system has no thread for it.
    #[error("the registry cannot be asked: no thread can be started ({0})")]
    NoThread(io::Error),
}

impl RegistryError {
    /// Whether the registry is away for now: what was kept from before is as good then.
    pub(super) fn is_away(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TooSlow { .. } => true,
            Self::Status { status, .. } => *status >= 500 || *status == 429,
            Self::NothingKept { .. }
            | Self::NotFound { .. }
            | Self::NoLogin { .. }
            | Self::Refused { .. }
            | Self::Login { .. }
            | Self::Challenge { .. }
            | Self::Insecure { .. }
            | Self::Protocol { .. }
            | Self::NotAComponent { .. }
            | Self::Tampered { .. }
            | Self::LongerThanSaid { .. }
            | Self::TooLarge { .. }
            | Self::NoThread(_) => false,
        }
    }
}

fn within(file: Option<&Path>) -> String {
    file.map(|file| format!(" in {}", file.display())).unwrap_or_default()
}

fn words(code: Option<&str>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}
