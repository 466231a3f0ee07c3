//! A chat request in this protocol.

use std::borrow::Cow;

use bytes::Bytes;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::value::RawValue;

use super::messages::{self, Message};
use super::options::{Options, Think, options, think};
use crate::provider::call::{Call, Encoded};
use crate::provider::encode_error::EncodeError;
use crate::provider::wishes::{Format, Tool, ToolChoice, Wishes};

/// Fields of Ollama's own that a caller may set.
const OWN_FIELDS: [&str; 7] = ["keep_alive", "think", "format", "template", "raw", "truncate", "shift"];

/// Fields of Ollama's own that become part of `options`.
const OPTIONS: [&str; 2] = ["options", "top_k"];

/// What a tool without arguments takes.
const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOut<'a>>,
    /// Always written out: Ollama streams where nothing is said.
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    options: Options<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Think>,
    #[serde(flatten)]
    own: IndexMap<&'a str, &'a RawValue>,
}

#[derive(Serialize)]
struct ToolOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: FunctionOut<'a>,
}

#[derive(Serialize)]
struct FunctionOut<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Cow<'a, RawValue>,
}

/// The body of a request.
pub(in crate::provider) fn encode(call: &Call<'_>) -> Result<Encoded, EncodeError> {
    let wishes = Wishes::read(call)?;
    if let Some(what) = unsupported(call, &wishes) {
        return Err(EncodeError::Unsupported(what));
    }
    let mut notes = Vec::new();
    let own = own_fields(&wishes, &mut notes);
    let json = RawValue::from_string("\"json\"".to_owned()).ok();
    let body = Body {
        model: call.model,
        messages: messages::write(call, &mut notes),
        tools: tools(&wishes),
        stream: call.stream,
        format: match &wishes.format {
            Format::Text => None,
            Format::Json => json.as_deref(),
            Format::Schema { schema, .. } => Some(schema),
        },
        options: options(&wishes),
        think: match wishes.effort {
            Some(effort) if !own.contains_key("think") => Some(think(effort, call.model, &mut notes)),
            Some(_) | None => None,
        },
        own,
    };
    if wishes.parallel_tool_calls == Some(false) && !body.tools.is_empty() {
        notes.push(
            "parallel_tool_calls is left out: Ollama's models call as many tools at once as they like".to_owned(),
        );
    }
    let reading = call.reading();
    // Writing texts, numbers and JSON that was read before cannot fail.
    let body = Bytes::from(serde_json::to_vec(&body).unwrap_or_default());
    Ok(Encoded { body, reading, notes })
}

/// What of a request could not be asked for.
pub(in crate::provider) fn unsupported(call: &Call<'_>, wishes: &Wishes<'_>) -> Option<String> {
    if let Some(what) = wishes.of_openai_alone() {
        return Some(what);
    }
    if !wishes.tools.is_empty() && matches!(wishes.tool_choice, ToolChoice::Required | ToolChoice::Named(_)) {
        return Some("a tool that must be called: Ollama's models call tools as they like".to_owned());
    }
    messages::unsupported(call.dialogue)
}

/// No tool may be called where none are shown.
fn tools<'a>(wishes: &'a Wishes<'_>) -> Vec<ToolOut<'a>> {
    match wishes.tool_choice {
        ToolChoice::None => Vec::new(),
        ToolChoice::Auto | ToolChoice::Required | ToolChoice::Named(_) => {
            wishes.tools.iter().map(ToolOut::of).collect()
        }
    }
}

fn own_fields<'a>(wishes: &'a Wishes<'_>, notes: &mut Vec<String>) -> IndexMap<&'a str, &'a RawValue> {
    let mut own = IndexMap::new();
    for (name, value) in &wishes.foreign {
        match &**name {
            // OpenAI's own way to say it wins.
            "format" if wishes.wants_json() => {}
            name if OWN_FIELDS.contains(&name) => {
                own.insert(name, &**value);
            }
            name if OPTIONS.contains(&name) => {}
            name => notes.push(format!("{name} is left out: Ollama's protocol has no such field")),
        }
    }
    own
}

