//! More replies no provider should give, over real sockets: P19 to P29, P36, P37, P40 and P43 of the bad replies. Nothing of
//! them is lost, nothing is paid that nobody counted, and nothing reaches the next request.

use std::time::Duration;

use backstop::scripted::{Answer, Ending, Fault, Gate, Place, Reply, Script};
use backstop::types::Usage;
use backstop::{ChatRequest, FailureKind, NanoUsd};
use backstop_tests::{Pair, pair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const TEXT: &str = "one two three four five six seven eight nine ten eleven twelve";

/// What an answer says it took, and what it cost.
type Bill = (Option<Usage>, Option<NanoUsd>);

/// What one token costs at a [`Pair`].
const NANOS_PER_TOKEN: u64 = 1_000;

async fn whole_bill(pair: &Pair, request: ChatRequest) -> (String, Bill) {
    let answer = pair.backstop.chat(request).await.unwrap();
    (answer.text, (answer.usage, answer.cost))
}

async fn streamed_bill(pair: &Pair, request: ChatRequest) -> (String, Bill) {
    let mut stream = pair.backstop.stream(request).await.unwrap();
    let mut text = String::new();
    while let Some(chunk) = stream.next().await {
        text.push_str(&chunk.unwrap().text);
    }
    (text, (stream.usage, stream.cost))
}

/// The bill of so many tokens of input and output.
fn counted(input: u64, output: u64) -> Bill {
    let usage = Usage { input, output, ..Usage::default() };
    (Some(usage), Some(NanoUsd::from_nanos((input + output) * NANOS_PER_TOKEN)))
}

/// The bill where nobody counted: whatever the request may have cost at most.
fn uncounted(pair: &Pair, request: &ChatRequest) -> Bill {
    (None, pair.backstop.estimate(request).unwrap()[0].cost)
}

fn completion(content: &str, more: &str) -> Reply {
    let choice =
        format!(r#"{{"index":0,"message":{{"role":"assistant","content":"{content}"}},"finish_reason":"stop"}}"#);
    Reply::raw(200, "application/json", format!(r#"{{"model":"m","choices":[{choice}]{more}}}"#))
}

// P19, P20
#[tokio::test]
async fn passes_nothing_on_that_comes_after_the_end() {
    for ending in [Ending::DoneTwice, Ending::ContentAfterDone] {
        let pair = Pair::start(Script::always(Answer::new(TEXT).ending(ending))).await;
        let mut stream = pair.backstop.stream(ChatRequest::ask("hi")).await.unwrap();
        let (mut text, mut raw) = (String::new(), Vec::new());

        while let Some(chunk) = stream.next().await {
            let chunk = chunk.unwrap();
            text.push_str(&chunk.text);
            raw.extend_from_slice(&chunk.raw);
        }

        assert_eq!(text, TEXT, "{ending:?}");
        assert!(!String::from_utf8(raw).unwrap().contains("late"), "{ending:?}");
    }
}

// P21
#[tokio::test]
async fn passes_over_a_malformed_tenth_chunk() {
    let pair = Pair::start(Reply::answer(TEXT).at(Place::AfterTokens(9), Fault::malformed_event())).await;

    let streamed = pair.streamed().await.unwrap();

    assert_eq!(streamed, (TEXT.to_owned(), None));
}

// P25: each pause falls into the middle of an event, and with two letters more in front, two bytes later in a character of
// four bytes or, with one letter, at another of its borders.
#[tokio::test]
async fn puts_characters_together_that_arrive_in_two_parts() {
    let pieces: Vec<String> = (0..8).map(|letters| format!("{}{}", "a".repeat(letters), "🙂".repeat(200))).collect();
    let answer = Answer::new("").pieces(pieces.iter().map(String::as_str));
    let pause = || Fault::Pause(Duration::from_millis(5));
    let reply = (0..8).fold(Reply::from(answer), |reply, token| reply.at(Place::WithinToken(token), pause()));
    let pair = Pair::start(reply).await;

    let streamed = pair.streamed().await.unwrap();

    assert_eq!(streamed, (pieces.concat(), None));
}

// P26
#[tokio::test]
async fn takes_no_text_that_is_not_utf8() {
    let broken = Reply::raw(200, "application/json", &b"{\"choices\":[{\"message\":{\"content\":\"\xff\"}}]}"[..]);
    let whole = Pair::start(broken).await;
    let streamed = Pair::start(Reply::answer(TEXT).at(Place::AfterTokens(2), Fault::invalid_utf8())).await;

    let (answer, stream) = (whole.whole().await.unwrap(), streamed.streamed().await.unwrap());

    assert_eq!(answer, "from the second");
    assert_eq!(whole.failures(), [FailureKind::MalformedReply]);
    assert_eq!(stream, (TEXT.to_owned(), None));
}

// P27, P28: what cannot be a count is taken as unknown, and the unknown is booked at its worst.
#[tokio::test]
async fn books_the_worst_case_where_the_count_cannot_be_believed() {
    let told = |output: Value| Answer::new(TEXT).usage_json(json!({"prompt_tokens": 9, "completion_tokens": output}));
    for (name, answer) in [
        ("missing", Answer::new(TEXT).without_usage()),
        ("null", Answer::new(TEXT).usage_json(Value::Null)),
        ("half", Answer::new(TEXT).usage_json(json!({"prompt_tokens": 9}))),
        ("negative", told(json!(-1))),
        ("a string", told(json!("7"))),
        ("2^63", told(json!(1_u64 << 63))),
        ("1e300", told(json!(1e300))),
        ("P28 none for a long answer", told(json!(0))),
    ] {
        let pair = Pair::start(Script::always(answer)).await;
        let request = ChatRequest::ask("hi").with_field("max_tokens", &50);

        let whole = whole_bill(&pair, request.clone()).await;
        let streamed = streamed_bill(&pair, request.clone()).await;

        let expected = (TEXT.to_owned(), uncounted(&pair, &request));
        assert!(expected.1.1.is_some_and(|cost| cost > NanoUsd::ZERO), "{name}");
        assert_eq!((whole, streamed), (expected.clone(), expected), "{name}");
    }
}

// P27: NaN is no JSON, so that a whole reply with it is none, and a chunk with it is passed over.
#[tokio::test]
async fn takes_not_a_number_for_no_json() {
    let whole = Pair::start(completion("yes", r#","usage":{"prompt_tokens":NaN,"completion_tokens":NaN}"#)).await;
    let chunk = Fault::event(r#"{"choices":[],"usage":{"prompt_tokens":NaN,"completion_tokens":1}}"#);
    let streamed = Pair::start(Reply::from(Answer::new(TEXT).without_usage()).at(Place::BeforeDone, chunk)).await;

    let answer = whole.whole().await.unwrap();
    let (text, bill) = streamed_bill(&streamed, ChatRequest::ask("hi")).await;

    assert_eq!((answer.as_str(), whole.failures()), ("from the second", vec![FailureKind::MalformedReply]));
    assert_eq!((text.as_str(), bill), (TEXT, uncounted(&streamed, &ChatRequest::ask("hi"))));
}

// P27
#[tokio::test]
async fn goes_by_the_last_of_two_counts() {
    let twice =
        r#","usage":{"prompt_tokens":9,"completion_tokens":1},"usage":{"prompt_tokens":9,"completion_tokens":4}"#;
    let whole = Pair::start(completion("yes", twice)).await;
    let later = Fault::event(r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4}}"#);
    let streamed = Pair::start(Reply::from(Answer::new(TEXT).usage(9, 1)).at(Place::BeforeDone, later)).await;

    let (_, of_whole) = whole_bill(&whole, ChatRequest::ask("hi")).await;
    let (_, of_stream) = streamed_bill(&streamed, ChatRequest::ask("hi")).await;

    assert_eq!((of_whole, of_stream), (counted(9, 4), counted(9, 4)));
}

// P29: whoever bills by its own count is believed, also where it went past what was asked for.
#[tokio::test]
async fn books_tokens_beyond_the_limit_that_was_asked_for() {
    let pair = Pair::start(Script::always(Answer::new(TEXT).usage(9, 5_000))).await;
    let request = ChatRequest::ask("hi").with_field("max_tokens", &16);

    let (_, whole) = whole_bill(&pair, request.clone()).await;
    let (_, streamed) = streamed_bill(&pair, request.clone()).await;

    assert!(uncounted(&pair, &request).1 < counted(9, 5_000).1);
    assert_eq!((whole, streamed), (counted(9, 5_000), counted(9, 5_000)));
}

// P36
#[tokio::test]
async fn says_which_coding_it_did_not_ask_for() {
    let pair = Pair::start(Reply::answer(TEXT).wrong_content_encoding("gzip")).await;

    let (whole, streamed) = (pair.whole().await.unwrap(), pair.streamed().await.unwrap());

    assert_eq!((whole.as_str(), streamed), ("from the second", ("from the second".to_owned(), None)));
    let failures: Vec<_> =
        pair.backstop.latest(2).iter().map(|record| record.attempts[0].failure().cloned().unwrap()).collect();
    for failure in failures {
        assert_eq!(failure.kind, FailureKind::MalformedReply);
        assert_eq!(failure.message, "the reply is coded (content-encoding: gzip), which nobody asked for");
    }
}

#[tokio::test]
async fn goes_by_the_status_of_an_error_in_a_coding_it_did_not_ask_for() {
    let coded = Reply::raw(429, "application/json", &b"\x1f\x8b\x08\x00gibberish"[..]).wrong_content_encoding("gzip");
    let pair = Pair::start(coded.header("retry-after", "7")).await;

    pair.whole().await.unwrap();

    let failure = pair.backstop.latest(1)[0].attempts[0].failure().cloned().unwrap();
    assert_eq!((failure.kind, failure.retry_after), (FailureKind::RateLimited, Some(Duration::from_secs(7))));
}

// P40: a wait that is named as a moment is taken by the clock that named it.
#[tokio::test]
async fn measures_a_wait_by_the_clock_of_the_reply() {
    for (date, until) in [
        ("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:07 GMT"),
        ("Thu, 21 Oct 2055 07:28:00 GMT", "Thu, 21 Oct 2055 07:28:07 GMT"),
    ] {
        let reply = Reply::rate_limited_without_wait().header("date", date).header("retry-after", until);
        let pair = Pair::start(reply).await;

        pair.whole().await.unwrap();

        let failure = pair.backstop.latest(1)[0].attempts[0].failure().cloned().unwrap();
        assert_eq!(failure.retry_after, Some(Duration::from_secs(7)), "{date}");
    }
}

// P43: what a provider sends once its call was given up goes to a connection that nobody reads any more.
#[tokio::test]
async fn gives_no_late_reply_to_the_next_request() {
    let gate = Gate::closed();
    let late = Reply::answer("too late").at(Place::BeforeHead, Fault::Hold(gate.clone()));
    let pair = Pair::start(Script::new().then(late).then(Reply::answer("in time")).forever()).await;

    let first = pair.whole().await.unwrap();
    gate.open();
    let second = pair.whole().await.unwrap();

    assert_eq!((first.as_str(), second.as_str()), ("from the second", "in time"));
    assert_eq!(pair.first.connections(), 2);
}

// P43: a second reply that nobody asked for, on a connection that is kept for the next request.
#[tokio::test]
async fn gives_no_second_reply_to_the_next_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap()).parse().unwrap();
    let server = tokio::spawn(async move {
        for text in ["first", "next", "last"] {
            let (connection, _) = listener.accept().await.unwrap();
            tokio::spawn(reply_twice(connection, text));
        }
    });
    let second = pair::second().await;
    let backstop = pair::asking([url, second.base_url()]).await;

    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(backstop.ask("hi").await.unwrap());
    }

    assert_eq!(answers, ["first", "next", "last"]);
    server.await.unwrap();
}

/// Answers one request with the text and, in the same breath, once more with a text nobody asked for; keeps the connection.
async fn reply_twice(mut connection: TcpStream, text: &str) {
    let reply = |text: &str| {
        let body =
            json!({"choices": [{"index": 0, "message": {"content": text}, "finish_reason": "stop"}]}).to_string();
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    let mut request = Vec::new();
    while !request.ends_with(b"}") && connection.read_buf(&mut request).await.unwrap() > 0 {}
    let both = [reply(text), reply("asked for by nobody")].concat();
    connection.write_all(both.as_bytes()).await.unwrap();
    let _ = connection.read_to_end(&mut request).await;
}
