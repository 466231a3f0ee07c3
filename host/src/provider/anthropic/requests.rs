//! Requests of this protocol as they are written, whole.

use serde_json::{Value, json};

use super::{can_prefill, encode, unsupported};
use crate::provider::call::{Call, Encoded};
use crate::provider::encode_error::EncodeError;
use crate::provider::wishes::Wishes;
use crate::provider::{Dialect, Dialogue};
use crate::types::ChatRequest;

const OLD: &str = "claude-3-5-sonnet-20241022";
const MIDDLE: &str = "claude-sonnet-4-5";
const NEW: &str = "claude-opus-4-7";

/// What a test does with a call.
fn with_call<T>(model: &str, body: &Value, prefill: Option<&str>, test: impl FnOnce(&Call<'_>) -> T) -> T {
    let request = ChatRequest::parse(body.to_string().as_bytes()).unwrap();
    let dialogue = Dialogue::read(request.messages()).unwrap();
    let dialect = Dialect::of("claude", &"https://api.anthropic.com".parse().unwrap());
    test(&Call {
        request: &request,
        dialogue: &dialogue,
        provider: "claude",
        dialect,
        model,
        defaults: &[],
        stream: false,
        prefill,
    })
}

fn encoded(model: &str, body: &Value) -> Result<Encoded, EncodeError> {
    with_call(model, body, None, encode)
}

/// The body in lines, and the notes below it.
fn shown(encoded: &Encoded) -> String {
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    let fields = body.as_object().unwrap().iter().filter(|(name, _)| *name != "model");
    let mut lines: Vec<String> = fields.map(|(name, value)| format!("{name}: {value}")).collect();
    lines.sort();
    lines.extend(encoded.notes.iter().map(|note| format!("note: {note}")));
    lines.join("\n")
}

fn written(model: &str, body: &Value) -> String {
    shown(&encoded(model, body).unwrap())
}

/// A question with more fields.
fn asked(fields: Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "description": "Does it.", "strict": true,
        "parameters": {"type": "object", "properties": {"a": {"type": "number"}}}}})
}

/// A tool that was called and has answered; `thought` says who made the thought before the call.
fn called(thought: Value) -> Value {
    json!([
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": null, "reasoning_details": thought,
         "tool_calls": [{"id": "toolu_1", "type": "function", "function": {"name": "look", "arguments": "{\"a\":1}"}}]},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "seen"},
    ])
}

#[test]
fn writes_the_plainest_request_byte_for_byte() {
    let encoded = encoded(OLD, &asked(json!({"stop": "END"}))).unwrap();

    insta::assert_snapshot!(String::from_utf8(encoded.body.to_vec()).unwrap(), @r#"{"model":"claude-3-5-sonnet-20241022","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"stop_sequences":["END"]}"#);
    assert!(encoded.notes.is_empty());
    assert_eq!((encoded.reading.origin.as_str(), encoded.reading.model.as_str()), ("claude", OLD));
}

#[test]
fn puts_instructions_apart_and_lets_roles_take_turns() {
    let body = json!({"messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": "Hello."},
        {"role": "assistant", "content": "How can I help?"},
        {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "Look:"},
            {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,AAAA"}},
            {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]},
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "Well?"},
        {"role": "user", "content": "  "},
    ]});

    insta::assert_snapshot!(written(OLD, &body), @r#"
        max_tokens: 4096
        messages: [{"role":"user","content":[{"type":"text","text":"."}]},{"role":"assistant","content":[{"type":"text","text":"Hello."},{"type":"text","text":"How can I help?"}]},{"role":"user","content":[{"type":"text","text":"Look:"},{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"AAAA"}},{"type":"image","source":{"type":"url","url":"https://x.example/a.png"}},{"type":"text","text":"Well?"}]}]
        system: "Be brief.\n\nBe kind."
        "#);
}

