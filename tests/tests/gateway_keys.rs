//! The gateway's own keys, through the real binary (R68, H1 to H3): who is let in, for what, and how much.

#![cfg(unix)]

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use backstop::Gateway;
use backstop::gateway::BindError;
use backstop::scripted::{Answer, Fault, Gate, Place, Reply, Script};
use backstop_tests::key_timing::{THRESHOLD, t_of_guesses};
use backstop_tests::pair::asking;
use backstop_tests::{HttpReply, Served, Stage, exchange, post};
use serde_json::{Value, json};

const HI: &str = r#"{"model":"default","messages":[{"role":"user","content":"hi"}]}"#;
const STREAM: &str = r#"{"model":"default","messages":[{"role":"user","content":"hi"}],"stream":true}"#;

/// How long a change of the file is waited for; by then it has long been seen.
const PATIENCE: Duration = Duration::from_secs(20);

async fn stage() -> Stage {
    Stage::new([("alpha", Script::always(Reply::answer("yes")))]).await
}

/// Makes a key.
async fn key(stage: &Stage, arguments: &[&str]) -> String {
    let ran = stage.backstop(["keys", "create"]).args(arguments.iter().copied()).run().await;
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    ran.answer().to_owned()
}

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

async fn ask(gateway: &Served, key: &str, body: &str) -> HttpReply {
    gateway.send(&post(body, &[("authorization", &bearer(key))])).await
}

async fn models(gateway: &Served, key: &str) -> HttpReply {
    let head = format!("GET /v1/models HTTP/1.1\r\nhost: localhost\r\nx-api-key: {key}\r\n\r\n");
    gateway.send(head.as_bytes()).await
}

