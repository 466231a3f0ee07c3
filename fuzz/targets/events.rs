//! Any events are chunks in OpenAI's shape or faults: what a caller is shown has the text that the library counts. The first
//! two bytes are the protocol and how to read; then an event a line, behind its name and a tab where it has one.

#![no_main]

use backstop::http::HeaderMap;
use backstop::provider::{ChunkFacts, Decoder};
use backstop_fuzz::{head, protocol, reading};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let [pick, how, lines @ ..] = bytes else { return };
    let headers = HeaderMap::new();
    let mut decoder = Decoder::new(protocol(*pick), reading(*how));
    for line in lines.split(|byte| *byte == b'\n') {
        let tab = line.iter().position(|byte| *byte == b'\t');
        let (name, data) = tab.map_or((&[][..], line), |tab| (&line[..tab], &line[tab + 1..]));
        let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty());
        if let Ok(facts) = decoder.decode(&head(200, &headers), name, data) {
            check(&facts);
        }
    }
});

/// An event that was written for the caller says what the facts say.
fn check(facts: &ChunkFacts) {
    let Some(event) = &facts.event else { return };
    let event = std::str::from_utf8(event).unwrap();
    let chunks: Vec<Value> = event
        .split_terminator("\n\n")
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect();
    let shown: String =
        chunks.iter().filter_map(|chunk| chunk.pointer("/choices/0/delta/content").and_then(Value::as_str)).collect();
    let calls = chunks.iter().filter_map(|chunk| chunk.pointer("/choices/0/delta/tool_calls")?.as_array()).flatten();
    assert_eq!(shown, facts.text);
    assert_eq!(calls.count(), facts.calls.len());
    assert!(event.is_empty() || event.ends_with("\n\n"));
}
