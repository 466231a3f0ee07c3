//! The registries' protocol, spoken with one of them about one repository.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use secrecy::ExposeSecret;
use serde::Deserialize;
use url::Url;

use crate::config::{OciReference, OciVersion, RegistryLogin, is_of_this_machine, login_file, registry_login};
use crate::transport::{HttpCall, HttpReply, HttpTransport, TransportError, collect};

use super::super::cache::digest;
use super::RegistryError;
use super::challenge::{self, Challenge};
use super::manifest::{ANY_MANIFEST, MANIFEST_TYPE};

/// Bytes of a manifest at most.
pub(super) const MANIFEST_BYTES: usize = 1 << 20;

/// Bytes that are read of a token, and of what a registry says is wrong.
const WORD_BYTES: usize = 64 << 10;

/// How long opening a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How often in a row one may be sent elsewhere.
const DETOURS: usize = 5;

/// The words of the protocol for what is wrong. Nothing else of an error is repeated: a registry may say back what it was sent.
const CODES: [&str; 14] = [
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "UNAUTHORIZED",
    "DENIED",
    "UNSUPPORTED",
    "TOOMANYREQUESTS",
];

/// What one wants to do in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Read.
    Pull,
    /// Read and write.
    Push,
}

/// A conversation with a registry. Whoever we are to it is told to it and to whom it names for tokens, and only once it asks.
pub(super) struct Session<'r> {
    reference: &'r OciReference,
    access: Access,
    docker: Option<&'r Path>,
    transport: HttpTransport,
    base: Url,
    /// What it wants to see with each request, once it has asked who we are.
    proof: Option<HeaderValue>,
    /// Whether somebody is said to be us.
    has_login: bool,
}

/// A request that may have to be sent again.
#[derive(Clone)]
struct Call {
    method: Method,
    url: Url,
    header: Option<(HeaderName, HeaderValue)>,
    body: Bytes,
    /// What it is about, for errors.
    what: &'static str,
}

impl Call {
    fn new(method: Method, url: Url, what: &'static str) -> Self {
        Self { method, url, header: None, body: Bytes::new(), what }
    }
}

impl<'r> Session<'r> {
    pub(super) fn new(
        reference: &'r OciReference,
        access: Access,
        docker: Option<&'r Path>,
    ) -> Result<Self, RegistryError> {
        let scheme = if reference.is_of_this_machine() { "http" } else { "https" };
        // Docker's own registry is called otherwise than it is reached.
        let host = if reference.host() == "docker.io" { "registry-1.docker.io" } else { reference.host() };
        let base = format!("{scheme}://{host}/v2/{}/", reference.repository());
        let base = Url::parse(&base).map_err(|_| protocol(reference, "its host makes no address"))?;
        Ok(Self { reference, access, docker, transport: HttpTransport::new(), base, proof: None, has_login: false })
    }

    /// The manifest that the reference names, proven where it names it by its digest.
    pub(super) async fn manifest(&mut self) -> Result<Bytes, RegistryError> {
        let wanted = match self.reference.version() {
            OciVersion::Tag(tag) => tag.clone(),
            OciVersion::Digest(digest) => format!("sha256:{digest}"),
        };
        let mut call = Call::new(Method::GET, self.url(&format!("manifests/{wanted}"))?, "for a manifest");
        call.header = Some((ACCEPT, HeaderValue::from_static(ANY_MANIFEST)));
        let reply = self.send(call.clone()).await?;
        if reply.status != 200 {
            return Err(self.fault(reply, call.what).await);
        }
        let manifest = match collect(reply.body, MANIFEST_BYTES).await {
            Err(TransportError::TooLarge { .. }) => {
                return Err(protocol(self.reference, "it sends a manifest of more than a mebibyte"));
            }
            read => read.map_err(|source| self.unreachable(source))?,
        };
        match self.reference.version() {
            OciVersion::Digest(expected) => proven(manifest, expected, "a manifest"),
            OciVersion::Tag(_) => Ok(manifest),
        }
    }

    /// What has this digest, and so many bytes.
    pub(super) async fn content(&mut self, digest: &str, bytes: u64) -> Result<Vec<u8>, RegistryError> {
        let call = Call::new(Method::GET, self.url(&format!("blobs/sha256:{digest}"))?, "for a component");
        let reply = self.send(call.clone()).await?;
        if reply.status != 200 {
            return Err(self.fault(reply, call.what).await);
        }
        let content = match collect(reply.body, usize::try_from(bytes).unwrap_or(usize::MAX)).await {
            Err(TransportError::TooLarge { .. }) => return Err(RegistryError::LongerThanSaid { bytes }),
            read => read.map_err(|source| self.unreachable(source))?,
        };
        proven(content, digest, "a component").map(Into::into)
    }

