//! What a caller of Anthropic's protocol says and OpenAI's has no word for: carried beside the request, for targets that speak
//! Anthropic's protocol themselves. No other target is shown any of it.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::value::RawValue;

/// What stands beside a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unsaid {
    /// Fields of the body, as the JSON they came as.
    pub(crate) fields: IndexMap<String, Box<RawValue>>,
    /// The instructions in blocks, where they were written so.
    pub(crate) system: Option<Box<RawValue>>,
    /// What is said of single places.
    pub(crate) marks: HashMap<Place, Mark>,
}

/// A place in a request in OpenAI's shape; all numbers count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// A tool of the list.
    Tool(usize),
    /// The text of an assistant's message.
    Text(usize),
    /// A call of an assistant's message.
    Call(usize, usize),
    /// A tool's message.
    Result(usize),
    /// A part of a message's content.
    Part(usize, usize),
}

/// What is said of a place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mark {
    /// Up to here the provider is to keep what it has read: `cache_control`.
    pub(crate) cache: Option<Box<RawValue>>,
    /// The tool failed.
    pub(crate) is_error: bool,
    /// The tool's arguments are held to its schema.
    pub(crate) is_strict: bool,
    /// The whole block in the caller's words, where ours leave some of it out.
    pub(crate) block: Option<Box<RawValue>>,
}

impl Unsaid {
    /// The bytes of all that is said.
    pub(crate) fn size(&self) -> usize {
        let length = |part: &Option<Box<RawValue>>| part.as_ref().map_or(0, |part| part.get().len());
        let fields: usize = self.fields.iter().map(|(name, value)| name.len() + value.get().len()).sum();
        let marks: usize = self.marks.values().map(|mark| length(&mark.cache) + length(&mark.block)).sum();
        fields + length(&self.system) + marks
    }

    /// Says something of a place, unless it is nothing.
    #[cfg(feature = "gateway")]
    pub(crate) fn mark(&mut self, place: Place, mark: Mark) {
        if mark.cache.is_some() || mark.is_error || mark.is_strict || mark.block.is_some() {
            self.marks.insert(place, mark);
        }
    }
}
