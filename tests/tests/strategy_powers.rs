//! What a strategy may have beyond its question: refused where it was not granted, true where it was, and bounded whatever it does
//! with it. The guest is `witness`, which tells all it sees.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstop::accounting::store::{Keep, Store};
use backstop::accounting::{Archive, Changes, NotebookName};
use backstop::config::{BreakerConfig, Config, OnInterrupt, Power, Powers, ProviderConfig, StrategyRef};
use backstop::scripted::{Answer, Fault, Place, Reply, ScriptedProvider};
use backstop::strategy::{Learning, StrategyHealth};
use backstop::types::{AlertKind, Event, Price, StateRead};
use backstop::{Backstop, BuildError, ChatRequest};
use backstop_tests::simulated::{Fate, SeenCall, Simulated};
use backstop_tests::{Served, Stage, post};
use serde_json::json;

const AT_ONCE: Duration = Duration::ZERO;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn prebuilt(guest: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../guest-strategies/prebuilt").join(guest).with_extension("wasm")
}

fn all_powers() -> Powers {
    Power::ALL.into_iter().collect()
}

/// Providers `a` and `b` at a thousandth of a cent a token, under `witness` with some powers.
fn config(powers: Powers) -> Config {
    let mut config = Config::new();
    for name in ["a", "b"] {
        let url = format!("https://{name}.invalid/v1").parse().unwrap();
        let provider = ProviderConfig::openai_compatible(url)
            .with_model("m")
            .with_price(Price::flat_per_1k("0.01".parse().unwrap()));
        config.providers.insert(name.to_owned(), provider);
    }
    granting(config, powers)
}

fn granting(mut config: Config, powers: Powers) -> Config {
    let strategy = StrategyRef::File(prebuilt("witness"));
    config.sandbox = config.sandbox.with_grant(strategy.clone(), powers);
    config.sandbox.compile_time = Duration::from_secs(60);
    config.sandbox.compile_cache = Some(std::env::temp_dir().join("backstop-test-components"));
    config.retries.hedges = 1.0;
    config.breaker = BreakerConfig { failures: 0, success_rate: 0.0, ..BreakerConfig::default() };
    config.routes.get_mut("default").unwrap().strategy = strategy;
    config
}

fn with_mode(mut config: Config, mode: &str) -> Config {
    config.routes.get_mut("default").unwrap().options = json!({"mode": mode}).as_object().unwrap().clone();
    config
}

/// What strategies noted, in memory, and whoever has changed it.
#[derive(Default)]
struct Notes {
    changed: Mutex<Vec<Arc<dyn Changes>>>,
    noted: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Archive for Notes {
    fn entries(&self, _: &NotebookName) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }

    fn changed(&self, notebook: Arc<dyn Changes>) -> bool {
        self.changed.lock().unwrap().push(notebook);
        true
    }
}

impl Notes {
    fn all(&self) -> BTreeMap<String, Vec<u8>> {
        let mut noted = self.noted.lock().unwrap();
        for notebook in self.changed.lock().unwrap().drain(..) {
            for (key, value) in notebook.take() {
                match value {
                    Some(value) => noted.insert(key, value),
                    None => noted.remove(&key),
                };
            }
        }
        noted.clone()
    }

    /// The outcomes `witness` was told, in order.
    fn outcomes(&self) -> Vec<String> {
        let notes = self.all().into_iter().filter(|(key, _)| key.starts_with("outcome "));
        notes.map(|(_, told)| String::from_utf8(told).unwrap()).collect()
    }
}

/// A backstop that learns, and what it has learnt.
struct Learner {
    backstop: Backstop,
    learning: Arc<Learning>,
    notes: Arc<Notes>,
}

impl Learner {
    async fn new<F>(config: Config, fate: F) -> Self
    where
        F: Fn(&SeenCall, usize) -> Fate + Send + Sync + 'static,
    {
        Self::of(Backstop::builder().transport(Simulated::new(fate)), config).await
    }

    async fn of(builder: backstop::client::Builder, config: Config) -> Self {
        let notes = Arc::new(Notes::default());
        let learning = Arc::new(Learning::kept_in(notes.clone()));
        let backstop = builder.config(config).seed(7).learning(Arc::clone(&learning)).build().await.unwrap();
        Self { backstop, learning, notes }
    }

    fn outcomes(&self) -> Vec<String> {
        self.learning.settle();
        self.notes.outcomes()
    }

    fn health(&self) -> StrategyHealth {
        self.backstop.routes()[0].health
    }
}

