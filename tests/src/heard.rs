//! What a provider heard of a conversation with tools, read from its own protocol.

use backstop::config::Protocol;
use backstop::scripted::ReceivedCall;
use serde_json::Value;

/// What of a request is the same in every protocol.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heard {
    /// The names of the tools on offer, each with those of its parameters.
    pub tools: Vec<(String, Vec<String>)>,
    /// The calls of earlier answers.
    pub calls: Vec<HeardCall>,
    /// What they brought.
    pub results: Vec<HeardResult>,
    /// Fields of earlier answers that the protocol does not have for them.
    pub foreign: Vec<String>,
}

/// A tool call of an earlier answer.
#[derive(Debug, Clone, PartialEq)]
pub struct HeardCall {
    /// Its id; empty where the protocol needs none.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as a value.
    pub arguments: Value,
}

/// What a call brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardResult {
    /// The call's id; empty where the protocol goes by names.
    pub id: String,
    /// The tool's name; empty where the protocol goes by ids.
    pub name: String,
    /// The result, as text or JSON.
    pub content: String,
}

impl Heard {
    /// Reads a call.
    #[must_use]
    pub fn of(call: &ReceivedCall) -> Self {
        let body = &call.body;
        match call.protocol() {
            Protocol::OpenAi => open_ai(body),
            Protocol::Anthropic => anthropic(body),
            Protocol::Gemini => gemini(body),
            Protocol::Ollama => ollama(body),
        }
    }

    /// The name of the tool whose call a result belongs to, by id where there is one, else by name.
    #[must_use]
    pub fn tool_of(&self, result: &HeardResult) -> Option<&str> {
        let by_id = self.calls.iter().find(|call| !call.id.is_empty() && call.id == result.id);
        let by_name = || self.calls.iter().find(|call| result.id.is_empty() && call.name == result.name);
        by_id.or_else(by_name).map(|call| call.name.as_str())
    }
}

fn open_ai(body: &Value) -> Heard {
    let mut heard = Heard { tools: functions(body), ..Heard::default() };
    for message in items(&body["messages"]) {
        match message["role"].as_str() {
            Some("assistant") => {
                heard.foreign.extend(unknown(message, &["role", "content", "tool_calls", "refusal", "name"]));
                for call in items(&message["tool_calls"]) {
                    heard.foreign.extend(unknown(call, &["id", "type", "function"]));
                    let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
                    heard.calls.push(HeardCall {
                        id: text(&call["id"]),
                        name: text(&call["function"]["name"]),
                        arguments: serde_json::from_str(arguments).unwrap_or(Value::Null),
                    });
                }
            }
            Some("tool") => heard.results.push(result(&message["tool_call_id"], &Value::Null, &message["content"])),
            _ => {}
        }
    }
    heard
}

fn anthropic(body: &Value) -> Heard {
    let tools = items(&body["tools"]).iter().map(|tool| (text(&tool["name"]), names(&tool["input_schema"])));
    let mut heard = Heard { tools: tools.collect(), ..Heard::default() };
    for message in items(&body["messages"]) {
        heard.foreign.extend(unknown(message, &["role", "content"]));
        for block in items(&message["content"]) {
            match block["type"].as_str() {
                Some("tool_use") => {
                    heard.foreign.extend(unknown(block, &["type", "id", "name", "input", "cache_control"]));
                    let (id, name) = (text(&block["id"]), text(&block["name"]));
                    heard.calls.push(HeardCall { id, name, arguments: block["input"].clone() });
                }
                Some("tool_result") => {
                    heard.results.push(result(&block["tool_use_id"], &Value::Null, &block["content"]));
                }
                Some("text" | "image") => {}
                _ => heard.foreign.push(block["type"].to_string()),
            }
        }
    }
    heard
}

fn gemini(body: &Value) -> Heard {
    let mut heard = Heard::default();
    for tool in items(&body["tools"]).iter().flat_map(|tool| items(&tool["functionDeclarations"])) {
        let schema = [&tool["parameters"], &tool["parametersJsonSchema"]].into_iter().find(|schema| schema.is_object());
        heard.tools.push((text(&tool["name"]), schema.map(names).unwrap_or_default()));
    }
    for content in items(&body["contents"]) {
        heard.foreign.extend(unknown(content, &["role", "parts"]));
        for part in items(&content["parts"]) {
            let (call, answer) = (&part["functionCall"], &part["functionResponse"]);
            if call.is_object() {
                // A signature is looked for by its value: Gemini takes a placeholder for the calls of others.
                heard.foreign.extend(unknown(call, &["id", "name", "args"]));
                let (id, name) = (text(&call["id"]), text(&call["name"]));
                heard.calls.push(HeardCall { id, name, arguments: call["args"].clone() });
            } else if answer.is_object() {
                heard.results.push(result(&answer["id"], &answer["name"], &answer["response"]));
            } else {
                heard.foreign.extend(unknown(part, &["text", "inlineData", "fileData"]));
            }
        }
    }
    heard
}

fn ollama(body: &Value) -> Heard {
    let mut heard = Heard { tools: functions(body), ..Heard::default() };
    for message in items(&body["messages"]) {
        match message["role"].as_str() {
            Some("assistant") => {
                heard.foreign.extend(unknown(message, &["role", "content", "tool_calls"]));
                for call in items(&message["tool_calls"]) {
                    heard.foreign.extend(unknown(call, &["id", "type", "function"]));
                    heard.foreign.extend(unknown(&call["function"], &["index", "name", "arguments"]));
                    let (id, name) = (text(&call["id"]), text(&call["function"]["name"]));
                    heard.calls.push(HeardCall { id, name, arguments: call["function"]["arguments"].clone() });
                }
            }
            Some("tool") => {
                heard.results.push(result(&message["tool_call_id"], &message["tool_name"], &message["content"]));
            }
            _ => {}
        }
    }
    heard
}

/// Tools in the shape that OpenAI gave them and Ollama took over.
fn functions(body: &Value) -> Vec<(String, Vec<String>)> {
    let functions = items(&body["tools"]).iter().map(|tool| &tool["function"]);
    functions.map(|function| (text(&function["name"]), names(&function["parameters"]))).collect()
}

/// The names of a schema's properties.
fn names(schema: &Value) -> Vec<String> {
    let properties = schema["properties"].as_object();
    properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
}

fn result(id: &Value, name: &Value, content: &Value) -> HeardResult {
    let content = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
    HeardResult { id: text(id), name: text(name), content }
}

fn unknown<'a>(object: &'a Value, known: &'a [&str]) -> impl Iterator<Item = String> + 'a {
    let names = object.as_object().into_iter().flat_map(|fields| fields.keys());
    names.filter(|name| !known.contains(&name.as_str())).cloned()
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attaches_results_by_id_and_else_by_name() {
        let by_id = anthropic(&json!({"messages": [
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "a", "name": "f", "input": {}},
                {"type": "tool_use", "id": "b", "name": "g", "input": {}},
            ]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "b", "content": "x"}]},
        ]}));
        let by_name = gemini(&json!({"contents": [
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": "x"}}}]},
        ]}));

        assert_eq!(by_id.tool_of(&by_id.results[0]), Some("g"));
        assert_eq!(by_name.tool_of(&by_name.results[0]), Some("f"));
    }

    #[test]
    fn tells_what_a_protocol_does_not_have() {
        let call =
            json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": {}});
        let message = json!({"role": "assistant", "reasoning_details": [], "tool_calls": [call]});

        let foreign = open_ai(&json!({"messages": [message]})).foreign;

        assert_eq!(foreign, ["reasoning_details", "extra_content"]);
    }
}
