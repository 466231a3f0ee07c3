//! `Idempotency-Key` at the gateway (H38): one request, however often it is sent.

use backstop::gateway::Gateway;
use backstop::scripted::{Answer, Fault, Gate, Place, Reply, Script, ScriptedProvider};
use backstop_tests::pair::asking;
use backstop_tests::{HttpReply, exchange, post};
use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const HI: &str = r#"{"messages":[{"role":"user","content":"hi"}]}"#;
const STREAM: &str = r#"{"messages":[{"role":"user","content":"hi"}],"stream":true}"#;
const KEY: [(&str, &str); 1] = [("idempotency-key", "order-7")];

async fn gateway(script: impl Into<Script>) -> (ScriptedProvider, std::net::SocketAddr) {
    let provider = ScriptedProvider::start(script).await.unwrap();
    let backstop = asking([provider.base_url(), provider.base_url()]).await;
    let gateway = Gateway::bind("127.0.0.1:0".parse().unwrap(), backstop).await.unwrap();
    let address = gateway.address();
    tokio::spawn(gateway.serve(std::future::pending));
    (provider, address)
}

#[tokio::test]
async fn asks_nobody_again_for_what_was_answered_whole_or_as_a_stream() {
    for body in [HI, STREAM] {
        let (provider, address) = gateway(Answer::new("one two three")).await;

        let first = exchange(address, &post(body, &KEY)).await;
        let second = exchange(address, &post(body, &KEY)).await;
        let other = exchange(address, &post(&body.replace("hi", "ho"), &KEY)).await;

        assert_eq!((first.status, second.status), (200, 200));
        assert_eq!(first.body, second.body);
        assert_eq!(first.header("x-backstop-request-id"), second.header("x-backstop-request-id"));
        assert_eq!((first.header("x-backstop-replayed"), second.header("x-backstop-replayed")), (None, Some("true")));
        assert_eq!((other.status, other.json()["error"]["code"].as_str()), (422, Some("idempotency_key_reused")));
        assert_eq!(provider.call_count(), 1);
    }
}

#[tokio::test]
async fn makes_one_attempt_of_fifty_equal_requests_at_once() {
    let gate = Gate::closed();
    let (provider, address) = gateway(Reply::answer("yes").at(Place::AfterTokens(0), Fault::Hold(gate.clone()))).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(&post(HI, &KEY)).await.unwrap();
    provider.calls_reach(1).await;

    let sent = post(HI, &KEY);
    let others = join_all((0..49).map(|_| exchange(address, &sent))).await;
    gate.open();
    let answered = HttpReply::read(&mut first).await;
    let after = exchange(address, &post(HI, &KEY)).await;

    assert!(others.iter().all(|reply| reply.status == 409), "{others:?}");
    assert_eq!((answered.status, after.status, after.body == answered.body), (200, 200, true));
    assert_eq!(provider.call_count(), 1);
}

#[tokio::test]
async fn tries_anew_what_failed_or_broke_off() {
    let (provider, address) = gateway(Reply::invalid_request()).await;
    assert_eq!(exchange(address, &post(HI, &KEY)).await.status, 400);
    provider.set_script(Reply::answer("one two three").at(Place::AfterTokens(1), Fault::Reset));
    let broken = exchange(address, &post(STREAM, &[("idempotency-key", "b")])).await;
    provider.set_script(Answer::new("yes"));

    let mended = exchange(address, &post(HI, &KEY)).await;
    let whole = exchange(address, &post(STREAM, &[("idempotency-key", "b")])).await;

    assert!(!broken.text().contains("[DONE]"), "{}", broken.text());
    assert_eq!((mended.status, mended.header("x-backstop-replayed")), (200, None));
    assert!(whole.text().ends_with("data: [DONE]\n\n") && whole.header("x-backstop-replayed").is_none());
}

// H38
#[tokio::test]
async fn refuses_keys_that_are_none() {
    let (provider, address) = gateway(Answer::new("yes")).await;
    let long = "k".repeat(300);
    for key in [long.as_str(), "ключ", ""] {
        let reply = exchange(address, &post(HI, &[("idempotency-key", key)])).await;
        assert_eq!(reply.status, 400, "{key}: {}", reply.text());
    }
    assert_eq!(provider.call_count(), 0);
}
