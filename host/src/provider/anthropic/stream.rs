//! The events of a stream of this protocol.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::block::{Block, compact, is_proven};
use super::finish::finish;
use super::open::{Arguments, Open, OpenBlocks};
use super::response::is_error;
use super::usage::Counts;
use crate::provider::chunk::{CallPiece, ChunkFacts, EventFault};
use crate::provider::json::{is_something, pick, pick_from, text};
use crate::provider::said::Said;
use crate::provider::tokens::count;
use crate::provider::writer::ChunkWriter;
use crate::provider::{Head, Reading, classify, tool_id};

/// What is remembered from one event to the next.
#[derive(Debug, Clone, Default)]
pub(in crate::provider) struct Stream {
    writer: ChunkWriter,
    counts: Counts,
    /// The blocks that have begun and not ended, by their index.
    open: OpenBlocks,
    /// Calls of tools that have begun.
    calls: usize,
    /// The reply's id.
    id: String,
    has_text: bool,
}

impl Stream {
    /// Reads one event.
    pub(in crate::provider) fn decode(
        &mut self,
        head: &Head<'_>,
        name: Option<&str>,
        data: &[u8],
        reading: &Reading,
    ) -> Result<ChunkFacts, EventFault> {
        let data = data.trim_ascii();
        let failure = || EventFault::Failure(Box::new(classify(head, &Bytes::copy_from_slice(data))));
        if name == Some("error") {
            return Err(failure());
        }
        // Some that only imitate the protocol end as OpenAI does.
        if data == b"[DONE]" {
            return Ok(ended());
        }
        let event = Event::read(data).map_err(|error| EventFault::Malformed(error.to_string()))?;
        if event.kind.is_some_and(is_error) || event.error.is_some_and(is_something) {
            return Err(failure());
        }
        let kind = event.kind.and_then(text);
        let said = match kind.as_deref().or(name) {
            Some("message_start") => self.begin(&event),
            Some("content_block_start") => self.open(&event, reading)?,
            Some("content_block_delta") => self.extend(&event, reading)?,
            Some("content_block_stop") => self.close(&event, reading),
            Some("message_delta") => self.finish(&event, reading),
            Some("message_stop") => return Ok(ended()),
            // A ping, and what is yet to come.
            Some(_) | None => Said::default(),
        };
        self.has_text |= !said.text.is_empty();
        Ok(self.writer.write(said, reading, head.now))
    }

    fn begin(&mut self, event: &Event<'_>) -> Said {
        let [id, model, usage] = event.message.map_or([None; 3], |start| pick_from(start, ["id", "model", "usage"]));
        if let Some(usage) = usage {
            self.counts.read(usage);
        }
        let id = id.and_then(text);
        self.id = id.clone().unwrap_or_default();
        Said { id, model: model.and_then(text), ..Said::default() }
    }

    fn open(&mut self, event: &Event<'_>, reading: &Reading) -> Result<Said, EventFault> {
        let index = event.index()?;
        let mut said = Said::default();
        let open = match event.block.map_or(Block::Other, Block::read) {
            Block::Text(words) => {
                said.text = words;
                Open::Text
            }
            Block::Thought(thought) if thought.data.is_some() => {
                said.thoughts.push(thought);
                Open::Other
            }
            Block::Thought(thought) => {
                said.reasoning.clone_from(&thought.text);
                Open::Thought(thought)
            }
            Block::ToolUse { id, name, input } => self.open_call(&mut said, id, name, input, reading),
            Block::Other => Open::Other,
        };
        self.open.begin(index, open)?;
        Ok(said)
    }

    fn open_call(
        &mut self,
        said: &mut Said,
        id: Option<String>,
        name: String,
        input: Option<&RawValue>,
        reading: &Reading,
    ) -> Open {
        let call = self.calls;
        self.calls += 1;
        let given = input.filter(|input| is_something(input)).map(compact);
        let arguments = if given.is_some() { Arguments::AtOnce } else { Arguments::Awaited };
        let id = Some(id.unwrap_or_else(|| tool_id::made(&self.id, call)));
        let piece =
            CallPiece { index: call, id, name: Some(name), arguments: given.unwrap_or_default(), signature: None };
        say_call(said, piece, reading);
        Open::ToolUse { call, arguments }
    }

