//! `backstop why`, `costs` and `status`: from the store of the machine, and from a running gateway (F7, B6, B12, L6).

#![cfg(unix)]

use backstop::scripted::{Answer, Reply, Script};
use backstop_tests::{Served, Stage, post};
use serde_json::Value;

const HI: &str = r#"{"messages":[{"role":"user","content":"hi"}]}"#;

async fn stage() -> Stage {
    let scripts = [
        ("alpha", Script::from(Reply::rate_limited(std::time::Duration::from_secs(30)))),
        ("beta", Answer::new("yes").into()),
    ];
    let priced = "[providers.beta.price]\ninput_per_mtok = \"1\"\noutput_per_mtok = \"2\"";
    Stage::new(scripts)
        .await
        .with_route("strategy = \"round-robin\"\noptions = { rotate = false }")
        .with_settings(priced)
}

/// A story without what differs from run to run: its name, its day, and every length of time.
fn settled(text: &str) -> String {
    let is_figure =
        |word: &str| !word.is_empty() && word.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
    let settle = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let settled = words.iter().enumerate().map(|(place, word)| {
            let unit = words.get(place + 1).map_or("", |next| next.trim_end_matches([':', ',', ')']));
            match word {
                word if word.starts_with("bs-") => "ID",
                word if word.starts_with("20") && word.contains('-') => "DAY",
                word if word.len() == 8 && word.starts_with(|letter: char| letter.is_ascii_digit()) => "TIME",
                word if matches!(unit, "ms" | "s") && is_figure(word.trim_start_matches('(')) => "_",
                word => word,
            }
        });
        settled.collect::<Vec<_>>().join(" ")
    };
    text.lines().map(settle).collect::<Vec<_>>().join("\n")
}

