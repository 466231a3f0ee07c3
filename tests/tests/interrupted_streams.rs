//! A stream that breaks is rescued or honestly reported: cut, stalled, broken by an error or by an unreadable event, at every
//! token of a 60-token answer, for each `on_interrupt` and each pair of protocols.

use std::sync::Arc;
use std::time::Duration;

use backstop::config::{BreakerConfig, Config, HoldBack, OnInterrupt, Protocol, ProviderConfig, RetryConfig, Timeouts};
use backstop::scripted::{Answer, Fault, Place, ReceivedCall, Reply, Script, ScriptedProvider};
use backstop::types::AttemptEnd;
use backstop::{Backstop, ChatRequest, FailureKind};
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};

const TOKENS: usize = 60;
const PROTOCOLS: [Protocol; 4] = [Protocol::OpenAi, Protocol::Anthropic, Protocol::Gemini, Protocol::Ollama];

/// What happens to the first provider's stream after some tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    Reset,
    End,
    Error,
    Silence,
    Unreadable,
}

/// How a stream ended for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    text: String,
    finish_reason: Option<String>,
    failure: Option<FailureKind>,
}

fn answer() -> String {
    (1..=TOKENS).map(|number| if number == 1 { "1".to_owned() } else { format!(" {number}") }).collect()
}

/// Two providers of any protocols: the first breaks where the question says, the second has the same answer.
struct Pair {
    second: ScriptedProvider,
    backstop: Backstop,
    _first: ScriptedProvider,
}

impl Pair {
    async fn start(first: Protocol, second: Protocol, on_interrupt: OnInterrupt) -> Self {
        Self::with(first, second, Script::by(answer_the_rest), |config| {
            config.routes.get_mut("default").unwrap().on_interrupt = on_interrupt;
        })
        .await
    }

    async fn with(first: Protocol, second: Protocol, rescue: Script, change: impl FnOnce(&mut Config)) -> Self {
        let broken = ScriptedProvider::start(Script::by(break_as_asked)).await.unwrap();
        let sound = ScriptedProvider::start(rescue).await.unwrap();
        let mut config = Config::new();
        for (name, kind, provider) in [("first", first, &broken), ("second", second, &sound)] {
            let base_url = if kind == Protocol::OpenAi { provider.base_url() } else { provider.root_url() };
            let mut provider = ProviderConfig::openai_compatible(base_url)
                .with_key("TEST_KEY", "sk-test-0123456789")
                .with_model("claude-sonnet-4-5")
                .with_timeouts(timeouts());
            provider.kind = kind;
            provider.models[0].prefill = (kind == Protocol::OpenAi).then_some(true);
            config.providers.insert(name.to_owned(), provider);
        }
        config.breaker = BreakerConfig { failures: 0, success_rate: 0.0, ..BreakerConfig::default() };
        config.retries = RetryConfig { ratio: 1.0, floor: 100_000, hedges: 0.0 };
        config.routes.get_mut("default").unwrap().options = json!({"retries": 0}).as_object().unwrap().clone();
        change(&mut config);
        let backstop = Backstop::builder().config(config).build().await.unwrap();
        Self { second: sound, backstop, _first: broken }
    }

    async fn stream(&self, how: Break, after: usize) -> Told {
        let mut stream = self.backstop.stream(ChatRequest::ask(&format!("break:{how:?}:{after};"))).await.unwrap();
        let mut told = Told { text: String::new(), finish_reason: None, failure: None };
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => {
                    told.text.push_str(&chunk.text);
                    assert_eq!(text_in(&chunk.raw), chunk.text, "the event and what it says are one");
                }
                Err(error) => told.failure = Some(error.failure.kind),
            }
        }
        assert!(stream.next().await.is_none(), "an end is an end");
        told.finish_reason = stream.finish_reason.clone();
        told
    }
}

/// The text that the events of a chunk add, read by themselves.
fn text_in(raw: &[u8]) -> String {
    let raw = std::str::from_utf8(raw).unwrap();
    let events = raw.lines().filter_map(|line| line.strip_prefix("data: "));
    let deltas =
        events.map(|event| serde_json::from_str::<Value>(event).unwrap()["choices"][0]["delta"]["content"].clone());
    deltas.filter_map(|content| content.as_str().map(str::to_owned)).collect()
}

fn timeouts() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(5),
        first_token: Some(Duration::from_secs(5)),
        idle: Duration::from_millis(300),
        total: Duration::from_secs(60),
    }
}

fn break_as_asked(call: &ReceivedCall) -> Reply {
    let body = call.body.to_string();
    let (_, asked) = body.split_once("break:").unwrap();
    let (how, after) = asked.split_once(';').unwrap().0.split_once(':').unwrap();
    let after: usize = after.parse().unwrap();
    let reply = Reply::answer(answer());
    let place = Place::AfterTokens(after);
    match how {
        "Reset" => reply.at(place, Fault::Reset),
        "End" => reply.at(place, Fault::End),
        "Error" => reply.error_after_tokens(after),
        "Silence" => reply.at(place, Fault::Silence),
        "Unreadable" => reply.at(place, Fault::malformed_event()).at(place, Fault::End),
        other => panic!("{other}"),
    }
}

