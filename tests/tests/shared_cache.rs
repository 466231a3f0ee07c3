//! Two gateways on one Redis give each other's replies again (R19), and do without where it is away.

#![cfg(unix)]

use std::fs;
use std::time::Duration;

use backstop::scripted::{Answer, Script};
use backstop_tests::{HttpReply, Redis, Served, Stage, post};

const QUESTION: &str = r#"{"messages":[{"role":"user","content":"Who goes there?"}],"temperature":0}"#;

async fn stage(redis: &Redis) -> Stage {
    let tables = format!(
        "[cache]\nenabled = true\nttl = \"10m\"\n[store]\npath = \"store.db\"\nshared = \"{}\"\n[gateway]\nkeys = \"keys.json\"",
        redis.url()
    );
    Stage::new([("alpha", Script::always(Answer::new("a friend").usage(9, 2)))]).await.with_settings(&tables)
}

/// The gateway of this name; another one's replies are its own where its configuration is.
async fn gateway(stage: &Stage, name: &str, configuration: &str) -> Served {
    let file = format!("{name}.toml");
    fs::write(stage.home().join(&file), configuration.replace("store.db", &format!("{name}.db"))).unwrap();
    Served::start_as(stage.backstop(["serve", "--listen", "127.0.0.1:0", "--config", &file])).await
}

async fn ask(gateway: &Served, question: &str) -> HttpReply {
    gateway.send(&post(question, &[])).await
}

/// Asks until the reply comes from the cache: another instance keeps it a moment later.
async fn until_hit(gateway: &Served, question: &str) -> HttpReply {
    for _ in 0..100 {
        let reply = ask(gateway, question).await;
        if reply.header("x-backstop-cache") == Some("hit") {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it is never answered from the cache");
}

// R19
#[tokio::test(flavor = "multi_thread")]
async fn gives_what_another_gateway_was_told_whole_and_as_a_stream_and_nothing_of_another_configuration() {
    let redis = Redis::start().await;
    let stage = stage(&redis).await;
    let (a, b) = (gateway(&stage, "a", &stage.config()).await, gateway(&stage, "b", &stage.config()).await);
    let stream = QUESTION.replacen('{', "{\"stream\":true,", 1);
    let (first, streamed) = (ask(&a, QUESTION).await, ask(&a, &stream).await);
    let kept = async {
        while redis.cli(&["KEYS", "backstop:reply:*"]).lines().count() < 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), kept).await.expect("it is kept");
    let asked = stage.attempts();

    let (again, stream_again) = (ask(&b, QUESTION).await, ask(&b, &stream).await);

    assert_eq!([&first, &streamed].map(|reply| reply.status), [200, 200]);
    assert_eq!(again.header("x-backstop-cache"), Some("hit"));
    assert_eq!(again.body, first.body, "byte for byte");
    assert_eq!(stream_again.header("x-backstop-cache"), Some("hit"));
    assert!(stream_again.text().contains("a friend"), "{}", stream_again.text());
    assert_eq!((stage.attempts(), again.header("x-backstop-cost-usd")), (asked.clone(), Some("0.00")));

    let other = gateway(&stage, "c", &stage.config().replace("alpha-model", "other-model")).await;
    assert_eq!(ask(&other, QUESTION).await.header("x-backstop-cache"), None);
    assert_eq!(stage.attempts()[0], asked[0] + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn does_without_a_store_that_is_away_or_holds_nonsense() {
    let mut redis = Redis::start().await;
    let stage = stage(&redis).await;
    let (a, b) = (gateway(&stage, "a", &stage.config()).await, gateway(&stage, "b", &stage.config()).await);
    ask(&a, QUESTION).await;
    let kept = async {
        while redis.cli(&["KEYS", "backstop:reply:*"]).is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), kept).await.expect("it is kept");
    let name = redis.cli(&["KEYS", "backstop:reply:*"]);
    redis.cli(&["SET", &name, "{\"provider\":1}", "PX", "60000"]);

    let nonsense = ask(&b, QUESTION).await;
    redis.kill();
    let other = QUESTION.replace("Who", "What");
    let away = [ask(&a, &other).await, ask(&a, &other).await, ask(&b, &other).await];
    redis.restart();
    let third = QUESTION.replace("Who", "Why");
    ask(&a, &third).await;
    let back = until_hit(&b, &third).await;

    assert_eq!((nonsense.status, nonsense.header("x-backstop-cache")), (200, None));
    let said: Vec<_> = away.iter().map(|reply| (reply.status, reply.header("x-backstop-cache"))).collect();
    assert_eq!(said, [(200, None), (200, Some("hit")), (200, None)], "each has its own memory");
    assert_eq!(back.status, 200);
}
