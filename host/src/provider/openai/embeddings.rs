//! Embeddings on the wire: the caller's own JSON with a model's name, and the reply's bytes as they came.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::request::Body;
use crate::provider::json::{is_something, items, pick, pick_from};
use crate::provider::tokens::count;
use crate::provider::{Head, Reading, classify};
use crate::types::{EmbeddingRequest, Failure, FailureKind, Usage};

/// A reply with embeddings, looked over.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    /// The reply as it came.
    pub body: Bytes,
    /// What the provider counted, where that can be believed.
    pub usage: Option<Usage>,
}

/// The body of a request for embeddings.
#[must_use]
pub fn encode_embeddings(request: &EmbeddingRequest, model: &str) -> Bytes {
    let mut body = Body::open();
    body.field("model", model);
    body.field("input", request.input());
    let own = request.fields().iter().filter(|(name, _)| !matches!(name.as_str(), "model" | "input"));
    for (name, value) in own {
        body.field(name, value);
    }
    body.close()
}

/// Looks a reply over: as many vectors as were asked for, none of them empty.
///
/// # Errors
/// When the reply is an error under any status, no JSON, or not the vectors that were asked for.
pub fn decode_embeddings(head: &Head<'_>, body: &Bytes, reading: &Reading) -> Result<Vectors, Failure> {
    let fields = if head.is_success() { pick(body, ["data", "usage", "error"]).ok() } else { None };
    let Some([Some(data), usage, error]) = fields else { return Err(classify(head, body)) };
    if error.is_some_and(is_something) {
        return Err(classify(head, body));
    }
    let asked = reading.vectors;
    let malformed = |words: String| Failure::new(FailureKind::MalformedReply, words).with_status(head.status);
    let vectors = items(data, asked.saturating_add(1));
    if vectors.is_empty() {
        return Err(classify(head, body));
    }
    if vectors.len() != asked {
        let got = if vectors.len() > asked { "more".to_owned() } else { vectors.len().to_string() };
        return Err(malformed(format!("{asked} embeddings were asked for, and there are {got}")));
    }
    if let Some(place) = vectors.iter().position(|item| !holds_vector(item)) {
        return Err(malformed(format!("the embedding in place {place} is no vector")));
    }
    Ok(Vectors { body: body.clone(), usage: usage.and_then(read_usage) })
}

/// Whether an item of the list has a vector: numbers, or their bytes in base 64.
fn holds_vector(item: &RawValue) -> bool {
    let [Some(vector)] = pick_from(item, ["embedding"]) else { return false };
    let text = vector.get();
    let first = text.get(1..).unwrap_or_default().trim_start();
    match text.as_bytes().first() {
        Some(b'[') => first.starts_with(|letter: char| letter == '-' || letter.is_ascii_digit()),
        Some(b'"') => !first.starts_with('"'),
        _ => false,
    }
}

/// The tokens of the input; there is no output.
fn read_usage(usage: &RawValue) -> Option<Usage> {
    let [prompt, input, total] = pick_from(usage, ["prompt_tokens", "input_tokens", "total_tokens"]);
    let input = prompt.or(input).or(total).and_then(count).filter(|tokens| *tokens > 0)?;
    Some(Usage { input, ..Usage::default() })
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use jiff::Timestamp;

    use super::*;

    fn read(body: &str, vectors: usize) -> Result<Vectors, Failure> {
        let headers = HeaderMap::new();
        let head = Head { status: 200, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };
        decode_embeddings(&head, &Bytes::from(body.to_owned()), &Reading { vectors, ..Reading::default() })
    }

    #[test]
    fn writes_the_callers_own_json_with_another_model() {
        let body = br#"{"dimensions":2.56e2,"model":"openai/m","input":["a" , "\u00e9"],"user":"u"}"#;
        let request = EmbeddingRequest::parse(body).unwrap();

        let body = encode_embeddings(&request, "m");

        assert_eq!(body, r#"{"model":"m","input":["a" , "\u00e9"],"dimensions":2.56e2,"user":"u"}"#);
    }

    #[test]
    fn keeps_the_bytes_of_a_reply_and_reads_its_tokens() {
        let body = r#"{"object":"list","data":[{"index":0,"embedding":[-0.1,2e-3]},{"index":1,"embedding": [ 1 ]}],
            "model":"m","usage":{"prompt_tokens":5,"total_tokens":5}}"#;
        let coded = r#"{"data":[{"embedding":"AACAPw=="}],"error":null}"#;

        let embedded = read(body, 2).unwrap();

        assert_eq!(embedded.body, body);
        assert_eq!(embedded.usage, Some(Usage { input: 5, ..Usage::default() }));
        assert_eq!(read(coded, 1).unwrap().usage, None);
    }

    #[test]
    fn refuses_a_success_that_is_no_list_of_the_vectors_asked_for() {
        let one = r#"{"embedding":[1]}"#;
        for (body, says) in [
            (String::new(), ""),
            ("<html>".to_owned(), ""),
            (r#"{"object":"list"}"#.to_owned(), ""),
            (r#"{"data":[]}"#.to_owned(), ""),
            (r#"{"data":{"embedding":[1]}}"#.to_owned(), ""),
            (format!(r#"{{"data":[{one}]}}"#), "2 embeddings were asked for, and there are 1"),
            (format!(r#"{{"data":[{one},{one},{one},{one}]}}"#), "2 embeddings were asked for, and there are more"),
            (format!(r#"{{"data":[{one},7]}}"#), "the embedding in place 1 is no vector"),
            (format!(r#"{{"data":[{one},{{"embedding":[]}}]}}"#), "the embedding in place 1 is no vector"),
            (format!(r#"{{"data":[{one},{{"embedding":""}}]}}"#), "the embedding in place 1 is no vector"),
            (format!(r#"{{"data":[{one},{{"embedding":[null]}}]}}"#), "the embedding in place 1 is no vector"),
        ] {
            let failure = read(&body, 2).unwrap_err();
            assert_eq!(failure.kind, FailureKind::MalformedReply, "{body}");
            assert!(failure.message.starts_with(says), "{body}: {}", failure.message);
        }
    }

    #[test]
    fn finds_the_error_within_a_success() {
        let failure = read(r#"{"data":[],"error":{"code":429,"message":"slow down"}}"#, 1).unwrap_err();

        assert_eq!(failure.kind, FailureKind::RateLimited);
    }
}
