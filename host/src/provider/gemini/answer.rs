//! An answer as its pieces come: each is a whole `GenerateContentResponse`, and a reply is one, or a list, or a stream of them.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::finish::{self, End, Reason};
use super::pieces::{Begun, PieceError};
use super::usage;
use crate::provider::chunk::{CallPiece, EventFault};
use crate::provider::json::{is_something, items, pick_from, text};
use crate::provider::said::{Finish, Said, Thought};
use crate::provider::{Head, classify, content_filtered, tool_id};
use crate::types::{Failure, FailureKind};

/// Pieces of one reply, and parts of one piece, that are read.
const MOST_PARTS: usize = 100_000;

/// Whose form the proof of a thought has.
const FORMAT: &str = "google-gemini-v1";

/// What is remembered of an answer from one piece to the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    /// The reply's id, or what stands in for it where ids of calls are made.
    id: Option<String>,
    calls: usize,
    /// The call whose arguments are still coming.
    begun: Option<Begun>,
    has_text: bool,
    /// There was a candidate, whatever it said.
    pub has_candidate: bool,
}

impl Answer {
    /// Reads what has come: a piece, or a list of them.
    ///
    /// # Errors
    /// When it is no JSON object and no list of them, carries an error, or ends an answer that said nothing.
    pub(super) fn read(&mut self, head: &Head<'_>, json: &[u8]) -> Result<Said, EventFault> {
        let malformed = |words: String| EventFault::Malformed(words);
        let value: &RawValue = serde_json::from_slice(json).map_err(|error| malformed(error.to_string()))?;
        let pieces = match value.get().as_bytes().first() {
            Some(b'{') => vec![value],
            Some(b'[') => items(value, MOST_PARTS),
            Some(_) | None => return Err(malformed("neither an object nor a list".to_owned())),
        };
        let mut said = Said::default();
        for piece in pieces {
            said.add(self.read_piece(head, piece)?);
        }
        Ok(said)
    }

    /// Whether a call has begun whose end has not come.
    pub(super) fn is_mid_call(&self) -> bool {
        self.begun.is_some()
    }

