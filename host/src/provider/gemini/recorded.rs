//! Real traffic against this protocol's reader: skipped with a word where the recordings are not there.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Stream, decode};
use crate::provider::chunk::{ChunkFacts, EventFault};
use crate::provider::fixtures::{Sample, class, events, head, samples};
use crate::provider::heard::Heard;
use crate::provider::{Reading, classify};
use crate::types::Failure;

fn recorded() -> Option<Vec<Sample>> {
    Some(samples()?.into_iter().filter(|sample| sample.api == "gemini-generate").collect())
}

/// The pieces of a reply, in whichever framing it came.
fn pieces(body: &Bytes) -> Vec<Value> {
    match serde_json::from_slice(body) {
        Ok(Value::Array(pieces)) => pieces,
        Ok(piece) => vec![piece],
        Err(_) => {
            let data = events(body).into_iter().filter_map(|event| event.data);
            data.map(|data| serde_json::from_slice(&data).unwrap()).collect()
        }
    }
}

/// What the pieces say, read anew.
fn expected(pieces: &[Value]) -> Heard {
    let mut heard = Heard::default();
    for piece in pieces {
        let candidate = &piece["candidates"][0];
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            let text = part["text"].as_str().unwrap_or_default();
            if part["thought"] == true {
                heard.reasoning.push_str(text)
            } else {
                heard.text.push_str(text)
            }
            let call = &part["functionCall"];
            if let Some(name) = call["name"].as_str() {
                let whole = if call["args"].is_object() { call["args"].clone() } else { json!({}) };
                heard.calls.push((name.to_owned(), whole));
            }
            // The recorded arguments in pieces are strings at the top.
            for piece in call["partialArgs"].as_array().into_iter().flatten() {
                let place = &mut heard.calls.last_mut().unwrap().1[&piece["jsonPath"].as_str().unwrap()[2..]];
                *place =
                    json!(format!("{}{}", place.as_str().unwrap_or_default(), piece["stringValue"].as_str().unwrap()));
            }
        }
        let whole = if heard.calls.is_empty() { "stop" } else { "tool_calls" };
        heard.finish = match &candidate["finishReason"] {
            Value::Null => heard.finish,
            reason if reason == "MAX_TOKENS" => Some("length".to_owned()),
            reason if reason == "STOP" || reason == 1 || reason == "UNEXPECTED_TOOL_CALL" => Some(whole.to_owned()),
            reason => panic!("{reason}"),
        };
        heard.usage = counted(&piece["usageMetadata"]).or(heard.usage);
    }
    heard
}

fn counted(usage: &Value) -> Option<(u64, u64)> {
    let count = |name: &str| usage[name].as_u64().unwrap_or(0);
    let input = usage["promptTokenCount"].as_u64()? + count("toolUsePromptTokenCount");
    let output = count("candidatesTokenCount") + count("thoughtsTokenCount");
    Some((input, output.max(count("totalTokenCount").saturating_sub(input))))
}

fn streamed(sample: &Sample, pieces: &[Value]) -> Result<Vec<ChunkFacts>, EventFault> {
    let reading = Reading { origin: "gemini".to_owned(), stream_usage: true, ..Reading::default() };
    let mut stream = Stream::default();
    pieces.iter().map(|piece| stream.decode(&head(sample), piece.to_string().as_bytes(), &reading)).collect()
}

fn whole(sample: &Sample, body: &Bytes) -> Result<Heard, Failure> {
    decode(&head(sample), body, &Reading::default()).map(|completion| Heard::of_completion(&completion))
}

#[test]
fn reads_what_gemini_answered() {
    let Some(samples) = recorded() else { return };
    let mut counts = [0; 5];

    for sample in samples.iter().filter(|sample| !sample.kind.starts_with("error:")) {
        let pieces = pieces(&sample.body);
        let withheld = sample.withheld || sample.body.windows(13).any(|words| words == b"\"blockReason\"");
        if withheld {
            assert_eq!(class(whole(sample, &sample.body).unwrap_err().kind), "content_filter", "{}", sample.id);
            assert!(matches!(streamed(sample, &pieces), Err(EventFault::Failure(_))), "{}", sample.id);
            counts[4] += 1;
            continue;
        }
        let expected = expected(&pieces);
        let facts = streamed(sample, &pieces).unwrap_or_else(|fault| panic!("{}: {fault}", sample.id));
        let joined = Bytes::from(Value::Array(pieces).to_string());
        let silent = expected.text.is_empty() && expected.calls.is_empty() && expected.reasoning.is_empty();

        assert_eq!(Heard::of_stream(&facts), expected, "{}", sample.id);
        if !(silent && expected.finish.as_deref() == Some("stop")) {
            assert_eq!(whole(sample, &joined).as_ref(), Ok(&expected), "{}", sample.id);
        } else {
            println!("{}: nothing said", sample.id);
        }
        if serde_json::from_slice::<Value>(&sample.body).is_ok() {
            assert_eq!(whole(sample, &sample.body).as_ref(), Ok(&expected), "{}", sample.id);
        }
        counts[usize::from(sample.stream)] += 1;
        counts[2] += expected.calls.len();
        counts[3] += usize::from(expected.usage.is_some());
    }

    let [wholes, streams, calls, usages, withheld] = counts;
    println!("{wholes} whole answers, {streams} streams, {calls} calls, {usages} with usage, {withheld} withheld");
    assert!(wholes > 40 && streams > 40 && calls > 40);
}

#[test]
fn finds_the_error_in_what_gemini_refused() {
    let Some(samples) = recorded() else { return };
    let errors: Vec<_> = samples.iter().filter(|sample| sample.kind.starts_with("error:")).collect();

    for sample in &errors {
        let failure = whole(sample, &sample.body).unwrap_err();
        assert_eq!(failure, classify(&head(sample), &sample.body), "{}", sample.id);
        assert!(sample.classes.iter().any(|expected| expected == class(failure.kind)), "{}: {failure}", sample.id);
        let piece: Vec<Value> = serde_json::from_slice(&sample.body).into_iter().collect();
        assert!(piece.is_empty() || matches!(streamed(sample, &piece), Err(EventFault::Failure(_))), "{}", sample.id);
    }

    println!("{} errors", errors.len());
    assert!(errors.len() > 20);
}
