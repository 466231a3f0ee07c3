//! Ids of tool calls: rewritten where the next provider would refuse the last one's, the same way each time.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::dialect::ToolIds;

/// The longest id that every provider with short ids takes.
const LONGEST: usize = 40;

/// Letters and digits, for ids made here.
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whether a provider takes an id as it is.
pub(super) fn fits(id: &str, ids: ToolIds) -> bool {
    match ids {
        ToolIds::Short => {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            (1..=LONGEST).contains(&id.len()) && id.bytes().all(is_plain)
        }
        ToolIds::Nine => id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
    }
}

/// The id as a provider takes it. Equal ids stay equal, so that a result still names its call.
pub(super) fn fitted(id: &str, ids: ToolIds) -> Cow<'_, str> {
    match ids {
        _ if fits(id, ids) => Cow::Borrowed(id),
        ToolIds::Short => Cow::Owned(format!("call_{}", letters(id, 24))),
        ToolIds::Nine => Cow::Owned(letters(id, 9)),
    }
}

/// An id for a call that came without one: the same for the same reply and place.
pub(super) fn made(reply: &str, place: usize) -> String {
    format!("call_{}", letters(&format!("{reply}/{place}"), 24))
}

fn letters(text: &str, count: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(count)
        .map(|byte| char::from(LETTERS.get(usize::from(byte % 62)).copied().unwrap_or(b'0')))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_an_id_that_fits_and_rewrites_one_that_does_not_the_same_way_each_time() {
        let long = "x".repeat(41);

        assert_eq!(fitted("toolu_01-A", ToolIds::Short), "toolu_01-A");
        assert_eq!(fitted("D681PevKs", ToolIds::Nine), "D681PevKs");
        for (id, ids) in
            [(long.as_str(), ToolIds::Short), ("", ToolIds::Short), ("a b", ToolIds::Short), ("toolu_1", ToolIds::Nine)]
        {
            let made = fitted(id, ids);
            assert!(fits(&made, ids), "{made}");
            assert_eq!(made, fitted(id, ids));
        }
        assert_ne!(fitted("toolu_1", ToolIds::Nine), fitted("toolu_2", ToolIds::Nine));
    }
}
