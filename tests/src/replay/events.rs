//! An event stream taken apart line by line, without any code of the program under test.

use serde_json::Value;

/// One event, or a comment, or an extra blank line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// All its bytes with the blank line behind it.
    pub(super) raw: String,
    /// Its data; `None` where it has none.
    pub(super) data: Option<String>,
}

/// Every event of a stream.
pub(super) fn events(stream: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let (mut raw, mut data) = (String::new(), None::<String>);
    for line in stream.split_inclusive('\n') {
        raw.push_str(line);
        let words = line.trim_end_matches(['\r', '\n']);
        if words.is_empty() {
            events.push(Event { raw: std::mem::take(&mut raw), data: data.take() });
        } else if let Some(words) = words.strip_prefix("data:") {
            let words = words.strip_prefix(' ').unwrap_or(words);
            data = Some(data.map_or_else(|| words.to_owned(), |before| format!("{before}\n{words}")));
        }
    }
    if !raw.is_empty() {
        events.push(Event { raw, data });
    }
    events
}

/// The JSON of every event that has some.
pub(super) fn values(stream: &str) -> Vec<Value> {
    let data = events(stream).into_iter().filter_map(|event| event.data);
    data.filter_map(|data| serde_json::from_str(&data).ok()).collect()
}

/// A stream of chat completion chunks as Backstop passes it on. Three things are stated to differ: the end mark is
/// Backstop's own; a chunk that holds nothing but usage is for those who asked for it; what is no JSON is passed over.
/// Comments travel with the event behind them.
pub(super) fn as_passed_on(stream: &str, wants_usage: bool) -> String {
    let (mut passed, mut held) = (String::new(), String::new());
    for event in events(stream) {
        let Some(data) = &event.data else {
            held.push_str(&event.raw);
            continue;
        };
        let Ok(value) = serde_json::from_str::<Value>(data) else {
            if data.trim() == "[DONE]" {
                break;
            }
            continue;
        };
        if value["object"] == "chat.completion.done" {
            break;
        }
        let says_nothing = value["choices"].as_array().is_none_or(Vec::is_empty);
        if says_nothing && value["usage"].is_object() && !wants_usage {
            continue;
        }
        passed.push_str(&std::mem::take(&mut held));
        passed.push_str(&event.raw);
    }
    passed + "data: [DONE]\n\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_stream_apart_and_loses_no_byte() {
        let stream = ": hi\n\nevent: x\r\ndata: {\"a\":1}\r\n\r\ndata: one\ndata:two\n\n\ndata: [DONE]";

        let events = events(stream);

        let data: Vec<Option<&str>> = events.iter().map(|event| event.data.as_deref()).collect();
        assert_eq!(data, [None, Some("{\"a\":1}"), Some("one\ntwo"), None, Some("[DONE]")]);
        assert_eq!(events.into_iter().map(|event| event.raw).collect::<String>(), stream);
    }

    #[test]
    fn knows_what_is_passed_on() {
        let answer = "data: {\"choices\":[{}]}\n\n";
        let usage = "data: {\"choices\":[],\"usage\":{}}\n\n";
        let stream = format!(": wait\n\n{answer}data: broken\n\n{usage}data: [DONE]\n\n");

        assert_eq!(as_passed_on(&stream, false), format!(": wait\n\n{answer}data: [DONE]\n\n"));
        assert_eq!(as_passed_on(&stream, true), format!(": wait\n\n{answer}{usage}data: [DONE]\n\n"));
    }
}
