//! Requests there: what a caller of Anthropic's protocol says, as targets of each protocol are told it.

use serde_json::{Value, json};

use super::fault::Fault;
use super::request::{Asked, Bound, read};
use crate::config::Protocol;
use crate::provider::{Call, Dialect, Dialogue, EncodeError, Encoded, encode};

pub(super) const CLAUDE: &str = "claude-sonnet-4-5";

pub(super) fn asked(body: &Value) -> Asked {
    read(body.to_string().as_bytes(), Bound::Required).unwrap_or_else(|fault| panic!("{fault}: {body}"))
}

fn fault(body: &Value) -> Fault {
    match read(body.to_string().as_bytes(), Bound::Required) {
        Ok(_) => panic!("taken: {body}"),
        Err(fault) => fault,
    }
}

/// The request as a target receives it.
pub(super) fn encoded(protocol: Protocol, provider: &str, model: &str, body: &Value) -> Encoded {
    try_encoded(protocol, provider, model, body).unwrap()
}

pub(super) fn try_encoded(
    protocol: Protocol,
    provider: &str,
    model: &str,
    body: &Value,
) -> Result<Encoded, EncodeError> {
    let Asked { request, .. } = asked(body);
    let dialogue = Dialogue::read(request.messages()).unwrap();
    let dialect = Dialect::of(provider, &"http://localhost".parse().unwrap());
    let (request, dialogue, stream) = (&request, &dialogue, request.stream);
    encode(protocol, &Call { request, dialogue, provider, dialect, model, defaults: &[], stream, prefill: None })
}

pub(super) fn sent(protocol: Protocol, model: &str, body: &Value) -> Value {
    serde_json::from_slice(&encoded(protocol, "claude", model, body).body).unwrap()
}

/// A request with everything that can be routed, in the form that Anthropic's targets are written in.
pub(super) fn rich() -> Value {
    let cache = json!({"type": "ephemeral", "ttl": "1h"});
    json!({
        "model": CLAUDE,
        "max_tokens": 4_000,
        "system": [
            {"type": "text", "text": "Be brief."},
            {"type": "text", "text": "Be kind.", "cache_control": cache},
        ],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "Look: \"\u{e9}\"\n"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
                {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}, "cache_control": cache},
                {"type": "document", "title": "Plan", "citations": {"enabled": true},
                 "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="}},
            ]},
            {"role": "assistant", "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": 1.50, "deep": {"b": []}}},
                {"type": "tool_use", "id": "toolu_2", "name": "wait", "input": {}, "cache_control": cache},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [
                    {"type": "text", "text": "seen"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                ]},
                {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true, "cache_control": cache,
                 "content": [{"type": "text", "text": "no time"}]},
                {"type": "text", "text": "And?", "cache_control": {"type": "ephemeral"}},
            ]},
        ],
        "tools": [
            {"name": "look", "description": "Looks.", "strict": true,
             "input_schema": {"type": "object", "properties": {"at": {"type": "number"}}}},
            {"name": "wait", "input_schema": {"type": "object", "properties": {}}, "cache_control": cache},
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
        "output_config": {"effort": "low"},
        "temperature": 0.50,
        "top_k": 5,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u-1"},
        "service_tier": "standard_only",
    })
}

#[test]
fn says_the_same_to_a_target_of_anthropics_protocol() {
    let encoded = encoded(Protocol::Anthropic, "claude", CLAUDE, &rich());

    let sent: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(sent, rich());
    assert_eq!(encoded.notes, [""; 0]);
}

#[test]
fn keeps_every_way_to_choose_a_tool() {
    for choice in [
        json!({"type": "any"}),
        json!({"type": "any", "disable_parallel_tool_use": true}),
        json!({"type": "tool", "name": "look"}),
        json!({"type": "none"}),
    ] {
        let mut body = rich();
        body["tool_choice"] = choice.clone();

        assert_eq!(sent(Protocol::Anthropic, CLAUDE, &body)["tool_choice"], choice);
    }
}

