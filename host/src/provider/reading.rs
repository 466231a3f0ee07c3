//! How a reply is to be read: what the request that it answers was like.

/// What must be known of a request to read its reply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// The provider's name: marks what of the reply only that provider understands.
    pub origin: String,
    /// The model that was asked, for replies that name none.
    pub model: String,
    /// The answer was held to JSON by way of a tool: its arguments are the text.
    pub json_by_tool: bool,
    /// The caller wants a chunk with the usage at the end of a stream.
    pub stream_usage: bool,
    /// The vectors that were asked for; none of a chat.
    pub vectors: usize,
}
