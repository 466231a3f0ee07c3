//! What the fuzzers share: the protocols, a reply's head, and the two ways to take a stream apart.

use backstop::config::Protocol;
use backstop::http::HeaderMap;
use backstop::provider::{Head, Reading};
use backstop::transport::{Splitter, SseEvent};
use jiff::Timestamp;

/// The wire protocols.
pub const PROTOCOLS: [Protocol; 4] = [Protocol::OpenAi, Protocol::Anthropic, Protocol::Gemini, Protocol::Ollama];

/// One of the protocols.
pub fn protocol(pick: u8) -> Protocol {
    PROTOCOLS[usize::from(pick) % PROTOCOLS.len()]
}

/// The head of a reply that came at the beginning of time.
pub fn head(status: u16, headers: &HeaderMap) -> Head<'_> {
    Head { status, headers, now: Timestamp::UNIX_EPOCH, key: None }
}

/// How a reply is to be read, in four ways.
pub fn reading(pick: u8) -> Reading {
    Reading {
        origin: "target".to_owned(),
        model: "model-1".to_owned(),
        json_by_tool: pick & 1 != 0,
        stream_usage: pick & 2 != 0,
        ..Reading::default()
    }
}

/// Whether bytes are one JSON value.
pub fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&serde_json::value::RawValue>(bytes).is_ok()
}

/// Takes a stream apart whole and in pieces as long as `lengths` say, again and again, and compares: each way the pieces' bytes
/// are the stream, and the events are the same.
pub fn same_in_any_split(splitter: fn() -> Splitter, lengths: &[u8], stream: &[u8]) {
    let whole = pieces(splitter(), &[], stream);
    let split = pieces(splitter(), lengths, stream);

    assert_eq!(events(&split), events(&whole));
    for pieces in [whole, split] {
        let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece.raw.iter().copied()).collect();
        assert_eq!(joined, stream);
    }
}

fn pieces(mut splitter: Splitter, lengths: &[u8], stream: &[u8]) -> Vec<SseEvent> {
    let mut pieces = Vec::new();
    let mut rest = stream;
    let mut lengths = lengths.iter().cycle();
    while !rest.is_empty() {
        let length = lengths.next().map_or(rest.len(), |length| usize::from(*length).clamp(1, rest.len()));
        let (now, later) = rest.split_at(length);
        rest = later;
        splitter.feed(now);
        while let Some(piece) = splitter.next_event().expect("a stream shorter than an event may be") {
            pieces.push(piece);
        }
    }
    pieces.extend(splitter.finish().expect("a stream shorter than an event may be"));
    pieces
}

/// What the events among the pieces say.
fn events(pieces: &[SseEvent]) -> Vec<(Option<&str>, &[u8])> {
    pieces.iter().filter_map(|piece| Some((piece.name(), &piece.data.as_ref()?[..]))).collect()
}