#[test]
fn puts_results_first_and_gives_every_call_an_id_of_its_own() {
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "look", "arguments": arguments}});
    let body = json!({"tools": [tool("look")], "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "Looking.", "tool_calls": [
            call("call.1/x", "{\"a\":1.50, \"b\":[]}"), call("", ""), call("", "{\"cut"), call("c", "[1]")]},
        {"role": "user", "content": "Hurry!"},
        {"role": "tool", "tool_call_id": "call.1/x", "content": "one"},
        {"role": "tool", "tool_call_id": "", "content": [{"type": "text", "text": "two"}]},
        {"role": "tool", "tool_call_id": "", "content": ""},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]},
    ]});

    insta::assert_snapshot!(written(OLD, &body), @r#"
        max_tokens: 4096
        messages: [{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"assistant","content":[{"type":"text","text":"Looking."},{"type":"tool_use","id":"call_5rHArEFNzhumjer15eghi5FZ","name":"look","input":{"a":1.5,"b":[]}},{"type":"tool_use","id":"call_fqA4S4SKU3wETnzado3gcVNE","name":"look","input":{}},{"type":"tool_use","id":"call_dg25NnLT4rcKgIQ1UvDIi4Cf","name":"look","input":{"arguments":"{\"cut"}},{"type":"tool_use","id":"c","name":"look","input":{"arguments":"[1]"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_5rHArEFNzhumjer15eghi5FZ","content":[{"type":"text","text":"one"}]},{"type":"tool_result","tool_use_id":"call_fqA4S4SKU3wETnzado3gcVNE","content":[{"type":"text","text":"two"}]},{"type":"tool_result","tool_use_id":"call_dg25NnLT4rcKgIQ1UvDIi4Cf"},{"type":"tool_result","tool_use_id":"c","content":[{"type":"image","source":{"type":"url","url":"https://x.example/a.png"}}]},{"type":"text","text":"Hurry!"}]}]
        tools: [{"name":"look","description":"Does it.","input_schema":{"type":"object","properties":{"a":{"type":"number"}}}}]
        note: arguments of an earlier tool call that are no JSON object are sent as a text within one
        "#);
}

#[test]
fn passes_arguments_as_they_came() {
    let arguments = r#"{"b": 1.50, "a":[12345678901234567890123]}"#;
    let body = json!({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": [
        {"id": "toolu_1", "type": "function", "function": {"name": "look", "arguments": arguments}}]}]});

    let encoded = encoded(OLD, &body).unwrap();

    let body = String::from_utf8(encoded.body.to_vec()).unwrap();
    assert!(body.contains(&format!(r#""input":{arguments}"#)), "{body}");
}

#[test]
fn describes_the_tools_of_earlier_calls_where_the_request_has_none() {
    insta::assert_snapshot!(written(OLD, &json!({"messages": called(json!([]))})), @r#"
        max_tokens: 4096
        messages: [{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"look","input":{"a":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"seen"}]}]}]
        tool_choice: {"type":"none"}
        tools: [{"name":"look","input_schema":{"type":"object","properties":{}}}]
        "#);
}

#[test]
fn sends_only_own_thoughts_back() {
    let thoughts = json!([
        {"type": "reasoning.text", "text": "Hm.", "signature": "s", "origin": "claude"},
        {"type": "reasoning.encrypted", "data": "xyz", "origin": "claude"},
        {"type": "reasoning.text", "text": "Another's.", "signature": "t", "origin": "gemini"},
        {"type": "reasoning.text", "text": "Unproven.", "origin": "claude"},
    ]);
    let body = json!({"tools": [tool("look")], "messages": called(thoughts), "reasoning_effort": "low"});

    insta::assert_snapshot!(written(MIDDLE, &body), @r#"
        max_tokens: 6144
        messages: [{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm.","signature":"s"},{"type":"redacted_thinking","data":"xyz"},{"type":"tool_use","id":"toolu_1","name":"look","input":{"a":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"seen"}]}]}]
        thinking: {"type":"enabled","budget_tokens":2048}
        tools: [{"name":"look","description":"Does it.","input_schema":{"type":"object","properties":{"a":{"type":"number"}}}}]
        note: reasoning of an earlier answer is left out: another provider or model made it
        "#);
}

#[test]
fn writes_tools_and_the_choice_among_them() {
    let bare = json!({"type": "function", "function": {"name": "wait"}});
    let untyped = json!({"type": "function", "function": {"name": "sit", "parameters": {"properties": {}}}});
    let choices = [
        json!({"tool_choice": "auto"}),
        json!({"tool_choice": "none"}),
        json!({"tool_choice": "required"}),
        json!({"tool_choice": {"type": "function", "function": {"name": "look"}}, "parallel_tool_calls": true}),
        json!({"parallel_tool_calls": false}),
        json!({"tool_choice": "required", "parallel_tool_calls": false}),
        json!({"tool_choice": "none", "parallel_tool_calls": false}),
    ];

    insta::assert_snapshot!(written(OLD, &asked(json!({"tools": [tool("look"), bare, untyped]}))), @r#"
        max_tokens: 4096
        messages: [{"role":"user","content":[{"type":"text","text":"hi"}]}]
        tools: [{"name":"look","description":"Does it.","input_schema":{"type":"object","properties":{"a":{"type":"number"}}}},{"name":"wait","input_schema":{"type":"object","properties":{}}},{"name":"sit","input_schema":{"type":"object","properties":{}}}]
        "#);
    let written = choices.map(|mut choice| {
        choice["tools"] = json!([tool("look")]);
        let body: Value = serde_json::from_slice(&encoded(OLD, &asked(choice)).unwrap().body).unwrap();
        body["tool_choice"].to_string()
    });
    insta::assert_snapshot!(written.join("\n"), @r#"
        null
        {"type":"none"}
        {"type":"any"}
        {"type":"tool","name":"look"}
        {"type":"auto","disable_parallel_tool_use":true}
        {"type":"any","disable_parallel_tool_use":true}
        {"type":"none"}
        "#);
    assert!(!self::written(OLD, &asked(json!({"tool_choice": "required"}))).contains("tool_choice"));
}

#[test]
fn leaves_out_what_anthropic_has_no_field_for() {
    let body = asked(
        json!({"seed": 7, "presence_penalty": 0.5, "frequency_penalty": 1, "logit_bias": {}, "temperature": 1.7,
        "top_p": 0.9, "stop": ["END", "\n\n"], "user": "u-1", "store": true, "metadata": {"a": "b"}, "service_tier": "flex"}),
    );

    insta::assert_snapshot!(written(OLD, &body), @r#"
        max_tokens: 4096
        messages: [{"role":"user","content":[{"type":"text","text":"hi"}]}]
        metadata: {"user_id":"u-1"}
        stop_sequences: ["END"]
        temperature: 1
        top_p: 0.9
        note: logit_bias is left out: Anthropic has none
        note: seed is left out: Anthropic has none
        note: presence_penalty is left out: Anthropic has none
        note: frequency_penalty is left out: Anthropic has none
        note: temperature is lowered to 1: Anthropic takes no more
        note: a stop sequence of blanks is left out: Anthropic takes none
        "#);
    insta::assert_snapshot!(written(MIDDLE, &body), @r#"
        max_tokens: 4096
        messages: [{"role":"user","content":[{"type":"text","text":"hi"}]}]
        metadata: {"user_id":"u-1"}
        stop_sequences: ["END"]
        temperature: 1
        note: logit_bias is left out: Anthropic has none
        note: seed is left out: Anthropic has none
        note: presence_penalty is left out: Anthropic has none
        note: frequency_penalty is left out: Anthropic has none
        note: top_p is left out: the model does not take it beside temperature
        note: temperature is lowered to 1: Anthropic takes no more
        note: a stop sequence of blanks is left out: Anthropic takes none
        "#);
    insta::assert_snapshot!(written(NEW, &body), @r#"
        max_tokens: 4096
        messages: [{"role":"user","content":[{"type":"text","text":"hi"}]}]
        metadata: {"user_id":"u-1"}
        stop_sequences: ["END"]
        note: logit_bias is left out: Anthropic has none
        note: seed is left out: Anthropic has none
        note: presence_penalty is left out: Anthropic has none
        note: frequency_penalty is left out: Anthropic has none
        note: temperature is left out: the model takes none
        note: top_p is left out: the model takes none
        note: a stop sequence of blanks is left out: Anthropic takes none
        "#);
}

#[test]
fn passes_the_fields_that_are_anthropics_own() {
    let body = asked(
        json!({"top_k": 5, "cache_control": {"type": "ephemeral"}, "container": "c", "metadata": {"user_id": "u"},
        "user": "v", "service_tier": "standard_only", "context_management": {"edits": []}, "output_config": {"effort": "low"},
        "thinking": {"type": "enabled", "budget_tokens": 5000}}),
    );

    insta::assert_snapshot!(written(MIDDLE, &body), @r#"
        cache_control: {"type":"ephemeral"}
        container: "c"
        context_management: {"edits":[]}
        max_tokens: 9096
        messages: [{"role":"user","content":[{"type":"text","text":"hi"}]}]
        metadata: {"user_id":"u"}
        output_config: {"effort":"low"}
        service_tier: "standard_only"
        thinking: {"type":"enabled","budget_tokens":5000}
        note: top_k is left out: it does not go with thinking
        "#);
}

#[test]
fn thinks_as_each_model_can() {
    let thinks = |model: &str, fields: Value| written(model, &asked(fields)).replace("messages: ", "");
    let low = || json!({"reasoning_effort": "low", "temperature": 0.3, "top_p": 0.9});
    let high = || json!({"reasoning_effort": "xhigh", "max_tokens": 10_000, "temperature": 1});

    insta::assert_snapshot!(thinks(OLD, json!({"reasoning_effort": "low"})), @r#"
        max_tokens: 4096
        [{"role":"user","content":[{"type":"text","text":"hi"}]}]
        note: reasoning_effort is left out: the model does not think
        "#);
    insta::assert_snapshot!(thinks(MIDDLE, low()), @r#"
        max_tokens: 6144
        [{"role":"user","content":[{"type":"text","text":"hi"}]}]
        thinking: {"type":"enabled","budget_tokens":2048}
        note: temperature is left out: it does not go with thinking
        note: top_p is left out: it does not go with thinking
        "#);
    insta::assert_snapshot!(thinks("claude-opus-4-1", high()), @r#"
        max_tokens: 32000
        [{"role":"user","content":[{"type":"text","text":"hi"}]}]
        thinking: {"type":"enabled","budget_tokens":22000}
        "#);
    insta::assert_snapshot!(thinks("claude-opus-4-1", json!({"reasoning_effort": "low", "max_tokens": 31_500})), @r#"
        max_tokens: 31500
        [{"role":"user","content":[{"type":"text","text":"hi"}]}]
        note: thinking is left out: max_tokens leaves no room for it
        "#);
    insta::assert_snapshot!(thinks("claude-sonnet-4-6", low()), @r#"
        max_tokens: 6144
        [{"role":"user","content":[{"type":"text","text":"hi"}]}]
        output_config: {"effort":"low"}
        thinking: {"type":"adaptive"}
        note: temperature is left out: it does not go with thinking
        note: top_p is left out: it does not go with thinking
        "#);
    insta::assert_snapshot!(thinks(NEW, high()), @r#"
        max_tokens: 10000
        [{"role":"user","content":[{"type":"text","text":"hi"}]}]
        output_config: {"effort":"max"}
        thinking: {"type":"adaptive"}
        "#);
    insta::assert_snapshot!(thinks(NEW, json!({"reasoning_effort": "none"})), @r#"
        max_tokens: 4096
        [{"role":"user","content":[{"type":"text","text":"hi"}]}]
        "#);
    insta::assert_snapshot!(thinks(OLD, json!({"max_tokens": 100_000})), @r#"
        max_tokens: 8192
        [{"role":"user","content":[{"type":"text","text":"hi"}]}]
        note: max_tokens is lowered to 8192: the model gives no more
        "#);
}

#[test]
fn does_not_think_where_the_provider_would_refuse_it() {
    let forced = asked(json!({"reasoning_effort": "low", "tools": [tool("look")], "tool_choice": "required"}));
    let by_another = json!({"reasoning_effort": "low", "tools": [tool("look")],
        "messages": called(json!([{"text": "t", "signature": "s", "origin": "gemini"}]))});
    let begun = json!({"reasoning_effort": "low", "messages": [
        {"role": "user", "content": "hi"}, {"role": "assistant", "content": "Well, "}]});

    let notes = [forced, by_another.clone(), begun].map(|body| {
        let encoded = encoded(MIDDLE, &body).unwrap();
        assert!(!String::from_utf8_lossy(&encoded.body).contains("budget_tokens"));
        encoded.notes.join("\n")
    });

    insta::assert_snapshot!(notes.join("\n"), @r#"
        thinking is left out: it does not go with a tool that must be called
        thinking is left out: the last tool calls were made without thoughts of this provider
        reasoning of an earlier answer is left out: another provider or model made it
        thinking is left out: it does not go with an answer that has begun
        "#);
    assert!(written(NEW, &by_another).contains("adaptive"));
}

#[test]
fn holds_an_answer_to_json_by_the_model_or_by_a_tool() {
    let schema = |strict: bool| {
        json!({"type": "json_schema", "json_schema": {"name": "city", "strict": strict,
            "schema": {"type": "object", "properties": {"name": {"type": "string"}}}}})
    };
    let native = encoded(MIDDLE, &asked(json!({"response_format": schema(true), "tools": [tool("look")]}))).unwrap();
    let by_tool = encoded(OLD, &asked(json!({"response_format": schema(true), "reasoning_effort": "low"}))).unwrap();
    let object =
        encoded(MIDDLE, &asked(json!({"response_format": {"type": "json_object"}, "reasoning_effort": "low"})));
    let object = object.unwrap();

    insta::assert_snapshot!(shown(&native), @r#"
        max_tokens: 4096
        messages: [{"role":"user","content":[{"type":"text","text":"hi"}]}]
        output_config: {"format":{"type":"json_schema","schema":{"type":"object","properties":{"name":{"type":"string"}}}}}
        tools: [{"name":"look","description":"Does it.","input_schema":{"type":"object","properties":{"a":{"type":"number"}}}}]
        "#);
    insta::assert_snapshot!(shown(&by_tool), @r#"
        max_tokens: 4096
        messages: [{"role":"user","content":[{"type":"text","text":"hi"}]}]
        tool_choice: {"type":"tool","name":"city","disable_parallel_tool_use":true}
        tools: [{"name":"city","description":"Gives the answer. Its arguments are the answer itself.","input_schema":{"type":"object","properties":{"name":{"type":"string"}}}}]
        note: reasoning_effort is left out: the model does not think
        "#);
    insta::assert_snapshot!(shown(&object), @r#"
        max_tokens: 4096
        messages: [{"role":"user","content":[{"type":"text","text":"hi"}]}]
        tool_choice: {"type":"tool","name":"answer","disable_parallel_tool_use":true}
        tools: [{"name":"answer","description":"Gives the answer. Its arguments are the answer itself.","input_schema":{"type":"object","additionalProperties":true}}]
        note: thinking is left out: it does not go with a tool that must be called
        "#);
    assert_eq!([&native, &by_tool, &object].map(|encoded| encoded.reading.json_by_tool), [false, true, true]);
}

#[test]
fn says_beforehand_what_it_could_not_ask_for() {
    let part = |part: Value| json!({"messages": [{"role": "user", "content": [part]}]});
    let list = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "array"}}});
    let bodies = [
        (OLD, asked(json!({"n": 2}))),
        (OLD, asked(json!({"logprobs": true}))),
        (OLD, asked(json!({"modalities": ["text", "audio"]}))),
        (OLD, part(json!({"type": "input_audio", "input_audio": {}}))),
        (OLD, part(json!({"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,AAAA"}}))),
        (OLD, part(json!({"type": "image_url", "image_url": {"url": "data:image/png,AAAA"}}))),
        (OLD, asked(json!({"response_format": {"type": "json_object"}, "tools": [tool("look")]}))),
        (OLD, asked(json!({"response_format": list}))),
        (NEW, json!({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Well"}]})),
    ];

    let words: Vec<String> = bodies
        .iter()
        .map(|(model, body)| {
            let before = with_call(model, body, None, |call| unsupported(call, &Wishes::read(call).unwrap()));
            assert_eq!(encoded(model, body), Err(EncodeError::Unsupported(before.clone().unwrap())));
            before.unwrap()
        })
        .collect();

    insta::assert_snapshot!(words.join("\n"), @r#"
        2 answers at once
        log-probabilities
        an answer other than text
        content of type input_audio
        images of type image/svg+xml
        images whose data: address is not in base64
        an answer in JSON together with tools
        a JSON schema of anything but an object
        going on with an answer that has begun
        "#);
}

#[test]
fn goes_on_with_an_answer_where_the_model_does() {
    let can = |model: &str, fields: Value| {
        with_call(model, &asked(fields), None, |call| can_prefill(call, &Wishes::read(call).unwrap()))
    };
    let prefilled = with_call(MIDDLE, &asked(json!({})), Some("Well, \n"), encode).unwrap();

    assert!(String::from_utf8_lossy(&prefilled.body).contains(r#"{"type":"text","text":"Well,"}"#));
    for (model, expected) in [
        (OLD, true),
        (MIDDLE, true),
        ("claude-opus-4-6", false),
        (NEW, false),
        ("claude-sonnet-5", false),
        ("MiniMax-M2", false),
    ] {
        assert_eq!(can(model, json!({})), expected, "{model}");
    }
    assert!(can(OLD, json!({"reasoning_effort": "low"})) && can(MIDDLE, json!({"reasoning_effort": "none"})));
    assert!(!can(MIDDLE, json!({"reasoning_effort": "low"})));
    assert!(!can(MIDDLE, json!({"thinking": {"type": "enabled", "budget_tokens": 2000}})));
    assert!(!can(MIDDLE, json!({"tools": [tool("look")], "tool_choice": "required"})));
}

#[test]
fn streams_where_the_call_does() {
    let body = asked(json!({"stream": true, "stream_options": {"include_usage": true}}));

    let streamed = with_call(OLD, &body, None, |call| encode(&Call { stream: true, ..*call })).unwrap();

    assert!(streamed.reading.stream_usage);
    assert!(String::from_utf8_lossy(&streamed.body).contains(r#""stream":true"#));
}
