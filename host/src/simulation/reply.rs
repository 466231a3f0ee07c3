//! What simulated providers send: answers in OpenAI's protocol, whole and as events, and the replies that say no.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::scripted::bodies;
use crate::transport::{ByteStream, HttpReply};
use crate::types::FailureKind;

use super::provider::Left;
use super::question::Size;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit-requests");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining-requests");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const HTML: HeaderValue = HeaderValue::from_static("text/html");

/// The first event of a stream: every provider says the same, so that one can take up what another began.
pub(super) const FIRST_EVENT: &str = "data: {\"id\":\"sim\",\"object\":\"chat.completion.chunk\",\"model\":\"sim\",\
     \"choices\":[{\"index\":0,\"delta\":{\"content\":\"This is \"},\"finish_reason\":null}]}\n\n";

/// The head of an answer.
pub(super) fn head(is_stream: bool, left: Option<Left>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, if is_stream { EVENTS } else { JSON });
    if let Some(Left { requests, of }) = left {
        headers.insert(LIMIT, of.into());
        headers.insert(REMAINING, requests.into());
    }
    headers
}

/// A whole answer.
pub(super) fn whole(size: Size) -> Bytes {
    let Size { input, output } = size;
    let total = u64::from(input) + u64::from(output);
    Bytes::from(format!(
        "{{\"id\":\"sim\",\"object\":\"chat.completion\",\"model\":\"sim\",\"choices\":[{{\"index\":0,\"message\":{{\
         \"role\":\"assistant\",\"content\":\"This is simulated.\"}},\"finish_reason\":\"stop\"}}],\"usage\":{{\
         \"prompt_tokens\":{input},\"completion_tokens\":{output},\"total_tokens\":{total}}}}}"
    ))
}

/// What comes after the first event of a stream, all in one: as few events as a provider can do with.
pub(super) fn last_events(size: Size) -> Bytes {
    let Size { input, output } = size;
    let total = u64::from(input) + u64::from(output);
    Bytes::from(format!(
        "data: {{\"id\":\"sim\",\"object\":\"chat.completion.chunk\",\"model\":\"sim\",\"choices\":[{{\"index\":0,\
         \"delta\":{{\"content\":\"simulated.\"}},\"finish_reason\":\"stop\"}}],\"usage\":{{\
         \"prompt_tokens\":{input},\"completion_tokens\":{output},\"total_tokens\":{total}}}}}\n\ndata: [DONE]\n\n"
    ))
}

/// A reply that says no, as a real provider words it.
pub(super) fn refused(kind: FailureKind, wait: Option<Duration>) -> HttpReply {
    let (status, body) = match kind {
        FailureKind::RateLimited => (429, bodies::rate_limited(wait).to_string()),
        FailureKind::QuotaExhausted => (429, bodies::insufficient_quota().to_string()),
        FailureKind::Overloaded => (503, bodies::overloaded().to_string()),
        FailureKind::Authentication => (401, bodies::unauthorized().to_string()),
        FailureKind::Permission => (403, bodies::forbidden().to_string()),
        FailureKind::ModelNotFound => (404, bodies::model_not_found("sim").to_string()),
        FailureKind::ContextLength => (400, bodies::context_length().to_string()),
        FailureKind::ContentFiltered => (400, bodies::content_filter().to_string()),
        FailureKind::InvalidRequest => (400, bodies::invalid_request().to_string()),
        FailureKind::MalformedReply => (200, bodies::LOGIN_PAGE.to_owned()),
        // Those that are no replies at all look like an error of the server's where they are asked for as one.
        FailureKind::ServerError | FailureKind::Timeout | FailureKind::Connection | FailureKind::Interrupted => {
            (500, bodies::server_error().to_string())
        }
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, if kind == FailureKind::MalformedReply { HTML } else { JSON });
    if let Some(wait) = wait {
        // Whole seconds, up: who came again earlier would be refused again.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, seconds.max(1).into());
    }
    HttpReply { status, headers, body: at_once(Bytes::from(body)) }
}

/// A body that is all here.
pub(super) fn at_once(body: Bytes) -> ByteStream {
    Box::pin(stream::iter([Ok(body)]))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::config::scenario::SIMULATED_FAILURES;
    use crate::provider::{Head, classify};
    use crate::transport::collect;

    #[tokio::test]
    async fn says_no_in_words_that_are_understood_as_what_they_mean() {
        let no_replies = [FailureKind::Timeout, FailureKind::Connection, FailureKind::Interrupted];
        for (name, kind) in SIMULATED_FAILURES.into_iter().filter(|(_, kind)| !no_replies.contains(kind)) {
            let reply = refused(kind, Some(Duration::from_millis(2_500)));

            let head = Head { status: reply.status, headers: &reply.headers, now: Timestamp::UNIX_EPOCH, key: None };
            let failure = classify(&head, &collect(reply.body, 1 << 20).await.unwrap());
            assert_eq!(failure.kind, kind, "{name}");
            let waits =
                matches!(kind, FailureKind::RateLimited | FailureKind::QuotaExhausted | FailureKind::Overloaded);
            let told = waits.then_some(Duration::from_secs(3));
            assert_eq!(failure.retry_after.filter(|_| waits), told, "{name}");
        }
    }
}
