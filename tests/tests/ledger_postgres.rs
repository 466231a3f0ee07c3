//! One ledger in PostgreSQL for several gateways: real processes and a real server, killed and cut off at any moment, held against
//! what the provider counted (R1, R11, R20, R21).

#![cfg(unix)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use backstop::scripted::{Answer, Script};
use backstop_tests::{HttpReply, LONG_QUESTION as HI, Postgres, Served, Stage, Sync, exchange, post};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What each answer costs, in nano-dollars: 100 tokens in at $1 and 200 out at $2 for a million.
const COST: i64 = 500_000;

/// How often something random is tried: a few times, or as often as `BACKSTOP_POSTGRES_RUNS` says.
fn runs(usual: u64) -> u64 {
    std::env::var("BACKSTOP_POSTGRES_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(usual)
}

fn script() -> Script {
    Script::always(Answer::new("yes").usage(100, 200).first_token_after(Duration::from_millis(5)))
}

const PRICED: &str = "[providers.alpha.price]\ninput_per_mtok = \"1\"\noutput_per_mtok = \"2\"";

/// A gateway's surroundings: all of them have the one ledger, and each a store of its own.
async fn stage(postgres: &Postgres, budget: &str) -> Stage {
    let ledger = postgres.address();
    let settings = format!("{PRICED}\n[budget]\n{budget}\n[store]\npath = \"store.db\"\nledger = \"{ledger}\"");
    Stage::new([("alpha", script())]).await.with_settings(&settings)
}

fn counted(stage: &Stage) -> i64 {
    i64::try_from(stage.provider("alpha").call_count()).unwrap() * COST
}

/// What the tables say of everybody's day, in nano-dollars, read at one moment by somebody who shares no code with those who write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Books {
    spent: i64,
    lent: i64,
    /// The sum of the entries.
    entered: i64,
}

async fn read(postgres: &Postgres) -> Books {
    let query = "SELECT \
        (SELECT coalesce(sum(spent), 0)::bigint FROM backstop_accounts WHERE scope = 'everything' AND \"window\" = 'day'), \
        (SELECT coalesce(sum(greatest(granted - consumed, 0)), 0)::bigint FROM backstop_leases JOIN backstop_accounts \
            ON id = account WHERE scope = 'everything' AND \"window\" = 'day'), \
        (SELECT coalesce(sum(CASE kind WHEN 'returned' THEN -cost ELSE cost END), 0)::bigint FROM backstop_entries)";
    let row = postgres.connect().await.query_one(query, &[]).await.unwrap();
    Books { spent: row.get(0), lent: row.get(1), entered: row.get(2) }
}

/// Waits until something is so, for as long as a busy machine may take.
async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_secs(120), "{what} never came to pass");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A client that asks again and again, until it is told to end or the gateway is gone.
struct Asking {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<HttpReply>>>,
}

impl Asking {
    fn begin(addresses: &[SocketAddr], clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |address: SocketAddr| {
            let stop = Arc::clone(&stop);
            tokio::spawn(async move {
                let mut replies = Vec::new();
                let Ok(mut stream) = TcpStream::connect(address).await else { return replies };
                while !stop.load(Ordering::Relaxed) && stream.write_all(&post(HI, &[])).await.is_ok() {
                    // A killed gateway breaks off in the middle of whatever it said.
                    let read = tokio::spawn(async move {
                        let reply = HttpReply::read(&mut stream).await;
                        (reply, stream)
                    });
                    let Ok((reply, back)) = read.await else { return replies };
                    stream = back;
                    if !reply.is_whole || reply.status == 0 {
                        return replies;
                    }
                    replies.push(reply);
                }
                replies
            })
        };
        let clients = addresses.iter().cycle().take(clients).map(|address| client(*address)).collect();
        Self { stop, clients }
    }

    async fn end(self) -> Vec<HttpReply> {
        self.stop.store(true, Ordering::Relaxed);
        let mut replies = Vec::new();
        for client in self.clients {
            replies.extend(client.await.unwrap());
        }
        replies
    }
}

fn statuses(replies: &[HttpReply], status: u16) -> i64 {
    i64::try_from(replies.iter().filter(|reply| reply.status == status).count()).unwrap()
}

