//! Several instances on one Redis keep to a limit together (R44): real processes, a real
//! Redis, counts and times taken at the provider.

#![cfg(unix)]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backstop::scripted::{Answer, Script};
use backstop_tests::{Redis, Served, Stage, clock_of, exchange, post};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

/// How long something is waited for that takes two seconds at most on a machine with nothing else to do.
const PATIENCE: Duration = Duration::from_secs(30);

const HI: &str = r#"{"model":"default","max_tokens":20,"messages":[{"role":"user","content":"hi"}]}"#;
const MINUTE: Duration = Duration::from_secs(60);

/// A minute as the provider sees it: requests may take longer on their way there than those that follow.
const THEIR_MINUTE: Duration = Duration::from_millis(59_500);

fn quick() -> Script {
    Script::always(Answer::new("yes").usage(10, 10))
}

async fn stage(redis: &Redis, script: Script, limits: &str) -> Stage {
    let store = format!("[store]\npath = \"store.db\"\nshared = \"{}\"", redis.url());
    // Nobody waits in the strategy: a client is told, and comes again.
    let route = "strategy = \"fail-fast\"\ndeadline = \"2s\"";
    Stage::new([("alpha", script)])
        .await
        .with_provider_settings("alpha", limits)
        .with_route(route)
        .with_settings(&store)
}

/// The gateway of this name, with a store, a ledger and a clock of its own.
async fn gateway(stage: &Stage, name: &str) -> Served {
    let file = format!("{name}.toml");
    fs::write(stage.home().join(&file), stage.config().replace("store.db", &format!("{name}.db"))).unwrap();
    let serve = stage.backstop(["serve", "--listen", "127.0.0.1:0", "--config", &file]);
    Served::start_as(serve.with_clock(clock_of(name))).await
}

async fn gateways<const N: usize>(stage: &Stage, names: [&str; N]) -> [Served; N] {
    let started: Vec<Served> = join_all(names.map(|name| gateway(stage, name))).await;
    started.try_into().unwrap_or_else(|_| panic!("one for each name"))
}

/// Asks until told to stop, again at once when refused; how often it was answered.
async fn ask_until(address: std::net::SocketAddr, stop: Arc<AtomicBool>) -> usize {
    let mut served = 0;
    while !stop.load(Ordering::Relaxed) {
        let reply = exchange(address, &post(HI, &[])).await;
        served += usize::from(reply.status == 200);
        if reply.status != 200 {
            sleep(Duration::from_millis(20)).await;
        }
    }
    served
}

/// Has clients ask every gateway for so long; how often each was answered.
async fn load(gateways: &[Served], clients: usize, length: Duration) -> Vec<usize> {
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<Vec<_>> = gateways
        .iter()
        .map(|gateway| (0..clients).map(|_| tokio::spawn(ask_until(gateway.address(), Arc::clone(&stop)))).collect())
        .collect();
    sleep(length).await;
    stop.store(true, Ordering::Relaxed);
    let mut served = Vec::new();
    for of_gateway in tasks {
        served.push(join_all(of_gateway).await.into_iter().map(Result::unwrap).sum());
    }
    served
}

/// How far apart the clocks of two gateways are.
async fn minutes_apart(one: &Served, other: &Served) -> i64 {
    let clock = async |gateway: &Served| {
        let date = gateway.get("/healthz").await.header("date").unwrap().to_owned();
        jiff::fmt::rfc2822::parse(&date).unwrap().timestamp().as_second()
    };
    (clock(one).await - clock(other).await) / 60
}

/// The most calls the provider received in any sliding span of this length.
fn most_within(stage: &Stage, span: Duration) -> usize {
    let mut at: Vec<_> = stage.provider("alpha").calls().iter().map(|call| call.at).collect();
    at.sort_unstable();
    at.iter().map(|from| at.iter().filter(|at| **at >= *from && **at < *from + span).count()).max().unwrap_or(0)
}

