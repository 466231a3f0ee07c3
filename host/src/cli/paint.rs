//! The few colours there are. Writers of `anstream` take them out again where nobody would see them.

use std::fmt;

use anstyle::{AnsiColor, Style};

/// What a piece of text is to look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// What went well.
    Good,
    /// What deserves a look.
    Warn,
    /// What went wrong.
    Bad,
    /// What matters in its line.
    Strong,
    /// What may be passed over.
    Faint,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Warn => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
        }
    }
}

/// How each state of a provider is coloured.
pub(crate) const STATE_TONES: [(&str, Tone); 8] = [
    ("available", Tone::Good),
    ("rate limited", Tone::Warn),
    ("temporarily disabled", Tone::Warn),
    ("being tried again", Tone::Warn),
    ("out of quota", Tone::Warn),
    ("not initialised", Tone::Faint),
    ("switched off", Tone::Faint),
    ("rejected", Tone::Bad),
];

/// A text in a tone.
pub(crate) fn paint(tone: Tone, text: impl fmt::Display) -> String {
    let style = tone.style();
    format!("{style}{text}{style:#}")
}

/// A text of somebody else's without the characters that would move the cursor, change colours or ring the bell.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t')).collect()
}

/// Colours each of the words wherever it stands in a text. Tables are coloured after they are laid out, because the
/// layout would count the codes as width.
pub(crate) fn paint_words(text: &str, words: &[(&str, Tone)]) -> String {
    let mut painted = text.to_owned();
    for (word, tone) in words {
        painted = painted.replace(word, &paint(*tone, word));
    }
    painted
}

/// The colours of the help texts.
pub(crate) fn help_styles() -> clap::builder::Styles {
    clap::builder::Styles::styled()
        .header(Style::new().bold())
        .usage(Style::new().bold())
        .literal(AnsiColor::Cyan.on_default())
        .placeholder(Style::new().dimmed())
        .error(AnsiColor::Red.on_default().bold())
        .valid(AnsiColor::Green.on_default())
        .invalid(AnsiColor::Yellow.on_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_harm_out_of_a_text() {
        assert_eq!(harmless("one\ttwo\n\u{1b}[2Jthree\u{7}\r"), "one\ttwo\n[2Jthree");
    }

    #[test]
    fn colours_words_and_leaves_the_rest() {
        let painted = paint_words("alpha ready", &[("ready", Tone::Good)]);

        assert_eq!(painted, "alpha \u{1b}[32mready\u{1b}[0m");
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), "alpha ready");
    }
}
