//! A key is found nowhere but in the calls to its own provider, also where the provider says it back.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use backstop::config::{Config, Protocol, ProviderConfig};
use backstop::scripted::{Fault, Place, ReceivedCall, Reply, Script, ScriptedProvider};
use backstop::types::Observer;
use backstop::{Backstop, ChatRequest, Event};
use backstop_tests::{Collector, Manner, Served, Stage};
use serde_json::{Value, json};

const KINDS: [&str; 4] = ["openai", "anthropic", "gemini", "ollama"];
const PROTOCOLS: [Protocol; 4] = [Protocol::OpenAi, Protocol::Anthropic, Protocol::Gemini, Protocol::Ollama];

/// A key that looks like none: only knowing it helps.
const PLAIN: &str = "Zq81Jw0canary55Lm";

/// Where a provider says the key back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Echo {
    ErrorReply,
    FirstEvent,
    LaterEvent,
}

const ECHOES: [Echo; 3] = [Echo::ErrorReply, Echo::FirstEvent, Echo::LaterEvent];

/// Says the key back, in the words of the protocol that was called.
fn echo(echo: Echo, status: u16) -> Script {
    Script::by(move |call| {
        let error = error(call, status);
        let is_ndjson = call.protocol() == Protocol::Ollama;
        let event = if is_ndjson { format!("{error}\n") } else { format!("event: error\ndata: {error}\n\n") };
        let media = if is_ndjson { "application/x-ndjson" } else { "text/event-stream" };
        match echo {
            Echo::FirstEvent if call.wants_stream() => Reply::raw(200, media, event),
            Echo::LaterEvent if call.wants_stream() => Reply::answer("one two three four")
                .at(Place::AfterTokens(2), Fault::Bytes(event.into()))
                .at(Place::AfterTokens(2), Fault::End),
            Echo::ErrorReply | Echo::FirstEvent | Echo::LaterEvent => Reply::json(status, &error),
        }
    })
}

fn error(call: &ReceivedCall, status: u16) -> Value {
    let key = call.key().unwrap_or("no key came");
    let message = format!("no such key: {key}, \"{key}\", authorization=Bearer {key}");
    match call.protocol() {
        Protocol::OpenAi => json!({"error": {"message": message, "type": key, "code": key, "param": key}}),
        Protocol::Anthropic => {
            json!({"type": "error", "error": {"type": "api_error", "message": message}, "request_id": key})
        }
        Protocol::Gemini => {
            let details = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": key}]);
            json!({"error": {"code": status, "message": message, "status": "UNAVAILABLE", "details": details}})
        }
        Protocol::Ollama => json!({"error": message}),
    }
}

/// None of these texts has the key.
fn has_none(context: &str, key: &str, shown: &[(&str, &str)]) {
    for (place, text) in shown {
        assert!(!text.contains(key), "{context}: the key is in {place}: {text}");
    }
}

// RELIABILITY 64
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shows_no_key_in_any_output_of_the_program_in_any_protocol() {
    for kind in KINDS {
        let stage = Stage::new([("alpha", Script::new()), ("beta", Script::new())]).await.with_kind("alpha", kind);
        for (echoed, (status, key)) in ECHOES.into_iter().flat_map(|echo| {
            let cases = [(401, Stage::key("alpha")), (503, PLAIN.to_owned())];
            cases.map(|case| (echo, case))
        }) {
            stage.provider("alpha").set_script(echo(echoed, status));
            stage.provider("beta").set_script(echo(echoed, 503));
            for args in [["ask", "Why?", "--log=trace", "--verbose"], ["ask", "Why?", "--log=trace", "--json"]] {
                let ran = stage.backstop(args).env("ALPHA_API_KEY", &key).env("RUST_LOG", "trace").run().await;

                let context = format!("{kind} {echoed:?} {status} {args:?}");
                assert_ne!(ran.code, Some(0), "{context}: {ran:#?}");
                assert!(ran.stderr.contains("attempt failed"), "{context}: nothing is logged");
                for key in [&key, &Stage::key("beta")] {
                    has_none(&context, key, &[("stdout", &ran.stdout), ("stderr", &ran.stderr)]);
                }
                let call = stage.provider("alpha").last_call().unwrap();
                assert_eq!(call.key(), Some(&*key), "{context}: it was sent");
            }
        }
        let folder = stage.home().join(".local/share/backstop");
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let kept = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            for key in [&*Stage::key("alpha"), &*Stage::key("beta"), PLAIN] {
                assert!(!kept.contains(key), "{kind}: a key is in {}", path.display());
            }
        }
        let betas = format!("{:?}", stage.provider("beta").calls());
        for key in [&*Stage::key("alpha"), PLAIN] {
            has_none(kind, key, &[("the calls to the other provider", &betas)]);
        }
    }
}