async fn reason(backstop: &Backstop, request: ChatRequest) -> (String, Option<StateRead>) {
    let id = backstop.chat(request).await.unwrap().id;
    let record = backstop.explain(id).unwrap();
    let mut steps = record.steps.iter();
    let decided = steps.find_map(|(_, event)| match event {
        Event::Decided { reason, state, .. } => Some((reason.clone().unwrap_or_default(), state.clone())),
        _ => None,
    });
    decided.unwrap()
}

// A14, F4, RELIABILITY 60
#[tokio::test]
async fn refuses_a_power_that_was_not_granted_and_names_the_line_that_grants_it() {
    for missing in [Power::Observe, Power::State, Power::Content, Power::Log] {
        let granted: Powers = Power::ALL.into_iter().filter(|power| *power != missing).collect();
        let built = Backstop::builder().config(config(granted)).build().await;

        let error = built.err().unwrap();

        let BuildError::Strategy { source, .. } = error else { panic!("{error}") };
        let verb = if missing == Power::Observe { "exports" } else { "imports" };
        let (name, path) = (missing.name(), prebuilt("witness"));
        let expected = format!(
            "it {verb} `backstop:strategy/{name}@1.0.0`, a power that it was not granted: write \
             `{path:?} = [\"observe\", \"state\", \"content\", \"log\"]` under `[sandbox.grants]`"
        );
        assert_eq!(source.to_string(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn tells_of_a_failure_and_of_the_answer_after_it() {
    let learner = Learner::new(config(all_powers()), |call, _| match &*call.provider {
        "a" => Fate::Status(500, ms(30), None),
        _ => Fate::Answer(ms(50)),
    })
    .await;

    learner.backstop.chat(ChatRequest::ask("hi").with_label("context", "quiz")).await.unwrap();

    let told = learner.outcomes();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].starts_with("0 a/m Failed(ServerError) took 30 first None cost Some("), "{}", told[0]);
    assert_eq!(
        told[1],
        "0 b/m Served took 50 first None cost Some(0.00011) tokens (Some(10), Some(1)) streaming false \
         labels [(\"context\", \"quiz\")]"
    );
}

#[tokio::test(start_paused = true)]
async fn tells_of_a_hedge_and_of_the_one_it_outran() {
    let learner = Learner::new(config(all_powers()), |call, _| match &*call.provider {
        "a" => Fate::Answer(ms(5_000)),
        _ => Fate::Answer(ms(200)),
    })
    .await;

    learner.backstop.chat(ChatRequest::ask("hi")).await.unwrap();

    let told = learner.outcomes();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].starts_with("0 a/m Outrun took 300 first None cost Some("), "{}", told[0]);
    assert!(told[1].starts_with("0 b/m Served took 200 first None cost Some(0.00011)"), "{}", told[1]);
}

#[tokio::test(start_paused = true)]
async fn tells_of_a_caller_who_went_away() {
    let learner = Learner::new(config(all_powers()), |call, _| match &*call.provider {
        "a" => Fate::Answer(ms(60)),
        _ => Fate::Silence,
    })
    .await;

    let impatient = tokio::time::timeout(ms(50), learner.backstop.chat(ChatRequest::ask("hi"))).await;
    let mut stream = learner.backstop.stream(ChatRequest::ask("hi")).await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);

    assert!(impatient.is_err());
    let told = learner.outcomes();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].starts_with("0 a/m Abandoned took 50 first None cost Some("), "{}", told[0]);
    assert!(told[1].starts_with("1 a/m Abandoned took 60 first Some(60) cost Some("), "{}", told[1]);
    assert!(told[1].contains("streaming true"), "{}", told[1]);
}

#[tokio::test(start_paused = true)]
async fn tells_of_a_request_that_ran_out_of_its_own_time_as_nobodys_fault() {
    let learner = Learner::new(config(all_powers()), |_, _| Fate::Silence).await;

    let request = ChatRequest::ask("hi").with_deadline(ms(70));
    learner.backstop.chat(request).await.unwrap_err();

    let told = learner.outcomes();
    assert!(told.iter().all(|told| told.contains(" Abandoned took ")) && !told.is_empty(), "{told:#?}");
}

