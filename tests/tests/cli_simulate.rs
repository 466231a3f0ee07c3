//! `backstop simulate`: strategies side by side on a virtual clock, the same each time.

#![cfg(unix)]

use std::fs;

use backstop_tests::{Cli, CliRun};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An outage of a provider among two, small enough for a build that is not optimised.
const OUTAGE: &str = r#"
description = "The first provider is away for a minute."
duration = "4m"
seed = 5

[providers.first]
first_token = { p50 = "200ms", p95 = "600ms" }
total = { p50 = "900ms", p95 = "2s" }
quality = 0.9
priority = 2
price = { input_per_mtok = "3", output_per_mtok = "15" }
[[providers.first.phases]]
from = "60s"
to = "2m"
outage = "connection"

[providers.second]
failures = { overloaded = 0.02 }
quality = 0.6
price = { input_per_mtok = "1", output_per_mtok = "2" }

[[traffic]]
rate = 3
streaming = 0.5

[strategies.hedging]
strategy = "smart"
options = { hedge = "500ms" }
"#;

struct Home {
    folder: TempDir,
}

impl Home {
    fn with(scenario: &str) -> Self {
        let home = Self { folder: TempDir::new().unwrap() };
        fs::write(home.folder.path().join("scenario.toml"), scenario).unwrap();
        home
    }

    async fn simulate(&self, words: &str) -> CliRun {
        let args = std::iter::once("simulate").chain(words.split_whitespace());
        Cli::new(self.folder.path(), args).run().await
    }

