//! `backstop config`, `status` and `doctor`.

use backstop::scripted::{Reply, Script};
use backstop_tests::{Cli, CliRun, Stage};
use serde_json::{Value, json};
use tempfile::TempDir;

const PRESETS: [&str; 5] = ["document-chat", "pipeline", "terminal", "task-bot", "community-bot"];

fn run(home: &TempDir, args: &[&str]) -> CliRun {
    Cli::new(home.path(), args.iter().copied()).run_blocking()
}

fn assert_code(ran: &CliRun, code: i32) {
    assert_eq!(ran.code, Some(code), "{ran:#?}");
}

#[test]
fn writes_a_preset_that_is_in_order() {
    for preset in PRESETS {
        let home = TempDir::new().unwrap();

        let written = run(&home, &["config", "init", "--preset", preset]);
        let checked = run(&home, &["config", "check"]);

        assert_code(&written, 0);
        assert_code(&checked, 0);
        assert!(checked.stdout.contains("in order"), "{preset}: {checked:#?}");
    }
}

#[test]
fn leaves_a_file_alone_that_is_there() {
    let home = TempDir::new().unwrap();
    std::fs::write(home.path().join("backstop.toml"), "# mine\n").unwrap();

    let refused = run(&home, &["config", "init"]);
    let shown = run(&home, &["config", "init", "--output", "-"]);
    let unknown = run(&home, &["config", "init", "--preset", "chatbot", "--output", "other.toml"]);

    assert_code(&refused, 2);
    assert_eq!(std::fs::read_to_string(home.path().join("backstop.toml")).unwrap(), "# mine\n");
    assert_code(&shown, 0);
    assert!(shown.stdout.contains("[providers."), "{shown:#?}");
    assert_code(&unknown, 2);
    assert!(unknown.stderr.contains("community-bot"), "{unknown:#?}");
}

#[test]
fn lists_every_problem_at_once() {
    let home = TempDir::new().unwrap();
    let file = "[bugdet]\ndaily_usd = \"5\"\n[providers.openai]\npriority = \"high\"\n";
    std::fs::write(home.path().join("backstop.toml"), file).unwrap();

    let text = run(&home, &["config", "check"]);
    let told = run(&home, &["config", "check", "--json"]);

    assert_code(&text, 2);
    assert!(text.stderr.contains("bugdet") && text.stderr.contains("priority"), "{text:#?}");
    assert_code(&told, 2);
    assert_eq!(told.json()["ok"], false);
    assert_eq!(told.json()["problems"].as_array().map(Vec::len), Some(2), "{told:#?}");
}

#[tokio::test]
async fn finds_a_strategy_that_refuses_its_options_in_the_shadow_too() {
    let faulty = |route: &str| {
        let route = route.to_owned();
        async move {
            let stage = Stage::new([("alpha", Script::new())]).await.with_route(&route);
            (stage.backstop(["config", "check"]).run().await, stage.backstop(["config", "check", "--json"]).run().await)
        }
    };

    let (value, told) = faulty("strategy = \"smart\"\noptions = { patience = \"soon\" }").await;
    let (name, _) = faulty("strategy = \"smart\"\nshadow = \"cost\"\nshadow_options = { patienc = \"1s\" }").await;

    assert_code(&value, 2);
    assert!(value.stderr.contains("`patience` is \"soon\", but must be"), "{value:#?}");
    assert_code(&name, 2);
    assert!(name.stderr.contains("did you mean `patience`?"), "{name:#?}");
    assert_eq!((told.code, &told.json()["ok"]), (Some(2), &serde_json::json!(false)));
}

#[tokio::test]
async fn shows_where_each_value_came_from() {
    let stage = Stage::new([("alpha", Script::new())]).await;

    let shown = stage.backstop(["config", "show"]).env("LLM_DEFAULT_TEMPERATURE", "0.4").run().await;

    assert_code(&shown, 0);
    assert!(shown.stdout.contains("backstop.toml:"), "{shown:#?}");
    assert!(shown.stdout.contains("environment LLM_DEFAULT_TEMPERATURE"), "{shown:#?}");
}

#[tokio::test]
async fn tells_the_state_of_every_provider() {
    let stage = Stage::new([("alpha", Script::new()), ("beta", Script::new())]).await;

    let text = stage.backstop(["status"]).without_env("BETA_API_KEY").run().await;
    let told = stage.backstop(["status", "--json"]).without_env("BETA_API_KEY").run().await.json();

    assert_code(&text, 0);
    assert!(text.stdout.contains("available") && text.stdout.contains("not initialised"), "{}", text.stdout);
    assert!(text.stdout.contains("BETA_API_KEY"), "{}", text.stdout);
    let states: Vec<&Value> = told["providers"].as_array().unwrap().iter().map(|provider| &provider["state"]).collect();
    assert_eq!(states, ["available", "not initialised"]);
    assert_eq!(told["routes"]["default"]["strategy"], "smart");
    assert_eq!(stage.attempts(), [0, 0]);
}

#[tokio::test]
async fn examines_every_target_and_simulates_a_rate_limit() {
    let working = || Script::always(Reply::answer("OK"));
    let dead = Script::always(Reply::unauthorized());
    let stage = Stage::new([("alpha", working()), ("beta", dead), ("gamma", working())]).await;

    let text = stage.backstop(["doctor"]).run().await;
    let told = stage.backstop(["doctor", "--json"]).run().await.json();

    assert_code(&text, 0);
    assert!(text.stdout.contains("check the key in BETA_API_KEY"), "{}", text.stdout);
    let answered: Vec<&Value> = told["targets"].as_array().unwrap().iter().map(|target| &target["answered"]).collect();
    assert_eq!(answered, [&json!(true), &json!(false), &json!(true)]);
    assert_eq!(
        told["rate_limit"],
        json!({
            "provider": "alpha", "before": "available", "after": "rate limited", "restored": "available",
            "instead": "gamma/gamma-model",
        })
    );
}

#[tokio::test]
async fn says_by_its_code_that_nobody_works() {
    let stage = Stage::new([("alpha", Script::always(Reply::unauthorized()))]).await;

    let dead = stage.backstop(["doctor"]).run().await;
    let offline = stage.backstop(["doctor", "--offline"]).run().await;
    let keyless = stage.backstop(["doctor"]).without_env("ALPHA_API_KEY").run().await;

    assert_code(&dead, 3);
    assert_code(&offline, 0);
    assert_eq!(stage.attempts(), [1]);
    assert_code(&keyless, 2);
    assert!(keyless.stdout.contains("not initialised") && keyless.stderr.contains("ALPHA_API_KEY"), "{keyless:#?}");
}
