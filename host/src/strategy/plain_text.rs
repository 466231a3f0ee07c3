//! Text of a guest made fit for a terminal, a log line and a record.

/// Cuts to so many characters; takes out escape sequences, control characters and the invisible characters that reorder or
/// hide text; makes one space of each line break and tab.
pub(super) fn tidy(text: &str, chars: usize) -> String {
    // As nearly always: there is nothing to tidy.
    if text.len() <= chars && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.trim_end().to_owned();
    }
    let mut tidied = String::with_capacity(text.len().min(4 * chars));
    let mut rest = text.chars();
    let mut left = chars;
    while left > 0 {
        let Some(next) = rest.next() else { break };
        match next {
            '\u{1b}' => skip_escape(&mut rest),
            '\n' | '\r' | '\t' => {
                tidied.push(' ');
                left -= 1;
            }
            hidden if hidden.is_control() || is_invisible(hidden) => {}
            shown => {
                tidied.push(shown);
                left -= 1;
            }
        }
    }
    tidied.truncate(tidied.trim_end().len());
    tidied
}

/// Passes over the rest of an escape sequence: up to the letter that ends a control sequence (`ESC [ … m`), up to the bell or
/// the backslash that ends an operating system command (`ESC ] …`), else the one character that follows.
fn skip_escape(rest: &mut std::str::Chars<'_>) {
    match rest.next() {
        Some('[') => {
            rest.find(|next| ('\u{40}'..='\u{7e}').contains(next));
        }
        Some(']' | 'P' | '_' | '^' | 'X') => {
            rest.find(|next| matches!(next, '\u{7}' | '\\' | '\u{9c}'));
        }
        Some(_) | None => {}
    }
}

fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn leaves_plain_words_alone() {
        assert_eq!(tidy("groq is cheapest (0.05 $) – für jetzt", 200), "groq is cheapest (0.05 $) – für jetzt");
    }

    #[test]
    fn takes_out_what_would_paint_or_move() {
        assert_eq!(tidy("\u{1b}[31mred\u{1b}[0m\r\nnext\u{7}\u{0}", 200), "red  next");
        assert_eq!(tidy("\u{1b}]0;title\u{7}left\u{1b}]8;;http://x\u{1b}\\", 200), "left");
        assert_eq!(tidy("\u{9b}31mright\u{202e}thgir", 200), "31mrightthgir");
    }

    #[test]
    fn cuts_between_characters() {
        assert_eq!(tidy("äöü", 2), "äö");
    }

    proptest! {
        #[test]
        fn is_short_and_harmless_whatever_comes(text in ".*", chars in 0_usize..50) {
            let tidied = tidy(&text, chars);

            prop_assert!(tidied.chars().count() <= chars);
            prop_assert!(!tidied.chars().any(char::is_control));
        }
    }
}