    async fn told(&self, words: &str) -> Value {
        let ran = self.simulate(words).await;
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        ran.json()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gives_the_same_result_for_the_same_seed_to_the_bit_on_one_thread_and_on_two() {
    let home = Home::with(OUTAGE);
    let words = "scenario.toml --strategy smart --strategy hedging --strategy round-robin --strategy bandit --json";

    let [one, again, other] = [
        home.simulate(&format!("{words} --threads 1")).await,
        home.simulate(&format!("{words} --threads 2")).await,
        home.simulate(&format!("{words} --seed 6")).await,
    ];

    assert_eq!((one.code, one.stdout.as_str()), (Some(0), again.stdout.as_str()));
    assert_ne!(one.stdout, other.stdout);
    assert_eq!(other.json()["seed"], 6);
    assert!(one.stderr.contains("simulated ") && one.stderr.contains(" a second"), "{}", one.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn compares_strategies_by_what_callers_got_and_what_it_cost() {
    let home = Home::with(OUTAGE);

    let told = home.told("scenario.toml --strategy quality --strategy cost --json").await;

    let [quality, cost] = &told["strategies"].as_array().unwrap()[..] else { panic!("two strategies") };
    assert_eq!(quality["requests"], cost["requests"], "all meet the same requests");
    assert!(quality["success"].as_f64().unwrap() > 0.99, "the second takes over: {quality}");
    assert!(quality["answers"]["first"].as_u64() > quality["answers"]["second"].as_u64());
    assert!(cost["answers"]["second"].as_u64() > cost["answers"]["first"].as_u64());
    let dollars = |outcome: &Value| outcome["cost_usd"].as_str().unwrap().parse::<f64>().unwrap();
    assert!(dollars(cost) < dollars(quality));
    assert!(quality["quality"].as_f64() > cost["quality"].as_f64());
    assert_eq!(quality["recoveries"][0]["ended"], 120.0);
    assert!(quality["recoveries"][0]["recovered_after"].as_f64().unwrap() < 40.0, "{}", quality["recoveries"]);
    assert_eq!(
        told["phases"],
        json!([{"provider": "first", "from": 60.0, "to": 120.0, "what": "outage (connection)"}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_the_shape_that_scripts_rely_on() {
    let home = Home::with(OUTAGE);

    let told = home.told("scenario.toml --json").await;

    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let outcome = &told["strategies"][0];
    assert_eq!(outcome["strategy"], "hedging", "the scenario's own, where none is named");
    assert_eq!(
        [&told, outcome, &outcome["answer_ms"], &outcome["timeline"][0], &outcome["recoveries"][0]].map(keys),
        [
            "scenario description seed start duration_seconds providers phases strategies",
            "strategy callers callers_answered requests answered success first_token_ms answer_ms cost_usd attempts \
             fail_over_rate quality recoveries answers failures slice_seconds timeline",
            "p50 p95 p99",
            "requests answered first_token_ms answer_ms cost_usd attempts failed_over answers",
            "provider ended recovered_after",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_a_table_with_a_column_for_each_strategy() {
    let home = Home::with(
        "duration = \"10s\"\n[providers.only]\nfirst_token = \"250ms\"\ntotal = \"2s\"\nquality = 0.5\n\
         price = { input_per_mtok = \"10\", output_per_mtok = \"20\" }\n\
         [[traffic]]\nrate = 1\narrivals = \"even\"\nstreaming = 1.0\ninput_tokens = 1000\noutput_tokens = 500\n",
    );

    let ran = home.simulate("scenario.toml --strategy smart --strategy fail-fast").await;

    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let rows: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    for row in [
        vec!["requests", "9", "9"],
        vec!["answered", "100.000", "%", "100.000", "%"],
        vec!["first", "token", "p95", "250", "ms", "250", "ms"],
        vec!["answer", "p99", "2.00", "s", "2.00", "s"],
        vec!["cost", "$0.1800", "$0.1800"],
        vec!["attempts", "a", "request", "1.000", "1.000"],
        vec!["by", "only", "100.0", "%", "100.0", "%"],
    ] {
        assert!(rows.contains(&row), "{row:?} is not in\n{}", ran.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_a_page_that_needs_nothing_else() {
    let home = Home::with(OUTAGE);

    let ran = home.simulate("scenario.toml --strategy smart --strategy cost --html report.html").await;

    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let page = fs::read_to_string(home.folder.path().join("report.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("uPlot") && page.contains("prefers-color-scheme"));
    for outside in ["src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    let numbers = page.split_once("id=\"numbers\">").unwrap().1.split_once("</script>").unwrap().0;
    let told: Value = serde_json::from_str(numbers).unwrap();
    assert_eq!(told["strategies"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_the_scenarios_that_are_built_in_and_prints_one_to_begin_with() {
    let home = Home::with("");

    let listed = home.told("--list --json").await;
    let shown = home.simulate("--show primary-outage").await;

    let names: Vec<&str> = listed.as_array().unwrap().iter().filter_map(|entry| entry["name"].as_str()).collect();
    let six = ["primary-outage", "daily-quota", "brown-out", "price-change", "retry-storm", "slow-first-token"];
    assert_eq!(names, six);
    let shortened = shown.stdout.replace("duration = \"10m\"", "duration = \"20s\"");
    assert_ne!(shortened, shown.stdout);
    fs::write(home.folder.path().join("mine.toml"), shortened).unwrap();
    let told = home.told("mine.toml --json").await;
    assert_eq!(told["strategies"].as_array().map(Vec::len), Some(4), "{}", told["strategies"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_a_component_of_ones_own_from_a_file() {
    let home = Home::with(OUTAGE);
    let prebuilt = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest-strategies/prebuilt/round-robin.wasm");
    fs::copy(prebuilt, home.folder.path().join("mine.wasm")).unwrap();

    let told = home.told("scenario.toml --strategy ./mine.wasm --strategy round-robin --json").await;

    let [mine, built_in] = &told["strategies"].as_array().unwrap()[..] else { panic!("two strategies") };
    assert_eq!(mine["strategy"], "./mine.wasm");
    assert_eq!((&mine["answers"], &mine["cost_usd"]), (&built_in["answers"], &built_in["cost_usd"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_is_wrong_with_a_scenario_or_a_strategy_and_ends_with_usage() {
    let home = Home::with("[providers.a]\nfirst_tokn = \"1s\"\n[[traffic]]\nrate = 1\n");
    fs::write(home.folder.path().join("fine.toml"), "[providers.a]\n[[traffic]]\nrate = 1\n").unwrap();

    for (words, says) in [
        ("scenario.toml", "scenario.toml:2: providers.a.first_tokn: no such setting; did you mean first_token?"),
        ("nowhere.toml", "there is no such file; backstop simulate --list names the scenarios that are built in"),
        ("primary-outrage", "no scenario is called \"primary-outrage\"; did you mean primary-outage?"),
        ("--show brownout", "did you mean brown-out?"),
        ("fine.toml --strategy smrt", "did you mean smart?"),
        ("fine.toml --strategy nowhere.wasm", "strategy nowhere.wasm: "),
        ("fine.toml --strategy smart --strategy smart", "--strategy smart is there twice"),
        ("", "SCENARIO"),
    ] {
        let ran = home.simulate(words).await;

        assert_eq!(ran.code, Some(2), "{words}: {ran:#?}");
        assert!(ran.stderr.contains(says), "{words}: {}", ran.stderr);
    }
}
