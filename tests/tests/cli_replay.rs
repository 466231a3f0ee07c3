//! Decisions that a gateway has written down, and what another strategy would have decided (F6).

use std::fs;
use std::path::PathBuf;

use backstop::scripted::{Answer, Reply, Script};
use backstop_tests::{CliRun, Served, Stage};
use serde_json::{Value, json};

/// Three providers, and a gateway that writes decisions down. Of five calls the first provider fails two in a row: one more than it is
/// asked again, so that the second one has a part in the recording.
async fn recorded(strategy: &str) -> (Stage, PathBuf) {
    let three_of_five = Script::new().times(3, Reply::answer("a")).times(2, Reply::server_error()).in_turns();
    let stage = Stage::new([
        ("alpha", three_of_five),
        ("beta", Script::from(Answer::new("b"))),
        ("gamma", Script::from(Answer::new("c"))),
    ])
    .await;
    let folder = stage.home().join("decisions");
    let stage = stage
        .with_route(&format!("strategy = \"{strategy}\"\noptions = {{ base_delay = \"20ms\" }}"))
        .with_settings(&format!("[recording]\nenabled = true\nfolder = \"{}\"", folder.display()));
    (stage, folder)
}

async fn ask(gateway: &Served, requests: usize) {
    for number in 0..requests {
        let body = json!({"messages": [{"role": "user", "content": format!("a secret of mine, number {number}")}],
            "backstop": {"context": "title"}});
        assert_eq!(gateway.chat(&body).await.status, 200);
    }
}

async fn replay(stage: &Stage, arguments: &[&str]) -> CliRun {
    let folder = stage.home().join("decisions");
    let all = [&["replay", folder.to_str().unwrap()], arguments].concat();
    stage.backstop(all).run().await
}

async fn replayed(stage: &Stage, arguments: &[&str]) -> Value {
    let run = replay(stage, &[arguments, &["--json"]].concat()).await;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    run.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn decides_the_same_once_more_to_the_last_and_differs_where_another_strategy_does() {
    let (stage, folder) = recorded("smart").await;
    let gateway = Served::start(&stage).await;
    ask(&gateway, 30).await;
    gateway.stopped().await;

    let same = replayed(&stage, &[]).await;
    let other = replayed(&stage, &["--strategy", "round-robin", "--show", "3"]).await;

    let decisions = same["decisions"].as_u64().unwrap();
    assert!(decisions >= 30, "{same}");
    assert_eq!((&same["same"], &same["differed"], &same["faults"]), (&json!(decisions), &json!(0), &json!(0)));
    assert_eq!(same["component_has_changed"], false);
    assert_eq!(other["decisions"], decisions);
    assert!(other["differed"].as_u64().unwrap() >= 10, "{other}");
    assert_eq!(other["examples"].as_array().unwrap().len(), 3);
    assert_eq!(other["strategies"], json!([{"then": "smart", "now": "round-robin"}]));
    // Beta never failed: a strategy that takes turns would have met alpha's errors less often.
    let (then, now) = (&other["first_choices"]["then"]["served"], &other["first_choices"]["now"]["served"]);
    assert!(now.as_f64() > then.as_f64(), "{other}");
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(text.contains("\"context\"") && !text.contains("a secret of mine"), "no message is written down");
        assert!(["alpha", "beta", "gamma"].iter().all(|name| !text.contains(&Stage::key(name))), "and no key");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_people_what_would_have_been_otherwise() {
    let (stage, _) = recorded("quality").await;
    let gateway = Served::start(&stage).await;
    ask(&gateway, 6).await;
    gateway.stopped().await;

    let run = replay(&stage, &["--strategy", "round-robin", "--route", "default"]).await;
    let none = replay(&stage, &["--route", "other"]).await;

    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for words in
        ["decisions replayed in", "asked: round-robin in place of quality", "decided then", "first choices", "because"]
    {
        assert!(run.stdout.contains(words), "{words}: {}", run.stdout);
    }
    assert!(none.stdout.starts_with("0 decisions"), "{}", none.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_what_a_killed_gateway_has_written() {
    let (stage, folder) = recorded("smart").await;
    let gateway = Served::start(&stage).await;
    ask(&gateway, 5).await;
    let written = || fs::read_dir(&folder).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>();
    while written() == 0 {
        tokio::task::yield_now().await;
    }

    gateway.signal("KILL");
    let _ = gateway.ended().await;

    assert!(replayed(&stage, &[]).await["decisions"].as_u64().unwrap() >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_is_no_recording_and_what_no_strategy() {
    let (stage, folder) = recorded("smart").await;
    fs::create_dir_all(&folder).unwrap();

    let empty = replay(&stage, &[]).await;
    fs::write(folder.join("decisions-0000000000.jsonl"), "{\"decided\":[0,{}]}\n").unwrap();
    let damaged = replay(&stage, &[]).await;
    let unknown = replay(&stage, &["--strategy", "best"]).await;
    let options = replay(&stage, &["--strategy", "smart", "--options", "7"]).await;

    assert_eq!([&empty, &damaged, &unknown, &options].map(|run| run.code), [Some(2); 4]);
    assert!(empty.stderr.contains("has no recording"), "{}", empty.stderr);
    assert!(damaged.stderr.contains("decisions-0000000000.jsonl:1: no line of a recording"), "{}", damaged.stderr);
    assert!(unknown.stderr.contains("no strategy is called \"best\""), "{}", unknown.stderr);
    assert!(options.stderr.contains("no JSON object"), "{}", options.stderr);
}
