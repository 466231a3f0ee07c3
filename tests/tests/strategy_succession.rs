//! One strategy after another: in the shadow, promoted, gone back from, pinned, while requests run (F2, F6).

#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};

use backstop::scripted::{Answer, Script};
use backstop_tests::{Answered, CliRun, Load, Served, Stage};
use serde_json::{Value, json};

const HI: &str = r#"{"messages":[{"role":"user","content":"hi"}]}"#;

fn prebuilt(guest: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-strategies/prebuilt").join(guest).with_extension("wasm")
}

/// Two providers, of which `quality` without a word more asks alpha first and always.
async fn stage(route: &str) -> Stage {
    let scripts = [("alpha", Script::from(Answer::new("a"))), ("beta", Script::from(Answer::new("b")))];
    Stage::new(scripts).await.with_route(route).with_settings("[sandbox]\ncompile_time = \"60s\"")
}

async fn ask(gateway: &Served, requests: usize) -> Vec<String> {
    let mut answers = Vec::new();
    for _ in 0..requests {
        let reply = gateway.chat(&serde_json::from_str(HI).unwrap()).await;
        answers.push(reply.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned());
    }
    answers
}

async fn strategy(gateway: &Served) -> Value {
    gateway.get("/api/strategies").await.json()["strategies"][0].clone()
}

/// The shadow's state once it has answered so many questions.
async fn shadow_after(gateway: &Served, questions: u64) -> Value {
    loop {
        let shadow = strategy(gateway).await["shadow"].clone();
        let count = |field: &str| shadow[field].as_u64().unwrap();
        if count("agreed") + count("differed") + count("passed_over") + count("faults") >= questions {
            return shadow;
        }
        tokio::task::yield_now().await;
    }
}

async fn change(stage: &Stage, gateway: &Served, arguments: &[&str]) -> CliRun {
    let url = format!("http://{}", gateway.address());
    stage.backstop([&["strategy"], arguments, &["--gateway", &url]].concat()).run().await
}

