//! Real traffic against the decoder: skipped with a word where the recordings are not there.
//!
//! `BACKSTOP_WIRE_FIXTURES` names the folder; without it, `shared/wire` beside the repository is tried.

use std::path::PathBuf;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::Value;

use super::{EventFault, Head, classify, openai};
use crate::transport::{SseEvent, SseSplitter};
use crate::types::{Failure, FailureKind};

/// One recorded exchange.
pub(super) struct Sample {
    pub(super) id: String,
    pub(super) api: String,
    pub(super) kind: String,
    pub(super) stream: bool,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) now: Timestamp,
    /// The classes that are right, the best first.
    pub(super) classes: Vec<String>,
    pub(super) wait: Option<f64>,
    pub(super) withheld: bool,
}

pub(super) fn samples() -> Option<Vec<Sample>> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/wire");
    let folder = std::env::var_os("BACKSTOP_WIRE_FIXTURES").map_or(beside, PathBuf::from).join("dev");
    let Ok(files) = std::fs::read_dir(&folder) else {
        println!("skipped: no recordings at {}", folder.display());
        return None;
    };
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let texts = paths.iter().map(|path| std::fs::read_to_string(path).unwrap());
    Some(texts.flat_map(|text| text.lines().map(sample).collect::<Vec<_>>()).collect())
}

fn sample(line: &str) -> Sample {
    let record: Value = serde_json::from_str(line).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut headers = HeaderMap::new();
    for (name, value) in record["response"]["headers"].as_object().into_iter().flatten() {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&text(value))) {
            headers.insert(name, value);
        }
    }
    let date =
        headers.get("date").and_then(|date| rfc2822::DateTimeParser::new().parse_timestamp(date.to_str().ok()?).ok());
    let expect = &record["expect"];
    let also = expect["also_ok"].as_array().into_iter().flatten();
    Sample {
        id: text(&record["id"]),
        api: text(&record["api"]),
        kind: text(&record["kind"]),
        stream: record["stream"].as_bool().unwrap_or_default(),
        status: record["response"]["status"].as_u64().map_or(200, |status| u16::try_from(status).unwrap()),
        headers,
        body: Bytes::from(text(&record["response"]["body"])),
        now: date.unwrap_or_default(),
        classes: [&expect["class"]].into_iter().chain(also).map(text).collect(),
        wait: expect["retry_after_s"].as_f64(),
        withheld: record["tags"].as_array().into_iter().flatten().any(|tag| tag == "content_filter"),
    }
}

/// The name the recordings have for a kind.
pub(super) fn class(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::RateLimited => "rate_limit",
        FailureKind::QuotaExhausted => "quota_exhausted",
        FailureKind::Overloaded => "overloaded",
        FailureKind::ServerError => "server_error",
        FailureKind::Timeout => "timeout",
        FailureKind::Connection => "connection",
        FailureKind::Interrupted => "interrupted",
        FailureKind::MalformedReply => "malformed_reply",
        FailureKind::Authentication => "authentication",
        FailureKind::Permission => "permission",
        FailureKind::ModelNotFound => "model_not_found",
        FailureKind::ContextLength => "context_length",
        FailureKind::ContentFiltered => "content_filter",
        FailureKind::InvalidRequest => "invalid_request",
    }
}

pub(super) fn head(sample: &Sample) -> Head<'_> {
    Head { status: sample.status, headers: &sample.headers, now: sample.now, key: None }
}

pub(super) fn events(body: &Bytes) -> Vec<SseEvent> {
    let mut splitter = SseSplitter::new();
    splitter.feed(body);
    let mut events = Vec::new();
    while let Some(event) = splitter.next_event().unwrap() {
        events.push(event);
    }
    events.extend(splitter.finish().unwrap());
    events
}

/// The failure of a sample, from its status, its body or its stream.
fn failure(sample: &Sample) -> Option<Failure> {
    let head = head(sample);
    if !head.is_success() {
        return Some(classify(&head, &sample.body));
    }
    if !sample.stream {
        return openai::decode(&head, &sample.body).err();
    }
    events(&sample.body).iter().find_map(|event| {
        match openai::decode_event(&head, event.name(), event.data.as_ref()?) {
            Err(EventFault::Failure(failure)) => Some(*failure),
            Ok(_) | Err(EventFault::Malformed(_)) => None,
        }
    })
}

