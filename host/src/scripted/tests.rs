//! The scripted provider seen by clients: a real one, and one that looks at the bytes.

use std::io::ErrorKind;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::config::Protocol;

/// Longer than anything here takes, shorter than anyone waits.
const GUARD: Duration = Duration::from_secs(20);

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let redirects = reqwest::redirect::Policy::none();
    reqwest::Client::builder().no_proxy().redirect(redirects).timeout(GUARD).build().unwrap()
}

fn question(stream: bool) -> Value {
    json!({
        "model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}],
        "stream": stream, "stream_options": {"include_usage": true},
    })
}

async fn ask(
    client: &reqwest::Client,
    provider: &ScriptedProvider,
    stream: bool,
) -> reqwest::Result<reqwest::Response> {
    let url = format!("{}/chat/completions", provider.base_url());
    client.post(url).bearer_auth("sk-test").body(question(stream).to_string()).send().await
}

/// Sends one request with raw bytes; what comes back until the provider ends the connection, and how it ended.
async fn exchange(provider: &ScriptedProvider, stream: bool) -> (String, Option<ErrorKind>) {
    let mut socket = connect(provider, stream).await;
    let mut reply = Vec::new();
    let end = tokio::time::timeout(GUARD, socket.read_to_end(&mut reply)).await.expect("the provider ends it");
    (String::from_utf8_lossy(&reply).into_owned(), end.err().map(|error| error.kind()))
}

async fn connect(provider: &ScriptedProvider, stream: bool) -> TcpStream {
    let url = provider.base_url();
    let mut socket = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).await.unwrap();
    let body = question(stream).to_string();
    let head =
        format!("POST /v1/chat/completions HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(body.as_bytes()).await.unwrap();
    socket
}

/// The stream of each protocol, asked for by its path.
const STREAMS: [(Protocol, &str); 4] = [
    (Protocol::OpenAi, "/v1/chat/completions"),
    (Protocol::Anthropic, "/v1/messages"),
    (Protocol::Gemini, "/v1beta/models/gemini:streamGenerateContent?alt=sse"),
    (Protocol::Ollama, "/api/chat"),
];

/// The body of the stream that a path brings, as far as it comes.
async fn streamed_from(path: &str, reply: impl Into<Reply>) -> String {
    let provider = ScriptedProvider::start(Script::always(reply)).await.unwrap();
    let url = provider.root_url().join(path).unwrap();
    let mut reply = client().post(url).body(question(true).to_string()).send().await.unwrap();
    let mut body = Vec::new();
    while let Ok(Some(piece)) = reply.chunk().await {
        body.extend_from_slice(&piece);
    }
    String::from_utf8(body).unwrap()
}

/// The reply to a single raw request.
async fn raw_reply(reply: impl Into<Reply>, stream: bool) -> (String, Option<ErrorKind>) {
    let provider = ScriptedProvider::start(Script::always(reply)).await.unwrap();
    exchange(&provider, stream).await
}

