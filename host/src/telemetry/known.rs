//! A bound on how many words of clients become names of counters: each would be kept, and scraped, for ever.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

/// What stands for all words beyond the bound.
pub(super) const OTHER: &str = "other";

/// The words that are counted by themselves, first come, first served.
#[derive(Debug, Default)]
pub(super) struct Known {
    words: RwLock<HashSet<Box<str>>>,
}

impl Known {
    /// Words that are counted by themselves at most.
    const MOST: usize = 64;

    /// Characters of such a word at most.
    const LONGEST: usize = 64;

    /// The word itself, or [`OTHER`] where there are too many already, or it is too long.
    pub(super) fn word<'a>(&self, word: &'a str) -> &'a str {
        let is_known = self.words.read().unwrap_or_else(PoisonError::into_inner).contains(word);
        if word.is_empty() || is_known {
            return word;
        }
        let mut words = self.words.write().unwrap_or_else(PoisonError::into_inner);
        if words.len() >= Self::MOST || word.len() > Self::LONGEST {
            return OTHER;
        }
        words.insert(word.into());
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_as_many_words_as_there_is_room_for_and_keeps_them() {
        let known = Known::default();
        let words: Vec<String> = (0..100).map(|number| format!("word {number}")).collect();

        let first: Vec<&str> = words.iter().map(|word| known.word(word)).collect();
        let again: Vec<&str> = words.iter().map(|word| known.word(word)).collect();

        assert_eq!(first, again);
        assert_eq!((first[0], first[63], first[64], known.word("")), ("word 0", "word 63", OTHER, ""));
        assert_eq!(Known::default().word(&"x".repeat(65)), OTHER);
    }
}
