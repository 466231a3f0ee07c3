//! The messages of a request, read as far as another protocol must know them.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use super::encode_error::EncodeError;
use super::json::{is_something, items, pick_from, words};

/// Parts of one message, and calls in it, that are taken. More are refused: a part left out would be lost in silence.
const MOST_PARTS: usize = 100_000;

/// A conversation, in the caller's order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dialogue<'a> {
    /// The turns.
    pub turns: Vec<Turn<'a>>,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn<'a> {
    /// What the operator of the model wants: role `system` or `developer`, wherever it stands.
    Instruction(Cow<'a, str>),
    /// What the user says and shows.
    User(Vec<Part<'a>>),
    /// What a model answered before.
    Assistant(Assistant<'a>),
    /// What a tool brought.
    Tool(ToolResult<'a>),
}

/// A piece of content.
#[derive(Debug, Clone, PartialEq)]
pub enum Part<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// An image.
    Image(Image<'a>),
    /// Anything else, by the name of its type: sound, a file.
    Other(Cow<'a, str>),
}

/// An image.
#[derive(Debug, Clone, PartialEq)]
pub enum Image<'a> {
    /// At an address, to be fetched by the provider; never by Backstop.
    Url(Cow<'a, str>),
    /// In the request itself.
    Inline {
        /// Such as `image/png`.
        media_type: Cow<'a, str>,
        /// Its bytes in base64.
        base64: Cow<'a, str>,
    },
}

/// An earlier answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Assistant<'a> {
    /// Its text, or its refusal.
    pub text: Cow<'a, str>,
    /// The tools it called.
    pub calls: Vec<ToolCall<'a>>,
    /// What only the provider that made it understands, such as signed thoughts.
    pub bound: Vec<Bound<'a>>,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall<'a> {
    /// Its id, as whoever made it wrote it.
    pub id: Cow<'a, str>,
    /// The tool.
    pub name: Cow<'a, str>,
    /// The arguments: JSON text, or what a model took for it.
    pub arguments: Cow<'a, str>,
    /// Gemini's thought signature, with the provider that made it.
    pub signature: Option<Signature<'a>>,
}

/// A signature, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature<'a> {
    /// The provider's name in the configuration.
    pub origin: Cow<'a, str>,
    /// The signature.
    pub value: Cow<'a, str>,
}

/// A thought of an earlier answer that its provider wants back: an item of `reasoning_details` that Backstop wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound<'a> {
    /// The provider that made it, by its name in the configuration.
    pub origin: Cow<'a, str>,
    /// The thought in words, where it may be read.
    pub text: Cow<'a, str>,
    /// The proof that it is the provider's own.
    pub signature: Option<Cow<'a, str>>,
    /// What stands in place of words that nobody may read.
    pub data: Option<Cow<'a, str>>,
}

/// The result of a tool's call.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolResult<'a> {
    /// The call's id.
    pub call_id: Cow<'a, str>,
    /// The tool, from the call that stands before; empty where there is none.
    pub name: Cow<'a, str>,
    /// What it brought.
    pub content: Vec<Part<'a>>,
}

impl<'a> Dialogue<'a> {
    /// Reads the messages of a request.
    ///
    /// # Errors
    /// The first message that is none, by its place.
    pub fn read(messages: &'a [Box<RawValue>]) -> Result<Self, EncodeError> {
        let mut turns = Vec::with_capacity(messages.len());
        let mut called = ToolsCalled::new();
        for (place, message) in messages.iter().enumerate() {
            let turn = read_turn(message, &called).map_err(|(field, expected)| EncodeError::Invalid {
                place: format!("messages[{place}]{field}"),
                expected,
            })?;
            if let Turn::Assistant(answer) = &turn {
                called.extend(answer.calls.iter().map(|call| (call.id.clone(), call.name.clone())));
            }
            turns.push(turn);
        }
        Ok(Self { turns })
    }
}

/// The tools that the calls so far asked for, by the calls' ids.
type ToolsCalled<'a> = HashMap<Cow<'a, str>, Cow<'a, str>>;

impl Part<'_> {
    /// The texts of parts, joined.
    #[must_use]
    pub fn join(parts: &[Self]) -> String {
        parts.iter().map(|part| if let Self::Text(text) = part { text } else { "" }).collect()
    }
}

/// What is wrong with a message: the field within it, and what belongs there.
type Wrong = (&'static str, &'static str);

fn read_turn<'a>(message: &'a RawValue, called: &ToolsCalled<'a>) -> Result<Turn<'a>, Wrong> {
    let fields =
        ["role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal", "reasoning_details"];
    let [role, content, name, calls, call_id, function_call, refusal, details] = pick_from(message, fields);
    let role = role.and_then(words).ok_or((".role", "one of system, developer, user, assistant, tool"))?;
    let parts = || content.map_or(Ok(Vec::new()), read_parts);
    match &*role {
        "system" | "developer" => Ok(Turn::Instruction(texts(&parts()?))),
        "user" => Ok(Turn::User(parts()?)),
        "assistant" => {
            let text = texts(&parts()?);
            let refused = refusal.and_then(words).filter(|_| text.is_empty());
            Ok(Turn::Assistant(Assistant {
                text: refused.unwrap_or(text),
                calls: calls_of(calls, function_call)?,
                bound: details
                    .map(|details| items(details, MOST_PARTS))
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|detail| bound(detail))
                    .collect(),
            }))
        }
        "tool" => {
            let call_id = call_id.and_then(words).ok_or((".tool_call_id", "the id of the tool call it answers"))?;
            let name = called.get(&call_id).cloned().or(name.and_then(words)).unwrap_or_default();
            Ok(Turn::Tool(ToolResult { call_id, name, content: parts()? }))
        }
        // The older form of the same: one function at a time, told apart by name.
        "function" => {
            let name = name.and_then(words).ok_or((".name", "the function's name"))?;
            Ok(Turn::Tool(ToolResult { call_id: name.clone(), name, content: parts()? }))
        }
        _ => Err((".role", "one of system, developer, user, assistant, tool")),
    }
}

