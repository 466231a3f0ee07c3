//! One line in the log for each request.

use std::fmt;
use std::sync::Arc;

use crate::accounting::RecordSink;
use crate::clock::whole_ms;
use crate::types::{AttemptEnd, RequestRecord};

/// Writes the line. What the caller chose is quoted, so that it makes neither a line nor a field of its own.
#[derive(Debug, Clone, Copy)]
pub struct RequestLog;

impl RecordSink for RequestLog {
    fn ended(&self, record: &Arc<RequestRecord>) {
        let usage = record.usage.as_ref();
        tracing::info!(
            id = %record.id,
            route = %record.route,
            strategy = %record.strategy,
            outcome = %record.outcome.name(),
            error = record.error.map(display),
            served_by = record.served_by.as_ref().map(display),
            attempts = record.attempts.len(),
            failed_over = record.fail_overs().next().map(|_| FailOvers(record).to_string()),
            took_ms = whole_ms(record.took),
            first_token_ms = record.first_token().map(whole_ms),
            input_tokens = usage.map(|usage| usage.input),
            output_tokens = usage.map(|usage| usage.output),
            cost_usd = record.cost.map(|cost| display(cost.to_string().trim_start_matches('$').to_owned())),
            context = record.context(),
            labels = Some(&record.labels).filter(|labels| !labels.is_empty()).map(debug),
            tried = Some(Tried(record).to_string()).filter(|tried| !tried.is_empty()),
            "request",
        );
    }
}

/// `groq/llama: rate-limited 12ms; openai/gpt-4o: served 420ms`.
struct Tried<'a>(&'a RequestRecord);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, attempt) in self.0.attempts.iter().enumerate() {
            let end = match &attempt.end {
                AttemptEnd::Served => "served",
                AttemptEnd::Failed(failure) => failure.kind.name(),
                AttemptEnd::Cancelled => "cancelled",
            };
            let before = if index == 0 { "" } else { "; " };
            write!(f, "{before}{}: {end} {}ms", attempt.target, whole_ms(attempt.took))?;
        }
        Ok(())
    }
}

/// `groq>openai`, and so on.
struct FailOvers<'a>(&'a RequestRecord);

impl fmt::Display for FailOvers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (from, to)) in self.0.fail_overs().enumerate() {
            let before = if index == 0 { "" } else { ", " };
            write!(f, "{before}{from}>{to}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::telemetry::test_records::failed_over;

    #[test]
    fn sums_up_what_was_tried_and_who_was_left_for_whom() {
        let record = failed_over();

        assert_eq!(Tried(&record).to_string(), "groq/llama: rate-limited 12ms; openai/gpt-4o: served 420ms");
        assert_eq!(FailOvers(&record).to_string(), "groq>openai");
    }

    #[test]
    fn knows_a_first_token_of_streams_only() {
        let whole = failed_over();
        let stream = RequestRecord { streaming: true, ..failed_over() };

        assert_eq!((whole.first_token(), stream.first_token()), (None, Some(Duration::from_millis(432))));
    }
}
