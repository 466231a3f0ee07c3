//! How the reply of another target joins what the caller already has: byte for byte, or not at all.

use crate::provider::{CallPiece, ChunkFacts};

use super::transcript::Transcript;

/// The shortest text in bytes that a target is asked to go on from.
const LEAST: usize = 8;

/// How a reply joins what the caller already has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Seam {
    /// The caller has nothing yet, or the reply has caught up: everything passes.
    #[default]
    None,
    /// The target was asked to go on with the text. As long as what it says might be that text once more, it is kept back: a
    /// target that does not know how to go on begins anew.
    Continue {
        /// What the caller has. Blanks at its end were not sent along, and may come again.
        sent: String,
        /// What the target has said and the caller has not been given.
        held: String,
    },
    /// The target answers afresh: what equals the part already sent is kept back, and the first difference ends it.
    Restart {
        /// What the caller has.
        sent: Transcript,
        /// What the target has said so far.
        seen: Transcript,
    },
}

/// What becomes of an event at the seam.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Joined {
    /// It passes as it is.
    Whole,
    /// The caller has all of it.
    Nothing,
    /// The caller has part of it: this is the rest.
    Rest {
        /// Text.
        text: String,
        /// Pieces of calls.
        calls: Vec<CallPiece>,
    },
}

/// The new answer is not the one that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Differs;

impl Seam {
    /// A seam for a target that was given the beginning of the text.
    pub(super) fn after_prefill(text: &str) -> Self {
        Self::Continue { sent: text.to_owned(), held: String::new() }
    }

    /// Whether there is enough to go on from: a few letters may well come again where a target really goes on, and then it
    /// could not be told from one that begins anew.
    pub(super) fn can_go_on_from(text: &str) -> bool {
        text.trim().len() >= LEAST
    }

    /// A seam for a target that answers afresh.
    pub(super) fn afresh(sent: Transcript) -> Self {
        Self::Restart { sent, seen: Transcript::default() }
    }

    /// Whether an answer that ends without a word is whole: what was to be gone on with may have been all.
    pub(super) fn may_end_empty(&self) -> bool {
        matches!(self, Self::Continue { .. })
    }

    /// Joins an event.
    ///
    /// # Errors
    /// When a fresh answer differs from what the caller has, or ends before it.
    pub(super) fn join(&mut self, facts: &ChunkFacts) -> Result<Joined, Differs> {
        let says_nothing = facts.text.is_empty() && facts.calls.is_empty() && facts.finish_reason.is_none();
        match self {
            Self::None => Ok(Joined::Whole),
            // The role and thoughts of a second beginning: the caller has had a beginning.
            Self::Continue { .. } | Self::Restart { .. } if says_nothing => {
                Ok(if facts.is_usage_only { Joined::Whole } else { Joined::Nothing })
            }
            Self::Continue { sent, held } => {
                held.push_str(&facts.text);
                let is_over = facts.finish_reason.is_some();
                if sent.starts_with(held.as_str()) && held != sent && facts.calls.is_empty() && !is_over {
                    return Ok(Joined::Nothing);
                }
                // It began anew and stopped before it was where the first answer had been.
                if is_over && held.len() >= LEAST && held != sent && sent.starts_with(held.as_str()) {
                    return Err(Differs);
                }
                let beyond = held.strip_prefix(sent.trim_end()).unwrap_or(held);
                let text = without_blanks(sent, beyond).to_owned();
                let calls = facts.calls.clone();
                *self = Self::None;
                let has_rest = !text.is_empty() || !calls.is_empty() || is_over;
                Ok(if has_rest { Joined::Rest { text, calls } } else { Joined::Nothing })
            }
            Self::Restart { sent, seen } => {
                let joined = catch_up(sent, seen, facts)?;
                if is_caught_up(sent, seen) {
                    *self = Self::None;
                } else if facts.finish_reason.is_some() {
                    return Err(Differs);
                }
                Ok(joined)
            }
        }
    }
}

/// What a target goes on with, without the blanks that the caller has already.
fn without_blanks<'a>(sent: &str, new: &'a str) -> &'a str {
    let blanks = sent.get(sent.trim_end().len()..).unwrap_or_default();
    let same = new.chars().zip(blanks.chars()).take_while(|(new, old)| new == old);
    let again: usize = same.map(|(new, _)| new.len_utf8()).sum();
    new.get(again..).unwrap_or_default()
}

