//! `content`: the messages of the request under decision, each read once a decision.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, LinkerInstance, Lower};

use crate::strategy::beside::Beside;
use crate::strategy::toll::charge;
use crate::types::{ChatMessage, ChatRequest};

/// What a guest is shown for one call; nothing outside it.
#[derive(Debug, Default)]
pub(in crate::strategy) struct Shown {
    request: Option<Arc<ChatRequest>>,
    /// The messages that were asked for, each taken apart but once: a guest may ask a thousand times.
    read: Vec<Option<ChatMessage>>,
}

/// `content.message`.
#[derive(Debug, ComponentType, Lower)]
#[component(record)]
struct Message {
    role: String,
    text: String,
    #[component(name = "text-bytes")]
    text_bytes: u32,
    #[component(name = "other-parts")]
    other_parts: u32,
}

type Store<'a> = StoreContextMut<'a, Beside>;

/// Answers the interface.
pub(super) fn link(mut instance: LinkerInstance<'_, Beside>) -> wasmtime::Result<()> {
    instance.func_wrap("count", |mut store: Store<'_>, (): ()| {
        charge(&mut store, 0)?;
        Ok((u32::try_from(store.data().shown.count())?,))
    })?;
    instance.func_wrap("message-at", |mut store: Store<'_>, (place, most): (u32, u32)| {
        let message = store.data_mut().shown.message(place as usize, most as usize);
        charge(&mut store, message.as_ref().map_or(0, |message| message.role.len() + message.text.len()))?;
        Ok((message,))
    })
}

impl Shown {
    /// Shows a request.
    pub(in crate::strategy) fn of(request: Arc<ChatRequest>) -> Self {
        Self { request: Some(request), read: Vec::new() }
    }

    fn count(&self) -> usize {
        self.request.as_ref().map_or(0, |request| request.messages().len())
    }

    fn message(&mut self, place: usize, most: usize) -> Option<Message> {
        let message = self.request.as_ref()?.messages().get(place)?;
        if self.read.len() <= place {
            self.read.resize(place + 1, None);
        }
        let ChatMessage { role, text, other_parts } =
            self.read.get_mut(place)?.get_or_insert_with(|| ChatMessage::read(message));
        let cut = text.get(..text.floor_char_boundary(most)).unwrap_or_default();
        Some(Message {
            role: role.clone(),
            text: cut.to_owned(),
            text_bytes: u32::try_from(text.len()).unwrap_or(u32::MAX),
            other_parts: *other_parts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_as_much_of_a_message_as_was_asked_for() {
        let request = ChatRequest::new().with_message("system", "be brief").with_message("user", "äöü");
        let mut shown = Shown::of(Arc::new(request));

        let cut = shown.message(1, 3).unwrap();

        assert_eq!((&*cut.role, &*cut.text, cut.text_bytes, cut.other_parts), ("user", "ä", 6, 0));
        assert_eq!(shown.message(1, 100).unwrap().text, "äöü");
        assert_eq!(shown.count(), 2);
        assert!(shown.message(2, 3).is_none());
    }

    #[test]
    fn shows_nothing_outside_a_decision() {
        assert_eq!(Shown::default().count(), 0);
        assert!(Shown::default().message(0, 9).is_none());
    }
}
