//! Bad input over HTTP (H1–H42, R69, R70): each ends in a named status, none reaches a provider that need not see it.

#![cfg(unix)]

use std::time::Duration;

use backstop::scripted::{Answer, Script};
use backstop_tests::{Served, Stage, exchange, post};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is answered with this status, and nobody is asked.
    Refused(u16),
    /// It is sent on: the provider is the judge of it.
    SentOn,
}

use Fate::{Refused, SentOn};

const MESSAGES: &str = r#""messages":[{"role":"user","content":"hi"}]"#;

fn body(text: impl AsRef<str>) -> Vec<u8> {
    post(text.as_ref(), &[])
}

/// A chat request with more fields.
fn with(fields: &str) -> Vec<u8> {
    body(format!("{{{MESSAGES},{fields}}}"))
}

fn with_headers(headers: &[(&str, &str)]) -> Vec<u8> {
    post(&format!("{{{MESSAGES}}}"), headers)
}

/// A sound request with a part of it replaced.
fn bent(from: &str, to: &str) -> Vec<u8> {
    let sound = String::from_utf8(body(format!("{{{MESSAGES}}}"))).unwrap();
    assert!(sound.contains(from));
    sound.replace(from, to).into_bytes()
}

fn chunked(chunks: &str) -> Vec<u8> {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n{chunks}"
    )
    .into_bytes()
}