// R1
#[tokio::test(flavor = "multi_thread")]
async fn admits_exactly_ten_of_32_over_three_gateways_where_ten_fit() {
    let postgres = Postgres::start(Sync::Fast).await;
    for run in 0..runs(3) {
        if run > 0 {
            postgres
                .run(
                    "TRUNCATE backstop_entries, backstop_accounts, backstop_leases, backstop_wants, backstop_instances",
                )
                .await;
            postgres
                .run("UPDATE backstop_head SET seq = 0, hash = decode(repeat('00', 32), 'hex'), accounts = 0")
                .await;
        }
        // The worst case of each is what it costs: $0.10, one token in and one out at $50,000 for a million.
        let price = "[providers.alpha.price]\ninput_per_mtok = \"0\"\noutput_per_mtok = \"100000\"";
        let settings = format!(
            "{price}\n[budget]\ndaily_usd = \"1\"\n[defaults]\nmax_tokens = 1\n[store]\npath = \"store.db\"\nledger = \"{}\"",
            postgres.address()
        );
        let stage =
            Stage::new([("alpha", Script::always(Answer::new("yes").usage(1, 1)))]).await.with_settings(&settings);
        let mut gateways = Vec::new();
        for _ in 0..3 {
            gateways.push(Served::start(&stage).await);
        }
        let body = r#"{"model":"alpha/alpha-model","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}"#;
        let asked = (0..32).map(|request| {
            let address = gateways[request % 3].address();
            tokio::spawn(async move { exchange(address, &post(body, &[])).await })
        });
        let asked: Vec<_> = asked.collect();

        let mut replies = Vec::new();
        for reply in asked {
            replies.push(reply.await.unwrap());
        }

        let said: Vec<_> = replies.iter().map(|reply| reply.status).collect();
        assert_eq!((statuses(&replies, 200), statuses(&replies, 402)), (10, 22), "run {run}: {said:?}");
        assert_eq!(stage.attempts(), [10], "run {run}: nothing is sent for those that are refused");
        for gateway in gateways {
            gateway.stopped().await;
        }
        assert_eq!(read(&postgres).await, Books { spent: 1_000_000_000, lent: 0, entered: 1_000_000_000 }, "run {run}");
    }
}

// R11
#[tokio::test(flavor = "multi_thread")]
async fn charges_a_killed_gateway_once_and_loses_nothing_it_spent() {
    let postgres = Postgres::start(Sync::Fast).await;
    let stage = stage(&postgres, "daily_usd = \"1000\"").await;
    let mut surplus = 0;
    for kill in 0..runs(4) {
        let gateway = Served::start(&stage).await;
        let asking = Asking::begin(&[gateway.address()], 8);
        tokio::time::sleep(Duration::from_millis(150 + 61 * kill % 400)).await;
        gateway.signal("KILL");
        gateway.ended().await;
        let answered = statuses(&asking.end().await, 200);

        // The server ends a connection's transaction when it finds it gone.
        until("the end of its connection", || async {
            postgres.number("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'backstop'").await == 0
        })
        .await;
        let (books, used) = (read(&postgres).await, counted(&stage));
        assert!(used >= answered * COST && answered > 0);
        assert!(used + surplus <= books.spent + books.lent, "kill {kill}: {used} and {surplus}, {books:?}");
        assert!(books.spent <= used + surplus, "kill {kill}: nothing is entered that was not asked for: {books:?}");

        for heir in 0..2 {
            let heir_of_it = Served::start(&stage).await;
            assert_eq!(heir_of_it.get("/healthz").await.status, 200);
            heir_of_it.stopped().await;
            let charged = read(&postgres).await;
            let all = Books { spent: books.spent + books.lent, lent: 0, entered: books.spent + books.lent };
            assert_eq!(charged, all, "kill {kill}, heir {heir}: charged once");
        }
        surplus = books.spent + books.lent - used;
    }
}

