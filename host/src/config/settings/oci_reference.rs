//! Where a component is in a registry, as `oci://HOST/REPOSITORY:TAG` or `…@sha256:…`.

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;

/// What a reference begins with.
const SCHEME: &str = "oci://";

/// What to write, for whoever wrote something else.
const SHAPE: &str = "write oci://HOST/REPOSITORY:TAG, or oci://HOST/REPOSITORY@sha256:DIGEST";

/// Most characters of a repository's name, and of a tag, as registries have it.
const REPOSITORY_CHARS: usize = 255;
const TAG_CHARS: usize = 128;

/// A component in a registry. Its parts are safe to put into a URL's path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OciReference {
    host: String,
    repository: String,
    version: OciVersion,
}

/// Which of a repository's components.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OciVersion {
    /// The one that a tag leads to, which may be another one tomorrow.
    Tag(String),
    /// The one whose manifest has this SHA-256, in hexadecimal.
    Digest(String),
}

/// Why a word is no reference.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reference}: {what}; {mend}")]
pub struct OciReferenceError {
    /// What was written, but for a login.
    pub reference: String,
    /// What is wrong with it.
    pub what: String,
    /// What to write instead.
    pub mend: String,
    /// Whether a login stands in it, so that it must not be repeated.
    pub is_secret: bool,
}

impl OciReference {
    /// Whether a word is meant as one.
    #[must_use]
    pub fn is_meant(word: &str) -> bool {
        word.get(..SCHEME.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
    }

    /// Reads one. A tag in front of a digest is left out: the digest says more.
    ///
    /// # Errors
    /// When it names no host, no repository, or neither tag nor digest.
    pub fn parse(word: &str) -> Result<Self, OciReferenceError> {
        let written = |error: OciReferenceError| {
            let reference = if error.is_secret { "oci://…" } else { word };
            OciReferenceError { reference: reference.to_owned(), ..error }
        };
        Self::read(word).map_err(written)
    }

    fn read(word: &str) -> Result<Self, OciReferenceError> {
        let rest = word.get(SCHEME.len()..).filter(|_| Self::is_meant(word));
        let rest = rest.ok_or_else(|| fault("no reference of a registry", SHAPE))?;
        let (host, path) = rest.split_once('/').ok_or_else(|| fault("names no repository", SHAPE))?;
        if host.contains('@') {
            let login = fault("a login has no place in it", "leave it out: `docker login` keeps it");
            return Err(OciReferenceError { is_secret: true, ..login });
        }
        if !is_host(host) {
            return Err(fault(format!("{host:?} is no host"), SHAPE));
        }
        let (named, digest) = match path.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (path, None),
        };
        let (repository, tag) = match named.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (named, None),
        };
        if !is_repository(repository) {
            let mend = "write lower-case letters, digits and any of . _ - between them, in parts divided by /";
            return Err(fault(format!("{repository:?} is no name of a repository"), mend));
        }
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            let mend = "write letters, digits and any of . _ -, no more than 128";
            return Err(fault(format!("{tag:?} is no tag"), mend));
        }
        let version = match (tag, digest) {
            (_, Some(digest)) => OciVersion::Digest(sha256(digest)?),
            (Some(tag), None) => OciVersion::Tag(tag.to_owned()),
            (None, None) => return Err(fault("names neither a tag nor a digest", SHAPE)),
        };
        Ok(Self { host: host.to_ascii_lowercase(), repository: repository.to_owned(), version })
    }

    /// The registry's host, with the port where one is said.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository, such as `acme/swift`.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Which of its components.
    #[must_use]
    pub fn version(&self) -> &OciVersion {
        &self.version
    }

    /// The same repository's component whose manifest has this SHA-256, in hexadecimal: it is never another one.
    #[must_use]
    pub fn at(&self, digest: &str) -> Self {
        Self { version: OciVersion::Digest(digest.to_owned()), ..self.clone() }
    }

    /// Whether the host is this machine, where nobody listens in on what is not secured.
    #[must_use]
    pub fn is_of_this_machine(&self) -> bool {
        is_of_this_machine(without_port(&self.host))
    }
}

impl fmt::Display for OciReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, repository, version } = self;
        match version {
            OciVersion::Tag(tag) => write!(f, "{SCHEME}{host}/{repository}:{tag}"),
            OciVersion::Digest(digest) => write!(f, "{SCHEME}{host}/{repository}@sha256:{digest}"),
        }
    }
}

/// Whether a host's name or address means this machine.
pub(crate) fn is_of_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn fault(what: impl Into<String>, mend: &str) -> OciReferenceError {
    OciReferenceError { reference: String::new(), what: what.into(), mend: mend.to_owned(), is_secret: false }
}

fn without_port(host: &str) -> &str {
    let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    port.map_or(host, |(name, _)| name)
}

