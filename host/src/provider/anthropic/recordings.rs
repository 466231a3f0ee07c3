//! The decoder against recorded traffic, which a reading of its own looks at beside it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Stream, decode};
use crate::provider::Reading;
use crate::provider::fixtures::{Sample, class, events, head, samples};
use crate::provider::{ChunkFacts, EventFault};
use crate::types::Usage;

/// What an answer says: text, calls by name and arguments, finish reason, usage.
#[derive(Debug, PartialEq)]
struct Gist {
    text: String,
    calls: Vec<(String, Value)>,
    finish: Option<String>,
    usage: Option<Usage>,
}

fn answers() -> Option<Vec<Sample>> {
    let samples = samples()?;
    Some(samples.into_iter().filter(|sample| sample.api == "anthropic-messages").collect())
}

fn reading() -> Reading {
    Reading { origin: "anthropic".to_owned(), model: "asked".to_owned(), ..Reading::default() }
}

fn in_openais_words(native: &Value) -> Option<String> {
    let reason = match native.as_str()? {
        "max_tokens" => "length",
        "tool_use" => "tool_calls",
        "refusal" => "content_filter",
        _ => "stop",
    };
    Some(reason.to_owned())
}

fn usage_of(usage: &Value) -> Option<Usage> {
    let count = |name: &str| usage[name].as_u64().unwrap_or(0);
    let (cache_read, cache_creation) = (count("cache_read_input_tokens"), count("cache_creation_input_tokens"));
    Some(Usage {
        input: usage["input_tokens"].as_u64()? + cache_read + cache_creation,
        output: usage["output_tokens"].as_u64()?,
        cache_read,
        cache_creation,
        reasoning: usage["output_tokens_details"]["thinking_tokens"].as_u64().unwrap_or(0),
    })
}

/// The blocks of an answer as the recording has them, those of a stream put together.
fn gist_of(blocks: &[Value], stop_reason: &Value, usage: &Value) -> Gist {
    let of = |kind: &'static str| blocks.iter().filter(move |block| block["type"] == kind);
    Gist {
        text: of("text").filter_map(|block| block["text"].as_str()).collect(),
        calls: of("tool_use")
            .map(|block| (block["name"].as_str().unwrap().to_owned(), block["input"].clone()))
            .collect(),
        finish: in_openais_words(stop_reason),
        usage: usage_of(usage),
    }
}

fn recorded_stream(sample: &Sample) -> Gist {
    let mut blocks: BTreeMap<u64, Value> = BTreeMap::new();
    let mut json: BTreeMap<u64, String> = BTreeMap::new();
    let (mut usage, mut stop_reason) = (json!({}), Value::Null);
    let mut count = |counts: &Value| {
        for (name, value) in counts.as_object().into_iter().flatten() {
            usage[name] = value.clone();
        }
    };
    let text = String::from_utf8(sample.body.to_vec()).unwrap();
    for line in text.lines().filter_map(|line| line.strip_prefix("data:")) {
        let event: Value = serde_json::from_str(line).unwrap();
        let index = event["index"].as_u64().unwrap_or(0);
        match event["type"].as_str().unwrap() {
            // One recording has a second answer after the end of the first.
            "message_stop" => break,
            "message_start" => count(&event["message"]["usage"]),
            "content_block_start" => {
                blocks.insert(index, event["content_block"].clone());
            }
            "content_block_delta" => {
                if let Some(more) = event["delta"]["text"].as_str() {
                    let block = blocks.get_mut(&index).unwrap();
                    block["text"] = json!(format!("{}{more}", block["text"].as_str().unwrap()));
                }
                json.entry(index).or_default().push_str(event["delta"]["partial_json"].as_str().unwrap_or(""));
            }
            "message_delta" => {
                count(&event["usage"]);
                stop_reason = event["delta"]["stop_reason"].clone();
            }
            _ => {}
        }
    }
    for (index, text) in json.iter().filter(|(_, text)| !text.is_empty()) {
        blocks.get_mut(index).unwrap()["input"] = arguments(text);
    }
    gist_of(&blocks.into_values().collect::<Vec<_>>(), &stop_reason, &usage)
}

