//! What strategies note in their state, instances that share a store note together (A11, A14): a real Redis, killed, emptied and started
//! again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use backstop::accounting::{Archive, Change, Changes, Exchange, NotebookName, SharedPages};
use backstop::config::{BreakerConfig, Config, Power, ProviderConfig, StrategyRef};
use backstop::fleet::SharedNotes;
use backstop::scripted::Answer;
use backstop::strategy::Learning;
use backstop::types::Event;
use backstop::{Backstop, ChatRequest};
use backstop_tests::simulated::{Fate, SeenCall, Simulated};
use backstop_tests::{Redis, Stage};
use serde_json::json;
use tokio::time::sleep;

/// How long something is waited for that takes a second at most on a machine with nothing else to do.
const PATIENCE: Duration = Duration::from_secs(20);

fn prebuilt(guest: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../guest-strategies/prebuilt").join(guest).with_extension("wasm")
}

/// Two providers.
fn two() -> Config {
    let mut config = Config::new();
    for name in ["a", "b"] {
        let url = format!("https://{name}.invalid/v1").parse().unwrap();
        config.providers.insert(name.to_owned(), ProviderConfig::openai_compatible(url).with_model("m"));
    }
    config.breaker = BreakerConfig { failures: 0, success_rate: 0.0, ..BreakerConfig::default() };
    config
}

/// With `witness`, which counts questions in its state.
fn counting() -> Config {
    let mut config = two();
    let strategy = StrategyRef::File(prebuilt("witness"));
    config.sandbox = config.sandbox.with_grant(strategy.clone(), Power::ALL.into_iter().collect());
    config.sandbox.compile_time = Duration::from_secs(60);
    config.sandbox.compile_cache = Some(std::env::temp_dir().join("backstop-test-components"));
    let route = config.routes.get_mut("default").unwrap();
    route.strategy = strategy;
    route.options = json!({"mode": "count"}).as_object().unwrap().clone();
    config
}

/// What one instance has written behind: of its own, and of what it heard.
#[derive(Default)]
struct Kept {
    changed: Mutex<Vec<Arc<dyn Changes>>>,
    entries: Mutex<BTreeMap<String, Option<Vec<u8>>>>,
}

impl Archive for Kept {
    fn entries(&self, _: &NotebookName) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }

    fn changed(&self, notebook: Arc<dyn Changes>) -> bool {
        self.changed.lock().unwrap().push(notebook);
        true
    }
}

/// An instance.
struct Instance {
    backstop: Backstop,
    learning: Arc<Learning>,
    notes: Arc<SharedNotes>,
    kept: Arc<Kept>,
}

impl Instance {
    async fn start(redis: &Redis, config: Config) -> Self {
        Self::start_where(|_| false, redis, config).await
    }

    /// Starts where some providers never answer.
    async fn start_where(is_down: fn(&str) -> bool, redis: &Redis, config: Config) -> Self {
        let notes = Arc::new(SharedNotes::open(&redis.address()).unwrap());
        let kept = Arc::new(Kept::default());
        let learning = Arc::new(Learning::kept_in(kept.clone()).shared_by(notes.clone()));
        let fate = move |call: &SeenCall, _| match is_down(&call.provider) {
            true => Fate::Status(500, Duration::ZERO, None),
            false => Fate::Answer(Duration::ZERO),
        };
        let builder = Backstop::builder().transport(Simulated::new(fate)).config(config);
        let backstop = builder.learning(Arc::clone(&learning)).build().await.unwrap();
        Self { backstop, learning, notes, kept }
    }

    /// Asks, and returns what the strategy counts.
    async fn count(&self) -> u64 {
        let id = self.backstop.chat(ChatRequest::ask("hi")).await.unwrap().id;
        let record = self.backstop.explain(id).unwrap();
        let reason = record.steps.iter().find_map(|(_, event)| match event {
            Event::Decided { reason, .. } => reason.as_deref().and_then(|reason| reason.parse().ok()),
            _ => None,
        });
        reason.unwrap()
    }

    /// Waits until it has heard that so many were counted.
    async fn hears(&self, count: u64) {
        let began = Instant::now();
        while self.counted() != Some(count) {
            assert!(began.elapsed() < PATIENCE, "{:?} instead of {count}", self.counted());
            sleep(Duration::from_millis(10)).await;
        }
    }

    fn counted(&self) -> Option<u64> {
        let mut entries = self.kept.entries.lock().unwrap();
        for notebook in self.kept.changed.lock().unwrap().drain(..) {
            entries.extend(notebook.take());
        }
        let value = entries.get("count")?.as_deref()?;
        Some(u64::from_le_bytes(value.try_into().unwrap()))
    }

