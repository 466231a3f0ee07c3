//! Strategies in the languages there are projects for: written by `new`, tested by the language's own runner, built, checked,
//! asked. Their compilers must be there: `tests/languages/install` brings those for JavaScript and Python, the system's packages
//! that CONTRIBUTING.md names the others.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use backstop::config::{Config, ProviderConfig, SandboxConfig, StrategyRef};
use backstop::random::Random;
use backstop::scripted::{Reply, Script};
use backstop::strategy::{Strategy, StrategyHealth};
use backstop::types::{Ask, Decision};
use backstop::{Backstop, ChatRequest};
use backstop_tests::simulated::{Fate, SeenCall, Simulated};
use backstop_tests::{COMPILERS_PATIENCE, Cli, CliRun, Stage, compilers_path, drawn};
use serde_json::{Map, Value, json};

/// One language, by its name for `--lang`.
#[derive(Debug)]
struct Language {
    name: &'static str,
    /// The command that runs a project's own tests.
    tests: &'static [&'static str],
    /// What must be there, and who brings it.
    needs: &'static [(&'static str, &'static str)],
    built: OnceLock<PathBuf>,
}

const INSTALL: &str = "tests/languages/install";

static RUST: Language = Language::new("rust", &["cargo", "test", "--quiet"], &[("cargo", "rustup")]);
static JAVASCRIPT: Language =
    Language::new("js", &["npm", "test", "--silent"], &[("node", INSTALL), ("componentize-qjs", INSTALL)]);
static PYTHON: Language = Language::new("python", &["python3", "-m", "unittest"], &[("componentize-py", INSTALL)]);
static C: Language = Language::new(
    "c",
    &["make", "test"],
    &[
        ("make", "apt-get install make"),
        ("clang-16", "apt-get install --no-install-recommends clang-16 lld-16 wasi-libc libclang-rt-16-dev-wasm32"),
    ],
);

/// Where all projects are, and what was compiled of them; emptied when the tests begin.
static HOME: LazyLock<PathBuf> = LazyLock::new(|| {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("strategy_languages");
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home).unwrap();
    home
});

/// A run in which the compilers are found, and what is compiled is kept.
fn equipped(cli: Cli) -> Cli {
    cli.with_compilers(&HOME.join("cache"))
}

fn backstop(arguments: &[&str]) -> CliRun {
    equipped(Cli::new(&HOME, arguments.iter().copied())).run_blocking()
}

fn assert_ok(ran: &CliRun) {
    assert_eq!(ran.code, Some(0), "{ran:#?}");
}

impl Language {
    const fn new(
        name: &'static str,
        tests: &'static [&'static str],
        needs: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self { name, tests, needs, built: OnceLock::new() }
    }

    /// The component of a fresh project in this language, whose own tests have passed.
    fn component(&self) -> &Path {
        self.built.get_or_init(|| {
            self.require_compilers();
            let project = format!("brisk-{}", self.name);
            assert_ok(&backstop(&["strategy", "new", &project, "--lang", self.name]));
            let dir = HOME.join(&project);
            let (runner, arguments) = self.tests.split_first().unwrap();
            assert_ok(&equipped(Cli::of(Path::new(runner), &dir)).args(arguments.iter().copied()).run_blocking());
            let built = backstop(&["strategy", "build", &project]);
            assert_ok(&built);
            assert!(built.stdout.contains("no problem found"), "{built:#?}");
            dir.join(format!("{project}.wasm"))
        })
    }

    /// A test that cannot be made has failed.
    fn require_compilers(&self) {
        let is_there = |program: &str| env::split_paths(&compilers_path()).any(|folder| folder.join(program).exists());
        let missing: Vec<_> = self.needs.iter().filter(|(program, _)| !is_there(program)).collect();
        assert!(
            missing.is_empty(),
            "a strategy in {} cannot be built; missing, and who brings it: {missing:?}",
            self.name
        );
    }

    /// Builds a project, checks what came of it, and has it decide about a real request.
    async fn goes_all_the_way(&'static self, table: &str) {
        let component = tokio::task::spawn_blocking(|| self.component()).await.unwrap().display().to_string();
        let refused = Script::always(Reply::server_error());
        let stage = Stage::new([("alpha", refused), ("beta", Script::always(Reply::answer("from beta")))]).await;
        let stage = stage.with_settings(table);
        let run = |arguments: &[&str]| equipped(stage.backstop(arguments.iter().copied())).run();

        let checked = run(&["strategy", "check", &component, "--json"]).await;
        let answered = run(&["ask", "Why?", "--strategy", &component, "--verbose"]).await;

        let report = checked.json();
        assert_eq!((&report["passed"], &report["imports"]), (&json!(true), &json!([])), "{report:#}");
        assert_eq!(report["name"], format!("brisk-{}", self.name));
        assert_eq!(answered.answer(), "from beta", "{answered:#?}");
        assert!(answered.stderr.contains("quickest"), "{}", answered.stderr);
        assert_eq!(stage.attempts(), [1, 1], "each was asked once, as this strategy has it");
    }

    fn load(&'static self, options: &Map<String, Value>) -> Strategy {
        let source = StrategyRef::File(self.component().to_owned());
        Strategy::load(&source, &drawn::roster(6), options, &sandbox()).unwrap()
    }
}

