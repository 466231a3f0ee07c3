//! The conversation as Gemini has it: turns of a user and a model in alternation, instructions apart.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;
use url::Url;

use super::model::Model;
use crate::provider::arguments::{as_object, with_text};
use crate::provider::call::Call;
use crate::provider::dialogue::{self, Assistant, Dialogue, Image, ToolResult, Turn};
use crate::provider::json::object;
use crate::provider::notes::{self, FOREIGN_REASONING};

/// What stands in, by Google's own documentation, for the signature of a call that another model made.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// A conversation.
#[derive(Debug, Default)]
pub(super) struct Contents<'a> {
    /// What the operator of the model wants.
    pub instructions: Vec<Part<'a>>,
    /// The turns.
    pub turns: Vec<Content<'a>>,
}

/// One turn.
#[derive(Debug, Serialize)]
pub(super) struct Content<'a> {
    role: Role,
    parts: Vec<Part<'a>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    User,
    Model,
}

/// A piece of a turn.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    #[serde(flatten)]
    piece: Piece<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Piece<'a> {
    Text(&'a str),
    InlineData(Blob<'a>),
    FileData(File<'a>),
    FunctionCall(FunctionCall<'a>),
    FunctionResponse(FunctionResponse<'a>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Blob<'a> {
    mime_type: &'a str,
    data: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    mime_type: &'static str,
    file_uri: &'a str,
}

#[derive(Debug, Serialize)]
struct FunctionCall<'a> {
    name: &'a str,
    args: Cow<'a, RawValue>,
}

#[derive(Debug, Serialize)]
struct FunctionResponse<'a> {
    name: &'a str,
    response: Cow<'a, RawValue>,
}

impl<'a> Contents<'a> {
    /// Writes the messages of a call down.
    pub(super) fn of(call: &Call<'a>, model: Model, notes: &mut Vec<String>) -> Self {
        let turns = &call.dialogue.turns;
        let current = turns.iter().rposition(|turn| matches!(turn, Turn::User(_)));
        let mut contents = Self::default();
        for (place, turn) in turns.iter().enumerate() {
            match turn {
                // An empty text is refused as an instruction.
                Turn::Instruction(text) if text.is_empty() => {}
                Turn::Instruction(text) => contents.instructions.push(Part::of(Piece::Text(text))),
                Turn::User(parts) => parts.iter().for_each(|part| contents.add_part(part)),
                Turn::Assistant(answer) => {
                    // Only the steps since the user last spoke are looked at for their signatures.
                    let needs_signature = model.wants_signatures && current.is_none_or(|current| place > current);
                    contents.add_answer(answer, call.provider, needs_signature, notes);
                }
                Turn::Tool(result) => contents.add_result(result),
            }
        }
        if contents.turns.is_empty() {
            // A request without any turn is refused, and instructions alone are a question too.
            std::mem::take(&mut contents.instructions).into_iter().for_each(|part| contents.push(Role::User, part));
        }
        contents
    }

    fn push(&mut self, role: Role, part: Part<'a>) {
        match self.turns.last_mut() {
            Some(last) if last.role == role => last.parts.push(part),
            Some(_) | None => self.turns.push(Content { role, parts: vec![part] }),
        }
    }

    fn add_part(&mut self, part: &'a dialogue::Part<'_>) {
        if let Some(piece) = piece(part) {
            self.push(Role::User, Part::of(piece));
        }
    }

    fn add_answer(
        &mut self,
        answer: &'a Assistant<'_>,
        provider: &str,
        needs_signature: bool,
        notes: &mut Vec<String>,
    ) {
        let own = |bound: &&'a dialogue::Bound<'_>| bound.origin == provider && bound.data.is_some();
        let foreign_thought = answer.bound.iter().any(|bound| !own(&bound));
        let foreign_call = answer.calls.iter().filter_map(|call| call.signature.as_ref());
        if foreign_thought || foreign_call.into_iter().any(|signature| signature.origin != provider) {
            notes::once(notes, FOREIGN_REASONING);
        }
        let mut signatures = answer.bound.iter().filter(own).filter_map(|bound| bound.data.as_deref());
        if !answer.text.is_empty() {
            let thought_signature = signatures.next();
            self.push(Role::Model, Part { piece: Piece::Text(&answer.text), thought_signature });
        }
        for signature in signatures {
            self.push(Role::Model, Part { piece: Piece::Text(""), thought_signature: Some(signature) });
        }
        for (place, call) in answer.calls.iter().enumerate() {
            let own = call.signature.as_ref().filter(|signature| signature.origin == provider);
            let stand_in = (place == 0 && needs_signature).then_some(NO_SIGNATURE);
            let thought_signature = own.map(|signature| &*signature.value).or(stand_in);
            let piece = Piece::FunctionCall(FunctionCall { name: &call.name, args: as_object(call, notes) });
            self.push(Role::Model, Part { piece, thought_signature });
        }
    }

    fn add_result(&mut self, result: &'a ToolResult<'_>) {
        // A result of a call that is not there has no name but its id, and a name there must be.
        let name = if result.name.is_empty() { &result.call_id } else { &result.name };
        let response = FunctionResponse { name, response: response(&result.content) };
        self.push(Role::User, Part::of(Piece::FunctionResponse(response)));
        let pictures = result.content.iter().filter(|part| matches!(part, dialogue::Part::Image(_)));
        pictures.for_each(|picture| self.add_part(picture));
    }
}

impl<'a> Part<'a> {
    fn of(piece: Piece<'a>) -> Self {
        Self { piece, thought_signature: None }
    }
}

/// The first part of a conversation that Gemini cannot be shown.
pub(super) fn unsupported(dialogue: &Dialogue<'_>) -> Option<String> {
    let parts = dialogue.turns.iter().flat_map(|turn| match turn {
        Turn::User(parts) => parts.as_slice(),
        Turn::Tool(result) => result.content.as_slice(),
        Turn::Instruction(_) | Turn::Assistant(_) => &[],
    });
    parts.into_iter().find_map(|part| match part {
        dialogue::Part::Other(kind) => Some(format!("content of type {kind}")),
        dialogue::Part::Image(_) if piece(part).is_none() => {
            Some("an image by an address that is not https or whose path names no known kind of image".to_owned())
        }
        dialogue::Part::Text(_) | dialogue::Part::Image(_) => None,
    })
}

fn piece<'a>(part: &'a dialogue::Part<'_>) -> Option<Piece<'a>> {
    match part {
        dialogue::Part::Text(text) => Some(Piece::Text(text)),
        dialogue::Part::Image(Image::Inline { media_type, base64 }) => {
            Some(Piece::InlineData(Blob { mime_type: media_type, data: base64 }))
        }
        dialogue::Part::Image(Image::Url(url)) => {
            Some(Piece::FileData(File { mime_type: image_type(url)?, file_uri: url }))
        }
        dialogue::Part::Other(_) => None,
    }
}

/// What kind of image an address leads to, by the end of its path: Backstop never looks for itself.
fn image_type(url: &str) -> Option<&'static str> {
    let url = Url::parse(url).ok().filter(|url| url.scheme() == "https")?;
    let (_, extension) = url.path().rsplit_once('.')?;
    match extension.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" => Some("image/jpeg"),
        "png" => Some("image/png"),
        "webp" => Some("image/webp"),
        "gif" => Some("image/gif"),
        "heic" => Some("image/heic"),
        _ => None,
    }
}

fn response<'a>(content: &'a [dialogue::Part<'_>]) -> Cow<'a, RawValue> {
    let text = dialogue::Part::join(content);
    let whole = match content {
        [dialogue::Part::Text(text)] => object(text).map(Cow::Borrowed),
        _ => object(&text).map(|object| Cow::Owned(object.to_owned())),
    };
    whole.unwrap_or_else(|| Cow::Owned(with_text(Some(("result", &text)))))
}
