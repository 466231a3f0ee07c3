//! A line of the answers: written for each question, and read again by the next run.

use std::time::Duration;

use backstop::gateway::status_of;
use backstop::router::{Answer, RouteError};
use backstop::types::{NanoUsd, Usage};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use super::input::Place;
use super::question::Shape;

/// What a question came to.
pub(crate) struct Outcome {
    pub(crate) answered: Result<Answer, RouteError>,
    /// What all its attempts cost.
    pub(crate) cost: NanoUsd,
    pub(crate) took: Duration,
}

/// As much of a line as the next run and the summary want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gist {
    /// Whether a model's answer is in it.
    pub(crate) is_answer: bool,
    /// Who answered.
    pub(crate) provider: Option<String>,
    pub(crate) usage: Usage,
    pub(crate) cost: NanoUsd,
}

/// By what a line says which question it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    Index(u32),
    Name(String),
}

impl Outcome {
    /// The line, without its end.
    pub(crate) fn line(&self, place: Place, shape: Shape, custom_id: Option<&str>) -> String {
        match shape {
            Shape::OpenAi => self.openai_line(place, custom_id).to_string(),
            Shape::Prompt | Shape::Body => self.own_line(place, shape, custom_id).to_string(),
        }
    }

    /// The gist of it.
    pub(crate) fn gist(&self) -> Gist {
        let answer = self.answered.as_ref().ok().filter(|answer| !answer.is_degraded());
        Gist {
            is_answer: answer.is_some(),
            provider: answer.and_then(|answer| answer.target.as_ref()).map(|target| target.provider.to_string()),
            usage: answer.and_then(|answer| answer.usage).unwrap_or_default(),
            cost: self.cost,
        }
    }

    fn own_line(&self, place: Place, shape: Shape, custom_id: Option<&str>) -> Value {
        let mut line =
            Map::from_iter([("index".to_owned(), json!(place.index)), ("line".to_owned(), json!(place.number))]);
        let mut say = |name: &str, value: Value| line.insert(name.to_owned(), value);
        if let Some(id) = custom_id {
            say("custom_id", json!(id));
        }
        match &self.answered {
            Ok(answer) => {
                say("answer", json!(answer.text));
                say("provider", json!(answer.target.as_ref().map(|target| &*target.provider)));
                say("model", json!(answer.target.as_ref().map(|target| &*target.model)));
                say("usage", json!(answer.usage));
                say("cost", json!(answer.cost.map(NanoUsd::as_dollars)));
                say("attempts", json!(answer.attempts));
                say("took_ms", json!(whole_ms(self.took)));
                say("backstop_id", json!(answer.id));
                if answer.is_degraded() {
                    say("degraded", json!(true));
                }
                if shape == Shape::Body {
                    say("response", answer.to_json());
                }
            }
            Err(error) => {
                say("error", error.to_json().get_mut("error").map(Value::take).unwrap_or_default());
                say("cost", json!(self.cost.as_dollars()));
                say("took_ms", json!(whole_ms(self.took)));
            }
        }
        Value::Object(line)
    }

    fn openai_line(&self, place: Place, custom_id: Option<&str>) -> Value {
        let line = |id: Option<String>, response: Value, error: Value| {
            let id = id.unwrap_or_else(|| place.index.to_string());
            json!({"id": format!("batch_req_{id}"), "custom_id": custom_id, "response": response, "error": error})
        };
        match &self.answered {
            Ok(answer) => {
                let id = answer.id.to_string();
                let response = json!({"status_code": 200, "request_id": id, "body": answer.to_json()});
                line(Some(id), response, Value::Null)
            }
            Err(error) => {
                let id = error.id().map(|id| id.to_string());
                let body = error.to_json();
                let said = |field: &str| body.pointer(&format!("/error/{field}")).cloned().unwrap_or_default();
                let short = json!({"code": said("code"), "message": said("message")});
                line(id.clone(), json!({"status_code": status_of(error), "request_id": id, "body": body}), short)
            }
        }
    }
}

#[derive(Deserialize)]
struct LineView {
    #[serde(default)]
    index: Option<u32>,
    #[serde(default)]
    custom_id: Option<String>,
    #[serde(default)]
    error: Option<IgnoredAny>,
    #[serde(default)]
    degraded: bool,
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(default)]
    cost: Option<f64>,
    #[serde(default)]
    response: Option<ResponseView>,
}

