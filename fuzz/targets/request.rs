//! Any request becomes JSON in each protocol or an error, whole and as a stream, begun and not.

#![no_main]

use backstop::ChatRequest;
use backstop::provider::{Call, Dialect, Dialogue, can_prefill, encode, unsupported};
use backstop_fuzz::{PROTOCOLS, is_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(request) = ChatRequest::parse(bytes) else { return };
    let _ = request.needs();
    let read = Dialogue::read(request.messages());
    let dialogue = read.clone().unwrap_or_default();
    for name in ["openai", "mistral", "groq"] {
        let dialect = Dialect::of(name, &"http://target.invalid".parse().unwrap());
        for (stream, prefill) in [(false, None), (true, None), (true, Some("The answer"))] {
            let (request, dialogue) = (&request, &dialogue);
            let call =
                Call { request, dialogue, provider: name, dialect, model: "o3", defaults: &[], stream, prefill };
            for protocol in PROTOCOLS {
                let refused = unsupported(protocol, &call);
                let _ = can_prefill(protocol, &call, None);
                // Messages that cannot be read reach only targets that are sent them as they are.
                if read.is_err() && protocol != PROTOCOLS[0] {
                    continue;
                }
                match encode(protocol, &call) {
                    Ok(encoded) => {
                        assert!(is_json(&encoded.body), "{protocol:?}: {encoded:?}");
                        assert_eq!(refused, None, "{protocol:?}");
                    }
                    Err(error) => assert!(!error.to_string().is_empty()),
                }
            }
        }
    }
});
