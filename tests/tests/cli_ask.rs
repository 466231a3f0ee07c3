//! `backstop ask`, as a person at a terminal has it, against providers that really fail.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use backstop::scripted::{Answer, Fault, Place, Reply, Script, ScriptedProvider};
use backstop_tests::{Cli, CliRun, Stage, backstop_binary, situations};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Flags under which repeating costs a test no time.
const AT_ONCE: [&str; 3] = ["--base-delay", "0.01", "--disable-jitter"];

/// A stage of one provider.
async fn one(script: impl Into<Script>) -> Stage {
    Stage::new([("alpha", script.into())]).await
}

/// A stage of two providers.
async fn two(alpha: impl Into<Script>, beta: impl Into<Script>) -> Stage {
    Stage::new([("alpha", alpha.into()), ("beta", beta.into())]).await
}

/// Replaces the configuration by these providers, given with the lines of their tables.
fn configure(stage: &Stage, providers: &[(&str, &str)], more: &str) {
    let tables = providers.iter().map(|(name, lines)| {
        let (url, variable) = (stage.provider(name).base_url(), name.to_uppercase());
        format!("[providers.{name}]\nkind = \"openai\"\nbase_url = \"{url}\"\napi_key_env = \"{variable}_API_KEY\"\n{lines}\n")
    });
    std::fs::write(stage.config_file(), tables.collect::<String>() + more).unwrap();
}

