//! How connections are secured: rustls over ring, trusting what the operating system trusts.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

/// Protocols offered within TLS, the better first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Settings for `https`. Reads the system's root certificates: some milliseconds of disk and parsing.
///
/// # Errors
/// When the system has no root certificates.
pub(super) fn trusting_the_system() -> Result<ClientConfig, rustls::Error> {
    verified_by(Verifier::new(provider())?)
}

/// The same, trusting one root more: that of a test's own servers.
#[cfg(test)]
pub(super) fn trusting_also(root: rustls::pki_types::CertificateDer<'static>) -> Result<ClientConfig, rustls::Error> {
    verified_by(Verifier::new_with_extra_roots([root], provider())?)
}

fn verified_by(verifier: Verifier) -> Result<ClientConfig, rustls::Error> {
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut config = config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(config)
}

/// Settings for plain `http`, where TLS never comes up: nothing is read and nobody is trusted.
///
/// # Errors
/// Never in practice: ring speaks the default versions.
pub(super) fn trusting_nobody() -> Result<ClientConfig, rustls::Error> {
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// Named here, so that no default of the whole program has to be set.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