/// Arguments that were cut off are compared as text.
fn arguments(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

fn decoded(sample: &Sample) -> Result<Gist, String> {
    let completion = decode(&head(sample), &sample.body, &reading()).map_err(|failure| failure.to_string())?;
    let body: Value = serde_json::from_slice(&completion.body).unwrap();
    let calls = body["choices"][0]["message"]["tool_calls"].as_array().cloned().unwrap_or_default();
    let read = |call: Value| {
        let function = &call["function"];
        (function["name"].as_str().unwrap().to_owned(), arguments(function["arguments"].as_str().unwrap()))
    };
    Ok(Gist {
        text: completion.text,
        calls: calls.into_iter().map(read).collect(),
        finish: completion.finish_reason,
        usage: completion.usage,
    })
}

fn decoded_stream(sample: &Sample) -> Result<Gist, String> {
    let mut stream = Stream::default();
    let mut gist = Gist { text: String::new(), calls: Vec::new(), finish: None, usage: None };
    let mut pieces: Vec<(String, String)> = Vec::new();
    for event in events(&sample.body) {
        let Some(data) = &event.data else { continue };
        let facts: ChunkFacts =
            stream.decode(&head(sample), event.name(), data, &reading()).map_err(|fault| fault.to_string())?;
        gist.text.push_str(&facts.text);
        gist.finish = facts.finish_reason.or(gist.finish);
        gist.usage = facts.usage.or(gist.usage);
        for piece in facts.calls {
            if let Some(name) = piece.name {
                pieces.push((name, String::new()));
            }
            pieces[piece.index].1.push_str(&piece.arguments);
        }
        if facts.done {
            gist.calls = pieces.into_iter().map(|(name, text)| (name, arguments(&text))).collect();
            return Ok(gist);
        }
    }
    Err("no end".to_owned())
}

#[test]
fn reads_recorded_answers_as_they_were_meant() {
    let Some(samples) = answers() else { return };
    let (mut whole, mut streams, mut calls, mut missed) = (0, 0, 0, Vec::new());

    for sample in samples.iter().filter(|sample| !sample.kind.starts_with("error:")) {
        let (expected, got) = if sample.stream {
            streams += 1;
            (recorded_stream(sample), decoded_stream(sample))
        } else {
            whole += 1;
            let reply: Value = serde_json::from_slice(&sample.body).unwrap();
            let blocks = reply["content"].as_array().unwrap();
            (gist_of(blocks, &reply["stop_reason"], &reply["usage"]), decoded(sample))
        };
        calls += expected.calls.len();
        let is_nothing = !sample.stream && expected.text.is_empty() && expected.calls.is_empty();
        if is_nothing && expected.finish.as_deref() == Some("content_filter") {
            // Nothing but a refusal is a failure. Of a stream, whoever reads all of it tells.
            assert!(got.unwrap_err().contains("withheld"), "{}", sample.id);
        } else if got.as_ref() != Ok(&expected) {
            missed.push(format!("{}: {got:#?}, not {expected:#?}", sample.id));
        }
    }

    println!("{whole} whole answers, {streams} streams, {calls} tool calls, {} missed", missed.len());
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert!(whole > 40 && streams > 40 && calls > 30);
}

#[test]
fn classifies_recorded_errors() {
    let Some(samples) = answers() else { return };
    let errors: Vec<&Sample> = samples.iter().filter(|sample| sample.kind.starts_with("error:")).collect();

    let failure = |sample: &Sample| {
        let head = head(sample);
        if !(sample.stream && head.is_success()) {
            return decode(&head, &sample.body, &reading()).err();
        }
        let mut stream = Stream::default();
        events(&sample.body).iter().find_map(|event| {
            match stream.decode(&head, event.name(), event.data.as_ref()?, &reading()) {
                Err(EventFault::Failure(failure)) => Some(*failure),
                Ok(_) | Err(EventFault::Malformed(_)) => None,
            }
        })
    };
    let missed: Vec<String> = errors
        .iter()
        .filter_map(|sample| {
            let got = failure(sample).map_or("none", |failure| class(failure.kind));
            (!sample.classes.iter().any(|class| class == got))
                .then(|| format!("{}: {got}, not {:?}", sample.id, sample.classes))
        })
        .collect();

    println!("{} errors, {} missed", errors.len(), missed.len());
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
