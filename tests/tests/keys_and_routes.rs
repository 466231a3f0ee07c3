//! Several keys, several routes, preference and force, over real sockets.

use std::time::Duration;

use backstop::config::{Config, ProviderConfig};
use backstop::scripted::{Reply, Script, ScriptedProvider};
use backstop::{Backstop, ChatRequest, FailureKind, RouteError};
use serde_json::json;

async fn answering(text: &str) -> ScriptedProvider {
    ScriptedProvider::start(Script::always(Reply::answer(text))).await.unwrap()
}

fn provider(of: &ScriptedProvider) -> ProviderConfig {
    ProviderConfig::openai_compatible(of.base_url()).with_model("m")
}

fn config(providers: &[(&str, &ScriptedProvider)]) -> Config {
    let mut config = Config::new();
    for (name, of) in providers {
        config.providers.insert((*name).to_owned(), provider(of));
    }
    config
}

async fn build(config: Config) -> Backstop {
    Backstop::builder().config(config).build().await.unwrap()
}

async fn served_by(backstop: &Backstop, request: ChatRequest) -> String {
    backstop.chat(request).await.unwrap().target.unwrap().provider.to_string()
}

#[tokio::test]
async fn goes_on_with_another_key_of_the_same_provider_at_once() {
    let limited = Script::by(|call| match call.header("authorization") {
        Some("Bearer sk-one-11111111") => Reply::rate_limited(Duration::from_secs(30)),
        _ => Reply::answer("with the second key"),
    });
    let first = ScriptedProvider::start(limited).await.unwrap();
    let second = answering("from elsewhere").await;
    let mut config = config(&[("first", &first), ("second", &second)]);
    config.providers["first"] =
        provider(&first).with_key("KEY_ONE", "sk-one-11111111").with_key("KEY_TWO", "sk-two-22222222");
    let backstop = build(config).await;

    let answers = [backstop.ask("hi").await.unwrap(), backstop.ask("hi").await.unwrap()];

    assert_eq!(answers, ["with the second key", "with the second key"]);
    assert_eq!((first.call_count(), second.call_count()), (3, 0));
}

// RELIABILITY 30
#[tokio::test]
async fn takes_a_rejected_key_out_of_the_rotation() {
    let first = ScriptedProvider::start(Script::always(Reply::unauthorized())).await.unwrap();
    let second = answering("yes").await;
    let mut config = config(&[("first", &first), ("second", &second)]);
    config.providers["first"] = provider(&first).with_key("KEY_ONE", "sk-one-11111111");
    let backstop = build(config).await;

    for _ in 0..5 {
        backstop.ask("hi").await.unwrap();
    }

    assert_eq!(first.call_count(), 1);
}

// E2, E3
#[tokio::test]
async fn forces_one_provider_and_lets_go_again() {
    let (first, second) = (answering("a").await, answering("b").await);
    let backstop = build(config(&[("first", &first), ("second", &second)])).await;

    backstop.force_provider("second", Duration::from_secs(60)).unwrap();
    let forced = served_by(&backstop, ChatRequest::ask("hi")).await;
    backstop.clear_preference();
    let free = served_by(&backstop, ChatRequest::ask("hi")).await;

    assert_eq!((forced.as_str(), free.as_str()), ("second", "first"));
    assert!(backstop.force_provider("third", Duration::from_secs(1)).is_err());
}

// E3
#[tokio::test]
async fn believes_what_is_reported_from_outside() {
    let (first, second) = (answering("a").await, answering("b").await);
    let backstop = build(config(&[("first", &first), ("second", &second)])).await;

    backstop.report_failure("first", FailureKind::RateLimited).unwrap();
    let after_failure = served_by(&backstop, ChatRequest::ask("hi")).await;
    backstop.report_success("first").unwrap();
    let after_success = served_by(&backstop, ChatRequest::ask("hi")).await;

    assert_eq!((after_failure.as_str(), after_success.as_str()), ("second", "first"));
}