/// Starts a command and leaves it running.
fn start(stage: &Stage, args: &[&str]) -> Child {
    let mut command = Command::new(backstop_binary());
    command.current_dir(stage.home()).env_clear().env("HOME", stage.home()).env("ALPHA_API_KEY", Stage::key("alpha"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Reads the first bytes a running command writes.
fn first_bytes(child: &mut Child) -> [u8; 3] {
    let mut first = [0; 3];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    first
}

fn answer(text: &str) -> Script {
    Script::always(Reply::answer(text))
}

fn last_body(provider: &ScriptedProvider) -> Value {
    provider.last_call().unwrap().body
}

fn assert_code(ran: &CliRun, code: i32) {
    assert_eq!(ran.code, Some(code), "{ran:#?}");
}

#[tokio::test]
async fn shows_the_answer_and_nothing_else() {
    let stage = one(answer("Paris, of course")).await;

    let ran = stage.backstop(["ask", "Capital", "of", "France?"]).run().await;

    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "Paris, of course\n", ""));
    let body = last_body(stage.provider("alpha"));
    assert_eq!(body["messages"], json!([{"role": "user", "content": "Capital of France?"}]));
    assert_eq!((&body["max_tokens"], &body["stream"]), (&json!(500), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_tokens_as_they_come() {
    let stage = one(Script::always(Answer::new("one two three").every(Duration::from_millis(300)))).await;
    let mut child = start(&stage, &["ask", "Count"]);

    let first = first_bytes(&mut child);

    assert_eq!(&first, b"one");
    assert!(child.try_wait().unwrap().is_none(), "the whole answer had come before its first word was shown");
    assert_eq!(child.wait_with_output().unwrap().stdout, b" two three\n");
}

#[tokio::test]
async fn takes_the_question_from_standard_input() {
    let stage = one(answer("yes")).await;

    for (args, input, asked) in [
        (vec!["ask"], "Is it?\n", "Is it?"),
        (vec!["ask", "-"], "Is it?\n", "Is it?"),
        (vec!["ask", "Sum up:", "-"], "one\ntwo\n", "Sum up:\n\none\ntwo"),
    ] {
        assert_code(&stage.backstop(args).stdin(input).run().await, 0);
        assert_eq!(last_body(stage.provider("alpha"))["messages"][0]["content"], asked);
    }
}

#[tokio::test]
async fn carries_every_wish_to_the_provider() {
    let stage = one(answer("yes")).await;
    let args = ["ask", "Why?", "--system", "Be brief.", "--temperature", "0.1", "--max-tokens", "7", "--no-stream"];

    assert_code(&stage.backstop(args).run().await, 0);

    let body = last_body(stage.provider("alpha"));
    assert_eq!(body["messages"][0], json!({"role": "system", "content": "Be brief."}));
    assert_eq!((&body["temperature"], &body["max_tokens"]), (&json!(0.1), &json!(7)));
    assert!(body.get("stream").is_none_or(|stream| *stream == json!(false)));
}

#[tokio::test]
async fn applies_a_purpose_by_name() {
    let stage = one(answer("{}")).await;

    assert_code(&stage.backstop(["ask", "Spam?", "--purpose", "moderation"]).run().await, 0);

    let body = last_body(stage.provider("alpha"));
    assert_eq!(body["temperature"].as_f64(), Some(0.0));
    assert_eq!(body["response_format"], json!({"type": "json_object"}));
}

#[tokio::test]
async fn uses_a_providers_own_defaults_unless_the_request_says_otherwise() {
    let stage = one(answer("yes")).await;
    configure(&stage, &[("alpha", "models = [\"a\"]\ntemperature = 0.3\nmax_tokens = 77\n")], "");

    assert_code(&stage.backstop(["ask", "Why?"]).run().await, 0);
    let by_default = last_body(stage.provider("alpha"));
    assert_code(&stage.backstop(["ask", "Why?", "--max-tokens", "9", "--temperature", "1"]).run().await, 0);
    let by_wish = last_body(stage.provider("alpha"));

    assert_eq!((&by_default["temperature"], &by_default["max_tokens"]), (&json!(0.3), &json!(77)));
    assert_eq!((by_wish["temperature"].as_f64(), &by_wish["max_tokens"]), (Some(1.0), &json!(9)));
}

#[tokio::test]
async fn makes_every_attempt_on_a_model_before_the_next_model_and_the_next_provider() {
    for failing in [Reply::rate_limited_without_wait(), Reply::server_error()] {
        let stage = two(Script::always(failing), answer("from beta")).await;
        let alpha = "models = [\"first\", \"second\"]\npriority = 2\n";
        configure(&stage, &[("alpha", alpha), ("beta", "models = [\"third\"]\npriority = 1\n")], "");

        let ran = stage.backstop(["ask", "Why?", "--max-attempts", "3"]).args(AT_ONCE).run().await;

        assert_eq!((ran.code, ran.answer()), (Some(0), "from beta"), "{ran:#?}");
        let calls = stage.provider("alpha").calls();
        let models: Vec<&str> = calls.iter().filter_map(|call| call.model()).collect();
        assert_eq!(models, ["first", "first", "first", "second", "second", "second"]);
        assert_eq!(stage.attempts(), [6, 1]);
    }
}

#[tokio::test]
async fn doubles_the_wait_before_each_repetition() {
    let stage = one(Script::always(Reply::rate_limited_without_wait())).await;
    let waits = ["--base-delay", "0.1", "--max-delay", "0.3", "--disable-jitter", "--max-attempts", "4"];

    assert_code(&stage.backstop(["ask", "Why?"]).args(waits).run().await, 3);

    let calls = stage.provider("alpha").calls();
    let waits: Vec<u128> = calls.windows(2).map(|pair| (pair[1].at - pair[0].at).as_millis()).collect();
    assert_eq!(waits.len(), 3, "{waits:?}");
    // Never too early; how late depends on the machine.
    assert!(waits.iter().zip([100, 200, 300]).all(|(wait, least)| *wait >= least), "{waits:?}");
}

#[tokio::test]
async fn asks_a_model_five_times_where_nothing_is_said() {
    let stage = one(Script::always(Reply::rate_limited_without_wait())).await;

    assert_code(&stage.backstop(["ask", "Why?"]).args(AT_ONCE).run().await, 3);

    assert_eq!(stage.attempts(), [5]);
}

#[tokio::test]
async fn tells_each_attempt_as_it_happens() {
    let stage = two(Script::always(Reply::rate_limited(Duration::from_secs(30))), answer("from beta")).await;

    let ran = stage.backstop(["ask", "Why?", "-v"]).run().await;

    assert_eq!((ran.code, ran.answer()), (Some(0), "from beta"));
    let told = [
        "trying alpha model 1/1: alpha-model",
        "alpha/alpha-model failed after",
        "rate-limited (HTTP 429)",
        "switching to beta",
        "answered by beta/beta-model on attempt 2",
    ];
    let places: Vec<Option<usize>> = told.iter().map(|words| ran.stderr.find(words)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{}", ran.stderr);
}

#[tokio::test]
async fn tells_what_it_waits_for() {
    let stage = one(Script::new().then(Reply::overloaded()).then(Reply::answer("yes"))).await;

    let ran = stage.backstop(["ask", "Why?", "-v"]).args(AT_ONCE).run().await;

    assert_code(&ran, 0);
    assert!(ran.stderr.contains("waiting 10 ms before alpha/alpha-model"), "{}", ran.stderr);
}

#[tokio::test]
async fn counts_what_happened() {
    let stage = two(Script::always(Reply::rate_limited(Duration::from_secs(30))), answer("from beta")).await;

    let ran = stage.backstop(["ask", "Why?", "--stats"]).run().await;

    assert_eq!(
        ran.stderr,
        "total_requests: 1\nsuccessful_requests: 1\nfailed_requests: 0\nrate_limited_requests: 1\n\
         provider_switches: 1\nattempts: 2\ncached_requests: 0\n"
    );
}

#[tokio::test]
async fn gives_openais_shape_with_what_it_cost() {
    let stage = one(Script::always(Answer::new("Paris").usage(1_000, 100))).await;
    let price = "models = [\"a\"]\nprice = { input_per_mtok = \"1\", output_per_mtok = \"10\" }\n";
    configure(&stage, &[("alpha", price)], "");

    let ran = stage.backstop(["ask", "Why?", "--json"]).run().await;

    assert_code(&ran, 0);
    let reply = ran.json();
    assert_eq!(reply.pointer("/choices/0/message/content"), Some(&json!("Paris")));
    assert_eq!((&reply["provider"], &reply["usage"]["total_tokens"]), (&json!("alpha"), &json!(1_100)));
    assert_eq!((reply["cost"].as_f64(), &reply["attempts"]), (Some(0.002), &json!(1)));
    assert!(
        reply["backstop_id"].as_str().is_some_and(|id| id.starts_with("bs-") && !id.ends_with("00000000")),
        "{reply}"
    );
}

#[tokio::test]
async fn gets_through_every_situation_as_expected() {
    for situation in situations() {
        let stage = Stage::new(situation.providers.clone()).await.with_route(
            "strategy = \"smart\"\nmax_attempts = 4\nemergency = false\ndeadline = \"20s\"\n\
             options = { base_delay = \"20ms\", max_delay = \"200ms\" }",
        );

        let ran = stage.backstop(["ask", "Why?"]).run().await;

        let expected = &situation.expected;
        assert_eq!(ran.code, Some(expected.exit_code), "{}: {ran:#?}", situation.name);
        if expected.answered_by.is_some() {
            assert_eq!(stage.attempts(), expected.attempts, "{}: {ran:#?}", situation.name);
        }
        let answer = expected.answered_by.map_or_else(String::new, |name| format!("{name} answers"));
        assert_eq!(ran.answer(), answer, "{}", situation.name);
    }
}

#[tokio::test]
async fn never_presents_a_cut_answer_as_whole() {
    let stage = one(Script::always(Reply::answer("one two three").at(Place::AfterTokens(2), Fault::Reset))).await;

    let ran = stage.backstop(["ask", "Count"]).run().await;

    assert_code(&ran, 1);
    assert_eq!(ran.stdout, "one two\n");
    assert!(ran.stderr.contains("alpha/alpha-model stopped in the middle of its answer"), "{}", ran.stderr);
}

#[tokio::test]
async fn lists_each_providers_own_error_when_all_fail() {
    let stage = two(Script::always(Reply::unauthorized()), Script::always(Reply::model_not_found("m"))).await;

    let ran = stage.backstop(["ask", "Why?"]).run().await;
    let as_json = stage.backstop(["ask", "Why?", "--json"]).run().await;

    assert_code(&ran, 3);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("alpha/alpha-model: authentication (HTTP 401)"), "{}", ran.stderr);
    assert!(ran.stderr.contains("beta/beta-model: model-not-found (HTTP 404)"), "{}", ran.stderr);
    assert_code(&as_json, 3);
    let error = as_json.json()["error"].clone();
    assert_eq!((&error["type"], &error["code"]), (&json!("provider_error"), &json!("all_providers_failed")));
    let failures: Vec<&Value> = error["attempts"].as_array().unwrap().iter().map(|one| &one["failure"]).collect();
    assert_eq!(failures, ["authentication", "model-not-found"]);
}

#[tokio::test]
async fn passes_on_the_providers_own_words_where_the_request_is_at_fault() {
    let refusal = json!({"error": {"message": "temperature is out of range", "type": "invalid_request_error"}});
    let stage = one(Script::always(Reply::json(400, &refusal))).await;

    let ran = stage.backstop(["ask", "Why?"]).run().await;

    assert_code(&ran, 1);
    assert!(
        ran.stderr.contains("alpha/alpha-model refused the request: temperature is out of range"),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn answers_with_the_callers_own_text_when_every_provider_failed() {
    let stage = one(Script::always(Reply::unauthorized())).await;
    let args = ["ask", "Why?", "--fallback-text", "the document itself"];

    let ran = stage.backstop(args).run().await;
    let as_json = stage.backstop(args).args(["--json"]).run().await;

    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "the document itself\n"));
    assert_eq!(ran.stderr, "no model answered: this is the fallback text\n");
    assert_eq!((as_json.code, &as_json.json()["degraded"]), (Some(0), &json!(true)));
}

#[tokio::test]
async fn sends_nothing_that_would_break_a_budget() {
    let stage = one(answer("dear")).await;
    let price = "models = [\"a\"]\nprice = { input_per_mtok = \"1000\", output_per_mtok = \"1000\" }\n";
    configure(&stage, &[("alpha", price)], "[budget]\nper_request_usd = \"0.01\"\n");

    let ran = stage.backstop(["ask", "Why?"]).run().await;
    let as_json = stage.backstop(["ask", "Why?", "--json"]).run().await;

    assert_code(&ran, 4);
    assert_code(&as_json, 4);
    assert_eq!(as_json.json()["error"]["code"], "budget_exceeded");
    assert_eq!(stage.attempts(), [0]);
}

#[tokio::test]
async fn asks_the_provider_or_model_that_is_named() {
    let stage = two(answer("from alpha"), answer("from beta")).await;

    for args in [["--provider", "beta"], ["--model", "beta/beta-model"], ["--model", "beta-model"]] {
        assert_eq!(stage.backstop(["ask", "Why?"]).args(args).run().await.answer(), "from beta", "{args:?}");
    }
    for args in
        [["--provider", "alpah"], ["--model", "alpha/alpha-modle"], ["--purpose", "moderatoin"], ["--strategy", "smrt"]]
    {
        let ran = stage.backstop(["ask", "Why?"]).args(args).run().await;
        assert_code(&ran, 2);
        assert!(ran.stderr.contains("did you mean"), "{args:?}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn lets_a_component_from_a_file_decide() {
    let stage = two(answer("from alpha"), answer("from beta")).await;
    let price = |dollars: &str| {
        format!("models = [\"m\"]\nprice = {{ input_per_mtok = \"{dollars}\", output_per_mtok = \"{dollars}\" }}\n")
    };
    configure(&stage, &[("alpha", &price("9")), ("beta", &price("1"))], "");
    let component = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest-strategies/prebuilt/cost.wasm");
    std::fs::copy(component, stage.home().join("mine.wasm")).unwrap();
    let ask = |strategy| stage.backstop(["ask", "Why?", "--strategy", strategy]).run();

    let (by_file, by_name) = (ask("./mine.wasm").await, ask("cost_optimized").await);
    let (missing, unknown) = (ask("./other.wasm").await, ask("cheapest").await);

    assert_eq!((by_file.answer(), by_name.answer()), ("from beta", "from beta"), "{by_file:#?}");
    assert_code(&missing, 2);
    assert_code(&unknown, 2);
    assert!(unknown.stderr.contains("built in are smart, cost"), "{}", unknown.stderr);
}

#[tokio::test]
async fn gives_a_strategy_the_options_it_is_asked_with_else_those_of_the_route_that_names_it() {
    let stage = two(answer("from alpha"), answer("from beta")).await;
    let stage = stage.with_route("strategy = \"mine.wasm\"\noptions = { primary = \"beta\" }");
    let component = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest-strategies/prebuilt/quality.wasm");
    std::fs::copy(component, stage.home().join("mine.wasm")).unwrap();
    let ask = |arguments: &[&str]| stage.backstop([&["ask", "Why?"], arguments].concat()).run();

    let as_the_route = ask(&["--strategy", "./mine.wasm"]).await;
    let otherwise = ask(&["--strategy", "./mine.wasm", "--options", r#"{"primary": "alpha"}"#]).await;
    let another = ask(&["--strategy", "quality"]).await;

    assert_eq!(as_the_route.answer(), "from beta", "{as_the_route:#?}");
    assert_eq!((otherwise.answer(), another.answer()), ("from alpha", "from alpha"), "{otherwise:#?}");
}

#[tokio::test]
async fn reads_the_env_file_and_lets_the_environment_win() {
    let stage = one(answer("yes")).await;
    std::fs::write(stage.home().join(".env"), "ALPHA_API_KEY=sk-of-the-file-000\n").unwrap();
    let bearer = || stage.provider("alpha").last_call().unwrap().bearer_key().map(str::to_owned);

    assert_code(&stage.backstop(["ask", "Why?"]).without_env("ALPHA_API_KEY").run().await, 0);
    assert_eq!(bearer().as_deref(), Some("sk-of-the-file-000"));
    assert_code(&stage.backstop(["ask", "Why?"]).run().await, 0);
    assert_eq!(bearer(), Some(Stage::key("alpha")));
}

#[test]
fn names_the_variables_to_set_where_there_is_no_key() {
    let home = TempDir::new().unwrap();

    let ran = Cli::new(home.path(), ["ask", "Why?"]).run_blocking();
    let placeholder =
        Cli::new(home.path(), ["ask", "Why?"]).env("GROQ_API_KEY", "your_actual_groq_api_key").run_blocking();

    for ran in [&ran, &placeholder] {
        assert_code(ran, 2);
        for variable in ["OPENAI_API_KEY", "GROQ_API_KEY", "CEREBRAS_API_KEY", "OPENROUTER_API_KEY"] {
            assert!(ran.stderr.contains(variable), "{variable} is missing: {}", ran.stderr);
        }
    }
}

#[tokio::test]
async fn gives_up_at_the_deadline() {
    let stage = one(Script::always(Reply::silence())).await;

    let ran = stage.backstop(["ask", "Why?", "--deadline", "300ms"]).run().await;

    assert_code(&ran, 3);
    assert!(ran.took < Duration::from_secs(10), "{ran:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn leaves_quietly_when_nobody_reads_on() {
    let stage = one(answer(&"word ".repeat(500))).await;
    let mut child = start(&stage, &["ask", "Talk"]);

    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();

    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_politely_at_ctrl_c() {
    let stage = one(Script::always(Answer::new("one two three").every(Duration::from_millis(600)))).await;
    let mut child = start(&stage, &["ask", "Count"]);
    first_bytes(&mut child);

    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let ended = child.wait_with_output().unwrap();

    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(130), ""));
    stage.provider("alpha").disconnects_reach(1).await;
}

#[tokio::test]
async fn refuses_questions_that_are_none() {
    let stage = one(answer("never")).await;
    let with_input = |input: Vec<u8>| stage.backstop(["ask"]).stdin(input).run();

    let empty = with_input(Vec::new()).await;
    let binary = with_input(vec![0xff, 0xfe]).await;
    let too_long = with_input(vec![b'a'; 50_000_000]).await;

    for (ran, says) in [(&empty, "the question is empty"), (&binary, "not UTF-8"), (&too_long, "longer than 10 MB")] {
        assert_code(ran, 2);
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
    }
    assert_eq!(stage.attempts(), [0]);
}

#[test]
fn refuses_arguments_that_make_no_sense() {
    let home = TempDir::new().unwrap();

    for (args, code) in [
        (vec![], 2),
        (vec!["--help"], 0),
        (vec!["--version"], 0),
        (vec!["wat"], 2),
        (vec!["ask", "--wat", "x"], 2),
        (vec!["ask", "--config", "a", "--config", "b", "x"], 2),
        (vec!["ask", "--config", "missing.toml", "x"], 2),
        (vec!["ask", "--log", "a=b=c", "x"], 2),
    ] {
        let ran = Cli::new(home.path(), args.iter().copied()).run_blocking();
        assert_eq!(ran.code, Some(code), "{args:?}: {ran:#?}");
    }
}

#[test]
#[cfg(unix)]
fn refuses_arguments_that_are_not_text() {
    use std::os::unix::ffi::OsStrExt;

    let mut command = Command::new(backstop_binary());
    command.arg("ask").arg(std::ffi::OsStr::from_bytes(b"\xff\xfe"));

    assert_eq!(command.output().unwrap().status.code(), Some(2));
}

#[tokio::test]
async fn shows_no_key_in_logs_errors_or_reports() {
    let key = Stage::key("alpha");
    let echo = Reply::json(401, &json!({"error": {"message": format!("bad key {key}"), "type": "auth"}}));
    let stage = one(Script::always(echo)).await;

    for args in [
        vec!["ask", "Why?", "-v", "--log", "trace"],
        vec!["ask", "Why?", "--json"],
        vec!["status", "--json"],
        vec!["doctor"],
        vec!["config", "show"],
        vec!["config", "show", "--json"],
    ] {
        let ran = stage.backstop(args.iter().copied()).run().await;
        assert!(!ran.stdout.contains(&key) && !ran.stderr.contains(&key), "{args:?}: {ran:#?}");
    }
}
