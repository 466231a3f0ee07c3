//! A request's body, as long and as slow as it may be.

use std::future::poll_fn;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body::Body;
use hyper::body::Incoming;

use crate::clock::Clock;

use super::bounds::Bounds;
use super::refusal::Refusal;

/// Makes sure that a body is said to be JSON. A web page may send anything else to us without asking first, so that nothing
/// said is not enough.
pub(super) fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != HeaderValue::from_static("identity")) {
        return Err(Refusal::Compressed);
    }
    let said = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if is_json { Ok(()) } else { Err(Refusal::NotJson) }
}

/// Reads a body to its end. One that says it is too long is refused before any of it is read.
pub(super) async fn read(mut body: Incoming, bounds: &Bounds, clock: &dyn Clock) -> Result<Bytes, Refusal> {
    let limit = bounds.body_bytes;
    let too_long = || Refusal::TooLong { limit };
    let said = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if said > limit {
        return Err(too_long());
    }
    let end = clock.now() + bounds.body;
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    loop {
        let patience = clock.sleep_until(end.min(clock.now() + bounds.body_pause));
        let frame = tokio::select! {
            biased;
            frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)) => frame,
            () = patience => return Err(Refusal::TooSlow),
        };
        let Some(frame) = frame else { break };
        let Ok(piece) = frame.map_err(Refusal::BrokeOff)?.into_data() else { continue };
        if piece.len() > limit - (first.len() + whole.len()) {
            return Err(too_long());
        }
        // Most bodies come in one piece, which need not be copied.
        if first.is_empty() && whole.is_empty() {
            first = piece;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&piece);
        }
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}
