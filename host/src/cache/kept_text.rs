//! A kept reply as text, for a store outside this process. What comes back may be anything.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::reply::{KeptEvent, KeptReply, KeptWords};
use crate::clock::Moment;
use crate::provider::CallPiece;
use crate::types::{TargetName, Usage};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    provider: String,
    model: String,
    text: String,
    usage: Option<Usage>,
    finish_reason: Option<String>,
    words: Words,
}

#[derive(Serialize, Deserialize)]
enum Words {
    Whole(String),
    Events(Vec<Event>),
}

#[derive(Serialize, Deserialize)]
struct Event {
    text: String,
    calls: Vec<Call>,
    raw: String,
}

#[derive(Serialize, Deserialize)]
struct Call {
    index: usize,
    id: Option<String>,
    name: Option<String>,
    arguments: String,
    signature: Option<String>,
}

/// Writes a reply; `None` where its bytes are no text.
pub(super) fn written(reply: &KeptReply) -> Option<String> {
    let text = |bytes: &Bytes| std::str::from_utf8(bytes).ok().map(str::to_owned);
    let words = match &reply.words {
        KeptWords::Whole(body) => Words::Whole(text(body)?),
        KeptWords::Events(events) => {
            let event = |event: &KeptEvent| {
                let calls = event.calls.iter().cloned().map(Call::from).collect();
                Some(Event { text: event.text.clone(), calls, raw: text(&event.raw)? })
            };
            Words::Events(events.iter().map(event).collect::<Option<_>>()?)
        }
    };
    let KeptReply { target, text, usage, finish_reason, .. } = reply;
    let (provider, model) = (target.provider.to_string(), target.model.to_string());
    let (text, usage, finish_reason) = (text.clone(), *usage, finish_reason.clone());
    serde_json::to_string(&Kept { provider, model, text, usage, finish_reason, words }).ok()
}

/// Reads what [`written`] writes; `None` where it is anything else.
pub(super) fn read(text: &str, kept_at: Moment) -> Option<KeptReply> {
    let Kept { provider, model, text, usage, finish_reason, words } = serde_json::from_str(text).ok()?;
    let words = match words {
        Words::Whole(body) => KeptWords::Whole(body.into()),
        Words::Events(events) => {
            let event = |Event { text, calls, raw }| {
                let calls = calls.into_iter().map(CallPiece::from).collect();
                KeptEvent { text, calls, raw: String::into(raw) }
            };
            KeptWords::Events(events.into_iter().map(event).collect())
        }
    };
    let target = Arc::new(TargetName::new(&provider, &model));
    Some(KeptReply { target, text, usage, finish_reason, words, kept_at })
}

impl From<CallPiece> for Call {
    fn from(CallPiece { index, id, name, arguments, signature }: CallPiece) -> Self {
        Self { index, id, name, arguments, signature }
    }
}

impl From<Call> for CallPiece {
    fn from(Call { index, id, name, arguments, signature }: Call) -> Self {
        Self { index, id, name, arguments, signature }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reply(words: KeptWords) -> KeptReply {
        let usage = Some(Usage { input: 1, output: 2, cache_read: 1, ..Usage::default() });
        KeptReply {
            target: Arc::new(TargetName::new("a", "m/1")),
            text: "\u{1F600} \"yes\"".to_owned(),
            usage,
            finish_reason: Some("stop".to_owned()),
            words,
            kept_at: Moment::START,
        }
    }

    #[test]
    fn reads_what_it_writes_byte_for_byte() {
        let call = CallPiece {
            index: 1,
            id: Some("c".to_owned()),
            name: None,
            arguments: "{\"a\":1}".to_owned(),
            signature: Some("s".to_owned()),
        };
        let raw = Bytes::from_static(b"data: {\"a\" : 1.0}\n\n");
        let event = KeptEvent { text: "yes".to_owned(), calls: vec![call], raw: raw.clone() };

        for words in [KeptWords::Whole(raw), KeptWords::Events(vec![event])] {
            let reply = reply(words);
            assert_eq!(read(&written(&reply).unwrap(), Moment::START), Some(reply));
        }
        assert_eq!(written(&reply(KeptWords::Whole(Bytes::from_static(b"\xff")))), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,200}") {
            prop_assert_eq!(read(&text, Moment::START), None);
        }
    }
}
