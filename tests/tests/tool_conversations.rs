//! A conversation with tools that begins with one provider and goes on with another of a different protocol: nothing is lost,
//! and nothing travels that was meant for the first one alone.

use backstop::config::{Config, Protocol, ProviderConfig};
use backstop::scripted::{Answer, ReceivedCall, Reply, Script, ScriptedProvider};
use backstop::{Backstop, ChatRequest};
use backstop_tests::{Heard, HeardCall, Snapshot};
use serde_json::{Value, json};

const PROTOCOLS: [Protocol; 4] = [Protocol::OpenAi, Protocol::Anthropic, Protocol::Gemini, Protocol::Ollama];

const THOUGHT: &str = "thought-of-the-first";
const SIGNATURE: &str = "c2lnbmVkLWJ5LXRoZS1maXJzdA==";
const QUESTION: &str = "How is the weather in Oslo, and what time is it in Rome?";
const WEATHER: &str = r#"{"city": "Oslo", "days": 2, "exact": true}"#;
const CLOCK: &str = r#"{"zone": "Europe/Rome", "parts": ["hour", {"unit": "minute"}]}"#;
const ANSWER: &str = "It rains in Oslo, and it is ten past nine in Rome.";

/// How an answer is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Whole,
    Streamed,
}

/// Two providers, asked in this order, each under its protocol's usual name.
struct Talk {
    first: ScriptedProvider,
    second: ScriptedProvider,
    backstop: Backstop,
    way: Way,
}

impl Talk {
    async fn between(first: Protocol, second: Protocol, way: Way) -> Self {
        let opening = Answer::tool_call("weather", WEATHER).and_tool_call("clock", CLOCK);
        let opening = opening.thinking(THOUGHT).signature(SIGNATURE);
        let providers = [
            ScriptedProvider::start(Script::always(opening)).await.unwrap(),
            ScriptedProvider::start(Script::always(Answer::new(ANSWER))).await.unwrap(),
        ];
        let mut config = Config::new();
        for (protocol, provider) in [first, second].into_iter().zip(&providers) {
            let url = if protocol == Protocol::OpenAi { provider.base_url() } else { provider.root_url() };
            let mut entry =
                ProviderConfig::openai_compatible(url).with_key("KEY", "sk-test-0123456789").with_model("m");
            entry.kind = protocol;
            config.providers.insert(protocol.name().to_owned(), entry);
        }
        config.routes.get_mut("default").unwrap().options = json!({"retries": 0}).as_object().unwrap().clone();
        let backstop = Backstop::builder().config(config).build().await.unwrap();
        let [first, second] = providers;
        Self { first, second, backstop, way }
    }

    /// The assistant's message as the client has it after the answer.
    async fn ask(&self, request: ChatRequest) -> Result<Value, String> {
        match self.way {
            Way::Whole => {
                let answer = self.backstop.chat(request).await.map_err(|error| error.to_string())?;
                let body: Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
                Ok(body["choices"][0]["message"].clone())
            }
            Way::Streamed => {
                let mut stream = self.backstop.stream(request).await.map_err(|error| error.to_string())?;
                let mut snapshot = Snapshot::default();
                while let Some(chunk) = stream.next().await {
                    snapshot.add(&chunk.map_err(|error| error.to_string())?.raw);
                }
                Ok(snapshot.into_message())
            }
        }
    }

    /// The first turn: the calls the model wants made.
    async fn open(&self) -> Result<Value, String> {
        let message = self.ask(question()).await?;
        expect_eq("a call for each tool", message["tool_calls"].as_array().map(Vec::len), Some(2))?;
        expect_eq("calls to the second provider in the first turn", self.second.call_count(), 0)?;
        Ok(message)
    }

    /// The second turn, in which the first provider fails: what the second one received, and the message it answered.
    async fn fail_over(&self, opening: &Value) -> Result<(ReceivedCall, Value), String> {
        self.first.set_script(Script::always(Reply::server_error()));
        let message = self.ask(with_results(opening)).await?;
        let received = self.second.last_call().ok_or("the second provider was not asked")?;
        Ok((received, message))
    }
}

fn question() -> ChatRequest {
    let tools = json!([
        {"type": "function", "function": {
            "name": "weather", "description": "The weather of a city.",
            "parameters": {"type": "object", "required": ["city"], "properties": {
                "city": {"type": "string"}, "days": {"type": "integer"}, "exact": {"type": "boolean"},
            }},
        }},
        {"type": "function", "function": {
            "name": "clock", "description": "The time of a zone.",
            "parameters": {"type": "object", "properties": {
                "zone": {"type": "string"}, "parts": {"type": "array", "items": {"type": "string"}},
            }},
        }},
    ]);
    ChatRequest::ask(QUESTION).with_field("tools", &tools)
}

/// The conversation after the tools were called, with the later call's result first, as happens when tools run side by side.
fn with_results(opening: &Value) -> ChatRequest {
    let mut request = question().with_raw_message(opening);
    for call in opening["tool_calls"].as_array().unwrap().iter().rev() {
        let content = format!("result of {}", call["function"]["name"].as_str().unwrap());
        request = request.with_raw_message(&json!({"role": "tool", "tool_call_id": call["id"], "content": content}));
    }
    request
}

