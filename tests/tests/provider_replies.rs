//! Whatever a provider replies, the request is served by the next one or ends in an error that says why: P1–P18 and P30–P36
//! of the bad replies, over real sockets, whole and streamed.

use std::time::Duration;

use backstop::scripted::{Answer, Ending, Fault, Newline, Place, Reply, Script, ScriptedProvider};
use backstop::{ChatRequest, FailureKind, RouteError};
use backstop_tests::Pair;
use serde_json::json;

const TEXT: &str = "one two three four five six";

/// Replies that are no answer, whole or streamed: the next provider is asked.
fn no_answers() -> Vec<(&'static str, Reply, FailureKind)> {
    use FailureKind::{
        Authentication, Connection, Interrupted, MalformedReply, ModelNotFound, Overloaded, QuotaExhausted,
        RateLimited, ServerError, Timeout,
    };
    let error = json!({"error": {"message": "The server had an error", "type": "server_error"}});
    vec![
        ("P1 an error under 200", Reply::error_with_status_200(), ServerError),
        ("P2 a login page", Reply::login_page(), MalformedReply),
        ("P3 nothing under 200", Reply::raw(200, "application/json", ""), MalformedReply),
        ("P4 204", Reply::empty(204), MalformedReply),
        ("P5 a redirect", Reply::redirect(307, "http://127.0.0.1:1/v1/chat/completions"), ServerError),
        ("P7 599", Reply::json(599, &error), ServerError),
        ("P7 999", Reply::raw(999, "text/html", "<html>denied</html>"), ServerError),
        ("P8 429 of an empty account", Reply::insufficient_quota(), QuotaExhausted),
        ("P9 429 without a wait", Reply::rate_limited_without_wait(), RateLimited),
        (
            "P10 429 with an absurd wait",
            Reply::rate_limited_without_wait().header("retry-after", "1000000000000"),
            RateLimited,
        ),
        ("P10 429 with a negative wait", Reply::rate_limited_without_wait().header("retry-after", "-1"), RateLimited),
        (
            "P10 429 with a past date",
            Reply::rate_limited_without_wait().header("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"),
            RateLimited,
        ),
        (
            "P10 429 with two waits",
            Reply::rate_limited_without_wait().header("retry-after", "1").header("retry-after", "6m0s"),
            RateLimited,
        ),
        ("P11 529", Reply::anthropic_overloaded(), Overloaded),
        ("P12 503", Reply::overloaded(), Overloaded),
        ("P13 a reset before the head", Reply::reset(), Connection),
        ("P16 silence", Reply::silence(), Timeout),
        ("P16 silence after the head", Reply::answer(TEXT).at(Place::AfterHead, Fault::Silence), Timeout),
        ("P30 no choices", Reply::json(200, &json!({"object": "chat.completion", "choices": []})), MalformedReply),
        (
            "P36 a coding that is none",
            Reply::raw(200, "application/json", "not gzip").wrong_content_encoding("gzip"),
            MalformedReply,
        ),
        ("401", Reply::unauthorized(), Authentication),
        ("404 of a model", Reply::model_not_found("m"), ModelNotFound),
        ("502 in HTML", Reply::bad_gateway(), ServerError),
        ("a head and a reset", Reply::answer(TEXT).at(Place::AfterHead, Fault::Reset), Interrupted),
    ]
}

#[tokio::test]
async fn asks_the_next_provider_where_a_whole_reply_is_no_answer() {
    for (name, reply, kind) in no_answers() {
        let pair = Pair::start(reply).await;

        let answer = pair.whole().await;

        assert_eq!(answer.expect(name), "from the second", "{name}");
        assert_eq!(pair.failures(), [kind], "{name}");
        assert_eq!((pair.first.call_count(), pair.second.call_count()), (1, 1), "{name}");
    }
}

#[tokio::test]
async fn asks_the_next_provider_where_a_stream_fails_before_its_first_token() {
    for (name, reply, kind) in no_answers() {
        let pair = Pair::start(reply).await;

        let answer = pair.streamed().await;

        assert_eq!(answer.expect(name), ("from the second".to_owned(), None), "{name}");
        assert_eq!(pair.failures(), [kind], "{name}");
    }
}

#[tokio::test]
async fn never_takes_a_cut_whole_reply_for_an_answer() {
    for (name, reply) in [
        ("P13 a reset mid-body", Reply::answer(TEXT).at(Place::WithinToken(0), Fault::Reset)),
        ("P14 a length too long", Reply::answer(TEXT).content_length_off_by(5)),
        ("P14 a length too short", Reply::answer(TEXT).content_length_off_by(-9)),
        ("P16 silence mid-body", Reply::answer(TEXT).at(Place::WithinToken(0), Fault::Silence)),
    ] {
        let pair = Pair::start(reply).await;

        let answer = pair.whole().await;

        assert_eq!(answer.expect(name), "from the second", "{name}");
    }
}

