//! The assistant's message as OpenAI's client libraries put it together from the chunks of a stream.

use serde_json::{Map, Value, json};

/// A message that grows with each chunk, by the rules of the Python library: strings are joined (but for `type`), objects are
/// filled, lists are filled by each item's `index`.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    message: Map<String, Value>,
    finish_reason: Option<String>,
}

impl Snapshot {
    /// Adds the events of some bytes of a stream.
    ///
    /// # Panics
    /// Where they are no events of a chat stream, or a list's item has no `index`: the library would fail there too.
    pub fn add(&mut self, raw: &[u8]) {
        let text = std::str::from_utf8(raw).expect("events are UTF-8");
        for data in text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim) {
            if data == "[DONE]" {
                continue;
            }
            let chunk: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("no chunk: {error}: {data}"));
            let choice = &chunk["choices"][0];
            if let Some(delta) = choice["delta"].as_object() {
                fill(&mut self.message, delta);
            }
            if let Some(reason) = choice["finish_reason"].as_str() {
                self.finish_reason = Some(reason.to_owned());
            }
        }
    }

    /// Why the answer ended, where it did.
    #[must_use]
    pub fn finish_reason(&self) -> Option<&str> {
        self.finish_reason.as_deref()
    }

    /// The message, as it is sent back in the next turn. The `index` of a tool call is the stream's own and is not part of it.
    #[must_use]
    pub fn into_message(mut self) -> Value {
        for call in self.message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
            call.as_object_mut().map(|call| call.remove("index"));
        }
        json!(self.message)
    }
}

fn fill(message: &mut Map<String, Value>, delta: &Map<String, Value>) {
    for (name, new) in delta {
        match message.get_mut(name) {
            None | Some(Value::Null) => {
                message.insert(name.clone(), new.clone());
            }
            Some(known) if name == "index" || name == "type" => *known = new.clone(),
            Some(known) => join(known, new),
        }
    }
}

fn join(known: &mut Value, new: &Value) {
    match (known, new) {
        (Value::String(known), Value::String(new)) => known.push_str(new),
        (Value::Object(known), Value::Object(new)) => fill(known, new),
        (Value::Array(known), Value::Array(new)) => new.iter().for_each(|item| add_item(known, item)),
        _ => {}
    }
}

fn add_item(list: &mut Vec<Value>, item: &Value) {
    let index = item["index"].as_u64().unwrap_or_else(|| panic!("no index: {item}"));
    let index = usize::try_from(index).expect("a short list");
    match (list.get_mut(index), item.as_object()) {
        (Some(Value::Object(known)), Some(item)) => fill(known, item),
        _ => list.insert(index.min(list.len()), item.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_text_and_arguments_by_index() {
        let mut snapshot = Snapshot::default();
        let call = |delta: &str| format!(r#"data: {{"choices":[{{"delta":{delta},"finish_reason":null}}]}}"#) + "\n\n";

        snapshot.add(call(r#"{"role":"assistant","content":"a","x":[{"index":0,"type":"t","text":"o"}]}"#).as_bytes());
        snapshot.add(call(r#"{"content":"b","x":[{"index":0,"type":"t","text":"k"}]}"#).as_bytes());
        let opening =
            r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{"}}]}"#;
        snapshot.add(call(opening).as_bytes());
        snapshot.add(call(r#"{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}"#).as_bytes());
        snapshot.add(b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n");

        assert_eq!(snapshot.finish_reason(), Some("tool_calls"));
        assert_eq!(
            snapshot.into_message(),
            json!({
                "role": "assistant", "content": "ab", "x": [{"index": 0, "type": "t", "text": "ok"}],
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            })
        );
    }
}
