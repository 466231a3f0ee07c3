//! `content`: the messages of the request under decision. Outside `next` there are none, and natively those that a test shows
//! ([`testing::show`](crate::testing::show)).

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user`, `assistant`, `tool`, or what else the caller wrote.
    pub role: String,
    /// Its text, or as much of it as was asked for.
    pub text: String,
    /// Bytes of its whole text.
    pub text_bytes: u32,
    /// Parts that are no text: images, sounds, files.
    pub other_parts: u32,
}

/// How many messages there are.
#[must_use]
pub fn count() -> u32 {
    backing::count()
}

/// The message at this place, oldest first from 0, with so many bytes of its text at most. Ask for no more than is needed: each
/// byte costs fuel and memory.
#[must_use]
pub fn message(place: u32, most_bytes: u32) -> Option<Message> {
    backing::message(place, most_bytes)
}

/// What was said last.
#[must_use]
pub fn last(most_bytes: u32) -> Option<Message> {
    message(count().checked_sub(1)?, most_bytes)
}

/// The host's own.
#[cfg(target_arch = "wasm32")]
mod backing {
    use crate::guest::bindings::backstop::strategy::content;

    use super::Message;

    pub(super) use content::count;

    pub(super) fn message(place: u32, most_bytes: u32) -> Option<Message> {
        let content::Message { role, text, text_bytes, other_parts } = content::message_at(place, most_bytes)?;
        Some(Message { role, text, text_bytes, other_parts })
    }
}

/// What a test shows.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod backing {
    use std::cell::RefCell;

    use super::Message;

    thread_local! {
        static SHOWN: RefCell<Vec<(String, String)>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn count() -> u32 {
        SHOWN.with_borrow(|shown| u32::try_from(shown.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn message(place: u32, most_bytes: u32) -> Option<Message> {
        let (place, most) = (usize::try_from(place).ok()?, usize::try_from(most_bytes).ok()?);
        SHOWN.with_borrow(|shown| {
            let (role, text) = shown.get(place)?;
            let cut = text.get(..text.floor_char_boundary(most))?.to_owned();
            let text_bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
            Some(Message { role: role.clone(), text: cut, text_bytes, other_parts: 0 })
        })
    }

    pub(crate) fn show(messages: &[(&str, &str)]) {
        let owned = messages.iter().map(|(role, text)| ((*role).to_owned(), (*text).to_owned())).collect();
        SHOWN.set(owned);
    }
}

#[cfg(test)]
mod tests {
    use super::{count, last};
    use crate::testing::show;

    #[test]
    fn shows_natively_what_a_test_shows() {
        show(&[("system", "be brief"), ("user", "äöü")]);

        let last = last(3).unwrap();

        assert_eq!((&*last.role, &*last.text, last.text_bytes, count()), ("user", "ä", 6, 2));
    }
}