#[tokio::test]
async fn never_ends_a_cut_stream_as_if_it_were_whole() {
    for tokens in 1..6 {
        for fault in [Fault::Reset, Fault::Close, Fault::End, Fault::Silence] {
            let name = format!("{fault:?} after {tokens} tokens");
            let pair = Pair::start(Reply::answer(TEXT).at(Place::AfterTokens(tokens), fault)).await;

            let (text, cut) = pair.streamed().await.expect(&name);

            assert!(TEXT.starts_with(&text) && text.len() < TEXT.len(), "{name}: {text:?}");
            assert!(matches!(cut, Some(FailureKind::Interrupted | FailureKind::Timeout)), "{name}: {cut:?}");
        }
    }
}

#[tokio::test]
async fn takes_every_healthy_stream_for_whole_however_it_is_dressed() {
    let answer = || Answer::new(TEXT);
    for (name, script) in [
        ("LF", Script::always(answer())),
        ("CRLF", Script::always(answer().newline(Newline::CrLf))),
        ("CR", Script::always(answer().newline(Newline::Cr))),
        ("comments", Script::always(answer().comment("OPENROUTER PROCESSING"))),
        ("P18 no [DONE]", Script::always(answer().ending(Ending::NoDone))),
        ("P19 two [DONE]", Script::always(answer().ending(Ending::DoneTwice))),
        ("P20 content after [DONE]", Script::always(answer().ending(Ending::ContentAfterDone))),
        (
            "P21 a malformed event",
            Script::always(Reply::from(answer()).at(Place::AfterTokens(2), Fault::malformed_event())),
        ),
        ("P15 no last chunk", Script::always(Reply::from(answer()).without_last_chunk())),
        ("P31 an unknown finish reason", Script::always(answer().finish_reason("eos"))),
        (
            "P27 hostile usage",
            Script::always(answer().usage_json(json!({"prompt_tokens": -1, "completion_tokens": "x"}))),
        ),
        ("P35 a cookie", Script::always(Reply::from(answer()).header("set-cookie", "a=b"))),
        (
            "P6 a flood of 100 Continue",
            Script::always(Reply::from(answer()).at(Place::BeforeHead, Fault::interim_heads(20))),
        ),
        ("a whole reply to a request for a stream", Script::always(whole())),
    ] {
        let pair = Pair::start(script).await;

        let streamed = pair.streamed().await.expect(name);

        assert_eq!(streamed, (TEXT.to_owned(), None), "{name}");
        assert_eq!(pair.second.call_count(), 0, "{name}");
    }
}

/// A completion that comes whole whatever was asked.
fn whole() -> Reply {
    let message = json!({"role": "assistant", "content": TEXT});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    Reply::json(200, &json!({"object": "chat.completion", "model": "m", "choices": [choice]}))
}

#[tokio::test]
async fn gives_up_a_stream_that_only_ever_comments() {
    let comments = Fault::endless_comments(Duration::from_millis(50));
    let early = Pair::start(Reply::answer(TEXT).at(Place::AfterHead, comments.clone())).await;
    let late = Pair::start(Reply::answer(TEXT).at(Place::AfterTokens(2), comments)).await;

    let (before, after) = (early.streamed().await.unwrap(), late.streamed().await.unwrap());

    assert_eq!(before, ("from the second".to_owned(), None));
    assert_eq!(after.1, Some(FailureKind::Timeout));
}

// P17: bytes now and then are no token, and no reply takes longer than the attempt's total.
#[tokio::test]
async fn gives_up_a_reply_that_trickles() {
    let answer = || Reply::answer(TEXT).byte_by_byte(Duration::from_millis(60));
    let (whole, streamed) = (Pair::start(answer()).await, Pair::start(answer()).await);

    let (whole, streamed) = tokio::join!(whole.whole(), streamed.streamed());

    assert_eq!(whole.unwrap(), "from the second");
    assert_eq!(streamed.unwrap(), ("from the second".to_owned(), None));
}

