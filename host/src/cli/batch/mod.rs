//! `backstop batch`: a file of questions, asked within a budget, and never twice.
//!
//! The way of a question: `input` reads its line, `question` makes a request of it, `survey` looks at all of them before the first is
//! asked; `roll` knows what has become of each, from the `journal` and the `answers` of earlier runs; `till` holds the money it may
//! cost, `work` asks it, `told` writes down what it came to; `tally` counts, `progress` and `summary` tell.

mod input;
mod question;
mod survey;
mod roll;
mod journal;
mod told;
mod answers;
mod till;
mod tally;
mod progress;
mod summary;
mod work;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use backstop::clock::{Clock, SystemClock};

use super::args::BatchArgs;
use super::aside::tell;
use super::ask::print_json;
use super::exit::{Exit, UsageError, is_closed_pipe};
use super::paint::{Tone, harmless, paint};
use super::retries::Unsaid;
use super::{failure, request, setup, table};

use answers::Answers;
use input::{Input, STDIN};
use journal::{Journal, Past};
use progress::Progress;
use question::Form;
use roll::{Fate, Roll};
use summary::Summary;
use survey::Survey;
use tally::Tally;
use till::Till;
use work::Work;

/// Uncertain questions that a summary names.
const MOST_NAMED: usize = 1_000;

/// Asks a file of questions. With `--json` an error becomes an object on standard output, too.
///
/// # Errors
/// When the questions, the configuration or the files are at fault.
pub(crate) async fn run(args: BatchArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let as_json = args.json;
    match batch(args, file).await {
        Err(error) if as_json && !is_closed_pipe(&error) => {
            let exit = Exit::of_error(&error);
            print_json(&failure::to_json(&error, exit))?;
            Ok(exit)
        }
        done => done,
    }
}

async fn batch(args: BatchArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let input = Input::open(&args.questions)?;
    let place = destination(&args)?;
    let form = if args.text { Form::Text } else { Form::of(&input)? };
    let reader = survey::reader(&input, form)?;
    let ready = setup::ready(file, &args.wish, &args.retry, Unsaid::Configured, reader).await?;
    tell(&ready.notes);
    // A flag that names what is not there is no fault of the lines.
    ready.backstop.worst_cases(&request::request(&args.wish))?;
    let survey = Survey::of(&input, form, &args.wish, &ready.backstop)?;
    complain(&survey, args.skip_bad)?;
    let skipped = survey.bad();
    let mut roll = survey.roll;
    let mut tally = Tally::default();
    let (mut answers, journal, past) = take_up(place.as_deref(), &mut roll, &mut tally, &args)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let total = roll.len() - skipped;
    if past.is_there {
        tell(&[paint(Tone::Faint, format_args!("going on: {} of {total} are answered", tally.answered))]);
    }
    if let Answers::Stdout = &mut answers
        && args.ordered
    {
        return Err(UsageError("--ordered needs a file for the answers: name one with -o".to_owned()).into());
    }
    let mut work = Work {
        progress: Progress::start(Arc::clone(&clock), total, tally.answered + tally.failed),
        backstop: ready.backstop.clone(),
        clock,
        wish: args.wish.clone(),
        form,
        concurrency: usize::try_from(args.concurrency).unwrap_or(1),
        patience: args.patience,
        roll,
        till: Till::new(args.max_cost, past.spent),
        answers,
        journal,
        tally,
    };
    let ended = work.go(input.lines()?).await;
    work.progress.end();
    let ending = ended?;
    if args.ordered {
        work.answers.rewrite(&work.roll, true, |_| true)?;
    }
    let uncertain = work.roll.first(Fate::Uncertain, MOST_NAMED);
    let summary = Summary {
        ending,
        total,
        tally: &work.tally,
        skipped,
        uncertain: work.roll.count(Fate::Uncertain),
        uncertain_first: &uncertain,
        not_asked: work.roll.count(Fate::New),
        spent: work.till.spent(),
        took: work.progress.took(),
        answers: place.as_deref(),
    };
    show(&summary, args.json)?;
    Ok(summary.exit())
}