// F7
#[tokio::test(flavor = "multi_thread")]
async fn tells_the_story_of_the_latest_question() {
    let stage = stage().await;
    let asked = stage.backstop(["ask", "Why?"]).run().await;
    assert_eq!(asked.code, Some(0), "{asked:#?}");

    let told = stage.backstop(["why"]).run().await;

    insta::assert_snapshot!(settled(&told.stdout), @r"
    ID answered by beta/beta-model on attempt 2 in _ ms, 9 tokens, $0.00001
    DAY TIME UTC, route default, strategy round-robin, a stream

    _ ms decided: attempt alpha/alpha-model: its turn
    alpha/alpha-model ready
    beta/beta-model ready, at most $0.001176
    _ ms attempt 1: sent to alpha/alpha-model
    _ ms alpha/alpha-model failed after _ ms: rate-limited (HTTP 429): Rate limit reached for gpt-4o in organization org-scripted on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 30s. Visit https://platform.openai.com/account/rate-limits to learn more.
    _ ms decided: attempt beta/beta-model: next in turn, after a rate limit
    alpha/alpha-model cooling down _ ms)
    beta/beta-model ready, at most $0.001176
    _ ms attempt 2: sent to beta/beta-model
    _ ms beta/beta-model answers after _ ms
    _ ms beta/beta-model has answered: 8 tokens in, 1 out
    ");
    assert_eq!(told.code, Some(0), "{told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_requests_and_finds_one_by_name_wherever_it_was_made() {
    let stage = stage().await;
    let gateway = Served::start(&stage).await;
    let id = gateway.send(&post(HI, &[])).await.header("x-backstop-request-id").unwrap().to_owned();
    stage.backstop(["ask", "Why?"]).run().await;
    let url = format!("http://{}", gateway.address());

    let there = stage.backstop(["why", &id, "--gateway", &url, "--json"]).run().await;
    // What the gateway told its store is there a moment later.
    let mut here = stage.backstop(["why", &id, "--json"]).run().await;
    while here.code != Some(0) {
        here = stage.backstop(["why", &id, "--json"]).run().await;
    }
    let list = stage.backstop(["why", "--list", "--json"]).run().await;

    let [there, here, list] = [&there, &here, &list].map(|run| serde_json::from_str::<Value>(&run.stdout).unwrap());
    assert_eq!(there, here);
    assert_eq!(there["served_by"], "beta/beta-model");
    assert_eq!(list["requests"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_is_missing_where_there_is_nothing_to_tell() {
    let stage = stage().await;
    for (arguments, code, says) in [
        (vec!["why"], 1, "no gateway answers at"),
        (vec!["why", "bs-12"], 2, "32 hexadecimal digits"),
        (vec!["why", "--gateway", "http://127.0.0.1:1"], 1, "no gateway answers at http://127.0.0.1:1"),
        (vec!["status", "--gateway", "http://127.0.0.1:1"], 1, "no gateway answers at http://127.0.0.1:1"),
        (vec!["costs", "reset", "nobody"], 1, "no provider is called \"nobody\""),
    ] {
        let ran = stage.backstop(arguments.clone()).run().await;

        assert_eq!(ran.code, Some(code), "{arguments:?}: {ran:#?}");
        assert!(ran.stderr.contains(says), "{arguments:?}: {}", ran.stderr);
    }
    let foreign = format!("http://{}", stage.provider("beta").root_url().authority());
    let ran = stage.backstop(["status", "--gateway", &foreign]).run().await;
    assert!(ran.stderr.contains("is no gateway of Backstop's"), "{ran:#?}");
}

// B6, B12
#[tokio::test(flavor = "multi_thread")]
async fn adds_up_costs_over_runs_and_forgets_them() {
    let stage = stage().await;
    for _ in 0..2 {
        stage.backstop(["ask", "Why?"]).run().await;
    }

    let table = stage.backstop(["costs"]).run().await;
    let costs = stage.backstop(["costs", "--json"]).run().await;
    let reset = stage.backstop(["costs", "reset", "beta"]).run().await;
    let after = stage.backstop(["costs"]).run().await;

    let costs: Value = serde_json::from_str(&costs.stdout).unwrap();
    assert_eq!((&costs["lines"][0]["provider"], &costs["lines"][0]["answers"]), (&"beta".into(), &2.into()));
    assert!(costs["total_usd"].as_str().unwrap().parse::<f64>().unwrap() > 0.0, "{costs}");
    assert!(table.stdout.contains("beta-model") && table.stdout.contains("total $"), "{}", table.stdout);
    assert_eq!((reset.code, after.stdout.trim()), (Some(0), "nothing was spent"));
}

// E4
#[tokio::test(flavor = "multi_thread")]
async fn shows_how_a_running_gateways_providers_are_doing() {
    let stage = stage().await;
    let gateway = Served::start(&stage).await;
    gateway.send(&post(HI, &[])).await;
    let url = format!("http://{}", gateway.address());

    let table = stage.backstop(["status", "--gateway", &url]).run().await;
    let json = stage.backstop(["status", "--gateway", &url, "--json"]).run().await;

    assert!(table.stdout.contains("rate limited for") && table.stdout.contains("available"), "{}", table.stdout);
    assert!(table.stdout.contains("ended 1 requests"), "{}", table.stdout);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["providers"][0]["state"]["name"], "rate-limited");
    assert_eq!(json["routes"]["default"]["primary"], "alpha/alpha-model");
}

// L6
#[tokio::test(flavor = "multi_thread")]
async fn answers_without_a_store_and_serves_only_with_one_it_can_use() {
    let stage =
        stage().await.with_settings("[store]\npath = \"backstop.toml/store.db\"\n[gateway]\nkeys = \"keys.json\"");

    let asked = stage.backstop(["ask", "Why?"]).run().await;
    let served = stage.backstop(["serve", "--listen", "127.0.0.1:0"]).run().await;

    assert_eq!((asked.code, asked.stdout.trim()), (Some(0), "yes"));
    assert!(asked.stderr.contains("no record is kept: the folder of the store"), "{}", asked.stderr);
    assert_eq!(served.code, Some(2), "{served:#?}");
    assert!(served.stderr.contains("set `path` in [store]"), "{}", served.stderr);
}
