//! Ids of tool calls within one conversation: each call has one of its own, and each result its call's.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::provider::dialect::ToolIds;
use crate::provider::tool_id::fitted;

/// The ids met so far. Anthropic refuses a conversation in which two calls have the same, as those of other providers do
/// that give none, or the function's name in its place.
#[derive(Debug, Default)]
pub(super) struct CallIds<'a> {
    calls: HashMap<&'a str, usize>,
    results: HashMap<&'a str, usize>,
}

impl<'a> CallIds<'a> {
    /// The id of the next call that is named `id`.
    pub(super) fn of_call(&mut self, id: &'a str) -> Cow<'a, str> {
        nth(&mut self.calls, id)
    }

    /// The id of the call that the next result named `id` answers.
    pub(super) fn of_result(&mut self, id: &'a str) -> Cow<'a, str> {
        nth(&mut self.results, id)
    }
}

fn nth<'a>(met: &mut HashMap<&'a str, usize>, id: &'a str) -> Cow<'a, str> {
    let before = met.entry(id).or_default();
    let place = *before;
    *before += 1;
    match place {
        0 => fitted(id, ToolIds::Short),
        _ => Cow::Owned(fitted(&format!("{id} {place}"), ToolIds::Short).into_owned()),
    }
}
