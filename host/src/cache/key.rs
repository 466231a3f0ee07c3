//! Which requests are equal: a digest of everything that decides an answer, byte for byte one level deep.

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::types::{ChatRequest, Unsaid};

/// Names equal requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheKey([u8; 32]);

/// The shape a reply was asked for in, and is kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyShape {
    /// One piece.
    Whole,
    /// Events.
    Stream,
}

/// Means something to streams only.
const OF_STREAMS: &str = "stream_options";

impl CacheKey {
    /// The key of a request on a route. `tenant` is whose it is, where replies are given to nobody else.
    ///
    /// Fields count whatever their order; within a message or a field, another blank makes another request. Labels, deadline and
    /// fallback text do not count: they decide no answer.
    #[must_use]
    pub fn of(request: &ChatRequest, route: &str, tenant: Option<&str>, shape: ReplyShape) -> Self {
        let mut parts = Parts(Sha256::new());
        parts.word(match shape {
            ReplyShape::Whole => "whole",
            ReplyShape::Stream => "stream",
        });
        parts.word(route);
        for word in [tenant, request.model.as_deref(), request.provider.as_deref(), request.purpose.as_deref()] {
            parts.maybe(word);
        }
        parts.count(request.messages().len());
        request.messages().iter().for_each(|message| parts.word(message.get()));
        let fields = request.fields().iter().map(|(name, value)| (name.as_str(), &**value));
        parts.fields(fields.filter(|(name, _)| shape == ReplyShape::Stream || *name != OF_STREAMS));
        match &request.unsaid {
            Some(unsaid) => parts.unsaid(unsaid),
            None => parts.word("all said"),
        }
        Self(parts.0.finalize().into())
    }
}

#[cfg(feature = "store")]
impl CacheKey {
    /// The key's name among those of other configurations: hexadecimal digits.
    pub(super) fn within(&self, configuration: &[u8; 32]) -> String {
        let digest = Sha256::new().chain_update(configuration).chain_update(self.0).finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Parts of a request on their way into the digest, each with its length before it, so that no two lists of parts are one text.
struct Parts(Sha256);

impl Parts {
    fn word(&mut self, word: &str) {
        self.count(word.len());
        self.0.update(word);
    }

    fn count(&mut self, count: usize) {
        self.0.update(u64::try_from(count).unwrap_or(u64::MAX).to_be_bytes());
    }

    fn maybe(&mut self, word: Option<&str>) {
        self.count(usize::from(word.is_some()));
        word.into_iter().for_each(|word| self.word(word));
    }

    fn fields<'f>(&mut self, fields: impl Iterator<Item = (&'f str, &'f RawValue)>) {
        let mut fields: Vec<_> = fields.map(|(name, value)| (name, value.get())).collect();
        fields.sort_unstable();
        self.count(fields.len());
        for (name, value) in fields {
            self.word(name);
            self.word(value);
        }
    }

    /// What stands beside a request that came in Anthropic's protocol.
    fn unsaid(&mut self, unsaid: &Unsaid) {
        self.word("unsaid");
        self.fields(unsaid.fields.iter().map(|(name, value)| (name.as_str(), &**value)));
        self.maybe(unsaid.system.as_deref().map(RawValue::get));
        let mut marks: Vec<String> = unsaid.marks.iter().map(|mark| format!("{mark:?}")).collect();
        marks.sort_unstable();
        self.count(marks.len());
        marks.iter().for_each(|mark| self.word(mark));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::types::{Mark, Place};

    fn of(request: &ChatRequest) -> CacheKey {
        CacheKey::of(request, "default", None, ReplyShape::Whole)
    }

    fn parsed(body: &str) -> ChatRequest {
        ChatRequest::parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn tells_requests_apart_by_everything_that_decides_an_answer() {
        let asked = || ChatRequest::ask("hi");
        let mut with_mark = asked();
        let mut unsaid = Unsaid::default();
        unsaid.marks.insert(Place::Text(0), Mark { is_error: true, ..Mark::default() });
        with_mark.unsaid = Some(Box::new(unsaid));
        let requests = [
            asked(),
            ChatRequest::ask("hi "),
            asked().with_message("user", "there"),
            asked().with_model("m"),
            asked().with_provider("m"),
            asked().with_purpose("m"),
            asked().with_field("temperature", &0),
            asked().with_field("temperature", &1),
            asked().with_field("temperature", &json!({"temperature": 0})),
            asked().with_field("tools", &json!([])),
            asked().with_field("user", &"u"),
            with_mark,
        ];
        let mut keys: Vec<CacheKey> = requests.iter().map(of).collect();
        keys.push(CacheKey::of(&asked(), "other", None, ReplyShape::Whole));
        keys.push(CacheKey::of(&asked(), "default", Some("key_1"), ReplyShape::Whole));
        keys.push(CacheKey::of(&asked(), "default", Some("key_2"), ReplyShape::Whole));
        keys.push(CacheKey::of(&asked(), "default", None, ReplyShape::Stream));

        let distinct: std::collections::HashSet<_> = keys.iter().collect();

        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn does_not_mind_what_decides_nothing() {
        let one =
            parsed(r#"{"messages":[{"role":"user","content":"hi"}],"temperature":0,"seed":7,"stream_options":{}}"#);
        let other = parsed(r#"{"seed":7,"temperature":0,"messages":[{"role":"user","content":"hi"}]}"#)
            .with_label("context", "chat")
            .with_fallback_text("later")
            .with_deadline(std::time::Duration::from_secs(1));

        assert_eq!(of(&one), of(&other));
        let streamed = [&one, &other].map(|request| CacheKey::of(request, "default", None, ReplyShape::Stream));
        assert_ne!(streamed[0], streamed[1], "a stream's options decide its events");
    }

    #[test]
    fn takes_no_two_lists_of_parts_for_one() {
        let one = ChatRequest::new().with_message("user", "a").with_message("user", "b");
        let glued = ChatRequest::new().with_message("user", r#"a"}{"role":"user","content":"b"#);

        assert_ne!(of(&one), of(&glued));
        assert_ne!(of(&ChatRequest::ask("hi").with_model("m")), of(&ChatRequest::ask("hi").with_provider("m")));
    }
}
