//! The question: words of the command line, standard input, or both.

use std::io::{self, IsTerminal, Read};

use super::exit::UsageError;

/// The longest question in bytes. No model takes more, and a wrong file in the pipe should be noticed before it is paid for.
const LONGEST: u64 = 10 * 1_000 * 1_000;

/// Stands for standard input.
const STDIN: &str = "-";

/// Reads the question. Standard input is read where the words say so with `-`, or where there are no words: a question
/// that is complete must not wait for whoever holds the other end of an inherited pipe open.
pub(crate) fn read(words: &[String]) -> Result<String, UsageError> {
    let stdin = io::stdin();
    if words.is_empty() && stdin.is_terminal() {
        return Err(UsageError(
            "there is no question: give it as an argument (`backstop ask \"...\"`) or on standard input".to_owned(),
        ));
    }
    assemble(words, stdin.lock())
}

fn assemble(words: &[String], input: impl Read) -> Result<String, UsageError> {
    let spoken: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != STDIN).collect();
    let spoken = spoken.join(" ");
    let wants_input = words.is_empty() || words.iter().any(|word| word == STDIN);
    let piped = if wants_input { read_bounded(input)? } else { String::new() };
    let parts = [spoken.trim(), piped.trim_end()];
    let question = parts.into_iter().filter(|part| !part.trim().is_empty()).collect::<Vec<_>>().join("\n\n");
    if question.is_empty() {
        return Err(UsageError("the question is empty".to_owned()));
    }
    Ok(question)
}

fn read_bounded(input: impl Read) -> Result<String, UsageError> {
    let mut bytes = Vec::new();
    let read = input.take(LONGEST + 1).read_to_end(&mut bytes);
    let read = read.map_err(|error| UsageError(format!("standard input cannot be read: {error}")))?;
    if u64::try_from(read).unwrap_or(u64::MAX) > LONGEST {
        return Err(UsageError("the question on standard input is longer than 10 MB: shorten it".to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| UsageError("the question on standard input is not UTF-8 text".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(words: &[&str], input: &[u8]) -> Result<String, String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        assemble(&words, input).map_err(|error| error.to_string())
    }

    #[test]
    fn joins_the_words_of_the_command_line() {
        assert_eq!(question(&["What", "is", "Rust?"], b"not read").unwrap(), "What is Rust?");
    }

    #[test]
    fn reads_standard_input_without_words_or_at_a_dash() {
        assert_eq!(question(&[], b"Why?\n").unwrap(), "Why?");
        assert_eq!(question(&["-"], b"Why?\n").unwrap(), "Why?");
    }

    #[test]
    fn appends_standard_input_to_the_words_at_a_dash() {
        assert_eq!(question(&["Sum up:", "-"], b"  one\ntwo\n").unwrap(), "Sum up:\n\n  one\ntwo");
    }

    #[test]
    fn refuses_what_is_no_question() {
        assert_eq!(question(&[], b" \n").unwrap_err(), "the question is empty");
        assert_eq!(question(&[" "], b"").unwrap_err(), "the question is empty");
        assert!(question(&[], &[0xff]).unwrap_err().contains("not UTF-8"));
    }

    #[test]
    fn refuses_more_than_ten_megabytes_without_reading_it_all() {
        let endless = io::repeat(b'a');

        let error = assemble(&[], endless).unwrap_err();

        assert_eq!(error.to_string(), "the question on standard input is longer than 10 MB: shorten it");
    }
}
