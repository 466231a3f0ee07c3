//! What money costs in time: to admit and settle in memory, to enter what was spent for good, to start with many open entries.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot begin has nothing to say")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use backstop::accounting::ledger::Ledger;
use backstop::accounting::{Posting, PostingKind, Treasury};
use backstop::clock::{Moment, SystemClock};
use backstop::config::{Config, ProviderConfig};
use backstop::guard::{Claim, Guard};
use backstop::types::{NanoUsd, Price, RequestId, TargetId, TargetName, Usage};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;

const CLAIM: Claim<'static> = Claim {
    input_bound: 0,
    media: 0,
    allowed: None,
    input_tokens: 500,
    max_output_tokens: 500,
    spent: NanoUsd::ZERO,
    kind: backstop::guard::AttemptKind::Plain,
    emergency: false,
    payer: None,
};
const NOW: Moment = Moment::START;
const WALL: Timestamp = Timestamp::UNIX_EPOCH;

/// A day's and a month's budget that nobody uses up.
fn config() -> Config {
    let url = "http://127.0.0.1:1/v1".parse().unwrap();
    let price = Price::flat_per_1k(NanoUsd::from_nanos(1_000));
    let mut config = Config::new();
    config.providers.insert("a".to_owned(), ProviderConfig::openai_compatible(url).with_model("m").with_price(price));
    config.budget.daily = Some(NanoUsd::from_nanos(u64::MAX / 8));
    config.budget.monthly = Some(NanoUsd::from_nanos(u64::MAX / 4));
    config
}

fn posting() -> Posting {
    Posting {
        request: RequestId(7),
        route: "default".into(),
        target: Arc::new(TargetName::new("a", "m")),
        key: Some("ci".into()),
        labels: Arc::from([("context".to_owned(), "quiz".to_owned())]),
        day: 20_500,
        kind: PostingKind::Exact,
        cost: NanoUsd::from_nanos(1_000),
        usage: Usage { input: 500, output: 500, ..Usage::default() },
        answers: 1,
        held: Vec::new(),
    }
}

fn serve(guard: &Arc<Guard>) {
    let used = Usage { input: 500, output: 500, ..Usage::default() };
    loop {
        match guard.admit(TargetId(0), &CLAIM, NOW, WALL) {
            Ok(permit) => {
                permit.dispatch(NOW).served(Some(used), None, NOW, WALL);
                return;
            }
            Err(_) => drop(guard.ask(TargetId(0), &CLAIM, WALL).map(|asked| asked.blocking_recv())),
        }
    }
}

fn in_memory(criterion: &mut Criterion) {
    let guard = Arc::new(Guard::new(&config()));
    criterion.bench_function("admit and settle, budgets in memory", |bencher| bencher.iter(|| serve(&guard)));

    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(Ledger::open(&folder.path().join("store.db"), Arc::new(SystemClock::start())).unwrap());
    let guard = Arc::new(Guard::new(&config()).with_treasury(Arc::clone(&ledger) as Arc<dyn Treasury>, WALL));
    criterion.bench_function("admit and settle, budgets lent by a ledger", |bencher| bencher.iter(|| serve(&guard)));
    drop(guard);
    ledger.close();
}

/// Until it is on disk: what is entered while one change is written is written together with the next.
fn durable(criterion: &mut Criterion) {
    const COUNT: u64 = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("store.db"), Arc::new(SystemClock::start())).unwrap();
    let mut group = criterion.benchmark_group("durable");
    group.throughput(Throughput::Elements(COUNT)).sample_size(10);
    group.bench_function("20,000 costs entered for good", |bencher| {
        bencher.iter_custom(|rounds| {
            let begun = Instant::now();
            for _ in 0..rounds {
                (0..COUNT).for_each(|_| ledger.post(posting()));
                ledger.flush();
            }
            begun.elapsed()
        });
    });
    group.finish();
    ledger.close();
}

/// A short ledger is read over from its beginning each time, a long one from where it was read over before.
fn restart(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("restart");
    group.sample_size(10).measurement_time(Duration::from_secs(20));
    for (entries, how) in [(100_000, "from its beginning"), (400_000, "from where it was before")] {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store.db");
        let open = || Ledger::open(&store, Arc::new(SystemClock::start())).unwrap();
        let ledger = open();
        (0..entries).for_each(|_| ledger.post(posting()));
        ledger.close();
        open().close();
        group.bench_function(format!("open a ledger of {entries} entries, read over {how}"), |bencher| {
            bencher.iter_batched(|| (), |()| open().close(), BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, in_memory, durable, restart);
criterion_main!(benches);
