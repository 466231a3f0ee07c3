//! What the binary is given for an exchange: a request and a configuration.

use serde_json::{Value, json};

use super::exchange::{Api, Exchange};

/// The variable that holds the provider's key.
pub(super) const KEY: &str = "REPLAY_API_KEY";

/// A chat-completions body: the recorded one where it was of that kind, else a question like it.
pub(super) fn body(exchange: &Exchange) -> Value {
    // Backstop itself refuses a request without messages: it would not be sent.
    let has_messages = |body: &Value| body["messages"].as_array().is_some_and(|messages| !messages.is_empty());
    let recorded = exchange.asked().filter(|body| exchange.api() == Api::OpenAi && has_messages(body));
    let mut body = recorded.unwrap_or_else(|| question(exchange));
    if let Some(fields) = body.as_object_mut() {
        fields.remove("model");
        fields.insert("stream".to_owned(), json!(exchange.stream));
    }
    body
}

/// Whether the caller is told the usage at the end of a stream.
pub(super) fn wants_usage(body: &Value) -> bool {
    body["stream_options"]["include_usage"] == true
}

/// A configuration with the exchange's provider as the only one, asked once.
pub(super) fn config(exchange: &Exchange, base_url: &str) -> String {
    let kind = match exchange.api() {
        Api::OpenAi | Api::Other => "openai",
        Api::Anthropic => "anthropic",
        Api::Gemini => "gemini",
        Api::Ollama => "ollama",
    };
    let model = json!(exchange.model.as_deref().filter(|model| !model.trim().is_empty()).unwrap_or("m"));
    let provider = &exchange.provider;
    format!(
        "[providers.{provider}]\nkind = \"{kind}\"\nbase_url = \"{base_url}\"\napi_key_env = \"{KEY}\"\nmodels = [{model}]\n\n\
         [routes.default]\nstrategy = \"smart\"\noptions = {{ retries = 0 }}\nmax_attempts = 1\n"
    )
}

fn question(exchange: &Exchange) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": "What is this?"}]});
    if exchange.stream {
        body["stream_options"] = json!({"include_usage": true});
    }
    if exchange.has_tag("req_tools") || exchange.has_tag("tool_call") {
        let parameters = json!({"type": "object", "properties": {}});
        body["tools"] = json!([{"type": "function", "function": {"name": "look", "parameters": parameters}}]);
    }
    body
}
