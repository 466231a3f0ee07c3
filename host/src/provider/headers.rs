//! The headers of a chat request: the key where the protocol has it, the operator's own over ours.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue};
use indexmap::IndexMap;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use crate::config::Protocol;

/// The version of Anthropic's protocol that is spoken.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// Why a request has no headers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// The key has a line break or another character that no header may carry.
    #[error("the key holds a character that no HTTP header may carry (a line break?): set it anew")]
    Key,
    /// One of the operator's own headers is none.
    #[error("headers.{0} is not a header name with a value of visible characters")]
    Own(String),
}

/// The headers of a chat request; those that hold keys are marked sensitive, so that no log shows them.
///
/// # Errors
/// When the key or one of the operator's own headers cannot stand in a header.
pub fn headers(
    protocol: Protocol,
    key: Option<&SecretString>,
    own: &IndexMap<String, String>,
    stream: bool,
) -> Result<HeaderMap, HeaderError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static(accepted(protocol, stream)));
    if protocol == Protocol::Anthropic {
        headers.insert(HeaderName::from_static("anthropic-version"), HeaderValue::from_static(ANTHROPIC_VERSION));
    }
    if let Some(key) = key {
        let (name, value) = proof(protocol, key.expose_secret());
        headers.insert(name, sensitive(&value).ok_or(HeaderError::Key)?);
    }
    for (name, value) in own {
        let error = || HeaderError::Own(name.clone());
        let header: HeaderName = name.parse().map_err(|_| error())?;
        // What an operator adds by hand may well be a second key.
        headers.insert(header, sensitive(value).ok_or_else(error)?);
    }
    Ok(headers)
}

fn accepted(protocol: Protocol, stream: bool) -> &'static str {
    match protocol {
        Protocol::Ollama if stream => "application/x-ndjson",
        Protocol::OpenAi | Protocol::Anthropic | Protocol::Gemini if stream => "text/event-stream",
        Protocol::OpenAi | Protocol::Anthropic | Protocol::Gemini | Protocol::Ollama => "application/json",
    }
}

/// The header that proves who asks.
fn proof(protocol: Protocol, key: &str) -> (HeaderName, String) {
    match protocol {
        Protocol::OpenAi | Protocol::Ollama => (AUTHORIZATION, format!("Bearer {key}")),
        Protocol::Anthropic => (HeaderName::from_static("x-api-key"), key.to_owned()),
        Protocol::Gemini => (HeaderName::from_static("x-goog-api-key"), key.to_owned()),
    }
}

fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_the_key_where_each_protocol_has_it() {
        let key = SecretString::from("canary");

        for (protocol, name, value) in [
            (Protocol::OpenAi, "authorization", "Bearer canary"),
            (Protocol::Ollama, "authorization", "Bearer canary"),
            (Protocol::Anthropic, "x-api-key", "canary"),
            (Protocol::Gemini, "x-goog-api-key", "canary"),
        ] {
            let headers = headers(protocol, Some(&key), &IndexMap::new(), false).unwrap();

            assert_eq!(headers[name], value);
            assert!(headers[name].is_sensitive());
        }
    }

    #[test]
    fn hides_the_key_from_whoever_prints_the_headers() {
        let key = SecretString::from("sk-canary");
        let own = IndexMap::from([("x-title".to_owned(), "Backstop".to_owned())]);

        let headers = headers(Protocol::OpenAi, Some(&key), &own, true).unwrap();

        assert_eq!(headers[AUTHORIZATION], "Bearer sk-canary");
        assert_eq!(headers[ACCEPT], "text/event-stream");
        assert!(!format!("{headers:?}").contains("canary"));
    }

    #[test]
    fn refuses_a_key_with_a_line_break() {
        let key = SecretString::from("sk-a\nb");
        let own = IndexMap::from([("bad name".to_owned(), String::new())]);

        assert_eq!(headers(Protocol::OpenAi, Some(&key), &IndexMap::new(), false), Err(HeaderError::Key));
        assert_eq!(headers(Protocol::OpenAi, None, &own, false), Err(HeaderError::Own("bad name".to_owned())));
    }
}
