//! A component on its way into a registry.

use std::path::Path;
use std::time::Duration;

use thiserror::Error;

use crate::clock::{Clock, SystemClock};
use crate::config::{OciReference, OciVersion, SandboxConfig, StrategyRef};

use super::super::cache::digest;
use super::super::{Inspection, LoadStrategyError, inspect, source};
use super::session::{Access, Session};
use super::{RegistryError, aside, manifest};

/// How long it may take in all: lines are slower in this direction.
const PATIENCE: Duration = Duration::from_secs(120);

/// A component that is in a registry now.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// What it says of itself, and its digest.
    pub inspection: Inspection,
    /// Where this one is and no other ever will be.
    pub lasting: OciReference,
}

/// Why a component was not published.
#[derive(Debug, Error)]
pub enum PublishError {
    /// A digest names what is there already.
    #[error("{0} names what is there already: write a tag in place of the digest")]
    NoTag(OciReference),
    /// It is no strategy that could be loaded.
    #[error("{file}: {source}")]
    Unfit {
        /// The file.
        file: String,
        /// Why not.
        source: LoadStrategyError,
    },
    /// Somebody builds it at this moment.
    #[error("{0} was changed while it was looked at: try again when it is built")]
    Changed(String),
    /// The registry does not take it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Publishes a component under a tag. What could not be loaded here is not published. Blocks, for two minutes at most.
///
/// # Errors
/// When it is no strategy, or the registry does not take it.
pub fn publish(file: &Path, reference: &OciReference, sandbox: &SandboxConfig) -> Result<Published, PublishError> {
    match reference.version() {
        OciVersion::Tag(_) => {}
        OciVersion::Digest(_) => return Err(PublishError::NoTag(reference.clone())),
    }
    let shown = || file.display().to_string();
    let unfit = |source| PublishError::Unfit { file: shown(), source };
    let strategy = StrategyRef::File(file.to_owned());
    let inspection = inspect(&strategy, sandbox).map_err(unfit)?;
    let bytes = source::read(&strategy, sandbox).map_err(unfit)?.into_owned();
    if digest(&bytes) != inspection.digest {
        return Err(PublishError::Changed(shown()));
    }
    let papers = manifest::papers(&inspection, SystemClock::start().wall());
    let manifest = digest(&papers.manifest);
    aside::run(reference.host(), PATIENCE, || async {
        let mut session = Session::new(reference, Access::Push, sandbox.registry.docker.as_deref())?;
        session.put_content(&inspection.digest, bytes.into()).await?;
        session.put_content(&digest(&papers.config), papers.config.into()).await?;
        session.put_manifest(papers.manifest.into()).await
    })?;
    Ok(Published { inspection, lasting: reference.at(&manifest) })
}
