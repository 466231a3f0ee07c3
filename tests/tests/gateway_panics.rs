//! A panic costs the request it happens in and no other (R56).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use backstop::config::{Config, ProviderConfig};
use backstop::gateway::Gateway;
use backstop::scripted::{Answer, ScriptedProvider};
use backstop::transport::{HttpCall, HttpReply as Reply, HttpTransport, Transport, TransportError};
use backstop::types::{NanoUsd, Price};
use backstop::{Backstop, types::Outcome};
use backstop_tests::{exchange, post};

/// Panics where a request says so.
struct Panicking(HttpTransport);

impl Transport for Panicking {
    fn send(&self, call: HttpCall) -> Pin<Box<dyn Future<Output = Result<Reply, TransportError>> + Send + '_>> {
        assert!(!call.body.windows(4).any(|word| word == b"boom"), "as it was told to");
        self.0.send(call)
    }
}

fn body(word: &str) -> Vec<u8> {
    post(&format!(r#"{{"messages":[{{"role":"user","content":"{word}"}}]}}"#), &[])
}

// R56
#[tokio::test]
async fn costs_the_request_it_happens_in_and_no_other() {
    let provider = ScriptedProvider::start(Answer::new("yes")).await.unwrap();
    let mut config = Config::new();
    let priced = ProviderConfig::openai_compatible(provider.base_url())
        .with_model("m")
        .with_price(Price::new(NanoUsd::DOLLAR, NanoUsd::DOLLAR));
    config.providers.insert("a".to_owned(), priced);
    config.budget.daily = Some(NanoUsd::DOLLAR);
    config.defaults.max_tokens = Some(10);
    let transport = Arc::new(Panicking(HttpTransport::new()));
    let backstop = Backstop::builder().config(config).transport(transport).build().await.unwrap();
    let gateway = Gateway::bind("127.0.0.1:0".parse().unwrap(), backstop.clone()).await.unwrap();
    let address = gateway.address();
    tokio::spawn(gateway.serve(std::future::pending));

    let before = exchange(address, &body("hi")).await;
    let panicked = exchange(address, &body("boom")).await;
    let after = exchange(address, &body("hi")).await;

    assert_eq!((before.status, panicked.status, after.status), (200, 500, 200));
    assert_eq!(panicked.json()["error"]["code"], "internal_error");
    assert_eq!(backstop.budgets()[0].reserved, NanoUsd::ZERO, "nothing stays reserved");
    let outcomes: Vec<_> = backstop.latest(3).iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::Served, Outcome::Abandoned, Outcome::Served]);
    assert_eq!(backstop.status()[0].models[0].in_flight, 0);
}