/// Room for interpreters, and what was compiled by `build` at hand.
fn sandbox() -> SandboxConfig {
    let compile_cache = Some(HOME.join("cache/backstop/components"));
    SandboxConfig { compile_cache, compile_time: COMPILERS_PATIENCE, ..SandboxConfig::for_interpreters() }
}

const FOR_INTERPRETERS: &str = "[sandbox]\ninterpreters = true\ncompile_time = \"600s\"";

#[tokio::test]
async fn a_project_in_rust_goes_all_the_way_as_it_stands() {
    RUST.goes_all_the_way("").await;
}

#[tokio::test]
async fn a_project_in_javascript_goes_all_the_way_as_it_stands() {
    JAVASCRIPT.goes_all_the_way(FOR_INTERPRETERS).await;
}

#[tokio::test]
async fn a_project_in_python_goes_all_the_way_as_it_stands() {
    PYTHON.goes_all_the_way(FOR_INTERPRETERS).await;
}

#[tokio::test]
async fn a_project_in_c_goes_all_the_way_as_it_stands() {
    C.goes_all_the_way("").await;
}

// RELIABILITY 62: the projects are one strategy in four languages, which is the best oracle there is.
#[test]
fn all_languages_give_the_same_answers_to_4_000_questions_asked_again() {
    let random = Random::seeded(3);
    let asks: Vec<_> = (0..4_000).map(|_| drawn::ask(&random, 6)).collect();

    let as_they_come = all_answer(&asks, &Map::new());
    let with_an_option = all_answer(&asks, &Map::from_iter([("reserve".to_owned(), json!(0.9))]));

    assert_ne!(as_they_come, with_an_option, "the option has its effect");
}

/// What every language decides with these options, which is the same.
fn all_answer(asks: &[Ask], options: &Map<String, Value>) -> Vec<Decision> {
    let answers = [&RUST, &JAVASCRIPT, &PYTHON, &C].map(|language| {
        let (one, other) = (language.load(options), language.load(options));
        let first: Vec<_> = asks.iter().map(|ask| one.decide(ask).unwrap()).collect();
        let second: Vec<_> = asks.iter().rev().map(|ask| other.decide(ask).unwrap()).collect();
        assert!(first.iter().eq(second.iter().rev()), "{}", language.name);
        first
    });
    for (place, ask) in asks.iter().enumerate() {
        let [rust, others @ ..] = answers.each_ref().map(|answers| &answers[place]);
        assert!(others.iter().all(|other| *other == rust), "{rust:?}, {others:?}: {ask:?}");
    }
    let [rust, ..] = answers;
    rust
}

