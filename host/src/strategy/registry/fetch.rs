//! A component from a registry: the copy that is kept, or what the registry has now.

use std::time::Duration;

use crate::config::{OciReference, OciVersion, RegistryConfig, SandboxConfig};

use super::super::cache::digest;
use super::copies::Copies;
use super::manifest::{self, Layer};
use super::session::{Access, MANIFEST_BYTES, Session};
use super::{RegistryError, aside};

/// How long a registry may take in all.
const PATIENCE: Duration = Duration::from_secs(30);

/// A component from a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// SHA-256 of them, in hexadecimal: what a route is pinned to.
    pub digest: String,
    /// Where this one is and no other ever will be.
    pub lasting: OciReference,
}

/// Fetches a component as loading it does. Blocks, for half a minute at most.
///
/// # Errors
/// When there is none, it is something else or longer than `sandbox` allows, or the registry is away and no copy was kept.
pub fn pull(reference: &OciReference, sandbox: &SandboxConfig) -> Result<Pulled, RegistryError> {
    fetch(reference, sandbox.module_bytes, &sandbox.registry)
}

/// Fetches a component of no more than so many bytes. What a digest names is asked for once, where a tag leads is asked each
/// time; while the registry is away, it is where it led last.
pub(in crate::strategy) fn fetch(
    reference: &OciReference,
    limit: usize,
    settings: &RegistryConfig,
) -> Result<Pulled, RegistryError> {
    let copies = Copies::of(settings.copies.as_deref());
    if let OciVersion::Digest(manifest) = reference.version()
        && let Some(kept) = kept(reference, manifest, limit, &copies)?
    {
        return Ok(kept);
    }
    let away = match aside::run(reference.host(), PATIENCE, || ask(reference, limit, settings, &copies)) {
        Err(error) if error.is_away() => error,
        done => return done,
    };
    let last = copies.last(reference);
    match last.map(|manifest| kept(reference, &manifest, limit, &copies)).transpose()?.flatten() {
        Some(last) => {
            tracing::warn!(strategy = %reference, digest = last.digest, "the copy that was kept last is used: {away}");
            Ok(last)
        }
        None => Err(RegistryError::NothingKept { source: Box::new(away) }),
    }
}

/// What is kept of a manifest and its component, where both are.
fn kept(
    reference: &OciReference,
    manifest: &str,
    limit: usize,
    copies: &Copies<'_>,
) -> Result<Option<Pulled>, RegistryError> {
    let Some(document) = copies.content(manifest, MANIFEST_BYTES) else { return Ok(None) };
    let layer = small_enough(manifest::layer(&document)?, limit)?;
    let bytes = copies.content(&layer.digest, limit);
    Ok(bytes.map(|bytes| Pulled { bytes, digest: layer.digest, lasting: reference.at(manifest) }))
}

async fn ask(
    reference: &OciReference,
    limit: usize,
    settings: &RegistryConfig,
    copies: &Copies<'_>,
) -> Result<Pulled, RegistryError> {
    let mut session = Session::new(reference, Access::Pull, settings.docker.as_deref())?;
    let document = session.manifest().await?;
    let manifest = digest(&document);
    let layer = small_enough(manifest::layer(&document)?, limit)?;
    let bytes = match copies.content(&layer.digest, limit) {
        Some(bytes) => bytes,
        None => {
            let bytes = session.content(&layer.digest, layer.bytes).await?;
            copies.keep(&layer.digest, &bytes);
            bytes
        }
    };
    copies.keep(&manifest, &document);
    match reference.version() {
        OciVersion::Tag(_) => copies.note(reference, &manifest),
        OciVersion::Digest(_) => {}
    }
    Ok(Pulled { bytes, digest: layer.digest, lasting: reference.at(&manifest) })
}

/// The manifest says how long a component is: what is too long is not even downloaded.
fn small_enough(layer: Layer, limit: usize) -> Result<Layer, RegistryError> {
    let bytes = layer.bytes;
    if usize::try_from(bytes).is_ok_and(|bytes| bytes <= limit) {
        Ok(layer)
    } else {
        Err(RegistryError::TooLarge { bytes, limit })
    }
}