// R21
#[tokio::test(flavor = "multi_thread")]
async fn stays_within_the_limit_and_loses_nothing_however_often_the_database_is_killed() {
    let mut postgres = Postgres::start(Sync::Durable).await;
    // Room for 4,000 answers: the worst case of each is a little more.
    let (stage, limit) = (stage(&postgres, "daily_usd = \"2\"").await, 2_000_000_000);
    let (one, other) = (Served::start(&stage).await, Served::start(&stage).await);
    let mut answered = 0;
    for kill in 0..runs(3) {
        let asking = Asking::begin(&[one.address(), other.address()], 8);
        tokio::time::sleep(Duration::from_millis(200 + 83 * kill % 500)).await;
        postgres.kill();
        tokio::time::sleep(Duration::from_millis(100 + 47 * kill % 300)).await;
        postgres.start_again();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let replies = asking.end().await;
        let odd: Vec<_> = replies.iter().filter(|reply| ![200, 402, 503].contains(&reply.status)).collect();
        assert!(odd.is_empty(), "kill {kill}: {:?}", odd.iter().map(|reply| reply.text()).collect::<Vec<_>>());
        answered += statuses(&replies, 200);
        assert!(counted(&stage) <= limit, "kill {kill}");
        for gateway in [&one, &other] {
            until("the ledger's return", || async {
                let overview: Value = gateway.get("/api/overview").await.json();
                overview["ledger_fault"].is_null()
            })
            .await;
        }
        let books = read(&postgres).await;
        assert!(
            counted(&stage) <= books.spent + books.lent && books.spent + books.lent <= limit,
            "kill {kill}: {books:?}"
        );
    }
    one.stopped().await;
    other.stopped().await;

    // Everything that was answered is entered, and whatever was charged for dead is taken back: they live.
    let (books, used) = (read(&postgres).await, counted(&stage));
    assert_eq!(used, answered * COST);
    assert_eq!(books, Books { spent: used, lent: 0, entered: used });
}

// R21
#[tokio::test(flavor = "multi_thread")]
async fn spends_what_it_was_lent_while_it_is_cut_off_and_counts_it_once_though_it_was_taken_for_dead() {
    let postgres = Postgres::start(Sync::Fast).await;
    postgres.run("CREATE ROLE guest LOGIN PASSWORD 'canary'; GRANT CREATE, USAGE ON SCHEMA public TO guest").await;
    let budget = "[budget]\ndaily_usd = \"1000\"";
    let settings = format!("{PRICED}\n{budget}\n[store]\npath = \"store.db\"\nledger = \"${{LEDGER}}\"");
    let stage = Stage::new([("alpha", script())]).await.with_settings(&settings);
    let serve =
        |address: &str| Served::start_as(stage.backstop(["serve", "--listen", "127.0.0.1:0"]).env("LEDGER", address));
    let gateway = serve(&postgres.address_of("guest", "canary", "postgres")).await;

    let mut cut_off_replies = 0;
    for round in 0..runs(4) {
        let asking = Asking::begin(&[gateway.address()], 4);
        tokio::time::sleep(Duration::from_millis(150)).await;
        // Its connection is cut while money is lent, and it is not let in again.
        let cut =
            "ALTER ROLE guest NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'guest'";
        postgres.run(cut).await;
        let at_the_cut = counted(&stage);
        until("the end of its seat", || async {
            postgres.number("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").await == 0
        })
        .await;
        // Another process finds its seat empty and charges what it was lent.
        let heir = serve(&postgres.address()).await;
        assert_eq!(heir.send(&post(HI, &[])).await.status, 200);
        let books = read(&postgres).await;
        assert!(counted(&stage) <= books.spent + books.lent, "round {round}: {books:?}");
        until("its first refusal", || async { gateway.send(&post(HI, &[])).await.status == 503 }).await;
        let replies = asking.end().await;
        let odd: Vec<_> = replies.iter().filter(|reply| ![200, 503].contains(&reply.status)).collect();
        assert!(odd.is_empty(), "round {round}: {:?}", odd.first().map(|reply| reply.text()));
        cut_off_replies += counted(&stage) - at_the_cut;
        let books = read(&postgres).await;
        assert!(counted(&stage) <= books.spent + books.lent, "round {round}: {books:?}");

        postgres.run("ALTER ROLE guest LOGIN").await;
        until("its next answer", || async { gateway.send(&post(HI, &[])).await.status == 200 }).await;
        let books = read(&postgres).await;
        assert!(counted(&stage) <= books.spent + books.lent, "round {round}: {books:?}");
        heir.stopped().await;
    }
    let log = gateway.stopped().await;

    let (books, used) = (read(&postgres).await, counted(&stage));
    let log: String =
        log.lines().filter(|line| !line.contains("request_log")).map(|line| format!("{line}\n")).collect();
    assert_eq!(books, Books { spent: used, lent: 0, entered: used }, "{log}");
    let of = |kind: &str| format!("SELECT count(*) FROM backstop_entries WHERE kind = '{kind}'");
    let (lost, returned) = (postgres.number(&of("lost")).await, postgres.number(&of("returned")).await);
    assert!(lost == returned && lost > 0, "{lost} charged, {returned} taken back: {log}");
    assert!(cut_off_replies > 0, "nothing was spent while it was cut off");
    assert!(!log.contains("canary"), "{log}");
    let told = stage.backstop(["costs", "--by", "provider", "--json"]).env("LEDGER", &postgres.address()).run().await;
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told["sums"].as_array().map(Vec::len), Some(1), "what was taken back is not shown: {told}");
}

