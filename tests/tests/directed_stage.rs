//! The stage as a program: what it says, what it can be told while it runs, and that it ends with whoever started it.

#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use backstop_tests::{HttpReply, exchange, post};
use serde_json::{Value, json};

/// Starts it: itself, and what it says.
fn start(flags: &[&str]) -> (Child, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stage"));
    command.args(flags).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

fn address(said: &Value) -> SocketAddr {
    said.as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap()
}

async fn ask(said: &Value) -> HttpReply {
    let body = json!({"model": "default", "messages": [{"role": "user", "content": "hi"}]});
    exchange(address(&said["gateway"]), &post(&body.to_string(), &[])).await
}

async fn control(said: &Value, method: &str, path: &str, body: &Value) -> HttpReply {
    let body = body.to_string();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
    exchange(address(&said["control"]), (head + &body).as_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn is_told_what_to_do_while_it_runs() {
    let (mut child, said) = start(&["--provider", "alpha", "--reply", "alpha=500", "--provider", "beta:anthropic"]);

    let first = ask(&said).await;
    let calls = control(&said, "GET", "/providers/beta/calls", &Value::Null).await.json();
    let wrong = control(&said, "POST", "/providers/beta", &json!({"replies": ["answr"]})).await;
    let told = control(&said, "POST", "/providers/beta", &json!({"replies": ["answer:from beta"]})).await;
    let second = ask(&said).await;

    assert_eq!((first.status, first.header("x-backstop-provider")), (200, Some("beta")));
    assert_eq!(calls["calls"][0]["path"], "/v1/messages");
    assert_eq!(wrong.status, 422);
    assert_eq!((&told.json()["calls"], &told.json()["replies"]), (&json!(0), &json!(["answer:from beta"])));
    assert_eq!(second.json()["choices"][0]["message"]["content"], "from beta");
    assert_eq!(
        control(&said, "POST", "/reset", &Value::Null).await.json()["providers"][1]["replies"],
        json!(["answer"])
    );
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_by_a_signal_with_requests_under_way() {
    let (mut child, said) = start(&["--patient", "--provider", "alpha", "--reply", "alpha=silence"]);
    let address = address(&said["gateway"]);
    let asked =
        tokio::spawn(
            async move { exchange(address, &post(r#"{"messages":[{"role":"user","content":"hi"}]}"#, &[])).await },
        );
    while control(&said, "GET", "/providers", &Value::Null).await.json()["providers"][0]["calls"] == 0 {}

    let signal = format!("kill -TERM {}", child.id());
    assert!(Command::new("/bin/sh").args(["-c", &signal]).status().unwrap().success());

    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!asked.await.unwrap().is_whole);
}

#[test]
fn says_which_flag_is_wrong() {
    let output = Command::new(env!("CARGO_BIN_EXE_stage")).args(["--provider", "a:grpc"]).output().unwrap();

    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("--provider a:grpc: `grpc` is none of"));
}