    fn extend(&mut self, event: &Event<'_>, reading: &Reading) -> Result<Said, EventFault> {
        let names = ["type", "text", "thinking", "signature", "partial_json"];
        let [kind, words, thinking, signature, json] = event.delta.map_or([None; 5], |delta| pick_from(delta, names));
        let mut said = Said::default();
        match kind.and_then(text).as_deref() {
            Some("text_delta") => said.text = words.and_then(text).unwrap_or_default(),
            Some("thinking_delta") => {
                said.reasoning = thinking.and_then(text).unwrap_or_default();
                self.open.extend_thought(event.index()?, |thought| thought.text.push_str(&said.reasoning));
            }
            Some("signature_delta") => {
                let more = signature.and_then(text).unwrap_or_default();
                self.open.extend_thought(event.index()?, |thought| {
                    thought.signature.get_or_insert_default().push_str(&more);
                });
            }
            Some("input_json_delta") => {
                let more = json.and_then(text).unwrap_or_default();
                self.extend_call(&mut said, event.index()?, more, reading)?;
            }
            // Citations, and what is yet to come.
            Some(_) | None => {}
        }
        Ok(said)
    }

    fn extend_call(&mut self, said: &mut Said, index: u64, more: String, reading: &Reading) -> Result<(), EventFault> {
        match self.open.get_mut(index) {
            Some(Open::ToolUse { arguments: Arguments::AtOnce, .. }) => {}
            Some(Open::ToolUse { call, arguments }) => {
                if !more.is_empty() {
                    *arguments = Arguments::InPieces;
                    say_call(said, CallPiece { index: *call, arguments: more, ..CallPiece::default() }, reading);
                }
            }
            // A tool of Anthropic's own is none of the caller's.
            Some(Open::Other | Open::Text | Open::Thought(_) | Open::Forgotten) => {}
            None => return Err(EventFault::Malformed(format!("arguments for block {index}, which never began"))),
        }
        Ok(())
    }

    fn close(&mut self, event: &Event<'_>, reading: &Reading) -> Said {
        let mut said = Said::default();
        let open = event.index().ok().and_then(|index| self.open.end(index));
        match open {
            Some(Open::Thought(thought)) => {
                if is_proven(&thought) {
                    said.thoughts.push(thought);
                }
            }
            Some(Open::ToolUse { call, arguments: Arguments::Awaited }) => {
                let piece = CallPiece { index: call, arguments: "{}".to_owned(), ..CallPiece::default() };
                say_call(&mut said, piece, reading);
            }
            Some(Open::ToolUse { .. } | Open::Text | Open::Forgotten | Open::Other) | None => {}
        }
        said
    }

    fn finish(&mut self, event: &Event<'_>, reading: &Reading) -> Said {
        if let Some(usage) = event.usage {
            self.counts.read(usage);
        }
        let [reason] = event.delta.map_or([None], |delta| pick_from(delta, ["stop_reason"]));
        Said {
            finish: reason.and_then(text).map(|native| finish(native, reading)),
            // As of a whole reply: that text took no tokens is not believed.
            usage: self.counts.usage().filter(|usage| usage.output > 0 || !self.has_text),
            ..Said::default()
        }
    }
}

/// The fields of one event.
struct Event<'a> {
    kind: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    index: Option<&'a RawValue>,
    message: Option<&'a RawValue>,
    block: Option<&'a RawValue>,
    delta: Option<&'a RawValue>,
    usage: Option<&'a RawValue>,
}

impl<'a> Event<'a> {
    fn read(data: &'a [u8]) -> Result<Self, serde_json::Error> {
        let [kind, error, index, message, block, delta, usage] =
            pick(data, ["type", "error", "index", "message", "content_block", "delta", "usage"])?;
        Ok(Self { kind, error, index, message, block, delta, usage })
    }

    /// Which block it is about.
    fn index(&self) -> Result<u64, EventFault> {
        let index = self.index.and_then(count);
        index.ok_or_else(|| EventFault::Malformed("an event of a block without its index".to_owned()))
    }
}

/// Of an answer held to JSON by way of a tool, the arguments of the first call are the text.
fn say_call(said: &mut Said, piece: CallPiece, reading: &Reading) {
    if !reading.json_by_tool {
        said.calls.push(piece);
    } else if piece.index == 0 {
        said.text.push_str(&piece.arguments);
    }
}