// R11
#[tokio::test(flavor = "multi_thread")]
async fn enters_once_what_was_committed_though_nobody_heard_of_it() {
    let postgres = Postgres::start(Sync::Fast).await;
    for loss in [Loss::Commit, Loss::Answer] {
        let way = Way::to(postgres.port()).await;
        let ledger = postgres.address().replace(&format!(":{}/", postgres.port()), &format!(":{}/", way.port));
        let settings =
            format!("{PRICED}\n[budget]\ndaily_usd = \"1000\"\n[store]\npath = \"store.db\"\nledger = \"{ledger}\"");
        let stage = Stage::new([("alpha", script())]).await.with_settings(&settings);
        let before = read_if_any(&postgres).await;
        let gateway = Served::start(&stage).await;
        let asking = Asking::begin(&[gateway.address()], 4);
        for nth in 1..=runs(3) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            way.lose(loss);
            until("the loss", || async { way.lost() == nth }).await;
            until("the next answer", || async { gateway.send(&post(HI, &[])).await.status == 200 }).await;
        }
        let replies = asking.end().await;
        let log = gateway.stopped().await;

        assert!(replies.iter().all(|reply| [200, 503].contains(&reply.status)));
        let (books, used) = (read(&postgres).await, counted(&stage));
        let spent = before + used;
        assert_eq!(books, Books { spent, lent: 0, entered: spent }, "{loss:?}: {log}");
    }
}

async fn read_if_any(postgres: &Postgres) -> i64 {
    match postgres.number("SELECT count(*) FROM pg_tables WHERE tablename = 'backstop_head'").await {
        0 => 0,
        _ => read(postgres).await.spent,
    }
}

/// What a way loses once: the next commit, or the answer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Commit,
    Answer,
}

/// A way to a server that may lose something, and the connection with it.
struct Way {
    port: u16,
    wish: Arc<Mutex<Option<Loss>>>,
    lost: Arc<AtomicU64>,
}

impl Way {
    async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (wish, lost) = (Arc::new(Mutex::new(None)), Arc::new(AtomicU64::new(0)));
        let way =
            Self { port: listener.local_addr().unwrap().port(), wish: Arc::clone(&wish), lost: Arc::clone(&lost) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { continue };
                tokio::spawn(carry(client, server, Arc::clone(&wish), Arc::clone(&lost)));
            }
        });
        way
    }

    fn lose(&self, loss: Loss) {
        *self.wish.lock().unwrap() = Some(loss);
    }

    fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, wish: Arc<Mutex<Option<Loss>>>, lost: Arc<AtomicU64>) {
    let (mut there, mut back) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        tokio::select! {
            read = client.read(&mut there) => {
                let Some(bytes) = read.ok().filter(|read| *read > 0).map(|read| &there[..read]) else { return };
                let is_commit = bytes.windows(7).any(|word| word == b"COMMIT\0");
                let loss = if is_commit { wish.lock().unwrap().take() } else { None };
                if loss == Some(Loss::Commit) {
                    lost.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                if server.write_all(bytes).await.is_err() {
                    return;
                }
                if loss == Some(Loss::Answer) {
                    // Made by now: its answer is here, and goes no further.
                    let _ = server.read(&mut back).await;
                    lost.fetch_add(1, Ordering::Relaxed);
                    return;
                }
            }
            read = server.read(&mut back) => {
                let Some(bytes) = read.ok().filter(|read| *read > 0).map(|read| &back[..read]) else { return };
                if client.write_all(bytes).await.is_err() {
                    return;
                }
            }
        }
    }
}

