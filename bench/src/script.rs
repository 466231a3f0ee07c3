//! What the upstream says, so that whoever asks can tell whether it has all arrived.

/// Pieces of a streamed answer.
pub const CHUNKS: usize = 20;

/// The words of the answer, each a piece of the stream.
pub const WORDS: [&str; CHUNKS] = [
    "Seven ", "rivers ", "rise ", "in ", "these ", "hills ", "and ", "none ", "of ", "them ", "has ", "ever ", "met ",
    "another ", "before ", "the ", "sea ", "took ", "it ", "in.",
];

/// The head of a streamed reply.
pub const EVENTS_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n\
                               transfer-encoding: chunked\r\n\r\n";

/// The end of a streamed reply, end of body included.
pub const LAST_EVENT: &str = "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";

/// The whole answer.
#[must_use]
pub fn sentence() -> String {
    WORDS.concat()
}

/// A whole reply, head and body, of some 600 bytes.
#[must_use]
pub fn reply() -> String {
    let body = format!(
        r#"{{"id":"chatcmpl-BnJ4kQw7Zr0aXcVt9LmYpS2","object":"chat.completion","created":1764000000,"model":"gpt-4o-mini-2024-07-18","choices":[{{"index":0,"message":{{"role":"assistant","content":"{}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":34,"completion_tokens":{CHUNKS},"total_tokens":54,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0}}}},"service_tier":"default","system_fingerprint":"fp_560af6e559"}}"#,
        sentence()
    );
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// One event of a streamed reply as a chunk of HTTP.
#[must_use]
pub fn event(index: usize, word: &str) -> String {
    let (role, finish) = match index {
        0 => (r#""role":"assistant","#, "null"),
        _ if index + 1 == CHUNKS => ("", r#""stop""#),
        _ => ("", "null"),
    };
    let event = format!(
        "data: {{\"id\":\"chatcmpl-BnJ4kQw7Zr0aXcVt9LmYpS2\",\"object\":\"chat.completion.chunk\",\"created\":1764000000,\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{{\"index\":0,\"delta\":{{{role}\"content\":\"{word}\"}},\"finish_reason\":{finish}}}]}}\n\n"
    );
    format!("{:x}\r\n{event}\r\n", event.len())
}