#[tokio::test]
async fn tells_of_a_stream_that_was_cut_and_of_one_that_came_to_its_end() {
    let cut = Reply::from(Answer::new("one two three four").usage(9, 4)).at(Place::AfterTokens(2), Fault::Reset);
    let (a, b) =
        (ScriptedProvider::start(cut).await.unwrap(), ScriptedProvider::start(Answer::new("yes")).await.unwrap());
    let mut config = Config::new();
    for (name, provider) in [("a", &a), ("b", &b)] {
        let provider = ProviderConfig::openai_compatible(provider.base_url()).with_model("m");
        config.providers.insert(name.to_owned(), provider);
    }
    let mut config = granting(config, all_powers());
    config.retries.hedges = 0.0;
    config.routes.get_mut("default").unwrap().on_interrupt = OnInterrupt::Fail;
    let learner = Learner::of(Backstop::builder(), config).await;

    let mut broken = learner.backstop.stream(ChatRequest::ask("hi")).await.unwrap();
    while let Some(Ok(_)) = broken.next().await {}
    let mut whole = learner.backstop.stream(ChatRequest::ask("hi").with_provider("b")).await.unwrap();
    while let Some(chunk) = whole.next().await {
        chunk.unwrap();
    }

    let told = learner.outcomes();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].starts_with("0 a/m Failed(Interrupted) ") && told[0].contains(" first Some("), "{}", told[0]);
    assert!(told[1].starts_with("1 b/m Served ") && told[1].contains(" first Some("), "{}", told[1]);
}

#[tokio::test(start_paused = true)]
async fn shows_what_the_caller_sent_to_those_who_may_see_it() {
    let learner = Learner::new(config(all_powers()), |_, _| Fate::Answer(AT_ONCE)).await;

    let request = ChatRequest::new().with_message("system", "be brief").with_message("user", "what is \u{1F600}?");
    let (said, _) = reason(&learner.backstop, request).await;

    assert_eq!(said, "2 messages, user of 13 bytes: what is \u{1F600}?");
}

#[tokio::test(start_paused = true)]
async fn remembers_across_instances_and_reloads_and_keeps_what_was_read_in_the_record() {
    let config = with_mode(config(all_powers()), "count");
    let learner = Learner::new(config.clone(), |_, _| Fate::Answer(AT_ONCE)).await;
    let counted = async || reason(&learner.backstop, ChatRequest::ask("hi")).await;

    let (first, _) = counted().await;
    learner.backstop.reload_strategy("default").await.unwrap();
    let (second, _) = counted().await;
    learner.backstop.reload(config).await.unwrap();
    let (third, read) = counted().await;

    assert_eq!([first, second, third], ["1", "2", "3"]);
    let read = read.unwrap();
    assert_eq!((&*read.entries[0].key, read.entries[0].value.as_deref()), ("count", Some("0200000000000000")));
    assert!(!read.cut);
}

