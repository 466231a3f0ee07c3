mod long;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::MutexGuard;

use jiff::Timestamp;
use jiff::civil::date;
use rusqlite::Connection;
use tempfile::TempDir;

use super::batch::Batch;
use super::change::Change;
use super::*;
use crate::accounting::{Account, Back, Lent, Need, PostingKind, Scope, Window, day_of};
use crate::clock::SystemClock;
use crate::types::{NanoUsd, RequestId, TargetName, Usage};

const LIMIT: NanoUsd = NanoUsd::from_nanos(1_000_000);
const DAY: i32 = 20_500;

/// How often something random is tried: a few times, or as often as `BACKSTOP_LEDGER_RUNS` says.
fn runs(usual: u64) -> u64 {
    std::env::var("BACKSTOP_LEDGER_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(usual)
}

fn nanos(nanos: u64) -> NanoUsd {
    NanoUsd::from_nanos(nanos)
}

fn everything() -> Arc<Account> {
    Arc::new(Account { scope: Scope::Everything, window: Window::Day, period: DAY })
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::start())
}

/// Holds what it was lent, and says why nothing may be spent.
#[derive(Default)]
struct Hand {
    held: Mutex<HashMap<Account, u64>>,
    refused: Mutex<u32>,
    shut: Mutex<Option<Arc<str>>>,
}

impl Hand {
    fn held(&self) -> MutexGuard<'_, HashMap<Account, u64>> {
        self.held.lock().unwrap()
    }

    fn has(&self) -> u64 {
        self.held().get(&everything()).copied().unwrap_or(0)
    }

    /// Takes so much out of what is held.
    fn take(&self, amount: u64) {
        *self.held().get_mut(&everything()).unwrap() -= amount;
    }

    fn fault(&self) -> Option<String> {
        self.shut.lock().unwrap().as_ref().map(ToString::to_string)
    }
}

impl Holder for Hand {
    fn put(&self, lent: Lent) {
        *self.refused.lock().unwrap() += u32::from(lent.refused.is_some());
        *self.held().entry(Account::clone(&lent.account)).or_default() += lent.granted.nanos();
    }

    fn give_back(&self, which: Back<'_>) -> Vec<Slice> {
        let mut held = self.held();
        let meant = held.iter_mut().filter(|(account, _)| match which {
            Back::Wanted(accounts) => accounts.contains(account),
            Back::Idle => false,
            Back::All => true,
        });
        let slice = |(account, amount): (&Account, &mut u64)| Slice {
            account: Arc::new(account.clone()),
            amount: nanos(std::mem::take(amount)),
        };
        meant.map(slice).collect()
    }

    fn holds_any(&self) -> bool {
        self.held().values().any(|amount| *amount > 0)
    }

    fn starve(&self, why: Arc<str>) {
        self.shut(why);
    }

    fn shut(&self, why: Arc<str>) {
        *self.shut.lock().unwrap() = Some(why);
    }

    fn reopen(&self) {
        *self.shut.lock().unwrap() = None;
    }
}

impl Holder for SlowHand {
    fn put(&self, lent: Lent) {
        self.hand.put(lent);
    }

    fn give_back(&self, which: Back<'_>) -> Vec<Slice> {
        self.hand.give_back(which)
    }

    fn holds_any(&self) -> bool {
        self.hand.holds_any()
    }

    fn starve(&self, why: Arc<str>) {
        self.hand.starve(why);
    }

    fn shut(&self, why: Arc<str>) {
        self.hand.shut(why);
    }

    fn reopen(&self) {
        self.hand.reopen();
    }
}

/// What the disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disk {
    Full,
    Roomy,
}