// RELIABILITY 63: what carries an interpreter is compiled where the operator says so, in one line, and nowhere else.
#[test]
fn names_the_line_that_lets_an_interpreter_in() {
    let component = PYTHON.component().display().to_string();
    let dir = HOME.join("strict");
    fs::create_dir_all(&dir).unwrap();
    let check = || equipped(Cli::new(&dir, ["strategy", "check", &component])).run_blocking();

    let refused = check();
    fs::write(dir.join("backstop.toml"), "[sandbox]\ninterpreters = true\n").unwrap();
    let taken = check();

    assert_eq!(refused.code, Some(1), "{refused:#?}");
    assert!(refused.stderr.contains("set `sandbox.interpreters = true`"), "{}", refused.stderr);
    assert_ok(&taken);
}

/// A strategy that does what a request's label says, and else what the project's own does.
const MISBEHAVING_JAVASCRIPT: &str = r#"
import { about, choose as own } from "./strategy.js";

const kept = [];
const recurse = (n) => recurse(n + 1) + 1;
let asked = 0;

export { about };
export const choose = {
  configure: own.configure,
  next(ask) {
    const [, mode] = ask.labels.find(([name]) => name === "mode") ?? [];
    if (mode === "loop") for (;;) asked++;
    if (mode === "grow") for (;;) kept.push(new Uint8Array(1 << 20));
    if (mode === "recurse") return recurse(0);
    if (mode === "throw") throw new Error("no");
    if (mode === "clock") return { verdict: { tag: "attempt", val: { target: Date.now() % 2, afterMs: 0 } }, note: [] };
    if (mode === "nothing") return {};
    if (mode === "nobody") return { verdict: { tag: "attempt", val: { target: 9, afterMs: 0 } }, note: [] };
    if (mode === "no number") return { verdict: { tag: "attempt", val: { target: "first", afterMs: 0 } }, note: [] };
    if (mode === "long note") return { verdict: { tag: "give-up" }, note: new Uint8Array(1 << 20) };
    return own.next(ask);
  },
};
"#;

/// The same in Python, behind the project's own.
const MISBEHAVING_PYTHON: &str = r#"
import time

Own, kept = Choose, []


def recurse(n):
    return recurse(n + 1) + 1


class Choose(Own):
    def next(self, ask):
        mode = dict(ask.labels).get("mode")
        while mode == "loop":
            pass
        while mode == "grow":
            kept.append(bytearray(1 << 20))
        if mode == "recurse":
            return recurse(0)
        if mode == "throw":
            raise ValueError("no")
        if mode == "clock":
            return Decision(Verdict_Attempt(Attempt(int(time.time()) % 2, 0, None, None)), None, b"")
        if mode == "nothing":
            return None
        if mode == "nobody":
            return Decision(Verdict_Attempt(Attempt(9, 0, None, None)), None, b"")
        if mode == "no number":
            return Decision(Verdict_Attempt(Attempt("first", 0, None, None)), None, b"")
        if mode == "long note":
            return Decision(Verdict_GiveUp(), None, bytes(1 << 20))
        return super().next(ask)
"#;

/// The same in C, behind the project's own, whose `next` is called `own_next`.
const MISBEHAVING_C: &str = r#"
static volatile uint32_t asked;

static uint32_t recurse(uint32_t n) {
  volatile uint32_t kept[64] = {n};
  return recurse(n + 1) + kept[n % 64];
}

void exports_backstop_strategy_choose_next(exports_backstop_strategy_choose_ask_t *ask,
                                           exports_backstop_strategy_choose_decision_t *ret) {
  char mode[16] = "";
  for (size_t i = 0; i < ask->labels.len; i++) {
    described_strategy_string_t text = ask->labels.ptr[i].f1;
    memcpy(mode, text.ptr, text.len < 15 ? text.len : 15);
  }
  own_next(ask, ret);
  if (strcmp(mode, "loop") == 0) for (;;) asked++;
  if (strcmp(mode, "grow") == 0) for (;;) *(volatile char *)malloc(1 << 20) = 1;
  if (strcmp(mode, "recurse") == 0) asked = recurse(0);
  if (strcmp(mode, "abort") == 0) abort();
  if (strcmp(mode, "nobody") == 0) ret->verdict.val.attempt.target = 9;
  if (strcmp(mode, "wild pointer") == 0) ret->reason.val = (described_strategy_string_t){(uint8_t *)0xfffffff0, 64};
  if (strcmp(mode, "not UTF-8") == 0) ret->reason.val.ptr[0] = 0xff;
  if (strcmp(mode, "long note") == 0) ret->note.ptr = malloc(1 << 20), ret->note.len = 1 << 20;
}
"#;

