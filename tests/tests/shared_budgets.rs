//! Several gateways on one Redis hold a budget together, whatever becomes of Redis and of them (R1, R21, R22): real processes, a real
//! Redis, and the provider's own count.

#![cfg(unix)]

use std::fs;
use std::time::Duration;

use backstop::scripted::{Answer, Script};
use backstop_tests::{HttpReply, LONG_QUESTION as HI, Redis, Served, Stage, clock_of, post, zone_at_noon};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// What each answer costs, in nano-dollars: 100 tokens in at $1 and 200 out at $2 for a million.
const COST: u64 = 500_000;

/// How often something is tried: a few times, or as often as a variable says.
fn times(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|times| times.parse().ok()).unwrap_or(usual)
}

async fn stage(redis: &Redis, script: Script, daily_usd: &str) -> Stage {
    let priced = "[providers.alpha.price]\ninput_per_mtok = \"1\"\noutput_per_mtok = \"2\"";
    let budget = format!("[budget]\ndaily_usd = \"{daily_usd}\"\ntime_zone = \"{}\"", zone_at_noon());
    let shared = redis.url();
    let store = format!("[store]\npath = \"store.db\"\nshared = \"{shared}\"");
    Stage::new([("alpha", script)]).await.with_settings(&format!("{priced}\n{budget}\n{store}"))
}

/// The gateway of this name: a ledger and a clock of its own, everybody's budget.
async fn gateway(stage: &Stage, name: &str) -> Served {
    let file = format!("{name}.toml");
    fs::write(stage.home().join(&file), stage.config().replace("store.db", &format!("{name}.db"))).unwrap();
    let serve = stage.backstop(["serve", "--listen", "127.0.0.1:0", "--config", &file]);
    Served::start_as(serve.with_clock(clock_of(name))).await
}

/// Gateways that may spend: the store has told them how the accounts stand, and lends.
async fn gateways<const N: usize>(stage: &Stage, names: [&str; N]) -> Vec<Served> {
    let mut gateways = Vec::new();
    for name in names {
        gateways.push(gateway(stage, name).await);
    }
    for gateway in &gateways {
        until_it_lends(gateway).await;
    }
    gateways
}

async fn until_it_lends(gateway: &Served) {
    let lends = async {
        while gateway.send(&post(HI, &[])).await.status == 503 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(20), lends).await.expect("it lends before long");
}

fn counted(stage: &Stage) -> u64 {
    stage.provider("alpha").call_count() as u64 * COST
}

/// What a gateway says is spent of everybody's day, by all, in nano-dollars.
async fn spent(gateway: &Served) -> u64 {
    let said: Value = gateway.get("/api/overview").await.json();
    let dollars: f64 = said["budgets"][0]["spent"].as_str().unwrap().parse().unwrap();
    (dollars * 1e9).round() as u64
}

/// A client that asks until its gateway is gone or time is up: statuses, and how long the slowest refusal took.
async fn ask_until(address: std::net::SocketAddr, end: Instant) -> (Vec<u16>, Duration) {
    let (mut statuses, mut slowest) = (Vec::new(), Duration::ZERO);
    while Instant::now() < end
        && let Ok(mut stream) = TcpStream::connect(address).await
    {
        while Instant::now() < end && stream.write_all(&post(HI, &[])).await.is_ok() {
            let began = Instant::now();
            let reply =
                timeout(Duration::from_secs(20), HttpReply::read(&mut stream)).await.expect("an answer or an end");
            if reply.status == 0 {
                break;
            }
            if reply.status == 503 {
                slowest = slowest.max(began.elapsed());
                sleep(Duration::from_millis(5)).await;
            }
            statuses.push(reply.status);
        }
    }
    (statuses, slowest)
}

/// Clients at every gateway for so long.
async fn load(gateways: &[Served], clients: usize, length: Duration) -> (Vec<u16>, Duration) {
    let end = Instant::now() + length;
    let tasks: Vec<_> = gateways
        .iter()
        .flat_map(|gateway| (0..clients).map(|_| tokio::spawn(ask_until(gateway.address(), end))))
        .collect();
    let (mut statuses, mut slowest) = (Vec::new(), Duration::ZERO);
    for task in tasks {
        let (own, wait) = task.await.unwrap();
        statuses.extend(own);
        slowest = slowest.max(wait);
    }
    (statuses, slowest)
}