fn body(reply: &str) -> &str {
    reply.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[tokio::test]
async fn answers_whole_and_streamed_as_the_request_asks() {
    let provider = ScriptedProvider::start(Reply::answer("Paris, of course")).await.unwrap();
    let client = client();

    let whole: Value =
        serde_json::from_str(&ask(&client, &provider, false).await.unwrap().text().await.unwrap()).unwrap();
    let streamed = ask(&client, &provider, true).await.unwrap();

    assert_eq!(whole["choices"][0]["message"]["content"], "Paris, of course");
    assert_eq!(whole["model"], "gpt-4o");
    assert_eq!(streamed.headers()["content-type"], "text/event-stream; charset=utf-8");
    let events = streamed.text().await.unwrap();
    assert_eq!(events.matches("data: ").count(), 7);
    assert!(events.ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn answers_in_the_protocol_whose_path_is_called() {
    let provider = ScriptedProvider::start(Reply::answer("Paris, of course")).await.unwrap();
    let client = client();

    let mut told = Vec::new();
    for path in [
        "v1/messages",
        "v1beta/models/m:generateContent",
        "v1beta/models/m:streamGenerateContent?alt=sse",
        "v1beta/models/m:streamGenerateContent",
        "api/chat",
    ] {
        let url = provider.root_url().join(path).unwrap();
        let reply = client.post(url).body(r#"{"model":"m","messages":[]}"#).send().await.unwrap();
        let id = ["x-request-id", "request-id"].iter().find(|name| reply.headers().contains_key(**name));
        let id = id.copied().unwrap_or("no id");
        let content_type = reply.headers()["content-type"].to_str().unwrap().to_owned();
        let body = reply.text().await.unwrap();
        let begin: String = body.chars().filter(|letter| !letter.is_whitespace()).take(24).collect();
        told.push(format!("{path}: {content_type}, {id}, {begin}, {:?}", &body[body.len() - 3..]));
    }

    insta::assert_snapshot!(told.join("\n"), @r#"
    v1/messages: application/json, request-id, {"model":"m","id":"msg_s, "3}}"
    v1beta/models/m:generateContent: application/json; charset=UTF-8, no id, {"candidates":[{"content, "\n}\n"
    v1beta/models/m:streamGenerateContent?alt=sse: text/event-stream, no id, data:{"candidates":[{"co, "\n\r\n"
    v1beta/models/m:streamGenerateContent: application/json; charset=UTF-8, no id, [{"candidates":[{"conten, "}\n]"
    api/chat: application/x-ndjson, no id, {"model":"m","created_at, "0}\n"
    "#);
}

#[tokio::test]
async fn gives_gemini_one_list_where_no_events_are_asked_for() {
    let list = streamed_from("/v1beta/models/m:streamGenerateContent", Reply::answer("one two")).await;

    let list: Vec<Value> = serde_json::from_str(&list).unwrap();
    let texts = list.iter().map(|chunk| chunk["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap());
    assert_eq!(texts.collect::<String>(), "one two");
}

#[tokio::test]
async fn keeps_what_it_received() {
    let provider = ScriptedProvider::start(Reply::answer("yes")).await.unwrap();

    ask(&client(), &provider, false).await.unwrap();

    let call = provider.last_call().unwrap();
    assert_eq!((call.number, call.method.as_str(), call.path.as_str()), (1, "POST", "/v1/chat/completions"));
    assert_eq!(call.bearer_key(), Some("sk-test"));
    assert_eq!(call.body, question(false));
    assert_eq!(provider.call_count(), provider.calls().len());
}

#[tokio::test]
async fn serves_many_calls_on_one_connection() {
    let provider = ScriptedProvider::start(Reply::answer("yes")).await.unwrap();
    let client = client();

    for stream in [false, true, false, true] {
        ask(&client, &provider, stream).await.unwrap().text().await.unwrap();
    }

    assert_eq!((provider.call_count(), provider.connections()), (4, 1));
}

#[tokio::test]
async fn serves_many_connections_at_once() {
    let gate = Gate::closed();
    let held = Reply::answer("yes").at(Place::BeforeHead, Fault::Hold(gate.clone()));
    let provider = ScriptedProvider::start(Script::always(held)).await.unwrap();
    let client = client();

    let calls = futures_util::future::join_all((0..50).map(|_| ask(&client, &provider, false)));
    let release = async {
        provider.calls_reach(50).await;
        gate.open();
    };
    let (replies, ()) = tokio::join!(calls, release);

    assert!(replies.iter().all(|reply| reply.as_ref().unwrap().status() == 200));
}

#[tokio::test]
async fn follows_its_script_and_takes_a_new_one_while_running() {
    let script = Script::new().then(Reply::rate_limited(Duration::from_millis(1_500))).then(Reply::bad_gateway());
    let provider = ScriptedProvider::start(script).await.unwrap();
    let client = client();

    let limited = ask(&client, &provider, false).await.unwrap();
    let broken = ask(&client, &provider, false).await.unwrap().status();
    let over = ask(&client, &provider, false).await.unwrap().status();
    provider.set_script(Reply::answer("recovered"));
    let recovered = ask(&client, &provider, false).await.unwrap().status();

    assert_eq!((limited.status().as_u16(), limited.headers()["retry-after"].to_str().unwrap()), (429, "2"));
    assert_eq!((broken.as_u16(), over.as_u16(), recovered.as_u16()), (502, 501, 200));
}

#[tokio::test]
async fn resets_before_the_head() {
    let (reply, end) = raw_reply(Reply::reset(), false).await;

    assert_eq!((reply.as_str(), end), ("", Some(ErrorKind::ConnectionReset)));
}

#[tokio::test]
async fn resets_within_a_chunk_so_that_half_an_event_arrives() {
    let answer = Reply::answer("Paris, of course");

    let (reply, end) = raw_reply(answer.at(Place::WithinToken(1), Fault::Reset), true).await;

    assert_eq!(end, Some(ErrorKind::ConnectionReset));
    assert!(reply.contains("\"Paris,\"") && !reply.contains(" of"), "{reply}");
    assert!(!reply.ends_with("\n\n"), "{reply}");
}

#[tokio::test]
async fn closes_half_way_through_a_whole_body() {
    let provider =
        ScriptedProvider::start(Reply::answer("Paris").at(Place::WithinToken(0), Fault::Close)).await.unwrap();

    let reply = ask(&client(), &provider, false).await.unwrap();

    assert_eq!(reply.status(), 200);
    assert!(reply.text().await.is_err());
}

#[tokio::test]
async fn is_silent_where_told_to_and_counts_callers_that_leave() {
    let silences = [
        (Place::BeforeHead, ""),
        (Place::AfterHead, "\r\n\r\n"),
        (Place::AfterTokens(2), "\" of\""),
        (Place::BeforeDone, "\"usage\""),
    ];
    let replies = silences.map(|(place, _)| Reply::answer("Paris, of course").at(place, Fault::Silence));
    let provider = ScriptedProvider::start(replies.into_iter().fold(Script::new(), Script::then)).await.unwrap();

    for (number, (_, last_sign)) in silences.into_iter().enumerate() {
        let mut socket = connect(&provider, true).await;
        provider.calls_reach(number + 1).await;
        let mut reply = Vec::new();
        while !String::from_utf8_lossy(&reply).contains(last_sign) {
            socket.read_buf(&mut reply).await.unwrap();
        }
        drop(socket);
        tokio::time::timeout(GUARD, provider.disconnects_reach(number + 1)).await.unwrap();
    }

    assert_eq!(provider.disconnects(), silences.len());
}

#[tokio::test]
async fn notices_a_caller_that_leaves_during_a_wait() {
    let slow = Answer::new("Paris").first_token_after(Duration::from_secs(3_600));
    let provider = ScriptedProvider::start(Script::always(slow)).await.unwrap();

    let socket = connect(&provider, true).await;
    provider.calls_reach(1).await;
    drop(socket);

    tokio::time::timeout(GUARD, provider.disconnects_reach(1)).await.unwrap();
}

#[tokio::test]
async fn notices_a_caller_that_leaves_a_flood() {
    let flood = Reply::answer("Paris").at(Place::AfterTokens(1), Fault::endless_blank_lines());
    let provider = ScriptedProvider::start(Script::always(flood)).await.unwrap();

    let mut socket = connect(&provider, true).await;
    let mut some = vec![0; 1 << 20];
    socket.read_exact(&mut some).await.unwrap();
    drop(socket);

    tokio::time::timeout(GUARD, provider.disconnects_reach(1)).await.unwrap();
}

#[tokio::test]
async fn leaves_the_last_chunk_out() {
    let (sound, _) = raw_reply(Reply::answer("yes"), true).await;
    let (cut, end) = raw_reply(Reply::answer("yes").without_last_chunk(), true).await;

    assert!(sound.ends_with("[DONE]\n\n\r\n0\r\n\r\n"));
    assert!(cut.ends_with("[DONE]\n\n\r\n"));
    assert_eq!(end, None);
}

#[tokio::test]
async fn lies_about_the_length() {
    for (off, expected) in [(5, "content-length: 8\r\n"), (-2, "content-length: 1\r\n")] {
        let (reply, _) = raw_reply(Reply::raw(200, "text/plain", "abc").content_length_off_by(off), false).await;

        assert!(reply.contains(expected), "{reply}");
        assert_eq!(body(&reply), "abc");
    }
}

#[tokio::test]
async fn ends_streams_in_every_way() {
    for (ending, dones) in
        [(Ending::Done, 1), (Ending::NoDone, 0), (Ending::DoneTwice, 2), (Ending::ContentAfterDone, 1)]
    {
        let (reply, _) = raw_reply(Answer::new("yes").ending(ending), true).await;

        assert_eq!(reply.matches("[DONE]").count(), dones, "{ending:?}");
        assert_eq!(reply.contains("late"), ending == Ending::ContentAfterDone);
        assert!(reply.ends_with("0\r\n\r\n"));
    }
}

#[tokio::test]
async fn cuts_a_stream_in_good_order_after_an_error_event() {
    let (reply, end) = raw_reply(Reply::answer("one two three").error_after_tokens(2), true).await;

    assert_eq!(end, None);
    assert!(reply.contains(" two") && !reply.contains("three") && !reply.contains("[DONE]"));
    assert!(reply.contains("data: {\"error\":{") && reply.ends_with("0\r\n\r\n"));
}

#[tokio::test]
async fn breaks_off_after_a_token_in_every_protocol() {
    for (protocol, path) in STREAMS {
        let answer = Reply::answer("one two three");
        let after = streamed_from(path, answer.clone().at(Place::AfterTokens(2), Fault::Close)).await;
        let within = streamed_from(path, answer.at(Place::WithinToken(2), Fault::Close)).await;

        assert!(after.contains(" two") && !after.contains(" three"), "{protocol:?}: {after}");
        assert!(within.starts_with(&after) && within.len() > after.len(), "{protocol:?}: {within}");
        assert!(after.ends_with('\n') && !within.ends_with('\n'), "{protocol:?}: {within}");
    }
}

#[tokio::test]
async fn counts_every_part_of_a_tool_call_as_a_token() {
    let counts = [3, 3, 1, 1];
    for ((protocol, path), count) in STREAMS.into_iter().zip(counts) {
        let answer = Reply::from(Answer::tool_call("weather", r#"{"city":"Oslo"}"#));
        let cut = streamed_from(path, answer.clone().at(Place::AfterTokens(count), Fault::End)).await;
        let before = streamed_from(path, answer.at(Place::AfterTokens(count - 1), Fault::End)).await;

        let has_all = |text: &str| text.contains("Oslo") || text.contains("slo\\\"}");
        assert!(has_all(&cut) && !has_all(&before), "{protocol:?}: {before}\n{cut}");
    }
}

#[tokio::test]
async fn sends_errors_within_a_stream_in_the_words_of_the_protocol() {
    let ends = [
        "\n\ndata: {\"error\":{\"message\":\"The server experienced an error",
        "\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"",
        "\r\n\r\ndata: {\"error\":{\"code\":503,",
        "\n{\"error\":\"",
    ];
    for ((protocol, path), end) in STREAMS.into_iter().zip(ends) {
        let cut = streamed_from(path, Reply::answer("one two three").error_after_tokens(2)).await;

        assert!(cut.contains(" two") && !cut.contains(" three") && cut.contains(end), "{protocol:?}: {cut}");
    }
}

#[tokio::test]
async fn leaves_the_end_out_or_says_it_twice_in_every_protocol() {
    let ends = ["[DONE]", "event: message_stop", "\"STOP\"", "\"done\":true"];
    // Gemini and Ollama have no event for the end alone.
    let without = [0, 0, 1, 1];
    for (((_, path), end), without) in STREAMS.into_iter().zip(ends).zip(without) {
        for (ending, times) in
            [(Ending::Done, 1), (Ending::NoDone, without), (Ending::DoneTwice, 2), (Ending::ContentAfterDone, 1)]
        {
            let body = streamed_from(path, Answer::new("yes").ending(ending)).await;

            assert_eq!(body.matches(end).count(), times, "{ending:?} of {path}: {body}");
            assert_eq!(body.contains("late"), ending == Ending::ContentAfterDone, "{path}");
        }
    }
}

#[tokio::test]
async fn fails_in_a_protocols_own_words() {
    let mut told = Vec::new();
    for (protocol, _) in STREAMS {
        for reply in [Reply::overloaded_as(protocol), Reply::server_error_as(protocol)] {
            let (reply, _) = raw_reply(reply, false).await;
            let status = reply.split(' ').nth(1).unwrap().to_owned();
            told.push(format!("{status} {}", &body(&reply)[..36]));
        }
    }

    insta::assert_snapshot!(told.join("\n"), @r#"
    503 {"error":{"message":"Engine Overload
    500 {"error":{"message":"The server expe
    529 {"type":"error","error":{"type":"ove
    500 {"type":"error","error":{"type":"api
    503 {"error":{"code":503,"message":"The 
    500 {"error":{"code":500,"status":"INTER
    503 {"error":"Server overloaded, please 
    500 {"error":"llama runner process has t
    "#);
}

#[tokio::test]
async fn puts_bad_events_between_good_ones() {
    let reply = Reply::from(Answer::new("one two").newline(Newline::CrLf).comment("OPENROUTER PROCESSING"))
        .at(Place::AfterTokens(1), Fault::malformed_event())
        .at(Place::AfterTokens(1), Fault::invalid_utf8())
        .at(Place::AfterTokens(1), Fault::giant_line(1));
    let provider = ScriptedProvider::start(Script::always(reply)).await.unwrap();

    let bytes = ask(&client(), &provider, true).await.unwrap().bytes().await.unwrap();

    assert!(bytes.len() > 1 << 20);
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("\"del\n\n") && text.contains('\u{fffd}'));
    assert!(text.contains(": OPENROUTER PROCESSING\r\n\r\ndata: {"));
    assert!(text.ends_with("data: [DONE]\r\n\r\n"));
}

#[tokio::test]
async fn sends_byte_by_byte() {
    let reply = Reply::raw(200, "text/plain", "drip").byte_by_byte(Duration::from_millis(1));

    let (reply, _) = raw_reply(reply, false).await;

    assert_eq!(body(&reply), "drip");
}

#[tokio::test]
async fn sends_interim_heads_before_the_head() {
    let reply = Reply::answer("yes").at(Place::BeforeHead, Fault::interim_heads(3));

    let (reply, _) = raw_reply(reply, false).await;

    assert_eq!(reply.matches("HTTP/1.1 100 Continue\r\n\r\n").count(), 3);
    assert_eq!(reply.matches("HTTP/1.1 200 OK\r\n").count(), 1);
}

#[tokio::test]
async fn sends_heads_as_they_stand() {
    let reply = Reply::empty(204).with_status(999).header("Date", "yesterday").wrong_content_encoding("gzip");

    let (reply, _) = raw_reply(reply, false).await;

    insta::assert_snapshot!(reply.replace("\r\n", "\n").trim_end(), @r#"
    HTTP/1.1 999 Scripted
    x-request-id: req_scripted_1
    content-length: 0
    Date: yesterday
    content-encoding: gzip
    "#);
}

#[tokio::test]
async fn sends_no_length_with_a_reply_that_has_no_body() {
    let (reply, _) = raw_reply(Reply::empty(204), false).await;

    assert!(reply.starts_with("HTTP/1.1 204 No Content\r\n") && !reply.contains("content-length"), "{reply}");
}

#[tokio::test]
async fn refuses_a_request_that_is_too_long() {
    let provider = ScriptedProvider::start(Reply::answer("yes")).await.unwrap();
    let url = provider.base_url();
    let mut socket = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).await.unwrap();

    socket.write_all(b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n").await.unwrap();
    socket.shutdown().await.unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).await.unwrap();

    assert!(reply.starts_with("HTTP/1.1 413 "));
    assert_eq!(provider.call_count(), 0);
}

#[tokio::test]
async fn closes_every_connection_when_it_stops() {
    let provider = ScriptedProvider::start(Reply::silence()).await.unwrap();
    let mut socket = connect(&provider, false).await;
    provider.calls_reach(1).await;

    provider.stop().await;

    assert!(matches!(socket.read(&mut [0; 1]).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn refuses_connections_when_it_is_unreachable() {
    let provider = UnreachableProvider::start().unwrap();
    let url = provider.base_url();

    let refused = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).await;

    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}
