//! A stream's events, with the end mark behind a whole answer, and the error behind one that broke off.

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;

use crate::router::AnswerStream;

const DONE: &[u8] = b"data: [DONE]\n\n";

/// The events. A client that takes a missing end mark for an end is still told by the last event that it was none.
pub(super) fn events(stream: AnswerStream) -> impl Stream<Item = Bytes> + Send {
    // In a box: it is handed on with every event, and it is no small thing.
    unfold(Some(Box::new(stream)), async |stream| {
        let mut stream = stream?;
        match stream.next().await {
            Some(Ok(chunk)) => Some((chunk.raw, Some(stream))),
            Some(Err(broken)) => Some((Bytes::from(format!("data: {}\n\n", broken.to_json())), None)),
            None => Some((Bytes::from_static(DONE), None)),
        }
    })
}
