//! The gateway as its clients see it, through the real binary.

#![cfg(unix)]

use std::time::Duration;

use backstop::scripted::{Answer, Fault, Gate, Place, Reply, Script};
use backstop_tests::{HttpReply, Served, Stage, exchange, post};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn hello() -> Value {
    json!({"model": "default", "messages": [{"role": "user", "content": "hi"}]})
}

fn streamed() -> Value {
    json!({"model": "default", "messages": [{"role": "user", "content": "hi"}], "stream": true})
}

/// What the provider itself replies to the same body.
async fn straight(stage: &Stage, name: &str, body: &Value) -> HttpReply {
    let address = stage.provider(name).base_url().socket_addrs(|| None).unwrap()[0];
    exchange(address, &post(&body.to_string(), &[])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_a_whole_reply_on_byte_for_byte() {
    let stage = Stage::new([("alpha", Answer::new("Paris").usage(12, 3).into())])
        .await
        .with_settings("[providers.alpha.price]\ninput_per_mtok = \"1\"\noutput_per_mtok = \"2\"");
    let gateway = Served::start(&stage).await;

    let reply = gateway.chat(&hello()).await;

    let own = straight(&stage, "alpha", &json!({"model": "alpha-model", "messages": hello()["messages"]})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    // The scripted provider numbers its answers.
    assert_eq!(reply.text(), own.text().replace("scripted-2", "scripted-1"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert!(reply.header("x-backstop-request-id").is_some_and(|id| id.starts_with("bs-")));
    insta::assert_snapshot!(reply.origin(), @"
    x-backstop-attempts: 1
    x-backstop-provider: alpha
    x-backstop-model: alpha-model
    x-backstop-strategy: smart
    x-backstop-cost-usd: 0.000018
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_a_stream_on_byte_for_byte() {
    let answer = Answer::new("one two three four").every(Duration::from_millis(5)).comment("keep-alive");
    let stage = Stage::new([("alpha", answer.into())]).await;
    let gateway = Served::start(&stage).await;

    let reply = gateway.chat(&streamed()).await;

    let mut sent = streamed();
    sent["model"] = json!("alpha-model");
    let own = straight(&stage, "alpha", &sent).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    // The scripted provider numbers its answers.
    // The end mark is the gateway's own; what comes before the provider's is not kept for it.
    let own = own.text().replace("scripted-2", "scripted-1");
    assert_eq!(reply.text(), own.replace(": keep-alive\n\ndata: [DONE]", "data: [DONE]"));
    assert!(reply.is_whole && reply.text().ends_with("data: [DONE]\n\n"));
    assert_eq!(reply.header("content-type"), Some("text/event-stream; charset=utf-8"));
    insta::assert_snapshot!(reply.origin(), @"
    x-backstop-attempts: 1
    x-backstop-provider: alpha
    x-backstop-model: alpha-model
    x-backstop-strategy: smart
    ");
}

// R35
#[tokio::test(flavor = "multi_thread")]
async fn says_who_answered_when_the_first_one_could_not() {
    let stage =
        Stage::new([("alpha", Script::always(Reply::unauthorized())), ("beta", Answer::new("yes").into())]).await;
    let gateway = Served::start(&stage).await;

    let whole = gateway.chat(&hello()).await;
    let stream = gateway.chat(&streamed()).await;

    assert_eq!((whole.status, stream.status), (200, 200));
    assert_eq!(whole.json()["model"], "beta-model");
    insta::assert_snapshot!(whole.origin(), @r#"
    x-backstop-attempts: 2
    x-backstop-provider: beta
    x-backstop-model: beta-model
    x-backstop-strategy: smart
    "#);
    assert_eq!(stream.header("x-backstop-provider"), Some("beta"));
    assert_eq!(stream.header("x-backstop-model"), Some("beta-model"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_a_broken_stream_with_an_error_and_no_end_mark() {
    let broken = Reply::answer("one two three four").at(Place::AfterTokens(2), Fault::Reset);
    let stage = Stage::new([("alpha", broken.into())]).await.with_route("on_interrupt = \"fail\"");
    let gateway = Served::start(&stage).await;

    let reply = gateway.chat(&streamed()).await;

    let text = reply.text();
    let last = text.trim_end().rsplit("\n\n").next().unwrap().strip_prefix("data: ").unwrap();
    let mut error: Value = serde_json::from_str(last).unwrap();
    assert_eq!(error["error"]["backstop_id"].as_str(), reply.header("x-backstop-request-id"));
    error["error"]["backstop_id"] = json!("bs-…");
    let address = stage.provider("alpha").base_url().authority().to_owned();
    let told = serde_json::to_string_pretty(&error).unwrap().replace(&address, "ALPHA");
    assert!(reply.is_whole && !text.contains("[DONE]"), "{text}");
    insta::assert_snapshot!(told, @r#"
    {
      "error": {
        "message": "alpha/alpha-model stopped in the middle of its answer: the reply of ALPHA broke off: connection reset",
        "type": "provider_error",
        "code": "stream_interrupted",
        "param": null,
        "failure": "interrupted",
        "backstop_id": "bs-…"
      }
    }
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_the_providers_answer_when_the_client_has_gone() {
    let stage = Stage::new([("alpha", Answer::new("one two three").every(Duration::from_secs(60)).into())])
        .await
        .with_patience();
    let gateway = Served::start(&stage).await;
    let alpha = stage.provider("alpha");

    let mut streaming = TcpStream::connect(gateway.address()).await.unwrap();
    streaming.write_all(&post(&streamed().to_string(), &[])).await.unwrap();
    let mut first = [0; 12];
    streaming.read_exact(&mut first).await.unwrap();
    drop(streaming);
    alpha.disconnects_reach(1).await;

    alpha.set_script(Reply::answer("late").at(Place::BeforeHead, Fault::Hold(Gate::closed())));
    let mut waiting = TcpStream::connect(gateway.address()).await.unwrap();
    waiting.write_all(&post(&hello().to_string(), &[])).await.unwrap();
    alpha.calls_reach(2).await;
    drop(waiting);
    alpha.disconnects_reach(2).await;

    assert_eq!((&first, alpha.call_count()), (b"HTTP/1.1 200", 2));
}

/// An error's status and body, with what differs from run to run made alike.
fn error(reply: &HttpReply) -> String {
    let mut body = reply.json();
    let error = body["error"].as_object_mut().unwrap();
    assert!(reply.header("x-backstop-request-id").is_some());
    if let Some(id) = error.get_mut("backstop_id") {
        assert_eq!(id.as_str(), reply.header("x-backstop-request-id"));
        *id = json!("bs-…");
    }
    for attempt in error["attempts"].as_array_mut().into_iter().flatten() {
        attempt["took_ms"] = json!(0);
    }
    let retry = reply.header("retry-after").map_or_else(String::new, |wait| format!("retry-after: {wait}\n"));
    let body = serde_json::to_string_pretty(&body).unwrap();
    format!("{}\n{}\n{retry}{body}", reply.status, reply.origin())
}

async fn error_of(reply: Reply, body: &Value) -> String {
    let stage =
        Stage::new([("alpha", Script::always(reply))]).await.with_route("max_attempts = 1\ndeadline = \"300ms\"");
    error(&Served::start(&stage).await.chat(body).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn says_that_a_model_is_unknown() {
    insta::assert_snapshot!(error_of(Reply::answer("yes"), &json!({"model": "alpha-modle", "messages": hello()["messages"]})).await, @r#"
    404
    x-backstop-attempts: 0
    {
      "error": {
        "message": "no route and no target is called \"alpha-modle\"; did you mean \"alpha-model\"?",
        "type": "invalid_request_error",
        "code": "model_not_found",
        "param": "model",
        "attempts": []
      }
    }
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_what_a_provider_says_of_the_request() {
    insta::assert_snapshot!(error_of(Reply::invalid_request(), &hello()).await, @r#"
    400
    x-backstop-attempts: 1
    x-backstop-provider: alpha
    x-backstop-model: alpha-model
    x-backstop-strategy: smart
    {
      "error": {
        "message": "Invalid value for 'temperature': expected a number between 0 and 2, but got 3 instead.",
        "type": "invalid_request_error",
        "code": "decimal_above_max_value",
        "param": "temperature",
        "attempts": [
          {
            "provider": "alpha",
            "model": "alpha-model",
            "failure": "invalid-request",
            "status": 400,
            "code": "decimal_above_max_value",
            "message": "Invalid value for 'temperature': expected a number between 0 and 2, but got 3 instead.",
            "retry_after_seconds": null,
            "took_ms": 0
          }
        ],
        "backstop_id": "bs-…"
      }
    }
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_what_every_provider_said() {
    insta::assert_snapshot!(error_of(Reply::server_error(), &hello()).await, @r#"
    502
    x-backstop-attempts: 1
    x-backstop-strategy: smart
    {
      "error": {
        "message": "every provider failed:\n  alpha/alpha-model: server-error (HTTP 500): The server experienced an error while processing your request. Sorry about that! You can retry your request, or contact us through our help center at help.openai.com if the error persists.",
        "type": "provider_error",
        "code": "all_providers_failed",
        "param": null,
        "attempts": [
          {
            "provider": "alpha",
            "model": "alpha-model",
            "failure": "server-error",
            "status": 500,
            "code": "server_error",
            "message": "The server experienced an error while processing your request. Sorry about that! You can retry your request, or contact us through our help center at help.openai.com if the error persists.",
            "retry_after_seconds": null,
            "took_ms": 0
          }
        ],
        "backstop_id": "bs-…"
      }
    }
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn says_when_to_come_again() {
    insta::assert_snapshot!(error_of(Reply::rate_limited(Duration::from_secs(20)), &hello()).await, @r#"
    503
    x-backstop-attempts: 1
    x-backstop-strategy: smart
    retry-after: 20
    {
      "error": {
        "message": "every provider failed:\n  alpha/alpha-model: rate-limited (HTTP 429): Rate limit reached for gpt-4o in organization org-scripted on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s. Visit https://platform.openai.com/account/rate-limits to learn more.",
        "type": "provider_error",
        "code": "all_providers_failed",
        "param": null,
        "attempts": [
          {
            "provider": "alpha",
            "model": "alpha-model",
            "failure": "rate-limited",
            "status": 429,
            "code": "rate_limit_exceeded",
            "message": "Rate limit reached for gpt-4o in organization org-scripted on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s. Visit https://platform.openai.com/account/rate-limits to learn more.",
            "retry_after_seconds": 20.0,
            "took_ms": 0
          }
        ],
        "backstop_id": "bs-…"
      }
    }
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn says_that_time_ran_out() {
    let stage = Stage::new([("alpha", Script::always(Reply::silence()))]).await.with_route("deadline = \"300ms\"");

    let reply = Served::start(&stage).await.chat(&streamed()).await;

    let error = &reply.json()["error"];
    assert_eq!((reply.status, &error["code"]), (504, &json!("deadline_exceeded")));
    assert_eq!(error["attempts"][0]["failure"], "timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn says_that_the_budget_is_spent() {
    let stage = Stage::new([("alpha", Answer::new("yes").into())])
        .await
        .with_settings("[providers.alpha.price]\ninput_per_mtok = \"1000\"\noutput_per_mtok = \"1000\"\n[budget]\nper_request_usd = \"0.001\"");

    let reply = Served::start(&stage).await.chat(&hello()).await;

    insta::assert_snapshot!(error(&reply), @r#"
    402
    x-backstop-attempts: 0
    x-backstop-strategy: smart
    {
      "error": {
        "message": "the request does not fit the budget: the per-request budget of $0.001 has $0.001 left and the request may cost $4.27",
        "type": "budget_error",
        "code": "budget_exceeded",
        "param": null,
        "attempts": [],
        "backstop_id": "bs-…"
      }
    }
    "#);
    assert_eq!(stage.attempts(), [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_what_a_client_asks_of_backstop_and_sends_none_of_it_on() {
    let stage = Stage::new([("alpha", Answer::new("a").into()), ("beta", Answer::new("b").into())]).await;
    let gateway = Served::start(&stage).await;
    let mut body = hello();
    body["backstop"] = json!({"provider": "beta", "context": "test", "labels": {"team": "x"}, "timeout": "5s"});
    body["user"] = json!("u-1");
    body["metadata"] = json!({"k": "v"});

    let by_body = gateway.chat(&body).await;
    let by_header = gateway.send(&post(&hello().to_string(), &[("X-Backstop-Provider", "beta")])).await;

    assert_eq!((by_body.status, by_header.status, stage.attempts()), (200, 200, vec![0, 2]), "{}", by_body.text());
    let calls = stage.provider("beta").calls();
    let fields: Vec<_> = calls[0].body.as_object().unwrap().keys().map(String::as_str).collect();
    assert!(fields.contains(&"user") && fields.contains(&"metadata") && !fields.contains(&"backstop"), "{fields:?}");
    for call in calls {
        let theirs = call.headers.keys().filter(|name| name.as_str().starts_with("x-"));
        assert_eq!(theirs.count(), 0, "{:?}", call.headers);
    }
}

// R66, H23, H24
#[tokio::test(flavor = "multi_thread")]
async fn lets_no_client_choose_where_a_request_is_sent() {
    let stage = Stage::new([("alpha", Answer::new("a").into()), ("elsewhere", Script::new())])
        .await
        .with_route("targets = [\"alpha\"]");
    let gateway = Served::start(&stage).await;
    let url = stage.provider("elsewhere").base_url().to_string();
    let host = url.trim_start_matches("http://").trim_end_matches("/v1").to_owned();
    let mut body = hello();
    for field in ["api_base", "base_url", "extra_headers"] {
        body[field] = json!(url);
    }
    let headers = [("X-Forwarded-Host", &*host), ("X-Forwarded-For", &*host), ("Forwarded", &*host)];

    let replies = [
        gateway.send(&post(&body.to_string(), &headers)).await,
        gateway
            .send(
                String::from_utf8(post(&body.to_string(), &[]))
                    .unwrap()
                    .replace("host: localhost", &format!("host: {host}"))
                    .as_bytes(),
            )
            .await,
    ];

    assert_eq!(replies.map(|reply| reply.status), [200, 200]);
    assert_eq!((stage.attempts(), stage.provider("elsewhere").connections()), (vec![2, 0], 0));
    let sent = stage.provider("alpha").last_call().unwrap();
    assert!(!String::from_utf8_lossy(&sent.raw).contains(&host), "{:?}", sent.raw);
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_a_fallback_text_as_degraded() {
    let stage = Stage::new([("alpha", Script::always(Reply::unauthorized()))]).await;
    let gateway = Served::start(&stage).await;
    let mut body = hello();
    body["backstop"] = json!({"fallback_text": "Come back later."});

    let whole = gateway.chat(&body).await;
    body["stream"] = json!(true);
    let stream = gateway.chat(&body).await;

    assert_eq!(whole.json()["choices"][0]["message"]["content"], "Come back later.");
    assert!(stream.text().contains("Come back later.") && stream.text().ends_with("data: [DONE]\n\n"));
    assert_eq!([&whole, &stream].map(|reply| reply.header("x-backstop-degraded")), [Some("true"); 2]);
    assert_eq!(whole.header("x-backstop-provider"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_what_can_be_named_as_a_model() {
    let stage = Stage::new([("alpha", Script::new()), ("beta", Script::new())])
        .await
        .with_settings("[routes.fast]\ntargets = [\"beta\"]");
    let gateway = Served::start(&stage).await;

    let reply = gateway.get("/v1/models").await;

    let models = reply.json();
    let ids: Vec<_> = models["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!((reply.status, &models["object"]), (200, &json!("list")));
    assert_eq!(ids, ["default", "fast", "alpha/alpha-model", "beta/beta-model"]);
    insta::assert_snapshot!(models["data"][2], @r#"
    {"id":"alpha/alpha-model","object":"model","created":0,"owned_by":"alpha"}
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn is_alive_and_ready_and_says_what_a_path_takes() {
    let stage = Stage::new([("alpha", Script::new())]).await;
    let gateway = Served::start(&stage).await;

    let alive = gateway.get("/healthz").await;
    let ready = gateway.get("/readyz?x=1").await;
    let head = gateway.send(b"HEAD /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    let options = gateway.send(b"OPTIONS /v1/chat/completions HTTP/1.1\r\nhost: a\r\n\r\n").await;

    assert_eq!((alive.status, alive.text().as_str()), (200, r#"{"status":"ok"}"#));
    assert_eq!((ready.status, ready.text().as_str()), (200, r#"{"status":"ready"}"#));
    assert_eq!((head.status, head.text().as_str()), (200, ""));
    assert_eq!((options.status, options.header("allow")), (204, Some("POST, OPTIONS")));
    let log = gateway.stopped().await;
    assert!(!log.contains("panicked"), "{log}");
}
