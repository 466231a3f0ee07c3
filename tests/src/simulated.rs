//! Providers without sockets, for thousands of schedules on a paused clock: what each call meets is a function of its
//! provider, its number and the time.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstop::http::{HeaderMap, HeaderName, HeaderValue};
use backstop::transport::{HttpCall, HttpReply, Transport, TransportError};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;
use tokio::time::Instant;

/// A call as the provider saw it.
#[derive(Debug, Clone)]
pub struct SeenCall {
    /// Which provider.
    pub provider: Arc<str>,
    /// When it arrived, since the transport was made.
    pub at: Duration,
    /// The key it carried.
    pub authorization: Option<String>,
    /// The model it asked for.
    pub model: String,
}

/// What a call meets.
#[derive(Debug, Clone)]
pub enum Fate {
    /// An answer after so long.
    Answer(Duration),
    /// An error of this status after so long, with a Retry-After header where one is given.
    Status(u16, Duration, Option<&'static str>),
    /// No connection, after so long.
    Refused(Duration),
    /// Nothing, ever.
    Silence,
}

/// A call that was given up before its reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// Which provider.
    pub provider: Arc<str>,
    /// When, since the transport was made.
    pub at: Duration,
}

/// A transport whose providers live in a function.
pub struct Simulated<F> {
    fate: F,
    begun: Instant,
    seen: Mutex<Vec<SeenCall>>,
    given_up: Mutex<Vec<GivenUp>>,
}

/// Takes note where a call is dropped before its reply.
struct Waiting<'a> {
    provider: Option<Arc<str>>,
    begun: Instant,
    given_up: &'a Mutex<Vec<GivenUp>>,
}

impl<F: Fn(&SeenCall, usize) -> Fate + Send + Sync> Simulated<F> {
    /// Providers that treat a call, and how many came to that provider before it, as the function says.
    pub fn new(fate: F) -> Arc<Self> {
        Arc::new(Self { fate, begun: Instant::now(), seen: Mutex::default(), given_up: Mutex::default() })
    }

    /// Every call so far, in the order of arrival.
    pub fn seen(&self) -> Vec<SeenCall> {
        self.seen.lock().unwrap().clone()
    }

    /// Every call that was given up before its reply, in that order.
    pub fn given_up(&self) -> Vec<GivenUp> {
        self.given_up.lock().unwrap().clone()
    }

    /// How many calls came to a provider.
    pub fn count(&self, provider: &str) -> usize {
        self.seen().iter().filter(|call| &*call.provider == provider).count()
    }
}

impl<F: Fn(&SeenCall, usize) -> Fate + Send + Sync> Transport for Simulated<F> {
    fn send(&self, call: HttpCall) -> Pin<Box<dyn Future<Output = Result<HttpReply, TransportError>> + Send + '_>> {
        let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
        let authorization = call.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let seen = SeenCall {
            provider: Arc::clone(&call.provider),
            at: self.begun.elapsed(),
            authorization,
            model: body["model"].as_str().unwrap_or_default().to_owned(),
        };
        let fate = {
            let mut all = self.seen.lock().unwrap();
            let before = all.iter().filter(|other| other.provider == seen.provider).count();
            all.push(seen.clone());
            (self.fate)(&seen, before)
        };
        let streaming = body["stream"] == true;
        let waiting = Waiting { provider: Some(call.provider), begun: self.begun, given_up: &self.given_up };
        Box::pin(async move {
            let mut waiting = waiting;
            let met = meet(fate, &seen.model, streaming).await;
            waiting.provider = None;
            met
        })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(provider) = self.provider.take() {
            self.given_up.lock().unwrap().push(GivenUp { provider, at: self.begun.elapsed() });
        }
    }
}

async fn meet(fate: Fate, model: &str, streaming: bool) -> Result<HttpReply, TransportError> {
    match fate {
        Fate::Answer(after) => {
            tokio::time::sleep(after).await;
            Ok(if streaming { streamed(model) } else { whole(model) })
        }
        Fate::Status(status, after, retry_after) => {
            tokio::time::sleep(after).await;
            let body = json!({"error": {"message": format!("simulated {status}"), "type": "simulated"}});
            let named = retry_after.map(|wait| ("retry-after", wait));
            Ok(reply(status, named.into_iter().collect(), body.to_string()))
        }
        Fate::Refused(after) => {
            tokio::time::sleep(after).await;
            Err(TransportError::Connect { place: "simulated".into(), why: "connection refused".into() })
        }
        Fate::Silence => std::future::pending().await,
    }
}

fn whole(model: &str) -> HttpReply {
    let body = json!({
        "id": "sim-1", "object": "chat.completion", "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11},
    });
    reply(200, vec![("content-type", "application/json")], body.to_string())
}

fn streamed(model: &str) -> HttpReply {
    let chunk = |delta, finish: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!(
            "data: {}\n\n",
            json!({"id": "sim-1", "object": "chat.completion.chunk", "model": model, "choices": [choice]})
        )
    };
    let usage = json!({
        "id": "sim-1", "object": "chat.completion.chunk", "model": model, "choices": [],
        "usage": {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11},
    });
    let (text, end) = (chunk(json!({"content": "Paris"}), None), chunk(json!({}), Some("stop")));
    let body = [text, end, format!("data: {usage}\n\n"), "data: [DONE]\n\n".into()].concat();
    reply(200, vec![("content-type", "text/event-stream")], body)
}

fn reply(status: u16, headers: Vec<(&'static str, &'static str)>, body: String) -> HttpReply {
    let headers =
        headers.into_iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    HttpReply { status, headers: headers.collect::<HeaderMap>(), body: Box::pin(stream::iter([Ok(Bytes::from(body))])) }
}
