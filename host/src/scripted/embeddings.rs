//! Embeddings in OpenAI's JSON: vectors that the same text has of the same model every time, and of no other model.

use serde_json::{Map, Value, json};

use super::usage::Tokens;
use super::{Answer, ReceivedCall};

/// Numbers of a vector where the request names no `dimensions`.
const DIMENSIONS: usize = 4;

/// Numbers of a vector at most.
const MOST_DIMENSIONS: usize = 4_096;

impl Answer {
    /// The reply as a body: a vector for each input, whatever the answer's text.
    pub(super) fn embeddings(&self, call: &ReceivedCall) -> Value {
        let model = self.model_for(call);
        let asked = call.body.get("dimensions").and_then(Value::as_u64).and_then(|asked| usize::try_from(asked).ok());
        let dimensions = asked.unwrap_or(DIMENSIONS).min(MOST_DIMENSIONS);
        let data = inputs(&call.body).into_iter().enumerate().map(|(index, input)| {
            let vector = vector(model, &input, dimensions);
            json!({"object": "embedding", "index": index, "embedding": vector})
        });
        let data: Vec<Value> = data.collect();
        let mut body = Map::from_iter([
            ("object".to_owned(), json!("list")),
            ("data".to_owned(), Value::Array(data)),
            ("model".to_owned(), json!(model)),
        ]);
        if let Some(usage) = self.usage_for(call, usage) {
            body.insert("usage".to_owned(), usage);
        }
        body.extend(self.fields.clone());
        Value::Object(body)
    }
}

/// The texts, or lists of tokens, that are to be embedded.
fn inputs(body: &Value) -> Vec<Value> {
    match body.get("input") {
        Some(Value::Array(items)) if items.iter().all(Value::is_number) => vec![Value::Array(items.clone())],
        Some(Value::Array(items)) => items.clone(),
        Some(other) => vec![other.clone()],
        None => Vec::new(),
    }
}

/// Numbers from -1 to 1 with three digits, drawn from the bytes of the model's name and the input.
fn vector(model: &str, input: &Value, dimensions: usize) -> Vec<f64> {
    // FNV-1a: short, and the same on every machine.
    let spread = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let seed = format!("{model}\n{input}").bytes().fold(0xcbf2_9ce4_8422_2325, spread);
    let number = |place: u64| {
        let drawn = place.to_le_bytes().into_iter().fold(seed, spread) % 2_001;
        (f64::from(u32::try_from(drawn).unwrap_or(0)) - 1_000.0) / 1_000.0
    };
    (0..).take(dimensions).map(number).collect()
}

fn usage(tokens: Tokens) -> Value {
    json!({"prompt_tokens": tokens.input, "total_tokens": tokens.input})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedded(body: Value) -> Value {
        Answer::new("").embeddings(&ReceivedCall::to("/v1/embeddings", body))
    }

    #[test]
    fn has_a_vector_for_each_input() {
        let body = embedded(json!({"model": "m", "input": ["a", "b"], "dimensions": 2}));

        insta::assert_snapshot!(body, @r#"
        {"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.784,-0.597]},{"object":"embedding","index":1,"embedding":[-0.409,0.972]}],"model":"m","usage":{"prompt_tokens":2,"total_tokens":2}}
        "#);
        assert_eq!(embedded(json!({"model": "m", "input": [1, 2]}))["data"].as_array().unwrap().len(), 1);
        assert_eq!(embedded(json!({"model": "m", "input": [[1], [2]]}))["data"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn differs_by_text_and_by_model_alone() {
        let vector = |model: &str, text: &str| embedded(json!({"model": model, "input": text}))["data"][0].clone();

        assert_eq!(vector("m", "a"), vector("m", "a"));
        assert_ne!(vector("m", "a"), vector("m", "b"));
        assert_ne!(vector("m", "a"), vector("other", "a"));
    }
}
