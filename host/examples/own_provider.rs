//! A configuration made in code: two providers of one's own, with their prices, and the strategy that takes the cheaper one
//! first. Neither file nor environment is read.
//!
//! The providers are scripted ones on loopback, so that this runs anywhere; put your own URL and key in their place.
//!
//! ```console
//! $ cargo run --example own_provider
//! ```
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::Duration;

use backstop::scripted::{Answer, Reply, Script, ScriptedProvider};
use backstop::{Backstop, ChatRequest, Price, ProviderConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cheap = ScriptedProvider::start(Script::always(Reply::rate_limited(Duration::from_secs(30)))).await?;
    let dear = ScriptedProvider::start(Script::always(Answer::new("Paris.").usage(20, 2))).await?;

    let backstop = Backstop::builder()
        .provider("cheap", provider(&cheap, "0.10", "0.20")?)
        .provider("dear", provider(&dear, "2.50", "10")?)
        .strategy("cost")
        .build()
        .await?;

    let answer = backstop.chat(ChatRequest::ask("What is the capital of France?")).await?;

    println!("{}", answer.text);
    for attempt in &backstop.explain(answer.id).ok_or("the request left no record")?.attempts {
        match attempt.failure() {
            Some(failure) => println!("{}: {failure}", attempt.target),
            None => println!("{}: answered", attempt.target),
        }
    }
    println!("cost: {}", answer.cost.ok_or("the price is not known")?);
    Ok(())
}

fn provider(
    scripted: &ScriptedProvider,
    input: &str,
    output: &str,
) -> Result<ProviderConfig, Box<dyn std::error::Error>> {
    let price = Price::new(input.parse()?, output.parse()?);
    Ok(ProviderConfig::openai_compatible(scripted.base_url())
        .with_key("from code", "sk-anything")
        .with_model("small-model")
        .with_price(price))
}