// P32: arguments that end in the middle are the model's own words; they reach the caller as they are, and nothing is added.
#[tokio::test]
async fn passes_cut_arguments_of_a_tool_call_on_as_they_came() {
    let pair =
        Pair::start(Script::always(Answer::tool_call("weather", r#"{"city": "Par"#).finish_reason("length"))).await;

    let answer = pair.backstop.chat(ChatRequest::ask("hi")).await.unwrap();

    let message = &answer.to_json()["choices"][0];
    assert_eq!(message["message"]["tool_calls"][0]["function"]["arguments"], r#"{"city": "Par"#);
    assert_eq!(message["finish_reason"], "length");
}

// P33
#[tokio::test]
async fn ends_with_the_cause_where_an_error_comes_after_forty_tokens() {
    let long = "word ".repeat(60);
    let pair = Pair::start(Reply::answer(&long).error_after_tokens(40)).await;

    let (text, cut) = pair.streamed().await.unwrap();

    assert!(!text.is_empty() && text.len() < long.len() && long.starts_with(&text), "{text:?}");
    // The second provider's answer is another one: it cannot take the place of the rest.
    assert!(cut.is_some());
    assert_eq!(pair.second.call_count(), 1);
}

// P34
#[tokio::test]
async fn keeps_the_name_of_the_model_that_really_answered() {
    let pair = Pair::start(Script::always(Answer::new(TEXT).model("m-2026-11-01"))).await;

    let answer = pair.backstop.chat(ChatRequest::ask("hi")).await.unwrap();

    assert_eq!(answer.to_json()["model"], "m-2026-11-01");
    assert_eq!(answer.target.unwrap().to_string(), "first/m");
}

// D3
#[tokio::test]
async fn carries_tools_through_a_fail_over_and_brings_their_calls_back() {
    let tools = json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]);
    let pair = Pair::start(Reply::server_error()).await;
    pair.second.set_script(Script::always(Answer::tool_call("weather", r#"{"city":"Paris"}"#)));
    let request = ChatRequest::ask("How is the weather in Paris?").with_field("tools", &tools);

    let answer = pair.backstop.chat(request).await.unwrap();

    let received = [&pair.first, &pair.second].map(|provider| provider.last_call().unwrap().body["tools"].clone());
    assert_eq!(received, [tools.clone(), tools]);
    let call = &answer.to_json()["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(call, &json!({"name": "weather", "arguments": r#"{"city":"Paris"}"#}));
}

#[tokio::test]
async fn bears_a_line_without_end_and_blank_lines_without_number() {
    for (name, fault) in [("P22", Fault::giant_line(100)), ("P23", Fault::endless_blank_lines())] {
        let pair = Pair::start(Reply::answer(TEXT).at(Place::AfterHead, fault)).await;

        let answer = pair.streamed().await;

        assert_eq!(answer.expect(name), ("from the second".to_owned(), None), "{name}");
    }
}

// RELIABILITY 65
#[tokio::test]
async fn sends_not_one_byte_to_where_a_redirect_points() {
    let other = ScriptedProvider::start(Script::always(Reply::answer("stolen"))).await.unwrap();
    for status in [301, 302, 303, 307, 308] {
        let pair = Pair::start(Reply::redirect(status, other.base_url().as_str())).await;

        let answer = pair.whole().await.unwrap();

        assert_eq!(answer, "from the second", "{status}");
    }
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn gives_the_client_the_providers_own_words_where_nobody_else_may_be_asked() {
    for (name, reply, says) in [
        ("400", Reply::invalid_request(), FailureKind::InvalidRequest),
        ("a filter", Reply::content_filter(), FailureKind::ContentFiltered),
        ("too long", Reply::context_length(), FailureKind::ContextLength),
    ] {
        let pair = Pair::start(reply).await;

        let error = pair.whole().await.unwrap_err();

        let RouteError::Rejected { failure, .. } = &error else { panic!("{name}: {error}") };
        assert_eq!(failure.kind, says, "{name}");
        assert!(!failure.message.is_empty(), "{name}");
        assert_eq!(pair.second.call_count(), 0, "{name}");
    }
}

#[tokio::test]
async fn sends_a_client_that_leaves_off_to_the_provider_too() {
    let pair = Pair::start(Answer::new(TEXT).every(Duration::from_millis(50))).await;
    let mut stream = pair.backstop.stream(ChatRequest::ask("hi")).await.unwrap();
    stream.next().await.unwrap().unwrap();

    drop(stream);

    let gone = async {
        while pair.first.disconnects() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.expect("the upstream call was not cancelled");
    assert_eq!(pair.backstop.latest(1)[0].outcome, backstop::types::Outcome::Abandoned);
}

#[tokio::test]
async fn a_stream_whose_tokens_were_all_spent_on_thoughts_is_an_answer() {
    let first = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
    let last = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#;
    let events = format!("data: {first}\n\ndata: {last}\n\ndata: [DONE]\n\n");
    let pair = Pair::start(Reply::raw(200, "text/event-stream", events)).await;

    let streamed = pair.streamed().await;

    assert_eq!(streamed.unwrap(), (String::new(), None));
    assert_eq!(pair.second.call_count(), 0);
}

#[tokio::test]
async fn a_stream_that_calls_itself_json_is_read_as_the_stream_it_is() {
    let event = r#"{"choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":"stop"}]}"#;
    let events = format!("data: {event}\n\ndata: [DONE]\n\n");
    let pair = Pair::start(Reply::raw(200, "application/json", events)).await;

    let streamed = pair.streamed().await;

    assert_eq!(streamed.unwrap(), ("hello".to_owned(), None));
    assert_eq!(pair.second.call_count(), 0);
}
