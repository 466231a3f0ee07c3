//! Five situations in which each built-in strategy takes a way of its own, as the providers saw it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstop::config::{Config, ProviderConfig};
use backstop::scripted::{Reply, RetryAfter, Script, ScriptedProvider};
use backstop::{Backstop, ChatRequest, Price};
use serde_json::json;

const STRATEGIES: [&str; 5] = ["smart", "cost", "quality", "round-robin", "fail-fast"];

/// The providers in declared order, with priority and dollars for a million tokens; `local` runs on the own machine.
///
/// Each strategy has another favourite: `smart` local, `cost` gratis, `quality` best, and the others mid.
const PROVIDERS: [(&str, i32, &str); 4] = [("mid", 5, "1"), ("gratis", 0, "0"), ("local", 1, "0"), ("best", 9, "10")];

/// What a provider replies to a call, by its name and the number of calls it had before.
type Weather = fn(&str, usize, &[&str]) -> Reply;

/// Providers on sockets that note who was called, in the order of the calls.
struct World {
    providers: Vec<ScriptedProvider>,
    called: Arc<Mutex<Vec<&'static str>>>,
}

impl World {
    /// `hit` are those that the weather is about.
    async fn new(weather: Weather, hit: &'static [&'static str]) -> Self {
        let called: Arc<Mutex<Vec<&'static str>>> = Arc::default();
        let mut providers = Vec::new();
        for (name, ..) in PROVIDERS {
            let called = Arc::clone(&called);
            let script = Script::by(move |_| {
                let mut called = called.lock().unwrap();
                let before = called.iter().filter(|other| **other == name).count();
                called.push(name);
                weather(name, before, hit)
            });
            providers.push(ScriptedProvider::start(script).await.unwrap());
        }
        Self { providers, called }
    }

    async fn backstop(&self, strategy: &str) -> Backstop {
        let mut config = Config::new();
        for ((name, priority, price), provider) in PROVIDERS.into_iter().zip(&self.providers) {
            let price = price.parse().unwrap();
            let mut provider = ProviderConfig::openai_compatible(provider.base_url())
                .with_model("m")
                .with_priority(priority)
                .with_price(Price::new(price, price));
            provider.local = name == "local";
            config.providers.insert(name.to_owned(), provider);
        }
        config.sandbox.compile_cache = Some(std::env::temp_dir().join("backstop-test-components"));
        config.routes["default"].max_attempts = Some(10);
        let options = json!({"base_delay": "4ms", "max_delay": "8ms", "patience": "500ms"});
        let builder = Backstop::builder().config(config).strategy(strategy);
        builder.strategy_options(options.as_object().unwrap().clone()).build().await.unwrap()
    }

    /// Who was called since the last time, by name.
    fn called(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.called.lock().unwrap())
    }
}

/// Who is called for each of so many requests in a row, and whether the last of them was answered.
async fn way(strategy: &str, weather: Weather, hit: &'static [&'static str], requests: usize) -> (Vec<String>, bool) {
    let world = World::new(weather, hit).await;
    let backstop = world.backstop(strategy).await;
    let (mut ways, mut is_answered) = (Vec::new(), false);
    for _ in 0..requests {
        is_answered = backstop.chat(ChatRequest::ask("hi")).await.is_ok();
        ways.push(world.called().join(" "));
    }
    (ways, is_answered)
}

fn well(name: &str) -> Reply {
    Reply::answer(format!("{name} answers"))
}

fn all_well(name: &str, _: usize, _: &[&str]) -> Reply {
    well(name)
}

/// Those hit are rate-limited for longer than anyone has the patience to wait.
fn limited(name: &str, _: usize, hit: &[&str]) -> Reply {
    if hit.contains(&name) { Reply::rate_limited(Duration::from_secs(30)) } else { well(name) }
}

/// Those hit are rate-limited for a moment, on their first call.
fn briefly_limited(name: &str, before: usize, hit: &[&str]) -> Reply {
    let wait = RetryAfter::Milliseconds(Duration::from_millis(20));
    let is_hit = before == 0 && hit.contains(&name);
    if is_hit { Reply::rate_limited_without_wait().retry_after(wait) } else { well(name) }
}

/// Those hit fail every call.
fn down(name: &str, _: usize, hit: &[&str]) -> Reply {
    if hit.contains(&name) { Reply::server_error() } else { well(name) }
}

