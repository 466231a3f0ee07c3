//! The gateway as clients of Anthropic's protocol see it, through the real binary.

#![cfg(unix)]

use backstop::scripted::{Answer, Fault, Place, Reply, Script};
use backstop_tests::{HttpReply, Served, Stage, post};
use serde_json::{Value, json};

fn hello() -> Value {
    json!({"model": "default", "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]})
}

fn with(field: &str, value: Value) -> Value {
    let mut body = hello();
    body[field] = value;
    body
}

/// As `post`, to another path.
fn post_to(path: &str, body: &Value, headers: &[(&str, &str)]) -> Vec<u8> {
    let request = String::from_utf8(post(&body.to_string(), headers)).unwrap();
    request.replacen("/v1/chat/completions", path, 1).into_bytes()
}

async fn messages(gateway: &Served, body: &Value) -> HttpReply {
    gateway.send(&post_to("/v1/messages?beta=true", body, &[("anthropic-version", "2023-06-01")])).await
}

/// The data of a stream's events, each of which is named by its type.
fn events(reply: &HttpReply) -> Vec<Value> {
    let text = reply.text();
    let event = |event: &str| {
        let (name, data) = event.split_once('\n').unwrap_or_else(|| panic!("no event: {event:?} in {text}"));
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name, format!("event: {}", data["type"].as_str().unwrap()));
        data
    };
    text.split_terminator("\n\n").map(event).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).filter(|kind| *kind != "ping").collect()
}

/// What the deltas of one field come to.
fn joined(events: &[Value], field: &str) -> String {
    events.iter().filter_map(|event| event["delta"][field].as_str()).collect()
}