// R21
#[tokio::test(flavor = "multi_thread")]
async fn refuses_at_once_what_is_limited_while_the_database_is_gone_and_comes_back_by_itself() {
    let mut postgres = Postgres::start(Sync::Fast).await;
    let settings = format!(
        "{PRICED}\n[budget]\ndaily_usd = \"1000\"\n[store]\npath = \"store.db\"\nledger = \"{}\"\n\
        [routes.paid]\ntargets = [\"alpha\"]\n[routes.free]\ntargets = [\"beta\"]",
        postgres.address()
    );
    let stage = Stage::new([("alpha", script()), ("beta", Script::always(Answer::new("free")))])
        .await
        .with_provider_settings("beta", "local = true")
        .with_settings(&settings);
    let (paid, free) = (HI.replacen('{', "{\"model\":\"paid\",", 1), HI.replacen('{', "{\"model\":\"free\",", 1));
    postgres.kill();

    // It starts without it, and says so.
    let gateway = Served::start(&stage).await;
    let at_the_start = gateway.send(&post(&paid, &[])).await;
    let overview: Value = gateway.get("/api/overview").await.json();
    let goes_on = gateway.send(&post(&free, &[])).await;
    let status = stage.backstop(["status", "--gateway", &format!("http://{}", gateway.address())]).run().await;
    let doctor = stage.backstop(["doctor", "--offline"]).run().await;

    for told in [status.stdout, doctor.stdout] {
        assert!(told.contains("the ledger at postgres://backstop@127.0.0.1"), "{told}");
    }
    assert_eq!((at_the_start.status, stage.attempts()), (503, vec![0, 1]), "{}", at_the_start.text());
    assert_eq!(at_the_start.json()["error"]["code"], "ledger_unavailable");
    assert!(overview["ledger_fault"].as_str().unwrap().contains("postgres://backstop@127.0.0.1"), "{overview}");
    assert_eq!(goes_on.status, 200);

    postgres.start_again();
    until("the first paid answer", || async { gateway.send(&post(&paid, &[])).await.status == 200 }).await;
    assert!(gateway.get("/api/overview").await.json()["ledger_fault"].is_null());
    let before = stage.attempts()[0];

    // A server that is there and says nothing: what is lent is spent down, then nobody waits long for their refusal: a second, and on
    // a busy machine not five.
    postgres.signal("STOP");
    let mut spent_down = 0;
    let refused = loop {
        let reply = gateway.send(&post(&paid, &[])).await;
        if reply.status != 200 {
            break reply;
        }
        spent_down += 1;
        assert!(spent_down < 100_000, "what is lent has no end");
    };
    let begun = Instant::now();
    let late = gateway.send(&post(&paid, &[])).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let free_all_the_same = gateway.send(&post(&free, &[])).await;

    assert_eq!((refused.status, late.status, free_all_the_same.status), (503, 503, 200), "{}", refused.text());
    assert_eq!(stage.attempts()[0], before + spent_down);
    postgres.signal("CONT");
    until("the next paid answer", || async { gateway.send(&post(&paid, &[])).await.status == 200 }).await;
    let log = gateway.stopped().await;

    let used = i64::try_from(stage.attempts()[0]).unwrap() * COST;
    assert_eq!(read(&postgres).await, Books { spent: used, lent: 0, entered: used }, "{log}");
    assert!(!log.contains(postgres.password()) && !log.contains("canary%20"), "{log}");
}

