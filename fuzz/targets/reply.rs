//! Any reply is a completion in OpenAI's shape or a failure. The first four bytes are the protocol, the status and how to read.

#![no_main]

use backstop::http::HeaderMap;
use backstop::provider::{classify, decode};
use backstop_fuzz::{head, is_json, protocol, reading};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [pick, status, more, how, body @ ..] = bytes else { return };
    // Half of the replies claim success: others are not read any further.
    let status = if more % 2 == 0 { 200 } else { 100 + 2 * u16::from(*status) };
    let headers = HeaderMap::new();
    let head = head(status, &headers);
    let body = Bytes::copy_from_slice(body);

    let failure = classify(&head, &body);
    let completion = decode(protocol(*pick), &head, &body, &reading(*how));

    assert!(failure.message.len() < 64 << 10);
    if let Ok(completion) = completion {
        assert!(is_json(&completion.body), "{completion:?}");
    }
});
