//! Keys out of texts: what a provider echoes must not reach a log.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, BuildError};

/// What stands in place of a key.
const REMOVED: &str = "[key removed]";

/// How the keys of providers begin.
const BEGINNINGS: [&str; 20] = [
    "sk-", "sk_", "pk-", "rk-", "gsk_", "xai-", "csk-", "AIza", "hf_", "r8_", "pplx-", "fw_", "tgp_", "nvapi-", "ghp_",
    "glpat-", "AKIA", "ya29.", "eyJ", "key-",
];

/// The words a key follows, in lower case.
const LABELS: [&str; 11] = [
    "bearer ",
    "key provided: ",
    "api key: ",
    "api-key: ",
    "api_key: ",
    "apikey: ",
    "api_key=",
    "api-key=",
    "apikey=",
    "?key=",
    "&key=",
];

/// What is in every text with something that looks like a key.
static SUSPICIOUS: LazyLock<Result<AhoCorasick, BuildError>> = LazyLock::new(|| {
    let parts = BEGINNINGS.iter().chain(&LABELS);
    AhoCorasick::builder().ascii_case_insensitive(true).build(parts)
});

/// The text without anything that looks like a key.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    // As good as always there is nothing to be found, and one look tells.
    if SUSPICIOUS.as_ref().is_ok_and(|parts| !parts.is_match(text)) {
        return Cow::Borrowed(text);
    }
    let lower = text.to_ascii_lowercase();
    let mut kept = String::new();
    let mut copied = 0;
    for (start, word) in words(text) {
        let before = lower.get(..start).unwrap_or_default();
        if looks_like_key(word) || follows_label(before) {
            kept.push_str(text.get(copied..start).unwrap_or_default());
            kept.push_str(REMOVED);
            copied = start + word.len();
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    kept.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(kept)
}

/// The text without the key itself and without anything that looks like one.
pub(super) fn redact_key<'t>(text: &'t str, key: Option<&str>) -> Cow<'t, str> {
    // A key of a few letters (a local server takes any) is no secret, and its letters may stand in any word.
    match key.filter(|key| key.len() >= 6 && text.contains(key)) {
        Some(key) => Cow::Owned(redact(&text.replace(key, REMOVED)).into_owned()),
        None => redact(text),
    }
}

/// The runs of characters that keys are made of, each with its place.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '*' | '+');
    let mut place = 0;
    text.split_inclusive(move |letter| !is_part(letter)).filter_map(move |piece| {
        let start = place;
        place += piece.len();
        let word = piece.trim_end_matches(|letter| !is_part(letter)).trim_end_matches('.');
        (!word.is_empty()).then_some((start, word))
    })
}

fn looks_like_key(word: &str) -> bool {
    BEGINNINGS.iter().any(|beginning| {
        word.strip_prefix(beginning)
            .is_some_and(|rest| rest.len() >= 4 && (rest.len() >= 12 || has_digit_or_star(rest)))
    })
}

/// Short words such as `key-value` or `sk-learn` are none.
fn has_digit_or_star(rest: &str) -> bool {
    rest.bytes().any(|byte| byte.is_ascii_digit() || byte == b'*')
}

fn follows_label(before: &str) -> bool {
    let before = before.trim_end_matches(['"', '\'', '`', '<', '\\']);
    LABELS.iter().any(|label| before.ends_with(label))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn removes_what_looks_like_a_key() {
        for (text, expected) in [
            (
                "Incorrect API key provided: sk-inval****-key. You can",
                "Incorrect API key provided: [key removed]. You can",
            ),
            ("Incorrect API key provided: test. See", "Incorrect API key provided: [key removed]. See"),
            ("Incorrect API key provided: <not-a-r****key>.", "Incorrect API key provided: <[key removed]>."),
            ("Your api key: ****-key is invalid", "Your api key: [key removed] is invalid"),
            ("sent Authorization: Bearer abc.def", "sent Authorization: Bearer [key removed]"),
            ("GET /v1?key=abc&x=1", "GET /v1?key=[key removed]&x=1"),
            (r#"{"k":"gsk_0123456789abcdef"}"#, r#"{"k":"[key removed]"}"#),
        ] {
            assert_eq!(redact(text), expected);
        }
    }

    #[test]
    fn leaves_ordinary_words_alone() {
        for text in ["a key-value pair, sk-learn", "invalid x-api-key", "Incorrect API key provided. You can", "é…ü"]
        {
            assert!(matches!(redact(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn removes_the_very_key_that_was_sent() {
        assert_eq!(redact_key("no user canary77", Some("canary77")), "no user [key removed]");
        assert_eq!(redact_key("a team of five", Some("a")), "a team of five");
    }

    proptest! {
        #[test]
        fn never_lets_a_key_through(before in "\\PC{0,20}", key in "sk-[a-z0-9]{20}", after in "\\PC{0,20}") {
            let text = format!("{before} {key} {after}");
            prop_assert!(!redact(&text).contains(&key));
        }
    }
}