// F6
#[tokio::test(flavor = "multi_thread")]
async fn counts_and_keeps_what_a_shadow_would_have_done_otherwise_and_obeys_it_never() {
    let stage = stage("strategy = \"quality\"\nshadow = \"round-robin\"\nshadow_options = { rotate = true }").await;
    let gateway = Served::start(&stage).await;

    let answers = ask(&gateway, 10).await;
    let shadow = shadow_after(&gateway, 10).await;
    let metrics = gateway.get("/metrics").await.text();

    assert_eq!(answers, vec!["a"; 10]);
    assert_eq!(stage.attempts(), [10, 0]);
    assert_eq!(
        (&shadow["strategy"], &shadow["agreed"], &shadow["differed"]),
        (&json!("round-robin"), &json!(5), &json!(5))
    );
    let latest = shadow["latest"].as_array().unwrap();
    assert_eq!(latest.len(), 5);
    assert_eq!(
        (&latest[0]["decided"], &latest[0]["shadow"]),
        (&json!("attempt alpha/alpha-model"), &json!("attempt beta/beta-model"))
    );
    let id = latest[0]["request"].as_str().unwrap();
    assert_eq!(gateway.get(&format!("/api/requests/{id}")).await.status, 200, "its story can be looked up");
    for line in [
        "backstop_shadow_decisions_total{agrees=\"no\",route=\"default\",strategy=\"round-robin\"} 5",
        "backstop_shadow_decisions_total{agrees=\"yes\",route=\"default\",strategy=\"round-robin\"} 5",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

// F4, F6, R61
#[tokio::test(flavor = "multi_thread")]
async fn serves_every_request_beside_a_shadow_that_does_its_worst() {
    for mode in ["trap", "loop", "grow-memory", "out-of-range"] {
        let hostile = prebuilt("hostile");
        let route = format!(
            "strategy = \"quality\"\nshadow = \"{}\"\nshadow_options = {{ mode = \"{mode}\", after_proof = true }}",
            hostile.display()
        );
        let stage = stage(&route).await;
        let gateway = Served::start(&stage).await;

        let answers = ask(&gateway, 12).await;
        let shadow = shadow_after(&gateway, 12).await;

        assert_eq!(answers, vec!["a"; 12], "{mode}");
        assert_eq!(
            (&shadow["faults"], &shadow["quarantined"], &shadow["passed_over"]),
            (&json!(5), &json!(true), &json!(7)),
            "{mode}"
        );
        assert_eq!(strategy(&gateway).await["quarantined"], false, "{mode}: who decides is another matter");
    }
}

// F2, F6
#[tokio::test(flavor = "multi_thread")]
async fn promotes_what_is_in_the_shadow_and_goes_back_by_one_command_each() {
    let stage = stage("strategy = \"quality\"\nshadow = \"round-robin\"\nshadow_options = { rotate = true }").await;
    let gateway = Served::start(&stage).await;

    let nowhere_to_go = change(&stage, &gateway, &["rollback"]).await;
    let promoted = change(&stage, &gateway, &["promote", "--json"]).await;
    let taking_turns = ask(&gateway, 4).await;
    let nothing_left = change(&stage, &gateway, &["promote"]).await;
    let back = change(&stage, &gateway, &["rollback"]).await;
    let as_before = ask(&gateway, 4).await;
    let forward = change(&stage, &gateway, &["rollback", "--json"]).await;

    assert_eq!(nowhere_to_go.code, Some(1));
    assert!(nowhere_to_go.stderr.contains("there is none to go back to"), "{}", nowhere_to_go.stderr);
    let promoted = promoted.json()["strategy"].clone();
    assert_eq!((&promoted["strategy"], &promoted["former"]), (&json!("round-robin"), &json!("quality")));
    assert_eq!(taking_turns.iter().filter(|answer| *answer == "b").count(), 2);
    assert!(nothing_left.stderr.contains("no strategy is in the shadow"), "{}", nothing_left.stderr);
    assert!(back.stdout.starts_with("quality decides on route default now (sha256:"), "{}{}", back.stdout, back.stderr);
    assert_eq!(as_before, vec!["a"; 4]);
    assert_eq!(forward.json()["strategy"]["strategy"], "round-robin");
}

// F2
#[tokio::test(flavor = "multi_thread")]
async fn says_that_a_promoted_strategy_gives_way_when_the_configuration_is_read_anew() {
    let stage = stage("strategy = \"quality\"").await;
    let gateway = Served::start(&stage).await;
    let promoted = change(&stage, &gateway, &["promote", "round-robin"]).await;
    assert!(promoted.stdout.contains("`backstop strategy rollback` lets quality decide again"), "{promoted:#?}");

    let reloaded = gateway.send(b"POST /api/reload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n").await;

    let notices = reloaded.json()["notices"].clone();
    let expected =
        "round-robin decides on route default no more: the configuration, which was read anew, names quality";
    assert_eq!(notices, json!([expected]));
    assert_eq!(strategy(&gateway).await["strategy"], "quality");
}

// F2
#[tokio::test(flavor = "multi_thread")]
async fn promotes_a_component_by_its_path_from_anywhere_and_refuses_what_is_none() {
    let stage = stage("strategy = \"quality\"").await;
    let gateway = Served::start(&stage).await;
    fs::copy(prebuilt("weighted"), stage.home().join("mine.wasm")).unwrap();
    fs::write(stage.home().join("broken.wasm"), "(module)").unwrap();

    let promoted = change(&stage, &gateway, &["promote", "mine.wasm", "--options", "{}"]).await;
    let broken = change(&stage, &gateway, &["promote", "broken.wasm"]).await;
    let absent = change(&stage, &gateway, &["promote", "none.wasm"]).await;
    let unknown = change(&stage, &gateway, &["promote", "--route", "nowhere"]).await;

    assert!(promoted.stdout.contains("mine.wasm decides on route default"), "{}{}", promoted.stdout, promoted.stderr);
    assert_eq!(broken.code, Some(1));
    assert!(broken.stderr.contains("the one before it is kept"), "{}", broken.stderr);
    assert_eq!(absent.code, Some(2), "{}", absent.stderr);
    assert!(unknown.stderr.contains("no route is called \"nowhere\""), "{}", unknown.stderr);
    assert!(strategy(&gateway).await["strategy"].as_str().unwrap().ends_with("mine.wasm"));
}

// F2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fails_no_request_while_strategies_take_each_others_place() {
    let stage = stage("strategy = \"quality\"").await;
    let gateway = Served::start(&stage).await;
    let load = Load::start(gateway.address(), 4, HI);

    let promote =
        "POST /api/strategies/default/promote HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let promote = format!("{promote}content-length: 26\r\n\r\n{{\"strategy\":\"round-robin\"}}");
    let back = "POST /api/strategies/default/roll-back HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    let mut statuses = vec![gateway.send(promote.as_bytes()).await.status];
    for _ in 0..100 {
        statuses.push(gateway.send(back.as_bytes()).await.status);
    }
    let Answered { answered, wrong, .. } = load.stop().await;

    println!("{answered} requests through 101 changes");
    assert_eq!((statuses, wrong), (vec![200; 101], 0));
    assert!(answered >= 100, "{answered}");
}

// F6
#[tokio::test(flavor = "multi_thread")]
async fn does_not_take_a_file_up_again_that_was_gone_back_from_until_it_changes() {
    let stage = stage("strategy = \"./mine.wasm\"").await;
    let mine = stage.home().join("mine.wasm");
    fs::copy(prebuilt("quality"), &mine).unwrap();
    let gateway = Served::start(&stage).await;
    let first = strategy(&gateway).await["digest"].clone();
    let digest_becomes_other_than = async |digest: &Value| {
        while strategy(&gateway).await["digest"] == *digest {
            tokio::task::yield_now().await;
        }
        strategy(&gateway).await["digest"].clone()
    };

    fs::copy(prebuilt("cost"), &mine).unwrap();
    let second = digest_becomes_other_than(&first).await;
    let back = change(&stage, &gateway, &["rollback"]).await;
    // A file that is taken up proves that the one before it was looked at and left alone: it is looked at every half second.
    let looked_at = tokio::time::Instant::now() + std::time::Duration::from_millis(1_200);
    while tokio::time::Instant::now() < looked_at {
        assert_eq!(strategy(&gateway).await["digest"], first);
    }
    fs::copy(prebuilt("round-robin"), &mine).unwrap();
    let third = digest_becomes_other_than(&first).await;

    assert_eq!(back.code, Some(0), "{}", back.stderr);
    assert!(third != second && third != first);
}

// F6
#[tokio::test(flavor = "multi_thread")]
async fn goes_back_to_the_strategy_before_the_promoted_one_also_where_that_was_built_again() {
    let stage = stage("strategy = \"quality\"").await;
    let mine = stage.home().join("mine.wasm");
    fs::copy(prebuilt("cost"), &mine).unwrap();
    let gateway = Served::start(&stage).await;
    let promoted = change(&stage, &gateway, &["promote", mine.to_str().unwrap()]).await;
    assert_eq!(promoted.code, Some(0), "{}", promoted.stderr);
    let first = strategy(&gateway).await["digest"].clone();

    fs::copy(prebuilt("round-robin"), &mine).unwrap();
    while strategy(&gateway).await["digest"] == first {
        tokio::task::yield_now().await;
    }

    assert_eq!(strategy(&gateway).await["former"], "quality");
    change(&stage, &gateway, &["rollback"]).await;
    assert_eq!(strategy(&gateway).await["strategy"], "quality");
}

// F6
#[tokio::test(flavor = "multi_thread")]
async fn lets_nothing_decide_but_the_component_it_is_pinned_to() {
    let stage = stage("strategy = \"./mine.wasm\" # ours").await;
    let mine = stage.home().join("mine.wasm");
    fs::copy(prebuilt("quality"), &mine).unwrap();

    let pinned = stage.backstop(["strategy", "pin"]).run().await;
    let written = fs::read_to_string(stage.config_file()).unwrap();
    let gateway = Served::start(&stage).await;
    let first = strategy(&gateway).await["digest"].as_str().unwrap().to_owned();
    fs::copy(prebuilt("cost"), &mine).unwrap();
    let reload = b"POST /api/strategies/default/reload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    let refused = gateway.send(reload).await;
    let log = gateway.stopped().await;
    let start = stage.backstop(["serve", "--listen", "127.0.0.1:0"]).run().await;
    let removed = stage.backstop(["strategy", "pin", "--remove"]).run().await;

    assert_eq!(pinned.code, Some(0), "{}", pinned.stderr);
    assert!(
        written.contains(&format!("strategy = \"./mine.wasm\" # ours\ndigest = \"sha256:{first}\"\n")),
        "{written}"
    );
    assert_eq!(refused.status, 422);
    let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("the one before it is kept") && message.contains("is pinned to sha256:"), "{message}");
    assert!(!log.contains("strategy replaced"), "{log}");
    assert_eq!(start.code, Some(2));
    assert!(
        start.stderr.contains("put that file back, or have `backstop strategy pin` write down this one"),
        "{}",
        start.stderr
    );
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    assert!(!fs::read_to_string(stage.config_file()).unwrap().contains("digest"));
}

// F6
#[tokio::test(flavor = "multi_thread")]
async fn says_what_cannot_be_pinned() {
    let stage = stage("strategy = \"quality\"").await;

    let built_in = stage.backstop(["strategy", "pin"]).run().await;
    let unknown = stage.backstop(["strategy", "pin", "--route", "other"]).run().await;
    let stage = stage.with_route("strategy = \"quality\"\ndigest = \"sha256:abc\"\nshadow_options = { rotate = true }");
    let faults = stage.backstop(["config", "check"]).run().await;

    assert_eq!([&built_in, &unknown, &faults].map(|run| run.code), [Some(2); 3]);
    assert!(built_in.stderr.contains("quality is part of this program"), "{}", built_in.stderr);
    assert!(unknown.stderr.contains("no route is called \"other\"; there are default"), "{}", unknown.stderr);
    let faults = format!("{}{}", faults.stdout, faults.stderr);
    assert!(faults.contains("not sha256: and 64 hexadecimal digits"), "{faults}");
    assert!(faults.contains("shadow_options") && faults.contains("set shadow, or leave them out"), "{faults}");
}
