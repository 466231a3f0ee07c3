//! The edges of the command line (L3, L7, L11, L12): no hang, no panic, a code that says what it was.

#![cfg(unix)]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use backstop::scripted::{Answer, Reply, Script, ScriptedProvider};
use backstop_tests::{Cli, Stage, backstop_binary};
use tempfile::TempDir;

/// By the shell's custom, what ends at SIGINT ends with this code.
const INTERRUPTED: i32 = 130;

/// Starts the binary, or a shell that becomes it, in the stage's folder.
fn start(stage: &Stage, program: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new(program);
    command.current_dir(stage.home()).env_clear().env("HOME", stage.home()).env("ALPHA_API_KEY", Stage::key("alpha"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

// L3
#[test]
fn refuses_two_configuration_files() {
    let home = TempDir::new().unwrap();

    let ran = Cli::new(home.path(), ["--config", "a.toml", "ask", "--config", "b.toml", "Why?"]).run_blocking();

    assert_eq!(ran.code, Some(2), "{ran:#?}");
}

// L7
#[tokio::test(flavor = "multi_thread")]
async fn asks_without_a_standard_input() {
    let stage = Stage::new([("alpha", Reply::answer("yes").into())]).await;
    let backstop = backstop_binary().display().to_string();

    let with_words =
        start(&stage, "/bin/sh", &["-c", "exec \"$0\" ask Why <&-", &backstop]).wait_with_output().unwrap();
    let without = start(&stage, "/bin/sh", &["-c", "exec \"$0\" ask <&-", &backstop]).wait_with_output().unwrap();

    assert_eq!((with_words.status.code(), String::from_utf8_lossy(&with_words.stdout).trim()), (Some(0), "yes"));
    assert_eq!(without.status.code(), Some(2), "{without:?}");
    assert_eq!(stage.attempts(), [1]);
}

// L11
#[tokio::test(flavor = "multi_thread")]
async fn ends_at_ctrl_c_at_whatever_moment_it_comes() {
    let slow = Answer::new("one two three four five").every(Duration::from_millis(200));
    let stage = Stage::new([("alpha", Script::always(slow))]).await;
    let backstop = backstop_binary().display().to_string();

    let began = Instant::now();
    let running: Vec<_> = (0..20u32)
        .map(|moment| {
            let child = start(&stage, &backstop, &["ask", "Count"]);
            // The signal comes by a process of its own, so that twenty moments pass beside each other.
            let wait = f64::from(moment) * 0.05;
            let signal = format!("sleep {wait}; kill -INT {}", child.id());
            (moment, child, Command::new("/bin/sh").args(["-c", &signal]).stderr(Stdio::null()).spawn().unwrap())
        })
        .collect();

    for (moment, child, mut signal) in running {
        let ended = child.wait_with_output().unwrap();
        signal.wait().unwrap();
        // Before it has begun to listen the signal ends it as it ends any program.
        let code = ended.status.code();
        assert!(matches!(code, None | Some(0 | INTERRUPTED)), "moment {moment}: {ended:?}");
        assert!(!String::from_utf8_lossy(&ended.stderr).contains("panicked"), "moment {moment}: {ended:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(30));
}

// L12
#[tokio::test]
async fn takes_no_key_as_an_argument_and_does_not_repeat_it() {
    let stage = Stage::new([("alpha", Script::new())]).await;
    let key = Stage::key("alpha");

    for argument in [format!("--api-key={key}"), format!("--key={key}")] {
        let ran = stage.backstop(["ask", &argument, "Why?"]).run().await;

        assert_eq!(ran.code, Some(2), "{ran:#?}");
        assert!(!ran.stdout.contains(&key) && !ran.stderr.contains(&key), "{ran:#?}");
    }
    assert_eq!(stage.attempts(), [0]);
}

// A proxy named in the environment would see keys and prompts: only a configuration could ask for one.
#[tokio::test(flavor = "multi_thread")]
async fn goes_past_a_proxy_named_in_the_environment() {
    let stage = Stage::new([("alpha", Reply::answer("yes").into())]).await;
    let proxy = ScriptedProvider::start(Script::always(Reply::answer("from the proxy"))).await.unwrap();
    let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

    let mut cli = stage.backstop(["ask", "Why?"]);
    for name in names {
        cli = cli.env(name, proxy.base_url().as_str());
    }
    let ran = cli.run().await;

    assert_eq!((ran.code, ran.stdout.trim()), (Some(0), "yes"), "{ran:#?}");
    assert_eq!((proxy.connections(), stage.attempts()), (0, vec![1]));
}