/// A ledger in a folder of its own, and who holds what it lends.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    fn ledger(&self) -> PathBuf {
        schema::path_beside(&self.store())
    }

    fn open(&self) -> (Ledger, Arc<Hand>) {
        let ledger = Ledger::open(&self.store(), clock()).unwrap();
        let hand = Arc::new(Hand::default());
        let holder: Weak<Hand> = Arc::downgrade(&hand);
        ledger.attach(holder);
        (ledger, hand)
    }

    fn books(&self) -> FileBooks {
        FileBooks::open(&self.ledger()).unwrap()
    }

    fn read(&self) -> LedgerReader {
        LedgerReader::open(&self.store()).unwrap()
    }

    fn connection(&self) -> Connection {
        Connection::open(self.ledger()).unwrap()
    }

    /// What was spent of an account, read apart from the code that writes it.
    fn balance(&self, account: &str) -> i64 {
        let query = "SELECT ifnull(max(spent), 0) FROM accounts WHERE scope || ' ' || window = ?1";
        self.connection().query_row(query, [account], |row| row.get(0)).unwrap()
    }

    fn count(&self, what: &str) -> i64 {
        self.connection().query_row(&format!("SELECT count(*) FROM {what}"), (), |row| row.get(0)).unwrap()
    }

    /// What the audit says.
    fn audit(&self) -> Result<(), String> {
        Audit::default().run(&self.ledger()).map_err(|error| error.to_string())
    }
}

fn ask(ledger: &Ledger, missing: u64) -> bool {
    let ask = Ask { account: everything(), limit: LIMIT, need: Need::Now(nanos(missing)) };
    ledger.ask(vec![ask]).blocking_recv().is_ok()
}

fn posting(cost: u64) -> Posting {
    Posting {
        request: RequestId(cost.into()),
        route: "default".into(),
        target: Arc::new(TargetName::new("alpha", "m/1")),
        key: Some("ci".into()),
        labels: Arc::from([("team".to_owned(), "search".to_owned()), ("say".to_owned(), "\u{1F600}\"'".to_owned())]),
        day: DAY,
        kind: PostingKind::Exact,
        cost: nanos(cost),
        usage: Usage { input: 10, output: 7, ..Usage::default() },
        answers: 1,
        held: vec![everything()],
    }
}

/// Lends so much to a process that dies, and enters so much of it.
fn die(place: &Place, lent: i64, entered: &[u64]) {
    let mut books = place.books();
    let batch = Batch { postings: entered.iter().map(|cost| posting(*cost)).collect(), returns: Vec::new() };
    books
        .change(|change| {
            let account = change.account(&everything())?;
            let mut lease = change.lease(account)?;
            lease.granted = lent;
            lease.write(&change.transaction)?;
            batch.write(change, 0)
        })
        .unwrap();
    // As when it is killed: its lock goes, and its place stays.
    drop(books);
}

/// A holder that takes its time to say what it had.
struct SlowHand {
    hand: Hand,
    ledger: Arc<Ledger>,
}

impl Drop for SlowHand {
    fn drop(&mut self) {
        std::thread::sleep(Duration::from_millis(50));
        self.ledger.take_back(self.hand.give_back(Back::All));
    }
}

#[test]
fn takes_back_what_a_holder_had_that_is_being_dropped_while_it_closes() {
    let place = Place::new();
    let ledger = Arc::new(Ledger::open(&place.store(), clock()).unwrap());
    let slow = Arc::new(SlowHand { hand: Hand::default(), ledger: Arc::clone(&ledger) });
    let holder: Weak<SlowHand> = Arc::downgrade(&slow);
    ledger.attach(holder);
    assert!(ask(&ledger, 500));

    let dropping = std::thread::spawn(move || drop(slow));
    ledger.close();
    dropping.join().unwrap();

    assert_eq!((place.balance("everything day"), place.count("leases"), place.count("instances")), (0, 0, 0));
}

#[test]
fn enters_what_was_spent_and_takes_back_the_rest_when_it_is_closed() {
    let place = Place::new();
    let (ledger, hand) = place.open();

    assert!(ask(&ledger, 500));
    hand.take(300);
    ledger.post(posting(300));
    ledger.close();

    assert_eq!((place.balance("everything day"), place.count("leases"), place.count("instances")), (300, 0, 0));
    assert_eq!(place.audit(), Ok(()));
    assert!(fs::read_dir(place.folder.path()).unwrap().all(|file| !file.unwrap().path().ends_with(".lock")));
}