/// Everything the second provider has to be told, and nothing else of the first one's.
fn check(received: &ReceivedCall, expected: Protocol) -> Result<(), String> {
    expect_eq("the protocol", received.protocol(), expected)?;
    let heard = Heard::of(received);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut tools = heard.tools.clone();
    tools.iter_mut().for_each(|(_, parameters)| parameters.sort());
    let offered =
        [("weather".to_owned(), names(&["city", "days", "exact"])), ("clock".to_owned(), names(&["parts", "zone"]))];
    expect_eq("the tools", tools.as_slice(), offered.as_slice())?;
    let calls: Vec<_> = heard.calls.iter().map(|call| (call.name.as_str(), call.arguments.clone())).collect();
    let arguments = |text| serde_json::from_str::<Value>(text).unwrap();
    expect_eq("the calls", calls, vec![("weather", arguments(WEATHER)), ("clock", arguments(CLOCK))])?;
    expect_eq("results", heard.results.len(), 2)?;
    for result in &heard.results {
        let tool = heard.tool_of(result).ok_or_else(|| format!("nobody's result: {result:?} among {heard:?}"))?;
        expect(result.content.contains(&format!("result of {tool}")), || format!("{tool} brought {result:?}"))?;
    }
    for call in &heard.calls {
        expect(is_valid_id(call, expected), || format!("the id of {call:?}"))?;
    }
    let ids = heard.calls.iter().filter(|call| !call.id.is_empty()).map(|call| &call.id);
    expect(ids.clone().collect::<std::collections::HashSet<_>>().len() == ids.count(), || "equal ids".to_owned())?;
    expect_eq("fields that are not the provider's", heard.foreign, Vec::new())?;
    let body = received.body.to_string();
    for mark in [THOUGHT, SIGNATURE, "reasoning_content", "reasoning_details", "extra_content", "origin", "backstop"] {
        expect(!body.contains(mark), || format!("{mark} in {body}"))?;
    }
    expect(body.contains(QUESTION), || "the question is missing".to_owned())
}

/// OpenAI and Anthropic insist on ids; Gemini and Ollama go without.
fn is_valid_id(call: &HeardCall, protocol: Protocol) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let may_be_empty = matches!(protocol, Protocol::Gemini | Protocol::Ollama);
    call.id.len() <= 40 && call.id.chars().all(is_plain) && (may_be_empty || !call.id.is_empty())
}

fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn expect_eq<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    expect(found == expected, || format!("{what}: {found:?}, not {expected:?}"))
}

/// Every pair of two protocols.
fn pairs() -> impl Iterator<Item = (Protocol, Protocol)> {
    PROTOCOLS
        .into_iter()
        .flat_map(|first| PROTOCOLS.into_iter().map(move |second| (first, second)))
        .filter(|(a, b)| a != b)
}

async fn goes_on_elsewhere(first: Protocol, second: Protocol, way: Way) -> Result<(), String> {
    let talk = Talk::between(first, second, way).await;
    let opening = talk.open().await?;
    let (received, message) = talk.fail_over(&opening).await?;
    check(&received, second)?;
    expect_eq("the answer", message["content"].as_str(), Some(ANSWER))
}

async fn failures_of_pairs(way: Way) -> Vec<String> {
    let mut failures = Vec::new();
    for (first, second) in pairs() {
        if let Err(failure) = goes_on_elsewhere(first, second, way).await {
            failures.push(format!("{} to {}: {failure}", first.name(), second.name()));
        }
    }
    failures
}

#[tokio::test]
async fn goes_on_with_every_other_protocol_in_the_middle_of_a_conversation_with_tools() {
    assert_eq!(failures_of_pairs(Way::Whole).await, [""; 0]);
}

#[tokio::test]
async fn goes_on_with_every_other_protocol_in_the_middle_of_a_streamed_conversation_with_tools() {
    assert_eq!(failures_of_pairs(Way::Streamed).await, [""; 0]);
}

/// What a provider receives in the second turn where it served the first.
async fn second_turn(protocol: Protocol, way: Way) -> Value {
    let talk = Talk::between(protocol, Protocol::OpenAi, way).await;
    let opening = talk.open().await.unwrap();
    talk.first.set_script(Script::always(Answer::new(ANSWER)));

    let message = talk.ask(with_results(&opening)).await.unwrap();

    assert_eq!((message["content"].as_str(), talk.second.call_count()), (Some(ANSWER), 0));
    talk.first.last_call().unwrap().body
}

#[tokio::test]
async fn gives_anthropic_its_own_signed_thought_back() {
    for way in [Way::Whole, Way::Streamed] {
        let body = second_turn(Protocol::Anthropic, way).await;

        let messages = body["messages"].as_array().unwrap();
        let answer = messages.iter().find(|message| message["role"] == "assistant").unwrap();
        assert_eq!(
            answer["content"][0],
            json!({"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}),
            "{way:?}"
        );
    }
}

#[tokio::test]
async fn gives_gemini_its_own_signature_back_with_the_call_that_bore_it() {
    for way in [Way::Whole, Way::Streamed] {
        let body = second_turn(Protocol::Gemini, way).await;

        let contents = body["contents"].as_array().unwrap();
        let answer = contents.iter().find(|content| content["role"] == "model").unwrap();
        let calls = answer["parts"].as_array().unwrap().iter().filter(|part| part["functionCall"].is_object());
        let signatures: Vec<_> = calls.map(|part| part["thoughtSignature"].clone()).collect();
        assert_eq!(signatures, [json!(SIGNATURE), Value::Null], "{way:?}");
    }
}

#[tokio::test]
async fn gives_nobody_the_thoughts_of_a_provider_that_is_no_longer_there() {
    let talk = Talk::between(Protocol::Anthropic, Protocol::Gemini, Way::Whole).await;
    let opening = talk.open().await.unwrap();
    let other = Talk::between(Protocol::Gemini, Protocol::OpenAi, Way::Whole).await;
    other.first.set_script(Script::always(Answer::new(ANSWER)));

    other.ask(with_results(&opening)).await.unwrap();

    let body = other.first.last_call().unwrap().body.to_string();
    assert!(!body.contains(SIGNATURE) && !body.contains(THOUGHT), "{body}");
}
