//! `backstop ask`: one question, one answer on standard output, everything else on standard error.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use backstop::client::Backstop;
use backstop::clock::{Clock, Moment, SystemClock};
use backstop::types::{ChatRequest, Observer};
use serde_json::Value;

use super::args::AskArgs;
use super::aside::{conclude, observer, open, summary, summary_of_stream, tell};
use super::exit::Exit;
use super::narrator::Summary;
use super::paint::harmless;
use super::retries::Unsaid;
use super::setup::Reader;
use super::{estimate, failure, question, request, setup, verbatim};

/// Asks. With `--json` an error becomes an object on standard output, too.
pub(crate) async fn run(args: AskArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let as_json = args.json;
    match ask(args, file).await {
        Err(error) if as_json && !super::exit::is_closed_pipe(&error) => {
            let exit = Exit::of_error(&error);
            print_json(&failure::to_json(&error, exit))?;
            Ok(exit)
        }
        done => done,
    }
}

async fn ask(args: AskArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let request = match &args.request {
        Some(path) => request::adapt(verbatim::read(path.clone()).await?, &args.wish),
        None => {
            let words = args.question.clone();
            let question = tokio::task::spawn_blocking(move || question::read(&words)).await??;
            request::request(&args.wish).with_message("user", &question)
        }
    };
    let reader = if args.request.is_some() { Reader::Program } else { Reader::Person };
    let ready = setup::ready(file, &args.wish, &args.retry, Unsaid::Persist, reader).await?;
    tell(&ready.notes);
    if args.estimate {
        return estimate::show(&ready.backstop, &request, args.json);
    }
    let asked = if args.request.is_some() && !args.json {
        verbatim::relay(&ready.backstop, request, args.verbose).await
    } else if args.json || args.no_stream {
        whole(&ready.backstop, request, &args).await
    } else {
        streamed(&ready.backstop, request, &args).await
    };
    if args.stats {
        let stats = serde_json::to_value(ready.backstop.stats())?;
        tell(&stats_lines(&stats));
    }
    asked
}

async fn whole(backstop: &Backstop, request: ChatRequest, args: &AskArgs) -> anyhow::Result<Exit> {
    let answer = match observer(args.verbose) {
        Some(observer) => backstop.chat_observed(request, observer).await?,
        None => backstop.chat(request).await?,
    };
    if args.json {
        print_json(&answer.to_json())?;
    } else {
        print_text(&answer.text)?;
    }
    conclude(args.verbose, &summary(&answer));
    Ok(Exit::Done)
}

async fn streamed(backstop: &Backstop, request: ChatRequest, args: &AskArgs) -> anyhow::Result<Exit> {
    let summary = stream_to_stdout(backstop, request, observer(args.verbose)).await?.summary;
    conclude(args.verbose, &summary);
    Ok(Exit::Done)
}

/// An answer that was shown as it came.
pub(crate) struct Shown {
    pub(crate) text: String,
    pub(crate) summary: Summary,
}

/// Shows an answer on standard output as it comes, and ends it with a line break, also where it breaks off.
///
/// # Errors
/// When nobody answers, the stream breaks, or standard output is closed.
pub(crate) async fn stream_to_stdout(
    backstop: &Backstop,
    request: ChatRequest,
    observer: Option<Arc<dyn Observer>>,
) -> anyhow::Result<Shown> {
    let clock = SystemClock::start();
    let mut stream = open(backstop, request, observer).await?;
    let mut stdout = std::io::stdout();
    let mut text = String::new();
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(chunk) => {
                stdout.write_all(shown(&chunk.text).as_bytes())?;
                stdout.flush()?;
                text.push_str(&chunk.text);
            }
            Err(broken) => {
                writeln!(stdout)?;
                return Err(broken.into());
            }
        }
    }
    if !text.ends_with('\n') {
        writeln!(stdout)?;
    }
    stdout.flush()?;
    let summary = summary_of_stream(&stream, clock.now().since(Moment::START));
    Ok(Shown { text, summary })
}

/// The counts, one in a line.
pub(crate) fn stats_lines(stats: &Value) -> Vec<String> {
    let counts = stats.as_object().into_iter().flatten();
    counts.map(|(name, count)| format!("{name}: {count}")).collect()
}

/// A model's words as they may be shown: a terminal would obey the commands in them.
fn shown(text: &str) -> Cow<'_, str> {
    if std::io::stdout().is_terminal() { harmless(text).into() } else { text.into() }
}

fn print_text(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(shown(text).as_bytes())?;
    if !text.ends_with('\n') {
        writeln!(stdout)?;
    }
    stdout.flush()
}

/// Prints an object for programs.
pub(crate) fn print_json(value: &Value) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", serde_json::to_string_pretty(value)?)?;
    Ok(stdout.flush()?)
}

#[cfg(test)]
mod tests {
    use backstop::accounting::Stats;

    use super::*;

    #[test]
    fn shows_the_counts_by_the_names_they_have_always_had() {
        let stats =
            serde_json::to_value(Stats { total_requests: 1, successful_requests: 1, ..Stats::default() }).unwrap();

        insta::assert_snapshot!(stats_lines(&stats).join("\n"), @r"
        total_requests: 1
        successful_requests: 1
        failed_requests: 0
        rate_limited_requests: 0
        provider_switches: 0
        attempts: 0
        cached_requests: 0
        ");
    }
}
