//! The head of a reply, and what else must be known to read its body.

use http::HeaderMap;
use jiff::Timestamp;
use secrecy::SecretString;

/// The head of a reply.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// When the reply (or the event of a stream) came: what waits are counted from.
    pub now: Timestamp,
    /// The key the request was sent with: it is taken out of whatever is kept of the reply.
    pub key: Option<&'a SecretString>,
}

impl Head<'_> {
    /// Whether the status claims success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the body is announced as an event stream.
    #[must_use]
    pub fn is_event_stream(&self) -> bool {
        let kind = self.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("text/event-stream")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_an_event_stream_by_its_type() {
        for (kind, expected) in [
            ("text/event-stream", true),
            ("Text/Event-Stream; charset=utf-8", true),
            ("application/json", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, kind.parse().unwrap())]);
            let head = Head { status: 200, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };
            assert_eq!(head.is_event_stream(), expected, "{kind}");
        }
    }
}