fn quick() -> Script {
    Script::always(Answer::new("yes").usage(100, 200).first_token_after(Duration::from_millis(5)))
}

// R1
#[tokio::test(flavor = "multi_thread")]
async fn three_gateways_admit_exactly_as_many_of_32_at_once_as_fit() {
    for run in 0..times("BACKSTOP_SHARED_RUNS", 3) {
        let redis = Redis::start().await;
        // Ten worst cases of $0.10 fit, and no cent more: 100,000 tokens of output at $1 for a million.
        let slow = Answer::new("yes").usage(0, 100_000).first_token_after(Duration::from_millis(300));
        let stage = stage(&redis, Script::always(slow), "1.00").await;
        let free = "[providers.alpha.price]\ninput_per_mtok = \"0\"\noutput_per_mtok = \"1\"";
        let priced = "[providers.alpha.price]\ninput_per_mtok = \"1\"\noutput_per_mtok = \"2\"";
        let tables = stage.config().split_once(priced).unwrap().1.to_owned();
        let stage = stage.with_settings(&format!("{free}\n{tables}"));
        let question = HI.replace("\"max_tokens\":200", "\"max_tokens\":100000");
        let mut gateways = Vec::new();
        for name in ["a", "b", "c"] {
            gateways.push(gateway(&stage, name).await);
        }
        // The store has begun anew: it lends nothing for a while.
        sleep(Duration::from_millis(3_300)).await;

        let addresses: Vec<_> = gateways.iter().map(Served::address).collect();
        let ask = |address| {
            let sent = post(&question, &[]);
            tokio::spawn(async move { backstop_tests::exchange(address, &sent).await })
        };
        let asked: Vec<_> = (0..32).map(|place| ask(addresses[place % 3])).collect();
        let mut statuses = Vec::new();
        for reply in asked {
            let reply = reply.await.unwrap();
            if reply.status != 200 {
                assert_eq!(reply.json()["error"]["code"], "budget_exceeded", "run {run}: {}", reply.text());
            }
            statuses.push(reply.status);
        }

        let admitted = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!((admitted, stage.attempts()), (10, vec![10]), "run {run}: {statuses:?}");
    }
}

// R21
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_unlimited_while_the_store_is_away_and_all_goes_on_when_it_is_back() {
    let mut redis = Redis::start().await;
    let stage = stage(&redis, quick(), "1000").await;
    let gateways = gateways(&stage, ["a", "b", "c"]).await;
    let (before, _) = load(&gateways, 4, Duration::from_millis(500)).await;
    assert!(before.iter().all(|status| *status == 200), "{before:?}");

    redis.kill();
    load(&gateways, 4, Duration::from_secs(3)).await;
    let paused = counted(&stage);
    let (away, slowest) = load(&gateways, 4, Duration::from_secs(1)).await;
    assert!(away.iter().all(|status| *status == 503), "{away:?}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    assert_eq!(counted(&stage), paused, "nobody spends any more");

    redis.lose_everything();
    redis.restart();
    for gateway in &gateways {
        until_it_lends(gateway).await;
    }
    let (after, _) = load(&gateways, 4, Duration::from_millis(500)).await;
    assert!(after.iter().all(|status| *status == 200), "{after:?}");
    sleep(Duration::from_millis(1_500)).await;
    for gateway in &gateways {
        let (used, known) = (counted(&stage), spent(gateway).await);
        println!("the provider counted {used}, this gateway has {known}");
        assert_eq!(known, used, "a store that has lost everything was told anew");
    }
}

// R21, R22
#[tokio::test(flavor = "multi_thread")]
async fn stays_within_the_limit_whatever_the_store_forgets() {
    // Room for 800 answers.
    const LIMIT: u64 = 800 * COST;
    for run in 0..times("BACKSTOP_SHARED_RUNS", 2) {
        let mut redis = Redis::start().await;
        let stage = stage(&redis, quick(), "0.4").await;
        let gateways = gateways(&stage, ["a", "b", "c"]).await;
        let mut last = None;
        for blow in 0..12 {
            let copy = redis.copy();
            let spending = tokio::spawn(load_of(gateways.iter().map(Served::address).collect(), 700));
            sleep(Duration::from_millis(350)).await;
            // It forgets the last third of a second, everything at once while it runs, or everything with its end.
            match (run + blow) % 3 {
                0 => {
                    redis.kill();
                    redis.go_back_to(&copy);
                    redis.restart();
                }
                1 => drop(redis.cli(&["FLUSHALL"])),
                _ => {
                    redis.kill();
                    redis.lose_everything();
                    redis.restart();
                }
            }
            let statuses = spending.await.unwrap();
            assert!(counted(&stage) <= LIMIT, "run {run}, blow {blow}: the provider counted {}", counted(&stage));
            if statuses.contains(&402) {
                last = Some(blow);
                break;
            }
            for gateway in &gateways {
                until_it_lends(gateway).await;
            }
        }
        let all = load(&gateways, 4, Duration::from_secs(6)).await.0;
        assert!(last.is_some() || all.contains(&402), "run {run}: the money was never used up");
        assert!(counted(&stage) <= LIMIT, "run {run}: {}", counted(&stage));
        println!("run {run}: the provider counted {} of {LIMIT}", counted(&stage));
        // No false refusals either: but for less than a worst case each, everything was spent.
        assert!(counted(&stage) >= LIMIT - 40 * COST, "run {run}: only {} of {LIMIT}", counted(&stage));
    }
}

async fn load_of(addresses: Vec<std::net::SocketAddr>, ms: u64) -> Vec<u16> {
    let end = Instant::now() + Duration::from_millis(ms);
    let asking: Vec<_> = addresses.into_iter().flat_map(|address| [address; 4]).collect();
    let tasks: Vec<_> = asking.into_iter().map(|address| tokio::spawn(ask_until(address, end))).collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.extend(task.await.unwrap().0);
    }
    statuses
}

