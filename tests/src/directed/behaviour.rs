//! What a provider is told to do, as one word with its arguments: `answer:Hello`, `429:2`, `cut:3`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a provider does with a call, and the text that said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    text: String,
    /// What it does.
    pub act: Act,
}

/// What a provider does with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// `answer[:TEXT]`
    Answer(String),
    /// `slow:MS[:TEXT]`: the answer begins so late.
    Slow(Duration, String),
    /// `paced:MS[:TEXT]`: the tokens of a stream come so far apart.
    Paced(Duration, String),
    /// `tools[:ARGUMENTS]`: calls the first tool on offer; once it has the result, answers with it.
    Tools(String),
    /// `json[:TEXT]`: the text, which the forced tool takes as its arguments where there is one.
    Json(String),
    /// `STATUS[:MESSAGE]`: an error in the words of the protocol that was called.
    Status(u16, Option<String>),
    /// `429[:SECONDS]`
    RateLimited(Option<Duration>),
    /// `quota`: the account is empty.
    Quota,
    /// `context`: the request is too long for the model.
    ContextLength,
    /// `reset`: the connection is reset before anything is said.
    Reset,
    /// `silence`: nothing ever comes.
    Silence,
    /// `cut:TOKENS[:TEXT]`: the connection is reset after so many tokens.
    Cut(usize, String),
    /// `end:TOKENS[:TEXT]`: the stream ends in good HTTP order after so many tokens, without a word why.
    End(usize, String),
    /// `stall:TOKENS[:TEXT]`: nothing more comes after so many tokens.
    Stall(usize, String),
    /// `error:TOKENS[:TEXT]`: an error event after so many tokens.
    ErrorEvent(usize, String),
}

/// A text that names no behaviour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BehaviourError(String);

/// What is answered where nothing else is said. All providers say the same, so that one can go on where another broke off.
const TEXT: &str = "Paris is the capital of France and lies on the Seine.";

const ARGUMENTS: &str = r#"{"city":"Paris"}"#;

const OBJECT: &str = r#"{"city":"Paris","population":2102650}"#;

impl FromStr for Behaviour {
    type Err = BehaviourError;

    fn from_str(text: &str) -> Result<Self, BehaviourError> {
        Ok(Self { text: text.to_owned(), act: act(text).ok_or_else(|| BehaviourError(text.to_owned()))? })
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn act(text: &str) -> Option<Act> {
    let (word, rest) = match text.split_once(':') {
        Some((word, rest)) => (word, Some(rest)),
        None => (text, None),
    };
    let or = |default: &str| rest.unwrap_or(default).to_owned();
    Some(match word {
        "answer" => Act::Answer(or(TEXT)),
        "tools" => Act::Tools(or(ARGUMENTS)),
        "json" => Act::Json(or(OBJECT)),
        "429" => Act::RateLimited(match rest {
            Some(seconds) => Some(seconds_of(seconds)?),
            None => None,
        }),
        "quota" => Act::Quota,
        "context" => Act::ContextLength,
        "reset" => Act::Reset,
        "silence" => Act::Silence,
        "slow" | "paced" | "cut" | "end" | "stall" | "error" => counted(word, rest)?,
        _ => Act::Status(status_of(word)?, rest.map(str::to_owned)),
    })
}

/// The acts that begin with a number.
fn counted(word: &str, rest: Option<&str>) -> Option<Act> {
    let (count, text) = match rest?.split_once(':') {
        Some((count, text)) => (count, text.to_owned()),
        None => (rest?, TEXT.to_owned()),
    };
    let (tokens, wait) = (count.parse().ok()?, Duration::from_millis(count.parse().ok()?));
    Some(match word {
        "slow" => Act::Slow(wait, text),
        "paced" => Act::Paced(wait, text),
        "cut" => Act::Cut(tokens, text),
        "end" => Act::End(tokens, text),
        "stall" => Act::Stall(tokens, text),
        _ => Act::ErrorEvent(tokens, text),
    })
}

fn seconds_of(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

fn status_of(word: &str) -> Option<u16> {
    word.parse().ok().filter(|status| (400..600).contains(status))
}

impl fmt::Display for BehaviourError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no behaviour; --help lists them", self.0)
    }
}

impl std::error::Error for BehaviourError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_word_with_its_arguments() {
        let read = |text: &str| text.parse::<Behaviour>().unwrap().act;

        assert_eq!(read("answer:a: b"), Act::Answer("a: b".to_owned()));
        assert_eq!(read("answer"), Act::Answer(TEXT.to_owned()));
        assert_eq!(read("cut:3"), Act::Cut(3, TEXT.to_owned()));
        assert_eq!(read("slow:250:late"), Act::Slow(Duration::from_millis(250), "late".to_owned()));
        assert_eq!(read("429"), Act::RateLimited(None));
        assert_eq!(read("429:0.5"), Act::RateLimited(Some(Duration::from_millis(500))));
        assert_eq!(read("400:no such voice"), Act::Status(400, Some("no such voice".to_owned())));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for text in ["", "anwser", "cut", "cut:x", "200", "429:soon", "slow:-1"] {
            assert_eq!(text.parse::<Behaviour>(), Err(BehaviourError(text.to_owned())));
        }
    }
}
