//! The providers of a scripted load, and a backstop in front of them.

use std::time::Duration;

use backstop::client::Backstop;
use backstop::config::{Config, ProviderConfig, strategy_named};
use backstop::scripted::{Answer, Reply, Script, ScriptedProvider};
use backstop::types::{NanoUsd, Price};

use crate::cli::args::WishArgs;

/// One call in so many fails at the first provider.
const FAILS_ONE_IN: usize = 20;

/// How long it asks to be left alone then.
const PAUSE: Duration = Duration::from_millis(200);

/// A dollar for a million tokens.
const PRICE: Price = Price::new(NanoUsd::DOLLAR, NanoUsd::DOLLAR);

/// Two providers that are there for as long as this is.
pub(super) struct Stage {
    first: ScriptedProvider,
    second: ScriptedProvider,
}

impl Stage {
    /// Starts them on free ports.
    pub(super) async fn set() -> std::io::Result<Self> {
        let answer = || Answer::new("Hello, and good day to you.").every(Duration::from_millis(1));
        let first = Script::by(move |call| match call.number.is_multiple_of(FAILS_ONE_IN) {
            true => Reply::rate_limited(PAUSE),
            false => answer().into(),
        });
        Ok(Self {
            first: ScriptedProvider::start(first).await?,
            second: ScriptedProvider::start(Script::always(answer())).await?,
        })
    }

    /// A backstop that knows these two and nothing else: neither file nor environment is read.
    pub(super) async fn backstop(&self, wish: &WishArgs) -> anyhow::Result<Backstop> {
        let mut config = Config::new();
        for (name, provider, priority) in [("first", &self.first, 2), ("second", &self.second, 1)] {
            let provider = ProviderConfig::openai_compatible(provider.base_url());
            let provider = provider.with_model("scripted").with_priority(priority).with_price(PRICE);
            config.providers.insert(name.to_owned(), provider);
        }
        if let (Some(strategy), Some(route)) = (&wish.strategy, config.routes.get_mut(Config::DEFAULT_ROUTE)) {
            route.strategy = strategy_named(strategy)?;
        }
        Ok(Backstop::builder().config(config).build().await?)
    }
}