// R20
#[tokio::test(flavor = "multi_thread")]
async fn names_the_changed_entry_and_spends_nothing() {
    let postgres = Postgres::start(Sync::Fast).await;
    let stage = stage(&postgres, "daily_usd = \"1\"").await;
    let gateway = Served::start(&stage).await;
    for _ in 0..5 {
        assert_eq!(gateway.send(&post(HI, &[])).await.status, 200);
    }
    gateway.stopped().await;
    let sound = "UPDATE backstop_entries SET cost = cost + 1 WHERE seq = 3";
    let changes = [
        (
            sound,
            "UPDATE backstop_entries SET cost = cost - 1 WHERE seq = 3",
            "entry 3 is not what it was when it was written",
        ),
        (
            "UPDATE backstop_accounts SET spent = spent - 1 WHERE scope = 'everything'",
            "UPDATE backstop_accounts SET spent = spent + 1 WHERE scope = 'everything'",
            "its entries say",
        ),
        (
            "CREATE TABLE kept AS SELECT * FROM backstop_entries WHERE seq = 5; DELETE FROM backstop_entries WHERE seq = 5",
            "INSERT INTO backstop_entries SELECT * FROM kept; DROP TABLE kept",
            "account",
        ),
    ];
    for (change, mend, words) in changes {
        postgres.run(change).await;

        let again = Served::start(&stage).await;
        let refused = again.send(&post(HI, &[])).await;
        again.stopped().await;
        postgres.run(mend).await;

        assert_eq!((refused.status, &refused.json()["error"]["code"]), (503, &json!("ledger_unavailable")), "{change}");
        assert!(refused.text().contains(words), "{change}: {}", refused.text());
    }
    assert_eq!(stage.attempts(), [5]);
    let last = Served::start(&stage).await;
    assert_eq!(last.send(&post(HI, &[])).await.status, 200, "as it was before");
}

// R21
#[tokio::test(flavor = "multi_thread")]
async fn spends_nothing_more_when_what_was_lent_is_wiped() {
    let postgres = Postgres::start(Sync::Fast).await;
    let stage = stage(&postgres, "daily_usd = \"1\"").await;
    let gateway = Served::start(&stage).await;
    assert_eq!(gateway.send(&post(HI, &[])).await.status, 200);

    postgres.run("DROP TABLE backstop_head, backstop_entries, backstop_accounts, backstop_leases, backstop_wants, backstop_instances").await;
    until("its refusal", || async { gateway.send(&post(HI, &[])).await.status == 503 }).await;
    let (asked, refused) = (counted(&stage), gateway.send(&post(HI, &[])).await);

    assert!(asked <= 1_000_000_000);
    assert_eq!((refused.status, counted(&stage)), (503, asked), "{}", refused.text());
}

// B5
#[tokio::test(flavor = "multi_thread")]
async fn tells_costs_as_the_provider_counted_them() {
    let postgres = Postgres::start(Sync::Fast).await;
    let stage = stage(&postgres, "daily_usd = \"1000\"").await;
    let (one, other) = (Served::start(&stage).await, Served::start(&stage).await);
    for gateway in [&one, &other, &one] {
        assert_eq!(gateway.send(&post(HI, &[])).await.status, 200);
    }
    let costs = |arguments: Vec<&'static str>| {
        let run = stage.backstop(["costs"].into_iter().chain(arguments).collect::<Vec<_>>()).run();
        async move {
            let ran = run.await;
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            ran.stdout
        }
    };
    one.stopped().await;
    other.stopped().await;

    for by in ["provider", "model", "route", "day"] {
        let told: Value = serde_json::from_str(&costs(vec!["--by", by, "--json"]).await).unwrap();
        assert_eq!(
            (&told["sums"][0]["cost_usd"], &told["sums"][0]["answers"]),
            (&json!("0.0015"), &json!(3)),
            "{by}: {told}"
        );
    }
    let exported = costs(vec!["export", "--format", "jsonl"]).await;
    let sum: f64 = exported
        .lines()
        .map(|line| {
            let entry: Value = serde_json::from_str(line).unwrap();
            entry["cost_usd"].as_str().unwrap().parse::<f64>().unwrap()
        })
        .sum();
    assert!((sum - 0.0015).abs() < 1e-12, "{exported}");
    costs(vec!["reset"]).await;
    let after: Value = serde_json::from_str(&costs(vec!["--by", "provider", "--json"]).await).unwrap();
    assert_eq!(after["sums"], json!([]), "{after}");
    // What was reset is a mark in the chain: it is whole.
    let again = Served::start(&stage).await;
    assert_eq!(again.send(&post(HI, &[])).await.status, 200);
}

