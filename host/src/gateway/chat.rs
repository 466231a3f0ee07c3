//! `POST /v1/chat/completions`: the body in, the library's answer out.

use bytes::Bytes;
use http::HeaderMap;

use crate::client::Backstop;
use crate::router::RouteError;
use crate::types::ChatRequest;

use super::events::events;
use super::refusal::Refusal;
use super::reply::Reply;
use super::{sound_json, wishes};

/// Reads a chat request and what its client asks of Backstop itself.
pub(super) fn parse(body: &Bytes, headers: &HeaderMap) -> Result<ChatRequest, Refusal> {
    sound_json::check(body).map_err(Refusal::Unsound)?;
    let mut request = ChatRequest::parse(body)?;
    wishes::grant(&mut request, headers)?;
    Ok(request)
}

/// Has a request answered, whole or piece by piece, as it asks.
pub(super) async fn answer(backstop: &Backstop, request: ChatRequest) -> Result<Reply, RouteError> {
    if request.stream {
        backstop.stream(request).await.map(|stream| Reply::of_stream(stream, events))
    } else {
        backstop.chat(request).await.map(Reply::of_answer)
    }
}
