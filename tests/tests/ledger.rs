//! Budgets over the real binary: what is refused and how, what a request costs whatever becomes of it, and what the books say
//! afterwards (B5, R10, R13, R17).

#![cfg(unix)]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use backstop::scripted::{Answer, Fault, Place, Reply, Script};
use backstop_tests::{LONG_QUESTION as HI, Served, Stage, post};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// 100 tokens in at $1 and 200 out at $2 for a million: $0.0005 each.
const PRICED: &str =
    "[providers.alpha.price]\ninput_per_mtok = \"1\"\noutput_per_mtok = \"2\"\n[store]\npath = \"store.db\"";
const COST: f64 = 0.0005;

fn stream() -> String {
    HI.replacen('{', "{\"stream\":true,", 1)
}

fn yes() -> Answer {
    Answer::new("yes").usage(100, 200)
}

async fn stage(script: impl Into<Script>, tables: &str) -> Stage {
    Stage::new([("alpha", script.into())]).await.with_settings(&format!("{PRICED}\n{tables}"))
}

async fn overview(gateway: &Served) -> Value {
    gateway.get("/api/overview").await.json()
}

fn dollars(value: &Value) -> f64 {
    value.as_str().unwrap().parse().unwrap()
}

// B5
#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_would_break_a_budget_sends_nothing_and_alerts_before() {
    let stage = stage(yes(), "[budget]\ndaily_usd = \"0.005\"").await;
    let gateway = Served::start(&stage).await;

    let mut statuses = Vec::new();
    while statuses.last() != Some(&402) {
        statuses.push(gateway.send(&post(HI, &[])).await.status);
    }
    let refused = gateway.send(&post(HI, &[])).await;
    let said = overview(&gateway).await;

    let served = statuses.len() - 1;
    assert!(
        (8..=10).contains(&served) && statuses.iter().filter(|status| **status == 200).count() == served,
        "{statuses:?}"
    );
    assert_eq!((refused.status, stage.attempts()), (402, vec![served]), "nothing is sent");
    assert_eq!(refused.json()["error"]["code"], "budget_exceeded");
    assert!(refused.text().contains("the daily budget of $0.005 has"), "{}", refused.text());
    assert!(said["alerts"].to_string().contains("of the daily budget of $0.005 are spent"), "{said}");
    let again = {
        gateway.stopped().await;
        Served::start(&stage).await
    };
    assert_eq!(again.send(&post(HI, &[])).await.status, 402, "after a restart");
    let spent = dollars(&overview(&again).await["budgets"][0]["spent"]);
    assert!((spent - COST * served as f64).abs() < 1e-12, "{spent}");
}

// B5, R16
#[tokio::test(flavor = "multi_thread")]
async fn holds_each_route_and_key_to_budgets_of_their_own() {
    let tables = "[gateway]\nkeys = \"keys.json\"\n[routes.capped]\n[routes.capped.budget]\ndaily_usd = \"0.0015\"";
    let stage = stage(yes(), tables).await;
    let made = stage.backstop(["keys", "create", "ci", "--daily-usd", "0.0025", "--monthly-usd", "1"]).run().await;
    let key = format!("Bearer {}", made.stdout.trim());
    let listed = stage.backstop(["keys", "list"]).run().await;
    let gateway = Served::start(&stage).await;
    let capped = HI.replacen('{', "{\"model\":\"capped\",", 1);

    let mut said = Vec::new();
    for body in [&capped, &capped, &capped, &HI.to_owned(), &HI.to_owned(), &HI.to_owned()] {
        let reply = gateway.send(&post(body, &[("authorization", key.as_str())])).await;
        said.push((reply.status, reply.text()));
    }

    let statuses: Vec<u16> = said.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [200, 200, 402, 200, 200, 402], "{said:#?}");
    assert!(said[2].1.contains("the route's daily budget of $0.0015"), "{}", said[2].1);
    assert!(said[5].1.contains("the key's daily budget of $0.0025"), "{}", said[5].1);
    assert!(listed.stdout.contains("$0.0025 a day, $1.00 a"), "{}", listed.stdout);
    gateway.stopped().await;
    let by_key = stage.backstop(["costs", "--by", "key", "--json"]).run().await;
    let by_key: Value = serde_json::from_str(&by_key.stdout).unwrap();
    assert_eq!((&by_key["sums"][0]["of"], &by_key["sums"][0]["cost_usd"]), (&json!("ci"), &json!("0.002")));
}

/// How many clients hang up, each at a point of its own: a few, or as many as `BACKSTOP_LEDGER_CANCELS` says.
fn cancels() -> usize {
    std::env::var("BACKSTOP_LEDGER_CANCELS").ok().and_then(|count| count.parse().ok()).unwrap_or(25)
}

