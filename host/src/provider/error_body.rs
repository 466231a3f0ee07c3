//! What an error body says, in whichever of some twenty shapes it says it.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::span;

/// The largest body that is taken apart; errors are short, and a tree of values takes many times the size of its text.
const MOST_BYTES: usize = 256 << 10;

/// How much of one message is looked at, in characters.
const MOST_WORDS: usize = 4_096;

/// How deep errors may stand within errors: a gateway passes on a gateway's.
const MOST_LEVELS: u8 = 4;

/// What kind of thing a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Form {
    /// Nothing, or blanks.
    #[default]
    Empty,
    /// JSON that speaks of an error.
    Error,
    /// Other JSON.
    OtherJson,
    /// A page made for browsers.
    Html,
    /// Anything else.
    Text,
}

/// An error body, read.
#[derive(Debug, Default)]
pub(super) struct ErrorBody {
    /// What it is.
    pub form: Form,
    /// The provider's words, as they came.
    pub message: String,
    /// The same in lower case.
    pub words: String,
    /// Every code, type and reason in it, as they came; the outermost first.
    pub codes: Vec<String>,
    /// The names of the quotas it says are used up, in lower case (Gemini).
    pub quotas: Vec<String>,
    /// The HTTP status it names itself.
    pub status: Option<u16>,
    /// Headers that a gateway wrote into it (OpenRouter).
    pub headers: HeaderMap,
    /// A wait that stands in a field of its own.
    pub retry_delay: Option<Duration>,
}

impl ErrorBody {
    /// Reads a body; of an unreadable one, what can be shown.
    pub(super) fn read(body: &[u8]) -> Self {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
        // An event of a stream has been seen as the body of a plain reply.
        let json = body.strip_prefix(b"data:").unwrap_or(body);
        let mut error = Self::default();
        let value: Option<Value> = if json.len() <= MOST_BYTES { serde_json::from_slice(json).ok() } else { None };
        match value {
            Some(value) => {
                error.form = Form::OtherJson;
                error.read_value(&value, MOST_LEVELS);
            }
            None => error.read_text(body),
        }
        error.words = error.message.to_lowercase();
        error
    }

    /// The code to show: the outermost that is a word rather than a number.
    pub(super) fn code(&self) -> Option<&str> {
        let is_word = |code: &&String| code.bytes().any(|byte| byte.is_ascii_alphabetic());
        self.codes.iter().find(is_word).or(self.codes.first()).map(String::as_str)
    }

    fn read_text(&mut self, body: &[u8]) {
        let text = String::from_utf8_lossy(body.get(..MOST_WORDS * 4).unwrap_or(body));
        self.form = match text.chars().next() {
            None => Form::Empty,
            Some('<') => Form::Html,
            Some(_) => Form::Text,
        };
        match self.form {
            Form::Html => self.say(&page_title(&text)),
            Form::Empty | Form::Error | Form::OtherJson | Form::Text => self.say(&text),
        }
    }