/// Content is a string or a list of parts.
fn read_parts(content: &RawValue) -> Result<Vec<Part<'_>>, Wrong> {
    const EXPECTED: Wrong = (".content", "a string or a list of parts, each with its type");
    if let Some(text) = words(content) {
        return Ok(vec![Part::Text(text)]);
    }
    if !content.get().starts_with('[') {
        return Err(EXPECTED);
    }
    let parts = all_items(content).ok_or((".content", "a list of at most 100000 parts"))?;
    parts.into_iter().map(|part| read_part(part).ok_or(EXPECTED)).collect()
}

/// The items of a list; `None` where there are too many.
fn all_items(list: &RawValue) -> Option<Vec<&RawValue>> {
    Some(items(list, MOST_PARTS + 1)).filter(|items| items.len() <= MOST_PARTS)
}

fn read_part(part: &RawValue) -> Option<Part<'_>> {
    let [kind, text, refusal, image] = pick_from(part, ["type", "text", "refusal", "image_url"]);
    let kind = kind.and_then(words)?;
    match &*kind {
        "text" | "input_text" | "output_text" => Some(Part::Text(text.and_then(words)?)),
        "refusal" => Some(Part::Text(refusal.and_then(words)?)),
        "image_url" => {
            let [url] = pick_from(image?, ["url"]);
            // Some write the address itself in place of an object.
            Some(Part::Image(read_image(url.and_then(words).or_else(|| image.and_then(words))?)))
        }
        _ => Some(Part::Other(kind)),
    }
}

/// An address, or `data:image/png;base64,…`.
fn read_image(url: Cow<'_, str>) -> Image<'_> {
    let split = |url: &str| {
        let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
        let media_type = head.strip_suffix(";base64")?;
        Some((media_type.split(';').next().unwrap_or_default().len(), head.len(), data.len()))
    };
    let Some((media_length, head_length, data_length)) = split(&url) else { return Image::Url(url) };
    let (from, to) = ("data:".len(), "data:".len() + media_length);
    let data = "data:".len() + head_length + 1;
    let cut = |start: usize, end: usize| match &url {
        Cow::Borrowed(url) => Cow::Borrowed(url.get(start..end).unwrap_or_default()),
        Cow::Owned(url) => Cow::Owned(url.get(start..end).unwrap_or_default().to_owned()),
    };
    Image::Inline { media_type: cut(from, to), base64: cut(data, data + data_length) }
}

fn texts<'a>(parts: &[Part<'a>]) -> Cow<'a, str> {
    match parts {
        [] => Cow::Borrowed(""),
        [Part::Text(text)] => text.clone(),
        several => Cow::Owned(Part::join(several)),
    }
}

fn calls_of<'a>(calls: Option<&'a RawValue>, function_call: Option<&'a RawValue>) -> Result<Vec<ToolCall<'a>>, Wrong> {
    const EXPECTED: Wrong = (".tool_calls", "a list of calls, each with id and function");
    if let Some(function) = function_call.filter(|function| is_something(function)) {
        let [name, arguments] = pick_from(function, ["name", "arguments"]);
        let name = name.and_then(words).ok_or((".function_call", "an object with name and arguments"))?;
        let arguments = arguments.and_then(words).unwrap_or_default();
        return Ok(vec![ToolCall { id: name.clone(), name, arguments, signature: None }]);
    }
    let calls = calls.map(|calls| all_items(calls).ok_or((".tool_calls", "a list of at most 100000 calls")));
    calls.transpose()?.unwrap_or_default().into_iter().map(|call| read_call(call).ok_or(EXPECTED)).collect()
}