    /// Puts something into the repository, unless it is there.
    pub(super) async fn put_content(&mut self, digest: &str, content: Bytes) -> Result<(), RegistryError> {
        let there = Call::new(Method::HEAD, self.url(&format!("blobs/sha256:{digest}"))?, "for a component");
        if self.send(there).await?.status == 200 {
            return Ok(());
        }
        let begin = Call::new(Method::POST, self.url("blobs/uploads/")?, "for room for a component");
        let reply = self.send(begin.clone()).await?;
        let place = (reply.status == 202).then(|| location(&begin.url, &reply.headers)).flatten();
        let Some(mut place) = place else { return Err(self.fault(reply, begin.what).await) };
        place.query_pairs_mut().append_pair("digest", &format!("sha256:{digest}"));
        let mut put = Call::new(Method::PUT, place, "to take a component");
        put.header = Some((CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")));
        put.body = content;
        self.expect(put, 201).await
    }

    /// Lets the reference lead to a manifest, all of which is there.
    pub(super) async fn put_manifest(&mut self, manifest: Bytes) -> Result<(), RegistryError> {
        let OciVersion::Tag(tag) = self.reference.version() else {
            return Err(protocol(self.reference, "a digest takes no manifest"));
        };
        let mut put = Call::new(Method::PUT, self.url(&format!("manifests/{tag}"))?, "to take a manifest");
        put.header = Some((CONTENT_TYPE, HeaderValue::from_static(MANIFEST_TYPE)));
        put.body = manifest;
        self.expect(put, 201).await
    }

    async fn expect(&mut self, call: Call, status: u16) -> Result<(), RegistryError> {
        let reply = self.send(call.clone()).await?;
        if reply.status == status { Ok(()) } else { Err(self.fault(reply, call.what).await) }
    }

    fn url(&self, path: &str) -> Result<Url, RegistryError> {
        self.base.join(path).map_err(|_| protocol(self.reference, "its name makes no address"))
    }

    /// Sends a request, tells who we are where that is asked for, and goes where it is sent.
    async fn send(&mut self, call: Call) -> Result<HttpReply, RegistryError> {
        let mut call = call;
        for _ in 0..DETOURS {
            let reply = self.send_once(&call).await?;
            if reply.status == 401 && self.proof.is_none() && self.is_ours(&call.url) {
                self.proof = Some(self.proof(&reply.headers).await?);
                continue;
            }
            // What is given is given to the registry itself: only what is taken may come from elsewhere.
            let is_taken = call.method == Method::GET || call.method == Method::HEAD;
            match location(&call.url, &reply.headers) {
                Some(elsewhere) if is_taken && matches!(reply.status, 301 | 302 | 303 | 307 | 308) => {
                    call.url = elsewhere;
                }
                _ => return Ok(reply),
            }
        }
        Err(protocol(self.reference, "it sends us from one place to the next"))
    }

    async fn send_once(&self, call: &Call) -> Result<HttpReply, RegistryError> {
        let mut headers = HeaderMap::new();
        headers.extend(call.header.clone());
        if let Some(proof) = self.proof.clone().filter(|_| self.is_ours(&call.url)) {
            headers.insert(AUTHORIZATION, proof);
        }
        self.ask(call.method.clone(), call.url.clone(), headers, call.body.clone()).await
    }

    async fn ask(&self, method: Method, url: Url, headers: HeaderMap, body: Bytes) -> Result<HttpReply, RegistryError> {
        let host = url.host_str().unwrap_or_default();
        if url.scheme() != "https" && !(url.scheme() == "http" && is_of_this_machine(host)) {
            let port = url.port_or_known_default().map(|port| format!(":{port}")).unwrap_or_default();
            return Err(RegistryError::Insecure { host: self.host(), place: format!("{host}{port}") });
        }
        let call = HttpCall { provider: "".into(), url, headers, body, connect_timeout: CONNECT };
        self.transport.ask(method, call).await.map_err(|source| self.unreachable(source))
    }

    /// Whether it is the registry itself that is asked, and not a place it leads to.
    fn is_ours(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// What the registry wants to see: user and password, or the token that those bring.
    async fn proof(&mut self, headers: &HeaderMap) -> Result<HeaderValue, RegistryError> {
        let challenges = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|header| header.to_str().ok());
        let challenge = challenge::read(challenges).ok_or_else(|| RegistryError::Challenge { host: self.host() })?;
        let login = self.docker.map(|docker| registry_login(docker, self.reference.host())).transpose();
        let login = login.map_err(|source| RegistryError::Login { host: self.host(), source })?.flatten();
        self.has_login = login.is_some();
        let basic = login.as_ref().map(|login| self.basic(login)).transpose()?;
        match challenge {
            Challenge::Basic => basic.ok_or_else(|| self.refused()),
            Challenge::Bearer { realm, service } => self.token(&realm, service.as_deref(), basic).await,
        }
    }

    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        basic: Option<HeaderValue>,
    ) -> Result<HeaderValue, RegistryError> {
        #[derive(Deserialize)]
        struct Token {
            token: Option<String>,
            access_token: Option<String>,
        }
        let mut url = Url::parse(realm).map_err(|_| protocol(self.reference, "its tokens come from no address"))?;
        let may = match self.access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
        };
        let scope = format!("repository:{}:{may}", self.reference.repository());
        url.query_pairs_mut().extend_pairs(service.map(|service| ("service", service))).append_pair("scope", &scope);
        let headers = basic.map(|basic| (AUTHORIZATION, basic)).into_iter().collect();
        let reply = self.ask(Method::GET, url, headers, Bytes::new()).await?;
        match reply.status {
            200 => {}
            _ => return Err(self.fault(reply, "for a token").await),
        }
        let said = collect(reply.body, WORD_BYTES).await.map_err(|source| self.unreachable(source))?;
        let token: Option<Token> = serde_json::from_slice(&said).ok();
        let token = token.and_then(|token| token.token.or(token.access_token));
        token
            .and_then(|token| secret(&format!("Bearer {token}")))
            .ok_or_else(|| protocol(self.reference, "it gives no token that could be shown"))
    }

