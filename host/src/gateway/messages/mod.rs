//! `POST /v1/messages`: Anthropic's shape in and out, over the same routes as chats.
//!
//! The way of a request: `request` puts the body into OpenAI's shape (`conversation` its messages, `block` their content, `tools`
//! the tools), the library has it answered like any chat, and `response`, or `stream` with its `blocks`, writes the answer in
//! Anthropic's shape. `state` keeps what must come back to the provider that made it, `finish` says why an answer ended and what
//! it took, `error` is what becomes of a request that has none.
//!
//! A target that speaks Anthropic's protocol is not sent the caller's bytes either, but a request that means the same: instructions
//! and the marks of caches as they were, several texts of one earlier answer as one, results of tools before what else the user
//! says there. Thoughts are signed with their origin, so that no provider is shown another's; those of a conversation that began
//! elsewhere are left out. What Anthropic runs itself is refused, since no other target could take over; `anthropic-beta` is not
//! sent on. Citations of an answer do not come back. An answer that the caller has begun goes as the last message: whether it is
//! gone on with is the target's to say.

mod fault;
mod request;
mod conversation;
mod block;
mod cache;
mod tools;
mod state;
mod manner;
mod said;
mod response;
mod stream;
mod blocks;
mod events;
mod finish;
mod error;
#[cfg(test)]
mod request_tests;
#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod any_json_tests;
#[cfg(test)]
mod recorded_tests;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};

use crate::client::Backstop;
use crate::router::{Answer, RouteError};
use crate::types::ChatRequest;

use super::refusal::Refusal;
use super::reply::Reply;
use super::{sound_json, wishes};

use request::{Asked, Bound};

pub(super) use error::{body as error_body, message as error_message};
pub(super) use fault::Fault;

/// Reads a message request and what its client asks of Backstop itself.
pub(super) fn parse(body: &Bytes, headers: &HeaderMap) -> Result<Asked, Refusal> {
    read(body, headers, Bound::Required)
}

/// Reads a request whose tokens are to be counted.
pub(super) fn parse_counted(body: &Bytes, headers: &HeaderMap) -> Result<ChatRequest, Refusal> {
    read(body, headers, Bound::NotNeeded).map(|asked| asked.request)
}

/// Has a request answered, whole or piece by piece, as it asks.
pub(super) async fn answer(backstop: &Backstop, asked: Asked) -> Result<Reply, RouteError> {
    let Asked { request, manner } = asked;
    if request.stream {
        let stream = backstop.stream(request).await?;
        return Ok(Reply::of_stream(stream, |stream| events::events(stream, manner)).with_request_id());
    }
    let answer = backstop.chat(request).await?;
    let body = response::message(&answer.body, answer.usage, answer.id, &manner);
    Ok(Reply::of_answer(Answer { body, ..answer }).with_request_id())
}

/// The tokens of a request's input, as the host reckons them: from above, so that what is told to fit does.
pub(super) fn count(backstop: &Backstop, request: &ChatRequest) -> Result<Value, RouteError> {
    // Names a model that is not there as an answer would.
    backstop.worst_cases(request)?;
    Ok(json!({"input_tokens": request.needs().input_tokens}))
}

fn read(body: &Bytes, headers: &HeaderMap, bound: Bound) -> Result<Asked, Refusal> {
    sound_json::check(body).map_err(Refusal::Unsound)?;
    let mut asked = request::read(body, bound)?;
    wishes::grant(&mut asked.request, headers)?;
    Ok(asked)
}