// R11, R14
#[tokio::test(flavor = "multi_thread")]
async fn charges_what_a_killed_gateway_held_and_no_more() {
    let redis = Redis::start().await;
    let stage = stage(&redis, quick(), "1000").await;
    let mut gateways = gateways(&stage, ["a", "b"]).await;
    let mut held = 0;
    for kill in 0..times("BACKSTOP_SHARED_RUNS", 3) {
        let spending = tokio::spawn(load_of(gateways.iter().map(Served::address).collect(), 600));
        sleep(Duration::from_millis(400)).await;
        let dead = gateways.remove(0);
        dead.signal("KILL");
        dead.ended().await;
        spending.await.unwrap();
        sleep(Duration::from_millis(1_500)).await;

        let (known, used) = (spent(&gateways[0]).await, counted(&stage));
        // What the dead one has told is known, and what it had not told yet is held for it.
        let next = gateway(&stage, "a").await;
        until_it_lends(&next).await;
        sleep(Duration::from_millis(1_500)).await;
        let (charged, used_then) = (spent(&gateways[0]).await, counted(&stage));

        assert!(known <= charged && used <= charged, "kill {kill}: {known}, {used} of {charged}");
        assert!(used_then <= charged, "kill {kill}: the provider counted {used_then}, {charged} is charged");
        // Each of the dead may have held some.
        held += 200 * COST;
        assert!(charged <= used_then + held, "kill {kill}: {charged} is charged for {used_then}");
        println!("kill {kill}: the provider counted {used_then}, {charged} is charged");
        gateways.insert(0, next);
    }
    let (a, b) = (spent(&gateways[0]).await, spent(&gateways[1]).await);
    assert_eq!(a, b, "both say the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn comes_up_without_the_store_serves_what_is_free_and_says_why_the_rest_is_refused() {
    let mut redis = Redis::start().await;
    let stage = stage(&redis, quick(), "1000").await;
    redis.kill();
    let gateway = gateway(&stage, "a").await;

    let began = Instant::now();
    let refused = gateway.send(&post(HI, &[])).await;
    let took = began.elapsed();
    let ill = stage.backstop(["doctor", "--offline"]).run().await;
    redis.restart();
    let well = stage.backstop(["doctor", "--offline"]).run().await;
    until_it_lends(&gateway).await;

    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (503, Some("ledger_unavailable")));
    assert!(
        refused.text().contains(&format!("the shared store {} cannot be reached", redis.url())),
        "{}",
        refused.text()
    );
    assert!(took < Duration::from_secs(1), "{took:?}");
    let said = format!("The shared store\nthe shared store {} cannot be reached", redis.url());
    assert!(ill.stdout.contains(&said), "{}", ill.stdout);
    assert!(well.stdout.contains(&format!("The shared store\n{} answers", redis.url())), "{}", well.stdout);
    assert_eq!(gateway.send(&post(HI, &[])).await.status, 200);
}