/// Where the answers go; `None` is standard output.
fn destination(args: &BatchArgs) -> Result<Option<PathBuf>, UsageError> {
    let is_stdin = args.questions == Path::new(STDIN);
    let place = match &args.output {
        Some(path) if path == Path::new(STDIN) => None,
        Some(path) => Some(path.clone()),
        None if is_stdin => None,
        None => Some(args.questions.with_extension("answers.jsonl")),
    };
    let same = |path: &PathBuf| {
        path.canonicalize().is_ok_and(|path| args.questions.canonicalize().is_ok_and(|questions| questions == path))
    };
    match place {
        Some(path) if same(&path) => {
            Err(UsageError(format!("{} holds the questions: name another file for the answers", path.display())))
        }
        place => Ok(place),
    }
}

/// Tells the lines that cannot be asked, and stops there unless they may be left out.
fn complain(survey: &Survey, skip_bad: bool) -> Result<(), UsageError> {
    let bad = survey.bad();
    if bad > 0 {
        let words: Vec<String> = survey.in_words().iter().map(|words| paint(Tone::Bad, harmless(words))).collect();
        tell(&words);
    }
    match survey.roll.len() {
        0 => Err(UsageError("there is no question: every line is empty".to_owned())),
        all if all == bad => Err(UsageError("none of the lines can be asked".to_owned())),
        _ if bad > 0 && !skip_bad => {
            let lines = if bad == 1 { "a line cannot be asked" } else { "some lines cannot be asked" };
            Err(UsageError(format!(
                "{lines}, and nothing was sent: mend what is told above, or leave it out with --skip-bad"
            )))
        }
        _ => Ok(()),
    }
}

/// Takes up what earlier runs have left: what was answered stays, and what is to be asked again becomes new.
fn take_up(
    place: Option<&Path>,
    roll: &mut Roll,
    tally: &mut Tally,
    args: &BatchArgs,
) -> anyhow::Result<(Answers, Option<Journal>, Past)> {
    let Some(path) = place else { return Ok((Answers::Stdout, None, Past::default())) };
    let journal_path = Journal::path_of(path);
    if path.metadata().is_ok_and(|about| about.len() > 0) && !journal_path.exists() {
        let words =
            format!("{} is there already and no batch's: name another file with -o, or remove it", path.display());
        return Err(UsageError(words).into());
    }
    let (journal, past) = Journal::open(&journal_path, roll)?;
    let mut answers = Answers::open(path)?;
    if !past.is_there && !answers.is_empty()? {
        let words =
            format!("{} has answers that its journal knows nothing of: name another file with -o", path.display());
        return Err(UsageError(words).into());
    }
    let mut found = Vec::new();
    answers.tell(roll, |index, gist| found.push((index, gist.is_answer)))?;
    for (index, is_answer) in found {
        roll.set(index, if is_answer { Fate::Answered } else { Fate::Failed });
    }
    if !args.keep_failed && roll.count(Fate::Failed) > 0 {
        answers.rewrite(roll, false, |index| roll.fate(index) == Some(Fate::Answered))?;
        roll.turn(Fate::Failed, Fate::New);
    }
    if args.retry_uncertain {
        roll.turn(Fate::Uncertain, Fate::New);
    }
    answers.tell(roll, |_, gist| tally.recall(gist))?;
    Ok((answers, Some(journal), past))
}

/// Shows what it came to: on standard output, unless that has the answers.
fn show(summary: &Summary<'_>, as_json: bool) -> anyhow::Result<()> {
    let is_free = summary.answers.is_some();
    match (as_json, is_free) {
        (true, true) => print_json(&summary.to_json())?,
        (true, false) => tell(&[serde_json::to_string_pretty(&summary.to_json())?]),
        (false, true) => {
            table::print(&summary.lines().join("\n"))?;
            tell(&summary.remarks());
        }
        (false, false) => tell(&[summary.lines(), summary.remarks()].concat()),
    }
    Ok(())
}