/// A name or an address, an IPv6 one in brackets, with a port or without.
fn is_host(host: &str) -> bool {
    let (name, port) = (without_port(host), host.get(without_port(host).len()..).unwrap_or_default());
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return false;
    }
    if let Some(address) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() < 254 && name.split('.').all(is_label)
}

fn is_repository(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_part = |part: &str| {
        let ends = [part.bytes().next(), part.bytes().last()];
        ends.iter().all(|end| end.is_some_and(is_plain))
            && part.bytes().all(|byte| is_plain(byte) || b"._-".contains(&byte))
    };
    name.len() <= REPOSITORY_CHARS && name.split('/').all(is_part)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= TAG_CHARS
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || b".-".contains(&byte))
}

/// The hexadecimal digits of a digest.
fn sha256(digest: &str) -> Result<String, OciReferenceError> {
    let is_hex = |digits: &&str| digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    match digest.strip_prefix("sha256:").filter(is_hex) {
        Some(digits) => Ok(digits.to_ascii_lowercase()),
        None => Err(fault(
            format!("{digest:?} is no digest that is understood"),
            "write sha256: and 64 hexadecimal digits, as `backstop strategy push` prints them",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn told(word: &str) -> String {
        OciReference::parse(word).map_or_else(|error| error.to_string(), |reference| reference.to_string())
    }

    #[test]
    fn reads_a_tag_and_a_digest_at_any_host() {
        for word in [
            "oci://ghcr.io/acme/swift:1.2",
            "oci://localhost:5000/swift:latest",
            "oci://[::1]:5000/a/b_c/d-e.f:v1",
            &format!("oci://127.0.0.1/acme/swift@sha256:{DIGITS}"),
        ] {
            assert_eq!(told(word), word);
        }
    }

    #[test]
    fn goes_by_the_digest_where_both_are_said() {
        let both = OciReference::parse(&format!("oci://ghcr.io/acme/swift:1.2@sha256:{DIGITS}")).unwrap();

        assert_eq!(both.version(), &OciVersion::Digest(DIGITS.to_owned()));
        assert_eq!((both.host(), both.repository()), ("ghcr.io", "acme/swift"));
    }

    #[test]
    fn says_what_is_no_reference() {
        insta::assert_snapshot!(told("oci://ghcr.io"), @"oci://ghcr.io: names no repository; write oci://HOST/REPOSITORY:TAG, or oci://HOST/REPOSITORY@sha256:DIGEST");
        insta::assert_snapshot!(told("oci://ghcr.io/acme/swift"), @"oci://ghcr.io/acme/swift: names neither a tag nor a digest; write oci://HOST/REPOSITORY:TAG, or oci://HOST/REPOSITORY@sha256:DIGEST");
        insta::assert_snapshot!(told("oci://ghcr.io/Acme/swift:1"), @r#"oci://ghcr.io/Acme/swift:1: "Acme/swift" is no name of a repository; write lower-case letters, digits and any of . _ - between them, in parts divided by /"#);
        insta::assert_snapshot!(told("oci://ghcr.io/acme/swift:a b"), @r#"oci://ghcr.io/acme/swift:a b: "a b" is no tag; write letters, digits and any of . _ -, no more than 128"#);
        insta::assert_snapshot!(told("oci://ghcr.io/acme/swift@sha256:12"), @r#"oci://ghcr.io/acme/swift@sha256:12: "sha256:12" is no digest that is understood; write sha256: and 64 hexadecimal digits, as `backstop strategy push` prints them"#);
        insta::assert_snapshot!(told("oci://a_b/acme:1"), @r#"oci://a_b/acme:1: "a_b" is no host; write oci://HOST/REPOSITORY:TAG, or oci://HOST/REPOSITORY@sha256:DIGEST"#);
    }

    #[test]
    fn lets_nobody_out_of_the_path() {
        for word in
            ["oci://h/../x:1", "oci://h/a//b:1", "oci://h/a?b:1", "oci://h/a%2e:1", "oci://h:0/a:1", "oci://h/a:/"]
        {
            assert!(OciReference::parse(word).is_err(), "{word}");
        }
    }

    #[test]
    fn never_repeats_a_login() {
        let error = OciReference::parse("oci://ann:canary@ghcr.io/acme/swift:1").unwrap_err();

        assert!(error.is_secret && !error.to_string().contains("canary"), "{error}");
    }

    #[test]
    fn knows_this_machine() {
        let is = |host: &str| OciReference::parse(&format!("oci://{host}/a:1")).unwrap().is_of_this_machine();

        assert!(["localhost", "LOCALHOST:5000", "127.0.0.1:1", "127.9.9.9", "[::1]", "[::1]:80"].into_iter().all(is));
        assert!(!["ghcr.io", "localhost.example.com", "10.0.0.1", "[::2]:80"].into_iter().any(is));
    }
}
