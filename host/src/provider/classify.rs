//! Reply → failure: what follows from an answer that is none.

use bytes::Bytes;
use http::StatusCode;
use http::header::LOCATION;
use secrecy::ExposeSecret;
use url::Url;

use super::error_body::{ErrorBody, Form};
use super::redact::redact_key;
use super::{Head, rules, wait};
use crate::types::{Failure, FailureKind};

/// The largest body that is kept for the client.
const MOST_BYTES_KEPT: usize = 64 << 10;

/// Under 200 a text of more than this is some page rather than an error.
const SHORT_TEXT: usize = 1_024;

/// Tells why a reply does not serve the request. Of a success, why it is no completion.
#[must_use]
pub fn classify(head: &Head<'_>, body: &Bytes) -> Failure {
    let error = ErrorBody::read(body);
    let kind = kind(head, &error);
    let key = head.key.map(|key| key.expose_secret());
    let mut failure = Failure::new(kind, plain(&redact_key(&message(head, &error), key))).with_status(head.status);
    failure.code = error.code().map(|code| redact_key(code, key).into_owned());
    failure.retry_after = wait::named_for(kind, head, &error);
    failure.body = kept(body, key);
    failure
}

fn kind(head: &Head<'_>, error: &ErrorBody) -> FailureKind {
    if head.is_success() {
        return kind_of_success(error);
    }
    if let Some(kind) = kind_of_quotas(error).or_else(|| rules::look_up(error, head.status)) {
        return kind;
    }
    match error.form {
        Form::Html => kind_of_page(head.status),
        Form::Empty | Form::Error | Form::OtherJson | Form::Text => kind_of_status(head.status),
    }
}

/// An error under a success status, which may name the status it should have come under.
fn kind_of_success(error: &ErrorBody) -> FailureKind {
    let speaks = match error.form {
        Form::Error => true,
        Form::Html => true,
        Form::Text => error.message.len() <= SHORT_TEXT,
        Form::Empty | Form::OtherJson => false,
    };
    if !speaks {
        return FailureKind::MalformedReply;
    }
    let named = kind_of_quotas(error).or_else(|| rules::look_up(error, error.status.unwrap_or(0)));
    match (named, error.form) {
        (Some(kind), _) => kind,
        (None, Form::Error) => error.status.map_or(FailureKind::ServerError, kind_of_status),
        (None, Form::Empty | Form::OtherJson | Form::Html | Form::Text) => FailureKind::MalformedReply,
    }
}

/// Google says the same words of a minute's quota and of a day's: only the quota's own name tells them apart.
fn kind_of_quotas(error: &ErrorBody) -> Option<FailureKind> {
    let any = |part: &str| error.quotas.iter().any(|quota| quota.contains(part));
    if error.quotas.is_empty() && !error.codes.iter().any(|code| code == "RESOURCE_EXHAUSTED") {
        return None;
    }
    let says = |words: &str| error.words.contains(words);
    // A limit of nothing is no access at all; waiting a minute changes nothing.
    if any("perday") || any("permonth") || says("per day") || says("limit: 0,") {
        return Some(FailureKind::QuotaExhausted);
    }
    (any("perminute") || says("exceeded your current quota")).then_some(FailureKind::RateLimited)
}

/// A page in place of a reply comes from something before the API; it says nothing of keys, models or the request.
fn kind_of_page(status: u16) -> FailureKind {
    match status {
        401 | 402 | 407..=408 | 413 | 429 => kind_of_status(status),
        400..=499 => FailureKind::ServerError,
        _ => kind_of_status(status),
    }
}

fn kind_of_status(status: u16) -> FailureKind {
    match status {
        401 => FailureKind::Authentication,
        402 => FailureKind::QuotaExhausted,
        403 => FailureKind::Permission,
        404 | 410 => FailureKind::ModelNotFound,
        408 | 504 | 522 | 524 => FailureKind::Timeout,
        413 => FailureKind::ContextLength,
        425 | 429 => FailureKind::RateLimited,
        498 | 503 | 529 => FailureKind::Overloaded,
        // The address or the proxy is at fault, not what the client asked.
        405 | 407 | 421 | 426 => FailureKind::ServerError,
        400..=499 => FailureKind::InvalidRequest,
        200..=299 => FailureKind::MalformedReply,
        _ => FailureKind::ServerError,
    }
}