#[test]
fn keeps_thinking_where_the_model_takes_it_and_puts_it_otherwise_where_not() {
    let with = |thinking: &Value| json!({"max_tokens": 9_000, "messages": [{"role": "user", "content": "hi"}], "thinking": thinking});
    let enabled = json!({"type": "enabled", "budget_tokens": 2_048});
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    let disabled = json!({"type": "disabled"});

    for (model, asked, expected) in [
        (CLAUDE, &enabled, &enabled),
        (CLAUDE, &disabled, &disabled),
        (CLAUDE, &adaptive, &json!({"type": "enabled", "budget_tokens": 8_192})),
        ("claude-opus-4-7", &adaptive, &adaptive),
        ("claude-opus-4-7", &enabled, &json!({"type": "adaptive"})),
        ("claude-3-5-haiku-20241022", &enabled, &Value::Null),
        ("MiniMax-M2", &enabled, &enabled),
    ] {
        assert_eq!(&sent(Protocol::Anthropic, model, &with(asked))["thinking"], expected, "{model} {asked}");
    }
    let efforts =
        [&enabled, &adaptive].map(|asked| sent(Protocol::OpenAi, "gpt-5", &with(asked))["reasoning_effort"].clone());
    assert_eq!(efforts, ["low", "medium"]);
    assert_eq!(sent(Protocol::OpenAi, "gpt-5", &with(&disabled))["reasoning_effort"], Value::Null);
    assert_eq!(sent(Protocol::OpenAi, "llama", &with(&enabled))["reasoning_effort"], Value::Null);
}

#[test]
fn holds_an_answer_to_a_schema() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
    let format = json!({"type": "json_schema", "schema": schema});
    let mut body = json!({"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    body["output_config"] = json!({"format": format, "effort": "low"});
    let mut older = body.clone();
    older["output_config"] = Value::Null;
    older["output_format"] = format.clone();

    let (own, other) = (sent(Protocol::Anthropic, CLAUDE, &body), sent(Protocol::OpenAi, "gpt", &body));

    assert_eq!(own["output_config"], json!({"effort": "low", "format": format}));
    assert_eq!(sent(Protocol::Anthropic, CLAUDE, &older)["output_config"], json!({"format": format}));
    assert_eq!(other["response_format"]["json_schema"], json!({"name": "answer", "schema": schema, "strict": true}));
    assert_eq!(other["output_config"], Value::Null);
}

#[test]
fn tells_an_openai_shaped_target_what_it_understands_and_nothing_else() {
    let encoded = encoded(Protocol::OpenAi, "other", "llama", &rich());

    let sent: Value = serde_json::from_slice(&encoded.body).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&sent).unwrap(), @r#"
    {
      "model": "llama",
      "messages": [
        {
          "role": "system",
          "content": "Be brief.\n\nBe kind."
        },
        {
          "role": "user",
          "content": [
            {
              "type": "text",
              "text": "Look: \"é\"\n"
            },
            {
              "type": "image_url",
              "image_url": {
                "url": "data:image/png;base64,iVBORw0KGgo="
              }
            },
            {
              "type": "image_url",
              "image_url": {
                "url": "https://x.example/a.png"
              }
            },
            {
              "type": "file",
              "file": {
                "filename": "Plan",
                "file_data": "data:application/pdf;base64,JVBERi0xLjQ="
              }
            }
          ]
        },
        {
          "role": "assistant",
          "content": "I look.",
          "tool_calls": [
            {
              "id": "toolu_1",
              "type": "function",
              "function": {
                "name": "look",
                "arguments": "{\"at\":1.5,\"deep\":{\"b\":[]}}"
              }
            },
            {
              "id": "toolu_2",
              "type": "function",
              "function": {
                "name": "wait",
                "arguments": "{}"
              }
            }
          ]
        },
        {
          "role": "tool",
          "tool_call_id": "toolu_1",
          "content": [
            {
              "type": "text",
              "text": "seen"
            },
            {
              "type": "text",
              "text": "(What else the tool brought follows in the next message.)"
            }
          ]
        },
        {
          "role": "tool",
          "tool_call_id": "toolu_2",
          "content": "no time"
        },
        {
          "role": "user",
          "content": [
            {
              "type": "image_url",
              "image_url": {
                "url": "data:image/png;base64,AAAA"
              }
            }
          ]
        },
        {
          "role": "user",
          "content": "And?"
        }
      ],
      "max_tokens": 4000,
      "tools": [
        {
          "type": "function",
          "function": {
            "name": "look",
            "description": "Looks.",
            "parameters": {
              "type": "object",
              "properties": {
                "at": {
                  "type": "number"
                }
              }
            }
          }
        },
        {
          "type": "function",
          "function": {
            "name": "wait",
            "parameters": {
              "type": "object",
              "properties": {}
            }
          }
        }
      ],
      "tool_choice": "auto",
      "parallel_tool_calls": false,
      "stop": [
        "END"
      ],
      "user": "u-1",
      "temperature": 0.5
    }
    "#);
}

