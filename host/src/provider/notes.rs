//! What of a request was left out or put otherwise, for its record: each said once, however often it happens.

/// Reasoning that only its maker understands goes nowhere else.
pub(super) const FOREIGN_REASONING: &str = "reasoning of an earlier answer is left out: another provider made it";

/// A model was cut off, or erred, and the protocol takes objects only.
pub(super) const WRAPPED_ARGUMENTS: &str =
    "arguments of an earlier tool call that are no JSON object are sent as a text within one";

/// Says something, unless it has been said of this request before.
pub(super) fn once(notes: &mut Vec<String>, words: &str) {
    if !notes.iter().any(|note| note == words) {
        notes.push(words.to_owned());
    }
}
