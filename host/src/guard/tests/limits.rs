//! The operator's limits under a thousand threads, and the line before them.

use std::num::NonZeroUsize;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::super::NoPlace;
use super::*;
use crate::config::Limits;

/// A claim of 20 tokens.
const SMALL: Claim = Claim { input_tokens: 10, max_output_tokens: 10, ..CLAIM };

fn limited(limits: Limits) -> Arc<Guard> {
    let mut config = config();
    config.providers["one"].limits = limits;
    guard(&config)
}

fn admit(guard: &Arc<Guard>, now: Moment) -> Result<(), Denied> {
    let permit = guard.admit(A, &SMALL, now, WALL)?;
    let used = Usage { input: 5, output: 5, ..Usage::default() };
    let _ = permit.dispatch(now).served(Some(used), None, now, WALL);
    Ok(())
}

/// Has a thousand threads ask at the same moment, and again at the moment all of them were told; how many were let through
/// at which moments.
fn let_through(guard: &Arc<Guard>, rounds: usize) -> Vec<(Moment, usize)> {
    const THREADS: usize = 1_000;
    let (now, barrier) = (AtomicU64::new(0), Barrier::new(THREADS));
    let told: Mutex<Vec<Option<Duration>>> = Mutex::default();
    let mut through = Vec::new();
    let rounds = NonZeroUsize::new(rounds).unwrap().get();
    thread::scope(|scope| {
        let (now, barrier, told) = (&now, &barrier, &told);
        let ask = move || {
            let mut seen = Vec::new();
            for _ in 0..rounds {
                let moment = Moment::from_start(Duration::from_nanos(now.load(Ordering::SeqCst)));
                let wait = admit(guard, moment).err().map(|denied| denied.wait().unwrap());
                told.lock().unwrap_or_else(PoisonError::into_inner).push(wait);
                if barrier.wait().is_leader() {
                    let mut told = told.lock().unwrap();
                    let passed = told.iter().filter(|wait| wait.is_none()).count();
                    let waits: std::collections::BTreeSet<Duration> = told.drain(..).flatten().collect();
                    assert_eq!(waits.len(), 1, "all are told the same");
                    let wait = waits.into_iter().next().unwrap();
                    seen.push((moment, passed));
                    let early = moment + (wait - Duration::from_nanos(1));
                    assert!(admit(guard, early).is_err(), "too early at {early:?}");
                    now.fetch_add(u64::try_from(wait.as_nanos()).unwrap(), Ordering::SeqCst);
                }
                barrier.wait();
            }
            seen
        };
        let threads: Vec<_> = (0..THREADS)
            .map(|_| thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, ask).unwrap())
            .collect();
        through = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    });
    through.sort_unstable();
    through
}

fn most_in_a_minute(through: &[(Moment, usize)]) -> usize {
    let from = |start: Moment| {
        let within = through.iter().filter(|(moment, _)| *moment >= start && *moment < start + MINUTE);
        within.map(|(_, count)| count).sum()
    };
    through.iter().map(|(start, _)| from(*start)).max().unwrap_or(0)
}

// R42
#[test]
fn lets_a_thousand_threads_through_as_the_limit_says_and_exactly_at_the_told_time() {
    let spaced = limited(Limits { rpm: Some(60), burst: Some(1), ..Limits::default() });
    let within = limited(Limits { rpm: Some(60), ..Limits::default() });

    let (spaced, within) = (let_through(&spaced, 70), let_through(&within, 4));

    let expected: Vec<_> = (0..70).map(|second| (at(second), 1)).collect();
    assert_eq!(spaced, expected, "one a second, and never two at once");
    assert_eq!(within, [0, 60, 120, 180].map(|second| (at(second), 60)));
    assert_eq!([most_in_a_minute(&spaced), most_in_a_minute(&within)], [60, 60]);
}

// R43
#[test]
fn makes_good_what_estimates_were_wrong_about() {
    let guard = limited(Limits { tpm: Some(600), ..Limits::default() });
    let (mut now, mut used, mut largest) = (at(0), 0, 0);
    let mut factors = [10, 1, 1, 10, 10, 1].into_iter().cycle();

    while now < at(600) {
        match guard.admit(A, &SMALL, now, WALL) {
            Ok(permit) => {
                // A tenth of what was reckoned, or ten times as much.
                let tokens = if factors.next() == Some(10) { 200 } else { 2 };
                let counted = Usage { input: tokens, ..Usage::default() };
                let _ = permit.dispatch(now).served(Some(counted), None, now, WALL);
                (used, largest) = (used + tokens, tokens.max(largest));
            }
            Err(denied) => now = now + denied.wait().unwrap(),
        }
    }

    assert!(used <= 10 * 600 + 600 + largest, "{used}");
    assert!(used >= 10 * 600, "{used}: more would have been allowed");
}

#[test]
fn lets_nobody_overtake_those_in_line() {
    let guard = limited(Limits { rpm: Some(60), burst: Some(1), queue: Some(MINUTE), ..Limits::default() });
    admit(&guard, at(0)).unwrap();
    let first = guard.line_up(A, &SMALL, "a".into(), MINUTE, at(0)).unwrap();
    let second = guard.line_up(A, &SMALL, "a".into(), MINUTE, at(0)).unwrap();

    assert_eq!((first.ahead, second.ahead), (0, 1));
    assert_eq!(guard.view(A, &SMALL, at(1), WALL).0.standing, Standing::Limited(2_000), "behind both");
    assert!(guard.admit(A, &SMALL, at(1), WALL).is_err());
    assert_eq!(second.admit(&SMALL, at(1), WALL).unwrap_err(), Denied::Limited(Duration::from_secs(1)));
    assert!(first.admit(&SMALL, at(1), WALL).is_ok());

    drop((first, second));
    assert_eq!(guard.view(A, &SMALL, at(1), WALL).0.standing, Standing::Ready, "what was not sent was given back");
}

#[test]
fn gives_no_place_that_would_lead_nowhere() {
    let limits = Limits { rpm: Some(1), queue: Some(Duration::from_secs(2)), queue_size: Some(1), ..Limits::default() };
    let guard = limited(limits);
    admit(&guard, at(0)).unwrap();
    assert_eq!((guard.patience(A), guard.patience(B)), (Some(Duration::from_secs(2)), None));

    let too_late = guard.line_up(A, &SMALL, "a".into(), Duration::from_secs(2), at(0)).unwrap_err();
    let place = guard.line_up(A2, &SMALL, "a".into(), Duration::from_secs(2), at(58)).unwrap();
    let full = guard.line_up(A, &SMALL, "b".into(), Duration::from_secs(2), at(58)).unwrap_err();
    drop(place);

    assert_eq!((too_late, full), (NoPlace::TooLate(MINUTE), NoPlace::Full(1)));
    assert!(guard.line_up(A, &SMALL, "b".into(), Duration::from_secs(2), at(58)).is_ok());
}