// R64
#[tokio::test(flavor = "multi_thread")]
async fn says_what_is_wrong_with_a_database_and_never_the_password() {
    let postgres = Postgres::start(Sync::Fast).await;
    postgres.run("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'").await;
    postgres.run("CREATE DATABASE newer").await;
    postgres.run("CREATE ROLE guest LOGIN PASSWORD 'canary guest'; REVOKE CREATE ON SCHEMA public FROM PUBLIC").await;
    let password = postgres.password();
    let cases = [
        (
            postgres.address_of("backstop", "canary wrong", "postgres"),
            "password authentication failed",
            "set another user or password",
        ),
        (
            postgres.address_of("backstop", password, "nowhere"),
            "\"nowhere\" does not exist",
            "create it with `createdb`",
        ),
        (postgres.address_of("backstop", password, "latin"), "encoding is LATIN1", "--encoding UTF8"),
        (postgres.address_of("guest", "canary guest", "postgres"), "permission denied", "grant the user CREATE"),
        (format!("{}?sslmode=require", postgres.address()), "TLS", "leave sslmode out"),
    ];
    for (address, words, mend) in cases {
        let settings = format!("{PRICED}\n[budget]\ndaily_usd = \"1\"\n[store]\npath = false\nledger = \"{address}\"");
        let stage = Stage::new([("alpha", script())]).await.with_settings(&settings);

        let run = stage.backstop(["serve", "--listen", "127.0.0.1:0"]).run().await;
        let shown = stage.backstop(["config", "show"]).run().await;

        assert_eq!(run.code, Some(2), "{words}: {}", run.stderr);
        assert!(
            run.stderr.contains(words) && run.stderr.contains(mend) && run.stderr.contains("@127.0.0.1:"),
            "{}",
            run.stderr
        );
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        assert!(shown.stdout.contains("ledger = \"postgres://"), "{}", shown.stdout);
        for told in [&run.stderr, &run.stdout, &shown.stdout, &shown.stderr] {
            assert!(!told.contains("canary"), "{told}");
        }
    }
}

// R64
#[tokio::test(flavor = "multi_thread")]
async fn secures_its_connection_and_trusts_only_what_the_system_trusts() {
    let mut postgres = Postgres::start(Sync::Fast).await;
    let certificate = postgres.secured();
    postgres.kill();
    postgres.start_again();
    let address = postgres.address().replace("127.0.0.1", "localhost");
    let settings = format!("{PRICED}\n[budget]\ndaily_usd = \"1\"\n[store]\nledger = \"{address}?sslmode=require\"");
    let stage = Stage::new([("alpha", script())]).await.with_settings(&settings);

    let stranger = stage.backstop(["serve", "--listen", "127.0.0.1:0"]).run().await;
    let trusting = stage.backstop(["serve", "--listen", "127.0.0.1:0"]);
    let gateway = Served::start_as(trusting.env("SSL_CERT_FILE", certificate.to_str().unwrap())).await;
    let reply = gateway.send(&post(HI, &[])).await;
    let secured = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND application_name = 'backstop'";

    assert_eq!(stranger.code, Some(2), "{}", stranger.stderr);
    assert!(stranger.stderr.contains("have the system trust its certificate"), "{}", stranger.stderr);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(postgres.number(secured).await > 0);
}

// R21
#[tokio::test(flavor = "multi_thread")]
async fn leaves_a_ledger_of_another_layout_alone() {
    let postgres = Postgres::start(Sync::Fast).await;
    let stage = stage(&postgres, "daily_usd = \"1\"").await;
    let gateway = Served::start(&stage).await;
    assert_eq!(gateway.get("/healthz").await.status, 200);
    gateway.stopped().await;
    for (layout, words) in [(2, "a later version has written it"), (0, "an earlier version has written it")] {
        postgres.run(&format!("UPDATE backstop_head SET layout = {layout}")).await;

        let run = stage.backstop(["serve", "--listen", "127.0.0.1:0"]).run().await;

        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}
