//! Asks one question of whichever provider can answer, and shows the answer as it comes.
//!
//! ```console
//! $ GROQ_API_KEY=... cargo run --example ask -- "What is Rust?"
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its reader")]

use std::io::Write;

use backstop::{Backstop, ChatRequest};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let question = std::env::args().nth(1).unwrap_or_else(|| "What is the capital of France?".to_owned());

    // backstop.toml, .env and the environment say who may be asked.
    let backstop = Backstop::builder().build().await?;

    // Until the first token is here, failing over is invisible; what breaks later is an error, never a short answer.
    let mut answer = backstop.stream(ChatRequest::ask(&question)).await?;
    while let Some(chunk) = answer.next().await {
        print!("{}", chunk?.text);
        std::io::stdout().flush()?;
    }
    println!();

    if let Some(target) = &answer.target {
        eprintln!("answered by {target} on attempt {}", answer.attempts);
    }
    Ok(())
}