// R10
#[tokio::test(flavor = "multi_thread")]
async fn charges_a_client_who_hangs_up_and_leaks_nothing() {
    const INPUT_COST: f64 = 0.0001;
    const ABREAST: usize = 20;
    let pieces = ["one ", "two ", "three ", "four ", "five ", "six ", "seven ", "eight "];
    let slow = Answer::new("").pieces(pieces).usage(100, 200).every(Duration::from_millis(8));
    let stage = stage(slow, "[budget]\ndaily_usd = \"1000\"").await.with_patience();
    let gateway = Served::start(&stage).await;
    let whole = reply_until(gateway.address(), usize::MAX).await.1;
    let cancels = cancels();

    let points = (0..cancels).map(|place| whole * place / cancels);
    let (before_the_head, within): (Vec<usize>, Vec<usize>) = points.partition(|point| *point == 0);
    for (place, _) in before_the_head.iter().enumerate() {
        let client = reply_until(gateway.address(), 0).await;
        stage.provider("alpha").calls_reach(place + 2).await;
        drop(client);
    }
    let clients = within.into_iter().map(|point| reply_until(gateway.address(), point));
    futures_util::stream::iter(clients).buffer_unordered(ABREAST).for_each(async |client| drop(client)).await;
    let resolved = tokio::time::timeout(Duration::from_secs(5), async {
        while overview(&gateway).await["budgets"][0]["reserved"] != "0.00" {}
    });

    resolved.await.expect("nothing is held five seconds after the last of them has gone");
    assert_eq!(overview(&gateway).await["in_flight"], 0);
    gateway.stopped().await;
    let exported = stage.backstop(["costs", "export", "--format", "jsonl"]).run().await;
    let entries: Vec<Value> = exported.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((entries.len(), stage.attempts()), (1 + cancels, vec![1 + cancels]), "one entry for each call");
    assert!(entries.iter().all(|entry| dollars(&entry["cost_usd"]) >= INPUT_COST), "{entries:#?}");
}

/// Asks for a stream and reads so many bytes of the reply, or as many as come. The client hangs up when it is dropped.
async fn reply_until(gateway: SocketAddr, point: usize) -> (TcpStream, usize) {
    let mut client = TcpStream::connect(gateway).await.unwrap();
    client.write_all(&post(&stream(), &[("connection", "close")])).await.unwrap();
    let mut seen = Vec::new();
    (&mut client).take(point.try_into().unwrap()).read_to_end(&mut seen).await.unwrap();
    (client, seen.len())
}

// R17
#[tokio::test(flavor = "multi_thread")]
async fn charges_only_the_attempts_that_were_billed() {
    let cut = Reply::from(Answer::new("one two three").usage(100, 200)).at(Place::AfterTokens(1), Fault::Reset);
    let scripts = [("alpha", Script::from(Reply::server_error())), ("beta", cut.into()), ("gamma", yes().into())];
    let price = |name: &str| format!("[providers.{name}.price]\ninput_per_mtok = \"1\"\noutput_per_mtok = \"2\"\n");
    let tables = format!(
        "{}{}{}[store]\npath = \"store.db\"\n[budget]\ndaily_usd = \"1\"",
        price("alpha"),
        price("beta"),
        price("gamma")
    );
    let stage = Stage::new(scripts)
        .await
        .with_route("strategy = \"round-robin\"\noptions = { rotate = false, retries = 0 }\nhold_back = { tokens = 9 }")
        .with_settings(&tables);
    let gateway = Served::start(&stage).await;

    let reply = gateway.send(&post(&stream(), &[])).await;
    let said = overview(&gateway).await;
    gateway.stopped().await;

    assert_eq!((reply.status, stage.attempts()), (200, vec![1, 1, 1]));
    let entries = stage.backstop(["costs", "export", "--format", "jsonl"]).run().await;
    let entries: Vec<Value> = entries.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = entries.iter().map(|entry| (entry["provider"].as_str(), entry["kind"].as_str())).collect();
    assert_eq!(kinds, [(Some("beta"), Some("uncertain")), (Some("gamma"), Some("exact"))], "a 500 costs nothing");
    let sum: f64 = entries.iter().map(|entry| dollars(&entry["cost_usd"])).sum();
    assert!((dollars(&said["budgets"][0]["spent"]) - sum).abs() < 1e-12, "{said}");
    assert!(sum > COST && dollars(&said["budgets"][0]["uncertain"]) > 0.0, "{entries:#?}");
}

