//! What a request is written of: messages, and the blocks within them.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

/// One message.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Message<'a> {
    /// Whose it is.
    pub role: Role,
    /// What it says; never nothing.
    pub content: Vec<Block<'a>>,
}

/// Whose a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    /// The user's, or that of the tools.
    User,
    /// The model's.
    Assistant,
}

/// A piece of a message.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    /// Text that is more than blanks: Anthropic refuses any other.
    Text {
        text: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    /// An image.
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    /// A thought in words.
    Thinking { thinking: &'a str, signature: &'a str },
    /// A thought that nobody may read.
    RedactedThinking { data: &'a str },
    /// A call of a tool.
    ToolUse {
        id: Cow<'a, str>,
        name: &'a str,
        input: Cow<'a, RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    /// What the tool brought.
    ToolResult {
        tool_use_id: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Self>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    /// In the caller's own words.
    #[serde(untagged)]
    Own(&'a RawValue),
}

/// Where an image is.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'a> {
    /// In the request itself.
    Base64 { media_type: &'a str, data: &'a str },
    /// At an address.
    Url { url: &'a str },
}
