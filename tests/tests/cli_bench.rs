//! `backstop bench`: as many requests as were asked for, and figures that the providers' own counts bear out.

#![cfg(unix)]

use backstop::scripted::{Answer, Reply};
use backstop_tests::{Cli, Stage};
use serde_json::json;
use tempfile::TempDir;

#[tokio::test(flavor = "multi_thread")]
async fn loads_the_configured_providers_and_counts_as_they_do() {
    let answer = Answer::new("Hello").usage(10, 5);
    let stage = Stage::new([("alpha", Reply::server_error().into()), ("beta", answer.into())])
        .await
        .with_provider_settings("beta", "price = { input_per_mtok = \"1\", output_per_mtok = \"2\" }");
    let args = ["bench", "--requests", "40", "--concurrency", "4", "--json", "--stream"];

    let ran = stage.backstop(args).run().await;

    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let told = ran.json();
    let [dead, serving] = stage.attempts()[..] else { panic!("two providers") };
    assert_eq!((serving, &told["answered"], &told["failed"]), (40, &json!(40), &json!(0)));
    assert_eq!(told["attempts"], json!(dead + serving));
    assert_eq!((&told["answers"], &told["cost_usd"]), (&json!({"beta": 40}), &json!("0.0008")));
    assert!(told["fail_over_rate"].as_f64().unwrap() > 0.0 && told["per_second"].as_f64().unwrap() > 0.0);
    let (first, whole) = (&told["first_token_ms"], &told["answer_ms"]);
    assert!(first["p50"].as_f64().unwrap() <= whole["p50"].as_f64().unwrap(), "{told}");
    assert!(whole["p50"].as_f64() <= whole["p99"].as_f64() && whole["p99"].as_f64() <= whole["max"].as_f64());
}

#[tokio::test(flavor = "multi_thread")]
async fn says_by_its_code_that_nobody_answered() {
    let stage = Stage::new([("alpha", Reply::server_error().into())]).await;

    let ran = stage.backstop(["bench", "--requests", "5", "--concurrency", "1"]).run().await;

    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stdout.contains("5 requests in ") && ran.stdout.contains(" 0 answered, 5 failed"), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn needs_no_configuration_for_providers_of_its_own() {
    let home = TempDir::new().unwrap();

    let ran = Cli::new(home.path(), ["bench", "--scripted", "--requests", "60", "--json"]).run().await;

    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let told = ran.json();
    assert_eq!((&told["requests"], &told["answered"]), (&json!(60), &json!(60)));
    assert!(told["attempts"].as_u64().unwrap() > 60, "the first provider fails now and then: {told}");
    assert!(told["fail_over_rate"].as_f64().unwrap() > 0.0, "and the second takes over: {told}");
}
