//! `GET /metrics`: what an operator's Prometheus sees.

#![cfg(unix)]

use std::time::Duration;

use backstop::scripted::{Answer, Reply, Script};
use backstop_tests::{Exposition, Served, Stage};
use serde_json::{Value, json};

const PRICE: &str = "[providers.beta.price]\ninput_per_mtok = \"1\"\noutput_per_mtok = \"2\"";

const DOCUMENTED: &str = include_str!("../../docs/metrics.md");

fn hello(context: &str) -> Value {
    json!({"messages": [{"role": "user", "content": "hi"}], "backstop": {"context": context}})
}

async fn scrape(gateway: &Served) -> Exposition {
    let reply = gateway.get("/metrics").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4"));
    let seen = Exposition::parse(&reply.text());
    for name in seen.names() {
        assert!(DOCUMENTED.contains(&format!("| `{name}` |")), "docs/metrics.md does not have {name}");
    }
    seen
}

// D5, E5
#[tokio::test(flavor = "multi_thread")]
async fn counts_a_fail_over_where_it_happened_and_under_its_context() {
    let stage = Stage::new([("alpha", Reply::server_error().into()), ("beta", Answer::new("yes").usage(12, 3).into())])
        .await
        .with_route("options = { retries = 0 }")
        .with_settings(PRICE);
    let gateway = Served::start(&stage).await;

    let whole = gateway.chat(&hello("moderation")).await;
    let mut streamed = hello("thread-name");
    streamed["stream"] = json!(true);
    let stream = gateway.chat(&streamed).await;

    assert_eq!((whole.status, stream.status), (200, 200), "{}", whole.text());
    let seen = scrape(&gateway).await;
    let (alpha, beta) = ("provider=\"alpha\"", "provider=\"beta\"");
    for (series, expected) in [
        ("backstop_requests_total{context=\"moderation\",outcome=\"served\",route=\"default\"}".to_owned(), 1.0),
        ("backstop_requests_total{context=\"thread-name\",outcome=\"served\",route=\"default\"}".to_owned(), 1.0),
        ("backstop_fail_overs_total{from=\"alpha\",route=\"default\",to=\"beta\"}".to_owned(), 2.0),
        (
            format!("backstop_attempts_total{{end=\"failed\",failure=\"server-error\",model=\"alpha-model\",{alpha}}}"),
            2.0,
        ),
        (format!("backstop_attempts_total{{end=\"served\",failure=\"\",model=\"beta-model\",{beta}}}"), 2.0),
        ("backstop_request_seconds_count{route=\"default\"}".to_owned(), 2.0),
        (format!("backstop_attempt_seconds_count{{model=\"beta-model\",{beta}}}"), 2.0),
        (format!("backstop_first_token_seconds_count{{model=\"beta-model\",{beta}}}"), 1.0),
        (format!("backstop_tokens_total{{kind=\"input\",model=\"beta-model\",{beta}}}"), 24.0),
        (format!("backstop_tokens_total{{kind=\"output\",model=\"beta-model\",{beta}}}"), 6.0),
        (format!("backstop_cost_usd_total{{model=\"beta-model\",{beta}}}"), 0.000_036),
        ("backstop_strategy_decisions_total{route=\"default\",strategy=\"smart\"}".to_owned(), 4.0),
        (format!("backstop_provider_up{{{beta}}}"), 1.0),
        (format!("backstop_in_flight{{model=\"beta-model\",{beta}}}"), 0.0),
    ] {
        assert!((seen.value(&series) - expected).abs() < 1e-9, "{series}: {seen:#?}");
    }
    assert_eq!(seen.of("backstop_every_provider_failed_total").count(), 0);
    assert_eq!(seen.of("backstop_build_info").count(), 1);
}

// D5
#[tokio::test(flavor = "multi_thread")]
async fn counts_requests_that_every_provider_failed_and_shows_who_is_down() {
    let limited = Script::from(Reply::rate_limited(Duration::from_secs(60)));
    let stage = Stage::new([("alpha", limited), ("beta", Reply::server_error().into())])
        .await
        .with_route("options = { retries = 0 }\ndeadline = \"20s\"");
    let gateway = Served::start(&stage).await;

    let failed = gateway.chat(&hello("")).await;
    let mut own = hello("");
    own["backstop"]["fallback_text"] = json!("later");
    let degraded = gateway.chat(&own).await;
    let refused = gateway.chat(&json!({"model": "nobody", "messages": [{"role": "user", "content": "hi"}]})).await;

    assert_eq!((failed.status, degraded.status, refused.status), (502, 200, 404));
    let seen = scrape(&gateway).await;
    assert_eq!(seen.value("backstop_every_provider_failed_total{route=\"default\"}"), 2.0, "{seen:#?}");
    assert_eq!(seen.value("backstop_requests_total{context=\"\",outcome=\"failed\",route=\"default\"}"), 1.0);
    assert_eq!(seen.value("backstop_requests_total{context=\"\",outcome=\"degraded\",route=\"default\"}"), 1.0);
    assert_eq!(seen.value("backstop_provider_up{provider=\"alpha\"}"), 0.0);
    let pause = seen.value("backstop_cooldown_seconds{provider=\"alpha\"}");
    assert!((50.0..=60.0).contains(&pause), "{pause}");
}

// E5
#[tokio::test(flavor = "multi_thread")]
async fn makes_no_more_than_64_contexts_of_what_clients_say() {
    let stage = Stage::new([("alpha", Answer::new("yes").into())]).await;
    let gateway = Served::start(&stage).await;

    for number in 0..80 {
        assert_eq!(gateway.chat(&hello(&format!("\"quoted\\ {number}\n"))).await.status, 200);
    }

    let seen = scrape(&gateway).await;
    assert_eq!(seen.of("backstop_requests_total").count(), 65, "{seen:#?}");
    let other = "backstop_requests_total{context=\"other\",outcome=\"served\",route=\"default\"}";
    assert_eq!(seen.value(other), 16.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn is_asked_for_and_nothing_else() {
    let stage = Stage::new([("alpha", Script::new())]).await;
    let gateway = Served::start(&stage).await;

    let posted = gateway.send(b"POST /metrics HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n").await;

    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
}