/// The two that a strategy would rather ask than the others.
fn favourites(strategy: &str) -> &'static [&'static str] {
    match strategy {
        "smart" => &["local", "gratis"],
        "cost" => &["gratis", "local"],
        "quality" => &["best", "mid"],
        _ => &["mid", "gratis"],
    }
}

// B1: all are well.
#[tokio::test]
async fn has_a_favourite_of_its_own() {
    for (strategy, expected) in STRATEGIES.into_iter().zip([
        ["local", "local", "local"],
        ["gratis", "gratis", "gratis"],
        ["best", "best", "best"],
        ["mid", "gratis", "local"],
        ["mid", "mid", "mid"],
    ]) {
        let (ways, is_answered) = way(strategy, all_well, &[], 3).await;

        assert_eq!((ways, is_answered), (expected.map(str::to_owned).to_vec(), true), "{strategy}");
    }
}

// B1, A3, E8: the favourite is rate-limited for half a minute.
#[tokio::test]
async fn goes_past_a_favourite_that_is_rate_limited() {
    for (strategy, expected, was_served_at_once) in [
        ("smart", ["local gratis", "gratis"], true),
        ("cost", ["gratis local", "local"], true),
        ("quality", ["best mid", "mid"], true),
        ("round-robin", ["mid gratis", "gratis"], true),
        ("fail-fast", ["mid", "gratis"], false),
    ] {
        let favourite = &favourites(strategy)[..1];

        let (ways, is_answered) = way(strategy, limited, favourite, 2).await;
        let (_, first_is_answered) = way(strategy, limited, favourite, 1).await;

        assert_eq!((ways, is_answered), (expected.map(str::to_owned).to_vec(), true), "{strategy}");
        assert_eq!(first_is_answered, was_served_at_once, "{strategy}");
    }
}

// B1: the favourite and the next are down.
#[tokio::test]
async fn goes_past_two_that_are_down_after_one_repetition_each() {
    for (strategy, expected, was_served) in [
        ("smart", "local local gratis gratis best", true),
        ("cost", "gratis gratis local local mid", true),
        ("quality", "best best mid mid local", true),
        ("round-robin", "mid mid gratis gratis local", true),
        ("fail-fast", "mid", false),
    ] {
        let (ways, is_answered) = way(strategy, down, favourites(strategy), 1).await;

        assert_eq!((ways, is_answered), (vec![expected.to_owned()], was_served), "{strategy}");
    }
}

// B1: the favourite asks for 20 ms, and the operator has patience for 500.
#[tokio::test]
async fn stays_for_a_short_wait_where_it_has_the_patience() {
    for (strategy, expected) in
        STRATEGIES.into_iter().zip(["local local", "gratis gratis", "best best", "mid mid", "mid mid"])
    {
        let (ways, is_answered) = way(strategy, briefly_limited, &favourites(strategy)[..1], 1).await;

        assert_eq!((ways, is_answered), (vec![expected.to_owned()], true), "{strategy}");
    }
}

// B1: everyone is down.
#[tokio::test]
async fn tries_everyone_before_it_fails_and_fail_fast_only_one() {
    for (strategy, expected) in STRATEGIES.into_iter().zip([
        "local local gratis gratis best best mid mid",
        "gratis gratis local local mid mid best best",
        "best best mid mid local local gratis gratis",
        "mid mid gratis gratis local local best best",
        "mid",
    ]) {
        let (ways, is_answered) = way(strategy, down, &["mid", "gratis", "local", "best"], 1).await;

        assert_eq!((ways, is_answered), (vec![expected.to_owned()], false), "{strategy}");
    }
}

// B1
#[tokio::test]
async fn answers_to_the_names_of_older_systems() {
    let world = World::new(all_well, &[]).await;
    for (alias, own) in ["smart_fallback", "cost_optimized", "quality_optimized", "round_robin", "fail_fast"]
        .into_iter()
        .zip(STRATEGIES)
    {
        let backstop = world.backstop(alias).await;

        let answer = backstop.chat(ChatRequest::ask("hi")).await.unwrap();

        assert_eq!(&*answer.strategy, own);
        assert_eq!(world.called(), &favourites(own)[..1], "{alias}");
    }
}
