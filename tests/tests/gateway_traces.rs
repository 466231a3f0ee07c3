//! What a collector of OpenTelemetry's is sent, and that nobody waits for it.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use backstop::scripted::{Answer, Reply};
use backstop_tests::{Collector, Manner, Served, Stage, Wire, post};
use serde_json::json;

const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];
const CLIENT: u64 = 3;
const SERVER: u64 = 2;

async fn stage() -> Stage {
    Stage::new([("alpha", Reply::server_error().into()), ("beta", Answer::new("yes").usage(12, 3).into())])
        .await
        .with_route("options = { retries = 0 }")
}

async fn serve(stage: &Stage, collector: &str) -> Served {
    let serve = stage.backstop(SERVE).env("OTEL_EXPORTER_OTLP_ENDPOINT", collector);
    Served::start_as(serve.env("OTEL_EXPORTER_OTLP_HEADERS", "x-team=a%20b").env("OTEL_SERVICE_NAME", "front")).await
}

fn ask(headers: &[(&str, &str)]) -> Vec<u8> {
    let wishes = json!({"context": "moderation"});
    let body = json!({"messages": [{"role": "user", "content": "a secret word"}], "backstop": wishes});
    post(&body.to_string(), headers)
}

fn name(span: &Wire) -> String {
    span.text(5)
}

/// The attributes that are the same in every run.
fn lasting(span: &Wire) -> BTreeMap<String, String> {
    let mut attributes = span.attributes(9);
    attributes.remove("backstop.request_id");
    attributes
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_of_a_request_and_of_each_attempt_below_it() {
    let collector = Collector::start(Manner::Accepts).await;
    let stage = stage().await;
    let gateway = serve(&stage, &collector.url()).await;

    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let reply = gateway.send(&ask(&[("traceparent", parent)])).await;
    let unsampled = gateway.send(&ask(&[("traceparent", &parent.replace("-01", "-00"))])).await;
    gateway.stopped().await;

    assert_eq!((reply.status, unsampled.status), (200, 200));
    let spans = collector.spans();
    let [request, first, second] = &spans[..] else { panic!("{spans:#?}") };
    assert_eq!([request, first, second].map(name), ["chat default", "chat alpha-model", "chat beta-model"]);
    assert_eq!([request, first, second].map(|span| span.number(6)), [SERVER, CLIENT, CLIENT]);
    let trace = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes().to_vec();
    assert!(spans.iter().all(|span| span.bytes(1) == trace), "{spans:#?}");
    assert_eq!(request.bytes(4), 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
    assert_eq!([first.bytes(4), second.bytes(4)], [request.bytes(2), request.bytes(2)]);
    let times = |span: &Wire| (span.number(7), span.number(8));
    let ((from, to), (one, end), (two, last)) = (times(request), times(first), times(second));
    assert!(from <= one && one <= end && end <= two && two <= last && last <= to, "{spans:#?}");
    let id = reply.header("x-backstop-request-id").unwrap();
    assert_eq!(request.attributes(9)["backstop.request_id"], id);
    insta::assert_debug_snapshot!([request, first, second].map(lasting), @r#"
    [
        {
            "backstop.attempts": "2",
            "backstop.label.context": "moderation",
            "backstop.outcome": "served",
            "backstop.route": "default",
            "backstop.strategy": "smart",
            "backstop.streaming": "false",
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "beta",
            "gen_ai.request.model": "default",
            "gen_ai.response.model": "beta-model",
            "gen_ai.usage.input_tokens": "12",
            "gen_ai.usage.output_tokens": "3",
        },
        {
            "backstop.attempt": "1",
            "backstop.end": "failed",
            "error.type": "server-error",
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "alpha",
            "gen_ai.request.model": "alpha-model",
            "http.response.status_code": "500",
        },
        {
            "backstop.attempt": "2",
            "backstop.end": "served",
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "beta",
            "gen_ai.request.model": "beta-model",
        },
    ]
    "#);
    let failed = &first.all(&[15])[0];
    assert_eq!((failed.number(3), request.all(&[15]).len()), (2, 0), "{spans:#?}");
    let events: Vec<String> = request.all(&[11]).iter().map(|event| event.text(2)).collect();
    assert_eq!(events, ["backstop.decided", "backstop.decided"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn says_who_it_is_and_measures_by_the_conventions() {
    let collector = Collector::start(Manner::Accepts).await;
    let stage = stage().await;
    let gateway = serve(&stage, &format!("{}/", collector.url())).await;

    gateway.send(&ask(&[])).await;
    gateway.stopped().await;

    let messages = collector.messages();
    assert!(messages.iter().all(|message| {
        let head = message.head.to_lowercase();
        head.contains("content-type: application/x-protobuf\r\n") && head.contains("x-team: a b\r\n")
    }));
    let resource = Wire::parse(&messages[0].body).all(&[1, 1])[0].attributes(1);
    assert_eq!(resource["service.name"], "front");
    let metrics = collector.metrics();
    let told: Vec<_> = metrics.iter().map(|metric| (metric.text(1), metric.text(3))).collect();
    let told: Vec<_> = told.iter().map(|(name, unit)| (name.as_str(), unit.as_str())).collect();
    assert_eq!(
        told,
        [
            ("gen_ai.client.operation.duration", "s"),
            ("gen_ai.client.token.usage", "{token}"),
            ("backstop.requests", "{request}"),
            ("backstop.fail_overs", "{fail-over}"),
        ]
    );
    let durations = metrics[0].all(&[9, 1]);
    let errors: Vec<_> = durations.iter().map(|point| point.attributes(9).get("error.type").cloned()).collect();
    assert_eq!(errors, [Some("server-error".to_owned()), None]);
    assert!(durations.iter().all(|point| point.number(4) == 1), "{durations:#?}");
    let tokens: Vec<_> =
        metrics[1].all(&[9, 1]).iter().map(|point| point.attributes(9)["gen_ai.token.type"].clone()).collect();
    assert_eq!(tokens, ["input", "output"]);
    assert_eq!(metrics[3].all(&[7, 1])[0].attributes(7)["backstop.to"], "beta");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_as_ever_while_the_collector_is_gone_refuses_or_hangs() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refusing = Collector::start(Manner::Refuses).await;
    let hanging = Collector::start(Manner::Hangs).await;
    let stage = stage().await;
    for (url, says) in [
        (format!("http://{gone}"), "connection refused"),
        (refusing.url(), "it answered 503"),
        (hanging.url(), "could not be sent in time"),
    ] {
        let gateway = serve(&stage, &url).await;

        let mut slowest = Duration::ZERO;
        for _ in 0..50 {
            let asked = Instant::now();
            assert_eq!(gateway.send(&ask(&[])).await.status, 200, "{url}");
            slowest = slowest.max(asked.elapsed());
        }
        let told = Instant::now();
        let log = gateway.stopped().await;

        assert!(slowest < Duration::from_secs(2), "{says}: {slowest:?}");
        assert!(told.elapsed() < Duration::from_secs(8), "{says}: {:?}", told.elapsed());
        assert!(log.contains(says), "{says}: {log}");
        assert_eq!(
            log.matches("do not reach their collector").count() + log.matches("sent in time").count(),
            1,
            "{log}"
        );
    }
}
