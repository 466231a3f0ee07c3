//! Two providers on real sockets, one after the other: what one of them replies, and what becomes of it.

use std::time::Duration;

use backstop::config::{Config, ProviderConfig, Timeouts};
use backstop::scripted::{Reply, Script, ScriptedProvider};
use backstop::{Backstop, ChatRequest, FailureKind, Price, RouteError};
use serde_json::json;
use url::Url;

/// Two providers on loopback, asked in this order: the first does what the script says, the second answers.
pub struct Pair {
    /// The provider asked first.
    pub first: ScriptedProvider,
    /// The provider asked next, which answers `from the second`.
    pub second: ScriptedProvider,
    /// What asks them.
    pub backstop: Backstop,
}

impl Pair {
    /// Starts both.
    pub async fn start(script: impl Into<Script>) -> Self {
        let first = ScriptedProvider::start(script).await.expect("a free port on loopback");
        let second = second().await;
        let backstop = asking([first.base_url(), second.base_url()]).await;
        Self { first, second, backstop }
    }

    /// The text of a whole answer.
    ///
    /// # Errors
    /// Where nobody answers.
    pub async fn whole(&self) -> Result<String, RouteError> {
        self.backstop.chat(ChatRequest::ask("hi")).await.map(|answer| answer.text)
    }

    /// The streamed text, and the failure that cut it, where one did.
    ///
    /// # Errors
    /// Where nobody gives a first token.
    pub async fn streamed(&self) -> Result<(String, Option<FailureKind>), RouteError> {
        let mut stream = self.backstop.stream(ChatRequest::ask("hi")).await?;
        let mut text = String::new();
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => text.push_str(&chunk.text),
                Err(error) => return Ok((text, Some(error.failure.kind))),
            }
        }
        Ok((text, None))
    }

    /// The kinds of failure of the latest request.
    #[must_use]
    pub fn failures(&self) -> Vec<FailureKind> {
        let latest = self.backstop.latest(1);
        let attempts = latest.first().map(|record| record.attempts.as_slice()).unwrap_or_default();
        attempts.iter().filter_map(|attempt| Some(attempt.failure()?.kind)).collect()
    }
}

/// A provider that answers `from the second`.
pub async fn second() -> ScriptedProvider {
    let script = Script::always(Reply::answer("from the second"));
    ScriptedProvider::start(script).await.expect("a free port on loopback")
}

/// Asks a provider `first` and a provider `second` at these addresses, each once, at a price of 1,000 nano-dollars a token.
pub async fn asking(urls: [Url; 2]) -> Backstop {
    asking_within(short(), urls).await
}

/// As [`asking`], with other limits of time.
///
/// # Panics
/// As [`asking`].
pub async fn asking_within(timeouts: Timeouts, urls: [Url; 2]) -> Backstop {
    let mut config = Config::new();
    for (name, url) in ["first", "second"].into_iter().zip(urls) {
        let provider = ProviderConfig::openai_compatible(url)
            .with_key("TEST_KEY", "sk-test-0123456789")
            .with_model("m")
            .with_price(Price::flat_per_1k("0.001".parse().expect("an amount")))
            .with_timeouts(timeouts);
        config.providers.insert(name.to_owned(), provider);
    }
    if let Some(route) = config.routes.get_mut("default") {
        route.options = json!({"retries": 0}).as_object().cloned().unwrap_or_default();
    }
    Backstop::builder().config(config).build().await.expect("a sound configuration")
}

fn short() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(2),
        first_token: Some(Duration::from_millis(400)),
        idle: Duration::from_millis(400),
        total: Duration::from_secs(5),
    }
}