// E1: the model named comes first, in all the ways there are to name one.
#[tokio::test]
async fn reads_model_as_a_route_then_a_target_then_a_model() {
    let (first, second) = (answering("a").await, answering("b").await);
    let mut config = config(&[("first", &first), ("second", &second)]);
    config.providers["second"] = provider(&second).with_model("only-here");
    let mut reversed = config.routes["default"].clone();
    reversed.targets =
        ["second", "first"].map(|name| backstop::config::TargetRef { provider: name.into(), model: None }).into();
    config.routes.insert("reversed".to_owned(), reversed);
    let backstop = build(config).await;
    let named = |model: &str| ChatRequest::ask("hi").with_model(model);

    assert_eq!(served_by(&backstop, named("default")).await, "first");
    assert_eq!(served_by(&backstop, named("reversed")).await, "second");
    assert_eq!(served_by(&backstop, named("second/m")).await, "second");
    assert_eq!(served_by(&backstop, named("only-here")).await, "second");
    let unknown = backstop.chat(named("only-her")).await.unwrap_err();
    assert!(
        matches!(unknown, RouteError::UnknownModel { nearest: Some(ref name), .. } if name == "only-here"),
        "{unknown}"
    );
}

#[tokio::test]
async fn tries_the_others_when_the_target_named_has_had_its_turn() {
    let first = answering("a").await;
    let second = ScriptedProvider::start(Script::always(Reply::model_not_found("m"))).await.unwrap();
    let backstop = build(config(&[("first", &first), ("second", &second)])).await;

    let request = ChatRequest::ask("hi").with_model("second/m");

    assert_eq!(served_by(&backstop, request).await, "first");
    assert_eq!(second.call_count(), 1);
}

// A7
#[tokio::test]
async fn marks_the_callers_own_text_as_no_models_answer() {
    let down = ScriptedProvider::start(Script::always(Reply::server_error())).await.unwrap();
    let mut config = config(&[("down", &down)]);
    config.routes.get_mut("default").unwrap().options = json!({"retries": 0}).as_object().unwrap().clone();
    let backstop = build(config).await;
    let request = || ChatRequest::ask("hi").with_fallback_text("the document");

    let whole = backstop.chat(request()).await.unwrap();
    let mut stream = backstop.stream(request()).await.unwrap();
    let streamed = stream.next().await.unwrap().unwrap();

    assert!(whole.is_degraded() && stream.is_degraded());
    assert_eq!((whole.text.as_str(), streamed.text.as_str()), ("the document", "the document"));
    assert_eq!(whole.to_json()["degraded"], true);
    assert_eq!(whole.to_json()["model"], "backstop/fallback-text");
    assert_eq!(backstop.stats().failed_requests, 2);
}

// E6, A8
#[tokio::test]
async fn fills_in_purpose_and_provider_defaults_where_the_request_is_silent() {
    let first = answering("{}").await;
    let mut config = config(&[("first", &first)]);
    config.providers["first"].defaults.max_tokens = Some(77);
    config.providers["first"].defaults.temperature = Some(0.9);
    let backstop = build(config).await;
    let purpose = ChatRequest::ask("hi").with_purpose("moderation");

    backstop.chat(purpose).await.unwrap();
    backstop.chat(ChatRequest::ask("hi").with_field("max_tokens", &5)).await.unwrap();

    let calls = first.calls();
    assert_eq!(calls[0].body["temperature"], 0.0);
    assert_eq!(calls[0].body["response_format"]["type"], "json_object");
    assert_eq!(calls[0].body["max_tokens"], 77);
    assert_eq!((&calls[1].body["max_tokens"], &calls[1].body["temperature"]), (&json!(5), &json!(0.9)));
    let unknown = ChatRequest::ask("hi").with_purpose("moderatoin");
    let error = backstop.chat(unknown).await.unwrap_err().to_string();
    assert_eq!(error, "no purpose is called \"moderatoin\"; did you mean \"moderation\"?");
}

// B5: nothing is sent for a request that does not fit.
#[tokio::test]
async fn refuses_what_does_not_fit_the_budget_before_anything_is_sent() {
    let first = answering("yes").await;
    let mut config = config(&[("first", &first)]);
    config.providers["first"].price = Some(backstop::Price::flat_per_1k("1".parse().unwrap()));
    config.budget.per_request = Some("0.01".parse().unwrap());
    let backstop = build(config).await;

    let error = backstop.ask("hi").await.unwrap_err();

    assert!(matches!(error, RouteError::BudgetExceeded { .. }), "{error}");
    assert_eq!(first.call_count(), 0);
}

#[tokio::test]
async fn keeps_as_many_records_in_memory_as_it_is_told_and_the_latest_of_them() {
    let first = answering("yes").await;
    let backstop = Backstop::builder().config(config(&[("first", &first)])).kept_records(2).build().await.unwrap();

    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(backstop.chat(ChatRequest::ask("hi")).await.unwrap().id);
    }

    let kept: Vec<bool> = ids.into_iter().map(|id| backstop.explain(id).is_some()).collect();
    assert_eq!(kept, [false, true, true]);
}

