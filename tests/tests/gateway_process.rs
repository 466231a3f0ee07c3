//! `backstop serve` as a process: where it listens, and how it ends (L4, L5, R54).

#![cfg(unix)]

use std::time::{Duration, Instant};

use backstop::scripted::{Answer, Fault, Gate, Place, Reply, Script};
use backstop_tests::{HttpReply, Served, Stage, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const STREAM: &str = r#"{"messages":[{"role":"user","content":"hi"}],"stream":true}"#;

// L4, L5
#[tokio::test(flavor = "multi_thread")]
async fn says_why_it_cannot_listen() {
    let stage = Stage::new([("alpha", Script::new())]).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();

    for (address, says) in [
        (taken.as_str(), "the port is in use"),
        ("0.0.0.0:0", "beyond this machine the gateway needs keys; make one: backstop keys create NAME"),
        ("[::]:0", "beyond this machine the gateway needs keys"),
        ("192.0.2.1:80", "beyond this machine the gateway needs keys"),
        ("7878", "not an address and a port"),
    ] {
        let ran = stage.backstop(["serve", "--listen", address]).run().await;

        assert_eq!(ran.code, Some(2), "{address}: {ran:#?}");
        assert!(ran.stderr.contains(says) && ran.stdout.is_empty(), "{address}: {ran:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_configuration_that_opens_it_to_others_without_a_key() {
    let stage = Stage::new([("alpha", Script::new())]).await.with_settings("[gateway]\nlisten = \"0.0.0.0:7878\"");

    let ran = stage.backstop(["serve"]).run().await;

    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains("0.0.0.0:7878") && ran.stderr.contains("needs keys"), "{ran:#?}");
}

// R54
#[tokio::test(flavor = "multi_thread")]
async fn lets_streams_end_when_it_is_told_to_stop() {
    let gate = Gate::closed();
    let held = Reply::answer("one two three").at(Place::AfterTokens(1), Fault::Hold(gate.clone()));
    let stage = Stage::new([("alpha", held.into())]).await.with_patience();
    let gateway = Served::start(&stage).await;
    let address = gateway.address();
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(&post(STREAM, &[])).await.unwrap();
        client.readable().await.unwrap();
        clients.push(client);
    }

    gateway.signal("TERM");
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    gate.open();
    let mut ends = Vec::new();
    for client in &mut clients {
        ends.push(HttpReply::read(client).await);
    }

    assert!(ends.iter().all(|reply| reply.is_whole && reply.text().ends_with("data: [DONE]\n\n")), "{ends:#?}");
    let (code, log) = gateway.ended().await;
    assert_eq!(code, Some(0), "{log}");
}

// R54
#[tokio::test(flavor = "multi_thread")]
async fn ends_at_once_when_it_is_told_twice() {
    let stage = Stage::new([("alpha", Reply::answer("late").at(Place::AfterTokens(0), Fault::Silence).into())])
        .await
        .with_patience();
    let gateway = Served::start(&stage).await;
    let mut client = TcpStream::connect(gateway.address()).await.unwrap();
    client.write_all(&post(STREAM, &[])).await.unwrap();
    stage.provider("alpha").calls_reach(1).await;

    gateway.signal("INT");
    while TcpStream::connect(gateway.address()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let told = Instant::now();
    gateway.signal("TERM");
    let (code, log) = gateway.ended().await;

    assert_eq!(code, Some(0), "{log}");
    assert!(told.elapsed() < Duration::from_secs(1), "{:?}", told.elapsed());
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest).await;
    assert_eq!(stage.attempts(), [1]);
    stage.provider("alpha").disconnects_reach(1).await;
}

// R64
#[tokio::test(flavor = "multi_thread")]
async fn logs_a_line_for_each_request_and_no_key() {
    let stage = Stage::new([("alpha", Answer::new("yes").into())]).await;
    let gateway = Served::start(&stage).await;

    let reply = gateway.send(&post(r#"{"messages":[{"role":"user","content":"a secret word"}]}"#, &[])).await;
    let refused = gateway.get("/v1/nothing").await;
    let log = gateway.stopped().await;

    for (reply, says) in [(&reply, "alpha/alpha-model"), (&refused, "there is nothing at this path")] {
        let id = reply.header("x-backstop-request-id").unwrap();
        let lines: Vec<_> = log.lines().filter(|line| line.contains(id)).collect();
        assert!(lines.len() == 1 && lines[0].contains(says), "{log}");
    }
    assert!(!log.contains(&Stage::key("alpha")) && !log.contains("a secret word"), "{log}");
}