fn message(head: &Head<'_>, error: &ErrorBody) -> String {
    if (300..400).contains(&head.status) {
        return redirect(head);
    }
    let reason = StatusCode::from_u16(head.status).ok().and_then(|status| status.canonical_reason());
    let reason = reason.unwrap_or("a status that HTTP does not know");
    match (error.form, error.message.is_empty()) {
        (Form::Empty, _) => format!("no reply body ({reason})"),
        (Form::Html, true) => format!("a web page in place of a reply ({reason})"),
        (Form::Html, false) => format!("a web page in place of a reply: {}", error.message),
        (Form::OtherJson, _) if head.is_success() => "a reply that is no chat completion".to_owned(),
        (Form::Text, _) if head.is_success() => format!("a reply that is not JSON: {}", excerpt(&error.message)),
        (Form::Error | Form::OtherJson | Form::Text, true) => format!("an error without a message ({reason})"),
        (Form::Error | Form::OtherJson | Form::Text, false) => error.message.clone(),
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(120).collect()
}

/// Where a redirect points, without query and password.
fn redirect(head: &Head<'_>) -> String {
    let target = head.headers.get(LOCATION).and_then(|target| target.to_str().ok()).unwrap_or("nowhere");
    let shown = match Url::parse(target) {
        Ok(mut url) => {
            url.set_query(None);
            url.set_fragment(None);
            // Fails only where the address can have none.
            let _ = url.set_password(None).and_then(|()| url.set_username(""));
            url.to_string()
        }
        Err(_) => target.split(['?', '#']).next().unwrap_or_default().to_owned(),
    };
    format!("redirected to {}, which is not followed: set base_url to the final address", excerpt(&shown))
}

/// One line of visible text: what could steer a terminal or turn a line around is left out.
fn plain(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' if letters.next_if_eq(&'[').is_some() => {
                while letters.next_if(|letter| !('@'..='~').contains(letter)).is_some() {}
                letters.next();
            }
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {}
            letter if letter.is_control() || letter.is_whitespace() => {
                if !line.ends_with(' ') {
                    line.push(' ');
                }
            }
            letter => line.push(letter),
        }
    }
    line.trim().to_owned()
}