    fn read_piece(&mut self, head: &Head<'_>, piece: &RawValue) -> Result<Said, EventFault> {
        let names = ["candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "error"];
        let [candidates, feedback, counts, model, id, error] = pick_from(piece, names);
        if error.is_some_and(is_something) {
            let body = Bytes::copy_from_slice(piece.get().as_bytes());
            return Err(EventFault::Failure(Box::new(classify(head, &body))));
        }
        let mut said = Said {
            id: id.and_then(text).filter(|id| !id.is_empty()),
            model: model.and_then(text).filter(|model| !model.is_empty()),
            usage: counts.and_then(usage::read),
            ..Said::default()
        };
        self.id = self.id.take().or_else(|| said.id.clone());
        let candidates = candidates.map(|candidates| items(candidates, MOST_PARTS)).unwrap_or_default();
        let reason = match first(&candidates) {
            Some(candidate) => self.read_candidate(candidate, &mut said, head)?,
            None => feedback.and_then(blocked),
        };
        said.finish = reason.map(|reason| self.finish(reason, head)).transpose()?;
        Ok(said)
    }

    fn read_candidate(
        &mut self,
        candidate: &RawValue,
        said: &mut Said,
        head: &Head<'_>,
    ) -> Result<Option<Reason>, EventFault> {
        self.has_candidate = true;
        let [content, reason] = pick_from(candidate, ["content", "finishReason"]);
        let [parts] = content.map_or([None], |content| pick_from(content, ["parts"]));
        for part in parts.map(|parts| items(parts, MOST_PARTS)).unwrap_or_default() {
            self.read_part(part, said, head).map_err(|error| {
                let failure = Failure::new(FailureKind::MalformedReply, error.to_string());
                EventFault::Failure(Box::new(failure.with_status(head.status)))
            })?;
        }
        self.has_text |= !said.text.is_empty();
        let reason = reason.and_then(Reason::read);
        if reason.is_some() {
            self.end_call(said, head);
        }
        Ok(reason)
    }

    /// Parts of other kinds, such as code that Google ran itself, have no place in a chat's answer.
    fn read_part(&mut self, part: &RawValue, said: &mut Said, head: &Head<'_>) -> Result<(), PieceError> {
        let [words, thought, call, signature] =
            pick_from(part, ["text", "thought", "functionCall", "thoughtSignature"]);
        let signature = signature.and_then(text).filter(|signature| !signature.is_empty());
        if let Some(call) = call {
            return self.read_call(call, signature, said, head);
        }
        let Some(words) = words.and_then(text) else { return Ok(()) };
        if thought.is_some_and(|thought| thought.get() == "true") {
            said.reasoning.push_str(&words);
        } else {
            said.text.push_str(&words);
        }
        if signature.is_some() {
            said.thoughts.push(Thought { data: signature, format: FORMAT, ..Thought::default() });
        }
        Ok(())
    }

    /// A call without a name goes on with the one before.
    fn read_call(
        &mut self,
        call: &RawValue,
        signature: Option<String>,
        said: &mut Said,
        head: &Head<'_>,
    ) -> Result<(), PieceError> {
        let names = ["id", "name", "args", "partialArgs", "willContinue"];
        let [id, name, arguments, pieces, goes_on] = pick_from(call, names);
        if let Some(name) = name.and_then(text).filter(|name| !name.is_empty()) {
            self.end_call(said, head);
            let id = id.and_then(text).filter(|id| !id.is_empty());
            self.begun = Some(Begun::new(id, name, signature));
        }
        if let Some(begun) = &mut self.begun {
            begun.add(arguments, pieces)?;
        }
        if goes_on.is_none_or(|goes_on| goes_on.get() != "true") {
            self.end_call(said, head);
        }
        Ok(())
    }

    fn end_call(&mut self, said: &mut Said, head: &Head<'_>) {
        let Some(begun) = self.begun.take() else { return };
        let index = self.calls;
        self.calls += 1;
        // Where the reply has no id, its time keeps the calls of two replies apart.
        let reply = self.id.get_or_insert_with(|| head.now.as_nanosecond().to_string());
        said.calls.push(CallPiece {
            index,
            arguments: begun.arguments(),
            id: Some(begun.id.unwrap_or_else(|| tool_id::made(reply, index))),
            name: Some(begun.name),
            signature: begun.signature,
        });
    }

    fn finish(&self, reason: Reason, head: &Head<'_>) -> Result<Finish, EventFault> {
        let has_answer = self.has_text || self.calls > 0;
        let reason_of_whole = if self.calls > 0 { "tool_calls" } else { "stop" };
        let reason_in_words = match reason.end {
            End::Whole => reason_of_whole,
            End::Length => "length",
            End::Withheld if has_answer => "content_filter",
            End::Withheld => {
                return Err(EventFault::Failure(Box::new(content_filtered(&reason.native, head.status))));
            }
            End::Unknown if has_answer => reason_of_whole,
            End::Broken | End::Unknown => return Err(EventFault::Failure(Box::new(reason.broken(head.status)))),
        };
        Ok(Finish { reason: reason_in_words, native: reason.native })
    }
}

/// The candidate numbered 0, or else whichever comes first.
fn first<'a>(candidates: &[&'a RawValue]) -> Option<&'a RawValue> {
    let numbered_zero = |candidate: &&&RawValue| {
        let [index] = pick_from(candidate, ["index"]);
        index.is_none_or(|index| index.get() == "0")
    };
    candidates.iter().find(numbered_zero).or(candidates.first()).copied()
}

/// Why a prompt was not even shown to the model.
fn blocked(feedback: &RawValue) -> Option<Reason> {
    let [reason] = pick_from(feedback, ["blockReason"]);
    let native = finish::name(reason?).filter(|native| !native.is_empty() && native != "BLOCK_REASON_UNSPECIFIED")?;
    Some(Reason { end: End::Withheld, native })
}