    fn basic(&self, login: &RegistryLogin) -> Result<HeaderValue, RegistryError> {
        let both = format!("{}:{}", login.user, login.password.expose_secret());
        secret(&format!("Basic {}", BASE64_STANDARD.encode(both))).ok_or_else(|| self.refused())
    }

    /// What it means that a reply is another one than was expected.
    async fn fault(&self, reply: HttpReply, what: &'static str) -> RegistryError {
        let status = reply.status;
        let code = code(&collect(reply.body, WORD_BYTES).await.unwrap_or_default());
        match status {
            401 | 403 => self.refused(),
            404 => {
                let (repository, host) = (self.reference.repository(), self.host());
                let named = match self.reference.version() {
                    OciVersion::Tag(tag) => format!("{repository}:{tag}"),
                    OciVersion::Digest(digest) => format!("{repository}@sha256:{digest}"),
                };
                RegistryError::NotFound { host, named, code }
            }
            _ => RegistryError::Status { host: self.host(), status, code, what },
        }
    }

    fn refused(&self) -> RegistryError {
        let (host, repository) = (self.host(), self.reference.repository().to_owned());
        let file = self.docker.map(login_file);
        if self.has_login {
            RegistryError::Refused { host, repository, file }
        } else {
            RegistryError::NoLogin { host, repository, file }
        }
    }

    fn unreachable(&self, source: TransportError) -> RegistryError {
        RegistryError::Unreachable { host: self.host(), source }
    }

    fn host(&self) -> String {
        self.reference.host().to_owned()
    }
}

/// A header that is shown nowhere; `None` where its text makes none.
fn secret(text: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// Where a reply leads.
fn location(from: &Url, headers: &HeaderMap) -> Option<Url> {
    from.join(headers.get(LOCATION)?.to_str().ok()?).ok()
}

/// The protocol's word for what is wrong, where it is one.
fn code(said: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Said {
        errors: Vec<Fault>,
    }
    #[derive(Deserialize)]
    struct Fault {
        code: String,
    }
    let said: Said = serde_json::from_slice(said).ok()?;
    said.errors.into_iter().map(|fault| fault.code).find(|code| CODES.contains(&code.as_str()))
}

fn proven(bytes: Bytes, expected: &str, what: &'static str) -> Result<Bytes, RegistryError> {
    let found = digest(&bytes);
    if found == expected {
        Ok(bytes)
    } else {
        Err(RegistryError::Tampered { what, expected: expected.to_owned(), found })
    }
}

fn protocol(reference: &OciReference, what: &'static str) -> RegistryError {
    RegistryError::Protocol { host: reference.host().to_owned(), what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_in_the_clear_with_this_machine_alone() {
        let base = |host: &str| {
            let reference = OciReference::parse(&format!("oci://{host}/acme/mine:1")).unwrap();
            Session::new(&reference, Access::Pull, None).unwrap().base.to_string()
        };

        assert_eq!(base("localhost:5000"), "http://localhost:5000/v2/acme/mine/");
        assert_eq!(base("[::1]:5000"), "http://[::1]:5000/v2/acme/mine/");
        assert_eq!(base("ghcr.io"), "https://ghcr.io/v2/acme/mine/");
        assert_eq!(base("10.0.0.1:5000"), "https://10.0.0.1:5000/v2/acme/mine/");
        assert_eq!(base("docker.io"), "https://registry-1.docker.io/v2/acme/mine/");
    }

    #[test]
    fn repeats_the_protocols_own_words_and_no_others() {
        let echo = br#"{"errors": [{"code": "CANARY"}, {"code": "NAME_UNKNOWN", "message": "canary"}]}"#;

        assert_eq!(code(echo).as_deref(), Some("NAME_UNKNOWN"));
        assert_eq!((code(b"<html>"), code(br#"{"errors": "canary"}"#)), (None, None));
    }
}
