//! A transport of one's own: requests go wherever the program sends them, here to a function in memory. No network is used.
//!
//! A transport is the way to record and replay traffic, to reach a provider through a proxy of one's own, or to test.
//!
//! ```console
//! $ cargo run --example own_transport
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use backstop::http::HeaderMap;
use backstop::transport::{HttpCall, HttpReply, Transport, TransportError};
use backstop::{Backstop, ChatRequest, ProviderConfig};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;

/// The first provider cannot be reached; the second answers with what it was asked.
struct Echo;

impl Transport for Echo {
    fn send(&self, call: HttpCall) -> Pin<Box<dyn Future<Output = Result<HttpReply, TransportError>> + Send + '_>> {
        Box::pin(async move {
            match &*call.provider {
                "unplugged" => Err(TransportError::Connect { place: "nowhere".into(), why: "the cable is out".into() }),
                _ => Ok(echo(&call.body)),
            }
        })
    }
}

fn echo(request: &[u8]) -> HttpReply {
    let request: serde_json::Value = serde_json::from_slice(request).unwrap_or_default();
    let question = request.pointer("/messages/0/content").and_then(serde_json::Value::as_str).unwrap_or_default();
    let message = json!({"role": "assistant", "content": format!("You asked: {question}")});
    let body = json!({
        "id": "echo-1", "object": "chat.completion", "model": "echo",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
    });
    HttpReply {
        status: 200,
        headers: HeaderMap::new(),
        body: Box::pin(stream::iter([Ok(Bytes::from(body.to_string()))])),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let provider = || -> Result<ProviderConfig, url::ParseError> {
        Ok(ProviderConfig::openai_compatible("http://127.0.0.1:9/v1".parse()?).with_model("echo"))
    };
    let backstop = Backstop::builder()
        .provider("unplugged", provider()?)
        .provider("echo", provider()?)
        .transport(Arc::new(Echo))
        .build()
        .await?;

    let answer = backstop.chat(ChatRequest::ask("Is anybody there?")).await?;

    println!("{} (attempt {})", answer.text, answer.attempts);
    assert_eq!(answer.text, "You asked: Is anybody there?");
    Ok(())
}
