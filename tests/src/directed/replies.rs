//! A behaviour as a scripted reply, in the protocol that was called.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use backstop::config::Protocol;
use backstop::scripted::{Answer, Fault, Place, ReceivedCall, Reply, RetryAfter, Script};
use serde_json::{Value, json};

use super::{Act, Behaviour, embeddings};
use crate::Heard;

/// The script of behaviours one after the other, the last of them for ever.
pub(super) fn script(behaviours: &[Behaviour]) -> Script {
    let acts: Vec<Act> = behaviours.iter().map(|behaviour| behaviour.act.clone()).collect();
    let place = AtomicUsize::new(0);
    Script::by(move |call| {
        let place = place.fetch_add(1, Ordering::Relaxed).min(acts.len().saturating_sub(1));
        acts.get(place).map_or_else(|| Reply::answer(""), |act| reply(act, call))
    })
}

fn reply(act: &Act, call: &ReceivedCall) -> Reply {
    let after = |tokens: usize, text: &str, fault| answer(text, call).at(Place::AfterTokens(tokens), fault);
    if let (true, Act::Paced(..) | Act::Tools(_) | Act::Json(_)) = (embeddings::are_asked(call), act) {
        return embeddings::reply(call);
    }
    match act {
        Act::Answer(text) => answer(text, call),
        Act::Slow(wait, text) => answer(text, call).after(*wait),
        Act::Paced(every, text) => Answer::new(text).every(*every).into(),
        Act::Tools(arguments) => tools(arguments, call),
        Act::Json(text) => forced_tool(call).map_or_else(|| Answer::new(text), |n| Answer::tool_call(&n, text)).into(),
        Act::Status(status, message) => error(*status, message.as_deref(), call.protocol()),
        Act::RateLimited(wait) => rate_limited(*wait, call.protocol()),
        Act::Quota => Reply::insufficient_quota(),
        Act::ContextLength => Reply::context_length(),
        Act::Reset => Reply::reset(),
        Act::Silence => Reply::silence(),
        Act::Cut(tokens, text) => after(*tokens, text, Fault::Reset),
        Act::End(tokens, text) => after(*tokens, text, Fault::End),
        Act::Stall(tokens, text) => after(*tokens, text, Fault::Silence),
        Act::ErrorEvent(tokens, text) => answer(text, call).error_after_tokens(*tokens),
    }
}

fn answer(text: &str, call: &ReceivedCall) -> Reply {
    if embeddings::are_asked(call) { embeddings::reply(call) } else { Reply::answer(text) }
}

/// Calls the first tool on offer; with its result in hand, tells it.
fn tools(arguments: &str, call: &ReceivedCall) -> Reply {
    let heard = Heard::of(call);
    match (heard.results.last(), heard.tools.first()) {
        (Some(result), _) => Reply::answer(format!("The tool said: {}", result.content)),
        (None, Some((name, _))) => Answer::tool_call(name, arguments).into(),
        (None, None) => Reply::answer("There is no tool."),
    }
}

/// The tool a request insists on.
fn forced_tool(call: &ReceivedCall) -> Option<String> {
    let choice = call.body.get("tool_choice")?;
    let name = choice.pointer("/function/name").or_else(|| choice.get("name"))?;
    name.as_str().map(str::to_owned)
}

fn error(status: u16, message: Option<&str>, protocol: Protocol) -> Reply {
    match (status, message) {
        (500, None) => Reply::server_error_as(protocol),
        (503 | 529, None) => Reply::overloaded_as(protocol),
        (401, None) if protocol == Protocol::OpenAi => Reply::unauthorized(),
        _ => Reply::json(status, &error_body(status, message.unwrap_or("scripted to fail"), protocol)),
    }
}

fn rate_limited(wait: Option<Duration>, protocol: Protocol) -> Reply {
    let reply = match protocol {
        Protocol::OpenAi => match wait {
            Some(wait) => Reply::rate_limited(wait),
            None => Reply::rate_limited_without_wait(),
        },
        _ => Reply::json(429, &error_body(429, "Number of requests has exceeded your rate limit", protocol)),
    };
    reply.retry_after(wait.map_or(RetryAfter::Unsaid, RetryAfter::Seconds))
}

fn error_body(status: u16, message: &str, protocol: Protocol) -> Value {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    };
    match protocol {
        Protocol::OpenAi => json!({"error": {"message": message, "type": kind, "param": null, "code": null}}),
        Protocol::Anthropic => {
            json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_scripted"})
        }
        Protocol::Gemini => json!({"error": {"code": status, "message": message}}),
        Protocol::Ollama => json!({"error": message}),
    }
}