#[test]
fn names_the_place_of_what_cannot_be_routed() {
    let asked = |block: Value| json!({"max_tokens": 9, "messages": [{"role": "user", "content": [block]}]});
    let with = |field: &str, value: Value| {
        let mut body = json!({"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
        body[field] = value;
        body
    };
    for (body, says) in [
        (json!([]), "body: must be a JSON object"),
        (json!({"messages": [{"role": "user", "content": "hi"}]}), "max_tokens: is required"),
        (with("max_tokens", json!(0)), "max_tokens: must be a whole number of at least 1"),
        (with("max_tokens", json!("many")), "max_tokens: must be a whole number of at least 1"),
        (with("messages", json!([])), "messages: at least one message is required"),
        (with("messages", json!([7])), "messages.0: invalid type"),
        (
            with("messages", json!([{"role": "root", "content": "x"}])),
            "messages.0.role: must be user or assistant, not root",
        ),
        (with("messages", json!([{"role": "user", "content": []}])), "messages.0.content: at least one block"),
        (with("messages", json!([{"role": "user", "content": 5}])), "messages.0.content: must be a text or a list"),
        (with("model", json!(7)), "model: must be a string"),
        (with("system", json!([{"type": "image"}])), "system: blocks of type image"),
        (with("thinking", json!({"type": "enabled"})), "thinking: budget_tokens is required"),
        (with("mcp_servers", json!([{"url": "https://x"}])), "mcp_servers: are reached by Anthropic itself"),
        (
            with("tools", json!([{"type": "web_search_20250305", "name": "web_search"}])),
            "tools.0.type: tools of type web_search_20250305 are",
        ),
        (with("n", json!(2)), "n: is no field of a message request"),
        (with("tools", json!([{"name": "f"}])), "tools.0.input_schema: must be a JSON schema"),
        (
            asked(json!({"type": "container_upload", "file_id": "f"})),
            "messages.0.content.0.type: blocks of type container_upload are",
        ),
        (asked(json!({"type": "text"})), "messages.0.content.0.text: must be a string"),
        (
            asked(json!({"type": "image", "source": {"type": "file", "file_id": "f"}})),
            "messages.0.content.0.source.type: images of source file",
        ),
        (asked(json!({"type": "tool_result", "content": "x"})), "messages.0.content.0.tool_use_id: must be a string"),
        (
            asked(json!({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_reference"}]})),
            "messages.0.content.0.content.0.type: blocks of type tool_reference",
        ),
    ] {
        let said = fault(&body).to_string();
        assert!(said.starts_with(says), "{said}, not {says}");
    }
}

#[test]
fn leaves_out_what_needs_a_header_and_passes_on_what_it_does_not_know() {
    let body = json!({
        "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "context_management": {"edits": []},
        "seed": 7, "backstop": {"route": "fast"}, "tool_choice": {"type": "auto"}, "tools": [],
    });

    let Asked { request, .. } = asked(&body);

    assert_eq!(request.fields().keys().collect::<Vec<_>>(), ["max_tokens", "seed", "backstop"]);
    assert!(request.unsaid.unwrap().fields.is_empty());
}