// R1, R7
#[test]
fn lends_no_more_than_the_limit_and_all_of_it() {
    let place = Place::new();
    let (ledger, hand) = place.open();

    while *hand.refused.lock().unwrap() == 0 {
        assert!(ask(&ledger, 70_000));
    }

    let left = LIMIT.nanos() - hand.has();
    assert!(left < 70_000, "{left}");
    assert!(ask(&ledger, left));
    assert_eq!(hand.has(), LIMIT.nanos());
}

// R2
#[test]
fn lets_two_processes_spend_the_last_cent_together() {
    let place = Place::new();
    let ((one, first), (other, second)) = (place.open(), place.open());
    assert!(ask(&one, 900_000));
    first.take(500_000);
    one.post(Posting { cost: nanos(500_000), ..posting(0) });
    one.flush();

    assert!(ask(&other, 400_000));

    assert_eq!(second.has(), 400_000, "what the first does not use has come back");
    assert_eq!(*second.refused.lock().unwrap(), 0);
    assert!(ask(&other, 200_000));
    assert_eq!((*second.refused.lock().unwrap(), first.has() + second.has() + 500_000 <= LIMIT.nanos()), (1, true));
}

// R5
#[test]
fn adds_up_any_number_of_costs_to_the_nano_dollar() {
    let place = Place::new();
    let (ledger, _hand) = place.open();
    let count = runs(20_000);
    let mut sum = 0;
    for _ in 0..count {
        let cost = fastrand::u64(..10_000_000);
        sum += cost;
        ledger.post(Posting { held: Vec::new(), ..posting(cost) });
    }
    ledger.close();

    let reader = place.read();
    let lines = reader.lines(date(2026, 1, 1)).unwrap();
    let [line] = &lines[..] else { panic!("{lines:?}") };

    assert_eq!((line.cost, line.answers, line.usage.output), (nanos(sum), count, count * 7));
    assert_eq!(place.audit(), Ok(()));
}

// R11
#[test]
fn charges_what_a_dead_process_was_lent_and_not_a_cent_more() {
    let place = Place::new();
    die(&place, 800, &[100, 250]);

    let (ledger, _hand) = place.open();
    ledger.close();

    assert_eq!((place.balance("everything day"), place.count("leases"), place.count("instances")), (800, 0, 0));
    let lost = place.read().sums(date(1970, 1, 1), CostsBy::Provider).unwrap();
    let lost: Vec<_> = lost.iter().map(|sum| (sum.of.as_str(), sum.cost.nanos(), sum.uncertain.nanos())).collect();
    assert_eq!(lost, [("(unknown)", 450, 450), ("alpha", 350, 0)]);
    assert_eq!(place.audit(), Ok(()));
}

// R11
#[test]
fn leaves_what_a_living_process_was_lent_alone() {
    let place = Place::new();
    let (ledger, hand) = place.open();
    assert!(ask(&ledger, 500));

    let (next, _) = place.open();
    next.close();

    hand.take(500);
    ledger.post(posting(500));
    ledger.close();
    assert_eq!((place.balance("everything day"), place.count("entries")), (500, 1));
}

// R14
#[test]
fn charges_once_however_often_it_dies_over_it() {
    let place = Place::new();
    for round in 1..=5 {
        die(&place, 1_000 * round, &[]);
        // A recovery that is cut off leaves nothing behind: it is one change.
        let mut books = place.books();
        let cut_off = books.change(|change| {
            change.resolve_dead(&[books_before(round)], 0)?;
            Err::<(), _>(error::Fault::Damage(Damage::Gap(0)))
        });
        assert!(cut_off.is_err());
        drop(books);
    }

    let (ledger, _hand) = place.open();
    ledger.close();

    assert_eq!(place.balance("everything day"), 15_000);
    assert_eq!(place.audit(), Ok(()));
}