// B6, B9, F7
#[tokio::test]
async fn tells_the_cost_and_the_whole_story_of_an_answer() {
    let first = ScriptedProvider::start(Script::always(Reply::overloaded())).await.unwrap();
    let second = answering("Paris").await;
    let mut config = config(&[("first", &first), ("second", &second)]);
    config.providers["second"].price = Some(backstop::Price::flat_per_1k("0.01".parse().unwrap()));
    config.routes.get_mut("default").unwrap().options = json!({"retries": 0}).as_object().unwrap().clone();
    let backstop = build(config).await;

    let answer = backstop.chat(ChatRequest::ask("hi").with_label("context", "quiz")).await.unwrap();

    let record = backstop.explain(answer.id).unwrap();
    let story = serde_json::to_value(&*record).unwrap();
    let steps: Vec<_> =
        record.steps.iter().map(|(_, event)| serde_json::to_value(event).unwrap()["event"].clone()).collect();
    assert_eq!(steps, ["decided", "attempting", "failed", "decided", "attempting", "served", "completed"]);
    assert_eq!(story["labels"], json!({"context": "quiz"}));
    assert_eq!(story["tried"][0]["failure"]["kind"], "overloaded");
    assert_eq!(story["served_by"], "second/m");
    let json = answer.to_json();
    assert_eq!((&json["provider"], &json["attempts"]), (&json!("second"), &json!(2)));
    assert_eq!(json["choices"][0]["message"]["content"], "Paris");
    assert_eq!(json["cost"].as_f64().unwrap(), answer.cost.unwrap().as_dollars());
    assert_eq!(backstop.costs().total(), answer.cost.unwrap());
    backstop.reset_costs(Some("second"));
    assert_eq!(backstop.costs().total(), backstop::NanoUsd::ZERO);
}

// C4
#[tokio::test]
async fn counts_requests_rate_limits_and_switches() {
    let first = ScriptedProvider::start(Script::always(Reply::rate_limited(Duration::from_secs(60)))).await.unwrap();
    let second = answering("yes").await;
    let backstop = build(config(&[("first", &first), ("second", &second)])).await;

    for _ in 0..3 {
        backstop.ask("hi").await.unwrap();
    }

    let stats = backstop.stats();
    assert_eq!((stats.total_requests, stats.successful_requests, stats.failed_requests), (3, 3, 0));
    assert_eq!((stats.rate_limited_requests, stats.provider_switches, stats.attempts), (1, 1, 4));
    backstop.reset_stats();
    assert_eq!(backstop.stats().total_requests, 0);
}

// B6
#[tokio::test]
async fn estimates_before_counts_by_provider_and_day_and_forgets_one_or_all() {
    let (first, second) = (answering("Paris").await, answering("London").await);
    let mut config = config(&[("first", &first), ("second", &second)]);
    for name in ["first", "second"] {
        config.providers[name].price = Some(backstop::Price::flat_per_1k("0.01".parse().unwrap()));
    }
    let backstop = build(config).await;
    let request = || ChatRequest::ask("hi").with_field("max_tokens", &50);

    let estimates = backstop.estimate(&request()).unwrap();
    let calls_for_the_estimate = first.call_count() + second.call_count();
    let mut costs = Vec::new();
    for provider in ["first", "second"] {
        costs.push(backstop.chat(request().with_provider(provider)).await.unwrap().cost.unwrap());
    }

    assert_eq!((estimates.len(), calls_for_the_estimate), (2, 0));
    assert!(estimates.iter().zip(&costs).all(|(estimate, cost)| estimate.cost.unwrap() >= *cost), "{estimates:?}");
    let lines: Vec<_> = backstop.costs().lines().collect();
    let told: Vec<_> = lines.iter().map(|line| (&*line.provider, line.cost)).collect();
    assert_eq!(told, [("first", costs[0]), ("second", costs[1])]);
    assert_eq!(backstop.costs().on("first", lines[0].day), costs[0]);
    backstop.reset_costs(Some("first"));
    assert_eq!(backstop.costs().total(), costs[1]);
    backstop.reset_costs(None);
    assert_eq!(backstop.costs().total(), backstop::NanoUsd::ZERO);
}
