//! How a command says that it failed: a line or more on standard error, or one JSON object.

use std::io::Write;

use backstop::router::RouteError;
use serde_json::{Value, json};

use super::exit::{Exit, UsageError, is_closed_pipe};
use super::paint::{Tone, harmless, paint};

/// Tells an error on standard error, with its causes. A reader who has read enough is told nothing.
pub(crate) fn tell(error: &anyhow::Error, exit: Exit) {
    if is_closed_pipe(error) {
        return;
    }
    let mut stderr = anstream::stderr().lock();
    // Where standard error is gone, too, the exit code has to say it all.
    let _ = writeln!(stderr, "{} {}", paint(Tone::Bad, "error:"), harmless(&in_words(error)));
    if let Some(hint) = hint(error, exit) {
        let _ = writeln!(stderr, "{}", paint(Tone::Faint, hint));
    }
}

/// The error as an object in the shape of OpenAI's, with every attempt.
pub(crate) fn to_json(error: &anyhow::Error, exit: Exit) -> Value {
    let mut body = match error.chain().find_map(|cause| cause.downcast_ref::<RouteError>()) {
        Some(route) => route.to_json(),
        None => {
            let (kind, code) = kind_of_exit(exit);
            json!({"error": {"message": null, "type": kind, "code": code, "param": null, "attempts": []}})
        }
    };
    if let Some(message) = body.pointer_mut("/error/message") {
        *message = json!(in_words(error));
    }
    body
}

/// The error and its causes; a cause that the message before it has told already is not told twice.
fn in_words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if words.contains(&cause) {
            continue;
        }
        if !words.is_empty() {
            words.push_str(": ");
        }
        words.push_str(&cause);
    }
    words
}

fn kind_of_exit(exit: Exit) -> (&'static str, &'static str) {
    match exit {
        Exit::Usage => ("configuration_error", "usage"),
        Exit::NoProvider => ("provider_error", "all_providers_failed"),
        Exit::Budget => ("budget_error", "budget_exceeded"),
        Exit::Done | Exit::Failed | Exit::Interrupted => ("internal_error", "failed"),
    }
}

/// What to try next, where that is not in the message itself.
fn hint(error: &anyhow::Error, exit: Exit) -> Option<&'static str> {
    let is_usage = error.chain().any(|cause| cause.is::<UsageError>());
    match exit {
        Exit::Usage if is_usage => Some("`backstop --help` shows how it is used"),
        Exit::NoProvider => Some("`backstop doctor` shows which providers work"),
        Exit::Usage | Exit::Done | Exit::Failed | Exit::Budget | Exit::Interrupted => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_each_cause_once() {
        let error =
            anyhow::anyhow!("disk full").context("cannot write a.wasm").context("building failed: cannot write a.wasm");

        assert_eq!(in_words(&error), "building failed: cannot write a.wasm: disk full");
    }

    #[test]
    fn says_what_a_usage_error_is() {
        let error = anyhow::Error::new(UsageError("the question is empty".into()));

        let body = to_json(&error, Exit::of_error(&error));

        assert_eq!(
            body["error"],
            json!({
                "message": "the question is empty", "type": "configuration_error", "code": "usage", "param": null, "attempts": [],
            })
        );
    }
}