fn code(reply: &HttpReply) -> (u16, String) {
    (reply.status, reply.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

/// Asks until the reply has the status.
async fn becomes(gateway: &Served, key: &str, status: u16) -> HttpReply {
    let begun = Instant::now();
    loop {
        let reply = ask(gateway, key, HI).await;
        if reply.status == status {
            return reply;
        }
        assert!(begun.elapsed() < PATIENCE, "{}: {}", reply.status, reply.text());
    }
}

// H1, H2, H3
#[tokio::test(flavor = "multi_thread")]
async fn lets_nobody_in_without_one_sound_key() {
    let stage = stage().await;
    let (own, other) = (key(&stage, &["ci"]).await, key(&stage, &["app"]).await);
    let gateway = Served::start(&stage).await;
    let (good, also_good) = (bearer(&own), bearer(&other));
    let cased = format!("Bearer {}", own.to_uppercase());
    let long = format!("Bearer bsk_{}", "a".repeat(1 << 20));

    for (name, headers, status, says) in [
        ("H1", &[][..], 401, "invalid_api_key"),
        ("H1 another scheme", &[("authorization", "Basic Zm9vOmJhcg==")], 401, "invalid_api_key"),
        ("H1 no scheme", &[("authorization", &*own)], 401, "invalid_api_key"),
        ("H1 a placeholder", &[("authorization", "Bearer unused")], 401, "invalid_api_key"),
        ("H2", &[("authorization", &*good), ("authorization", &*also_good)], 400, "ambiguous_api_key"),
        ("H2 the same", &[("authorization", &*good), ("authorization", &*good)], 400, "ambiguous_api_key"),
        ("H2 in two places", &[("authorization", &*good), ("x-api-key", &*other)], 400, "ambiguous_api_key"),
        ("H3 quotes", &[("authorization", "Bearer ' OR '1'='1")], 401, "invalid_api_key"),
        ("H3 not ASCII", &[("x-api-key", "bsk_é")], 401, "invalid_api_key"),
        ("H3 another case", &[("authorization", &*cased)], 401, "invalid_api_key"),
    ] {
        let reply = gateway.send(&post(HI, headers)).await;

        assert_eq!(code(&reply), (status, says.to_owned()), "{name}: {}", reply.text());
        assert_eq!(reply.header("www-authenticate"), (status == 401).then_some("Bearer"), "{name}");
    }
    let too_long = gateway.send(&post(HI, &[("authorization", &long)])).await;
    let with_nul = gateway.send(&post(HI, &[("authorization", "Bearer bsk_\0")])).await;
    assert_eq!([too_long.status, with_nul.status], [431, 400]);
    assert_eq!((gateway.get("/v1/models").await.status, stage.attempts()), (401, vec![0]));

    for headers in [
        &[("authorization", &*good)][..],
        &[("x-api-key", &*own)],
        &[("authorization", &*good), ("x-api-key", &*own)],
        // No page of a browser: those ask first, and are not told yes.
        &[("authorization", &*good), ("origin", "app://example")],
    ] {
        assert_eq!(gateway.send(&post(HI, headers)).await.status, 200, "{headers:?}");
    }
    assert_eq!([gateway.get("/healthz").await.status, gateway.get("/readyz").await.status], [200, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_for_a_key_as_soon_as_there_is_one() {
    let stage = stage().await;
    let gateway = Served::start(&stage).await;
    assert_eq!(ask(&gateway, "unused", HI).await.status, 200);

    let key = key(&stage, &["ci"]).await;

    becomes(&gateway, "unused", 401).await;
    assert_eq!(ask(&gateway, &key, HI).await.status, 200);
}

// R68
#[tokio::test(flavor = "multi_thread")]
async fn takes_a_revoked_key_nowhere_after_a_second() {
    let stage = stage().await;
    let (key, kept) = (key(&stage, &["ci"]).await, key(&stage, &["app"]).await);
    let gateways = [Served::start(&stage).await, Served::start(&stage).await];
    for gateway in &gateways {
        assert_eq!(models(gateway, &key).await.status, 200);
    }

    let ran = stage.backstop(["keys", "revoke", "ci"]).run().await;
    let revoked = Instant::now();
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    for gateway in &gateways {
        while models(gateway, &key).await.status == 200 {
            assert!(revoked.elapsed() < PATIENCE);
        }
    }
    let took = revoked.elapsed();

    assert!(took <= Duration::from_secs(1), "{took:?}");
    for gateway in &gateways {
        let reply = models(gateway, &key).await;
        assert_eq!(code(&reply), (401, "invalid_api_key".to_owned()));
        assert!(reply.text().contains("revoked"), "{}", reply.text());
        assert_eq!(models(gateway, &kept).await.status, 200);
    }
}

// R68: the 100,000 tries are made by the program `key_timing`.
#[test]
fn takes_as_long_for_a_near_miss_as_for_any_other_guess() {
    let t = t_of_guesses(10_000);

    assert!(t.abs() < THRESHOLD, "t = {t}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_a_key_to_its_requests_a_minute() {
    let stage = stage().await;
    let (key, other) = (key(&stage, &["ci", "--rpm", "2"]).await, key(&stage, &["app"]).await);
    let gateway = Served::start(&stage).await;

    let statuses = [ask(&gateway, &key, HI).await.status, ask(&gateway, &key, HI).await.status];
    let third = ask(&gateway, &key, HI).await;

    assert_eq!(statuses, [200, 200]);
    assert_eq!(code(&third), (429, "rate_limit_exceeded".to_owned()));
    assert!(third.text().contains("2 requests a minute"), "{}", third.text());
    let wait: u64 = third.header("retry-after").unwrap().parse().unwrap();
    assert!((30..=60).contains(&wait), "{wait}");
    assert_eq!((ask(&gateway, &other, HI).await.status, stage.attempts()), (200, vec![3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_a_key_to_its_requests_at_once_until_a_stream_has_ended() {
    let gate = Gate::closed();
    let held = Reply::answer("one two three").at(Place::AfterTokens(1), Fault::Hold(gate.clone()));
    let stage = Stage::new([("alpha", Script::always(held))]).await.with_patience();
    let key = key(&stage, &["ci", "--concurrent", "1"]).await;
    let gateway = Served::start(&stage).await;
    let address = gateway.address();
    let first = tokio::spawn({
        let request = post(STREAM, &[("authorization", &bearer(&key))]);
        async move { exchange(address, &request).await }
    });
    stage.provider("alpha").calls_reach(1).await;

    let second = ask(&gateway, &key, HI).await;
    gate.open();
    let first = first.await.unwrap();

    assert_eq!(code(&second), (429, "rate_limit_exceeded".to_owned()));
    assert_eq!(second.header("retry-after"), Some("1"));
    assert!(first.is_whole && first.text().ends_with("data: [DONE]\n\n"), "{}", first.text());
    becomes(&gateway, &key, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_the_tokens_a_provider_counted_whole_and_streamed() {
    for body in [HI, STREAM] {
        let answer = Answer::new("yes").usage(500, 500);
        let stage = Stage::new([("alpha", Script::always(Reply::from(answer)))]).await;
        let key = key(&stage, &["ci", "--tpm", "600"]).await;
        let gateway = Served::start(&stage).await;

        let first = ask(&gateway, &key, body).await;
        let denied = becomes(&gateway, &key, 429).await;

        assert_eq!(first.status, 200, "{}", first.text());
        // Two hundred tokens at least are owing, at ten a second.
        let wait: u64 = denied.header("retry-after").unwrap().parse().unwrap();
        assert!((20..=200).contains(&wait), "{wait}");
        assert!(denied.text().contains("600 tokens a minute"), "{}", denied.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_a_key_to_its_routes() {
    let stage = stage().await.with_settings("[routes.fast]\ntargets = [\"alpha\"]");
    let key = key(&stage, &["ci", "--route", "fast"]).await;
    let gateway = Served::start(&stage).await;
    let named = |model: &str| HI.replace("default", model);

    for model in ["default", "alpha/alpha-model", "alpha-model", "none-such"] {
        let reply = ask(&gateway, &key, &named(model)).await;
        assert_eq!(code(&reply), (403, "route_not_allowed".to_owned()), "{model}");
    }
    let by_header = post(&named("fast"), &[("x-api-key", &key), ("x-backstop-route", "default")]);
    assert_eq!(gateway.send(&by_header).await.status, 403);
    assert_eq!(stage.attempts(), [0]);

    assert_eq!(ask(&gateway, &key, &named("fast")).await.status, 200);
    let listed = models(&gateway, &key).await.json();
    let ids: Vec<&Value> = listed["data"].as_array().unwrap().iter().map(|model| &model["id"]).collect();
    assert_eq!(ids, [&json!("fast")]);
}

// R64
#[tokio::test(flavor = "multi_thread")]
async fn shows_a_key_to_no_log_and_to_no_provider() {
    let stage = stage().await;
    let key = key(&stage, &["the pipeline", "--label", "team=search"]).await;
    let gateway = Served::start_with(&stage, ["--listen", "127.0.0.1:0", "--log=trace"]).await;
    let wrong = format!("{key}x");

    let answered = ask(&gateway, &key, HI).await;
    let refused = ask(&gateway, &wrong, HI).await;
    let twice = gateway.send(&post(HI, &[("authorization", &bearer(&key)), ("x-api-key", &wrong)])).await;
    let log = gateway.stopped().await;

    assert_eq!([answered.status, refused.status, twice.status], [200, 401, 400]);
    let call = format!("{:?}", stage.provider("alpha").calls());
    let listed = stage.backstop(["keys", "list", "--json"]).run().await.stdout;
    let kept = fs::read_to_string(stage.home().join(".local/share/backstop/gateway-keys.json")).unwrap();
    let replies = [answered.text(), refused.text(), twice.text()].concat();
    for (place, text) in
        [("the log", &log), ("a call", &call), ("the list", &listed), ("the file", &kept), ("a reply", &replies)]
    {
        assert!(!text.contains(&key[4..40]), "{place} has the key: {text}");
    }
    let line = log.lines().find(|line| line.contains("outcome=served")).unwrap();
    assert!(line.contains(r#"("gateway-key", "the pipeline")"#) && line.contains(r#"("team", "search")"#), "{line}");
}

// L5
#[tokio::test(flavor = "multi_thread")]
async fn listens_beyond_this_machine_with_a_key_and_to_nobody_without() {
    let stage = stage().await;
    let key = key(&stage, &["ci"]).await;
    let gateway = Served::start_with(&stage, ["--listen", "0.0.0.0:0"]).await;
    let here = SocketAddr::from(([127, 0, 0, 1], gateway.address().port()));
    let file = stage.home().join(".local/share/backstop/gateway-keys.json");

    let with = exchange(here, &post(HI, &[("authorization", &bearer(&key))])).await;
    let without = exchange(here, &post(HI, &[])).await;
    fs::write(file, r#"{"version":1,"keys":[]}"#).unwrap();
    let begun = Instant::now();
    while exchange(here, &post(HI, &[("authorization", &bearer(&key))])).await.status == 200 {
        assert!(begun.elapsed() < PATIENCE);
    }

    assert_eq!((with.status, without.status), (200, 401));
    assert_eq!(exchange(here, &post(HI, &[])).await.status, 401);
}

#[tokio::test]
async fn does_not_listen_beyond_this_machine_for_a_program_that_has_no_keys() {
    let backstop = asking(["http://127.0.0.1:1/v1".parse().unwrap(), "http://127.0.0.1:1/v1".parse().unwrap()]).await;

    let error = Gateway::bind("0.0.0.0:0".parse().unwrap(), backstop).await.err();

    assert!(matches!(error, Some(BindError::NeedsKeys { .. })), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn does_not_start_with_keys_it_cannot_read() {
    let stage = stage().await.with_settings("[gateway]\nkeys = \"own.json\"");
    fs::write(stage.home().join("own.json"), "{\"version\":1,\"keys\":[{}]}").unwrap();

    let ran = stage.backstop(["serve", "--listen", "127.0.0.1:0"]).run().await;

    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:#?}");
    assert!(ran.stderr.contains("own.json does not hold keys") && ran.stderr.contains("line 1"), "{ran:#?}");
}