fn kept(body: &Bytes, key: Option<&str>) -> Option<Bytes> {
    if body.is_empty() || body.len() > MOST_BYTES_KEPT {
        return None;
    }
    let text = std::str::from_utf8(body).ok()?;
    match redact_key(text, key) {
        std::borrow::Cow::Borrowed(_) => Some(body.clone()),
        std::borrow::Cow::Owned(text) => Some(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use jiff::Timestamp;
    use proptest::prelude::*;
    use secrecy::SecretString;

    use super::*;
    use FailureKind as K;

    fn failure(status: u16, body: &str) -> Failure {
        let headers = HeaderMap::new();
        let head = Head { status, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };
        classify(&head, &Bytes::from(body.to_owned()))
    }

    #[test]
    fn decides_by_the_status_where_the_body_says_nothing() {
        for (status, kind) in [
            (204, FailureKind::MalformedReply),
            (400, FailureKind::InvalidRequest),
            (401, FailureKind::Authentication),
            (402, FailureKind::QuotaExhausted),
            (403, FailureKind::Permission),
            (404, FailureKind::ModelNotFound),
            (408, FailureKind::Timeout),
            (413, FailureKind::ContextLength),
            (418, FailureKind::InvalidRequest),
            (422, FailureKind::InvalidRequest),
            (429, FailureKind::RateLimited),
            (500, FailureKind::ServerError),
            (503, FailureKind::Overloaded),
            (504, FailureKind::Timeout),
            (520, FailureKind::ServerError),
            (524, FailureKind::Timeout),
            (529, FailureKind::Overloaded),
            (599, FailureKind::ServerError),
            (999, FailureKind::ServerError),
        ] {
            let failure = failure(status, "");
            assert_eq!((failure.kind, failure.status), (kind, Some(status)));
            assert!(!failure.message.is_empty());
        }
    }

    /// Shortened replies of real providers, each with its trap.
    const MISLEADING: &[(u16, K, &str)] = &[
        (
            429,
            K::QuotaExhausted,
            r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#,
        ),
        (429, K::RateLimited, r#"{"error":{"message":"Rate limit reached on tokens per min (TPM): Limit 30000"}}"#),
        (429, K::QuotaExhausted, r#"{"error":{"message":"Rate limit reached on tokens per day (TPD): Limit 100000"}}"#),
        (400, K::QuotaExhausted, r#"{"type":"error","error":{"message":"Your credit balance is too low to access"}}"#),
        (500, K::Overloaded, r#"{"type":"error","error":{"type":"api_error","message":"Overloaded"}}"#),
        (
            429,
            K::Overloaded,
            r#"{"message":"We're experiencing high traffic","param":"queue","code":"queue_exceeded"}"#,
        ),
        (429, K::Overloaded, r#"{"code":"Some resource has been exhausted","error":"temporarily at capacity."}"#),
        (429, K::RateLimited, r#"{"error":{"message":"60 queries per minute","type":"credit_limit"}}"#),
        (412, K::QuotaExhausted, r#"{"error":{"message":"suspended, possibly due to the monthly spending limit"}}"#),
        (401, K::QuotaExhausted, r#"{"error":{"message":"check your plan","type":"insufficient_quota","code":401}}"#),
        (403, K::QuotaExhausted, r#"{"error":{"message":"Key limit exceeded. Manage it","code":403}}"#),
        (400, K::Authentication, r#"{"code":"invalid-argument","error":"Incorrect API key provided."}"#),
        (400, K::Authentication, r#"[{"error":{"code":400,"details":[{"reason":"API_KEY_INVALID"}]}}]"#),
        (400, K::Permission, r#"{"error":{"message":"User location is not supported for the API use."}}"#),
        (400, K::ModelNotFound, r#"{"error":{"code":"model_decommissioned","message":"gone"}}"#),
        (400, K::ModelNotFound, r#"{"error":{"message":"Model Not Exist","type":"invalid_request_error"}}"#),
        (403, K::ContentFiltered, r#"{"error":"Content violates usage guidelines. Failed check: SAFETY"}"#),
        (400, K::ContentFiltered, r#"data:{"error":{"code":"421","message":"Moderation Block"}}"#),
        (413, K::RateLimited, r#"{"error":{"message":"Request too large for model","code":"rate_limit_exceeded"}}"#),
        (400, K::ContextLength, r#"{"message":"too many tokens: size limit exceeded by 2"}"#),
        (500, K::RateLimited, r#"{"error":"Too many requests, please slow down"}"#),
        (400, K::RateLimited, "Rate limit exceeded"),
        (403, K::ServerError, "<html><title>Attention Required! | Cloudflare</title></html>"),
        (502, K::ServerError, "<html><title>502 Bad Gateway</title></html>"),
        (
            413,
            K::ContextLength,
            r#"{"error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
        ),
        (429, K::QuotaExhausted, r#"{"error":{"message":"limit: 0, model: x","status":"RESOURCE_EXHAUSTED"}}"#),
        (429, K::QuotaExhausted, r#"{"error":{"message":"credits are depleted","status":"RESOURCE_EXHAUSTED"}}"#),
        (401, K::Permission, r#"{"error":{"message":"You have insufficient permissions. Missing scopes: x"}}"#),
        (400, K::ContextLength, r#"{"error":{"message":"`inputs` tokens + `max_new_tokens` must be <= 8193"}}"#),
        (404, K::ModelNotFound, r#"{"error":{"message":"No endpoints found for x:free.","code":404}}"#),
        (503, K::Overloaded, r#"{"error":"Model x is currently loading","estimated_time":20.0}"#),
        (200, K::QuotaExhausted, r#"{"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}"#),
        (200, K::Timeout, r#"{"error":{"message":"Request timed out","code":408}}"#),
        (524, K::Timeout, r#"{"error":{"code":524,"type":"cf_gateway_timeout"}}"#),
        (200, K::MalformedReply, "<html><title>Sign in</title></html>"),
        (429, K::RateLimited, "<html><title>429 Too Many Requests</title></html>"),
    ];

    #[test]
    fn sees_through_misleading_statuses() {
        for (status, kind, body) in MISLEADING {
            assert_eq!(failure(*status, body).kind, *kind, "{status} {body}");
        }
    }

    #[test]
    fn tells_a_day_from_a_minute_by_the_quotas_name() {
        let gemini = |quota: &str| {
            let words = "You exceeded your current quota, please check your plan and billing details.";
            let details = format!(r#"[{{"violations":[{{"quotaId":"{quota}"}}]}},{{"retryDelay":"26s"}}]"#);
            let status = "RESOURCE_EXHAUSTED";
            failure(429, &format!(r#"{{"error":{{"message":"{words}","status":"{status}","details":{details}}}}}"#))
        };

        assert_eq!(gemini("GenerateRequestsPerDayPerProject").kind, FailureKind::QuotaExhausted);
        assert_eq!(gemini("GenerateTokensPerModelPerMinute").kind, FailureKind::RateLimited);
        assert_eq!(gemini("").kind, FailureKind::RateLimited);
        assert_eq!(gemini("").retry_after, Some(std::time::Duration::from_secs(26)));
    }

    #[test]
    fn a_clients_own_words_do_not_count() {
        let echo = r#"{"error":{"message":"Invalid value: 'rate limit exceeded, insufficient balance' for role"}}"#;

        assert_eq!(failure(400, echo).kind, FailureKind::InvalidRequest);
    }

    #[test]
    fn shows_the_providers_words_in_one_clean_line() {
        let failure =
            failure(400, "{\"error\":{\"message\":\" a\\u001b[31mb\\n\\n\\u202ec\\u0000 d \",\"code\":\"x\"}}");

        assert_eq!(failure.message, "ab c d");
        assert_eq!(failure.code.as_deref(), Some("x"));
        assert_eq!(failure.to_string(), "invalid-request (HTTP 400): ab c d");
    }

    #[test]
    fn keeps_no_key_in_message_or_body() {
        let headers = HeaderMap::new();
        let key = SecretString::from("canary-0815");
        let head = Head { status: 401, headers: &headers, now: Timestamp::UNIX_EPOCH, key: Some(&key) };
        let body = Bytes::from_static(br#"{"error":{"message":"no user canary-0815, no gsk_abcdefghijklmnop"}}"#);

        let failure = classify(&head, &body);

        assert_eq!(failure.message, "no user [key removed], no [key removed]");
        assert_eq!(
            failure.body.as_deref(),
            Some(br#"{"error":{"message":"no user [key removed], no [key removed]"}}"#.as_slice())
        );
    }

    #[test]
    fn says_where_a_redirect_points_without_what_is_secret() {
        let headers = HeaderMap::from_iter([(LOCATION, "https://u:p@evil.example/x?token=1#f".parse().unwrap())]);
        let head = Head { status: 301, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };

        let failure = classify(&head, &Bytes::new());

        assert_eq!(failure.kind, FailureKind::ServerError);
        let words = "redirected to https://evil.example/x, which is not followed: set base_url to the final address";
        assert_eq!(failure.message, words);
    }

    #[test]
    fn bounds_what_it_keeps() {
        let failure = failure(400, &format!(r#"{{"error":{{"message":"{}"}}}}"#, "é".repeat(100_000)));

        assert_eq!(failure.message.chars().count(), Failure::MAX_MESSAGE);
        assert_eq!(failure.body, None);
    }

    proptest! {
        #[test]
        fn never_panics_on_bytes(status in 0_u16..1_100, body in prop::collection::vec(any::<u8>(), 0..200)) {
            let headers = HeaderMap::new();
            let head = Head { status, headers: &headers, now: Timestamp::UNIX_EPOCH, key: None };
            let failure = classify(&head, &Bytes::from(body));
            prop_assert!(failure.message.chars().count() <= Failure::MAX_MESSAGE);
        }

        #[test]
        fn never_panics_on_odd_errors(
            status in 100_u16..600,
            error in "(null|7|\"\\PC{0,9}\"|\\{\"(message|code|details|metadata)\":(null|7|\\[[0-9]?\\]|\\{\\}|\"\\PC{0,9}\")\\})",
        ) {
            let failure = failure(status, &format!("{{\"error\":{error}}}"));
            prop_assert_eq!(failure.status, Some(status));
        }
    }
}