fn catch_up(sent: &Transcript, seen: &mut Transcript, facts: &ChunkFacts) -> Result<Joined, Differs> {
    let text = beyond(&sent.text, &mut seen.text, &facts.text)?;
    let mut calls = Vec::new();
    for piece in &facts.calls {
        calls.extend(call_beyond(sent, seen, piece)?);
    }
    if text.is_empty() && calls.is_empty() && facts.finish_reason.is_none() {
        return Ok(Joined::Nothing);
    }
    Ok(Joined::Rest { text, calls })
}

/// What a call's piece adds to what the caller has of it.
fn call_beyond(sent: &Transcript, seen: &mut Transcript, piece: &CallPiece) -> Result<Option<CallPiece>, Differs> {
    let before = seen.clone();
    let place = seen.add_call(piece);
    let (Some(had), Some(now)) = (sent.calls.get(place), seen.calls.get(place)) else { return Ok(Some(piece.clone())) };
    if !had.name.starts_with(&now.name) {
        return Err(Differs);
    }
    let mut arguments = before.calls.get(place).map(|call| call.arguments.clone()).unwrap_or_default();
    let rest = beyond(&had.arguments, &mut arguments, &piece.arguments)?;
    // The caller knows the call by the id that was sent first.
    let rest = CallPiece { index: had.index, arguments: rest, ..CallPiece::default() };
    Ok(Some(rest).filter(|rest| !rest.arguments.is_empty()))
}

/// Adds new words to those seen, and tells which of them are beyond those sent.
fn beyond(sent: &str, seen: &mut String, new: &str) -> Result<String, Differs> {
    let before = seen.len();
    seen.push_str(new);
    if !seen.starts_with(sent) && !sent.starts_with(seen.as_str()) {
        return Err(Differs);
    }
    Ok(seen.get(before.max(sent.len())..).unwrap_or_default().to_owned())
}

