//! What a scripted provider replies to each call.

use std::fmt;
use std::sync::Arc;

use super::{Answer, ReceivedCall, Reply};

/// The replies to the first call, the second, and so on; or a choice made for each call.
///
/// A list that has run out answers 501 and says so, unless it ends with [`forever`](Self::forever) or
/// [`in_turns`](Self::in_turns): a call that nobody expected is noticed.
#[derive(Clone)]
pub struct Script {
    source: Source,
}

#[derive(Clone)]
enum Source {
    List { replies: Vec<Reply>, after: AfterLast },
    Choice(Arc<dyn Fn(&ReceivedCall) -> Reply + Send + Sync>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AfterLast {
    SayItIsOver,
    RepeatLast,
    StartAgain,
}

impl Script {
    /// A script without replies yet.
    #[must_use]
    pub fn new() -> Self {
        Self { source: Source::List { replies: Vec::new(), after: AfterLast::SayItIsOver } }
    }

    /// The same reply to every call.
    #[must_use]
    pub fn always(reply: impl Into<Reply>) -> Self {
        Self::new().then(reply).forever()
    }

    /// A reply chosen for each call, by its model for instance.
    #[must_use]
    pub fn by(choose: impl Fn(&ReceivedCall) -> Reply + Send + Sync + 'static) -> Self {
        Self { source: Source::Choice(Arc::new(choose)) }
    }

    /// Adds the reply to the next call. A script that chooses for each call stays as it is.
    #[must_use]
    pub fn then(self, reply: impl Into<Reply>) -> Self {
        self.times(1, reply)
    }

    /// Adds the same reply to each of the next `count` calls. A script that chooses for each call stays as it is.
    #[must_use]
    pub fn times(mut self, count: usize, reply: impl Into<Reply>) -> Self {
        if let Source::List { replies, .. } = &mut self.source {
            replies.extend(std::iter::repeat_n(reply.into(), count));
        }
        self
    }

    /// Repeats the last reply for all further calls.
    #[must_use]
    pub fn forever(self) -> Self {
        self.after_last(AfterLast::RepeatLast)
    }

    /// Begins again with the first reply when the last was given.
    #[must_use]
    pub fn in_turns(self) -> Self {
        self.after_last(AfterLast::StartAgain)
    }

    /// The reply to a call, the first of which has place 0.
    pub(super) fn reply(&self, place: usize, call: &ReceivedCall) -> Reply {
        match &self.source {
            Source::Choice(choose) => choose(call),
            Source::List { replies, after } => {
                let place = match after {
                    AfterLast::SayItIsOver => Some(place),
                    AfterLast::RepeatLast => Some(place.min(replies.len().saturating_sub(1))),
                    AfterLast::StartAgain => place.checked_rem(replies.len()),
                };
                place.and_then(|place| replies.get(place)).cloned().unwrap_or_else(|| Reply::script_is_over(call))
            }
        }
    }

    fn after_last(mut self, then: AfterLast) -> Self {
        if let Source::List { after, .. } = &mut self.source {
            *after = then;
        }
        self
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Reply> for Script {
    /// The same reply to every call.
    fn from(reply: Reply) -> Self {
        Self::always(reply)
    }
}

impl From<Answer> for Script {
    /// The same answer to every call.
    fn from(answer: Answer) -> Self {
        Self::always(answer)
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::List { replies, after } => {
                f.debug_struct("Script").field("replies", replies).field("after", after).finish()
            }
            Source::Choice(_) => f.write_str("Script(chosen for each call)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn statuses(script: &Script, calls: usize) -> Vec<u16> {
        let call = ReceivedCall::with_body(json!({"model": "m"}));
        (0..calls).map(|place| script.reply(place, &call).status()).collect()
    }

    #[test]
    fn says_that_it_is_over_after_the_last_reply() {
        let script = Script::new().then(Reply::overloaded()).times(2, Reply::answer("yes"));

        assert_eq!(statuses(&script, 5), [503, 200, 200, 501, 501]);
    }

    #[test]
    fn repeats_the_last_reply_forever() {
        let script = Script::new().then(Reply::overloaded()).then(Reply::answer("yes")).forever();

        assert_eq!(statuses(&script, 4), [503, 200, 200, 200]);
    }

    #[test]
    fn begins_again_when_it_goes_in_turns() {
        let script = Script::new().then(Reply::overloaded()).then(Reply::answer("yes")).in_turns();

        assert_eq!(statuses(&script, 5), [503, 200, 503, 200, 503]);
    }

    #[test]
    fn is_over_from_the_start_without_replies() {
        assert_eq!(statuses(&Script::new().forever(), 1), [501]);
        assert_eq!(statuses(&Script::new().in_turns(), 1), [501]);
    }

    #[test]
    fn chooses_by_the_model() {
        let script = Script::by(|call| match call.model() {
            Some("m") => Reply::overloaded(),
            _ => Reply::answer("yes"),
        });

        assert_eq!(statuses(&script, 2), [503, 503]);
    }
}