/// The number of the process that died in a round: two come to each.
fn books_before(round: i64) -> i64 {
    2 * round - 1
}

// R13
#[test]
fn refuses_to_lend_while_the_disk_is_full_and_loses_nothing_of_what_was_spent() {
    let place = Place::new();
    let (ledger, hand) = place.open();
    assert!(ask(&ledger, 500));
    ledger.notes.send(Note::Disk(Disk::Full)).unwrap();

    (0..2_000).for_each(|_| ledger.post(Posting { held: Vec::new(), ..posting(1) }));
    ledger.flush();
    let (fault, lent) = (hand.fault().unwrap(), ask(&ledger, 500));
    let entered = place.count("entries");
    ledger.notes.send(Note::Disk(Disk::Roomy)).unwrap();
    while hand.fault().is_some() {
        std::thread::yield_now();
    }

    assert!(fault.contains("store-ledger.db") && fault.contains("make room on the disk"), "{fault}");
    assert_eq!((lent, entered), (false, 0), "nothing of a change that failed is there");
    assert_eq!((place.count("entries"), ask(&ledger, 500)), (2_000, true));
    ledger.close();
    assert_eq!((place.balance("everything day"), place.audit()), (2_000, Ok(())));
}

// R20
#[test]
fn names_the_entry_in_which_a_byte_was_changed() {
    let place = Place::new();
    let (ledger, _hand) = place.open();
    (1..=50).for_each(|cost| ledger.post(Posting { held: Vec::new(), ..posting(cost) }));
    ledger.close();
    let change = |sql: &str| place.connection().execute(sql, ()).unwrap();

    let mut said = Vec::new();
    for (damage, repair) in [
        ("UPDATE entries SET cost = cost + 1 WHERE seq = 7", "UPDATE entries SET cost = cost - 1 WHERE seq = 7"),
        ("UPDATE entries SET provider = 'alphb' WHERE seq = 9", "UPDATE entries SET provider = 'alpha' WHERE seq = 9"),
        ("UPDATE entries SET seq = 99 WHERE seq = 20", "UPDATE entries SET seq = 20 WHERE seq = 99"),
        ("UPDATE entries SET at = at + 1 WHERE seq = 50", "UPDATE entries SET at = at - 1 WHERE seq = 50"),
    ] {
        change(damage);
        said.push(place.audit().unwrap_err());
        change(repair);
    }

    assert_eq!(place.audit(), Ok(()));
    let says = ["entry 7 is not", "entry 9 is not", "entry 20 is missing", "entry 50 is not"];
    assert!(said.iter().zip(says).all(|(said, says)| said.contains(says)), "{said:#?}");
}

// R20
#[test]
fn names_the_balance_and_the_lease_that_do_not_add_up() {
    let place = Place::new();
    let (ledger, hand) = place.open();
    assert!(ask(&ledger, 500));
    hand.take(30);
    ledger.post(posting(30));
    ledger.flush();
    let change = |sql: &str| place.connection().execute(sql, ()).unwrap();

    change("UPDATE accounts SET spent = spent - 1");
    let balance = place.audit().unwrap_err();
    change("UPDATE accounts SET spent = spent + 1");
    change("UPDATE leases SET granted = granted + 1");
    let lease = place.audit().unwrap_err();

    assert!(
        balance.contains("everything day 20500 says 29 nano-dollars were spent and its entries say 30"),
        "{balance}"
    );
    assert!(lease.contains("was lent of account 1 is not what it was"), "{lease}");
}

