//! Operators are told whether the store that instances share answers: by the gateway, its alerts, `status` and `doctor`.

#![cfg(unix)]

use std::time::Duration;

use backstop::scripted::{Answer, Script};
use backstop_tests::{Redis, Served, Stage};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

/// A password that the store would refuse: it has none. Nothing may tell it.
const PASSWORD: &str = "canary-5f1c";

async fn stage(address: &str) -> Stage {
    let tables = format!("[store]\npath = \"store.db\"\nshared = \"{address}\"");
    Stage::new([("alpha", Script::always(Answer::new("hello")))])
        .await
        .with_provider_settings("alpha", "local = true")
        .with_settings(&tables)
}

async fn until_ready_says(gateway: &Served, state: &str) {
    let says = async {
        while gateway.get("/readyz").await.json() != json!({"status": "ready", "shared_store": state}) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), says).await.unwrap_or_else(|_| panic!("it never says that the store is {state}"));
}

/// What the gauge says, and the overview's fault.
async fn told(gateway: &Served) -> (bool, Option<String>) {
    let metrics = gateway.get("/metrics").await.text();
    let is_up = metrics.lines().any(|line| line == "backstop_shared_store_up 1");
    assert_ne!(is_up, metrics.lines().any(|line| line == "backstop_shared_store_up 0"), "{metrics}");
    let overview: Value = gateway.get("/api/overview").await.json();
    (is_up, overview["shared_store"]["fault"].as_str().map(str::to_owned))
}

/// The kinds of the alerts about the store, oldest first.
async fn alerts(gateway: &Served) -> Vec<String> {
    let overview: Value = gateway.get("/api/overview").await.json();
    let kinds = overview["alerts"].as_array().unwrap().iter().map(|alert| alert["kind"].as_str().unwrap().to_owned());
    kinds.filter(|kind| kind.starts_with("shared-store")).collect::<Vec<_>>().into_iter().rev().collect()
}

// R21
#[tokio::test(flavor = "multi_thread")]
async fn tells_once_that_the_shared_store_is_lost_and_once_that_it_is_back() {
    let mut redis = Redis::start().await;
    let stage = stage(&redis.url()).await;
    let gateway = Served::start(&stage).await;
    let url = format!("http://{}", gateway.address());
    until_ready_says(&gateway, "up").await;
    assert_eq!((told(&gateway).await, alerts(&gateway).await), ((true, None), vec![]));
    let fine = [
        stage.backstop(["status", "--gateway", &url]).run().await,
        stage.backstop(["doctor", "--offline"]).run().await,
    ];

    redis.kill();
    until_ready_says(&gateway, "away").await;
    let (is_up, fault) = told(&gateway).await;
    let bad = [
        stage.backstop(["status", "--gateway", &url]).run().await,
        stage.backstop(["doctor", "--offline"]).run().await,
    ];
    let answered = gateway.chat(&json!({"messages": [{"role": "user", "content": "hi"}]})).await;
    let while_away = alerts(&gateway).await;
    redis.restart();
    until_ready_says(&gateway, "up").await;

    let away = format!("the shared store {} cannot be reached", redis.url());
    assert!(!is_up && fault.as_deref().is_some_and(|fault| fault.starts_with(&away)), "{fault:?}");
    assert!(fine[0].stdout.contains("the shared store answers"), "{}", fine[0].stdout);
    assert!(fine[1].stdout.contains(&format!("{} answers", redis.url())), "{}", fine[1].stdout);
    for run in bad {
        assert!(run.stdout.contains(&away), "{}", run.stdout);
    }
    assert_eq!((answered.status, while_away), (200, vec!["shared-store-lost".to_owned()]));
    assert_eq!(alerts(&gateway).await, ["shared-store-lost", "shared-store-back"]);
    assert_eq!(told(&gateway).await, (true, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn says_from_the_start_that_the_shared_store_refuses_and_never_its_password() {
    let redis = Redis::start().await;
    let address = redis.url().replace("redis://", &format!("redis://me:{PASSWORD}@"));
    let stage = stage(&address).await;
    let gateway = Served::start(&stage).await;

    until_ready_says(&gateway, "away").await;
    let (is_up, fault) = told(&gateway).await;
    let kinds = alerts(&gateway).await;
    let overview = gateway.get("/api/overview").await.text();
    let doctor = stage.backstop(["doctor", "--offline", "--json"]).run().await;
    let log = gateway.stopped().await;

    assert!(!is_up && fault.as_deref().is_some_and(|fault| fault.contains("refuses")), "{fault:?}");
    assert_eq!(kinds, ["shared-store-lost"]);
    let examined = doctor.json();
    assert_eq!(examined["shared_store"]["address"], redis.url().replace("redis://", "redis://me@"), "{examined}");
    assert!(examined["shared_store"]["fault"].as_str().unwrap().contains("refuses"), "{examined}");
    assert!(log.contains("this instance is alone"), "{log}");
    for said in [overview, doctor.stdout, doctor.stderr, log] {
        assert!(!said.contains(PASSWORD), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn says_nothing_of_a_shared_store_where_there_is_none() {
    let stage = Stage::new([("alpha", Script::always(Answer::new("hello")))]).await;
    let gateway = Served::start(&stage).await;

    let ready: Value = gateway.get("/readyz").await.json();
    let metrics = gateway.get("/metrics").await.text();
    let overview: Value = gateway.get("/api/overview").await.json();

    assert_eq!((ready, &overview["shared_store"]), (json!({"status": "ready"}), &Value::Null));
    assert!(!metrics.contains("backstop_shared_store_up"), "{metrics}");
}