#[test]
fn classifies_what_real_providers_sent() {
    let Some(samples) = samples() else { return };
    let chat_apis = ["openai-chat", "anthropic-messages", "gemini-generate", "ollama-chat", "cohere-chat", "models"];
    let errors: Vec<&Sample> = samples
        .iter()
        .filter(|sample| sample.kind.starts_with("error:"))
        .filter(|sample| sample.status != 200 || chat_apis.contains(&sample.api.as_str()))
        .collect();

    let mut wrong = Vec::new();
    let mut first_choice = 0;
    for sample in &errors {
        let failure = failure(sample);
        let got = failure.as_ref().map_or("none", |failure| class(failure.kind));
        first_choice += usize::from(sample.classes.first().is_some_and(|best| best == got));
        if sample.classes.first().is_some_and(|best| best != got) {
            println!("{}: {got}, {:?}", sample.id, sample.classes);
        }
        if !sample.classes.iter().any(|class| class == got) {
            wrong.push(format!("{}: {got}, not {:?}: {failure:?}", sample.id, sample.classes));
        }
        let wait = failure.and_then(|failure| failure.retry_after).map(|wait| wait.as_secs_f64());
        if let Some(expected) = sample.wait
            && wait.is_none_or(|wait| (wait - expected).abs() > 1.0)
        {
            wrong.push(format!("{}: waits {wait:?}, not {expected}", sample.id));
        }
    }

    println!("{} errors, {} at the first choice, {} wrong", errors.len(), first_choice, wrong.len());
    println!("{}", wrong.join("\n"));
    assert!(wrong.len() * 100 <= errors.len() * 3, "more than 3 % wrong");
}

#[test]
fn decodes_what_real_providers_answered() {
    let Some(samples) = samples() else { return };
    let answers = samples.iter().filter(|sample| sample.api == "openai-chat" && !sample.kind.starts_with("error:"));
    let (streamed, whole): (Vec<_>, Vec<_>) = answers.partition(|sample| sample.stream);

    whole.iter().for_each(|sample| check_whole(sample));
    streamed.iter().for_each(|sample| check_stream(sample));

    println!("{} whole answers, {} streams", whole.len(), streamed.len());
    assert!(whole.len() > 300 && streamed.len() > 200);
}

fn check_whole(sample: &Sample) {
    let completion = match openai::decode(&head(sample), &sample.body) {
        Ok(completion) => completion,
        Err(failure) => {
            assert!(sample.withheld && failure.kind == FailureKind::ContentFiltered, "{}: {failure}", sample.id);
            return;
        }
    };
    let reply: Value = serde_json::from_slice(&sample.body).unwrap();
    let message = &reply["choices"][0]["message"];
    if let Some(text) = message["content"].as_str() {
        assert_eq!(completion.text, text, "{}", sample.id);
    }
    assert_eq!(completion.usage.is_some(), reply["usage"]["prompt_tokens"].is_u64(), "{}", sample.id);
    let calls = message["tool_calls"].as_array().is_some_and(|calls| !calls.is_empty());
    assert_eq!(completion.has_tool_calls, calls || message["function_call"].is_object(), "{}", sample.id);
}

fn check_stream(sample: &Sample) {
    let head = head(sample);
    let pieces = events(&sample.body);
    assert!(pieces.iter().flat_map(|piece| piece.raw.to_vec()).eq(sample.body.iter().copied()), "{}", sample.id);
    let facts: Vec<_> = pieces
        .iter()
        .filter_map(|piece| Some(openai::decode_event(&head, piece.name(), piece.data.as_ref()?).unwrap()))
        .collect();
    let text: String = facts.iter().map(|facts| facts.text.as_str()).collect();
    let chunks = pieces.iter().filter_map(|piece| serde_json::from_slice::<Value>(piece.data.as_ref()?).ok());
    let choices =
        chunks.map(|chunk| chunk["choices"][0].clone()).filter(|choice| choice["index"].as_u64().unwrap_or(0) == 0);
    let deltas: Vec<Value> = choices.map(|choice| choice["delta"]["content"].clone()).collect();
    if !deltas.iter().any(Value::is_array) {
        assert_eq!(text, deltas.iter().filter_map(Value::as_str).collect::<String>(), "{}", sample.id);
    }
    let spent = facts.iter().any(|facts| facts.finish_reason.as_deref() == Some("length"));
    assert!(spent || facts.iter().any(|facts| facts.has_content), "{}: no token", sample.id);
    assert!(facts.iter().any(|facts| facts.finish_reason.is_some()), "{}: no end", sample.id);
}
