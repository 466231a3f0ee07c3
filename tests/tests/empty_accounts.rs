//! A provider whose account or day is used up is not asked again until that has passed (R31).

#![cfg(unix)]

use std::time::Duration;

use backstop::scripted::{Answer, Reply, Script};
use backstop_tests::{Served, Stage, post};

const HI: &str = r#"{"messages":[{"role":"user","content":"hi"}]}"#;

// R31
#[tokio::test(flavor = "multi_thread")]
async fn goes_on_with_the_next_and_leaves_the_empty_one_alone() {
    for (name, reply) in [
        ("402", Reply::out_of_credit()),
        ("insufficient_quota", Reply::insufficient_quota()),
        ("412", Reply::fireworks_suspended()),
        ("a day's quota", Reply::gemini_daily_quota(Duration::from_secs(30))),
    ] {
        let scripts = [("alpha", Script::from(reply)), ("beta", Answer::new("yes").into())];
        let stage = Stage::new(scripts).await.with_route("strategy = \"round-robin\"\noptions = { rotate = false }");
        let gateway = Served::start(&stage).await;

        let first = gateway.send(&post(HI, &[])).await;
        let second = gateway.send(&post(HI, &[])).await;
        let providers = gateway.get("/api/providers").await.json();

        assert_eq!((first.status, second.status), (200, 200), "{name}: {}", first.text());
        assert_eq!(first.header("x-backstop-provider"), Some("beta"), "{name}");
        assert_eq!(stage.attempts(), [1, 2], "{name}: asked once");
        let state = &providers["providers"][0]["state"];
        assert_eq!(state["name"], "out-of-quota", "{name}: {state}");
    }
}
