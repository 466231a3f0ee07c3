//! Replays the lines of a recording on all cores: lines in order to the workers, what they found in order back.

use std::collections::HashMap;
use std::num::NonZero;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, available_parallelism};

use anyhow::{Context, anyhow};
use backstop::accounting::recording::{Decided, Entry, Line, Lines, Panel};
use backstop::types::{TargetName, Verdict};

use super::judge::{Judge, Judges};
use super::past::Past;
use super::tally::{Example, Tally};

/// Lines that one worker replays at a time.
const LINES: usize = 2_048;

/// The judges of a file by their panels' numbers; `None` for panels of other routes than the one asked for.
type Numbered = HashMap<u32, Option<Arc<Judge>>>;

/// Some lines, and who judges them.
struct Piece {
    place: usize,
    lines: Vec<Line>,
    judges: Arc<Numbered>,
}

/// What all workers need.
struct Job<'a> {
    past: &'a Past,
    most_examples: usize,
}

/// What has become of a piece.
type Found = anyhow::Result<Tally>;

/// Replays a recording.
///
/// # Errors
/// When it cannot be read, or a strategy cannot be loaded.
pub(super) fn replay(
    recording: &Path,
    judges: Judges,
    past: &Past,
    route: Option<&str>,
    most_examples: usize,
) -> anyhow::Result<Tally> {
    let workers = available_parallelism().map_or(1, NonZero::get);
    let job = Job { past, most_examples };
    let (pieces, to_do) = sync_channel(workers * 2);
    let to_do = Mutex::new(to_do);
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(piece) = next(&to_do) {
                    let tally = job.judge(&piece);
                    found.lock().unwrap_or_else(PoisonError::into_inner).push((piece.place, tally));
                }
            });
        }
        let handed_out = hand_out(recording, judges, route, &pieces);
        // The workers end when nobody can hand anything out any more.
        drop(pieces);
        handed_out
    })?;
    let mut found: Vec<(usize, Found)> = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|(place, _)| *place);
    let mut all = Tally::default();
    for (_, tally) in found {
        all.add(tally?, most_examples);
    }
    Ok(all)
}

fn next(to_do: &Mutex<Receiver<Piece>>) -> Option<Piece> {
    to_do.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Reads the recording and hands its decisions out, a new piece for each new panel.
fn hand_out(
    recording: &Path,
    mut judges: Judges,
    route: Option<&str>,
    pieces: &SyncSender<Piece>,
) -> anyhow::Result<()> {
    let mut known = Arc::new(Numbered::new());
    let (mut lines, mut place) = (Vec::new(), 0);
    let mut hand_on = |lines: &mut Vec<Line>, judges: &Arc<Numbered>| {
        if lines.is_empty() {
            return Ok(());
        }
        place += 1;
        let piece = Piece { place, lines: std::mem::take(lines), judges: Arc::clone(judges) };
        pieces.send(piece).map_err(|_| anyhow!("the workers have stopped"))
    };
    for line in Lines::open(recording)? {
        let line = line?;
        if line.is_first() {
            hand_on(&mut lines, &known)?;
            known = Arc::default();
        }
        if line.is_decision() {
            lines.push(line);
            if lines.len() >= LINES {
                hand_on(&mut lines, &known)?;
            }
        } else if !line.is_end()
            && let Entry::Panel(number, panel) = line.read()?
        {
            hand_on(&mut lines, &known)?;
            let judge = is_wanted(&panel, route).then(|| judges.of(panel)).transpose()?;
            Arc::make_mut(&mut known).insert(number, judge);
        }
    }
    hand_on(&mut lines, &known)
}

fn is_wanted(panel: &Panel, route: Option<&str>) -> bool {
    route.is_none_or(|route| *panel.route == *route)
}

impl Job<'_> {
    fn judge(&self, piece: &Piece) -> Found {
        let mut tally = Tally::default();
        for line in &piece.lines {
            let Entry::Decided(panel, decided) = line.read()? else { continue };
            let judge = piece.judges.get(&panel);
            let judge =
                judge.with_context(|| format!("a decision of panel {panel}, which the file does not tell of"))?;
            if let Some(judge) = judge {
                self.compare(judge, &decided, &mut tally);
            }
        }
        for judge in piece.judges.values().flatten() {
            tally.strategies.insert((judge.panel().strategy.to_string(), judge.name().to_owned()));
            tally.learns |= judge.learns();
            tally.has_changed |= *judge.panel().strategy == *judge.name() && !judge.is_who_decided();
        }
        Ok(tally)
    }

    fn compare(&self, judge: &Judge, decided: &Decided, tally: &mut Tally) {
        tally.faults_then += u64::from(decided.is_fault);
        let Ok((verdict, reason)) = judge.decide(decided) else {
            tally.faults += 1;
            return;
        };
        let panel = judge.panel();
        if decided.ask.attempts.is_empty() && decided.ask.in_flight.is_empty() {
            let expected = |verdict| target_of(verdict, panel).and_then(|it| self.past.expected(&it, decided.request));
            tally.first.enter(expected(decided.verdict), expected(verdict));
        }
        if decided.verdict.is_same_choice(verdict) {
            tally.same += 1;
            return;
        }
        let (then, now) = (in_words(decided.verdict, panel), in_words(verdict, panel));
        if tally.examples.len() < self.most_examples {
            let (then, now) = (then.clone(), now.clone());
            tally.examples.push(Example { request: decided.request, then, now, reason });
        }
        *tally.moves.entry((then, now)).or_default() += 1;
    }
}

fn target_of(verdict: Verdict, panel: &Panel) -> Option<Arc<TargetName>> {
    let Verdict::Attempt(plan) = verdict else { return None };
    panel.roster.get(plan.target as usize).map(|target| Arc::new(target.name.clone()))
}

fn in_words(verdict: Verdict, panel: &Panel) -> String {
    match verdict {
        Verdict::Attempt(plan) => match panel.roster.get(plan.target as usize) {
            Some(target) => target.name.to_string(),
            None => format!("target {}", plan.target),
        },
        Verdict::Hold => "hold".to_owned(),
        Verdict::GiveUp => "give up".to_owned(),
    }
}