/// The component of a project in which something was changed, and was not found fit, perhaps.
fn changed(language: &Language, project: &str, change: impl FnOnce(&Path)) -> PathBuf {
    language.require_compilers();
    assert_ok(&backstop(&["strategy", "new", project, "--lang", language.name]));
    let dir = HOME.join(project);
    change(&dir);
    let _ = backstop(&["strategy", "build", project]);
    dir.join(format!("{project}.wasm"))
}

/// The component of a JavaScript project with this in place of its strategy.
fn javascript(project: &str, main: &str) -> PathBuf {
    changed(&JAVASCRIPT, project, |dir| {
        fs::write(dir.join("main.js"), main).unwrap();
        let package = fs::read_to_string(dir.join("package.json")).unwrap();
        let package = package.replace(r#""main": "strategy.js""#, r#""main": "main.js""#);
        fs::write(dir.join("package.json"), package).unwrap();
    })
}

async fn with_strategy<F>(component: PathBuf, transport: &Arc<Simulated<F>>) -> Backstop
where
    F: Fn(&SeenCall, usize) -> Fate + Send + Sync + 'static,
{
    let mut config = Config::new();
    for name in ["a", "b"] {
        let url = format!("https://{name}.invalid/v1").parse().unwrap();
        let provider =
            ProviderConfig::openai_compatible(url).with_model("m").with_key("TEST_KEY", "sk-canary-4f1c0d5e77a9");
        config.providers.insert(name.to_owned(), provider);
    }
    config.sandbox = sandbox();
    let transport: Arc<Simulated<F>> = Arc::clone(transport);
    let builder = Backstop::builder().config(config).transport(transport).seed(4);
    builder.strategy(&component.display().to_string()).build().await.unwrap()
}

/// Asks once in each of the ways to misbehave, and once more.
async fn answers_whatever_it_does(component: PathBuf, modes: &[&str]) {
    for &mode in modes {
        let transport = Simulated::new(|_, _| Fate::Answer(Duration::ZERO));
        let backstop = with_strategy(component.clone(), &transport).await;

        backstop.chat(ChatRequest::ask("hi").with_label("mode", mode)).await.expect(mode);

        // Declared order decided in its place, once; the next request is the strategy's again.
        assert_eq!(transport.count("a"), 1, "{mode}");
        assert_eq!(
            backstop.routes()[0].health,
            StrategyHealth { faults: 1, in_a_row: 1, quarantined: false },
            "{mode}"
        );
        backstop.chat(ChatRequest::ask("hi")).await.expect(mode);
        assert_eq!(backstop.routes()[0].health.in_a_row, 0, "{mode}");
    }
}

/// Asks until it is left alone, and loads it again.
async fn is_left_alone_after_five_faults(component: PathBuf) {
    let transport = Simulated::new(|_, _| Fate::Answer(Duration::ZERO));
    let backstop = with_strategy(component, &transport).await;

    for _ in 0..7 {
        backstop.chat(ChatRequest::ask("hi").with_label("mode", "loop")).await.unwrap();
    }
    let health = backstop.routes()[0].health;
    backstop.reload_strategy("default").await.unwrap();

    assert_eq!(health, StrategyHealth { faults: 5, in_a_row: 5, quarantined: true });
    assert_eq!(transport.count("a"), 7);
    assert!(!backstop.routes()[0].health.quarantined);
}

// RELIABILITY 57 to 59, 61
#[tokio::test(start_paused = true)]
async fn answers_the_request_whatever_a_strategy_in_javascript_does() {
    let component = javascript("misbehaving", MISBEHAVING_JAVASCRIPT);
    let modes = ["loop", "grow", "recurse", "throw", "clock", "nothing", "nobody", "no number", "long note"];

    answers_whatever_it_does(component.clone(), &modes).await;

    is_left_alone_after_five_faults(component).await;
}

// RELIABILITY 57 to 59, 61
#[tokio::test(start_paused = true)]
async fn answers_the_request_whatever_a_strategy_in_python_does() {
    let component = changed(&PYTHON, "misbehaving-python", |dir| {
        let own = fs::read_to_string(dir.join("strategy.py")).unwrap();
        fs::write(dir.join("strategy.py"), own + MISBEHAVING_PYTHON).unwrap();
    });
    let modes = ["loop", "grow", "recurse", "throw", "clock", "nothing", "nobody", "no number", "long note"];

    answers_whatever_it_does(component.clone(), &modes).await;

    is_left_alone_after_five_faults(component).await;
}

// RELIABILITY 57 to 59, 61
#[tokio::test(start_paused = true)]
async fn answers_the_request_whatever_a_strategy_in_c_does() {
    let component = changed(&C, "misbehaving-c", |dir| {
        let own = fs::read_to_string(dir.join("strategy.c")).unwrap();
        let own = own.replace("void exports_backstop_strategy_choose_next(", "static void own_next(");
        fs::write(dir.join("strategy.c"), own + MISBEHAVING_C).unwrap();
    });
    let modes = ["loop", "grow", "recurse", "abort", "nobody", "wild pointer", "not UTF-8", "long note"];

    answers_whatever_it_does(component.clone(), &modes).await;

    is_left_alone_after_five_faults(component).await;
}

#[test]
fn finds_a_strategy_that_remembers() {
    let counting = r#"
        export { about } from "./strategy.js";
        let asked = 0;
        export const choose = {
          configure() {},
          next: (ask) => ({ verdict: { tag: "attempt", val: { target: asked++ % ask.states.length, afterMs: 0 } }, note: [] }),
        };
    "#;
    let component = javascript("remembering", counting).display().to_string();
    fs::write(HOME.join("interpreters.toml"), FOR_INTERPRETERS).unwrap();

    let checked = backstop(&["--config", "interpreters.toml", "strategy", "check", &component, "--json"]);

    assert_eq!(checked.code, Some(1), "{checked:#?}");
    assert!(checked.stdout.contains("gave two answers to the same question: target "), "{}", checked.stdout);
}

#[test]
fn says_what_to_install_where_a_compiler_is_missing() {
    for (language, says) in [
        ("js", "npm install --save-dev componentize-qjs@"),
        ("python", ".venv/bin/pip install componentize-py=="),
        ("c", "apt-get install -y --no-install-recommends clang-16"),
    ] {
        let project = format!("lacking-{language}");
        assert_ok(&backstop(&["strategy", "new", &project, "--lang", language]));

        let lacking = Cli::new(&HOME, ["strategy", "build", &project]).env("PATH", "/nowhere").run_blocking();

        assert_eq!(lacking.code, Some(1), "{lacking:#?}");
        assert!(lacking.stderr.contains(says), "{}", lacking.stderr);
    }
}

#[test]
fn overwrites_nothing() {
    let dir = HOME.join("mine");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("strategy.py"), "mine").unwrap();

    let refused = backstop(&["strategy", "new", "other", "--lang", "python", "--path", "mine"]);

    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(refused.stderr.contains("mine/strategy.py is there already"), "{}", refused.stderr);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(dir.join("strategy.py")).unwrap(), "mine");
}

#[test]
fn names_what_is_wrong_with_a_name_and_what_would_do() {
    let refused = backstop(&["strategy", "new", "../My Strategy", "--lang", "c"]);

    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(refused.stderr.contains("such as `my-strategy`"), "{}", refused.stderr);
}