// R44
#[tokio::test(flavor = "multi_thread")]
async fn three_gateways_keep_to_one_limit_in_every_sliding_minute() {
    let redis = Redis::start().await;
    let stage = stage(&redis, quick(), "limits = { rpm = 20 }").await;
    let gateways = gateways(&stage, ["a", "b", "c"]).await;

    // More than a minute, so that what was used in the beginning comes free while others wait for it.
    let served = load(&gateways, 2, MINUTE + Duration::from_secs(12)).await;

    assert!(minutes_apart(&gateways[0], &gateways[1]).await > 8, "their clocks are set");
    assert!(most_within(&stage, THEIR_MINUTE) <= 20, "{served:?}");
    let all: usize = served.iter().sum();
    assert!((30..=40).contains(&all), "a limit was given away: {served:?}");
    assert!(served.iter().all(|served| *served >= 4), "nobody is left out: {served:?}");
}

// R44
#[tokio::test(flavor = "multi_thread")]
async fn one_gateway_alone_gets_what_the_others_do_not_use() {
    let redis = Redis::start().await;
    let stage = stage(&redis, quick(), "limits = { rpm = 30 }").await;
    let gateways = gateways(&stage, ["a", "b", "c"]).await;
    // All know of each other.
    sleep(Duration::from_secs(1)).await;

    let served = load(&gateways[..1], 3, Duration::from_secs(8)).await;

    assert_eq!((served, most_within(&stage, THEIR_MINUTE)), (vec![30], 30));
}

// R44
#[tokio::test(flavor = "multi_thread")]
async fn each_keeps_to_an_equal_part_while_the_store_is_down_and_shares_again_when_it_is_back() {
    let mut redis = Redis::start().await;
    let stage = stage(&redis, quick(), "limits = { rpm = 30 }").await;
    let gateways = gateways(&stage, ["a", "b", "c"]).await;
    sleep(Duration::from_secs(2)).await;

    redis.kill();
    let alone = load(&gateways[..2], 2, Duration::from_secs(4)).await;
    redis.restart();
    let back = Instant::now();
    while exchange(gateways[0].address(), &post(HI, &[])).await.status != 200 {
        assert!(back.elapsed() < PATIENCE, "shared again");
        sleep(Duration::from_millis(10)).await;
    }
    println!("shared again {:?} after the store's return", back.elapsed());
    let served = load(&gateways[..1], 2, Duration::from_secs(6)).await;

    assert!(alone.iter().all(|served| (8..=10).contains(served)), "{alone:?}");
    let all: usize = alone.iter().chain(&served).sum::<usize>() + 1;
    assert_eq!(
        all, 30,
        "what was used meanwhile counts, and what the third did not use is not lost: {alone:?} {served:?}"
    );
    assert_eq!(most_within(&stage, THEIR_MINUTE), 30);
}

// R44
#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_requests_at_once_are_divided_too() {
    let redis = Redis::start().await;
    let slow = Answer::new("yes").usage(40, 10).first_token_after(Duration::from_millis(400));
    let stage = stage(&redis, Script::always(slow), "limits = { tpm = 1000, concurrent = 4 }").await;
    let gateways = gateways(&stage, ["a", "b", "c"]).await;

    let served = load(&gateways, 3, Duration::from_secs(12)).await;

    // 50 tokens each. What an answer takes is known when it is here: an estimate that is too low is made good afterwards.
    let all: usize = served.iter().sum();
    assert!((16..=24).contains(&all), "{served:?}");
    assert!(most_within(&stage, Duration::from_millis(350)) <= 4, "{served:?}");
}

// R44
#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_has_used_counts_when_it_has_left() {
    let redis = Redis::start().await;
    let stage = stage(&redis, quick(), "limits = { rpm = 20 }").await;
    let [first] = gateways(&stage, ["a"]).await;
    let before = load(std::slice::from_ref(&first), 1, Duration::from_secs(1)).await[0];
    first.stopped().await;

    let [second] = gateways(&stage, ["b"]).await;
    let after = load(&[second], 2, Duration::from_secs(6)).await[0];

    assert_eq!(before + after, 20, "{before} and {after}: no more, and what it did not use is not lost");
}
