//! The admin API: what an operator sees and steers (B12, E4, F7, R72), over the real binary.

#![cfg(unix)]

use std::time::Duration;

use backstop::scripted::{Answer, Fault, Place, Reply, Script};
use backstop_tests::{HttpReply, Served, Stage, exchange, post};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const HI: &str = r#"{"messages":[{"role":"user","content":"hi"}],"backstop":{"context":"quiz"}}"#;

fn down() -> Script {
    Reply::server_error().into()
}

async fn stage(first: Script) -> Stage {
    Stage::new([("alpha", first), ("beta", Answer::new("yes").into())]).await.with_route(
        "strategy = \"round-robin\"\noptions = { rotate = false, retries = 0 }\ndeadline = \"20s\"\n\
         [providers.alpha.price]\ninput_per_mtok = \"1\"\noutput_per_mtok = \"2\"\n",
    )
}

fn call(method: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

async fn told(gateway: &Served, path: &str) -> Value {
    let reply = gateway.get(path).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.json()
}

async fn done(gateway: &Served, path: &str, body: &Value) -> HttpReply {
    gateway.send(&call("POST", path, &body.to_string())).await
}

fn state(providers: &Value, name: &str) -> String {
    let found = providers["providers"].as_array().unwrap().iter().find(|provider| provider["provider"] == name);
    found.unwrap()["state"]["name"].as_str().unwrap().to_owned()
}

// F7
#[tokio::test(flavor = "multi_thread")]
async fn tells_the_whole_story_of_a_request_also_after_a_restart() {
    let stage = stage(down()).await;
    let gateway = Served::start(&stage).await;
    let reply = gateway.send(&post(HI, &[])).await;
    let id = reply.header("x-backstop-request-id").unwrap().to_owned();

    let story = told(&gateway, &format!("/api/requests/{id}")).await;
    gateway.stopped().await;
    let again = Served::start(&stage).await;
    let kept = told(&again, &format!("/api/requests/{id}")).await;
    let listed = told(&again, "/api/requests?limit=5").await;

    assert_eq!(story["outcome"], "served");
    assert_eq!(story["served_by"], "beta/beta-model");
    assert_eq!(story["labels"], json!({"context": "quiz"}));
    let ends: Vec<_> =
        story["tried"].as_array().unwrap().iter().map(|tried| (&tried["target"], &tried["end"])).collect();
    assert_eq!(json!(ends), json!([["alpha/alpha-model", "failed"], ["beta/beta-model", "served"]]));
    let decided = &story["steps"][0];
    assert_eq!(decided["event"], "decided");
    assert_eq!(decided["reason"], "its turn");
    assert_eq!(decided["candidates"][0]["target"], "alpha/alpha-model");
    assert_eq!(decided["candidates"][0]["standing"], "ready");
    assert_eq!(kept, story, "as it was told before the restart");
    let summary = &listed["requests"][0];
    assert_eq!((&summary["id"], &summary["attempts"], &summary["failed_over"]), (&json!(id), &json!(2), &json!(true)));
}

// E4, B12
#[tokio::test(flavor = "multi_thread")]
async fn shows_every_provider_and_does_what_an_operator_says() {
    let stage = stage(Answer::new("yes").into()).await;
    let gateway = Served::start(&stage).await;
    gateway.send(&post(HI, &[])).await;

    let forced = done(&gateway, "/api/providers/beta/force", &json!({"seconds": 60})).await;
    gateway.send(&post(HI, &[])).await;
    let routes = told(&gateway, "/api/routes").await;
    done(&gateway, "/api/preference/clear", &json!({})).await;
    let rested = done(&gateway, "/api/providers/alpha/cool-down", &json!({"seconds": 60})).await;
    gateway.send(&post(HI, &[])).await;
    let resting = told(&gateway, "/api/providers").await;
    done(&gateway, "/api/providers/alpha/clear", &json!({})).await;
    for _ in 0..5 {
        done(&gateway, "/api/providers/beta/report", &json!({"failure": "server-error"})).await;
    }
    let reported = told(&gateway, "/api/providers").await;
    let overview = told(&gateway, "/api/overview").await;

    assert_eq!((forced.status, &forced.json()["provider"]["forced"]), (200, &json!(true)));
    let route = &routes["routes"][0];
    assert_eq!((&route["forced"], &route["primary"]), (&json!("beta"), &json!("alpha/alpha-model")));
    assert!((1..=60_000).contains(&route["forced_for_ms"].as_u64().unwrap()), "{route}");
    assert_eq!(route["fallbacks"], json!(["beta/beta-model"]));
    assert_eq!(rested.json()["provider"]["state"]["name"], "rate-limited");
    assert_eq!(stage.attempts(), [1, 2], "one each by force and by rest");
    assert_eq!((state(&resting, "alpha").as_str(), state(&resting, "beta").as_str()), ("rate-limited", "available"));
    assert_eq!(state(&reported, "alpha"), "available");
    assert_eq!(state(&reported, "beta"), "temporarily-disabled");
    assert_eq!(overview["stats"]["total_requests"], 3);
    assert_eq!(overview["stats"]["successful_requests"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_is_wrong_with_a_call_and_changes_nothing() {
    let stage = stage(Answer::new("yes").into()).await;
    let gateway = Served::start(&stage).await;
    for (path, body, status, says) in [
        ("/api/providers/nobody/force", "{}", 404, "no provider is called \"nobody\""),
        ("/api/providers/alpha/force", "{\"seconds\":-1}", 400, "seconds: must be more than 0"),
        ("/api/providers/alpha/force", "{\"minutes\":1}", 400, "unknown field `minutes`"),
        ("/api/providers/alpha/force", "{", 400, "body: EOF"),
        ("/api/providers/alpha/report", "{}", 400, "name a failure"),
        ("/api/providers/alpha/report", "{\"failure\":\"tired\"}", 400, "unknown variant `tired`"),
        ("/api/strategies/nowhere/reload", "{}", 404, "no route is called \"nowhere\""),
        ("/api/strategies/default/promote", "{\"strategy\":\"best\"}", 422, "no strategy is called \"best\""),
        ("/api/strategies/default/promote", "{\"strategy\":\"no.wasm\"}", 422, "the one before it is kept"),
        ("/api/nothing", "{}", 404, "there is nothing at this path"),
        ("/api/providers", "{}", 405, "this path takes GET"),
    ] {
        let reply = gateway.send(&call("POST", path, body)).await;

        let message = reply.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(reply.status, status, "{path} {body}: {message}");
        assert!(message.contains(says), "{path} {body}: {message}");
    }
    for (path, says) in [
        ("/api/requests/bs-1", "32 hexadecimal digits"),
        ("/api/requests?limit=0", "limit: must be a whole number from 1 to 500"),
        ("/api/requests?outcome=fine", "outcome: must be served"),
        ("/api/timeline?minutes=x", "minutes: must be a whole number"),
    ] {
        let reply = gateway.get(path).await;
        assert_eq!(reply.status, 400, "{path}");
        assert!(reply.text().contains(says), "{path}: {}", reply.text());
    }
    let unknown = gateway.get("/api/requests/bs-00000000000000000000000000000001").await;
    assert_eq!(unknown.status, 404);
    assert_eq!(told(&gateway, "/api/strategies").await["strategies"][0]["strategy"], "round-robin");
}

#[tokio::test(flavor = "multi_thread")]
async fn lets_no_page_of_another_site_look_or_speak() {
    let stage = stage(Answer::new("yes").into()).await;
    let gateway = Served::start(&stage).await;

    let rebound = gateway.send(b"GET /api/overview HTTP/1.1\r\nhost: evil.example:7878\r\n\r\n").await;
    let foreign =
        gateway.send(b"GET /api/overview HTTP/1.1\r\nhost: localhost\r\norigin: https://evil.example\r\n\r\n").await;
    let plain = gateway
        .send(b"POST /api/preference/clear HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n{}")
        .await;

    assert_eq!((rebound.status, foreign.status, plain.status), (403, 403, 415));
}

#[tokio::test(flavor = "multi_thread")]
async fn lets_another_strategy_decide_from_now_on() {
    let stage = stage(Answer::new("yes").into()).await;
    let gateway = Served::start(&stage).await;

    let promoted = done(&gateway, "/api/strategies/default/promote", &json!({"strategy": "quality"})).await;
    let reply = gateway.send(&post(HI, &[])).await;
    let refused =
        done(&gateway, "/api/strategies/default/promote", &json!({"strategy": "quality", "options": {"nonsense": 1}}))
            .await;
    let after = gateway.send(&post(HI, &[])).await;

    assert_eq!(promoted.json()["strategy"]["strategy"], "quality");
    assert_eq!(reply.header("x-backstop-strategy"), Some("quality"));
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert_eq!(after.header("x-backstop-strategy"), Some("quality"));
}

// R72
#[tokio::test(flavor = "multi_thread")]
async fn keeps_exactly_one_record_of_each_request_also_when_it_is_killed_in_between() {
    let slow = Reply::answer("late").at(Place::AfterTokens(0), Fault::Silence);
    let stage = stage(slow.into()).await.with_patience();
    let gateway = Served::start(&stage).await;
    for _ in 0..3 {
        let forced = done(&gateway, "/api/providers/beta/force", &json!({"seconds": 60})).await;
        assert_eq!(forced.status, 200);
        assert_eq!(gateway.send(&post(HI, &[])).await.status, 200);
    }
    done(&gateway, "/api/preference/clear", &json!({})).await;
    let mut waiting = TcpStream::connect(gateway.address()).await.unwrap();
    waiting.write_all(&post(HI, &[])).await.unwrap();
    stage.provider("alpha").calls_reach(1).await;
    while told(&gateway, "/api/requests?outcome=pending").await["requests"].as_array().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }

    gateway.signal("KILL");
    gateway.ended().await;
    let again = Served::start(&stage).await;
    let listed = told(&again, "/api/requests?limit=100").await;

    let outcomes: Vec<_> = listed["requests"].as_array().unwrap().iter().map(|request| &request["outcome"]).collect();
    assert_eq!(json!(outcomes), json!(["unknown", "served", "served", "served"]));
    let ids: std::collections::BTreeSet<_> =
        listed["requests"].as_array().unwrap().iter().map(|request| request["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 4);
}

/// Reads an event stream until it holds a text.
async fn until(stream: &mut TcpStream, seen: &mut String, text: &str) {
    let mut buffer = vec![0; 16 << 10];
    while !seen.contains(text) {
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut buffer)).await;
        let count = read.unwrap_or_else(|_| panic!("{text} does not come: {seen}")).unwrap();
        assert!(count > 0, "the stream ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
}

// D5
#[tokio::test(flavor = "multi_thread")]
async fn tells_of_requests_alerts_and_changed_providers_as_they_happen() {
    let stage = stage(down()).await;
    let gateway = Served::start(&stage).await;
    let mut listener = TcpStream::connect(gateway.address()).await.unwrap();
    listener.write_all(b"GET /api/events HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut seen = String::new();
    until(&mut listener, &mut seen, "event: providers").await;

    gateway.send(&post(HI, &[])).await;
    until(&mut listener, &mut seen, "event: request").await;
    stage.provider("beta").set_script(down());
    gateway.send(&post(HI, &[])).await;
    until(&mut listener, &mut seen, "every-provider-down").await;
    stage.provider("alpha").set_script(Answer::new("back"));
    gateway.send(&post(HI, &[])).await;
    until(&mut listener, &mut seen, "\"kind\":\"recovered\"").await;
    gateway.send(&call("POST", "/api/reload", "")).await;
    until(&mut listener, &mut seen, "event: reload\ndata: {\"notices\":[]}").await;

    let alerts = told(&gateway, "/api/overview").await["alerts"].clone();
    let kinds: Vec<_> = alerts.as_array().unwrap().iter().map(|alert| &alert["kind"]).collect();
    assert_eq!(json!(kinds), json!(["recovered", "every-provider-down"]));
    assert!(!seen.contains(&Stage::key("alpha")));
    gateway.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_traffic_over_time_and_what_was_spent() {
    let stage = stage(Answer::new("yes").into()).await;
    let gateway = Served::start(&stage).await;
    for _ in 0..4 {
        gateway.send(&post(HI, &[])).await;
    }

    let timeline = told(&gateway, "/api/timeline?minutes=5").await;
    let described = told(&gateway, "/api/openapi.json").await;
    let config = told(&gateway, "/api/config").await;
    // What is told to the store is on disk a moment later.
    let mut costs = told(&gateway, "/api/costs?days=1").await;
    while costs["lines"][0]["answers"] != 4 {
        tokio::task::yield_now().await;
        costs = told(&gateway, "/api/costs?days=1").await;
    }

    let buckets = timeline["buckets"].as_array().unwrap();
    let requests: u64 = buckets.iter().map(|bucket| bucket["requests"].as_u64().unwrap()).sum();
    assert_eq!((timeline["bucket_s"].as_u64(), buckets.len(), requests), (Some(5), 60, 4));
    assert_eq!(described["openapi"], "3.1.0");
    let config = config["text"].as_str().unwrap();
    assert!(config.contains("[providers.alpha]") && !config.contains(&Stage::key("alpha")), "{config}");
    assert_eq!((&costs["lines"][0]["provider"], &costs["lines"][0]["model"]), (&json!("alpha"), &json!("alpha-model")));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_calls_that_are_pipelined_in_order() {
    let stage = stage(Answer::new("yes").into()).await;
    let gateway = Served::start(&stage).await;

    let first = exchange(gateway.address(), &call("GET", "/api/routes", "")).await;

    assert_eq!(first.status, 200);
    assert!(first.header("x-backstop-request-id").is_some());
}
