//! The book under `docs/`: its chapters, and what a reader is to do in them.

use std::fs;
use std::path::PathBuf;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use crate::binary::repository;

/// A chapter of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chapter {
    /// Its file's path within the book, such as `languages/rust.md`.
    pub path: String,
    /// What a reader does, in order.
    pub steps: Vec<Step>,
    /// The files of the book that it leads to, as it writes them.
    pub links: Vec<String>,
}

/// What a reader does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Puts a text into a file: a block after a sentence that ends with the file's name and a colon.
    Writes {
        /// The file, from where the reader is.
        file: String,
        /// All that is in it then.
        text: String,
    },
    /// Runs commands: a block of `sh`. The last one of `sh,fails` is meant to fail.
    Runs {
        /// Lines for a shell.
        commands: String,
        /// Whether they are to fail.
        fails: bool,
    },
    /// Reads what the commands before have printed: a block of `text` right after them.
    Sees(String),
}

/// The folder of the book.
#[must_use]
pub fn book() -> PathBuf {
    repository().join("docs")
}

/// The paths of all chapters, in the order of the book.
///
/// # Panics
/// Where the book has no table of contents.
#[must_use]
pub fn chapters() -> Vec<String> {
    Chapter::load("SUMMARY.md").links
}

impl Chapter {
    /// Reads a chapter.
    ///
    /// # Panics
    /// Where there is none at this path.
    #[must_use]
    pub fn load(path: &str) -> Self {
        let file = book().join(path);
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Self::parse(path, &text)
    }

    fn parse(path: &str, text: &str) -> Self {
        let mut chapter = Self { path: path.to_owned(), steps: Vec::new(), links: Vec::new() };
        let mut paragraph = Paragraph::default();
        let mut block: Option<(String, String)> = None;
        let mut follows_commands = false;
        for event in Parser::new(text) {
            match event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                    block = Some((language.into_string(), String::new()));
                }
                Event::Text(text) if block.is_some() => {
                    if let Some((_, written)) = &mut block {
                        written.push_str(&text);
                    }
                }
                Event::End(TagEnd::CodeBlock) => {
                    let (language, written) = block.take().unwrap_or_default();
                    let step = step(&language, written, paragraph.file(), follows_commands);
                    follows_commands = matches!(step, Some(Step::Runs { .. }));
                    chapter.steps.extend(step);
                    paragraph = Paragraph::default();
                }
                Event::Start(Tag::Paragraph) => {
                    paragraph = Paragraph::default();
                    follows_commands = false;
                }
                Event::Start(Tag::Link { dest_url, .. }) if !dest_url.contains("://") => {
                    chapter.links.push(dest_url.into_string());
                }
                Event::Code(code) => paragraph.code = code.into_string(),
                Event::Text(text) => paragraph.rest = text.into_string(),
                _ => {}
            }
        }
        chapter
    }

    /// Whether the reader has anything to do.
    #[must_use]
    pub fn has_commands(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Runs { .. }))
    }

    /// Whether a command names something.
    #[must_use]
    pub fn names(&self, something: &str) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Runs { commands, .. } if commands.contains(something)))
    }
}

/// How a paragraph ends.
#[derive(Default)]
struct Paragraph {
    code: String,
    rest: String,
}

impl Paragraph {
    /// The file it ends with.
    fn file(&self) -> Option<String> {
        (self.rest == ":" && self.code.contains('.')).then(|| self.code.clone())
    }
}

fn step(language: &str, text: String, file: Option<String>, follows_commands: bool) -> Option<Step> {
    match (language, file) {
        ("sh", _) => Some(Step::Runs { commands: text, fails: false }),
        ("sh,fails", _) => Some(Step::Runs { commands: text, fails: true }),
        ("text", None) => follows_commands.then_some(Step::Sees(text)),
        (_, Some(file)) => Some(Step::Writes { file, text }),
        (_, None) => None,
    }
}

/// Whether commands have printed what the book shows. Numbers and the width of gaps may differ, and an … stands for anything.
#[must_use]
pub fn is_as_shown(shown: &str, printed: &str) -> bool {
    let (shown, printed) = (without_numbers(shown), without_numbers(printed));
    let parts: Vec<&str> = shown.trim().split('…').map(str::trim).collect();
    let (Some((first, others)), printed) = (parts.split_first(), printed.trim()) else { return false };
    let Some((last, middle)) = others.split_last() else { return printed == *first };
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// A text in which every number is `#`, and every gap or line one of its kind.
fn without_numbers(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let taken = match character {
            '0'..='9' => number(rest),
            ' ' | '─' => rest.len() - rest.trim_start_matches(character).len(),
            _ => character.len_utf8(),
        };
        plain.push(if character.is_ascii_digit() { '#' } else { character });
        rest = rest.split_at(taken).1;
    }
    plain.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

/// Bytes of the number that a text begins with; a point or a comma is part of it where a digit follows.
fn number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_digit = |place: usize| bytes.get(place).is_some_and(u8::is_ascii_digit);
    let is_within = |place: usize| matches!(bytes.get(place), Some(b'.' | b',')) && is_digit(place + 1);
    (0..).find(|&place| !is_digit(place) && !is_within(place)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_reader_is_to_do() {
        let text = "Look at `a.toml`. Put this into `src/lib.rs`:\n\n```rust,ignore\nfn f() {}\n```\n\nNow:\n\n```sh\nmake\n```\n\n\
                    ```text\ndone\n```\n\nSee [that](b.md).\n\n```text\nno output\n```\n\n```sh,fails\nfalse\n```\n\n```toml\nx = 1\n```\n";

        let chapter = Chapter::parse("a.md", text);

        let runs = |commands: &str, fails| Step::Runs { commands: commands.to_owned(), fails };
        assert_eq!(
            chapter.steps,
            [
                Step::Writes { file: "src/lib.rs".to_owned(), text: "fn f() {}\n".to_owned() },
                runs("make\n", false),
                Step::Sees("done\n".to_owned()),
                runs("false\n", true),
            ]
        );
        assert_eq!(chapter.links, ["b.md"]);
    }

    #[test]
    fn compares_all_but_numbers_gaps_and_what_was_left_out() {
        for (shown, printed) in [
            ("took 1.5 s, $0.01", "took 22.75 s,  $1"),
            ("sha256:…, 5. Then", "sha256:a3153, 1,000. Then"),
            ("a … c", "a b c"),
            ("…\nc\n…", "a\nb\nc\nd"),
            ("a\n…\nb", "a\nb\nx\nb"),
            ("───\n", "──────"),
            ("…", ""),
        ] {
            assert!(is_as_shown(shown, printed), "{shown:?} {printed:?}");
        }
        for (shown, printed) in
            [("a", "b"), ("a", "a\nb"), ("a … c", "a b"), ("…\nc", "c\nd"), ("b\n…", "a\nb"), ("", "a")]
        {
            assert!(!is_as_shown(shown, printed), "{shown:?} {printed:?}");
        }
    }
}
