//! `POST /v1/embeddings`: texts in, the vectors of one model out.

use bytes::Bytes;
use http::HeaderMap;

use crate::client::Backstop;
use crate::router::RouteError;
use crate::types::EmbeddingRequest;

use super::refusal::Refusal;
use super::reply::Reply;
use super::{sound_json, wishes};

/// Reads a request for embeddings and what its client asks of Backstop itself.
pub(super) fn parse(body: &Bytes, headers: &HeaderMap) -> Result<EmbeddingRequest, Refusal> {
    sound_json::check(body).map_err(Refusal::Unsound)?;
    let mut request = EmbeddingRequest::parse(body)?;
    wishes::grant_embeddings(&mut request, headers)?;
    Ok(request)
}

/// Has a request answered.
pub(super) async fn answer(backstop: &Backstop, request: EmbeddingRequest) -> Result<Reply, RouteError> {
    backstop.embed(request).await.map(Reply::of_embeddings)
}
