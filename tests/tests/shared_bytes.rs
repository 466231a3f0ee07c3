//! The bytes of a stream in the caller's own protocol are copied once on their way: into the buffer they are read in.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use backstop::http::HeaderMap;
use backstop::transport::{HttpCall, HttpReply, Transport, TransportError};
use backstop::{Backstop, ChatRequest, Config, ProviderConfig};
use bytes::Bytes;

const STREAM: &[u8] = br#"data: {"choices":[{"index":0,"delta":{"content":"one"}}]}

data: {"choices":[{"index":0,"delta":{"content":" two"}}]}

data: {"choices":[{"index":0,"delta":{"content":" three"},"finish_reason":"stop"}]}

data: [DONE]

"#;

/// Brings the whole stream at once.
struct AtOnce;

impl Transport for AtOnce {
    fn send(&self, _: HttpCall) -> Pin<Box<dyn Future<Output = Result<HttpReply, TransportError>> + Send + '_>> {
        let body = Box::pin(futures_util::stream::iter([Ok(Bytes::from_static(STREAM))]));
        Box::pin(ready(Ok(HttpReply { status: 200, headers: HeaderMap::new(), body })))
    }
}

#[tokio::test]
async fn hands_on_slices_of_the_one_buffer_that_a_stream_is_read_in() {
    let mut config = Config::new();
    let provider = ProviderConfig::openai_compatible("http://p.invalid/v1".parse().unwrap()).with_model("m");
    config.providers.insert("p".to_owned(), provider);
    let backstop = Backstop::builder().config(config).transport(Arc::new(AtOnce)).build().await.unwrap();

    let mut stream = backstop.stream(ChatRequest::ask("hi")).await.unwrap();
    let mut events = Vec::new();
    while let Some(chunk) = stream.next().await {
        events.push(chunk.unwrap().raw);
    }

    let places: Vec<_> = events.iter().map(|event| event.as_ptr_range()).collect();
    assert_eq!(events.concat(), STREAM.strip_suffix(b"data: [DONE]\n\n").unwrap());
    assert!(places.windows(2).all(|pair| pair[0].end == pair[1].start), "one behind another: {places:?}");
    assert!(!STREAM.as_ptr_range().contains(&places[0].start), "the first copy is the splitter's");
}