#[tokio::test(flavor = "multi_thread")]
async fn remembers_across_restarts_where_there_is_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let mut counts = Vec::new();
    for _ in 0..2 {
        let keep = Keep { requests: 10, time: Duration::from_secs(60) };
        let store = Arc::new(Store::open(&folder.path().join("store.db"), keep).unwrap());
        let learning = Arc::new(Learning::kept_in(store.clone()));
        let builder = Backstop::builder().transport(Simulated::new(|_, _| Fate::Answer(AT_ONCE)));
        let config = with_mode(config(all_powers()), "count");
        let backstop = builder.config(config).learning(Arc::clone(&learning)).build().await.unwrap();

        for _ in 0..3 {
            counts.push(reason(&backstop, ChatRequest::ask("hi")).await.0);
        }
        learning.settle();
        store.close();
    }

    assert_eq!(counts, ["1", "2", "3", "4", "5", "6"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn is_told_to_the_last_outcome_also_when_it_decides_no_more() {
    let Learner { backstop, learning, notes } = Learner::new(config(all_powers()), |_, _| Fate::Answer(AT_ONCE)).await;
    for _ in 0..500 {
        backstop.chat(ChatRequest::ask("hi")).await.unwrap();
    }

    drop(backstop);
    learning.settle();

    assert_eq!(notes.outcomes().len(), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn remembers_from_one_run_of_the_program_to_the_next() {
    let stage = Stage::new([("alpha", Answer::new("yes").into())]).await;
    std::fs::copy(prebuilt("witness"), stage.home().join("witness.wasm")).unwrap();
    let stage = stage
        .with_route("strategy = \"witness.wasm\"\noptions = { mode = \"count\" }")
        .with_settings("[sandbox]\ncompile_time = \"60s\"\n\n[sandbox.grants]\n\"witness.wasm\" = [\"observe\", \"state\", \"content\", \"log\"]\n\n[store]\npath = \"store.db\"");

    let mut told = Vec::new();
    for _ in 0..2 {
        let ran = stage.backstop(["ask", "-v", "hi"]).run().await;
        told.push(ran.stderr);
    }

    assert!(told[0].contains("strategy: 1"), "{}", told[0]);
    assert!(told[1].contains("strategy: 2"), "{}", told[1]);
}

#[tokio::test(start_paused = true)]
async fn counts_each_of_many_requests_at_once_exactly_once() {
    let learner = Learner::new(with_mode(config(all_powers()), "count"), |_, _| Fate::Answer(ms(5))).await;

    let asked = (0..200).map(|_| reason(&learner.backstop, ChatRequest::ask("hi")));
    let mut counted: Vec<u32> =
        futures_util::future::join_all(asked).await.iter().map(|(count, _)| count.parse().unwrap()).collect();

    counted.sort_unstable();
    assert!(counted.into_iter().eq(1..=200));
}

// F4, RELIABILITY 57 and 58, W20
#[tokio::test(start_paused = true)]
async fn holds_a_strategy_that_writes_a_million_keys_or_reads_and_logs_without_end() {
    for mode in ["flood-state", "flood-log", "flood-content"] {
        let learner = Learner::new(with_mode(config(all_powers()), mode), |_, _| Fate::Answer(AT_ONCE)).await;

        let answer = learner.backstop.chat(ChatRequest::ask(&"long ".repeat(1_000))).await.unwrap();

        let record = learner.backstop.explain(answer.id).unwrap();
        let fault = record.steps.iter().find_map(|(_, event)| match event {
            Event::StrategyFault { message } => Some(message.clone()),
            _ => None,
        });
        assert!(fault.is_some_and(|fault| fault.starts_with("ran out of fuel")), "{mode}");
        assert_eq!(learner.health(), StrategyHealth { faults: 1, in_a_row: 1, quarantined: false }, "{mode}");
        learner.learning.settle();
        let kept = learner.notes.all();
        let bytes: usize = kept.iter().map(|(key, value)| key.len() + value.len()).sum();
        assert!(kept.len() <= 1_024 && bytes <= 256 << 10, "{mode}: {} keys", kept.len());
        assert_eq!(kept.len() == 1_024, mode == "flood-state", "{mode}: {} keys", kept.len());
    }
}

// RELIABILITY 61
#[tokio::test(start_paused = true)]
async fn quarantines_a_strategy_that_fails_on_five_outcomes_and_loses_no_request() {
    for mode in ["trap-on-outcome", "loop-on-outcome"] {
        let learner = Learner::new(with_mode(config(all_powers()), mode), |_, _| Fate::Answer(AT_ONCE)).await;

        for _ in 0..6 {
            learner.backstop.chat(ChatRequest::ask("hi")).await.unwrap();
            learner.learning.settle();
        }
        learner.backstop.chat(ChatRequest::ask("hi")).await.unwrap();

        assert_eq!(learner.health(), StrategyHealth { faults: 5, in_a_row: 5, quarantined: true }, "{mode}");
        let alerts = learner.backstop.alerts();
        let raised = alerts.iter().filter(|alert| alert.kind == AlertKind::StrategyQuarantined).count();
        assert_eq!(raised, 1, "{mode}");
        assert_eq!(learner.backstop.stats().failed_requests, 0, "{mode}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn writes_a_strategys_lines_into_the_log_without_their_colours_and_not_all_of_them() {
    for (mode, expected) in [("ansi-log", 3), ("flood-log", 50)] {
        let stage = Stage::new([("alpha", Answer::new("yes").into())]).await;
        std::fs::copy(prebuilt("witness"), stage.home().join("witness.wasm")).unwrap();
        let stage = stage
            .with_route(&format!("strategy = \"witness.wasm\"\noptions = {{ mode = \"{mode}\" }}"))
            .with_settings("[sandbox]\ncompile_time = \"60s\"\n\n[sandbox.grants]\n\"witness.wasm\" = [\"observe\", \"state\", \"content\", \"log\"]");
        let gateway = Served::start(&stage).await;
        let body = json!({"messages": [{"role": "user", "content": "hi"}]}).to_string();
        for _ in 0..3 {
            gateway.send(&post(&body, &[])).await;
        }

        let log = gateway.stopped().await;

        assert!(!log.contains('\u{1b}') && !log.contains('\u{202e}'), "{log}");
        let lines: Vec<_> = log.lines().filter(|line| line.contains("strategy says: ")).collect();
        let own = lines.iter().filter(|line| line.contains("level=error second line") || line.contains(": line "));
        let count = own.count();
        // The gateway's own time goes on between two requests, and makes room for a line now and then.
        assert!((expected..expected + 20).contains(&count), "{mode}: {count} lines\n{log}");
    }
}