fn is_caught_up(sent: &Transcript, seen: &Transcript) -> bool {
    let has_call = |place: usize| {
        let (had, now) = (sent.calls.get(place), seen.calls.get(place));
        had.zip(now).is_some_and(|(had, now)| had.name == now.name && now.arguments.len() >= had.arguments.len())
    };
    seen.text.len() >= sent.text.len() && (0..sent.calls.len()).all(has_call)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(words: &str) -> ChunkFacts {
        ChunkFacts { text: words.to_owned(), has_content: true, ..ChunkFacts::default() }
    }

    fn finish() -> ChunkFacts {
        ChunkFacts { finish_reason: Some("stop".to_owned()), ..ChunkFacts::default() }
    }

    fn call(index: usize, id: Option<&str>, name: Option<&str>, arguments: &str) -> CallPiece {
        CallPiece {
            index,
            id: id.map(str::to_owned),
            name: name.map(str::to_owned),
            arguments: arguments.to_owned(),
            signature: None,
        }
    }

    fn calls(pieces: &[CallPiece]) -> ChunkFacts {
        ChunkFacts { calls: pieces.to_vec(), has_content: true, ..ChunkFacts::default() }
    }

    fn sent(text: &str, pieces: &[CallPiece]) -> Transcript {
        let mut transcript = Transcript { text: text.to_owned(), calls: Vec::new() };
        for piece in pieces {
            transcript.add_call(piece);
        }
        transcript
    }

    fn rest(text: &str) -> Joined {
        Joined::Rest { text: text.to_owned(), calls: Vec::new() }
    }

    #[test]
    fn keeps_back_the_role_and_the_thoughts_of_a_second_beginning() {
        for mut seam in [Seam::after_prefill("One"), Seam::afresh(sent("One", &[]))] {
            let thought = ChunkFacts { has_content: true, ..ChunkFacts::default() };

            assert_eq!(seam.join(&ChunkFacts::default()), Ok(Joined::Nothing));
            assert_eq!(seam.join(&thought), Ok(Joined::Nothing));
        }
    }

    #[test]
    fn drops_blanks_that_the_caller_has_when_a_target_goes_on() {
        let mut seam = Seam::after_prefill("One by one \n");

        assert_eq!(seam.join(&text(" \n two")), Ok(rest(" two")));
        assert_eq!(seam.join(&text(" three")), Ok(Joined::Whole));
    }

    #[test]
    fn keeps_back_the_beginning_that_a_target_repeats_instead_of_going_on() {
        let mut seam = Seam::after_prefill("One by one");

        assert_eq!(seam.join(&text("One by")), Ok(Joined::Nothing));
        assert_eq!(seam.join(&text(" one, two")), Ok(rest(", two")));
        assert_eq!(seam.join(&text(" by two")), Ok(Joined::Whole));
    }

    #[test]
    fn keeps_back_a_repeated_beginning_that_came_without_its_blanks() {
        let mut seam = Seam::after_prefill("One by one \n");

        assert_eq!(seam.join(&text("One by one")), Ok(Joined::Nothing));
        assert_eq!(seam.join(&text("\ntwo")), Ok(rest("\ntwo")));
    }

    #[test]
    fn gives_what_only_looked_like_the_beginning_once_more() {
        let mut seam = Seam::after_prefill("One by one");
        let mut ended = Seam::after_prefill("One by one");

        assert_eq!(seam.join(&text("One")), Ok(Joined::Nothing));
        assert_eq!(seam.join(&text(" more")), Ok(rest("One more")));
        assert_eq!(ended.join(&text("One")), Ok(Joined::Nothing));
        assert_eq!(ended.join(&finish()), Ok(rest("One")));
    }

    #[test]
    fn takes_no_shorter_second_answer_for_the_rest_of_the_first() {
        let mut seam = Seam::after_prefill("One by one by one");

        assert_eq!(seam.join(&text("One by one")), Ok(Joined::Nothing));
        assert_eq!(seam.join(&finish()), Err(Differs));
    }

    #[test]
    fn ends_at_the_first_difference_of_a_fresh_answer() {
        let mut other = Seam::afresh(sent("One two", &[]));
        let mut shorter = Seam::afresh(sent("One two", &[]));

        assert_eq!(other.join(&text("One ")), Ok(Joined::Nothing));
        assert_eq!(other.join(&text("three")), Err(Differs));
        assert_eq!(shorter.join(&text("One")), Ok(Joined::Nothing));
        assert_eq!(shorter.join(&finish()), Err(Differs));
    }

    #[test]
    fn completes_a_call_with_the_same_call_and_under_its_first_id() {
        let begun = [call(0, Some("a"), Some("add"), "{\"x\":")];
        let mut seam = Seam::afresh(sent("", &begun));

        let opening = seam.join(&calls(&[call(0, Some("b"), Some("add"), "")]));
        let arguments = seam.join(&calls(&[call(0, None, None, "{\"x\":12")]));

        assert_eq!(opening, Ok(Joined::Nothing));
        assert_eq!(arguments, Ok(Joined::Rest { text: String::new(), calls: vec![call(0, None, None, "12")] }));
        assert_eq!(seam, Seam::None);
    }

    #[test]
    fn never_splices_calls_that_differ() {
        let begun = [call(0, Some("a"), Some("add"), "{\"x\":1")];

        let name = Seam::afresh(sent("", &begun)).join(&calls(&[call(0, Some("b"), Some("sub"), "")]));
        let arguments = Seam::afresh(sent("", &begun)).join(&calls(&[call(0, Some("b"), Some("add"), "{\"y\"")]));

        assert_eq!((name, arguments), (Err(Differs), Err(Differs)));
    }

    proptest! {
        #[test]
        fn gives_the_caller_the_whole_answer_once_wherever_it_was_cut(
            answer in "[a-zä€😀 \n]{0,40}",
            cut in any::<prop::sample::Index>(),
            splits in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let boundaries: Vec<usize> = (0..=answer.len()).filter(|place| answer.is_char_boundary(*place)).collect();
            let at = |index: &prop::sample::Index| *index.get(&boundaries);
            let mut places: Vec<usize> = splits.iter().map(at).chain([0, answer.len()]).collect();
            places.sort_unstable();
            let mut delivered = answer[..at(&cut)].to_owned();
            let mut seam = Seam::afresh(sent(&delivered, &[]));

            for pair in places.windows(2) {
                let facts = text(&answer[pair[0]..pair[1]]);
                match seam.join(&facts).unwrap() {
                    Joined::Whole => delivered.push_str(&facts.text),
                    Joined::Rest { text, .. } => delivered.push_str(&text),
                    Joined::Nothing => {}
                }
            }

            prop_assert_eq!(delivered, answer);
            prop_assert!(seam.join(&finish()).is_ok());
        }
    }
}
