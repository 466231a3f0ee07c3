//! `backstop batch` against providers on real sockets: every question once, within its budget, whatever happens to the process (B10, C8).

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use backstop::scripted::{Answer, Fault, Gate, Place, ReceivedCall, Reply, Script};
use backstop_tests::{CliRun, Stage};
use serde_json::{Value, json};

/// Ten dollars for a thousand output tokens and nothing for input: ten tokens are a dime.
const A_CENT_A_TOKEN: &str = "price = { input_per_mtok = \"0\", output_per_mtok = \"10000\" }";

/// An answer that costs half of what it may with ten tokens.
fn nickel() -> Answer {
    Answer::new("yes").usage(3, 5)
}

/// What a call asks.
fn question(call: &ReceivedCall) -> String {
    call.body["messages"].as_array().and_then(|messages| messages.last()).unwrap()["content"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// A provider that repeats each question after a while.
fn echo(after: Duration) -> Script {
    Script::by(move |call| Reply::answer(format!("re: {}", question(call))).after(after))
}

async fn one(script: impl Into<Script>) -> Stage {
    Stage::new([("alpha", script.into())]).await
}

/// Writes a file of numbered questions.
fn questions(stage: &Stage, count: usize) -> PathBuf {
    let lines: String = (0..count).map(|number| format!("question {number}\n")).collect();
    write(stage, "q.txt", &lines)
}

fn write(stage: &Stage, name: &str, text: &str) -> PathBuf {
    let path = stage.home().join(name);
    fs::write(&path, text).unwrap();
    path
}

fn read(stage: &Stage, name: &str) -> String {
    fs::read_to_string(stage.home().join(name)).unwrap()
}

/// The answers, line by line.
fn answers(stage: &Stage, name: &str) -> Vec<Value> {
    read(stage, name).lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// How often the provider was asked each question.
fn asked(stage: &Stage) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for call in stage.provider("alpha").calls() {
        *asked.entry(question(&call)).or_default() += 1;
    }
    asked
}

fn figures<const N: usize>(summary: &Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| summary[name].as_u64().unwrap_or_else(|| panic!("{name} in {summary}")))
}

fn assert_code(ran: &CliRun, code: i32) {
    assert_eq!(ran.code, Some(code), "{ran:#?}");
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_every_line_of_a_text_once_and_sums_up() {
    let stage = one(echo(Duration::ZERO)).await.with_provider_settings("alpha", A_CENT_A_TOKEN);
    questions(&stage, 20);

    let ran = stage.backstop(["batch", "q.txt"]).run().await;

    assert_code(&ran, 0);
    let told = answers(&stage, "q.answers.jsonl");
    let mut indices: Vec<u64> = told.iter().map(|line| line["index"].as_u64().unwrap()).collect();
    indices.sort_unstable();
    assert_eq!(indices, (0..20).collect::<Vec<_>>());
    for line in &told {
        assert_eq!(line["answer"], json!(format!("re: question {}", line["index"])));
        assert_eq!(
            (&line["provider"], &line["model"], &line["attempts"]),
            (&json!("alpha"), &json!("alpha-model"), &json!(1))
        );
        assert_eq!(line["line"].as_u64().unwrap(), line["index"].as_u64().unwrap() + 1);
    }
    assert!(asked(&stage).values().all(|times| *times == 1));
    let body = stage.provider("alpha").last_call().unwrap().body;
    assert_eq!(body["max_tokens"], 500, "a person reads it: {body}");
    assert!(ran.stdout.starts_with("20 questions: 20 answered (100.0 %), 0 failed\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("  alpha: 20 answers, "), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("answers in q.answers.jsonl\n"), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_up_for_programs() {
    let stage = one(nickel()).await.with_provider_settings("alpha", A_CENT_A_TOKEN);
    questions(&stage, 4);

    let ran = stage.backstop(["batch", "q.txt", "-o", "a.jsonl", "--json", "--max-tokens", "10"]).run().await;

    assert_code(&ran, 0);
    let summary = ran.json();
    let names = ["total", "successful", "failed", "refused", "uncertain", "not_asked", "skipped", "answered_before"];
    assert_eq!(figures(&summary, names), [4, 4, 0, 0, 0, 0, 0, 0]);
    assert_eq!((&summary["ended"], &summary["success_rate"]), (&json!("finished"), &json!(1.0)));
    assert_eq!((&summary["usage"], &summary["cost_usd"]), (&json!({"input": 12, "output": 20}), &json!("0.20")));
    let own = json!({"answers": 4, "usage": {"input": 12, "output": 20}, "cost_usd": "0.20"});
    assert_eq!(summary["providers"], json!({"alpha": own}));
    assert!(summary["total_seconds"].as_f64().unwrap() > 0.0 && summary["average_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(summary["output"], "a.jsonl");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_openais_batches_in_openais_shape() {
    let script = Script::by(|call| match question(call).as_str() {
        "no" => Reply::invalid_request(),
        _ => Reply::answer("yes"),
    });
    let stage = one(script).await;
    let line = |id: &str, content: &str| {
        let body = json!({"model": "alpha-model", "messages": [{"role": "user", "content": content}], "max_tokens": 7});
        json!({"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": body}).to_string()
    };
    write(&stage, "in.jsonl", &[line("first", "a"), line("second", "no"), line("third", "b")].join("\n"));

    let ran = stage.backstop(["batch", "in.jsonl", "-o", "out.jsonl", "--ordered"]).run().await;

    assert_code(&ran, 1);
    let told = answers(&stage, "out.jsonl");
    let ids: Vec<&Value> = told.iter().map(|line| &line["custom_id"]).collect();
    assert_eq!(ids, ["first", "second", "third"]);
    for line in &told {
        let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["id", "custom_id", "response", "error"]);
    }
    let statuses: Vec<u64> = told.iter().map(|line| line["response"]["status_code"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 400, 200]);
    let message = &told[0]["response"]["body"]["choices"][0]["message"]["content"];
    assert_eq!((message, &told[0]["error"]), (&json!("yes"), &Value::Null));
    assert!(told[1]["error"]["message"].is_string() && told[1]["response"]["body"]["error"].is_object(), "{}", told[1]);
    assert_eq!(stage.provider("alpha").last_call().unwrap().body["max_tokens"], 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_prompts_bodies_and_strings_in_one_file() {
    let stage = one(echo(Duration::ZERO)).await;
    let lines = [
        r#""one""#,
        r#"{"prompt": "two", "system": "Be brief.", "temperature": 0.5, "custom_id": "mine"}"#,
        "",
        r#"{"messages": [{"role": "user", "content": "three"}], "stream": true}"#,
    ];
    write(&stage, "in.jsonl", &lines.join("\n"));

    let ran = stage.backstop(["batch", "in.jsonl", "-o", "out.jsonl", "--ordered", "--concurrency", "1"]).run().await;

    assert_code(&ran, 0);
    let told = answers(&stage, "out.jsonl");
    let texts: Vec<&Value> = told.iter().map(|line| &line["answer"]).collect();
    assert_eq!(texts, ["re: one", "re: two", "re: three"]);
    assert_eq!((&told[1]["custom_id"], &told[2]["line"]), (&json!("mine"), &json!(4)));
    assert_eq!(told[2]["response"]["choices"][0]["message"]["content"], "re: three");
    let calls = stage.provider("alpha").calls();
    assert_eq!(calls[1].body["messages"][0], json!({"role": "system", "content": "Be brief."}));
    assert_eq!(calls[1].body["temperature"], 0.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn fails_over_inside_a_batch() {
    let stage =
        Stage::new([("alpha", Reply::server_error().into()), ("beta", Reply::answer("from beta").into())]).await;
    questions(&stage, 30);

    let ran = stage.backstop(["batch", "q.txt", "--json"]).run().await;

    assert_code(&ran, 0);
    assert_eq!(ran.json()["providers"]["beta"]["answers"], 30);
    assert!(answers(&stage, "q.answers.jsonl").iter().all(|line| line["provider"] == "beta"));
    let [dead, serving] = stage.attempts()[..] else { panic!("two providers") };
    assert_eq!(serving, 30);
    assert!(dead < 30, "what was learnt of a provider serves the whole batch: {dead} attempts");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_every_bad_line_before_anything_is_sent() {
    let stage = one(nickel()).await;
    let lines =
        [r#""fine""#, "{", r#"{"prompt": 7}"#, r#"{"prompt": "a", "model": "alpha-modle"}"#, r#"{"messages": []}"#];
    write(&stage, "in.jsonl", &lines.join("\n"));

    let refused = stage.backstop(["batch", "in.jsonl"]).run().await;

    assert_code(&refused, 2);
    for told in [
        "line 2: it is no JSON of a known shape",
        "line 3: prompt must be a text",
        "line 4: no route and no target is called \"alpha-modle\"; did you mean \"alpha-model\"?",
        "line 5: messages must be a list with at least one message",
    ] {
        assert!(refused.stderr.contains(told), "{told}\n{}", refused.stderr);
    }
    assert_eq!(stage.attempts(), [0]);
    assert!(!stage.home().join("in.answers.jsonl").exists());

    let skipped = stage.backstop(["batch", "in.jsonl", "--skip-bad", "--json"]).run().await;

    assert_code(&skipped, 0);
    assert_eq!(figures(&skipped.json(), ["total", "successful", "skipped"]), [1, 1, 4]);
    assert_eq!(stage.attempts(), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_name_that_two_lines_bear() {
    let stage = one(nickel()).await;
    let line = r#"{"custom_id": "a", "body": {"messages": [{"role": "user", "content": "hi"}]}}"#;
    write(&stage, "in.jsonl", &format!("{line}\n{line}\n"));

    let ran = stage.backstop(["batch", "in.jsonl"]).run().await;

    assert_code(&ran, 2);
    assert!(ran.stderr.contains("line 2: its custom_id is that of line 1, too"), "{}", ran.stderr);
    assert_eq!(stage.attempts(), [0]);
}

// B10
#[tokio::test(flavor = "multi_thread")]
async fn stops_before_the_spend_could_pass_the_limit() {
    let stage = one(nickel()).await.with_provider_settings("alpha", A_CENT_A_TOKEN);
    questions(&stage, 60);
    let batch = |most: &'static str| {
        stage.backstop(["batch", "q.txt", "--max-tokens", "10", "--json", "--max-cost", most]).run()
    };

    // Each answer costs $0.05 and may cost $0.10: the last one that fits is asked when $0.90 are spent.
    let first = batch("1.00").await;

    assert_code(&first, 4);
    assert_eq!(figures(&first.json(), ["successful", "not_asked", "failed", "uncertain"]), [19, 41, 0, 0]);
    assert_eq!((&first.json()["ended"], &first.json()["cost_usd"]), (&json!("budget"), &json!("0.95")));
    assert_eq!(stage.attempts(), [19]);
    assert!(first.stderr.is_empty(), "{}", first.stderr);

    // What earlier runs spent counts.
    let second = batch("2.00").await;

    assert_code(&second, 4);
    assert_eq!(figures(&second.json(), ["successful", "answered_before", "not_asked"]), [39, 19, 21]);
    assert_eq!(stage.attempts(), [39]);

    let last = batch("100").await;

    assert_code(&last, 0);
    assert_eq!(last.json()["cost_usd"], "3.00");
    assert!(asked(&stage).values().all(|times| *times == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_attempts_that_failed_after_they_may_have_been_paid_for() {
    // A reply that breaks off may have been made in full: it counts at its worst case.
    let broken = Reply::answer("one two three").at(Place::BeforeHead, Fault::Reset);
    let stage = Stage::new([("alpha", broken.into()), ("beta", nickel().into())])
        .await
        .with_provider_settings("alpha", A_CENT_A_TOKEN)
        .with_provider_settings("beta", A_CENT_A_TOKEN)
        .with_route("strategy = \"round-robin\"\noptions = { rotate = false, retries = 0 }\ndeadline = \"20s\"")
        .with_settings("[breaker]\nfailures = 0\nsuccess_rate = 0.0\n");
    questions(&stage, 60);
    let args = ["batch", "q.txt", "--max-tokens", "10", "--json", "--max-cost", "1.00"];

    let ran = stage.backstop(args).run().await;

    // $0.10 for the broken attempt and $0.05 for the answer.
    assert_code(&ran, 4);
    let cost: f64 = ran.json()["cost_usd"].as_str().unwrap().parse().unwrap();
    let attempts = stage.attempts();
    assert!(cost <= 1.0, "{cost}");
    let worst = attempts[0] as f64 * 0.10 + attempts[1] as f64 * 0.05;
    assert!((cost - worst).abs() < 1e-9, "{cost} told, {worst} by the providers' counts");
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_where_the_operators_budget_is_used_up() {
    let stage = one(nickel())
        .await
        .with_provider_settings("alpha", A_CENT_A_TOKEN)
        .with_settings("[budget]\ndaily_usd = \"1.00\"");
    questions(&stage, 60);

    let ran = stage.backstop(["batch", "q.txt", "--max-tokens", "10", "--json"]).run().await;

    assert_code(&ran, 4);
    assert_eq!(figures(&ran.json(), ["successful", "failed"]), [19, 0], "{}", ran.stderr);
    assert_eq!(stage.attempts(), [19]);
    assert!(ran.stderr.contains("the daily budget of $1.00 has $0.05 left"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn leaves_out_what_the_budget_of_a_single_request_refuses_and_goes_on() {
    let stage = one(nickel())
        .await
        .with_provider_settings("alpha", A_CENT_A_TOKEN)
        .with_settings("[budget]\nper_request_usd = \"0.10\"");
    let lines = [r#"{"prompt": "dear", "max_tokens": 11}"#, r#"{"prompt": "cheap", "max_tokens": 10}"#];
    write(&stage, "in.jsonl", &lines.join("\n"));

    let ran = stage.backstop(["batch", "in.jsonl", "--json"]).run().await;

    assert_code(&ran, 4);
    assert_eq!(figures(&ran.json(), ["successful", "refused"]), [1, 1]);
    assert_eq!(asked(&stage).into_keys().collect::<Vec<_>>(), ["cheap"]);
    assert!(ran.stderr.contains("line 1: "), "{}", ran.stderr);
}

// B10: the provider's own count tells that no question was paid for twice.
#[tokio::test(flavor = "multi_thread")]
async fn pays_no_question_twice_whenever_it_is_killed() {
    const COUNT: usize = 40;
    for killed_after in [1, 7, 20, 39] {
        let stage = one(echo(Duration::from_millis(15))).await;
        questions(&stage, COUNT);
        let args = ["batch", "q.txt", "--json", "--concurrency", "4"];
        let mut child = stage.backstop(args).start();
        stage.provider("alpha").calls_reach(killed_after).await;

        child.kill().unwrap();
        child.wait().unwrap();
        let resumed = stage.backstop(args).run().await;

        let summary = resumed.json();
        let [answered, uncertain, not_asked] = figures(&summary, ["successful", "uncertain", "not_asked"]);
        assert_eq!((answered + uncertain, not_asked), (COUNT as u64, 0), "killed after {killed_after}: {summary}");
        assert!(uncertain <= 4, "no more than were under way: {summary}");
        assert_eq!(resumed.code, Some(if uncertain > 0 { 1 } else { 0 }));
        let once = asked(&stage);
        assert!(once.values().all(|times| *times == 1), "killed after {killed_after}: {once:?}");

        let last = stage.backstop(args).args(["--retry-uncertain"]).run().await;

        assert_code(&last, 0);
        let twice = asked(&stage).values().filter(|times| **times > 1).count() as u64;
        assert!(twice <= uncertain, "only what was uncertain is asked again: {twice} of {uncertain}");
        let mut indices: Vec<u64> =
            answers(&stage, "q.answers.jsonl").iter().map(|line| line["index"].as_u64().unwrap()).collect();
        indices.sort_unstable();
        assert_eq!(indices, (0..COUNT as u64).collect::<Vec<_>>(), "each is answered once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_on_after_it_was_killed_again_and_again() {
    let stage = one(echo(Duration::from_millis(5))).await;
    questions(&stage, 120);
    let args = ["batch", "q.txt", "--json", "--concurrency", "8", "--retry-uncertain"];

    for round in 1..=5 {
        let mut child = stage.backstop(args).start();
        stage.provider("alpha").calls_reach(round * 20).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let last = stage.backstop(args).run().await;

    assert_code(&last, 0);
    assert_eq!(figures(&last.json(), ["successful", "uncertain"]), [120, 0]);
    let told = answers(&stage, "q.answers.jsonl");
    assert_eq!(told.len(), 120);
    let again: usize = asked(&stage).values().map(|times| times - 1).sum();
    assert!(again <= 5 * 8, "no more than were under way at each kill: {again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn repairs_a_torn_last_line_and_does_not_pay_for_it_again_unasked() {
    let stage = one(echo(Duration::ZERO)).await;
    questions(&stage, 5);
    let args = ["batch", "q.txt", "--json"];
    assert_code(&stage.backstop(args).run().await, 0);
    let whole = read(&stage, "q.answers.jsonl");
    write(&stage, "q.answers.jsonl", &whole[..whole.len() - 20]);

    let resumed = stage.backstop(args).run().await;

    assert_code(&resumed, 1);
    assert_eq!(figures(&resumed.json(), ["successful", "uncertain"]), [4, 1]);
    let torn: Value = serde_json::from_str(whole.lines().last().unwrap()).unwrap();
    assert_eq!(resumed.json()["uncertain_indices"], json!([torn["index"]]));
    assert_eq!(stage.attempts(), [5]);
    assert_eq!(answers(&stage, "q.answers.jsonl").len(), 4, "every line is whole");

    let last = stage.backstop(args).args(["--retry-uncertain"]).run().await;

    assert_code(&last, 0);
    assert_eq!((answers(&stage, "q.answers.jsonl").len(), stage.attempts()), (5, vec![6]));
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_nothing_where_everything_is_answered() {
    let stage = one(nickel()).await;
    questions(&stage, 5);
    assert_code(&stage.backstop(["batch", "q.txt"]).run().await, 0);

    let again = stage.backstop(["batch", "q.txt", "--json"]).run().await;

    assert_code(&again, 0);
    assert_eq!(figures(&again.json(), ["successful", "answered_before"]), [5, 5]);
    assert_eq!(stage.attempts(), [5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_lines_that_were_added_and_refuses_those_that_changed() {
    let stage = one(echo(Duration::ZERO)).await;
    questions(&stage, 5);
    assert_code(&stage.backstop(["batch", "q.txt"]).run().await, 0);
    questions(&stage, 8);

    let added = stage.backstop(["batch", "q.txt"]).run().await;

    assert_code(&added, 0);
    assert_eq!(stage.attempts(), [8]);

    let changed = read(&stage, "q.txt").replace("question 3", "another 3");
    write(&stage, "q.txt", &changed);
    let before = read(&stage, "q.answers.jsonl");
    let refused = stage.backstop(["batch", "q.txt"]).run().await;

    assert_code(&refused, 2);
    assert!(
        refused.stderr.contains("the questions are not those this batch began with: 1 of them changed"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("(the 4 of the file"), "{}", refused.stderr);
    assert_eq!((stage.attempts(), read(&stage, "q.answers.jsonl")), (vec![8], before));
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_again_what_failed_unless_that_is_to_stay() {
    let script = Script::by(|call| match question(call).ends_with('3') {
        true => Reply::invalid_request(),
        false => Reply::answer("yes"),
    });
    let stage = one(script).await;
    questions(&stage, 10);
    let args = ["batch", "q.txt", "--json"];
    let first = stage.backstop(args).run().await;
    assert_code(&first, 1);
    assert_eq!(figures(&first.json(), ["successful", "failed"]), [9, 1]);
    assert!(first.stderr.contains("line 4: alpha/alpha-model refused the request"), "{}", first.stderr);

    let kept = stage.backstop(args).args(["--keep-failed"]).run().await;

    assert_code(&kept, 1);
    assert_eq!(stage.attempts(), [10]);
    assert_eq!(figures(&kept.json(), ["successful", "failed"]), [9, 1]);

    stage.provider("alpha").set_script(Reply::answer("now"));
    let again = stage.backstop(args).run().await;

    assert_code(&again, 0);
    assert_eq!(stage.attempts(), [11]);
    let told = answers(&stage, "q.answers.jsonl");
    let third: Vec<&Value> = told.iter().filter(|line| line["index"] == 3).map(|line| &line["answer"]).collect();
    assert_eq!((told.len(), third), (10, vec![&json!("now")]), "the failure has gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn lets_those_under_way_end_at_ctrl_c_and_tells_how_to_go_on() {
    let gate = Gate::closed();
    let stage = one(Reply::answer("yes").at(Place::BeforeHead, Fault::Hold(gate.clone()))).await.with_patience();
    questions(&stage, 20);
    let mut child = stage.backstop(["batch", "q.txt", "--concurrency", "4"]).start();
    stage.provider("alpha").calls_reach(4).await;

    interrupt(&child);
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    let stopping = tokio::task::block_in_place(|| stderr.next()).unwrap().unwrap();
    gate.open();
    let ended = tokio::task::block_in_place(|| child.wait_with_output()).unwrap();

    assert_eq!(stopping, "stopping: 4 under way are let end; Ctrl-C once more stops at once");
    assert_eq!(ended.status.code(), Some(130));
    let rest: Vec<String> = tokio::task::block_in_place(|| stderr.map(Result::unwrap).collect());
    assert_eq!(
        rest,
        ["interrupted: 16 questions were not asked", "the same command goes on from here and asks again what failed"]
    );
    assert_eq!((answers(&stage, "q.answers.jsonl").len(), stage.attempts()), (4, vec![4]));

    let resumed = stage.backstop(["batch", "q.txt"]).run().await;

    assert_code(&resumed, 0);
    assert!(asked(&stage).values().all(|times| *times == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_at_once_at_the_second_ctrl_c() {
    let gate = Gate::closed();
    let stage = one(Reply::answer("yes").at(Place::BeforeHead, Fault::Hold(gate.clone()))).await.with_patience();
    questions(&stage, 20);
    let mut child = stage.backstop(["batch", "q.txt", "--concurrency", "4", "--json"]).start();
    stage.provider("alpha").calls_reach(4).await;

    interrupt(&child);
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    tokio::task::block_in_place(|| stderr.next()).unwrap().unwrap();
    interrupt(&child);
    let ended = tokio::task::block_in_place(|| child.wait_with_output()).unwrap();

    assert_eq!(ended.status.code(), Some(130));
    let summary: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(figures(&summary, ["uncertain", "not_asked"]), [4, 16]);
    stage.provider("alpha").disconnects_reach(4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_for_providers_that_are_all_left_alone() {
    // Five failures open the breaker; while it is open nobody can be asked.
    let script = Script::new().times(5, Reply::server_error()).then(Reply::answer("yes")).forever();
    let stage = one(script)
        .await
        .with_route("strategy = \"smart\"\noptions = { retries = 0 }\ndeadline = \"20s\"")
        .with_settings("[breaker]\nfailures = 5\npause = \"300ms\"\nlongest_pause = \"300ms\"");
    questions(&stage, 30);

    let ran = stage.backstop(["batch", "q.txt", "--json", "--concurrency", "1"]).run().await;

    assert_code(&ran, 1);
    assert_eq!(figures(&ran.json(), ["successful", "failed"]), [25, 5], "{ran:#?}");
    assert_eq!(stage.attempts(), [30]);
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_when_nobody_answers_for_too_long() {
    let stage = one(Reply::server_error())
        .await
        .with_route("strategy = \"smart\"\noptions = { retries = 0 }\ndeadline = \"20s\"")
        .with_settings("[breaker]\nfailures = 2\npause = \"100ms\"\nlongest_pause = \"100ms\"");
    questions(&stage, 1_000);

    let ran = stage.backstop(["batch", "q.txt", "--json", "--patience", "1s"]).run().await;

    assert_code(&ran, 3);
    let summary = ran.json();
    assert_eq!(summary["ended"], "no-provider");
    let [successful, failed, not_asked] = figures(&summary, ["successful", "failed", "not_asked"]);
    assert_eq!((successful, failed + not_asked), (0, 1_000));
    assert!(failed < 100, "an outage does not eat the file: {failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_standard_input_and_writes_standard_output() {
    let stage = one(echo(Duration::ZERO)).await;

    let ran = stage.backstop(["batch", "-"]).stdin("one\ntwo\n").run().await;

    assert_code(&ran, 0);
    let mut told: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    told.sort_by_key(|line| line["index"].as_u64());
    assert_eq!(told.iter().map(|line| &line["answer"]).collect::<Vec<_>>(), ["re: one", "re: two"]);
    assert!(ran.stderr.starts_with("2 questions: 2 answered"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn resumes_from_standard_input_where_the_answers_are_in_a_file() {
    let stage = one(echo(Duration::ZERO)).await;
    let batch = |input: &'static str| stage.backstop(["batch", "-", "-o", "a.jsonl"]).stdin(input).run();
    assert_code(&batch("one\ntwo\n").await, 0);

    assert_code(&batch("one\ntwo\nthree\n").await, 0);

    assert_eq!((answers(&stage, "a.jsonl").len(), stage.attempts()), (3, vec![3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_lines_as_they_stand_where_it_is_told_to() {
    let stage = one(echo(Duration::ZERO)).await;
    write(&stage, "q.txt", "\"quoted\"\n{not json\n");

    let ran = stage.backstop(["batch", "q.txt", "--text", "-o", "a.jsonl", "--ordered"]).run().await;

    assert_code(&ran, 0);
    let told = answers(&stage, "a.jsonl");
    assert_eq!([&told[0]["answer"], &told[1]["answer"]], [&json!("re: \"quoted\""), &json!("re: {not json")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn touches_no_file_that_is_not_its_own() {
    let stage = one(nickel()).await;
    questions(&stage, 2);
    write(&stage, "diary.txt", "dear diary");
    write(&stage, "empty.txt", "\n\n");
    for (args, says) in [
        (vec!["batch", "q.txt", "-o", "diary.txt"], "diary.txt is there already and no batch's"),
        (vec!["batch", "q.txt", "-o", "q.txt"], "q.txt holds the questions"),
        (vec!["batch", "q.txt", "-o", "-", "--ordered"], "--ordered needs a file"),
        (vec!["batch", "q.txt", "-o", "none/such.jsonl"], "none/such.jsonl"),
        (vec!["batch", "none.txt"], "none.txt cannot be read"),
        (vec!["batch", "empty.txt"], "there is no question: every line is empty"),
        (vec!["batch", "."], ". is a folder"),
        (vec!["batch", "q.txt", "--max-cost", "five"], "--max-cost"),
        (vec!["batch", "q.txt", "--concurrency", "0"], "--concurrency"),
        (vec!["batch", "q.txt", "--route", "none"], "error: no route and no target is called \"none\""),
    ] {
        let ran = stage.backstop(args.clone()).run().await;

        assert_code(&ran, 2);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(read(&stage, "diary.txt"), "dear diary");
    assert_eq!(stage.attempts(), [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_a_second_run_away_from_the_same_answers() {
    let gate = Gate::closed();
    let stage = one(Reply::answer("yes").at(Place::BeforeHead, Fault::Hold(gate.clone()))).await.with_patience();
    questions(&stage, 2);
    let first = stage.backstop(["batch", "q.txt"]).start();
    stage.provider("alpha").calls_reach(2).await;

    let second = stage.backstop(["batch", "q.txt"]).run().await;

    assert_code(&second, 2);
    assert!(second.stderr.contains("another batch is writing the same answers"), "{}", second.stderr);
    gate.open();
    let first = tokio::task::block_in_place(|| first.wait_with_output()).unwrap();
    assert!(first.status.success() && stage.attempts() == [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_ten_thousand_questions_once_each_and_puts_the_answers_in_order() {
    const COUNT: usize = 10_000;
    let stage = one(echo(Duration::ZERO)).await;
    questions(&stage, COUNT);
    let args = ["batch", "q.txt", "-o", "a.jsonl", "--ordered", "--json", "--concurrency", "32"];

    let ran = stage.backstop(args).timeout(Duration::from_secs(300)).run().await;

    assert_code(&ran, 0);
    assert_eq!(figures(&ran.json(), ["total", "successful"]), [COUNT as u64, COUNT as u64]);
    assert_eq!(stage.attempts(), [COUNT]);
    let told = answers(&stage, "a.jsonl");
    assert_eq!(told.len(), COUNT);
    for (index, line) in told.iter().enumerate() {
        assert_eq!((&line["index"], &line["answer"]), (&json!(index), &json!(format!("re: question {index}"))));
    }
}
