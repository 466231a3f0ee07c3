//! The head of a reply, and what else must be known to read its body.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::CONTENT_ENCODING;
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

impl<'a> Head<'a> {
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

    /// The coding of the body, such as `gzip`; `None` where the body is as it is. No call asks for one, and none is undone: a
    /// few bytes could become more than memory holds.
    #[must_use]
    pub fn coding(&self) -> Option<Cow<'a, str>> {
        let codings = self.headers.get_all(CONTENT_ENCODING).into_iter();
        codings.map(|coding| String::from_utf8_lossy(coding.as_bytes())).find(|coding| is_changed_by(coding))
    }
}

/// Whether a body with these codings is anything but itself.
fn is_changed_by(codings: &str) -> bool {
    let mut codings = codings.split(',').map(str::trim);
    codings.any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
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

    #[test]
    fn knows_a_body_that_is_not_as_it_is() {
        for (codings, expected) in [
            (&["gzip"][..], Some("gzip")),
            (&["identity", "br"], Some("br")),
            (&["identity, gzip"], Some("identity, gzip")),
            (&["Identity"], None),
            (&[""], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for coding in codings {
                headers.append(CONTENT_ENCODING, coding.parse().unwrap());
            }
            let head = Head { status: 200, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };

            assert_eq!(head.coding().as_deref(), expected, "{codings:?}");
        }
    }
}
