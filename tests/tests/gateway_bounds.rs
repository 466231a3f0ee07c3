//! The gateway's bounds for clients that keep it waiting, and HTTP/2.

use std::net::SocketAddr;
use std::time::Duration;

use backstop::config::Timeouts;
use backstop::gateway::{Bounds, Gateway};
use backstop::scripted::{Answer, Script, ScriptedProvider};
use backstop_tests::pair::asking_within;
use backstop_tests::{HttpReply, exchange, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const HI: &str = r#"{"messages":[{"role":"user","content":"hi"}]}"#;
const ALIVE: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";

/// Bounds of which one is met soon, and the others are not met in a test.
const PATIENT: Bounds = Bounds {
    requests: 2_048,
    connections: 64,
    head: Duration::from_secs(600),
    head_bytes: 32 << 10,
    idle: Duration::from_secs(600),
    body_bytes: 1 << 20,
    body_pause: Duration::from_secs(600),
    body: Duration::from_secs(600),
    unread: Duration::from_secs(600),
    grace: Duration::from_secs(600),
};

/// No provider is given up for a machine that is busy.
const UNHURRIED: Timeouts = Timeouts {
    connect: Duration::from_secs(600),
    first_token: Some(Duration::from_secs(600)),
    idle: Duration::from_secs(600),
    total: Duration::from_secs(600),
};

const SOON: Duration = Duration::from_millis(200);

struct Running {
    provider: ScriptedProvider,
    address: SocketAddr,
    _serving: JoinHandle<()>,
}

async fn gateway(script: impl Into<Script>, bounds: Bounds) -> Running {
    let provider = ScriptedProvider::start(script).await.unwrap();
    let backstop = asking_within(UNHURRIED, [provider.base_url(), provider.base_url()]).await;
    let gateway = Gateway::bind("127.0.0.1:0".parse().unwrap(), backstop).await.unwrap().with_bounds(bounds);
    let address = gateway.address();
    Running { provider, address, _serving: tokio::spawn(gateway.serve(std::future::pending)) }
}

/// What comes until the connection is closed.
async fn rest(client: &mut TcpStream) -> String {
    let mut said = Vec::new();
    // A reset is an end as well.
    let _ = timeout(Duration::from_secs(20), client.read_to_end(&mut said)).await.expect("the connection is closed");
    String::from_utf8_lossy(&said).into_owned()
}

// H31, H32, R53
#[tokio::test]
async fn closes_connections_whose_head_does_not_come() {
    let running = gateway(Script::new(), Bounds { head: SOON, ..PATIENT }).await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    let mut slow = TcpStream::connect(running.address).await.unwrap();
    let mut late = TcpStream::connect(running.address).await.unwrap();

    slow.write_all(b"POST /v1/chat").await.unwrap();
    late.write_all(ALIVE).await.unwrap();
    let first = HttpReply::read(&mut late).await;
    late.write_all(b"GET /he").await.unwrap();

    assert_eq!(first.status, 200);
    assert_eq!([rest(&mut silent).await, rest(&mut slow).await, rest(&mut late).await], [""; 3]);
}

#[tokio::test]
async fn closes_connections_that_are_not_used_any_more() {
    let running = gateway(Script::new(), Bounds { idle: SOON, ..PATIENT }).await;
    let mut client = TcpStream::connect(running.address).await.unwrap();

    client.write_all(ALIVE).await.unwrap();
    let first = HttpReply::read(&mut client).await;

    assert_eq!((first.status, rest(&mut client).await.as_str()), (200, ""));
}

// H31, H34
#[tokio::test]
async fn gives_up_a_body_that_does_not_come() {
    for bounds in [Bounds { body_pause: SOON, ..PATIENT }, Bounds { body: SOON, ..PATIENT }] {
        let running = gateway(Script::new(), bounds).await;
        let mut expecting = TcpStream::connect(running.address).await.unwrap();
        let head = String::from_utf8(post(HI, &[("expect", "100-continue")])).unwrap();
        let head = head.split_inclusive("\r\n\r\n").next().unwrap();

        expecting.write_all(head.as_bytes()).await.unwrap();
        let said = rest(&mut expecting).await;

        assert!(said.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408 "), "{said}");
        assert_eq!(running.provider.call_count(), 0);
    }
}

// H39
#[tokio::test]
async fn ends_the_answer_of_a_client_that_does_not_read() {
    // More than the sockets' buffers on the way take in.
    let piece = "a".repeat(256 << 10);
    let long = Answer::new("").pieces([piece.as_str(); 256]);
    let running = gateway(long, Bounds { unread: SOON, ..PATIENT }).await;
    let mut client = TcpStream::connect(running.address).await.unwrap();

    client.write_all(&post(r#"{"messages":[{"role":"user","content":"hi"}],"stream":true}"#, &[])).await.unwrap();

    running.provider.disconnects_reach(1).await;
    let mut said = Vec::new();
    let _ = client.read_to_end(&mut said).await;
    assert!(!said.ends_with(b"0\r\n\r\n"));
}

#[tokio::test]
async fn lets_the_next_one_in_when_a_connection_has_gone() {
    let running = gateway(Script::new(), Bounds { connections: 1, ..PATIENT }).await;
    let first = TcpStream::connect(running.address).await.unwrap();
    let mut second = TcpStream::connect(running.address).await.unwrap();
    second.write_all(ALIVE).await.unwrap();

    let early = timeout(SOON, HttpReply::read(&mut second)).await;
    drop(first);
    let late = HttpReply::read(&mut second).await;

    assert!(early.is_err());
    assert_eq!(late.status, 200);
}

#[tokio::test]
async fn serves_many_requests_on_one_connection() {
    let running = gateway(Answer::new("yes"), PATIENT).await;
    let mut client = TcpStream::connect(running.address).await.unwrap();

    for _ in 0..50 {
        client.write_all(&post(HI, &[])).await.unwrap();
        assert_eq!(HttpReply::read(&mut client).await.status, 200);
    }

    assert_eq!(exchange(running.address, ALIVE).await.status, 200);
}

#[tokio::test]
async fn speaks_http_2() {
    let running = gateway(Answer::new("one two three"), PATIENT).await;
    let stream = TcpStream::connect(running.address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("http://localhost/v1/chat/completions")
        .header("content-type", "application/json")
        .body(())
        .unwrap();

    let (reply, mut sending) = client.send_request(request, false).unwrap();
    let body = r#"{"messages":[{"role":"user","content":"hi"}],"stream":true}"#;
    sending.send_data(body.into(), true).unwrap();
    let reply = reply.await.unwrap();
    let (status, mut body) = (reply.status(), reply.into_body());
    let mut text = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.unwrap();
        body.flow_control().release_capacity(piece.len()).unwrap();
        text.extend_from_slice(&piece);
    }

    assert_eq!(status, 200);
    assert!(text.ends_with(b"data: [DONE]\n\n"));
}

// H33
#[tokio::test]
async fn bears_streams_that_are_reset_as_soon_as_they_are_opened() {
    let running = gateway(Answer::new("yes"), PATIENT).await;
    let stream = TcpStream::connect(running.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);

    for _ in 0..2_000 {
        let Ok(mut client) = client.clone().ready().await else { break };
        let request = http::Request::post("http://localhost/v1/chat/completions").body(()).unwrap();
        let Ok((reply, mut sending)) = client.send_request(request, false) else { break };
        sending.send_reset(h2::Reason::CANCEL);
        drop(reply);
    }

    assert_eq!(exchange(running.address, ALIVE).await.status, 200, "others are served");
    assert_eq!(running.provider.call_count(), 0);
}
