//! What is spent survives `kill -9`, and never exceeds a limit (R11, R14): the real gateway under load, killed at any moment, held
//! against what the provider counted by a reader of the file that shares nothing with the code that writes it.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use backstop::scripted::{Answer, Script};
use backstop_tests::{HttpReply, LONG_QUESTION as HI, Served, Stage, post};
use rusqlite::{Connection, OpenFlags};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// What each answer costs, in nano-dollars: 100 tokens in at $1 and 200 out at $2 for a million. The provider counts a call when
/// it has read it, whether or not anybody is left to hear the answer.
const COST: u64 = 500_000;

/// How often the gateway is killed: a few times, or as often as `BACKSTOP_LEDGER_KILLS` says.
fn kills() -> u32 {
    std::env::var("BACKSTOP_LEDGER_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(8)
}

fn script() -> Script {
    let slow = Duration::from_millis(5);
    Script::always(Answer::new("yes").usage(100, 200).first_token_after(slow))
}

async fn stage(daily_usd: &str) -> Stage {
    let priced = "[providers.alpha.price]\ninput_per_mtok = \"1\"\noutput_per_mtok = \"2\"";
    let budget = format!("[budget]\ndaily_usd = \"{daily_usd}\"\n[store]\npath = \"store.db\"");
    Stage::new([("alpha", script())]).await.with_settings(&format!("{priced}\n{budget}"))
}

fn ledger(stage: &Stage) -> PathBuf {
    stage.home().join("store-ledger.db")
}

/// What a ledger's file says, in nano-dollars.
#[derive(Debug, Clone, Copy)]
struct Books {
    /// The account of everybody's day.
    balance: u64,
    /// The sum of its entries, what dead processes were charged among them.
    entered: u64,
    /// What dead processes were charged.
    lost: u64,
    /// What processes were lent and have not entered.
    lent: u64,
}

fn read(path: &Path) -> Books {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    let number = |query: &str| connection.query_row(query, (), |row| row.get::<_, i64>(0)).unwrap().unsigned_abs();
    let day = "SELECT id FROM accounts WHERE scope = 'everything' AND window = 'day'";
    Books {
        balance: number(&format!("SELECT ifnull(sum(spent), 0) FROM accounts WHERE id IN ({day})")),
        entered: number("SELECT ifnull(sum(cost), 0) FROM entries"),
        lost: number("SELECT ifnull(sum(cost), 0) FROM entries WHERE kind = 'lost'"),
        lent: number(&format!(
            "SELECT ifnull(sum(max(granted - consumed, 0)), 0) FROM leases WHERE account IN ({day})"
        )),
    }
}

/// Clients that ask until nobody answers; how many answers they got, and the statuses of the others.
async fn ask_until_it_dies(address: std::net::SocketAddr, clients: usize) -> (u64, Vec<u16>) {
    let client = || async move {
        let (mut answered, mut refused) = (0, Vec::new());
        while let Ok(mut stream) = TcpStream::connect(address).await {
            while stream.write_all(&post(HI, &[])).await.is_ok() {
                // A killed gateway breaks off in the middle of whatever it said.
                let read = tokio::spawn(async move {
                    let reply = HttpReply::read(&mut stream).await;
                    (reply, stream)
                });
                let Ok((reply, back)) = read.await else { return (answered, refused) };
                stream = back;
                match reply.status {
                    200 if reply.is_whole => answered += 1,
                    200 | 0 => return (answered, refused),
                    status => refused.push(status),
                }
            }
        }
        (answered, refused)
    };
    let clients: Vec<_> = (0..clients).map(|_| tokio::spawn(client())).collect();
    let (mut answered, mut refused) = (0, Vec::new());
    for client in clients {
        let (own, others) = client.await.unwrap();
        answered += own;
        refused.extend(others);
    }
    (answered, refused)
}

fn counted(stage: &Stage) -> u64 {
    stage.provider("alpha").call_count() as u64 * COST
}

// R11
#[tokio::test(flavor = "multi_thread")]
async fn never_loses_what_was_spent_nor_spends_more_than_the_limit_however_often_it_is_killed() {
    let stage = stage("1000").await;
    let mut surplus = 0;
    for kill in 0..kills() {
        let gateway = Served::start(&stage).await;
        let clients = tokio::spawn(ask_until_it_dies(gateway.address(), 8));
        // Any moment within the first half second of a gateway that is busy.
        tokio::time::sleep(Duration::from_millis(20 + 37 * u64::from(kill) % 450)).await;

        gateway.signal("KILL");
        let (code, _) = gateway.ended().await;
        let (answered, refused) = clients.await.unwrap();

        assert_eq!((code, refused), (None, Vec::new()));
        let (books, used) = (read(&ledger(&stage)), counted(&stage));
        assert!(used >= answered * COST);
        let known = used + surplus;
        assert!(known <= books.balance + books.lent, "kill {kill}: the provider counted {known}: {books:?}");
        assert!(books.balance <= known, "kill {kill}: nothing is entered that was not asked for: {known}, {books:?}");

        // The next process charges exactly what the dead one was lent.
        let next = Served::start(&stage).await;
        let charged = read(&ledger(&stage));
        assert_eq!(charged.balance, books.balance + books.lent, "kill {kill}");
        assert_eq!(charged.lent, 0, "kill {kill}");
        assert_eq!(next.get("/healthz").await.status, 200);
        next.stopped().await;
        // What was charged beyond the provider's count stays charged: the next life is measured from there.
        surplus = charged.balance - used;
    }
    let (books, used) = (read(&ledger(&stage)), counted(&stage));
    println!("{} kills: the provider counted {used}: {books:?}", kills());
    assert!(used > 0 && books.balance == books.entered, "{books:?}");
    // What is charged and was not counted stands in entries of its own.
    let told = books.entered - books.lost;
    assert!(told <= used && used <= books.entered, "the provider counted {used}: {books:?}");
}

// R11
#[tokio::test(flavor = "multi_thread")]
async fn stays_within_the_limit_over_any_number_of_lives() {
    // Room for 400 answers; the worst case of each is a little more.
    let stage = stage("0.2").await;
    let mut refusals = 0;
    for life in 0..400 {
        let gateway = Served::start(&stage).await;
        let clients = tokio::spawn(ask_until_it_dies(gateway.address(), 4));
        tokio::time::sleep(Duration::from_millis(60 + 29 * life % 200)).await;
        gateway.signal("KILL");
        gateway.ended().await;
        let (_, refused) = clients.await.unwrap();

        assert!(counted(&stage) <= 200_000_000, "life {life}: the provider counted {}", counted(&stage));
        assert!(refused.iter().all(|status| *status == 402), "life {life}: {refused:?}");
        refusals += refused.len();
        if refusals > 0 {
            break;
        }
    }

    assert!(refusals > 0, "the money was never used up");
    let books = read(&ledger(&stage));
    assert!(counted(&stage) <= books.balance + books.lent && books.balance + books.lent <= 200_000_000, "{books:?}");
}

// R14
#[tokio::test(flavor = "multi_thread")]
async fn charges_a_dead_process_once_though_its_heirs_die_too() {
    let stage = stage("1000").await;
    let gateway = Served::start(&stage).await;
    let clients = tokio::spawn(ask_until_it_dies(gateway.address(), 8));
    tokio::time::sleep(Duration::from_millis(300)).await;
    gateway.signal("KILL");
    gateway.ended().await;
    clients.await.unwrap();
    let (books, used) = (read(&ledger(&stage)), counted(&stage));

    for heir in 0..kills() {
        // Killed while it starts: before, in or after the change that charges the dead one.
        let mut started = stage.backstop(["serve", "--listen", "127.0.0.1:0"]).start();
        tokio::time::sleep(Duration::from_millis(u64::from(heir) * 23 % 180)).await;
        started.kill().unwrap();
        started.wait().unwrap();
        let after = read(&ledger(&stage));
        assert_eq!(after.balance + after.lent, books.balance + books.lent, "heir {heir}");
    }
    let last = Served::start(&stage).await;
    assert_eq!(last.get("/healthz").await.status, 200);
    last.stopped().await;

    let charged = read(&ledger(&stage));
    assert_eq!((charged.balance, charged.lent), (books.balance + books.lent, 0));
    assert!(used <= charged.balance && charged.balance == charged.entered, "{charged:?}");
}