    fn read_value(&mut self, value: &Value, levels: u8) {
        let Some(levels) = levels.checked_sub(1) else { return };
        match value {
            Value::Array(list) => {
                if let Some(first) = list.first() {
                    self.read_value(first, levels);
                }
            }
            Value::Object(object) => self.read_reply(object, levels),
            Value::String(text) if self.form == Form::OtherJson => {
                self.form = Form::Text;
                self.say(text);
            }
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A whole reply, whose error stands in a field or is the reply itself.
    fn read_reply(&mut self, object: &Map<String, Value>, levels: u8) {
        let choice = object.get("choices").and_then(|choices| choices.get(0));
        let within = [
            object.get("error"),
            object.get("errors"),
            object.get("response").and_then(|response| response.get("error")),
            choice.and_then(|choice| choice.get("error")),
        ];
        for error in within.into_iter().flatten() {
            self.read_error(error, levels);
        }
        self.read_detail(object.get("detail"), levels);
        if let Some(base) = object.get("base_resp").filter(|base| base.get("status_code") != Some(&Value::from(0))) {
            self.read_error(base, levels);
        }
        // A completion has none of these; a chunk of a stream has no message of its own.
        if choice.is_none() && ["message", "msg", "error_msg"].iter().any(|name| object.contains_key(*name)) {
            self.read_fields(object, levels);
        } else if self.form == Form::Error {
            self.read_codes(object);
        }
    }

    fn read_error(&mut self, error: &Value, levels: u8) {
        let Some(levels) = levels.checked_sub(1) else { return };
        match error {
            Value::String(text) if !text.is_empty() => {
                self.form = Form::Error;
                self.say(text);
            }
            Value::Object(object) if !object.is_empty() => self.read_fields(object, levels),
            Value::Array(list) => list.iter().take(1).for_each(|error| self.read_error(error, levels)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {}
        }
    }

    /// The fields of an error.
    fn read_fields(&mut self, object: &Map<String, Value>, levels: u8) {
        self.form = Form::Error;
        for name in ["message", "msg", "error_msg", "status_msg"] {
            match object.get(name) {
                Some(Value::String(text)) => self.say(text),
                Some(message @ Value::Object(_)) => self.read_value(message, levels),
                Some(_) | None => {}
            }
        }
        self.read_codes(object);
        for detail in object.get("details").and_then(Value::as_array).into_iter().flatten().take(16) {
            self.read_google_detail(detail);
        }
        if let Some(metadata) = object.get("metadata") {
            self.read_metadata(metadata, levels);
        }
        if let Some(Value::Object(inner)) = object.get("innererror") {
            self.read_codes(inner);
        }
        let seconds = object.get("estimated_time").and_then(Value::as_f64);
        self.retry_delay = self.retry_delay.or(seconds.and_then(span::from_seconds));
    }

    fn read_codes(&mut self, object: &Map<String, Value>) {
        for name in ["code", "type", "status", "error_type", "reason"] {
            match object.get(name) {
                // xAI puts a sentence where others have a code.
                Some(Value::String(text)) if text.contains(' ') => self.say(text),
                Some(Value::String(text)) if !text.is_empty() => self.codes.push(text.chars().take(120).collect()),
                Some(Value::Number(number)) => self.codes.push(number.to_string()),
                Some(_) | None => {}
            }
        }
        let named = ["code", "status", "status_code", "raw_status_code"].into_iter().filter_map(|name| {
            let value = object.get(name)?;
            value.as_u64().or_else(|| value.as_str()?.parse().ok())
        });
        let mut statuses = named.filter_map(|number| u16::try_from(number).ok());
        self.status = self.status.or_else(|| statuses.find(|status| (400..600).contains(status)));
    }

    /// FastAPI's and Mistral's `detail`: a sentence, or what is wrong with each field.
    fn read_detail(&mut self, detail: Option<&Value>, levels: u8) {
        match detail {
            Some(Value::String(text)) => {
                self.form = Form::Error;
                self.say(text);
            }
            Some(Value::Array(faults)) => {
                for fault in faults.iter().take(4) {
                    self.read_error(fault, levels);
                }
            }
            Some(object @ Value::Object(_)) => self.read_error(object, levels),
            Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => {}
        }
    }

    fn read_google_detail(&mut self, detail: &Value) {
        let text = |name: &str| detail.get(name).and_then(Value::as_str);
        if let Some(reason) = text("reason") {
            self.codes.push(reason.chars().take(120).collect());
        }
        let delay = text("retryDelay").and_then(span::parse);
        self.retry_delay = self.retry_delay.or(delay);
        let violations = detail.get("violations").and_then(Value::as_array).into_iter().flatten().take(16);
        let ids = violations.filter_map(|violation| violation.get("quotaId").and_then(Value::as_str));
        let limit = detail.get("metadata").and_then(|metadata| metadata.get("quota_limit")).and_then(Value::as_str);
        self.quotas.extend(ids.chain(limit).map(str::to_lowercase));
    }

    /// OpenRouter's: the body and the headers of the provider behind it.
    fn read_metadata(&mut self, metadata: &Value, levels: u8) {
        match metadata.get("raw") {
            Some(Value::String(raw)) => match serde_json::from_str::<Value>(raw) {
                Ok(inner @ (Value::Object(_) | Value::Array(_))) => self.read_value(&inner, levels),
                Ok(_) | Err(_) => self.say(raw),
            },
            Some(raw @ Value::Object(_)) => self.read_value(raw.get("data").unwrap_or(raw), levels),
            Some(_) | None => {}
        }
        if metadata.get("flagged_input").is_some() {
            self.codes.push("content_moderation".to_owned());
        }
        for (name, value) in metadata.get("headers").and_then(Value::as_object).into_iter().flatten().take(64) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
                self.headers.insert(name, value);
            }
        }
    }

    fn say(&mut self, text: &str) {
        let text: String = text.trim().chars().take(MOST_WORDS).collect();
        if text.is_empty() || self.message.contains(&text) || self.message.len() > 4 * MOST_WORDS {
            return;
        }
        if !self.message.is_empty() {
            self.message.push_str(": ");
        }
        self.message.push_str(&text);
    }
}

/// The title of a page, its first heading, or what text it begins with.
fn page_title(page: &str) -> String {
    let lower = page.to_ascii_lowercase();
    let inside = |tag: &str| {
        let open = lower.find(&format!("<{tag}"))?;
        let start = open + lower.get(open..)?.find('>')? + 1;
        let end = start + lower.get(start..)?.find(&format!("</{tag}"))?;
        page.get(start..end).map(without_tags).filter(|text| !text.is_empty())
    };
    inside("title").or_else(|| inside("h1")).unwrap_or_else(|| without_tags(page).chars().take(200).collect())
}

fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for letter in html.chars() {
        match letter {
            '<' => inside = true,
            '>' => inside = false,
            letter if !inside => text.push(letter),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> String {
        ErrorBody::read(body.as_bytes()).message
    }

    #[test]
    fn finds_the_message_in_every_shape() {
        for (body, expected) in [
            (r#"{"error":{"message":"a","type":"t","code":null}}"#, "a"),
            (r#"[{"error":{"code":429,"message":"a","status":"RESOURCE_EXHAUSTED"}}]"#, "a"),
            (r#"{"error":"a"}"#, "a"),
            (r#"{"error":"Too Many Requests","message":"wait"}"#, "Too Many Requests: wait"),
            (r#"{"message":"a","type":"t","param":"quota","code":"c"}"#, "a"),
            (r#"{"code":"Some resource has been exhausted","error":"a"}"#, "a: Some resource has been exhausted"),
            (r#"{"detail":"a"}"#, "a"),
            (r#"{"detail":[{"loc":["body"],"msg":"a"},{"msg":"b"}]}"#, "a: b"),
            (r#"{"object":"error","message":{"detail":[{"msg":"a"}]}}"#, "a"),
            (r#"{"type":"error","error":{"type":"t","message":"a"}}"#, "a"),
            (r#"{"choices":[{"error":{"code":502,"message":"a"}}]}"#, "a"),
            (r#"{"base_resp":{"status_code":1008,"status_msg":"a"}}"#, "a"),
            (r#"data:{"error":{"message":"a"}}"#, "a"),
            ("<html><head><title>502 Bad\n Gateway</title></head></html>", "502 Bad Gateway"),
            ("<html><body><h1>504 Gateway Time-out</h1>x</body></html>", "504 Gateway Time-out"),
            ("  Not Found\n", "Not Found"),
            ("\"a\"", "a"),
            ("", ""),
            ("{}", ""),
        ] {
            assert_eq!(message(body), expected, "{body}");
        }
    }

    #[test]
    fn reads_the_error_a_gateway_passes_on() {
        let body = r#"{"error":{"code":400,"message":"Provider returned error","metadata":{"provider_name":"OpenAI",
            "raw":"{\"error\":{\"message\":\"No\",\"type\":\"invalid_request_error\",\"code\":\"unsupported\"}}"}}}"#;

        let error = ErrorBody::read(body.as_bytes());

        assert_eq!(error.message, "Provider returned error: No");
        assert_eq!(error.codes, ["400", "unsupported", "invalid_request_error"]);
        assert_eq!((error.code(), error.status), (Some("unsupported"), Some(400)));
    }

    #[test]
    fn takes_no_completion_for_an_error() {
        let error = ErrorBody::read(br#"{"choices":[{"message":{"content":"hi"}}],"model":"m"}"#);

        assert_eq!((error.form, error.message.as_str()), (Form::OtherJson, ""));
    }

    #[test]
    fn follows_errors_within_errors_only_so_far() {
        let mut body = r#"{"error":{"message":"deep"}}"#.to_owned();
        for _ in 0..12 {
            let raw = serde_json::to_string(&body).unwrap();
            body = format!(r#"{{"error":{{"message":"outer","metadata":{{"raw":{raw}}}}}}}"#);
        }

        assert_eq!(message(&body), "outer");
    }
}
