//! A load generator: so many connections, each asking again as soon as it has its answer; every answer is read to its end and
//! checked word for word.

use std::cell::{Cell, RefCell};
use std::io::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use backstop_bench::{WORDS, Wire, sentence};
use clap::Parser;
use memchr::memmem;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

#[derive(Debug, Parser)]
#[command(about = "Closed-loop load on a chat-completions endpoint on loopback; prints one JSON object")]
struct Args {
    /// Where, such as 127.0.0.1:7878.
    address: SocketAddr,
    /// The path.
    #[arg(long, default_value = "/v1/chat/completions")]
    path: String,
    /// Connections at once, each with one request under way.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Requests in all; without it, as many as there is time for.
    #[arg(long)]
    requests: Option<u64>,
    /// After so many seconds no request begins any more.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// How long an answer may take, in seconds.
    #[arg(long, default_value_t = 30.0)]
    patience: f64,
    /// Ask for streams.
    #[arg(long)]
    stream: bool,
    /// The model to ask for.
    #[arg(long, default_value = "gpt-4o-mini")]
    model: String,
    /// A header, `name: value`; may be given more than once.
    #[arg(long)]
    header: Vec<String>,
}

/// One run, seen by all its connections.
struct Run {
    args: Args,
    request: Vec<u8>,
    check: Check,
    until: Instant,
    left: Cell<u64>,
    tally: RefCell<Tally>,
}

/// What an answer must hold.
enum Check {
    Whole(String),
    Stream(Vec<String>),
}

#[derive(Default)]
struct Tally {
    /// Nanoseconds to the end of each answer.
    whole: Vec<u64>,
    /// Nanoseconds to the first bytes of its body.
    first: Vec<u64>,
    errors: u64,
    first_error: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let began = Instant::now();
    let run = Rc::new(Run {
        request: request(&args),
        check: Check::new(args.stream),
        until: began + Duration::try_from_secs_f64(args.seconds)?,
        left: Cell::new(args.requests.unwrap_or(u64::MAX)),
        tally: RefCell::default(),
        args,
    });
    let local = LocalSet::new();
    for _ in 0..run.args.connections {
        let run = Rc::clone(&run);
        local.spawn_local(async move { run.converse().await });
    }
    local.await;
    let seconds = began.elapsed().as_secs_f64();
    writeln!(std::io::stdout(), "{}", run.tally.take().report(seconds))?;
    Ok(())
}

impl Run {
    /// Asks until there is nothing left to ask, on a new connection where the last one failed.
    async fn converse(&self) {
        while self.left.get() > 0 && Instant::now() < self.until {
            if let Err(error) = self.converse_on_one().await {
                let mut tally = self.tally.borrow_mut();
                tally.errors += 1;
                tally.first_error.get_or_insert_with(|| format!("{error:#}"));
            }
        }
    }

    async fn converse_on_one(&self) -> anyhow::Result<()> {
        let socket = TcpStream::connect(self.args.address).await.context("cannot connect");
        // Counted where it is tried, so that one who refuses everybody is not asked for ever.
        let mut wire = Wire::new(socket.inspect_err(|_| self.left.set(self.left.get().saturating_sub(1)))?)?;
        let mut body = Vec::new();
        let patience = Duration::try_from_secs_f64(self.args.patience)?;
        while self.left.get() > 0 && Instant::now() < self.until {
            self.left.set(self.left.get() - 1);
            let goes_on =
                tokio::time::timeout(patience, self.ask(&mut wire, &mut body)).await.context("no answer in time")??;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// Asks once; tells whether the connection serves for another question.
    async fn ask(&self, wire: &mut Wire, body: &mut Vec<u8>) -> anyhow::Result<bool> {
        let began = Instant::now();
        let mut first = began;
        wire.write(&self.request).await?;
        let head = wire.head().await?.context("the connection ended before the answer")?;
        wire.body(head.framing, body, || first = Instant::now()).await?;
        let ended = Instant::now();
        ensure!(head.status == 200, "status {}: {}", head.status, String::from_utf8_lossy(body));
        self.check.pass(body)?;
        let mut tally = self.tally.borrow_mut();
        tally.whole.push(nanoseconds(ended - began));
        tally.first.push(nanoseconds(first - began));
        Ok(!head.closes)
    }
}

impl Check {
    fn new(stream: bool) -> Self {
        match stream {
            true => Self::Stream(WORDS.iter().map(|word| format!("\"{word}\"")).collect()),
            false => Self::Whole(sentence()),
        }
    }

    /// Makes sure that every word is there, in order, and the end.
    fn pass(&self, body: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Whole(sentence) => {
                let is_there = memmem::find(body, sentence.as_bytes()).is_some();
                ensure!(
                    is_there && body.trim_ascii_end().ends_with(b"}"),
                    "not the answer: {}",
                    String::from_utf8_lossy(body)
                );
            }
            Self::Stream(words) => {
                let mut rest = body;
                for word in words.iter().map(String::as_str).chain(["data: [DONE]"]) {
                    let Some(found) = memmem::find(rest, word.as_bytes()) else {
                        bail!("{word} is missing from the stream: {}", String::from_utf8_lossy(body));
                    };
                    rest = rest.get(found + word.len()..).unwrap_or_default();
                }
            }
        }
        Ok(())
    }
}

impl Tally {
    fn report(mut self, seconds: f64) -> serde_json::Value {
        self.whole.sort_unstable();
        self.first.sort_unstable();
        json!({
            "requests": self.whole.len(),
            "errors": self.errors,
            "first_error": self.first_error,
            "seconds": seconds,
            "rps": count(self.whole.len()) / seconds,
            "p50_us": quantile(&self.whole, 0.50),
            "p90_us": quantile(&self.whole, 0.90),
            "p99_us": quantile(&self.whole, 0.99),
            "first_p50_us": quantile(&self.first, 0.50),
            "first_p99_us": quantile(&self.first, 0.99),
        })
    }
}

fn request(args: &Args) -> Vec<u8> {
    let body = json!({
        "model": args.model,
        "messages": [
            {"role": "system", "content": "You are a geographer who answers in one sentence."},
            {"role": "user", "content": "How many rivers rise in these hills, and where does each of them end?"},
        ],
        "temperature": 0.2,
        "max_tokens": 64,
        "stream": args.stream,
    });
    let body = body.to_string();
    let headers: String = args.header.iter().map(|header| format!("{header}\r\n")).collect();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: */*\r\nuser-agent: OpenAI/Python 1.99.0\r\n\
         authorization: Bearer sk-bench\r\n{headers}content-length: {}\r\n\r\n",
        args.path,
        args.address,
        body.len()
    );
    [head, body].concat().into_bytes()
}

/// A quantile in microseconds; `None` of nothing.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
fn quantile(sorted: &[u64], share: f64) -> Option<f64> {
    let place = (count(sorted.len().saturating_sub(1)) * share).round() as usize;
    sorted.get(place).map(|nanoseconds| count(*nanoseconds) / 1_000.0)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn count(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or(u64::MAX) as f64
}

fn nanoseconds(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}
