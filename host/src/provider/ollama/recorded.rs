//! Real traffic against this protocol's reader: skipped with a word where the recordings are not there.

use bytes::Bytes;
use serde_json::Value;

use super::{Stream, decode};
use crate::provider::chunk::{ChunkFacts, EventFault};
use crate::provider::fixtures::{Sample, class, head, samples};
use crate::provider::heard::Heard;
use crate::provider::{Reading, classify};
use crate::transport::Splitter;
use crate::types::Failure;

fn recorded() -> Option<Vec<Sample>> {
    Some(samples()?.into_iter().filter(|sample| sample.api == "ollama-chat").collect())
}

/// The lines of a reply; a whole one may be spread over several.
fn lines(body: &Bytes) -> Vec<Bytes> {
    if let Ok(whole) = serde_json::from_slice::<Value>(body) {
        return vec![Bytes::from(whole.to_string())];
    }
    let mut splitter = Splitter::lines();
    splitter.feed(body);
    let mut events: Vec<_> = std::iter::from_fn(|| splitter.next_event().unwrap()).collect();
    events.extend(splitter.finish().unwrap());
    assert!(events.iter().flat_map(|event| event.raw.to_vec()).eq(body.iter().copied()));
    events.into_iter().filter_map(|event| event.data).collect()
}

/// What the lines say, read anew.
fn expected(body: &Bytes) -> Heard {
    let mut heard = Heard::default();
    let lines = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    for line in lines.map(Result::unwrap) {
        let message = &line["message"];
        heard.text.push_str(message["content"].as_str().unwrap_or_default());
        heard.reasoning.push_str(message["thinking"].as_str().unwrap_or_default());
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            heard.calls.push((function["name"].as_str().unwrap().to_owned(), function["arguments"].clone()));
        }
        if line["done"] == true {
            let stop = if heard.calls.is_empty() { "stop" } else { "tool_calls" };
            let reason = if line["done_reason"] == "length" { "length" } else { stop };
            heard.finish = Some(reason.to_owned());
            heard.usage =
                line["eval_count"].as_u64().map(|output| (line["prompt_eval_count"].as_u64().unwrap(), output));
        }
    }
    heard
}

fn streamed(sample: &Sample) -> Result<Vec<ChunkFacts>, EventFault> {
    let reading = Reading { origin: "ollama".to_owned(), stream_usage: true, ..Reading::default() };
    let mut stream = Stream::default();
    lines(&sample.body).iter().map(|line| stream.decode(&head(sample), line, &reading)).collect()
}

fn whole(sample: &Sample) -> Result<Heard, Failure> {
    decode(&head(sample), &sample.body, &Reading::default()).map(|completion| Heard::of_completion(&completion))
}

#[test]
fn reads_what_ollama_answered() {
    let Some(samples) = recorded() else { return };
    let mut counts = [0; 3];

    for sample in samples.iter().filter(|sample| !sample.kind.starts_with("error:")) {
        let expected = expected(&sample.body);
        let facts = streamed(sample).unwrap_or_else(|fault| panic!("{}: {fault}", sample.id));

        assert_eq!(Heard::of_stream(&facts), expected, "{}", sample.id);
        assert_eq!(whole(sample).as_ref(), Ok(&expected), "{}", sample.id);
        assert!(expected.finish.is_some() && expected.usage.is_some(), "{}", sample.id);
        counts[usize::from(sample.stream)] += 1;
        counts[2] += expected.calls.len();
    }

    let [wholes, streams, calls] = counts;
    println!("{wholes} whole answers, {streams} streams, {calls} calls");
    assert!(wholes > 10 && streams > 10 && calls > 4);
}

#[test]
fn finds_the_error_in_what_ollama_refused() {
    let Some(samples) = recorded() else { return };
    let errors: Vec<_> = samples.iter().filter(|sample| sample.kind.starts_with("error:")).collect();

    for sample in &errors {
        let failure = whole(sample).unwrap_err();
        assert_eq!(failure, classify(&head(sample), &sample.body), "{}", sample.id);
        assert!(sample.classes.iter().any(|expected| expected == class(failure.kind)), "{}: {failure}", sample.id);
        assert!(matches!(streamed(sample), Err(EventFault::Failure(_))), "{}", sample.id);
    }

    println!("{} errors", errors.len());
    assert!(errors.len() > 3);
}
