//! A configuration that changes while the gateway serves: taken up without dropping a request, or refused and the old one
//! kept (R55, C28).

#![cfg(unix)]

use backstop::scripted::{Answer, Script};
use backstop_tests::{Answered, HttpReply, Load, Served, Stage, exchange, post};
use serde_json::{Value, json};

const HI: &str = r#"{"messages":[{"role":"user","content":"hi"}]}"#;

async fn stage() -> Stage {
    let scripts = [("alpha", Script::from(Answer::new("from alpha"))), ("beta", Answer::new("from beta").into())];
    Stage::new(scripts).await.with_route(&route("alpha"))
}

fn route(first: &str) -> String {
    format!("strategy = \"round-robin\"\noptions = {{ rotate = false }}\ntargets = [\"{first}\"]")
}

async fn reload(gateway: &Served) -> HttpReply {
    gateway.send(b"POST /api/reload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n").await
}

async fn text(gateway: &Served) -> String {
    gateway.send(&post(HI, &[])).await.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_a_changed_file_up_by_itself() {
    let stage = stage().await;
    let gateway = Served::start(&stage).await;
    assert_eq!(text(&gateway).await, "from alpha");

    let stage = stage.with_route(&route("beta"));

    while text(&gateway).await != "from beta" {
        tokio::task::yield_now().await;
    }
    assert!(stage.attempts()[1] >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_configuration_that_is_at_fault_lists_every_problem_and_keeps_the_old_one() {
    let stage = stage().await;
    let gateway = Served::start(&stage).await;
    let whole = std::fs::read_to_string(stage.config_file()).unwrap();
    std::fs::write(
        stage.config_file(),
        whole.replace("strategy = \"round-robin\"", "strategy = \"best\"\nmax_attempts = 0"),
    )
    .unwrap();

    let refused = reload(&gateway).await;
    let still = text(&gateway).await;
    let alerts = gateway.get("/api/overview").await.json()["alerts"].clone();
    std::fs::write(stage.config_file(), whole).unwrap();
    let mended = reload(&gateway).await;

    let error = &refused.json()["error"];
    let problems: Vec<_> = error["problems"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!((refused.status, error["code"].as_str()), (422, Some("configuration_refused")));
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(problems[0].contains("routes.default.strategy") && problems[1].contains("max_attempts"), "{problems:#?}");
    assert_eq!(still, "from alpha");
    assert_eq!(alerts[0]["kind"], "reload-refused");
    assert_eq!((mended.status, &mended.json()["reloaded"]), (200, &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn forgets_no_cooldown_when_it_reads_the_configuration_anew() {
    let stage = stage().await.with_route("strategy = \"round-robin\"\noptions = { rotate = false }");
    let gateway = Served::start(&stage).await;
    let rest = "POST /api/providers/alpha/cool-down HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(gateway.send(rest.as_bytes()).await.status, 200);

    assert_eq!(reload(&gateway).await.status, 200);

    assert_eq!(text(&gateway).await, "from beta");
    assert_eq!(stage.attempts(), [0, 1]);
}

// R55
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fails_no_request_through_a_hundred_reloads() {
    let stage = stage().await;
    let gateway = Served::start(&stage).await;
    let load = Load::start(gateway.address(), 4, HI);

    let mut stage = stage;
    let mut statuses = Vec::new();
    for round in 0..100 {
        stage = stage.with_route(&route(if round % 2 == 0 { "beta" } else { "alpha" }));
        let body = b"POST /api/reload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
        statuses.push(exchange(gateway.address(), body).await.status);
    }
    let Answered { answered: served, wrong, .. } = load.stop().await;

    println!("{served} requests through 100 reloads");
    assert_eq!((statuses, wrong), (vec![200; 100], 0));
    assert!(served >= 100, "{served}");
    assert!(stage.attempts().iter().all(|attempts| *attempts > 0), "both were in force");
}
