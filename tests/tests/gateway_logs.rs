//! The gateway's log: one line a request, which nobody but the gateway can write.

#![cfg(unix)]

use backstop::scripted::{Answer, Reply};
use backstop_tests::{Served, Stage, post};
use serde_json::{Value, json};

const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

async fn stage() -> Stage {
    let alpha = Reply::json(500, &json!({"error": {"message": "down\n2026-11-25T00:00:00Z  INFO forged: by alpha"}}));
    Stage::new([("alpha", alpha.into()), ("beta", Answer::new("yes").usage(12, 3).into())])
        .await
        .with_route("options = { retries = 0 }")
        .with_settings("[providers.beta.price]\ninput_per_mtok = \"1\"\noutput_per_mtok = \"2\"")
}

fn body(context: &str, stream: bool) -> Vec<u8> {
    let wishes = json!({"context": context, "labels": {"team": "a\u{1b}[2J\u{2028}b\r\nc"}});
    let body =
        json!({"messages": [{"role": "user", "content": "a secret word"}], "stream": stream, "backstop": wishes});
    post(&body.to_string(), &[])
}

// D5, E5
#[tokio::test(flavor = "multi_thread")]
async fn tells_programs_of_each_request_in_one_json_object() {
    let stage = stage().await;
    let gateway = Served::start_as(stage.backstop(SERVE).args(["--log-format", "json"])).await;

    let whole = gateway.send(&body("moderation", false)).await;
    let stream = gateway.send(&body("moderation", true)).await;
    let log = gateway.stopped().await;

    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for (reply, is_stream) in [(whole, false), (stream, true)] {
        let id = json!(reply.header("x-backstop-request-id").unwrap());
        let about: Vec<&Value> = lines.iter().filter(|line| line["message"] == "request" && line["id"] == id).collect();
        let [line] = about[..] else { panic!("{log}") };
        for (field, expected) in [
            ("level", json!("INFO")),
            ("route", json!("default")),
            ("strategy", json!("smart")),
            ("outcome", json!("served")),
            ("served_by", json!("beta/beta-model")),
            ("attempts", json!(2)),
            ("failed_over", json!("alpha>beta")),
            ("input_tokens", json!(12)),
            ("output_tokens", json!(3)),
            ("cost_usd", json!("0.000018")),
            ("context", json!("moderation")),
        ] {
            assert_eq!(line[field], expected, "{field}: {line:#}");
        }
        assert!(line["took_ms"].is_u64() && line["first_token_ms"].is_u64() == is_stream, "{line:#}");
        let tried = line["tried"].as_str().unwrap();
        let tried: String = tried.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        assert_eq!(tried, "alpha/alpha-model: server-error ms; beta/beta-model: served ms");
    }
    assert!(!log.contains("a secret word"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lets_neither_clients_nor_providers_forge_a_line() {
    let stage = stage().await;
    for format in ["text", "json"] {
        let serve = stage.backstop(SERVE).args(["--log", "backstop=debug"]).env("BACKSTOP_LOG_FORMAT", format);
        let gateway = Served::start_as(serve).await;

        let forged = "x\n2026-11-25T00:00:00Z  INFO forged: by a client\u{85}\u{1b}[31m";
        let reply = gateway.send(&body(forged, false)).await;
        let unknown = json!({"model": "a\nb\u{1b}[2J", "messages": [{"role": "user", "content": "hi"}]});
        let refused = gateway.chat(&unknown).await;
        let log = gateway.stopped().await;

        assert_eq!((reply.status, refused.status), (200, 404));
        assert!(log.contains("forged: by a client") && log.contains("forged: by alpha"), "{log}");
        for line in log.lines() {
            let is_ours =
                if format == "json" { line.starts_with("{\"timestamp\":\"") } else { line.contains(" backstop::") };
            assert!(is_ours && !line.contains("INFO forged: by a client backstop"), "{format}: {line:?}");
            assert!(!line.contains(['\u{1b}', '\r', '\u{85}', '\u{7}']), "{format}: {line:?}");
        }
        let told = log.lines().filter(|line| line.contains("forged: by a client")).count();
        assert_eq!(told, 1, "{log}");
    }
}

// B2
#[tokio::test(flavor = "multi_thread")]
async fn has_no_line_for_requests_where_that_is_switched_off() {
    let settings = "[gateway]\nlog_requests = false\nlog_format = \"json\"";
    let stage = Stage::new([("alpha", Answer::new("yes").into())]).await.with_settings(settings);
    let gateway = Served::start(&stage).await;

    let reply = gateway.send(&body("x", false)).await;
    let log = gateway.stopped().await;

    let id = reply.header("x-backstop-request-id").unwrap();
    assert!(!log.contains(id) && !log.contains("no effect"), "{log}");
    assert!(log.lines().all(|line| line.starts_with('{')) && log.contains("stopping"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn is_not_written_in_a_format_nobody_knows() {
    let stage = Stage::new([("alpha", Answer::new("yes").into())]).await;

    let ran = stage.backstop(["serve", "--log-format", "xml"]).run().await;

    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains("must be text or json"), "{ran:#?}");
}