    /// Ends it, having told what it noted.
    fn end(self) {
        self.learning.settle();
        self.notes.close();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_instance_notes_the_others_have_within_a_second() {
    let redis = Redis::start().await;
    let (one, other) = (Instance::start(&redis, counting()).await, Instance::start(&redis, counting()).await);

    for expected in 1..=3 {
        assert_eq!(one.count().await, expected);
    }
    other.hears(3).await;
    assert_eq!(other.count().await, 4);
    one.hears(4).await;

    assert_eq!(one.count().await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_later_begins_with_what_others_have_noted() {
    let redis = Redis::start().await;
    let first = Instance::start(&redis, counting()).await;
    assert_eq!((first.count().await, first.count().await), (1, 2));
    first.end();

    let second = Instance::start(&redis, counting()).await;

    assert_eq!(second.count().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_goes_on_by_itself_while_the_store_is_away_and_the_later_word_counts_when_it_is_back() {
    let mut redis = Redis::start().await;
    let (one, other) = (Instance::start(&redis, counting()).await, Instance::start(&redis, counting()).await);
    assert_eq!(one.count().await, 1);
    other.hears(1).await;

    redis.kill();
    for expected in 2..=5 {
        assert_eq!(one.count().await, expected);
    }
    assert_eq!(other.counted(), Some(1));
    redis.restart();

    other.hears(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_has_lost_everything_is_told_it_again() {
    let mut redis = Redis::start().await;
    let (one, other) = (Instance::start(&redis, counting()).await, Instance::start(&redis, counting()).await);
    assert_eq!(one.count().await, 1);
    other.hears(1).await;

    redis.kill();
    redis.lose_everything();
    redis.restart();
    let began = Instant::now();
    while redis.cli(&["KEYS", "*notes*"]).is_empty() {
        assert!(began.elapsed() < PATIENCE, "nobody has told it anything");
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(other.count().await, 2);
    one.hears(2).await;
    let third = Instance::start(&redis, counting()).await;

    assert_eq!(third.count().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_at_once_and_learns_alone_where_there_is_no_store() {
    let mut redis = Redis::start().await;
    redis.kill();
    let began = Instant::now();

    let alone = Instance::start(&redis, counting()).await;

    assert_eq!((alone.count().await, alone.count().await), (1, 2));
    assert!(began.elapsed() < PATIENCE);
}

// D6 beside A11: what learns is of use to those that share.
#[tokio::test(flavor = "multi_thread")]
async fn whom_bandit_leaves_alone_at_one_instance_it_leaves_alone_at_another() {
    let redis = Redis::start().await;
    let mut config = two();
    config.routes.get_mut("default").unwrap().strategy = StrategyRef::BuiltIn("bandit");
    let firsts = async |instance: &Instance| {
        let mut firsts = BTreeMap::new();
        for _ in 0..60 {
            let id = instance.backstop.chat(ChatRequest::ask("hi")).await.unwrap().id;
            let first = instance.backstop.explain(id).unwrap().attempts[0].target.to_string();
            *firsts.entry(first).or_insert(0) += 1;
        }
        firsts
    };
    let is_down = |provider: &str| provider == "a";
    let first = Instance::start_where(is_down, &redis, config.clone()).await;
    firsts(&first).await;
    first.end();

    let asked = firsts(&Instance::start_where(is_down, &redis, config).await).await;

    // Who knows nothing asks both about equally often at first.
    assert!(asked.get("a/m").copied().unwrap_or(0) < 15, "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_of_the_program_has_what_the_last_one_noted_without_a_file_of_its_own() {
    let redis = Redis::start().await;
    let stage = Stage::new([("alpha", Answer::new("yes").into())]).await;
    std::fs::copy(prebuilt("witness"), stage.home().join("witness.wasm")).unwrap();
    let settings = format!(
        "[sandbox]\ncompile_time = \"60s\"\n\n[sandbox.grants]\n\"witness.wasm\" = [\"observe\", \"state\", \"content\", \"log\"]\n\n[store]\nshared = \"{}\"",
        redis.url()
    );
    let stage =
        stage.with_route("strategy = \"witness.wasm\"\noptions = { mode = \"count\" }").with_settings(&settings);

    let mut told = Vec::new();
    for _ in 0..2 {
        told.push(stage.backstop(["ask", "-v", "hi"]).run().await.stderr);
    }

    assert!(told[0].contains("strategy: 1"), "{}", told[0]);
    assert!(told[1].contains("strategy: 2"), "{}", told[1]);
}

/// A notebook with more in it than there may be.
struct Overfull {
    name: NotebookName,
    untold: Mutex<Vec<Change>>,
}

impl SharedPages for Overfull {
    fn name(&self) -> &NotebookName {
        &self.name
    }

    fn untold(&self) -> Vec<Change> {
        std::mem::take(&mut self.untold.lock().unwrap())
    }

    fn keep(&self, untold: Vec<Change>) {
        *self.untold.lock().unwrap() = untold;
    }

    fn hear(self: Arc<Self>, _: Vec<Change>) {}

    fn hear_all(self: Arc<Self>, _: Vec<Change>) {}

    fn tell_all(&self) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_no_more_keys_than_one_strategy_may_have_and_forgets_removed_ones() {
    let redis = Redis::start().await;
    let name = NotebookName { route: "default".into(), strategy: "x".into() };
    let change = |n, value: Option<&[u8]>| (format!("{n:05}"), value.map(<[u8]>::to_vec));
    let notes = SharedNotes::open(&redis.address()).unwrap();
    let tell = |untold: Vec<Change>| {
        notes.join(Arc::new(Overfull { name: name.clone(), untold: Mutex::new(untold) }));
    };

    tell((0..1_500).map(|n| change(n, Some(b"1"))).collect());
    let full = redis.cli(&["HLEN", "{backstop}:notes:7:default:x"]);
    tell((0..10_000).map(|n| change(n, None)).collect());

    let empty = redis.cli(&["HLEN", "{backstop}:notes:7:default:x"]);
    let remembered = redis.cli(&["ZCARD", "{backstop}:notes-order:7:default:x"]);
    // Beside the keys there are three fields of the store's own.
    assert_eq!([&*full, &*empty, &*remembered], ["1027", "3", "4096"]);
}
