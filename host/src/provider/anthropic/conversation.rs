//! A dialogue as Anthropic has it: instructions apart, and user and assistant in turns.

use std::borrow::Cow;

use serde_json::value::{RawValue, to_raw_value};

use super::call_id::CallIds;
use super::image;
use super::sent::{Block, Message, Role};
use crate::provider::call::Call;
use crate::provider::dialogue::{Assistant, Bound, Dialogue, Part, ToolCall, Turn};
use crate::provider::notes;
use crate::types::{Mark, Place, Unsaid};

/// Stands for a user who has said nothing yet: a conversation must begin with the user.
const SILENCE: &str = ".";

/// A conversation.
#[derive(Debug, Default)]
pub(super) struct Conversation<'a> {
    /// What the operator wants; `None` where nothing is.
    pub system: Option<String>,
    /// Who said what, by turns; never empty.
    pub messages: Vec<Message<'a>>,
}

/// Whether thoughts of earlier turns may travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thoughts {
    /// Those that this provider made.
    Own,
    /// None: the model has none.
    None,
}

impl<'a> Conversation<'a> {
    /// Writes the dialogue of a call, and the beginning of the answer where there is one.
    pub(super) fn of(call: &Call<'a>, thoughts: Thoughts, notes: &mut Vec<String>) -> Self {
        let marks = Marks { unsaid: call.request.unsaid.as_deref() };
        let mut writing = Writing { provider: call.provider, thoughts, ids: CallIds::default(), marks, lost: 0, notes };
        let mut conversation = Self::default();
        for (place, turn) in call.dialogue.turns.iter().enumerate() {
            match turn {
                Turn::Instruction(text) => conversation.instruct(text),
                Turn::User(parts) => conversation.say(Role::User, content(parts, place, marks)),
                Turn::Assistant(answer) => conversation.say(Role::Assistant, writing.answer(answer, place)),
                Turn::Tool(result) => {
                    let result = Block::ToolResult {
                        tool_use_id: writing.ids.of_result(&result.call_id),
                        content: content(&result.content, place, marks),
                        is_error: marks.of(Place::Result(place)).is_some_and(|mark| mark.is_error),
                        cache_control: marks.cache(Place::Result(place)),
                    };
                    conversation.say(Role::User, vec![result]);
                }
            }
        }
        if writing.lost > 0 {
            notes.push("reasoning of an earlier answer is left out: another provider or model made it".to_owned());
        }
        conversation.say(Role::Assistant, call.prefill.and_then(|begun| text(begun, None)).into_iter().collect());
        conversation.put_results_first();
        conversation.begin_with_user();
        conversation.trim_end();
        conversation
    }

    fn instruct(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        let system = self.system.get_or_insert_default();
        if !system.is_empty() {
            system.push_str("\n\n");
        }
        system.push_str(text);
    }

    /// Adds to the last message where it is of the same role: roles must take turns.
    fn say(&mut self, role: Role, content: Vec<Block<'a>>) {
        if content.is_empty() {
            return;
        }
        match self.messages.last_mut().filter(|last| last.role == role) {
            Some(last) => last.content.extend(content),
            None => self.messages.push(Message { role, content }),
        }
    }

    /// Puts the results of tools before whatever else the user says there: they must follow their calls at once.
    fn put_results_first(&mut self) {
        for message in self.messages.iter_mut().filter(|message| message.role == Role::User) {
            message.content.sort_by_key(|block| !matches!(block, Block::ToolResult { .. }));
        }
    }

    fn begin_with_user(&mut self) {
        if self.messages.first().is_none_or(|first| first.role == Role::Assistant) {
            let silence = Message { role: Role::User, content: text(SILENCE, None).into_iter().collect() };
            self.messages.insert(0, silence);
        }
    }

    /// An answer that has begun must not end in blanks: Anthropic refuses it.
    fn trim_end(&mut self) {
        if let Some(Message { role: Role::Assistant, content }) = self.messages.last_mut()
            && let Some(Block::Text { text, .. }) = content.last_mut()
        {
            *text = match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
                Cow::Owned(text) => Cow::Owned(text.trim_end().to_owned()),
            };
        }
    }
}

