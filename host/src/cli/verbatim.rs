//! A request body from a file, sent as it is, and its reply as it came: what a gateway's client would see.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use backstop::client::Backstop;
use backstop::clock::{Clock, Moment, SystemClock};
use backstop::types::ChatRequest;

use super::aside::{conclude, observer, open, summary, summary_of_stream};
use super::exit::{Exit, UsageError};

/// The longest body in bytes: as much as a gateway takes, with room for a few images.
const LONGEST: u64 = 50 * 1_000 * 1_000;

/// Reads a request body from a file; `-` stands for standard input.
///
/// # Errors
/// When the file cannot be read, is too long, or holds no chat request.
pub(crate) async fn read(path: PathBuf) -> anyhow::Result<ChatRequest> {
    let body = tokio::task::spawn_blocking(move || read_bounded(&path)).await??;
    ChatRequest::parse(&body).map_err(|error| UsageError(error.to_string()).into())
}

/// Sends a request and writes the reply to standard output: JSON, or events as they come. What breaks off ends with an
/// event that carries the error, and without the end mark.
///
/// # Errors
/// When nobody answers, the stream breaks, or standard output is closed.
pub(crate) async fn relay(backstop: &Backstop, request: ChatRequest, verbose: bool) -> anyhow::Result<Exit> {
    let mut stdout = io::stdout();
    if !request.stream {
        let answer = match observer(verbose) {
            Some(observer) => backstop.chat_observed(request, observer).await?,
            None => backstop.chat(request).await?,
        };
        stdout.write_all(&answer.body)?;
        stdout.flush()?;
        conclude(verbose, &summary(&answer));
        return Ok(Exit::Done);
    }
    let clock = SystemClock::start();
    let mut stream = open(backstop, request, observer(verbose)).await?;
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(chunk) => stdout.write_all(&chunk.raw)?,
            Err(broken) => {
                write!(stdout, "data: {}\n\n", broken.to_json())?;
                stdout.flush()?;
                return Err(broken.into());
            }
        }
        stdout.flush()?;
    }
    stdout.write_all(b"data: [DONE]\n\n")?;
    stdout.flush()?;
    conclude(verbose, &summary_of_stream(&stream, clock.now().since(Moment::START)));
    Ok(Exit::Done)
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, UsageError> {
    let fault = |error: io::Error| UsageError(format!("{} cannot be read: {error}", path.display()));
    let mut body = Vec::new();
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(fault)?)
    };
    source.take(LONGEST + 1).read_to_end(&mut body).map_err(fault)?;
    if u64::try_from(body.len()).unwrap_or(u64::MAX) > LONGEST {
        return Err(UsageError(format!("{} is longer than 50 MB: no provider takes that", path.display())));
    }
    Ok(body)
}