impl<'a> ToolOut<'a> {
    fn of(tool: &'a Tool<'_>) -> Self {
        let parameters = match &tool.parameters {
            Some(parameters) => Cow::Borrowed(&**parameters),
            None => RawValue::from_string(NO_ARGUMENTS.to_owned()).map_or(Cow::Borrowed(RawValue::NULL), Cow::Owned),
        };
        let description = tool.description.as_deref();
        Self { kind: "function", function: FunctionOut { name: &tool.name, description, parameters } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Dialect, Dialogue};
    use crate::types::ChatRequest;

    /// Encodes for a provider named `ollama`: the body over several lines, and the notes.
    fn encoded(model: &str, body: &str, prefill: Option<&str>) -> Result<String, EncodeError> {
        let request = ChatRequest::parse(body.as_bytes()).unwrap();
        let dialogue = Dialogue::read(request.messages()).unwrap();
        let dialect = Dialect::of("ollama", &"http://localhost".parse().unwrap());
        let call = Call {
            request: &request,
            dialogue: &dialogue,
            provider: "ollama",
            dialect,
            model,
            defaults: &[],
            stream: false,
            prefill,
        };
        let Encoded { body, notes, .. } = encode(&call)?;
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let parts: Vec<String> =
            value.as_object().unwrap().iter().map(|(name, part)| format!("{name}: {part}")).chain(notes).collect();
        Ok(parts.join("\n"))
    }

    #[test]
    fn writes_every_kind_of_message() {
        let body = r#"{"messages":[
            {"role":"developer","content":"Be brief."},
            {"role":"user","content":[{"type":"text","text":"What is it?"},
                {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},
            {"role":"assistant","content":null,
             "reasoning_details":[{"text":"Hm.","origin":"ollama"},{"text":"secret","signature":"s","origin":"anthropic"}],
             "tool_calls":[
                {"id":"1","type":"function","function":{"name":"look","arguments":"{\"b\":1.0,\"a\":[]}"}},
                {"id":"2","type":"function","function":{"name":"run","arguments":"ls -l"}}]},
            {"role":"tool","tool_call_id":"1","content":"a cat"},
            {"role":"tool","tool_call_id":"9","content":"late"}]}"#;

        insta::assert_snapshot!(encoded("llava", body, Some("It is")).unwrap(), @r#"
        model: "llava"
        messages: [{"role":"system","content":"Be brief."},{"role":"user","content":"What is it?","images":["AAAA"]},{"role":"assistant","content":"","thinking":"Hm.","tool_calls":[{"function":{"name":"look","arguments":{"b":1.0,"a":[]}}},{"function":{"name":"run","arguments":{"arguments":"ls -l"}}}]},{"role":"tool","content":"a cat","tool_name":"look"},{"role":"tool","content":"late"},{"role":"assistant","content":"It is"}]
        stream: false
        reasoning of an earlier answer is left out: another provider made it
        arguments of an earlier tool call that are no JSON object are sent as a text within one
        "#);
    }

    #[test]
    fn writes_tools_options_and_form() {
        let body = r#"{"messages":[{"role":"user","content":"hi"}],
            "tools":[{"type":"function","function":{"name":"add","description":"Adds.","strict":true,
                "parameters":{"type":"object","properties":{"b":{"type":"number"},"a":{"type":"number"}}}}},
                {"type":"function","function":{"name":"now"}}],
            "parallel_tool_calls":false,
            "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},
            "temperature":0.50,"top_p":1,"top_k":40,"max_tokens":99,"stop":"\n","seed":7,"presence_penalty":0,
            "frequency_penalty":0.5,"reasoning_effort":"medium","options":{"num_ctx":8192,"temperature":0.1},
            "keep_alive":"5m","logit_bias":{"1":2}}"#;

        insta::assert_snapshot!(encoded("qwen3", body, None).unwrap(), @r#"
        model: "qwen3"
        messages: [{"role":"user","content":"hi"}]
        tools: [{"type":"function","function":{"name":"add","description":"Adds.","parameters":{"type":"object","properties":{"b":{"type":"number"},"a":{"type":"number"}}}}},{"type":"function","function":{"name":"now","parameters":{"type":"object","properties":{}}}}]
        stream: false
        format: {"type":"object"}
        options: {"num_ctx":8192,"temperature":0.1,"top_p":1,"top_k":40,"seed":7,"presence_penalty":0,"frequency_penalty":0.5,"num_predict":99,"stop":["\n"]}
        think: true
        keep_alive: "5m"
        logit_bias is left out: Ollama's protocol has no such field
        parallel_tool_calls is left out: Ollama's models call as many tools at once as they like
        "#);
    }

    #[test]
    fn says_to_think_or_how_hard() {
        let think = |model: &str, effort: &str, more: &str| {
            let body =
                format!(r#"{{"messages":[{{"role":"user","content":"hi"}}],"reasoning_effort":"{effort}"{more}}}"#);
            let encoded = encoded(model, &body, None).unwrap();
            format!("{model} {effort}: {}", encoded.lines().skip(3).collect::<Vec<_>>().join("; "))
        };

        insta::assert_snapshot!(
            [
                think("qwen3", "none", ""),
                think("qwen3", "low", ""),
                think("library/gpt-oss:20b", "none", ""),
                think("gpt-oss:120b", "xhigh", ""),
                think("qwen3", "low", r#","think":false"#),
            ]
            .join("\n"),
            @r#"
        qwen3 none: think: false
        qwen3 low: think: true
        library/gpt-oss:20b none: think: "low"; the least thinking is asked for in place of none: the model always thinks
        gpt-oss:120b xhigh: think: "high"
        qwen3 low: think: false
        "#
        );
    }

    #[test]
    fn shows_no_tools_where_none_may_be_called() {
        let body = r#"{"messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_object"},
            "tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none"}"#;

        insta::assert_snapshot!(encoded("llama3", body, None).unwrap(), @r#"
        model: "llama3"
        messages: [{"role":"user","content":"hi"}]
        stream: false
        format: "json"
        "#);
    }

    #[test]
    fn says_what_it_cannot_be_asked_for() {
        let user = |part: &str| format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#);
        let with = |fields: &str| format!(r#"{{"messages":[{{"role":"user","content":"hi"}}],{fields}}}"#);
        let tools = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;

        for (body, expected) in [
            (with(r#""n":2"#), "2 answers at once"),
            (with(r#""top_logprobs":3"#), "log-probabilities"),
            (with(r#""modalities":["audio"]"#), "an answer other than text"),
            (user(r#"{"type":"file","file":{}}"#), "content of type file"),
            (user(r#"{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}"#), "an image by its address"),
            (with(&format!(r#"{tools},"tool_choice":"required""#)), "a tool that must be called"),
        ] {
            let error = encoded("llama3", &body, None).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
        }
    }
}
