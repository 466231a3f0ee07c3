//! What becomes of costs while the database of a ledger is away: they wait, as many as there is room for, and none that
//! a budget counts is forgotten as long as its holder stops when told to (R13, R21).

#![cfg(unix)]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use backstop::accounting::ledger::Ledger;
use backstop::accounting::{Account, Back, Holder, Lent, Posting, PostingKind, Scope, Slice, Treasury, Window, day_of};
use backstop::clock::SystemClock;
use backstop::types::{NanoUsd, RequestId, TargetName, Usage};
use backstop_tests::{Postgres, Sync};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Costs that wait before nothing is spent any more.
const AWAITED: u64 = 100_000;

/// Costs that wait at most.
const KEPT: u64 = 200_000;

const PATIENCE: Duration = Duration::from_secs(120);

/// What a holder is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// What is lent may be spent.
    Starve,
    /// Nothing may be spent.
    Shut,
    Reopen,
}

/// A holder of nothing that passes on what it is told.
struct Listener(Sender<Word>);

impl Listener {
    fn hear(&self, word: Word) {
        let _ = self.0.send(word);
    }
}

impl Holder for Listener {
    fn put(&self, _: Lent) {}

    fn give_back(&self, _: Back<'_>) -> Vec<Slice> {
        Vec::new()
    }

    fn holds_any(&self) -> bool {
        false
    }

    fn starve(&self, _: Arc<str>) {
        self.hear(Word::Starve);
    }

    fn shut(&self, _: Arc<str>) {
        self.hear(Word::Shut);
    }

    fn reopen(&self) {
        self.hear(Word::Reopen);
    }
}

/// Costs of a thousandth of a cent, of which a budget counts each or none.
struct Costs {
    day: i32,
    held: Vec<Arc<Account>>,
    target: Arc<TargetName>,
}

impl Costs {
    const NANOS: u64 = 10_000;

    fn new(scope: Option<Scope>) -> Self {
        let day = day_of(Timestamp::now().to_zoned(TimeZone::UTC).date());
        let account = |scope| Arc::new(Account { scope, window: Window::Day, period: day });
        Self { day, held: scope.map(account).into_iter().collect(), target: Arc::new(TargetName::new("a", "m")) }
    }

    fn post(&self, ledger: &Ledger, count: u64) {
        for number in 0..count {
            ledger.post(Posting {
                request: RequestId(number.into()),
                route: "default".into(),
                target: Arc::clone(&self.target),
                key: None,
                labels: Arc::from([]),
                day: self.day,
                kind: PostingKind::Exact,
                cost: NanoUsd::from_nanos(Self::NANOS),
                usage: Usage::default(),
                answers: 1,
                held: self.held.clone(),
            });
        }
    }
}

/// A ledger in a database that is gone, and what its holder is told.
async fn cut_off() -> (Postgres, Arc<Ledger>, Arc<Listener>, Receiver<Word>) {
    let mut postgres = Postgres::start(Sync::Fast).await;
    let address = postgres.ledger_address();
    let clock = Arc::new(SystemClock::start());
    let ledger = Arc::new(Ledger::open_shared(&address, clock, Duration::from_secs(600)).unwrap());
    let (sender, words) = channel();
    let listener = Arc::new(Listener(sender));
    let holder: Weak<Listener> = Arc::downgrade(&listener);
    ledger.attach(holder);
    postgres.kill();
    (postgres, ledger, listener, words)
}

/// Starts the database again and waits until everything is entered; how many costs are, and their sum.
async fn back(mut postgres: Postgres, ledger: Arc<Ledger>, words: &Receiver<Word>) -> (i64, i64) {
    postgres.start_again();
    assert!(until(words, Word::Reopen), "it is never back");
    tokio::task::spawn_blocking(move || ledger.close()).await.unwrap();
    let sum = "SELECT coalesce(sum(cost), 0)::bigint FROM backstop_entries";
    (postgres.number("SELECT count(*) FROM backstop_entries").await, postgres.number(sum).await)
}

/// Whether a word comes.
fn until(words: &Receiver<Word>, wanted: Word) -> bool {
    std::iter::from_fn(|| words.recv_timeout(PATIENCE).ok()).any(|word| word == wanted)
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap()
}

// R13, R21
#[tokio::test(flavor = "multi_thread")]
async fn spends_what_is_lent_until_a_hundred_thousand_costs_wait_and_enters_them_all_when_it_is_back() {
    let (postgres, ledger, _listener, words) = cut_off().await;
    let costs = Costs::new(Some(Scope::Everything));

    costs.post(&ledger, 1);
    assert_eq!(words.recv_timeout(PATIENCE), Ok(Word::Starve));
    costs.post(&ledger, AWAITED - 2);
    ledger.flush();
    assert!(words.try_iter().all(|word| word == Word::Starve), "one more may come");
    costs.post(&ledger, 1);

    assert!(until(&words, Word::Shut));
    assert!(words.try_iter().all(|word| word == Word::Shut), "it stays so");
    let again = Arc::clone(&ledger);
    let entered = back(postgres, ledger, &words).await;
    assert_eq!(entered, (number(AWAITED), number(AWAITED * Costs::NANOS)));
    assert_eq!(again.lost(), 0);
}

// R13
#[tokio::test(flavor = "multi_thread")]
async fn forgets_what_no_budget_counts_first_and_says_how_many() {
    const COUNTED: u64 = AWAITED;
    const EXCESS: u64 = 7;
    let (postgres, ledger, _listener, words) = cut_off().await;

    Costs::new(None).post(&ledger, KEPT - COUNTED + EXCESS);
    Costs::new(Some(Scope::Everything)).post(&ledger, COUNTED);
    ledger.flush();
    let told: Vec<Word> = words.try_iter().collect();

    assert_eq!((told.last(), ledger.lost()), (Some(&Word::Shut), EXCESS));
    let again = Arc::clone(&ledger);
    let (entries, _) = back(postgres, ledger, &words).await;
    assert_eq!((entries, again.lost()), (number(KEPT), EXCESS));
}