/// The beginning of an answer that a target is asked to go on with, in any protocol.
fn begun(call: &ReceivedCall) -> Option<String> {
    let last = call.body["messages"].as_array()?.last()?.clone();
    if last["role"] != "assistant" {
        return None;
    }
    let text = last["content"].as_str().or_else(|| last["content"][0]["text"].as_str());
    Some(text.unwrap_or_default().to_owned())
}

fn answer_the_rest(call: &ReceivedCall) -> Reply {
    let whole = answer();
    match begun(call) {
        Some(begun) => match whole.strip_prefix(&begun).unwrap() {
            // Nothing is left to say: the model only ends.
            "" => Answer::new("").pieces([]).into(),
            rest => Reply::answer(rest),
        },
        None => Reply::answer(whole),
    }
}

/// Every break after every number of tokens, many at a time.
async fn every_break(pair: &Pair) -> Vec<(Break, usize, Told)> {
    let breaks = [Break::Reset, Break::End, Break::Error, Break::Silence, Break::Unreadable];
    let all = breaks.into_iter().flat_map(|how| (0..=TOKENS).map(move |after| (how, after)));
    stream::iter(all)
        .map(|(how, after)| async move { (how, after, pair.stream(how, after).await) })
        .buffer_unordered(48)
        .collect()
        .await
}

fn is_whole(told: &Told) -> bool {
    told.failure.is_none() && told.text == answer() && told.finish_reason.as_deref() == Some("stop")
}

// RELIABILITY 46 and 47: the two that rescue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gives_the_whole_answer_wherever_a_stream_breaks_in_every_pair_of_protocols() {
    for on_interrupt in [OnInterrupt::Continue, OnInterrupt::Restart] {
        for (first, second) in pairs() {
            let pair = Pair::start(first, second, on_interrupt).await;

            let told = every_break(&pair).await;

            let wrong: Vec<_> = told.iter().filter(|(_, _, told)| !is_whole(told)).collect();
            assert_eq!(told.len(), 5 * (TOKENS + 1));
            assert!(wrong.is_empty(), "{on_interrupt:?} {first:?} {second:?}: {} wrong, {:?}", wrong.len(), wrong[0]);
            let gone_on = pair.second.calls().iter().filter(|call| begun(call).is_some()).count();
            let can_go_on = on_interrupt == OnInterrupt::Continue && second != Protocol::Gemini;
            assert_eq!(gone_on > 0, can_go_on, "{on_interrupt:?} {first:?} {second:?}");
        }
    }
}

// RELIABILITY 46: the one that does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_ends_a_broken_stream_as_if_it_were_whole_where_nobody_may_go_on() {
    for (first, second) in pairs() {
        let pair = Pair::start(first, second, OnInterrupt::Fail).await;

        for (how, after, told) in every_break(&pair).await {
            let context = format!("{first:?} {second:?} {how:?} after {after}: {told:?}");
            // Before the first token nobody has seen anything: the next provider answers.
            if after == 0 {
                assert!(is_whole(&told), "{context}");
            } else {
                assert!(told.failure.is_some() && told.finish_reason.is_none(), "{context}");
                assert!(answer().starts_with(&told.text), "{context}");
            }
        }
    }
}

fn pairs() -> impl Iterator<Item = (Protocol, Protocol)> {
    PROTOCOLS.into_iter().flat_map(|first| PROTOCOLS.into_iter().map(move |second| (first, second)))
}

#[tokio::test]
async fn ends_with_the_first_cause_where_the_second_answer_is_another_one() {
    let other = Script::always(Reply::answer("quite another answer"));
    let pair = Pair::with(Protocol::OpenAi, Protocol::Gemini, other, |_| {}).await;

    let told = pair.stream(Break::Error, 30).await;

    assert_eq!(told.failure, Some(FailureKind::ServerError));
    assert!(answer().starts_with(&told.text) && told.finish_reason.is_none(), "{told:?}");
    // It was no fault of the second's that its answer is another one.
    let status = &pair.backstop.status()[1];
    assert_eq!(status.health.consecutive_failures, 0);
}