/// Whether the last answer of a dialogue calls tools without a thought of this provider before them. A model that thinks up
/// to a budget refuses to go on from there thinking.
pub(super) fn called_without_thought(dialogue: &Dialogue<'_>, provider: &str) -> bool {
    let last = dialogue.turns.iter().rev().find_map(|turn| match turn {
        Turn::Assistant(answer) => Some(answer),
        Turn::Instruction(_) | Turn::User(_) | Turn::Tool(_) => None,
    });
    last.is_some_and(|answer| {
        !answer.calls.is_empty() && !answer.bound.iter().any(|bound| thought(bound, provider).is_some())
    })
}

/// What earlier answers need to know of each other.
struct Writing<'a, 'n> {
    provider: &'a str,
    thoughts: Thoughts,
    ids: CallIds<'a>,
    marks: Marks<'a>,
    /// Thoughts that must not travel.
    lost: usize,
    notes: &'n mut Vec<String>,
}

impl<'a> Writing<'a, '_> {
    fn answer(&mut self, answer: &'a Assistant<'_>, place: usize) -> Vec<Block<'a>> {
        let mut blocks = Vec::new();
        for bound in &answer.bound {
            match thought(bound, self.provider).filter(|_| self.thoughts == Thoughts::Own) {
                Some(thought) => blocks.push(thought),
                None => self.lost += 1,
            }
        }
        blocks.extend(text(&answer.text, self.marks.cache(Place::Text(place))));
        for (number, call) in answer.calls.iter().enumerate() {
            blocks.push(Block::ToolUse {
                id: self.ids.of_call(&call.id),
                name: &call.name,
                input: self.input(call),
                cache_control: self.marks.cache(Place::Call(place, number)),
            });
        }
        blocks
    }

    /// Arguments must be an object. A model that was cut off, or erred, may have left something else.
    fn input(&mut self, call: &'a ToolCall<'_>) -> Cow<'a, RawValue> {
        let given = call.arguments.trim();
        let given = if matches!(given, "" | "null") { "{}" } else { given };
        match serde_json::from_str::<&RawValue>(given) {
            Ok(input) if input.get().starts_with('{') => Cow::Borrowed(input),
            Ok(_) | Err(_) => {
                notes::once(self.notes, notes::WRAPPED_ARGUMENTS);
                let wrapped = to_raw_value(&serde_json::json!({"arguments": call.arguments}));
                wrapped.map_or(Cow::Borrowed(RawValue::NULL), Cow::Owned)
            }
        }
    }
}

/// A thought as its own provider takes it back; `None` of another's, and of one without proof.
fn thought<'a>(bound: &'a Bound<'_>, provider: &str) -> Option<Block<'a>> {
    match (&bound.signature, &bound.data) {
        _ if bound.origin != provider => None,
        (_, Some(data)) => Some(Block::RedactedThinking { data }),
        (Some(signature), None) => Some(Block::Thinking { thinking: &bound.text, signature }),
        (None, None) => None,
    }
}

fn content<'a>(parts: &'a [Part<'_>], message: usize, marks: Marks<'a>) -> Vec<Block<'a>> {
    let block = |(place, part): (usize, &'a Part<'_>)| {
        let mark = marks.of(Place::Part(message, place));
        if let Some(own) = mark.and_then(|mark| mark.block.as_deref()) {
            return Some(Block::Own(own));
        }
        let cache_control = mark.and_then(|mark| mark.cache.as_deref());
        match part {
            Part::Text(words) => text(words, cache_control),
            Part::Image(image) => image::source(image).ok().map(|source| Block::Image { source, cache_control }),
            // A request with such a part is refused before it comes here.
            Part::Other(_) => None,
        }
    };
    parts.iter().enumerate().filter_map(block).collect()
}

fn text<'a>(words: &'a str, cache_control: Option<&'a RawValue>) -> Option<Block<'a>> {
    (!words.trim().is_empty()).then_some(Block::Text { text: Cow::Borrowed(words), cache_control })
}

/// What a caller of Anthropic's protocol said of single places.
#[derive(Debug, Clone, Copy)]
struct Marks<'a> {
    unsaid: Option<&'a Unsaid>,
}

impl<'a> Marks<'a> {
    fn of(self, place: Place) -> Option<&'a Mark> {
        self.unsaid?.marks.get(&place)
    }

    fn cache(self, place: Place) -> Option<&'a RawValue> {
        self.of(place)?.cache.as_deref()
    }
}
