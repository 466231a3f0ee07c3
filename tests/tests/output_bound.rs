//! R4: no answer may cost more than was set aside for it, whoever leaves its length open: the provider is bounded, and
//! the record says so.

#![cfg(unix)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use backstop::scripted::{Answer, ReceivedCall, Script, ScriptedProvider};
use backstop_tests::{HttpReply, Served, Stage};
use serde_json::{Value, json};

const PRICE: &str = "price = { input_per_mtok = \"1\", output_per_mtok = \"2\" }";
const LIMIT: &str = "[budget]\ndaily_usd = \"0.05\"";
const LIMIT_IN_NANOS: u64 = 50_000_000;
const INPUT: u64 = 100;

/// What a provider that says all it may has been paid, by its own count.
#[derive(Debug, Default, Clone)]
struct Till(Arc<AtomicU64>);

impl Till {
    fn nanos(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Answers in as many tokens as it is allowed, which are many where nobody bounds them.
fn greedy() -> (Script, Till) {
    let till = Till::default();
    let taken = till.clone();
    let script = Script::by(move |call| {
        let answers = call.body["n"].as_u64().unwrap_or(1);
        let output = answers * limit(call).unwrap_or(100_000);
        taken.0.fetch_add(INPUT * 1_000 + output * 2_000, Ordering::SeqCst);
        Answer::new("much").usage(INPUT, output).into()
    });
    (script, till)
}

/// The output tokens a call is bounded to, in the words of its protocol.
fn limit(call: &ReceivedCall) -> Option<u64> {
    let places = ["/max_tokens", "/max_completion_tokens", "/generationConfig/maxOutputTokens", "/options/num_predict"];
    places.iter().find_map(|place| call.body.pointer(place)?.as_u64())
}

fn last_limit(stage: &Stage, provider: &str) -> Option<u64> {
    limit(&stage.provider(provider).last_call().unwrap())
}

/// A question that is reckoned at more than the tokens the provider counts for it.
fn question() -> Value {
    json!({"messages": [{"role": "user", "content": "Once upon a midnight dreary, while I pondered, weak and weary. ".repeat(2)}]})
}

fn with(name: &str, value: Value) -> Value {
    let mut question = question();
    question[name] = value;
    question
}

/// What the record says was put otherwise.
async fn notes(gateway: &Served, reply: &HttpReply) -> Vec<String> {
    let id = reply.header("x-backstop-request-id").unwrap();
    let story = gateway.get(&format!("/api/requests/{id}")).await.json();
    let adapted = story["steps"].as_array().unwrap().iter().filter(|step| step["event"] == "adapted");
    adapted.flat_map(|step| step["notes"].as_array().unwrap()).map(|note| note.as_str().unwrap().to_owned()).collect()
}

async fn spend_all(gateway: &Served, question: &Value) -> Vec<u16> {
    let mut statuses = Vec::new();
    while statuses.last() != Some(&402) {
        statuses.push(gateway.chat(question).await.status);
    }
    statuses
}

// R4
#[tokio::test(flavor = "multi_thread")]
async fn bounds_what_nobody_bounds_so_that_no_provider_can_pass_the_limit() {
    for kind in ["openai", "anthropic", "gemini", "ollama"] {
        let (script, till) = greedy();
        let stage = Stage::new([("alpha", script)])
            .await
            .with_kind("alpha", kind)
            .with_provider_settings("alpha", PRICE)
            .with_settings(LIMIT);
        let gateway = Served::start(&stage).await;

        let first = gateway.chat(&question()).await;
        let notes = notes(&gateway, &first).await;
        let statuses = spend_all(&gateway, &question()).await;

        assert_eq!((first.status, last_limit(&stage, "alpha")), (200, Some(4_096)), "{kind}: {}", first.text());
        let by_host = "at most 4096 output tokens are asked for: a budget counts them";
        // Anthropic's protocol has a bound in every request.
        let is_told = notes.iter().any(|note| note.starts_with(by_host));
        assert_eq!(is_told, kind != "anthropic", "{kind}: {notes:?}");
        assert!(till.nanos() <= LIMIT_IN_NANOS, "{kind}: {}", till.nanos());
        assert_eq!(statuses.len(), 6, "{kind}: five more fit: {statuses:?}");
    }
}

// R4
#[tokio::test(flavor = "multi_thread")]
async fn takes_null_for_no_bound() {
    let (script, till) = greedy();
    let stage = Stage::new([("alpha", script)]).await.with_provider_settings("alpha", PRICE).with_settings(LIMIT);
    let gateway = Served::start(&stage).await;

    spend_all(&gateway, &with("max_tokens", Value::Null)).await;

    assert_eq!(last_limit(&stage, "alpha"), Some(4_096));
    assert!(till.nanos() <= LIMIT_IN_NANOS, "{}", till.nanos());
}

// R4
#[tokio::test(flavor = "multi_thread")]
async fn reckons_with_each_of_several_answers_whoever_asks_for_them() {
    for question in [with("n", json!(3)), with("backstop", json!({"purpose": "three"}))] {
        let (script, till) = greedy();
        let stage = Stage::new([("alpha", script)])
            .await
            .with_provider_settings("alpha", PRICE)
            .with_settings(&format!("{LIMIT}\n[purposes.three]\nn = 3"));
        let gateway = Served::start(&stage).await;

        let statuses = spend_all(&gateway, &question).await;

        assert_eq!((statuses.len(), last_limit(&stage, "alpha")), (3, Some(4_096)), "{statuses:?}");
        assert!(till.nanos() <= LIMIT_IN_NANOS, "{}", till.nanos());
    }
}

// R4
#[tokio::test(flavor = "multi_thread")]
async fn sets_aside_what_thinking_adds_to_the_bound_of_the_caller() {
    // The model's name says that thoughts come on top of the answer.
    let (script, till) = greedy();
    let stage = Stage::new([("claude-3-7", script)])
        .await
        .with_kind("claude-3-7", "anthropic")
        .with_provider_settings("claude-3-7", PRICE)
        .with_settings(LIMIT);
    let gateway = Served::start(&stage).await;
    let mut question = with("max_tokens", json!(1_000));
    question["reasoning_effort"] = json!("medium");

    let statuses = spend_all(&gateway, &question).await;

    assert_eq!(last_limit(&stage, "claude-3-7"), Some(9_192));
    assert!(till.nanos() <= LIMIT_IN_NANOS, "{}", till.nanos());
    assert_eq!(statuses, [200, 200, 402]);
}

// R4
#[tokio::test(flavor = "multi_thread")]
async fn asks_for_as_much_as_the_operator_says_of_a_model() {
    let (script, till) = greedy();
    let beta = ScriptedProvider::start(script).await.unwrap();
    let models = "models = [{ id = \"beta-model\", max_tokens = 9000 }]\nmax_tokens = 7";
    let tables = format!(
        "[providers.beta]\nbase_url = \"{}\"\napi_key_env = \"ALPHA_API_KEY\"\n{models}\n{PRICE}\n{LIMIT}",
        beta.base_url()
    );
    let stage = Stage::new([("alpha", Script::new())]).await.with_settings(&tables);
    let gateway = Served::start(&stage).await;
    let question = with("model", json!("beta-model"));
    let mut short = question.clone();
    short["max_tokens"] = json!(50);

    let first = gateway.chat(&question).await;
    let own_word = gateway.chat(&short).await;
    let asked: Vec<_> = beta.calls().iter().map(limit).collect();

    assert_eq!((first.status, own_word.status), (200, 200), "{}", first.text());
    assert_eq!(asked, [Some(9_000), Some(50)]);
    assert_eq!(notes(&gateway, &first).await, Vec::<String>::new());
    assert!(till.nanos() <= LIMIT_IN_NANOS);
}

// R4
#[tokio::test(flavor = "multi_thread")]
async fn leaves_a_request_alone_where_nothing_counts_its_money() {
    let (script, _) = greedy();
    let tables = "[routes.capped]\n[routes.capped.budget]\ndaily_usd = \"1\"";
    let stage = Stage::new([("alpha", script)]).await.with_provider_settings("alpha", PRICE).with_settings(tables);
    let gateway = Served::start(&stage).await;

    let free = gateway.chat(&question()).await;
    let free_limit = last_limit(&stage, "alpha");
    let capped = gateway.chat(&with("model", json!("capped"))).await;

    assert_eq!((free.status, free_limit), (200, None));
    assert_eq!(notes(&gateway, &free).await, Vec::<String>::new());
    assert_eq!((capped.status, last_limit(&stage, "alpha")), (200, Some(4_096)), "{}", capped.text());
}
