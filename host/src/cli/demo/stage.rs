//! The three providers of the demonstration, and a backstop in front of them.

use std::time::Duration;

use backstop::client::Backstop;
use backstop::config::{Config, ProviderConfig, StrategyRef, Timeouts};
use backstop::scripted::{Answer, Fault, Place, Reply, Script, ScriptedProvider};
use backstop::types::{NanoUsd, Price};

/// Providers that are there for as long as this is.
pub(super) struct Stage {
    alpha: ScriptedProvider,
    beta: ScriptedProvider,
    gamma: ScriptedProvider,
}

impl Stage {
    /// Starts the providers on free ports.
    pub(super) async fn set() -> std::io::Result<Self> {
        let answer = Answer::new("An answer of gamma's.").usage(900, 150);
        let answer = Reply::from(answer).after(Duration::from_millis(120));
        let reset = Reply::empty(200).after(Duration::from_millis(40)).at(Place::BeforeHead, Fault::Reset);
        Ok(Self {
            alpha: ScriptedProvider::start(Script::always(Reply::rate_limited(Duration::from_secs(30)))).await?,
            beta: ScriptedProvider::start(Script::always(reset)).await?,
            gamma: ScriptedProvider::start(Script::always(answer)).await?,
        })
    }

    /// A backstop that knows these providers and nothing else: neither file nor environment is read.
    pub(super) async fn backstop(&self, strategy: &'static str) -> anyhow::Result<Backstop> {
        let mut config = Config::new();
        config.providers.insert("alpha".into(), provider(&self.alpha, 3, Some(("5.00", "15.00"))));
        let mut beta = provider(&self.beta, 1, Some(("0", "0")));
        beta.local = true;
        config.providers.insert("beta".into(), beta);
        config.providers.insert("gamma".into(), provider(&self.gamma, 2, Some(("0.50", "1.50"))));
        // One failure is enough to see what follows from it.
        config.breaker.failures = 1;
        config.breaker.pause = Duration::from_secs(30);
        if let Some(route) = config.routes.get_mut(Config::DEFAULT_ROUTE) {
            route.strategy = StrategyRef::BuiltIn(strategy);
            route.deadline = Duration::from_secs(5);
        }
        Ok(Backstop::builder().config(config).seed(1).build().await?)
    }
}

fn provider(scripted: &ScriptedProvider, priority: i32, price: Option<(&str, &str)>) -> ProviderConfig {
    let timeouts = Timeouts { connect: Duration::from_secs(1), total: Duration::from_secs(2), ..Timeouts::default() };
    let provider = ProviderConfig::openai_compatible(scripted.base_url())
        .with_key("DEMO_KEY", "demo")
        .with_model("demo-model")
        .with_priority(priority)
        .with_timeouts(timeouts);
    match price.map(|(input, output)| (input.parse::<NanoUsd>(), output.parse::<NanoUsd>())) {
        Some((Ok(input_per_mtok), Ok(output_per_mtok))) => {
            provider.with_price(Price::new(input_per_mtok, output_per_mtok))
        }
        Some(_) | None => provider,
    }
}