// R13
#[tokio::test(flavor = "multi_thread")]
async fn spends_nothing_more_where_the_ledger_cannot_be_written_and_goes_on_with_what_is_free() {
    let scripts = [("alpha", Script::from(yes())), ("beta", Answer::new("free").into())];
    let tables = format!(
        "{PRICED}\n[budget]\ndaily_usd = \"1000\"\n[routes.free]\ntargets = [\"beta\"]\n[routes.paid]\ntargets = [\"alpha\"]"
    );
    let stage = Stage::new(scripts).await.with_provider_settings("beta", "local = true").with_settings(&tables);
    // No file may grow beyond 400 kB: a disk that takes no more.
    let backstop = stage.backstop(["serve", "--listen", "127.0.0.1:0"]);
    let gateway = Served::start_as(backstop.with_file_limit(800)).await;
    let paid = HI.replacen('{', "{\"model\":\"paid\",", 1);
    let free = HI.replacen('{', "{\"model\":\"free\",", 1);

    let mut served = 0u32;
    let refused = loop {
        let reply = gateway.send(&post(&paid, &[])).await;
        match reply.status {
            200 => served += 1,
            _ => break reply,
        }
        assert!(served < 20_000, "the file never reached its limit");
    };
    let sent = stage.attempts()[0];
    let after = gateway.send(&post(&paid, &[])).await;
    let goes_on = gateway.send(&post(&free, &[])).await;
    let said = overview(&gateway).await;

    for reply in [&refused, &after] {
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (503, &json!("ledger_unavailable")),
            "{}",
            reply.text()
        );
    }
    assert_eq!(stage.attempts()[0], sent, "nothing was sent for it");
    assert_eq!(goes_on.status, 200, "{}", goes_on.text());
    assert!(said["ledger_fault"].as_str().unwrap().contains("store-ledger.db"), "{said}");
    assert!(said["alerts"].to_string().contains("ledger-unavailable"), "{said}");
    drop(gateway);
    // With room again everything that was acknowledged is there, and what was lent and not entered is charged.
    let again = Served::start(&stage).await;
    let spent = dollars(&overview(&again).await["budgets"][0]["spent"]);
    assert!(spent >= COST * f64::from(served), "{spent} for {served}");
    assert_eq!(again.send(&post(&paid, &[])).await.status, 200);
}

// R20
#[tokio::test(flavor = "multi_thread")]
async fn names_the_damaged_entry_and_spends_nothing() {
    let stage = stage(yes(), "[budget]\ndaily_usd = \"1\"").await;
    let gateway = Served::start(&stage).await;
    for _ in 0..5 {
        assert_eq!(gateway.send(&post(HI, &[])).await.status, 200);
    }
    gateway.stopped().await;
    flip_a_byte(&stage.home().join("store-ledger.db"), b"alpha-model");

    let again = Served::start(&stage).await;
    let refused = again.send(&post(HI, &[])).await;

    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.text().contains("is not what it was when it was written"), "{}", refused.text());
    assert_eq!(stage.attempts(), [5]);
}

/// Changes one byte of the first place where these stand.
fn flip_a_byte(file: &Path, place: &[u8]) {
    let mut bytes = std::fs::read(file).unwrap();
    let at = bytes.windows(place.len()).position(|window| window == place).unwrap();
    bytes[at] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

// B6
#[tokio::test(flavor = "multi_thread")]
async fn tells_what_was_spent_by_anything_and_exports_every_entry() {
    let stage = stage(yes(), "").await;
    let gateway = Served::start(&stage).await;
    let labelled = HI.replacen('{', "{\"backstop\":{\"labels\":{\"team\":\"search\"}},", 1);
    for body in [HI, HI, &labelled] {
        let reply = gateway.send(&post(body, &[])).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let url = format!("http://{}", gateway.address());

    // A cost is entered a few milliseconds later.
    while !gateway.get("/api/costs?by=provider").await.text().contains("\"0.0015\"") {
        tokio::task::yield_now().await;
    }
    let mut sums = Vec::new();
    for by in ["provider", "model", "key", "route", "label", "day"] {
        let there = stage.backstop(["costs", "--by", by, "--json", "--gateway", &url]).run().await;
        let told: Value = serde_json::from_str(&there.stdout).unwrap_or_else(|_| panic!("{there:#?}"));
        sums.push((told["sums"][0]["of"].clone(), told["sums"][0]["cost_usd"].clone()));
    }
    let plot = stage.backstop(["costs", "--by", "provider", "--gateway", &url]).run().await;
    let csv = stage.backstop(["costs", "export", "--gateway", &url]).run().await;
    gateway.stopped().await;
    let here = stage.backstop(["costs", "export"]).run().await;
    stage.backstop(["costs", "reset"]).run().await;
    let after = stage.backstop(["costs", "--by", "provider"]).run().await;
    let history = stage.backstop(["costs", "export", "--format", "jsonl"]).run().await;

    let of = |place: usize| sums[place].0.as_str().unwrap().to_owned();
    assert_eq!([of(0), of(1), of(2), of(3), of(4)], ["alpha", "alpha/alpha-model", "", "default", "team=search"]);
    assert_eq!((&sums[0].1, &sums[4].1), (&json!("0.0015"), &json!("0.0005")));
    assert!(
        plot.stdout.contains("alpha") && plot.stdout.contains('\u{2588}') && plot.stdout.contains("total $0.0015"),
        "{}",
        plot.stdout
    );
    assert_eq!(csv.stdout, here.stdout);
    let mut lines = here.stdout.lines();
    assert!(
        lines.next().unwrap().starts_with("entry,at,kind,day,request,route,provider,model,key,labels,answers,input")
    );
    assert_eq!(
        lines.filter(|line| line.contains(",exact,") && line.ends_with(",0.0005")).count(),
        3,
        "{}",
        here.stdout
    );
    assert_eq!(after.stdout.trim(), "nothing was spent");
    assert_eq!(history.stdout.lines().count(), 4, "the entries stay, and the mark is one: {}", history.stdout);
}
