//! What one gateway learns, and the keys it is given, others that share a Redis with it know within a second (A11, R68): real
//! processes, a real Redis, calls counted at the provider.

#![cfg(unix)]

use std::fs;
use std::time::{Duration, Instant};

use backstop::scripted::{Answer, Reply, Script};
use backstop_tests::{HttpReply, Redis, Served, Stage, post};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

const HI: &str = r#"{"model":"default","max_tokens":20,"messages":[{"role":"user","content":"hi"}]}"#;

/// How long something is waited for that takes a second at most on a machine with nothing else to do.
const PATIENCE: Duration = Duration::from_secs(20);

async fn stage(redis: &Redis, scripts: impl IntoIterator<Item = (&str, Script)>) -> Stage {
    let tables = format!("[store]\npath = \"store.db\"\nshared = \"{}\"\n[gateway]\nkeys = \"keys.json\"", redis.url());
    let route = "strategy = \"fail-fast\"\ndeadline = \"20s\"\nprefer_for = \"600s\"";
    Stage::new(scripts).await.with_route(route).with_settings(&tables)
}

/// Writes the configuration of a machine of its own: its store, its ledger, its file of keys.
fn machine(stage: &Stage, name: &str) -> String {
    let file = format!("{name}.toml");
    let config = stage.config().replace("store.db", &format!("{name}.db")).replace("keys.json", &keys_file(name));
    fs::write(stage.home().join(&file), config).unwrap();
    file
}

fn keys_file(machine: &str) -> String {
    format!("{machine}-keys.json")
}

async fn gateway(stage: &Stage, name: &str) -> Served {
    let file = machine(stage, name);
    Served::start_as(stage.backstop(["serve", "--listen", "127.0.0.1:0", "--config", &file])).await
}

async fn gateways<const N: usize>(stage: &Stage, names: [&str; N]) -> [Served; N] {
    let started: Vec<Served> = join_all(names.map(|name| gateway(stage, name))).await;
    started.try_into().unwrap_or_else(|_| panic!("one for each name"))
}

async fn ask(gateway: &Served) -> HttpReply {
    gateway.send(&post(HI, &[])).await
}