fn read_call(call: &RawValue) -> Option<ToolCall<'_>> {
    let [id, function, extra] = pick_from(call, ["id", "function", "extra_content"]);
    let [name, arguments] = pick_from(function?, ["name", "arguments"]);
    Some(ToolCall {
        id: id.and_then(words).unwrap_or_default(),
        name: name.and_then(words)?,
        // An object in place of its text has been seen of clients that replay Ollama's own form.
        arguments: arguments
            .map_or(Cow::Borrowed(""), |arguments| words(arguments).unwrap_or(Cow::Borrowed(arguments.get()))),
        signature: extra.and_then(signature),
    })
}

/// A signature counts only with its origin: whose it is could not be known otherwise.
fn signature(extra: &RawValue) -> Option<Signature<'_>> {
    let [google, backstop] = pick_from(extra, ["google", "backstop"]);
    let [value] = pick_from(google?, ["thought_signature"]);
    let [origin] = pick_from(backstop?, ["origin"]);
    Some(Signature { origin: words(origin?)?, value: words(value?)? })
}

fn bound(detail: &RawValue) -> Option<Bound<'_>> {
    let [origin, text, signature, data] = pick_from(detail, ["origin", "text", "signature", "data"]);
    Some(Bound {
        origin: words(origin?)?,
        text: text.and_then(words).unwrap_or_default(),
        signature: signature.and_then(words),
        data: data.and_then(words),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ChatRequest;

    #[test]
    fn reads_every_kind_of_message() {
        let body = r#"{"messages":[
            {"role":"developer","content":[{"type":"text","text":"Be "},{"type":"text","text":"brief."}]},
            {"role":"user","content":[{"type":"text","text":"Look"},
                {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},
                {"type":"image_url","image_url":{"url":"https://x.example/a.png"}},
                {"type":"input_audio","input_audio":{}}]},
            {"role":"assistant","content":null,
             "reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"s","origin":"anthropic"},{"text":"unmarked"}],
             "tool_calls":[{"id":"c1","type":"function","function":{"name":"look","arguments":"{\"a\":1}"},
                "extra_content":{"google":{"thought_signature":"t"},"backstop":{"origin":"gemini"}}}]},
            {"role":"tool","tool_call_id":"c1","content":"seen"}
        ]}"#;
        let request = ChatRequest::parse(body.as_bytes()).unwrap();

        let dialogue = Dialogue::read(request.messages()).unwrap();

        insta::assert_debug_snapshot!(dialogue.turns, @r#"
    [
        Instruction(
            "Be brief.",
        ),
        User(
            [
                Text(
                    "Look",
                ),
                Image(
                    Inline {
                        media_type: "image/png",
                        base64: "AAAA",
                    },
                ),
                Image(
                    Url(
                        "https://x.example/a.png",
                    ),
                ),
                Other(
                    "input_audio",
                ),
            ],
        ),
        Assistant(
            Assistant {
                text: "",
                calls: [
                    ToolCall {
                        id: "c1",
                        name: "look",
                        arguments: "{\"a\":1}",
                        signature: Some(
                            Signature {
                                origin: "gemini",
                                value: "t",
                            },
                        ),
                    },
                ],
                bound: [
                    Bound {
                        origin: "anthropic",
                        text: "hm",
                        signature: Some(
                            "s",
                        ),
                        data: None,
                    },
                ],
            },
        ),
        Tool(
            ToolResult {
                call_id: "c1",
                name: "look",
                content: [
                    Text(
                        "seen",
                    ),
                ],
            },
        ),
    ]
    "#);
    }

    #[test]
    fn refuses_more_parts_than_it_takes() {
        let parts = vec![r#"{"type":"text","text":"x"}"#; MOST_PARTS + 1].join(",");
        let body = format!(r#"{{"messages":[{{"role":"user","content":[{parts}]}}]}}"#);
        let request = ChatRequest::parse(body.as_bytes()).unwrap();

        let error = Dialogue::read(request.messages()).unwrap_err();

        assert_eq!(error.to_string(), "messages[0].content must be a list of at most 100000 parts");
    }

    #[test]
    fn names_the_message_that_is_none() {
        for (message, place) in [
            (r#"{"content":"x"}"#, "messages[0].role"),
            (r#"{"role":"root","content":"x"}"#, "messages[0].role"),
            (r#"{"role":"user","content":5}"#, "messages[0].content"),
            (r#"{"role":"user","content":[{"text":"x"}]}"#, "messages[0].content"),
            (r#"{"role":"tool","content":"x"}"#, "messages[0].tool_call_id"),
            (r#"{"role":"assistant","tool_calls":[{"id":"x"}]}"#, "messages[0].tool_calls"),
        ] {
            let request = ChatRequest::parse(format!(r#"{{"messages":[{message}]}}"#).as_bytes()).unwrap();

            let error = Dialogue::read(request.messages()).unwrap_err();

            assert!(error.to_string().starts_with(&format!("{place} must be ")), "{error}");
        }
    }
}
