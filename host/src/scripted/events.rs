//! The events of a streamed answer, before they are strung together.

use serde_json::Value;

use super::Ending;

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// That of its `event:` line.
    pub(super) name: Option<&'static str>,
    pub(super) data: String,
    /// Whether it carries content.
    pub(super) is_token: bool,
}

/// The events of an answer, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Events {
    /// What comes before any content.
    pub(super) opening: Vec<Event>,
    /// The tokens, and what stands between them.
    pub(super) content: Vec<Event>,
    /// The finish reason and the usage.
    pub(super) closing: Vec<Event>,
    /// What says that this was all, in protocols that have such an event.
    pub(super) end: Option<Event>,
}

impl Event {
    /// An event that carries content.
    pub(super) fn token(data: &Value) -> Self {
        Self { is_token: true, ..Self::new(data.to_string()) }
    }

    /// An event that carries none.
    pub(super) fn new(data: impl Into<String>) -> Self {
        Self { name: None, data: data.into(), is_token: false }
    }

    /// Gives it a name.
    pub(super) fn named(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }
}

impl Events {
    /// What comes after the finish reason; `late` is another answer, for a stream that goes on after its end.
    pub(super) fn ending(&self, ending: Ending, late: Self) -> Vec<Event> {
        let end = self.end.clone();
        match ending {
            Ending::Done => end.into_iter().collect(),
            Ending::NoDone => Vec::new(),
            Ending::DoneTwice => {
                let again = end.clone().or_else(|| self.closing.last().cloned());
                end.into_iter().chain(again).collect()
            }
            Ending::ContentAfterDone => {
                let late = late.content.into_iter().filter(|event| event.is_token);
                end.into_iter().chain(late).collect()
            }
        }
    }
}