async fn do_at(gateway: &Served, path: &str, body: &Value) {
    let (body, length) = (body.to_string(), body.to_string().len());
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    let reply = gateway.send(format!("{head}{body}").as_bytes()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// The state of the provider `alpha`, as a gateway has it.
async fn state(gateway: &Served) -> String {
    let said: Value = gateway.get("/api/providers").await.json();
    said["providers"][0].to_string()
}

/// Waits until a gateway shows the provider `alpha` so.
async fn shows(gateway: &Served, what: impl Fn(&str) -> bool) {
    let began = Instant::now();
    loop {
        let state = state(gateway).await;
        if what(&state) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{state}");
        sleep(Duration::from_millis(20)).await;
    }
}

// A11
#[tokio::test(flavor = "multi_thread")]
async fn what_one_has_learnt_of_a_provider_the_others_go_by() {
    let hour = Duration::from_secs(3_600);
    for (what, reply, times) in [
        ("a breaker that is open", Reply::server_error(), 5),
        ("a wait", Reply::rate_limited(hour), 1),
        ("a wait that the host has chosen", Reply::rate_limited_without_wait(), 1),
        ("a quota that is used up", Reply::insufficient_quota(), 1),
        ("a rejected key", Reply::unauthorized(), 1),
    ] {
        let redis = Redis::start().await;
        let stage = stage(&redis, [("alpha", Script::always(reply))]).await;
        let [a, b, c] = gateways(&stage, ["a", "b", "c"]).await;
        let fresh = state(&b).await;

        for _ in 0..times {
            let _ = ask(&a).await;
        }
        for gateway in [&b, &c] {
            shows(gateway, |state| state != fresh).await;
            let _ = ask(gateway).await;
        }

        assert_eq!(stage.attempts(), [times], "{what}");
    }
}

// A11
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_later_is_told_what_still_holds_and_an_operator_ends_it_for_all() {
    let redis = Redis::start().await;
    let script = Script::always(Answer::new("yes"));
    let stage = stage(&redis, [("alpha", script)]).await;
    let a = gateway(&stage, "a").await;
    do_at(&a, "/api/providers/alpha/cool-down", &json!({"seconds": 3_600})).await;
    sleep(Duration::from_secs(1)).await;
    let b = gateway(&stage, "b").await;
    let refused = ask(&b).await.status;

    do_at(&a, "/api/providers/alpha/clear", &json!({})).await;
    let began = Instant::now();
    while ask(&b).await.status != 200 {
        assert!(began.elapsed() < PATIENCE);
    }

    assert_eq!((refused, stage.attempts()), (503, vec![1]));
}

// A11
#[tokio::test(flavor = "multi_thread")]
async fn who_is_forced_or_has_served_last_is_the_others_first_choice_too() {
    let redis = Redis::start().await;
    let script = |text: &str| Script::always(Answer::new(text));
    let stage = stage(&redis, [("alpha", script("a")), ("beta", script("b"))]).await;
    let [a, b] = gateways(&stage, ["a", "b"]).await;

    do_at(&a, "/api/providers/beta/force", &json!({"seconds": 600})).await;
    let began = Instant::now();
    while ask(&b).await.json()["choices"][0]["message"]["content"] != "b" {
        assert!(began.elapsed() < PATIENCE);
        sleep(Duration::from_millis(20)).await;
    }

    do_at(&b, "/api/preference/clear", &json!({})).await;
    let began = Instant::now();
    while ask(&a).await.json()["choices"][0]["message"]["content"] != "a" {
        assert!(began.elapsed() < PATIENCE);
        sleep(Duration::from_millis(20)).await;
    }
}

async fn keys(stage: &Stage, machine: &str, arguments: &[&str]) -> String {
    let file = self::machine(stage, machine);
    let ran = stage.backstop(["keys"]).args(arguments.iter().copied()).args(["--config", &file]).run().await;
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    ran.answer().to_owned()
}

async fn ask_with(gateway: &Served, key: &str) -> HttpReply {
    gateway.send(&post(HI, &[("authorization", &format!("Bearer {key}"))])).await
}

async fn becomes(gateway: &Served, key: &str, status: u16) {
    let began = Instant::now();
    loop {
        let reply = ask_with(gateway, key).await;
        if reply.status == status {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{}: {}", reply.status, reply.text());
        sleep(Duration::from_millis(20)).await;
    }
}

// A11, R68
#[tokio::test(flavor = "multi_thread")]
async fn a_key_made_on_one_machine_is_good_on_all_and_one_revoked_on_one_on_none() {
    let redis = Redis::start().await;
    let stage = stage(&redis, [("alpha", Script::always(Answer::new("yes")))]).await;
    let first = keys(&stage, "a", &["create", "first"]).await;
    let [a, b] = gateways(&stage, ["a", "b"]).await;
    becomes(&b, &first, 200).await;

    let second = keys(&stage, "b", &["create", "second"]).await;
    becomes(&a, &second, 200).await;
    // Of both: made here and revoked there.
    let _ = keys(&stage, "b", &["revoke", "first"]).await;
    becomes(&a, &first, 401).await;

    // A machine with an old file, where the key is as good as new.
    let old = fs::read_to_string(stage.home().join(keys_file("a"))).unwrap();
    let before: Value = serde_json::from_str(&old).unwrap();
    assert!(before["keys"].as_array().unwrap().iter().any(|key| key["revoked"].is_string()), "{before}");
    let mut good = before;
    good["keys"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .for_each(|key| drop(key.as_object_mut().unwrap().remove("revoked")));
    fs::write(stage.home().join(keys_file("c")), good.to_string()).unwrap();
    let c = gateway(&stage, "c").await;
    assert_eq!(ask_with(&c, &first).await.status, 401, "from the first request on");
    assert_eq!(ask_with(&c, &second).await.status, 200);
    assert_eq!(ask_with(&a, &first).await.status, 401);

    let everything = redis.cli(&["HGETALL", "{backstop}:keys"]);
    assert!(everything.contains("second") && !everything.contains(&second) && !everything.contains(&first));
}

// R44, R68
#[tokio::test(flavor = "multi_thread")]
async fn a_keys_limit_is_one_limit_at_all_gateways() {
    let redis = Redis::start().await;
    let stage = stage(&redis, [("alpha", Script::always(Answer::new("yes")))]).await;
    let key = keys(&stage, "a", &["create", "app", "--rpm", "12"]).await;
    let gateways = gateways(&stage, ["a", "b", "c"]).await;
    // Where no key is known yet, none is asked for.
    for gateway in &gateways {
        becomes(gateway, "none", 401).await;
    }
    let before = stage.attempts()[0];

    for _ in 0..150 {
        for gateway in &gateways {
            let status = ask_with(gateway, &key).await.status;
            assert!(status == 200 || status == 429, "{status}");
        }
        sleep(Duration::from_millis(20)).await;
    }

    assert_eq!(stage.attempts()[0] - before, 12);
}
