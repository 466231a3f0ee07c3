//! `backstop ask --estimate`: what a question would come to, with nothing sent (B6).

#![cfg(unix)]

use backstop::scripted::{Answer, Script};
use backstop_tests::Stage;
use serde_json::json;

const DEAR: &str = "price = { input_per_mtok = \"10\", output_per_mtok = \"100\" }\npriority = 2";
const CHEAP: &str = "price = { input_per_mtok = \"1\", output_per_mtok = \"10\" }\npriority = 1";

async fn stage(strategy: &str) -> Stage {
    let answer = || Script::from(Answer::new("yes").usage(9, 40));
    Stage::new([("alpha", answer()), ("beta", answer()), ("gamma", answer())])
        .await
        .with_provider_settings("alpha", DEAR)
        .with_provider_settings("beta", CHEAP)
        .with_route(&format!("strategy = \"{strategy}\"\ndeadline = \"20s\""))
}

// B6
#[tokio::test(flavor = "multi_thread")]
async fn tells_costs_at_each_target_and_who_would_be_asked_first() {
    for (strategy, first) in [("quality", "alpha/alpha-model"), ("cost", "beta/beta-model")] {
        let stage = stage(strategy).await;

        let told =
            stage.backstop(["ask", "Why is the sky blue?", "--estimate", "--json", "--max-tokens", "100"]).run().await;

        assert_eq!(told.code, Some(0), "{told:#?}");
        let told = told.json();
        assert_eq!(told["first"], first);
        let targets = told["targets"].as_array().unwrap();
        let names: Vec<_> = targets.iter().map(|target| target["target"].as_str().unwrap()).collect();
        assert_eq!(names, ["alpha/alpha-model", "beta/beta-model", "gamma/gamma-model"]);
        let bound = targets[0]["input_bound"].as_u64().unwrap();
        assert!(targets[0]["input_tokens"].as_u64().unwrap() <= bound);
        assert!(targets.iter().all(|target| target["max_output_tokens"] == 100 && target["standing"] == "ready"));
        let dollars = |nanos: u64| backstop::NanoUsd::from_nanos(nanos).decimal();
        assert_eq!(targets[0]["worst_usd"], json!(dollars(bound * 10_000 + 100 * 100_000)));
        assert_eq!(targets[1]["worst_usd"], json!(dollars(bound * 1_000 + 100 * 10_000)));
        assert_eq!((&targets[2]["worst_usd"], &targets[0]["expected"]), (&json!(null), &json!(null)));
        assert_eq!(stage.attempts(), [0, 0, 0]);
    }
}

// B6
#[tokio::test(flavor = "multi_thread")]
async fn expects_what_earlier_answers_came_to() {
    let stage = stage("quality").await;
    assert_eq!(stage.backstop(["ask", "Why?"]).run().await.code, Some(0));

    let told = stage.backstop(["ask", "Why?", "--estimate", "--json"]).run().await.json();

    let alpha = &told["targets"][0];
    let input = alpha["input_tokens"].as_u64().unwrap();
    let usd = backstop::NanoUsd::from_nanos(input * 10_000 + 40 * 100_000).decimal();
    assert_eq!(alpha["expected"], json!({"answers": 1, "output_tokens": 40, "usd": usd}));
    assert_eq!(told["targets"][1]["expected"], json!(null));
    assert_eq!(stage.attempts(), [1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn says_why_a_target_could_not_be_asked() {
    let stage = stage("quality").await.with_settings("[budget]\nper_request_usd = \"0.005\"");

    let told = stage.backstop(["ask", "Why?", "--estimate", "--json", "--max-tokens", "100"]).run().await.json();

    assert_eq!(told["first"], "beta/beta-model");
    let whys: Vec<&str> = [0, 2].map(|place| told["targets"][place]["why"].as_str().unwrap()).into();
    assert!(
        whys[0].starts_with("the per-request budget of $0.005 has $0.005 left and the request may cost $0.0"),
        "{whys:?}"
    );
    assert!(whys[1].starts_with("its price is unknown and a budget is set"), "{whys:?}");
    assert_eq!(stage.attempts(), [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_a_table_to_people() {
    let stage = stage("quality").await;

    let told = stage.backstop(["ask", "Why?", "--estimate", "--max-tokens", "100"]).run().await;

    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(told.stdout, @r"
     target              tokens in   at most   out at most   cost at most   expected
    ───────────────────────────────────────────────────────────────────────────────────────────────
     alpha/alpha-model   ~18         189       100           $0.01189       -          asked first
     beta/beta-model     ~18         189       100           $0.001189      -
     gamma/gamma-model   ~18         189       100           unknown        -
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_with_the_models_own_tokenizer_where_it_is_public() {
    let stage = stage("quality").await;
    let config = stage.config().replace("beta-model", "gpt-4o");
    std::fs::write(stage.config_file(), config).unwrap();

    let told = stage.backstop(["ask", "hello world", "--estimate", "--json"]).run().await.json();

    // "user" and "hello world" are three tokens; six more are around them.
    assert_eq!((&told["targets"][1]["input_tokens"], &told["targets"][1]["counted"]), (&json!(9), &json!("tokenizer")));
    assert_eq!(told["targets"][0]["counted"], "rule-of-thumb");
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_a_request_body_and_names_what_is_not_there() {
    let stage = stage("quality").await;
    let body = r#"{"messages":[{"role":"user","content":"hi"}],"max_tokens":7,"model":"beta-model"}"#;
    std::fs::write(stage.home().join("body.json"), body).unwrap();

    let told = stage.backstop(["ask", "--request", "body.json", "--estimate", "--json"]).run().await.json();
    let unknown = stage.backstop(["ask", "hi", "--estimate", "--model", "none"]).run().await;

    assert_eq!((&told["first"], &told["targets"][1]["max_output_tokens"]), (&json!("beta/beta-model"), &json!(7)));
    assert_eq!(unknown.code, Some(2));
    assert_eq!(stage.attempts(), [0, 0, 0]);
}
