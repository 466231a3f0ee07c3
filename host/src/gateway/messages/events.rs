//! A stream's events, with Anthropic's end behind a whole answer, and the error behind one that broke off.

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;

use crate::router::AnswerStream;

use super::error;
use super::manner::Manner;
use super::stream::Writer;

/// The events. One that broke off has no `message_stop`: clients take its lack for what it is.
pub(super) fn events(stream: AnswerStream, manner: Manner) -> impl Stream<Item = Bytes> + Send {
    let writer = Writer::new(stream.id, manner);
    unfold(Some((stream, writer)), async |state| {
        let (mut stream, mut writer) = state?;
        loop {
            match stream.next().await {
                Some(Ok(chunk)) => {
                    let events = writer.write(&chunk.raw);
                    // An empty piece would be nothing to send.
                    if !events.is_empty() {
                        return Some((events, Some((stream, writer))));
                    }
                }
                Some(Err(broken)) => return Some((error::event(&broken), None)),
                None => return Some((writer.end(stream.finish_reason.take(), stream.usage), None)),
            }
        }
    })
}