fn bodies() -> Vec<(&'static str, Vec<u8>, Fate)> {
    let messages = |messages: Value| body(json!({"messages": messages}).to_string());
    let many = vec![json!({"role": "user", "content": "a"}); 100_000];
    vec![
        ("H6 no body", body(""), Refused(400)),
        ("H7 a brace", body("{"), Refused(400)),
        ("H8 null", body("null"), Refused(400)),
        ("H9 a list", body("[]"), Refused(400)),
        ("H10 deep", with(&format!("\"a\":{}{}", "[".repeat(10_000), "]".repeat(10_000))), Refused(400)),
        ("H11 model twice", with(r#""model":"default","model":"nobody""#), Refused(404)),
        ("H12 a number out of range", with(r#""temperature":1e999"#), Refused(400)),
        ("H13 -1", with(r#""max_tokens":-1"#), Refused(400)),
        ("H13 0", with(r#""max_tokens":0"#), Refused(400)),
        ("H13 1.5", with(r#""max_completion_tokens":1.5"#), Refused(400)),
        ("H13 text", with(r#""max_tokens":"10""#), Refused(400)),
        ("H13 2^63", with(r#""max_tokens":9223372036854775808"#), Refused(400)),
        ("H14", with(r#""n":1000000"#), Refused(400)),
        ("H15", with(r#""stream":"yes""#), Refused(400)),
        ("H16 empty", messages(json!([])), Refused(400)),
        ("H16 null", messages(json!(null)), Refused(400)),
        ("H16 no objects", messages(json!(["hi"])), Refused(400)),
        ("H16 100,000", messages(json!(many)), SentOn),
        ("H17 half a pair", body(r#"{"messages":[{"role":"user","content":"\ud800"}]}"#), Refused(400)),
        (
            "H17 not UTF-8",
            String::from_utf8(with(r#""a":"?""#))
                .unwrap()
                .into_bytes()
                .iter()
                .map(|byte| if *byte == b'?' { 0xff } else { *byte })
                .collect(),
            Refused(400),
        ),
        ("H18 U+0000", body(r#"{"messages":[{"role":"user","content":"\u0000"}]}"#), SentOn),
        ("H19 a role nobody knows", messages(json!([{"role": "root", "content": "hi"}])), SentOn),
        ("H20 20 MB", messages(json!([{"role": "user", "content": "a".repeat(20 << 20)}])), Refused(413)),
        ("H22 a path", with(r#""model":"../../x""#), Refused(404)),
        ("H22 1 MB", with(&format!(r#""model":"{}""#, "m".repeat(1 << 20))), Refused(404)),
        ("H40 no time", with(r#""backstop":{"timeout":0}"#), Refused(400)),
        ("H40 1 ms", with(r#""backstop":{"timeout":"1ns"}"#), Refused(504)),
        ("a wish nobody knows", with(r#""backstop":{"rout":"default"}"#), Refused(400)),
    ]
}

fn heads() -> Vec<(&'static str, Vec<u8>, Fate)> {
    let length = format!("content-length: {}\r\n", MESSAGES.len() + 2);
    let many: String = (0..101).map(|n| format!("x-{n}: a\r\n")).collect();
    let long = format!("x-long: {}\r\n", "a".repeat(64 << 10));
    vec![
        ("H4", b"GET /v1/chat/completions HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), Refused(405)),
        ("H4 the other way", b"DELETE /v1/models HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), Refused(405)),
        ("H5", bent("application/json", "text/plain"), Refused(415)),
        ("H5 none", bent("content-type: application/json\r\n", ""), Refused(415)),
        ("H35 compressed", with_headers(&[("content-encoding", "gzip")]), Refused(415)),
        ("a page of another site", with_headers(&[("origin", "https://example.org")]), Refused(403)),
        ("a page without an origin", with_headers(&[("origin", "null")]), Refused(403)),
        ("H25", bent(&length, &format!("{length}transfer-encoding: chunked\r\n")), Refused(400)),
        ("H25 the other way", bent(&length, &format!("transfer-encoding: chunked\r\n{length}")), Refused(400)),
        ("H26", bent(&length, &format!("{length}content-length: 3\r\n")), Refused(400)),
        ("H26 both the same", bent(&length, &format!("{length}{length}")), Refused(400)),
        ("H27", bent("host: localhost\r\n", "host: localhost\n"), Refused(400)),
        ("H27 all", bent("\r\n", "\n"), Refused(400)),
        ("a folded header", bent("host: localhost\r\n", "host: a\r\nx: b\r\n c\r\n"), Refused(400)),
        ("a NUL", bent("localhost", "local\0host"), Refused(400)),
        ("H28", chunked("FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n"), Refused(400)),
        ("H28 no number", chunked("x\r\n{}\r\n0\r\n\r\n"), Refused(400)),
        ("H29", bent("host: localhost\r\n", &format!("host: a\r\n{many}")), Refused(431)),
        ("H30", bent("host: localhost\r\n", &format!("host: a\r\n{long}")), Refused(431)),
        ("H38", with_headers(&[("idempotency-key", &"k".repeat(300))]), Refused(400)),
        ("H41", bent("/v1/chat/completions", "/v1/%2e%2e/v1/chat/completions"), Refused(404)),
        ("H41 dots", bent("/v1/chat/completions", "/v1/x/../chat/completions"), Refused(404)),
        (
            "H42",
            b"GET /v1/chat/completions HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
                .to_vec(),
            Refused(405),
        ),
        ("another protocol", b"EHLO example.org\r\n\r\n".to_vec(), Refused(400)),
        ("HTTP/3", bent("HTTP/1.1", "HTTP/3.0"), Refused(400)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_bad_input_with_a_status_and_asks_nobody() {
    let stage = Stage::new([("alpha", Answer::new("yes").into())]).await.with_patience();
    let gateway = Served::start(&stage).await;
    let mut strays = Vec::new();

    for (name, request, fate) in bodies().into_iter().chain(heads()) {
        let before = stage.attempts()[0];
        let reply = gateway.send(&request).await;
        let expected = match fate {
            Refused(status) => (status, 0),
            SentOn => (200, 1),
        };
        let became = (reply.status, stage.attempts()[0] - before);
        // Below the gateway's own replies there is the parser, which says no more than a status.
        let is_told = reply.status == 200 || reply.body.is_empty() || reply.json()["error"]["message"].is_string();
        if became != expected || !is_told {
            strays.push(format!("{name}: {became:?} in place of {expected:?}: {}", reply.text()));
        }
    }

    assert!(strays.is_empty(), "{strays:#?}");
    assert_eq!(gateway.get("/healthz").await.status, 200);
    let log = gateway.stopped().await;
    assert!(!log.contains("panicked"), "{log}");
}

// R70: the body is not waited for.
#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_long_body_by_what_its_head_says() {
    let stage = Stage::new([("alpha", Script::new())]).await;
    let gateway = Served::start(&stage).await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";

    let said = gateway.send(format!("{head}content-length: 10485761\r\n\r\n").as_bytes()).await;
    let expected =
        gateway.send(format!("{head}expect: 100-continue\r\ncontent-length: 99999999999\r\n\r\n").as_bytes()).await;
    let chunk = format!("100000\r\n{}\r\n", "a".repeat(1 << 20));
    let unsaid = gateway.send(&chunked(&format!("{}0\r\n\r\n", chunk.repeat(11)))).await;

    assert_eq!([said.status, expected.status, unsaid.status], [413; 3]);
    assert_eq!(said.json()["error"]["code"], "request_too_large");
    assert_eq!(stage.attempts(), [0]);
}

// H36
#[tokio::test(flavor = "multi_thread")]
async fn takes_a_client_that_stops_sending_for_one_that_has_gone() {
    let stage = Stage::new([("alpha", Script::new())]).await;
    let gateway = Served::start(&stage).await;
    let mut client = TcpStream::connect(gateway.address()).await.unwrap();

    client.write_all(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{").await.unwrap();
    client.shutdown().await.unwrap();
    let mut said = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), client.read_to_end(&mut said)).await.expect("an end").unwrap();

    assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&said));
    assert_eq!(stage.attempts(), [0]);
}

// H37
#[tokio::test(flavor = "multi_thread")]
async fn answers_pipelined_requests_in_order() {
    let stage = Stage::new([("alpha", Answer::new("yes").into())]).await;
    let gateway = Served::start(&stage).await;
    let requests =
        [with_headers(&[]), b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_vec()].concat();
    let mut client = TcpStream::connect(gateway.address()).await.unwrap();

    client.write_all(&requests).await.unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).await.unwrap();

    assert_eq!(said.matches("HTTP/1.1 200").count(), 2, "{said}");
    assert!(said.ends_with(r#"{"status":"ok"}"#), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn goes_on_after_a_thousand_bytes_of_anything() {
    let stage = Stage::new([("alpha", Script::new())]).await;
    let gateway = Served::start(&stage).await;

    for seed in 0..64_u32 {
        let noise: Vec<u8> = (0..1_000_u32).map(|n| (n.wrapping_mul(2_654_435_761 + seed) >> 13) as u8).collect();
        let mut client = TcpStream::connect(gateway.address()).await.unwrap();
        let _ = client.write_all(&noise).await;
        let _ = client.write_all(b"\r\n\r\n").await;
    }

    assert_eq!(exchange(gateway.address(), b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await.status, 200);
    assert_eq!(stage.attempts(), [0]);
}

// H21
#[tokio::test(flavor = "multi_thread")]
async fn fetches_nothing_that_a_request_points_to() {
    let stage = Stage::new([("alpha", Answer::new("yes").into())]).await;
    let gateway = Served::start(&stage).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pictures =
        [format!("http://{}/cat.png", listener.local_addr().unwrap()), "http://169.254.169.254/latest".into()];

    for picture in &pictures {
        let image = json!({"type": "image_url", "image_url": {"url": picture}});
        let reply = gateway.chat(&json!({"messages": [{"role": "user", "content": [image]}]})).await;

        assert_eq!(reply.status, 200, "{picture}: {}", reply.text());
        let sent = stage.provider("alpha").last_call().unwrap().body;
        assert_eq!(sent["messages"][0]["content"][0], image, "the provider is the judge of it");
    }

    let visited = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
    assert!(visited.is_err(), "somebody has fetched it");
}
