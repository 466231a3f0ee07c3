//! An answer: a provider's reply and how it came about.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::cache::{KeptReply, KeptWords};
use crate::types::{NanoUsd, RequestId, TargetName, Usage};

use super::chunk::FALLBACK_TEXT;
use super::journey::Journey;

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The request's name; its record can be asked for by it.
    pub id: RequestId,
    /// What the model said.
    pub text: String,
    /// Who answered; `None` for the caller's own fallback text.
    pub target: Option<Arc<TargetName>>,
    /// Tokens, as the provider counted them.
    pub usage: Option<Usage>,
    /// What it cost, where the price is known.
    pub cost: Option<NanoUsd>,
    /// HTTP calls made for the request, the one that served included.
    pub attempts: u32,
    /// Which strategy decided.
    pub strategy: Arc<str>,
    /// Whether it was kept from an equal request: nobody was asked, and it costs nothing. `usage` is what it took then.
    pub from_cache: bool,
    /// From the request's start to the end of the reply.
    pub took: Duration,
    /// The reply as the provider sent it, byte for byte.
    pub body: Bytes,
}

impl Answer {
    /// Whether this is the caller's own fallback text and no model's answer.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.target.is_none()
    }

    /// The reply in OpenAI's shape with `provider`, `cost` (US dollars, as a number), `attempts`, `strategy` and `backstop_id`
    /// added, and `degraded` or `cached` where it is; `usage` and every other field are the provider's.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut reply = serde_json::from_slice(&self.body).unwrap_or_else(|_| json!({}));
        if let Value::Object(fields) = &mut reply {
            fields.insert("provider".into(), json!(self.target.as_ref().map(|target| &*target.provider)));
            fields.insert("cost".into(), json!(self.cost.map(NanoUsd::as_dollars)));
            fields.insert("attempts".into(), json!(self.attempts));
            fields.insert("strategy".into(), json!(&*self.strategy));
            fields.insert("backstop_id".into(), json!(self.id));
            if self.from_cache {
                fields.insert("cached".into(), json!(true));
            }
            if self.is_degraded() {
                fields.insert("degraded".into(), json!(true));
            }
        }
        reply
    }

    /// An answer to a journey with nothing in it yet.
    pub(super) fn empty(journey: &Journey) -> Self {
        Self {
            id: journey.story.id(),
            text: String::new(),
            target: None,
            usage: None,
            cost: None,
            attempts: journey.story.attempts_made(),
            strategy: Arc::clone(&journey.route.decider().name),
            from_cache: false,
            took: journey.story.elapsed(),
            body: Bytes::new(),
        }
    }

    /// A reply that was kept, given again.
    pub(super) fn of_kept(mut journey: Journey, reply: &KeptReply) -> Self {
        journey.end_cached(reply);
        let body = match &reply.words {
            KeptWords::Whole(body) => body.clone(),
            KeptWords::Events(_) => Bytes::new(),
        };
        Self {
            text: reply.text.clone(),
            target: Some(Arc::clone(&reply.target)),
            usage: reply.usage,
            cost: Some(NanoUsd::ZERO),
            from_cache: true,
            body,
            ..Self::empty(&journey)
        }
    }

    /// The caller's own fallback text, in OpenAI's shape, under a model name no model has.
    pub(super) fn of_fallback_text(journey: &Journey, text: String) -> Self {
        let answer = Self::empty(journey);
        let message = json!({"role": "assistant", "content": text});
        let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
        let body = json!({
            "id": answer.id,
            "object": "chat.completion",
            "model": FALLBACK_TEXT,
            "choices": [choice],
            "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        });
        Self { text, body: Bytes::from(body.to_string()), ..answer }
    }
}