// R20
#[test]
fn lets_nothing_be_spent_of_a_damaged_ledger_from_the_next_audit_on() {
    let place = Place::new();
    let ledger = Ledger::open_and_audit(&place.store(), clock(), Duration::from_millis(20)).unwrap();
    let hand = Arc::new(Hand::default());
    let holder: Weak<Hand> = Arc::downgrade(&hand);
    ledger.attach(holder);
    ledger.post(Posting { held: Vec::new(), ..posting(5) });
    ledger.flush();

    place.connection().execute("UPDATE entries SET cost = 4", ()).unwrap();
    while hand.fault().is_none() {
        std::thread::yield_now();
    }

    assert!(!ask(&ledger, 1));
    assert!(hand.fault().unwrap().contains("entry 1 is not what it was when it was written"));
    ledger.close();
    let (again, hand) = place.open();
    again.flush();
    assert!(!ask(&again, 1) && hand.fault().is_some(), "also after a restart");
}

// R12
#[test]
fn refuses_a_file_that_is_older_than_it_was() {
    let place = Place::new();
    let enter = |cost| {
        let (ledger, _hand) = place.open();
        ledger.post(Posting { held: Vec::new(), ..posting(cost) });
        ledger.close();
    };
    enter(1);
    fs::copy(place.ledger(), place.folder.path().join("copy")).unwrap();
    enter(2);

    fs::rename(place.folder.path().join("copy"), place.ledger()).unwrap();
    let refused = Ledger::open(&place.store(), clock()).err().unwrap().to_string();
    fs::remove_file(head::path_of(&place.ledger())).unwrap();

    assert!(refused.contains("it ends before entry 2, which was entered for good"), "{refused}");
    assert!(Ledger::open(&place.store(), clock()).is_ok(), "as the operator wills");
}

/// The files of a ledger as the disk would have them after the power failed: what was flushed, and any part of what was not.
/// SQLite flushes its log at each commit, so that what follows the last flush is what a later change has begun.
// R12
#[test]
fn opens_whole_or_refuses_whatever_part_of_an_unflushed_change_is_lost() {
    let place = Place::new();
    let (ledger, hand) = place.open();
    assert!(ask(&ledger, 10_000));
    (1..=20).for_each(|cost| ledger.post(posting(cost)));
    ledger.flush();
    let read = |suffix: &str| fs::read(format!("{}{suffix}", place.ledger().display())).unwrap();
    let (file, log, head) = (read(""), read("-wal"), read("-head"));
    (21..=200).for_each(|cost| ledger.post(posting(cost)));
    ledger.flush();
    let (later_file, later_log) = (read(""), read("-wal"));
    drop((ledger, hand));
    assert!(later_log.len() > log.len() && later_file == file, "no checkpoint in between");

    for run in 0..runs(60) {
        let after = Place::new();
        let mut torn = later_log.clone();
        torn.truncate(fastrand::usize(log.len()..=later_log.len()));
        for _ in 0..run % 4 {
            // Sectors that never reached the disk hold what was there before: nothing.
            let sector =
                log.len().next_multiple_of(512) + 512 * fastrand::usize(..=(later_log.len() - log.len()) / 512);
            torn.iter_mut().skip(sector).take(512).for_each(|byte| *byte = 0);
        }
        let write =
            |suffix: &str, bytes: &[u8]| fs::write(format!("{}{suffix}", after.ledger().display()), bytes).unwrap();
        write("", &file);
        write("-wal", &torn);
        write("-head", &head);

        let (opened, _hand) = after.open();
        opened.close();

        let entries = after.count("entries WHERE kind = 'exact'");
        // On a machine that is busy the later ones may have been entered in more than one change.
        assert!((20..=200).contains(&entries), "no less than was entered for good: {entries}");
        assert_eq!(after.balance("everything day"), 10_000.max(entries * (entries + 1) / 2), "as lent");
        assert_eq!(after.audit(), Ok(()));
    }
}