/// The end of a stream, which says nothing to callers by itself.
fn ended() -> ChunkFacts {
    ChunkFacts { done: true, event: Some(Bytes::new()), ..ChunkFacts::default() }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use jiff::Timestamp;

    use super::*;
    use crate::provider::anthropic::open::MOST_OPEN;
    use crate::types::FailureKind;

    fn reading() -> Reading {
        Reading { origin: "anthropic".to_owned(), model: "asked".to_owned(), ..Reading::default() }
    }

    fn read_named(
        stream: &mut Stream,
        name: Option<&str>,
        data: &str,
        reading: &Reading,
    ) -> Result<ChunkFacts, EventFault> {
        let headers = HeaderMap::new();
        let head = Head { status: 200, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };
        stream.decode(&head, name, data.as_bytes(), reading)
    }

    fn read(stream: &mut Stream, data: &str) -> ChunkFacts {
        read_named(stream, None, data, &reading()).unwrap()
    }

    /// Reads a stream as lines of data.
    fn written(lines: &str, reading: &Reading) -> String {
        let mut stream = Stream::default();
        let events = lines.lines().map(|line| read_named(&mut stream, None, line, reading).unwrap().event.unwrap());
        events.map(|event| String::from_utf8(event.to_vec()).unwrap()).collect()
    }

    const TOOLS: &str = r#"{"type":"message_start","message":{"id":"msg_1","model":"claude-x","usage":{"input_tokens":9,"output_tokens":1}}}
{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}
{"type":"ping"}
{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm, "}}
{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"yes."}}
{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}
{"type":"content_block_stop","index":0}
{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"xyz"}}
{"type":"content_block_stop","index":1}
{"type":"content_block_start","index":2,"content_block":{"type":"server_tool_use","id":"srv","name":"web_search","input":{}}}
{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{}"}}
{"type":"content_block_stop","index":2}
{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_1","name":"look","input":{}}}
{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":""}}
{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}
{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"1}"}}
{"type":"content_block_stop","index":3}
{"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"toolu_2","name":"wait","input":{}}}
{"type":"content_block_stop","index":4}
{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":30}}
{"type":"message_stop"}"#;

    #[test]
    fn writes_thoughts_and_calls_in_the_shape_of_openai() {
        let reading = Reading { stream_usage: true, ..reading() };

        insta::assert_snapshot!(written(TOOLS, &reading), @r#"
    data: {"id":"msg_1","object":"chat.completion.chunk","created":0,"model":"claude-x","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning_content":"Hm, ","reasoning_origin":"anthropic"},"finish_reason":null}]}

    data: {"id":"msg_1","object":"chat.completion.chunk","created":0,"model":"claude-x","choices":[{"index":0,"delta":{"reasoning_content":"yes."},"finish_reason":null}]}

    data: {"id":"msg_1","object":"chat.completion.chunk","created":0,"model":"claude-x","choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","text":"Hm, yes.","signature":"sig","format":"anthropic-claude-v1","index":0,"origin":"anthropic"}]},"finish_reason":null}]}

    data: {"id":"msg_1","object":"chat.completion.chunk","created":0,"model":"claude-x","choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"xyz","format":"anthropic-claude-v1","index":1,"origin":"anthropic"}]},"finish_reason":null}]}

    data: {"id":"msg_1","object":"chat.completion.chunk","created":0,"model":"claude-x","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"toolu_1","type":"function","function":{"name":"look","arguments":""}}]},"finish_reason":null}]}

    data: {"id":"msg_1","object":"chat.completion.chunk","created":0,"model":"claude-x","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]},"finish_reason":null}]}

    data: {"id":"msg_1","object":"chat.completion.chunk","created":0,"model":"claude-x","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},"finish_reason":null}]}

    data: {"id":"msg_1","object":"chat.completion.chunk","created":0,"model":"claude-x","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"toolu_2","type":"function","function":{"name":"wait","arguments":""}}]},"finish_reason":null}]}

    data: {"id":"msg_1","object":"chat.completion.chunk","created":0,"model":"claude-x","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]},"finish_reason":null}]}

    data: {"id":"msg_1","object":"chat.completion.chunk","created":0,"model":"claude-x","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls","native_finish_reason":"tool_use"}]}

    data: {"id":"msg_1","object":"chat.completion.chunk","created":0,"model":"claude-x","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":30,"total_tokens":39,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}
    "#);
    }

    #[test]
    fn takes_the_arguments_of_our_own_tool_for_the_text() {
        let reading = Reading { json_by_tool: true, ..reading() };
        let mut stream = Stream::default();

        let facts: Vec<ChunkFacts> =
            TOOLS.lines().map(|line| read_named(&mut stream, None, line, &reading).unwrap()).collect();

        assert_eq!(facts.iter().map(|facts| facts.text.as_str()).collect::<String>(), r#"{"a":1}"#);
        assert!(facts.iter().all(|facts| facts.calls.is_empty()));
        assert!(facts.iter().any(|facts| facts.finish_reason.as_deref() == Some("stop")));
        assert!(facts.last().is_some_and(|facts| facts.done));
    }

    #[test]
    fn says_the_arguments_of_a_call_once() {
        let mut stream = Stream::default();
        let start = r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","name":"f","input":{"a": 1}}}"#;
        let again = r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}"#;

        let calls: Vec<CallPiece> = [start, again, r#"{"type":"content_block_stop","index":0}"#]
            .iter()
            .flat_map(|line| read(&mut stream, line).calls)
            .collect();

        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].arguments, r#"{"a":1}"#);
        assert!(calls[0].id.as_ref().is_some_and(|id| id.starts_with("call_")));
    }

    #[test]
    fn counts_usage_once_at_the_end() {
        let mut stream = Stream::default();

        let usages: Vec<_> = TOOLS.lines().map(|line| read(&mut stream, line).usage).collect();

        let counted: Vec<u64> = usages.into_iter().flatten().map(|usage| usage.total()).collect();
        assert_eq!(counted, [39]);
    }

    #[test]
    fn finds_the_error_in_a_stream() {
        let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        let limited = r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#;
        let broken = r#"{"type":"error","error":{"type":"api_error","message":"Internal server error"}}"#;

        for (name, data, kind) in [
            (Some("error"), overloaded, FailureKind::Overloaded),
            (None, overloaded, FailureKind::Overloaded),
            (Some("ping"), limited, FailureKind::RateLimited),
            (Some("error"), broken, FailureKind::ServerError),
            (Some("error"), "overloaded", FailureKind::Overloaded),
        ] {
            match read_named(&mut Stream::default(), name, data, &reading()) {
                Err(EventFault::Failure(failure)) => assert_eq!(failure.kind, kind, "{data}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn tells_a_broken_event_from_a_failed_answer() {
        for data in [
            "",
            "{",
            "[1]",
            r#"{"type":"content_block_start","content_block":{"type":"text"}}"#,
            r#"{"type":"content_block_delta","index":7,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
        ] {
            let read = read_named(&mut Stream::default(), None, data, &reading());
            assert!(matches!(read, Err(EventFault::Malformed(_))), "{data}");
        }
    }

    #[test]
    fn says_nothing_to_callers_of_pings_and_of_what_it_does_not_know() {
        for data in [r#"{"type":"ping"}"#, r#"{"type":"news","x":1}"#, "{}"] {
            let facts = read(&mut Stream::default(), data);

            assert_eq!(facts, ChunkFacts { event: Some(Bytes::new()), ..ChunkFacts::default() }, "{data}");
        }
    }

    #[test]
    fn keeps_the_words_of_a_thought_that_is_too_long_to_come_back() {
        let mut stream = Stream::default();
        read(
            &mut stream,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
        );
        let megabyte = "x".repeat(1 << 20);
        let delta = format!(
            r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"thinking_delta","thinking":"{megabyte}"}}}}"#
        );

        let heard = (0..5).filter(|_| read(&mut stream, &delta).has_content).count();
        read(
            &mut stream,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}"#,
        );
        let end = read(&mut stream, r#"{"type":"content_block_stop","index":0}"#);

        assert_eq!((heard, end.has_content), (5, false));
    }

    #[test]
    fn gives_up_on_a_flood_of_open_blocks() {
        let mut stream = Stream::default();
        let start = |index: usize| {
            format!(r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"text"}}}}"#)
        };
        for index in 0..MOST_OPEN {
            read(&mut stream, &start(index));
        }

        let fault = read_named(&mut stream, None, &start(MOST_OPEN), &reading());

        assert!(matches!(fault, Err(EventFault::Malformed(_))));
    }
}