/// A reply's body, with what differs from run to run made alike.
fn shown(reply: &HttpReply) -> String {
    let mut body = reply.json();
    let id = reply.header("request-id").unwrap();
    assert_eq!(reply.header("x-backstop-request-id"), Some(id));
    if body["id"].is_string() {
        assert_eq!(body["id"], format!("msg_{}", id.strip_prefix("bs-").unwrap()));
        body["id"] = json!("msg_…");
    }
    if body["request_id"].is_string() {
        assert_eq!(body["request_id"], id);
        body["request_id"] = json!("bs-…");
    }
    format!("{}\n{}\n{}", reply.status, reply.origin(), serde_json::to_string_pretty(&body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_with_a_message_whoever_made_it() {
    let stage = Stage::new([("alpha", Answer::new("Paris").usage(12, 3).into())]).await;
    let gateway = Served::start(&stage).await;

    let reply = messages(&gateway, &with("system", json!("Be brief."))).await;

    insta::assert_snapshot!(shown(&reply), @r#"
    200
    x-backstop-attempts: 1
    x-backstop-provider: alpha
    x-backstop-model: alpha-model
    x-backstop-strategy: smart
    {
      "id": "msg_…",
      "type": "message",
      "role": "assistant",
      "model": "alpha-model",
      "content": [
        {
          "type": "text",
          "text": "Paris"
        }
      ],
      "stop_reason": "end_turn",
      "stop_sequence": null,
      "usage": {
        "input_tokens": 12,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 3
      }
    }
    "#);
    let sent = stage.provider("alpha").last_call().unwrap().body;
    assert_eq!(sent["messages"][0], json!({"role": "system", "content": "Be brief."}));
    assert_eq!(sent["max_tokens"], 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_a_message_whoever_made_it() {
    for kind in ["openai", "anthropic", "gemini", "ollama"] {
        let stage =
            Stage::new([("alpha", Answer::new("one two three").usage(12, 3).into())]).await.with_kind("alpha", kind);
        let gateway = Served::start(&stage).await;

        let reply = messages(&gateway, &with("stream", json!(true))).await;

        let events = events(&reply);
        let kinds = kinds(&events);
        assert_eq!((reply.status, reply.is_whole), (200, true), "{}", reply.text());
        assert_eq!(reply.header("content-type"), Some("text/event-stream; charset=utf-8"));
        assert_eq!(kinds[..2], ["message_start", "content_block_start"], "{kind}");
        assert_eq!(kinds[kinds.len() - 3..], ["content_block_stop", "message_delta", "message_stop"], "{kind}");
        assert_eq!(joined(&events, "text"), "one two three", "{kind}");
        let end = events.iter().find(|event| event["type"] == "message_delta").unwrap();
        assert_eq!(end["delta"], json!({"stop_reason": "end_turn", "stop_sequence": null}), "{kind}");
        assert_eq!((&end["usage"]["input_tokens"], &end["usage"]["output_tokens"]), (&json!(12), &json!(3)), "{kind}");
        assert_eq!(reply.header("x-backstop-provider"), Some("alpha"));
        assert!(reply.header("request-id").is_some_and(|id| id.starts_with("bs-")));
    }
}

/// A conversation in which a tool was called, with the tool's result.
fn tool_conversation(call: &Value) -> Value {
    let mut body = hello();
    body["tools"] = json!([{"name": "weather", "description": "Tells.", "cache_control": {"type": "ephemeral"},
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]);
    if call.is_array() {
        let id = &call.as_array().unwrap().iter().find(|block| block["type"] == "tool_use").unwrap()["id"];
        let result = json!({"type": "tool_result", "tool_use_id": id, "is_error": true, "content": "no wind"});
        body["messages"] = json!([
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": call},
            {"role": "user", "content": [result]},
        ]);
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn carries_tools_through_a_fail_over_between_protocols() {
    for kinds in [["openai", "anthropic"], ["anthropic", "openai"]] {
        let call = || Answer::new("I look.").and_tool_call("weather", r#"{"city":"Oslo"}"#).finish_reason("tool_calls");
        let first = Script::new().then(call()).then(Reply::unauthorized()).forever();
        let stage = Stage::new([("alpha", first), ("beta", Answer::new("Calm.").into())])
            .await
            .with_kind("alpha", kinds[0])
            .with_kind("beta", kinds[1]);
        let gateway = Served::start(&stage).await;

        let called = messages(&gateway, &tool_conversation(&Value::Null)).await.json();
        let answered = messages(&gateway, &tool_conversation(&called["content"])).await;

        assert_eq!(called["stop_reason"], "tool_use", "{called}");
        assert_eq!(called["content"][0], json!({"type": "text", "text": "I look."}));
        assert_eq!(called["content"][1]["input"], json!({"city": "Oslo"}));
        assert_eq!(answered.json()["content"], json!([{"type": "text", "text": "Calm."}]), "{}", answered.text());
        assert_eq!(answered.header("x-backstop-provider"), Some("beta"));
        let sent = stage.provider("beta").last_call().unwrap().body;
        let id = &called["content"][1]["id"];
        if kinds[1] == "anthropic" {
            assert_eq!(sent["messages"][1]["content"], called["content"]);
            assert_eq!(
                sent["messages"][2]["content"][0],
                json!({"type": "tool_result", "tool_use_id": id, "content": [{"type": "text", "text": "no wind"}], "is_error": true})
            );
            assert_eq!(sent["tools"][0]["cache_control"], json!({"type": "ephemeral"}));
        } else {
            assert_eq!(sent["messages"][1]["tool_calls"][0]["id"], *id);
            assert_eq!(sent["messages"][2], json!({"role": "tool", "tool_call_id": id, "content": "no wind"}));
            assert_eq!(sent["tools"][0]["function"]["name"], "weather");
            assert!(!sent.to_string().contains("cache_control"), "{sent}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn brings_thoughts_back_to_who_made_them() {
    let thinking = Answer::new("Yes.").thinking("I look").signature("c2ln");
    let stage = Stage::new([("alpha", thinking.into())]).await.with_kind("alpha", "anthropic");
    let gateway = Served::start(&stage).await;
    let mut body = with("thinking", json!({"type": "enabled", "budget_tokens": 1024}));
    body["max_tokens"] = json!(4096);

    let content = messages(&gateway, &body).await.json()["content"].clone();
    body["messages"] = json!([
        {"role": "user", "content": "hi"}, {"role": "assistant", "content": content}, {"role": "user", "content": "and?"},
    ]);
    body["stream"] = json!(true);
    let stream = messages(&gateway, &body).await;

    assert_eq!((&content[0]["type"], &content[0]["thinking"]), (&json!("thinking"), &json!("I look")));
    assert_eq!(joined(&events(&stream), "thinking"), "I look");
    assert!(joined(&events(&stream), "signature").contains("c2ln"));
    let sent = stage.provider("alpha").last_call().unwrap().body;
    assert_eq!(
        sent["messages"][1]["content"],
        json!([{"type": "thinking", "thinking": "I look", "signature": "c2ln"}, {"type": "text", "text": "Yes."}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_a_broken_stream_with_an_error_and_no_end() {
    let broken = Reply::answer("one two three four").at(Place::AfterTokens(2), Fault::Reset);
    let stage = Stage::new([("alpha", broken.into())]).await.with_route("on_interrupt = \"fail\"");
    let gateway = Served::start(&stage).await;

    let reply = messages(&gateway, &with("stream", json!(true))).await;

    let events = events(&reply);
    let last = events.last().unwrap();
    assert!(reply.is_whole && !kinds(&events).contains(&"message_stop"), "{}", reply.text());
    assert_eq!((&last["type"], &last["error"]["type"]), (&json!("error"), &json!("api_error")));
    assert!(
        last["error"]["message"].as_str().unwrap().starts_with("alpha/alpha-model stopped in the middle of its answer")
    );
    assert_eq!(last["request_id"].as_str(), reply.header("request-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_of_errors_as_anthropic_does() {
    let stage = Stage::new([("alpha", Script::always(Reply::invalid_request()))]).await.with_route("max_attempts = 1");
    let gateway = Served::start(&stage).await;

    let rejected = messages(&gateway, &hello()).await;
    let unknown = messages(&gateway, &with("model", json!("alpha-modle"))).await;
    let server_tool = with("tools", json!([{"type": "web_search_20250305", "name": "web_search"}]));
    let server_tool = messages(&gateway, &server_tool).await;
    let missing = messages(&gateway, &with("max_tokens", Value::Null)).await;
    let unsound = gateway.send(&post_to("/v1/messages", &json!("\u{1}"), &[])).await;
    let wish = messages(&gateway, &with("backstop", json!({"rout": "fast"}))).await;
    let method = gateway.get("/v1/messages").await;
    let nowhere = gateway.get("/v1/messages/batches").await;

    insta::assert_snapshot!(shown(&rejected), @r#"
    400
    x-backstop-attempts: 1
    x-backstop-provider: alpha
    x-backstop-model: alpha-model
    x-backstop-strategy: smart
    {
      "type": "error",
      "error": {
        "type": "invalid_request_error",
        "message": "Invalid value for 'temperature': expected a number between 0 and 2, but got 3 instead."
      },
      "request_id": "bs-…"
    }
    "#);
    insta::assert_snapshot!(shown(&unknown), @r#"
    404
    x-backstop-attempts: 0
    {
      "type": "error",
      "error": {
        "type": "not_found_error",
        "message": "no route and no target is called \"alpha-modle\"; did you mean \"alpha-model\"?"
      },
      "request_id": "bs-…"
    }
    "#);
    insta::assert_snapshot!(shown(&server_tool), @r#"
    400
    x-backstop-attempts: 0
    {
      "type": "error",
      "error": {
        "type": "invalid_request_error",
        "message": "tools.0.type: tools of type web_search_20250305 are run by Anthropic or bound to it; only tools of your own can be routed"
      },
      "request_id": "bs-…"
    }
    "#);
    for (reply, status, kind, says) in [
        (&missing, 400, "invalid_request_error", "max_tokens: is required"),
        (&unsound, 400, "invalid_request_error", "body: must be a JSON object"),
        (&wish, 400, "invalid_request_error", "backstop: unknown field `rout`"),
        (&method, 405, "invalid_request_error", "this path takes POST, OPTIONS"),
        (&nowhere, 404, "not_found_error", "there is nothing at this path"),
    ] {
        let error = &reply.json()["error"];
        assert_eq!((reply.status, error["type"].as_str()), (status, Some(kind)), "{error}");
        assert!(error["message"].as_str().unwrap().starts_with(says), "{error}");
    }
    assert_eq!(stage.attempts(), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_of_waits_and_budgets_as_anthropic_does() {
    let busy = Script::always(Reply::rate_limited(std::time::Duration::from_secs(20)));
    let busy = Stage::new([("alpha", busy)]).await.with_route("max_attempts = 1\ndeadline = \"300ms\"");
    let poor = Stage::new([("alpha", Answer::new("yes").into())])
        .await
        .with_settings("[providers.alpha.price]\ninput_per_mtok = \"1000\"\noutput_per_mtok = \"1000\"\n[budget]\nper_request_usd = \"0.001\"");

    let waiting = messages(&Served::start(&busy).await, &hello()).await;
    let spent = messages(&Served::start(&poor).await, &hello()).await;

    assert_eq!((waiting.status, waiting.header("retry-after")), (503, Some("20")));
    assert_eq!(waiting.json()["error"]["type"], "overloaded_error");
    assert_eq!((spent.status, &spent.json()["error"]["type"]), (402, &json!("billing_error")));
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_what_a_client_asks_of_backstop() {
    let stage = Stage::new([("alpha", Answer::new("a").into()), ("beta", Script::always(Reply::unauthorized()))]).await;
    let gateway = Served::start(&stage).await;
    let wishes = json!({"provider": "beta", "fallback_text": "Come back later."});

    let whole = messages(&gateway, &with("backstop", wishes.clone())).await;
    let mut body = with("backstop", wishes);
    body["stream"] = json!(true);
    let stream = messages(&gateway, &body).await;
    let headers = [("x-backstop-provider", "alpha")];
    let by_header = gateway.send(&post_to("/v1/messages", &hello(), &headers)).await;

    assert_eq!(whole.json()["content"], json!([{"type": "text", "text": "Come back later."}]));
    assert_eq!(whole.json()["stop_reason"], "end_turn");
    assert_eq!(joined(&events(&stream), "text"), "Come back later.");
    assert_eq!([&whole, &stream].map(|reply| reply.header("x-backstop-degraded")), [Some("true"); 2]);
    assert_eq!(by_header.header("x-backstop-provider"), Some("alpha"));
    assert!(!stage.provider("alpha").last_call().unwrap().body.to_string().contains("backstop"));
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_tokens_from_above_without_asking_anybody() {
    let stage = Stage::new([("alpha", Answer::new("a").into())]).await;
    let gateway = Served::start(&stage).await;
    let mut body = with("system", json!("Be brief. ".repeat(30)));
    body.as_object_mut().unwrap().shift_remove("max_tokens");
    let count = |body: Value| {
        let gateway = &gateway;
        async move { gateway.send(&post_to("/v1/messages/count_tokens", &body, &[])).await }
    };

    let counted = count(body.clone()).await;
    body["model"] = json!("nobody");
    let unknown = count(body).await;

    let tokens = counted.json()["input_tokens"].as_u64().unwrap();
    assert!(counted.status == 200 && (100..200).contains(&tokens), "{}", counted.text());
    assert_eq!(counted.json(), json!({"input_tokens": tokens}));
    assert!(counted.header("request-id").is_some());
    assert_eq!((unknown.status, &unknown.json()["error"]["type"]), (404, &json!("not_found_error")));
    assert_eq!(stage.attempts(), [0]);
}