#[test]
fn adds_costs_up_by_whatever_one_likes_and_anew_after_a_reset() {
    let place = Place::new();
    let (ledger, _hand) = place.open();
    let other = Posting {
        target: Arc::new(TargetName::new("beta", "m")),
        key: None,
        labels: Arc::from([]),
        kind: PostingKind::Uncertain,
        held: Vec::new(),
        ..posting(50)
    };
    for posting in [Posting { held: Vec::new(), ..posting(7) }, other.clone(), Posting { day: DAY + 1, ..other }] {
        ledger.post(posting);
    }
    ledger.close();
    let reader = place.read();
    let since = date(1970, 1, 1);
    let sums = |by| -> Vec<(String, u64)> {
        reader.sums(since, by).unwrap().into_iter().map(|sum| (sum.of, sum.cost.nanos())).collect()
    };
    let own = |sums: &[(&str, u64)]| sums.iter().map(|(of, cost)| ((*of).to_owned(), *cost)).collect::<Vec<_>>();

    assert_eq!(sums(CostsBy::Provider), own(&[("beta", 100), ("alpha", 7)]));
    assert_eq!(sums(CostsBy::Model), own(&[("beta/m", 100), ("alpha/m/1", 7)]));
    assert_eq!(sums(CostsBy::Key), own(&[("", 100), ("ci", 7)]));
    assert_eq!(sums(CostsBy::Label), own(&[("say=\u{1F600}\"'", 7), ("team=search", 7)]));
    assert_eq!(sums(CostsBy::Day), own(&[("2026-02-16", 57), ("2026-02-17", 50)]));
    reader.reset(Some("beta"), Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(sums(CostsBy::Provider), own(&[("alpha", 7)]));
    reader.reset(None, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(sums(CostsBy::Provider), own(&[]));
    let kinds: Vec<String> = reader.entries(since, 0, 9).unwrap().into_iter().map(|entry| entry.kind).collect();
    let second: Vec<i64> = reader.entries(since, 1, 2).unwrap().into_iter().map(|entry| entry.entry).collect();
    assert_eq!(second, [2, 3]);
    assert_eq!(kinds, ["exact", "uncertain", "uncertain", "reset", "reset"], "history stays");
    assert_eq!(place.audit(), Ok(()));
}

/// What is asked of the month of a provider, a label and a route.
fn three_months() -> Vec<Ask> {
    let month = crate::accounting::month_of_day(DAY);
    let scopes = [Scope::Provider("alpha".into()), Scope::Label("team=search".into()), Scope::Route("other".into())];
    let asks = scopes.map(|scope| {
        let account = Arc::new(Account { scope, window: Window::Month, period: month });
        Ask { account, limit: LIMIT, need: Need::News }
    });
    asks.to_vec()
}

#[test]
fn begins_an_account_with_what_was_spent_of_it_before() {
    let place = Place::new();
    let (ledger, _hand) = place.open();
    (0..3).for_each(|_| ledger.post(Posting { held: Vec::new(), ..posting(40) }));

    assert!(ledger.ask(three_months()).blocking_recv().is_ok());
    ledger.post(Posting { held: Vec::new(), ..posting(2) });
    ledger.close();

    let balances = ["provider:alpha month", "label:team=search month", "route:other month"].map(|of| place.balance(of));
    assert_eq!(balances, [122, 122, 0]);
    assert_eq!(place.audit(), Ok(()));
}

#[test]
fn refuses_files_that_are_none_of_its_own_and_names_the_mend() {
    let refusal = |prepare: &dyn Fn(&Place)| {
        let place = Place::new();
        prepare(&place);
        Ledger::open(&place.store(), clock()).err().unwrap().to_string()
    };

    let text =
        refusal(&|place| fs::write(place.ledger(), "This is a text and no database, and it is long enough.").unwrap());
    let other = refusal(&|place| place.connection().execute_batch("CREATE TABLE mine (a)").unwrap());
    let newer = refusal(&|place| {
        drop(place.books());
        place.connection().pragma_update(None, "user_version", 9).unwrap();
    });

    assert!(text.contains("is no ledger of Backstop's; set `path` in [store] to another place"), "{text}");
    assert!(other.contains("is no ledger of Backstop's"), "{other}");
    assert!(newer.contains("was written by a later version (its layout is 9, this one knows 1)"), "{newer}");
}

#[test]
fn numbers_days_as_people_do() {
    assert_eq!(day_of(date(2026, 2, 16)), DAY);
}
