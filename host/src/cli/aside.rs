//! What is said beside an answer, on standard error: its steps and what it came to.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use backstop::client::Backstop;
use backstop::router::{Answer, AnswerStream, RouteError};
use backstop::types::{ChatRequest, Observer};

use super::narrator::{Narrator, Summary};
use super::paint::{Tone, paint};

/// What is said of an answer that no model gave.
pub(crate) const DEGRADED: &str = "no model answered: this is the fallback text";

/// Opens a stream, its steps told to whoever is there.
pub(crate) async fn open(
    backstop: &Backstop,
    request: ChatRequest,
    observer: Option<Arc<dyn Observer>>,
) -> Result<AnswerStream, RouteError> {
    match observer {
        Some(observer) => backstop.stream_observed(request, observer).await,
        None => backstop.stream(request).await,
    }
}

/// Somebody to tell the steps to, where they are to be told.
pub(crate) fn observer(verbose: bool) -> Option<Arc<dyn Observer>> {
    verbose.then(|| Arc::new(Narrator::default()) as Arc<dyn Observer>)
}

/// Says what an answer came to: always where it is no model's, else only where steps are told.
pub(crate) fn conclude(verbose: bool, summary: &Summary) {
    if summary.target.is_none() {
        tell(&[paint(Tone::Warn, DEGRADED)]);
    }
    if verbose {
        tell(&[paint(Tone::Good, summary)]);
    }
}

/// Writes lines to standard error. Where nobody reads it, nothing is lost that the exit code does not say.
pub(crate) fn tell(lines: &[String]) {
    let mut stderr = anstream::stderr().lock();
    for line in lines {
        let _ = writeln!(stderr, "{line}");
    }
}

/// What a whole answer came to.
pub(crate) fn summary(answer: &Answer) -> Summary {
    Summary {
        target: answer.target.clone(),
        attempts: answer.attempts,
        took: answer.took,
        usage: answer.usage,
        cost: answer.cost,
    }
}

/// What a streamed answer came to.
pub(crate) fn summary_of_stream(stream: &AnswerStream, took: Duration) -> Summary {
    Summary { target: stream.target.clone(), attempts: stream.attempts, took, usage: stream.usage, cost: stream.cost }
}
