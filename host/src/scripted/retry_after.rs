//! The ways in which providers tell how long to wait.

use std::time::Duration;

use jiff::Timestamp;

/// How a reply tells when its limit is over. Each way but the last takes the wait, counted from the reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryAfter {
    /// It does not.
    Unsaid,
    /// `retry-after` in whole seconds, rounded up.
    Seconds(Duration),
    /// `retry-after-ms`, as OpenAI and Azure do beside the seconds.
    Milliseconds(Duration),
    /// `retry-after` as a date, rounded up to the second.
    Date(Duration),
    /// `x-ratelimit-reset-requests` as a length such as `6m0s` or `120ms`, as OpenAI and Groq do. The quota of requests
    /// is shown as used up, that of tokens as not.
    ResetRequests(Duration),
    /// `x-ratelimit-reset-tokens-minute` in seconds with a fraction, as Cerebras does.
    ResetFraction(Duration),
    /// `anthropic-ratelimit-requests-reset` as a moment, as Anthropic does.
    ResetMoment(Duration),
    /// `x-ratelimit-reset` in milliseconds since 1970, as OpenRouter does.
    ResetEpoch(Duration),
    /// `retry-after` with these values, one header for each, sound or not.
    Raw(Vec<String>),
}

impl RetryAfter {
    /// The headers that tell it, in a reply sent now.
    pub(super) fn headers(&self, now: Timestamp) -> Vec<(String, String)> {
        let pair = |name: &str, value: String| (name.to_owned(), value);
        match self {
            Self::Unsaid => Vec::new(),
            Self::Seconds(wait) => vec![pair("retry-after", whole_seconds(*wait).to_string())],
            Self::Milliseconds(wait) => vec![
                pair("retry-after-ms", wait.as_millis().to_string()),
                pair("retry-after", whole_seconds(*wait).to_string()),
            ],
            Self::Date(wait) => vec![pair("retry-after", http_date(after(now, *wait)))],
            Self::ResetRequests(wait) => vec![
                pair("x-ratelimit-limit-requests", "60".to_owned()),
                pair("x-ratelimit-limit-tokens", "6000".to_owned()),
                pair("x-ratelimit-remaining-requests", "0".to_owned()),
                pair("x-ratelimit-remaining-tokens", "5993".to_owned()),
                pair("x-ratelimit-reset-requests", go_duration(*wait)),
                pair("x-ratelimit-reset-tokens", "70ms".to_owned()),
            ],
            Self::ResetFraction(wait) => vec![
                pair("x-ratelimit-remaining-requests-day", "14399".to_owned()),
                pair("x-ratelimit-remaining-tokens-minute", "0".to_owned()),
                pair("x-ratelimit-reset-tokens-minute", wait.as_secs_f64().to_string()),
            ],
            Self::ResetMoment(wait) => vec![
                pair("anthropic-ratelimit-requests-remaining", "0".to_owned()),
                pair("anthropic-ratelimit-requests-reset", after(now, *wait).strftime("%FT%TZ").to_string()),
            ],
            Self::ResetEpoch(wait) => vec![
                pair("x-ratelimit-limit", "16".to_owned()),
                pair("x-ratelimit-remaining", "0".to_owned()),
                pair("x-ratelimit-reset", after(now, *wait).as_millisecond().to_string()),
            ],
            Self::Raw(values) => values.iter().map(|value| pair("retry-after", value.clone())).collect(),
        }
    }
}

/// A moment as HTTP writes it: `Thu, 09 Oct 2025 08:53:20 GMT`.
pub(super) fn http_date(moment: Timestamp) -> String {
    moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The moment after the wait, rounded up to the second: a date has no fractions, and must not be early.
fn after(now: Timestamp, wait: Duration) -> Timestamp {
    let exact = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
    match exact.subsec_nanosecond() {
        0 => exact,
        _ => Timestamp::from_second(exact.as_second().saturating_add(1)).unwrap_or(exact),
    }
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))
}

/// A length as the programs of Go write it: `1h2m3.5s`, `120ms`.
fn go_duration(length: Duration) -> String {
    if length < Duration::from_secs(1) {
        return format!("{}ms", length.as_millis());
    }
    let (hours, minutes) = (length.as_secs() / 3_600, length.as_secs() / 60 % 60);
    let seconds = (length - Duration::from_secs(hours * 3_600 + minutes * 60)).as_secs_f64();
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_wait_in_each_provider_s_own_way() {
        let now = Timestamp::from_second(1_760_000_000).unwrap();
        let wait = Duration::from_millis(361_500);
        let ways = [
            RetryAfter::Unsaid,
            RetryAfter::Seconds(wait),
            RetryAfter::Milliseconds(wait),
            RetryAfter::Date(wait),
            RetryAfter::ResetRequests(wait),
            RetryAfter::ResetFraction(wait),
            RetryAfter::ResetMoment(wait),
            RetryAfter::ResetEpoch(wait),
            RetryAfter::Raw(vec!["-1".to_owned(), "6m0s".to_owned()]),
        ];

        let told: Vec<String> = ways.iter().map(|way| format!("{:?}", way.headers(now))).collect();

        insta::assert_snapshot!(told.join("\n"), @r#"
        []
        [("retry-after", "362")]
        [("retry-after-ms", "361500"), ("retry-after", "362")]
        [("retry-after", "Thu, 09 Oct 2025 08:59:22 GMT")]
        [("x-ratelimit-limit-requests", "60"), ("x-ratelimit-limit-tokens", "6000"), ("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-remaining-tokens", "5993"), ("x-ratelimit-reset-requests", "6m1.5s"), ("x-ratelimit-reset-tokens", "70ms")]
        [("x-ratelimit-remaining-requests-day", "14399"), ("x-ratelimit-remaining-tokens-minute", "0"), ("x-ratelimit-reset-tokens-minute", "361.5")]
        [("anthropic-ratelimit-requests-remaining", "0"), ("anthropic-ratelimit-requests-reset", "2025-10-09T08:59:22Z")]
        [("x-ratelimit-limit", "16"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1760000362000")]
        [("retry-after", "-1"), ("retry-after", "6m0s")]
        "#);
    }

    #[test]
    fn writes_lengths_as_go_does() {
        let lengths = [120, 6_000, 90_250, 3_661_000].map(|ms| go_duration(Duration::from_millis(ms)));

        assert_eq!(lengths, ["120ms", "6s", "1m30.25s", "1h1m1s"]);
    }
}