#[derive(Deserialize)]
struct ResponseView {
    #[serde(default)]
    body: Option<BodyView>,
}

#[derive(Deserialize)]
struct BodyView {
    #[serde(default)]
    degraded: bool,
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    usage: Option<OpenAiUsage>,
    #[serde(default)]
    cost: Option<f64>,
}

#[derive(Deserialize)]
struct OpenAiUsage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

/// Reads a line that an earlier run has written; `None` where it is none of a batch's.
pub(crate) fn read(line: &[u8]) -> Option<(Owner, Gist)> {
    let line: LineView = serde_json::from_slice(line).ok()?;
    let body = line.response.and_then(|response| response.body);
    let (of_body, degraded) = body.map_or((None, false), |body| {
        let usage = body.usage.map(|usage| Usage {
            input: usage.prompt_tokens,
            output: usage.completion_tokens,
            ..Usage::default()
        });
        (Some((body.provider, usage, body.cost)), body.degraded)
    });
    let is_answer = line.error.is_none() && !line.degraded && !degraded;
    let (owner, (provider, usage, cost)) = match line.index {
        Some(index) => (Owner::Index(index), (line.provider, line.usage, line.cost)),
        None => (Owner::Name(line.custom_id?), of_body?),
    };
    let gist = Gist { is_answer, provider, usage: usage.unwrap_or_default(), cost: nanos(cost.unwrap_or_default()) };
    Some((owner, gist))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a figure to show; saturates")]
fn nanos(dollars: f64) -> NanoUsd {
    NanoUsd::from_nanos((dollars * 1e9).round() as u64)
}

fn whole_ms(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use backstop::types::{RequestId, TargetName};

    use super::*;

    const PLACE: Place = Place { index: 3, number: 5 };

    fn answered() -> Outcome {
        let body = r#"{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":8}}"#;
        let answer = Answer {
            from_cache: false,
            id: RequestId(7),
            text: "Paris".into(),
            target: Some(Arc::new(TargetName::new("groq", "llama"))),
            usage: Some(Usage { input: 12, output: 8, ..Usage::default() }),
            cost: Some(NanoUsd::from_nanos(25_500)),
            attempts: 2,
            strategy: "smart".into(),
            took: Duration::from_millis(40),
            body: body.into(),
        };
        Outcome { answered: Ok(answer), cost: NanoUsd::from_nanos(25_500), took: Duration::from_millis(40) }
    }

    fn failed() -> Outcome {
        let error = RouteError::AllFailed { id: RequestId(7), attempts: Vec::new(), retry_after: None };
        Outcome { answered: Err(error), cost: NanoUsd::from_nanos(9), took: Duration::ZERO }
    }

    #[test]
    fn is_read_as_it_was_written_in_every_shape() {
        for outcome in [answered(), failed()] {
            for (shape, owner) in [
                (Shape::Prompt, Owner::Index(3)),
                (Shape::Body, Owner::Index(3)),
                (Shape::OpenAi, Owner::Name("mine".into())),
            ] {
                let line = outcome.line(PLACE, shape, Some("mine"));

                let (read_owner, gist) = read(line.as_bytes()).unwrap();

                assert_eq!(read_owner, owner, "{line}");
                assert_eq!(gist.is_answer, outcome.answered.is_ok(), "{line}");
                assert_eq!(gist.provider, outcome.gist().provider, "{line}");
                assert_eq!(gist.usage, outcome.gist().usage, "{line}");
            }
        }
    }

    #[test]
    fn has_openais_shape_where_the_question_had() {
        let line: Value = serde_json::from_str(&answered().line(PLACE, Shape::OpenAi, Some("mine"))).unwrap();

        let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["id", "custom_id", "response", "error"]);
        assert_eq!((&line["response"]["status_code"], &line["error"]), (&json!(200), &Value::Null));
        assert_eq!(line["response"]["body"]["usage"]["prompt_tokens"], 12);
    }

    #[test]
    fn says_what_went_wrong_in_openais_words() {
        let line: Value = serde_json::from_str(&failed().line(PLACE, Shape::OpenAi, Some("mine"))).unwrap();

        assert_eq!(line["error"]["code"], "all_providers_failed");
        assert_eq!(line["response"]["status_code"], 502);
    }
}
