//! Any reply names a wait of at most a year, or none. A line for each header of the list, then the body.

#![no_main]

use std::time::Duration;

use backstop::http::{HeaderMap, HeaderValue};
use backstop::provider::{quota_left, redact, wait_named};
use backstop_fuzz::head;
use libfuzzer_sys::fuzz_target;

const HEADERS: [&str; 6] =
    ["retry-after", "retry-after-ms", "date", "ratelimit", "x-ratelimit-reset", "x-ratelimit-remaining"];

fuzz_target!(|bytes: &[u8]| {
    let mut headers = HeaderMap::new();
    let mut rest = bytes;
    for name in HEADERS {
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { break };
        if let Ok(value) = HeaderValue::from_bytes(&rest[..end]) {
            headers.insert(name, value);
        }
        rest = &rest[end + 1..];
    }

    let wait = wait_named(&head(429, &headers), rest);
    let left = quota_left(&headers);
    let _ = redact(&String::from_utf8_lossy(rest));

    assert!(wait.is_none_or(|wait| wait <= Duration::from_secs(366 * 24 * 3600)), "{wait:?}");
    assert!(left.is_none_or(|left| (0.0..=1.0).contains(&left)), "{left:?}");
});