#[tokio::test]
async fn tells_who_went_on_and_keeps_both_in_the_record() {
    let pair = Pair::start(Protocol::Anthropic, Protocol::Ollama, OnInterrupt::Continue).await;
    let mut stream = pair.backstop.stream(ChatRequest::ask("break:Reset:30;")).await.unwrap();
    assert_eq!(&*stream.target.as_ref().unwrap().provider, "first");

    while let Some(chunk) = stream.next().await {
        chunk.unwrap();
    }

    assert_eq!(&*stream.target.as_ref().unwrap().provider, "second");
    assert_eq!(stream.attempts, 2);
    let record = pair.backstop.explain(stream.id).unwrap();
    assert_eq!(record.attempts.len(), 2);
    assert_eq!(record.attempts[0].failure().unwrap().kind, FailureKind::Interrupted);
    assert_eq!(record.attempts[1].end, AttemptEnd::Served);
    assert_eq!(&*record.served_by.as_ref().unwrap().provider, "second");
    let steps = serde_json::to_string(&record.steps).unwrap();
    assert!(steps.contains(r#""event":"resuming","target":"second/claude-sonnet-4-5","goes_on":true"#), "{steps}");
}

#[tokio::test]
async fn takes_up_a_call_of_a_tool_only_with_the_same_call() {
    let begun = |call: &ReceivedCall| -> Reply {
        let asked_first = call.path.contains("chat/completions");
        let answer = Answer::tool_call("add", r#"{"left":17,"right":25}"#);
        if asked_first { Reply::from(answer).at(Place::AfterTokens(2), Fault::Reset) } else { answer.into() }
    };
    let first = ScriptedProvider::start(Script::by(begun)).await.unwrap();
    for (arguments, is_whole) in [(r#"{"left":17,"right":25}"#, true), (r#"{"left":18,"right":25}"#, false)] {
        let second = ScriptedProvider::start(Script::always(Answer::tool_call("add", arguments))).await.unwrap();
        let mut config = Config::new();
        for (name, provider) in [("first", &first), ("second", &second)] {
            let provider = ProviderConfig::openai_compatible(provider.base_url())
                .with_key("TEST_KEY", "sk-test-0123456789")
                .with_model("m");
            config.providers.insert(name.to_owned(), provider);
        }
        config.routes.get_mut("default").unwrap().options = json!({"retries": 0}).as_object().unwrap().clone();
        let backstop = Backstop::builder().config(config).build().await.unwrap();
        let tool = json!([{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]);
        let mut stream = backstop.stream(ChatRequest::ask("17 + 25?").with_field("tools", &tool)).await.unwrap();

        let (mut written, mut failure) = (String::new(), None);
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => written.extend(chunk.calls.iter().map(|call| call.arguments.as_str())),
                Err(error) => failure = Some(error.failure.kind),
            }
        }

        assert_eq!(failure.is_none(), is_whole, "{failure:?}");
        assert_eq!(written == arguments, is_whole, "{written}");
    }
}

// What is held back at first can fail without anybody's noticing, even where nobody may go on.
#[tokio::test]
async fn loses_nothing_to_a_break_within_the_part_that_is_held_back() {
    let pair = Pair::with(Protocol::OpenAi, Protocol::OpenAi, Script::by(answer_the_rest), |config| {
        let route = config.routes.get_mut("default").unwrap();
        route.on_interrupt = OnInterrupt::Fail;
        route.hold_back = HoldBack { tokens: 20, time: None };
    })
    .await;

    let within = pair.stream(Break::Reset, 19).await;
    let beyond = pair.stream(Break::Reset, 21).await;

    assert!(is_whole(&within), "{within:?}");
    assert_eq!(beyond.failure, Some(FailureKind::Interrupted));
}

// An endless answer takes no endless memory: what is longer than any model writes is not kept to be gone on with.
#[tokio::test]
async fn ends_with_the_cause_where_an_answer_is_too_long_to_go_on_with() {
    let piece = "x".repeat(64 << 10);
    for (pieces, is_rescued) in [(15, true), (17, false)] {
        let begun = Answer::new("").pieces(vec![piece.as_str(); 20]);
        let broken = Script::always(Reply::from(begun.clone()).at(Place::AfterTokens(pieces), Fault::End));
        let first = ScriptedProvider::start(broken).await.unwrap();
        let second = ScriptedProvider::start(Script::always(begun)).await.unwrap();
        let backstop = backstop_tests::pair::asking([first.base_url(), second.base_url()]).await;
        let mut stream = backstop.stream(ChatRequest::ask("hi")).await.unwrap();

        let (mut length, mut failure) = (0, None);
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => length += chunk.text.len(),
                Err(error) => failure = Some(error.failure.kind),
            }
        }

        let expected = if is_rescued { (20, None, 1) } else { (17, Some(FailureKind::Interrupted), 0) };
        assert_eq!((length / piece.len(), failure, second.call_count()), expected);
    }
}

#[tokio::test]
async fn goes_on_where_it_was_when_a_caller_stops_waiting_during_a_rescue() {
    let slow = Script::by(|call| {
        let reply = answer_the_rest(call);
        reply.after(Duration::from_millis(30))
    });
    let pair = Arc::new(Pair::with(Protocol::OpenAi, Protocol::OpenAi, slow, |_| {}).await);
    let mut stream = pair.backstop.stream(ChatRequest::ask("break:Reset:30;")).await.unwrap();

    let mut text = String::new();
    loop {
        match tokio::time::timeout(Duration::from_millis(2), stream.next()).await {
            Ok(Some(chunk)) => text.push_str(&chunk.unwrap().text),
            Ok(None) => break,
            Err(_) => {}
        }
    }

    assert_eq!(text, answer());
    assert_eq!(pair.second.call_count(), 1);
}
