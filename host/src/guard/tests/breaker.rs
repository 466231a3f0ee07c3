//! The breaker against its rules, written apart from the code, and under every schedule of threads.

use std::time::Duration;

use proptest::prelude::*;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::sync::{Arc, Mutex};

use super::super::breaker::Breaker;
use super::super::turn::{Look, Turn, Urgency};
use super::at;
use crate::clock::Moment;
use crate::config::BreakerConfig;

fn breaker() -> Breaker {
    Breaker::new(BreakerConfig::default())
}

fn open_breaker() -> Breaker {
    let mut breaker = breaker();
    for _ in 0..5 {
        let turn = breaker.enter();
        breaker.failed(turn, at(0));
    }
    breaker
}

/// The breaker as its rules read: lists in place of counters, no turns.
#[derive(Default)]
struct Model {
    history: Vec<(Moment, bool)>,
    open: Option<(Moment, Duration)>,
    probe: Option<usize>,
    calls: Vec<Call>,
    opened: usize,
}

#[derive(Clone, Copy)]
struct Call {
    turn: Turn,
    opened: usize,
    done: bool,
}

impl Model {
    fn look(&self, now: Moment) -> Look {
        match self.open {
            None => Look::Ready,
            Some(_) if self.probe.is_some() => Look::Probing,
            Some((until, _)) if until > now => Look::Resting(until.since(now)),
            Some(_) => Look::Ready,
        }
    }

    fn end(&mut self, call: usize, ending: Ending, now: Moment) {
        let is_probe = self.probe == Some(call);
        let is_current = self.open.is_none() && self.calls[call].opened == self.opened;
        self.calls[call].done = true;
        if is_probe {
            self.probe = None;
            self.end_probe(ending, now);
        } else if is_current && matches!(ending, Ending::Served | Ending::Failed) {
            self.history.push((now, ending == Ending::Served));
            if ending == Ending::Failed && self.is_bad(now) {
                self.rest(Duration::from_secs(5), now);
            }
        }
    }

    fn end_probe(&mut self, ending: Ending, now: Moment) {
        let Some((_, pause)) = self.open else { panic!("a probe of a closed breaker") };
        match ending {
            Ending::Served => {
                self.open = None;
                self.history.clear();
            }
            Ending::Failed => self.rest(pause * 2, now),
            Ending::PutOff => self.rest(pause, now),
            Ending::Lost => {}
        }
    }

    fn rest(&mut self, pause: Duration, now: Moment) {
        let pause = pause.min(Duration::from_secs(30));
        self.open = Some((now + pause, pause));
        self.opened += 1;
    }

    fn is_bad(&self, now: Moment) -> bool {
        let last_five = self.history.iter().rev().take(5).filter(|(_, served)| !served).count();
        let part = |moment: Moment| moment.since(Moment::START).as_secs();
        let recent: Vec<_> = self.history.iter().filter(|(then, _)| part(*then) + 30 > part(now)).collect();
        let served = recent.iter().filter(|(_, served)| *served).count();
        last_five == 5 || (recent.len() >= 20 && served * 2 < recent.len())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Served,
    Failed,
    PutOff,
    Lost,
}

#[derive(Debug, Clone)]
enum Step {
    Pass(Duration),
    Enter,
    End(prop::sample::Index, Ending),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ending = prop_oneof![
        3 => Just(Ending::Served), 4 => Just(Ending::Failed), 1 => Just(Ending::PutOff), 1 => Just(Ending::Lost)
    ];
    let step = prop_oneof![
        1 => (0u64..8_000).prop_map(|ms| Step::Pass(Duration::from_millis(ms))),
        4 => Just(Step::Enter),
        4 => (any::<prop::sample::Index>(), ending).prop_map(|(call, ending)| Step::End(call, ending)),
    ];
    prop::collection::vec(step, 0..300)
}

proptest! {
    #[test]
    fn does_what_its_rules_say(steps in steps()) {
        let (mut breaker, mut model, mut now) = (breaker(), Model::default(), at(0));
        for step in steps {
            match step {
                Step::Pass(time) => now = now + time,
                Step::Enter => if breaker.look(now, Urgency::Usual) == Look::Ready {
                    if model.open.is_some() {
                        model.probe = Some(model.calls.len());
                    }
                    let turn = breaker.enter();
                    model.calls.push(Call { turn, opened: model.opened, done: false });
                },
                Step::End(index, ending) => {
                    let open: Vec<usize> = (0..model.calls.len()).filter(|call| !model.calls[*call].done).collect();
                    if open.is_empty() {
                        continue;
                    }
                    let call = open[index.index(open.len())];
                    let turn = model.calls[call].turn;
                    match ending {
                        Ending::Served => { breaker.served(turn, now); }
                        Ending::Failed => breaker.failed(turn, now),
                        Ending::PutOff => breaker.put_off(turn, now),
                        Ending::Lost => breaker.release(turn),
                    }
                    model.end(call, ending, now);
                }
            }
            prop_assert_eq!(breaker.look(now, Urgency::Usual), model.look(now));
        }
    }
}

/// How many of six threads that arrive when the pause ends are let through; each of those then does `then`.
fn let_through(then: impl Fn(&Mutex<Breaker>, Turn) + Send + Sync + 'static) -> usize {
    let shared = Arc::new((Mutex::new(open_breaker()), then));
    let arrive = || {
        let shared = Arc::clone(&shared);
        shuttle::thread::spawn(move || {
            let (breaker, then) = &*shared;
            let turn = enter_if_ready(&mut breaker.lock().unwrap());
            turn.inspect(|turn| then(breaker, *turn)).is_some()
        })
    };
    let threads: Vec<_> = (0..6).map(|_| arrive()).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).filter(|is_through| *is_through).count()
}

fn enter_if_ready(breaker: &mut Breaker) -> Option<Turn> {
    (breaker.look(at(5), Urgency::Usual) == Look::Ready).then(|| breaker.enter())
}

#[test]
fn lets_exactly_one_of_many_threads_probe_whatever_the_schedule() {
    shuttle::check_random(|| assert_eq!(let_through(|_, _| ()), 1), 50_000);
}

#[test]
fn never_has_two_probes_under_way_whatever_the_schedule() {
    let lose_probe = || {
        let under_way = AtomicUsize::new(0);
        let probes = let_through(move |breaker, turn| {
            assert_eq!(under_way.fetch_add(1, Ordering::SeqCst), 0);
            shuttle::thread::yield_now();
            under_way.fetch_sub(1, Ordering::SeqCst);
            breaker.lock().unwrap().release(turn);
        });
        assert!(probes >= 1);
    };

    shuttle::check_random(lose_probe, 50_000);
}
