//! What it costs to put a request into another protocol and a reply back into OpenAI's: whole, and event by event.
//!
//! A request is measured from the caller's bytes to the target's: taken apart, its messages read, written again. To be held:
//! 20 µs for a message of 2 kB or a reply of that size, 5 µs for an event of a stream.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot convert its own samples has nothing to measure")]

use std::hint::black_box;

use backstop::ChatRequest;
use backstop::config::Protocol;
use backstop::http::HeaderMap;
use backstop::provider::{Call, ChunkFacts, Completion, Decoder, Dialect, Dialogue, Encoded, Head, Reading};
use backstop::provider::{decode, encode};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use serde_json::{Value, json};

const PROTOCOLS: [(&str, Protocol); 4] = [
    ("openai", Protocol::OpenAi),
    ("anthropic", Protocol::Anthropic),
    ("gemini", Protocol::Gemini),
    ("ollama", Protocol::Ollama),
];

fn requests(criterion: &mut Criterion) {
    for (what, body) in [("one message of 2 kB", one_message()), ("20 messages with tools", long_talk())] {
        for (name, protocol) in PROTOCOLS {
            criterion.bench_function(&format!("request, {what}, to {name}"), |bencher| {
                bencher.iter(|| convert(protocol, black_box(&body)));
            });
        }
    }
}

fn replies(criterion: &mut Criterion) {
    for (name, protocol) in PROTOCOLS {
        let body = Bytes::from(reply(protocol).to_string());
        criterion.bench_function(&format!("reply of 2 kB, from {name}"), |bencher| {
            bencher.iter(|| read(protocol, black_box(&body)));
        });
    }
}

fn events(criterion: &mut Criterion) {
    for (name, protocol) in PROTOCOLS {
        let (beginning, event) = stream(protocol);
        let mut decoder = Decoder::new(protocol, reading());
        for event in beginning {
            read_event(&mut decoder, event.as_bytes());
        }
        criterion.bench_function(&format!("event of a stream, from {name}"), |bencher| {
            bencher.iter(|| read_event(&mut decoder, black_box(event.as_bytes())));
        });
    }
}

fn convert(protocol: Protocol, body: &[u8]) -> Encoded {
    let request = ChatRequest::parse(body).unwrap();
    let dialogue = Dialogue::read(request.messages()).unwrap();
    let call = Call {
        request: &request,
        dialogue: &dialogue,
        provider: "target",
        dialect: Dialect::of("target", &"http://target.invalid".parse().unwrap()),
        model: "model-1",
        defaults: &[],
        stream: false,
        prefill: None,
    };
    encode(protocol, &call).unwrap()
}

fn read(protocol: Protocol, body: &Bytes) -> Completion {
    let headers = HeaderMap::new();
    decode(protocol, &head(&headers), body, &reading()).unwrap()
}

fn read_event(decoder: &mut Decoder, event: &[u8]) -> ChunkFacts {
    let headers = HeaderMap::new();
    decoder.decode(&head(&headers), None, event).unwrap()
}

fn head(headers: &HeaderMap) -> Head<'_> {
    Head { status: 200, headers, now: Timestamp::UNIX_EPOCH, key: None }
}

fn reading() -> Reading {
    Reading { origin: "target".to_owned(), model: "model-1".to_owned(), stream_usage: true, ..Reading::default() }
}

/// Prose of 2 kB, with line ends and quotes, so that it is not the same inside JSON.
fn prose() -> String {
    "The \"capital\" of France is Paris, a city of two million on the Seine.\n".repeat(2_000 / 70)
}

fn one_message() -> Vec<u8> {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": prose()}], "max_tokens": 500});
    body.to_string().into_bytes()
}

/// A conversation in which a tool is called every other turn.
fn long_talk() -> Vec<u8> {
    let turn = |number: usize| {
        let id = format!("call_{number}");
        [
            json!({"role": "user", "content": format!("What is the weather in city {number}?")}),
            json!({"role": "assistant", "content": null, "tool_calls": [{"id": id, "type": "function",
                "function": {"name": "weather", "arguments": format!("{{\"city\":\"{number}\",\"days\":3}}")}}]}),
            json!({"role": "tool", "tool_call_id": id, "content": "{\"sky\":\"clear\",\"degrees\":[21,22,19]}"}),
            json!({"role": "assistant", "content": "Clear, and around 21 degrees for three days."}),
        ]
    };
    let tool = |name: &str| {
        json!({"type": "function", "function": {"name": name, "description": "Looks something up for one place.",
            "parameters": {"type": "object", "required": ["city"], "properties": {
                "city": {"type": "string", "description": "The city"}, "days": {"type": "integer", "minimum": 1}}}}})
    };
    let tools: Vec<Value> = ["weather", "traffic", "events", "hotels"].map(tool).to_vec();
    let messages: Vec<Value> = (0..5).flat_map(turn).collect();
    json!({"model": "m", "messages": messages, "tools": tools, "temperature": 0.2}).to_string().into_bytes()
}

fn reply(protocol: Protocol) -> Value {
    let text = prose();
    match protocol {
        Protocol::OpenAi => json!({"id": "c", "object": "chat.completion", "model": "m", "choices": [{"index": 0,
            "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 450, "total_tokens": 460}}),
        Protocol::Anthropic => json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 10, "output_tokens": 450}}),
        Protocol::Gemini => json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]},
            "finishReason": "STOP", "index": 0}], "modelVersion": "m", "responseId": "r",
            "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 450, "totalTokenCount": 460}}),
        Protocol::Ollama => json!({"model": "m", "created_at": "2026-01-01T00:00:00Z",
            "message": {"role": "assistant", "content": text}, "done": true, "done_reason": "stop",
            "total_duration": 5_000_000, "prompt_eval_count": 10, "eval_count": 450}),
    }
}

/// What comes before, and an event from the middle of an answer.
fn stream(protocol: Protocol) -> (&'static [&'static str], &'static str) {
    match protocol {
        Protocol::OpenAi => (
            &[],
            r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" capital"},"finish_reason":null}]}"#,
        ),
        Protocol::Anthropic => (
            &[
                r#"{"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":10,"output_tokens":1}}}"#,
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            ],
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" capital"}}"#,
        ),
        Protocol::Gemini => (
            &[],
            r#"{"candidates":[{"content":{"parts":[{"text":" capital"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":4,"totalTokenCount":14},"modelVersion":"m","responseId":"r"}"#,
        ),
        Protocol::Ollama => (
            &[],
            r#"{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":" capital"},"done":false}"#,
        ),
    }
}

criterion_group!(benches, requests, replies, events);
criterion_main!(benches);
