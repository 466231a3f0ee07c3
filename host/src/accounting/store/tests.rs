use std::collections::BTreeMap;

use jiff::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::types::{
    AttemptEnd, AttemptRecord, Event, Failure, FailureKind, NanoUsd, Outcome, RequestId, TargetName, Usage,
};

const KEEP: Keep = Keep { requests: 1_000, time: Duration::from_secs(86_400) };

fn record(number: u128, outcome: Outcome) -> RequestRecord {
    let (alpha, beta) = (Arc::new(TargetName::new("alpha", "m/1")), Arc::new(TargetName::new("beta", "m")));
    let failure = Failure {
        retry_after: Some(Duration::from_millis(1_500)),
        ..Failure::new(FailureKind::RateLimited, "slow down")
    };
    let failure = failure.with_status(429);
    let attempts = vec![
        AttemptRecord {
            target: Arc::clone(&alpha),
            end: AttemptEnd::Failed(failure.clone()),
            took: Duration::from_micros(12_300),
        },
        AttemptRecord { target: Arc::clone(&beta), end: AttemptEnd::Served, took: Duration::from_millis(70) },
    ];
    let steps = vec![
        (Duration::from_micros(20), Event::Attempting { target: Arc::clone(&alpha), attempt: 1, model_of: (1, 2) }),
        (Duration::from_millis(12), Event::Failed { target: alpha, failure, took: Duration::from_millis(12) }),
    ];
    RequestRecord {
        id: RequestId(number),
        started: Timestamp::from_second(1_790_000_000).unwrap(),
        route: "default".into(),
        strategy: "smart".into(),
        streaming: true,
        labels: Arc::from([("context".to_owned(), "quiz \u{1F600}".to_owned())]),
        outcome,
        error: None,
        parent: None,
        served_by: (outcome == Outcome::Served).then(|| Arc::clone(&beta)),
        usage: Some(Usage { input: 10, output: 7, ..Usage::default() }),
        cost: Some(NanoUsd::from_nanos(22_000)),
        took: Duration::from_millis(83),
        attempts,
        steps,
    }
}

fn ended(store: &Store, record: RequestRecord) {
    store.began(&RequestRecord { outcome: Outcome::Pending, ..record.clone() });
    store.ended(&Arc::new(record));
}

fn latest(store: &Store) -> Vec<u128> {
    let page = Page { limit: 100, ..Page::default() };
    store.reader().unwrap().latest(page).unwrap().iter().map(|record| record.id.0).collect()
}

#[test]
fn keeps_a_story_as_it_was_told() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("a/b/store.db"), KEEP).unwrap();
    let told = record(7, Outcome::Served);

    ended(&store, told.clone());
    store.flush();

    assert_eq!(store.reader().unwrap().record(RequestId(7)).unwrap(), Some(told));
    assert_eq!(store.reader().unwrap().record(RequestId(8)).unwrap(), None);
}

#[test]
fn tells_the_latest_page_by_page_and_by_how_they_ended() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("store.db"), KEEP).unwrap();
    for number in 1..=6 {
        ended(&store, record(number, if number % 2 == 0 { Outcome::Served } else { Outcome::Failed }));
    }
    store.flush();

    let reader = store.reader().unwrap();
    let page = |page: Page| reader.latest(page).unwrap().iter().map(|record| record.id.0).collect::<Vec<_>>();
    let first = page(Page { limit: 4, ..Page::default() });
    let second = page(Page { limit: 4, before: Some(RequestId(3)), outcome: None });
    let failed = page(Page { limit: 2, before: None, outcome: Some(Outcome::Failed) });

    assert_eq!((first, second, failed), (vec![6, 5, 4, 3], vec![2, 1], vec![5, 3]));
}

#[test]
fn finds_requests_of_a_dead_process_again_and_leaves_those_of_the_living_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let living = Store::open(&path, KEEP).unwrap();
    living.began(&record(1, Outcome::Pending));
    living.flush();
    let mut connection = schema::open(&path).unwrap();
    let dead = instance::Instance::enter(&mut connection, &path).unwrap();
    let mut batch = batch::Batch::default();
    batch.begin(Box::new(record(2, Outcome::Pending)));
    batch.write(&mut connection, dead.id).unwrap();
    // As when it is killed: its lock goes, and its place stays.
    drop((dead, connection));

    let next = Store::open(&path, KEEP).unwrap();

    let outcome = |number| next.reader().unwrap().record(RequestId(number)).unwrap().unwrap().outcome;
    assert_eq!((outcome(1), outcome(2)), (Outcome::Pending, Outcome::Unknown));
    living.ended(&Arc::new(record(1, Outcome::Served)));
    living.flush();
    assert_eq!(outcome(1), Outcome::Served);
}

#[test]
fn keeps_as_many_as_it_is_told_to() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("store.db"), Keep { requests: 3, ..KEEP }).unwrap();
    for round in 0..200 {
        ended(&store, record(round, Outcome::Failed));
        if round % 2 == 0 {
            store.flush();
        }
    }
    store.flush();

    let kept = latest(&store);
    assert!(kept.len() < 200 && kept.first() == Some(&199), "{} kept", kept.len());
}

#[test]
fn refuses_files_that_are_none_of_its_own_and_names_the_mend() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("text"), "This is a text and no database, and it is long enough to have a header of one.")
        .unwrap();
    let other = rusqlite::Connection::open(path("other")).unwrap();
    other.execute_batch("CREATE TABLE mine (a)").unwrap();
    drop(Store::open(&path("newer"), KEEP).unwrap());
    rusqlite::Connection::open(path("newer")).unwrap().pragma_update(None, "user_version", 9).unwrap();
    std::fs::create_dir(path("folder")).unwrap();
    std::fs::write(path("file"), "").unwrap();

    let said: BTreeMap<_, _> = ["text", "other", "newer", "folder", "file/store.db"]
        .into_iter()
        .map(|name| (name, Store::open(&path(name), KEEP).err().map(|error| error.to_string()).unwrap_or_default()))
        .collect();

    for (name, says) in [
        ("text", "is no store of Backstop's; set `path` in [store] to another file"),
        ("other", "is no store of Backstop's"),
        ("newer", "was written by a later version (its layout is 9, this one knows 1)"),
        ("folder", "cannot be used"),
        ("file/store.db", "set `path` in [store] to a place that can be written to"),
    ] {
        assert!(said[name].contains(says), "{name}: {}", said[name]);
    }
    assert!(matches!(Reader::open(&path("none")), Err(StoreError::Absent { .. })));
    let left: i64 = other.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)).unwrap();
    assert_eq!(left, 1, "what is somebody else's is left as it was");
}

// RELIABILITY 2: the version is asserted.
#[test]
fn is_built_on_an_sqlite_without_the_known_faults_of_older_ones() {
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}