// RELIABILITY 64
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shows_no_key_in_the_gateways_logs_metrics_or_traces() {
    const OF_COLLECTOR: &str = "otel-7b1e0canary";
    let collector = Collector::start(Manner::Accepts).await;
    for kind in KINDS {
        let stage = Stage::new([("alpha", Script::new()), ("beta", Script::new())]).await.with_kind("alpha", kind);
        let serve = stage.backstop(["serve", "--listen", "127.0.0.1:0", "--log=trace", "--log-format=json"]);
        let serve = serve.env("ALPHA_API_KEY", PLAIN).env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url());
        let headers = format!("authorization=Bearer%20{OF_COLLECTOR}");
        let gateway = Served::start_as(serve.env("OTEL_EXPORTER_OTLP_HEADERS", &headers)).await;
        let before = collector.messages().len();

        for echoed in ECHOES {
            stage.provider("alpha").set_script(echo(echoed, 503));
            stage.provider("beta").set_script(echo(echoed, 503));
            for stream in [false, true] {
                gateway.chat(&json!({"messages": [{"role": "user", "content": "hi"}], "stream": stream})).await;
            }
        }
        let metrics = gateway.get("/metrics").await.text();
        let log = gateway.stopped().await;

        assert!(stage.provider("alpha").call_count() > 0 && log.contains("attempt failed"), "{kind}: {log}");
        let sent: Vec<_> = collector.messages().split_off(before);
        assert!(sent.iter().any(|message| message.path == "/v1/traces" && message.head.contains(OF_COLLECTOR)));
        let bodies: String = sent.iter().map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect();
        assert!(bodies.contains("chat alpha-model") && metrics.contains("provider=\"alpha\""), "{kind}: {metrics}");
        for key in [PLAIN, &Stage::key("beta"), OF_COLLECTOR] {
            has_none(kind, key, &[("the metrics", &metrics), ("the log", &log), ("traces or metrics", &bodies)]);
        }
    }
}

/// Everything that is told while a request is under way.
#[derive(Default)]
struct Everything(Mutex<String>);

impl Observer for Everything {
    fn on_event(&self, event: &Event) {
        let _ = write!(self.0.lock().unwrap(), "{event:?}");
    }
}

// RELIABILITY 64
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_no_key_in_records_errors_or_calls_to_others_in_any_protocol() {
    for (first, second) in PROTOCOLS.into_iter().flat_map(|first| PROTOCOLS.map(|second| (first, second))) {
        for echoed in ECHOES {
            let context = format!("{first:?} {second:?} {echoed:?}");
            let (alpha, beta) = (echoing(echoed).await, echoing(echoed).await);
            let keys = [PLAIN, "sk-beta-4f1c0d5e77a94b2b8f60canary"];
            let mut config = Config::new();
            for (name, kind, of, key) in [("alpha", first, &alpha, keys[0]), ("beta", second, &beta, keys[1])] {
                let url = if kind == Protocol::OpenAi { of.base_url() } else { of.root_url() };
                let mut provider = ProviderConfig::openai_compatible(url).with_model("m").with_key("KEY", key);
                provider.kind = kind;
                config.providers.insert(name.to_owned(), provider);
            }
            config.routes["default"].options = json!({"retries": 0}).as_object().unwrap().clone();
            let backstop = Backstop::builder().config(config).build().await.unwrap();
            let told = Arc::new(Everything::default());

            let mut shown = String::new();
            let whole = backstop.chat_observed(ChatRequest::ask("hi"), told.clone()).await;
            let error = whole.unwrap_err();
            let _ = write!(shown, "{error} {error:?}");
            match backstop.stream_observed(ChatRequest::ask("hi"), told.clone()).await {
                Ok(mut stream) => {
                    while let Some(chunk) = stream.next().await {
                        match chunk {
                            Ok(chunk) => shown.push_str(&String::from_utf8_lossy(&chunk.raw)),
                            Err(error) => {
                                let _ = write!(shown, "{error} {error:?}");
                            }
                        }
                    }
                }
                Err(error) => {
                    let _ = write!(shown, "{error} {error:?}");
                }
            }

            let records = backstop.latest(10);
            assert_eq!(records.len(), 2, "{context}");
            let records = format!("{records:?} {}", serde_json::to_string(&records).unwrap());
            let status = format!("{:?}", backstop.status());
            let told = told.0.lock().unwrap().clone();
            for key in keys {
                let places = [
                    ("an answer or error", &*shown),
                    ("a record", &*records),
                    ("the status", &*status),
                    ("what is told", &*told),
                ];
                has_none(&context, key, &places);
            }
            has_none(&context, keys[0], &[("the calls to the second", &format!("{:?}", beta.calls()))]);
            has_none(&context, keys[1], &[("the calls to the first", &format!("{:?}", alpha.calls()))]);
            assert!(alpha.calls().iter().all(|call| call.key() == Some(keys[0])), "{context}");
            assert!(beta.calls().iter().all(|call| call.key() == Some(keys[1])), "{context}");
            assert!(alpha.call_count() > 0 && beta.call_count() > 0, "{context}");
        }
    }
}

async fn echoing(echoed: Echo) -> ScriptedProvider {
    ScriptedProvider::start(echo(echoed, 503)).await.unwrap()
}
