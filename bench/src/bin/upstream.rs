//! A scripted OpenAI upstream: one port for each way to answer, the same answer every time.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use backstop_bench::{EVENTS_HEAD, LAST_EVENT, WORDS, Wire, event, reply};
use clap::{Parser, ValueEnum};
use memchr::memmem;
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug, Parser)]
#[command(about = "A scripted OpenAI upstream on loopback; prints `MODE ADDRESS` for each mode")]
struct Args {
    /// The ways to answer, each on a free port of its own.
    #[arg(value_enum, default_values_t = [Mode::Ok, Mode::Paced, Mode::Fail500, Mode::Fail429])]
    modes: Vec<Mode>,
    /// How long a paced stream waits between two pieces, in milliseconds.
    #[arg(long, default_value_t = 200)]
    pace: u64,
}

/// A way to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Whole or as a stream, as asked.
    Ok,
    /// As `ok`, but the pieces of a stream come one by one.
    Paced,
    /// Status 500.
    #[value(name = "500")]
    Fail500,
    /// Status 429, without a word on when to come again.
    #[value(name = "429")]
    Fail429,
}

/// All that is ever said, made once.
struct Script {
    whole: String,
    events: Vec<String>,
    fail500: String,
    fail429: String,
    pace: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let script = Arc::new(Script::new(Duration::from_millis(args.pace)));
    let mut servers = tokio::task::JoinSet::new();
    for mode in args.modes {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port on loopback")?;
        let name = mode.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        writeln!(std::io::stdout(), "{name} {}", listener.local_addr()?)?;
        servers.spawn(serve(listener, mode, Arc::clone(&script)));
    }
    std::io::stdout().flush()?;
    servers.join_all().await.into_iter().collect()
}

async fn serve(listener: TcpListener, mode: Mode, script: Arc<Script>) -> anyhow::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        let script = Arc::clone(&script);
        // A client that goes away is none of our concern: whoever sent it counts its errors.
        tokio::spawn(async move { converse(socket, mode, &script).await });
    }
}

async fn converse(socket: TcpStream, mode: Mode, script: &Script) -> std::io::Result<()> {
    let mut wire = Wire::new(socket)?;
    let mut body = Vec::new();
    while let Some(head) = wire.head().await? {
        wire.body(head.framing, &mut body, || {}).await?;
        match mode {
            Mode::Fail500 => wire.write(script.fail500.as_bytes()).await?,
            Mode::Fail429 => wire.write(script.fail429.as_bytes()).await?,
            Mode::Ok | Mode::Paced if !wants_stream(&body) => wire.write(script.whole.as_bytes()).await?,
            Mode::Ok | Mode::Paced => script.stream(&mut wire, mode).await?,
        }
        if head.closes {
            break;
        }
    }
    Ok(())
}

impl Script {
    fn new(pace: Duration) -> Self {
        Self {
            whole: reply(),
            events: WORDS.iter().enumerate().map(|(index, word)| event(index, word)).collect(),
            fail500: failure("500 Internal Server Error", "server_error", "The server had an error"),
            fail429: failure("429 Too Many Requests", "rate_limit_exceeded", "Rate limit reached for requests"),
            pace,
        }
    }

    async fn stream(&self, wire: &mut Wire, mode: Mode) -> std::io::Result<()> {
        wire.write(EVENTS_HEAD.as_bytes()).await?;
        for event in &self.events {
            wire.write(event.as_bytes()).await?;
            if mode == Mode::Paced {
                tokio::time::sleep(self.pace).await;
            }
        }
        wire.write(LAST_EVENT.as_bytes()).await
    }
}

fn failure(status: &str, code: &str, message: &str) -> String {
    let body = format!(r#"{{"error":{{"message":"{message}","type":"{code}","param":null,"code":"{code}"}}}}"#);
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn wants_stream(body: &[u8]) -> bool {
    let says = |text: &str| memmem::find(body, text.as_bytes()).is_some();
    says(r#""stream":true"#) || says(r#""stream": true"#)
}
