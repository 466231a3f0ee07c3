//! Limits that instances share, whatever their clocks say and whoever comes and goes (R44): the real way to a real Redis, instances of
//! one process.

#![cfg(unix)]

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use backstop::clock::{Clock, Moment, SystemClock};
use backstop::config::{Config, Limits, ProviderConfig, SharedAddress};
use backstop::fleet::Membership;
use backstop::guard::{Fleet, Holding, Lot, News, Sharer};
use backstop::random::Random;
use backstop::scripted::{Answer, Script, ScriptedProvider};
use backstop::{Backstop, ChatRequest};
use backstop_tests::Redis;
use jiff::{SignedDuration, Timestamp};

const WHOLE: usize = 12;
const SPAN: Duration = Duration::from_millis(400);

/// A clock that began at another time, and shows another time of day.
#[derive(Clone, Copy)]
struct Shifted {
    base: Instant,
    began: Duration,
    wall: SignedDuration,
}

impl Clock for Shifted {
    fn now(&self) -> Moment {
        Moment::from_start(self.base.elapsed() + self.began)
    }

    fn wall(&self) -> Timestamp {
        SystemClock::start().wall() + self.wall
    }

    fn sleep_until(&self, moment: Moment) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(moment.since(self.now())))
    }
}

/// An instance that uses as much of one limit as it may: no code of Backstop's but the way to the others.
struct User {
    clock: Shifted,
    own: Mutex<Own>,
    /// What all have used, by the clock that is nobody's own.
    uses: Arc<Mutex<Vec<Duration>>>,
    /// Whether it is dead: its thread ends without a word to the others.
    is_dead: AtomicBool,
}

#[derive(Default)]
struct Own {
    size: u64,
    used: VecDeque<Moment>,
    is_refused: bool,
}

impl User {
    fn new(clock: Shifted, uses: &Arc<Mutex<Vec<Duration>>>) -> Arc<Self> {
        Arc::new(Self { clock, own: Mutex::default(), uses: Arc::clone(uses), is_dead: AtomicBool::new(false) })
    }

    fn use_one(&self) {
        let mut own = self.own.lock().unwrap();
        let now = self.clock.now();
        own.forget(now);
        if u64::try_from(own.used.len()).unwrap() >= own.size {
            own.is_refused = true;
            return;
        }
        own.used.push_back(now);
        self.uses.lock().unwrap().push(now.since(Moment::START) - self.clock.began);
    }
}

impl Own {
    fn forget(&mut self, now: Moment) {
        while self.used.front().is_some_and(|used| *used + SPAN <= now) {
            self.used.pop_front();
        }
    }
}

impl Sharer for User {
    fn holdings(&self, now: Moment) -> Vec<Holding> {
        assert!(!self.is_dead.load(Ordering::Relaxed), "killed, as the test wants it");
        let mut own = self.own.lock().unwrap();
        own.forget(now);
        let wanted = u64::from(std::mem::take(&mut own.is_refused));
        let used = u64::try_from(own.used.len()).unwrap();
        vec![Holding {
            name: "model".to_owned(),
            whole: u32::try_from(WHOLE).unwrap(),
            span: SPAN,
            held: own.size.max(used),
            used,
            least: wanted,
            wanted,
            frees_in: own.used.front().map(|used| (*used + SPAN).since(now)),
            is_idle: false,
        }]
    }

    fn put(&self, lots: &HashMap<String, Lot>, _now: Moment) {
        self.own.lock().unwrap().size = lots["model"].size;
    }

    fn alone(&self, _of: u32, _silent_for: Duration) {}

    fn hear(&self, _news: &News, _now: Moment, _wall: Timestamp) {}
}

/// An instance for so long, which asks now and then or all the time, and ends in order or not.
fn live(user: &Arc<User>, address: &SharedAddress, random: &Random, until: Instant) {
    let membership = Membership::new(address).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(user.clock);
    membership.share(Arc::clone(user) as Arc<dyn Sharer>, None, &clock);
    let is_busy = random.next().is_multiple_of(2);
    while Instant::now() < until {
        for _ in 0..random.next() % 6 {
            user.use_one();
        }
        thread::sleep(Duration::from_millis(random.next() % if is_busy { 8 } else { 90 }));
    }
    if random.next().is_multiple_of(3) {
        user.is_dead.store(true, Ordering::Relaxed);
    }
}

/// The most that was used in any sliding span.
fn most_within_a_span(uses: &Mutex<Vec<Duration>>) -> usize {
    let mut uses = uses.lock().unwrap().clone();
    uses.sort_unstable();
    let within = |from: &Duration| uses.iter().filter(|at| **at >= *from && **at < *from + SPAN).count();
    uses.iter().map(within).max().unwrap_or(0)
}

// R44
#[tokio::test(flavor = "multi_thread")]
async fn no_span_has_more_than_the_limit_whoever_comes_goes_dies_and_asks() {
    let mut redis = Redis::start().await;
    let (address, base, seed) = (redis.address(), Instant::now(), Random::from_system().next());
    let uses: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let end = base + Duration::from_secs(16);

    let lives: Vec<_> = (0..3_u64)
        .map(|place| {
            let (address, uses) = (address.clone(), Arc::clone(&uses));
            thread::spawn(move || {
                let random = Random::seeded(seed + place);
                while Instant::now() < end {
                    let minutes = i64::try_from(random.next() % 11).unwrap() - 5;
                    let began = Duration::from_millis(random.next() % 1_000_000);
                    let user = User::new(Shifted { base, began, wall: SignedDuration::from_mins(minutes) }, &uses);
                    let length = Duration::from_millis(1_000 + random.next() % 5_000);
                    live(&user, &address, &random, end.min(Instant::now() + length));
                }
            })
        })
        .collect();
    thread::sleep(Duration::from_secs(6));
    redis.kill();
    thread::sleep(Duration::from_millis(700));
    redis.restart();
    for life in lives {
        life.join().unwrap();
    }

    let all = uses.lock().unwrap().len();
    let most = most_within_a_span(&uses);
    assert!(most <= WHOLE, "seed {seed}: {most} in one span, {all} in all");
    // Forty spans; those who died have taken their part with them for three seconds.
    assert!(all >= 8 * WHOLE, "seed {seed}: the limit is hardly used: {all}");
}

// R44
#[tokio::test(flavor = "multi_thread")]
async fn instances_whose_clocks_are_five_minutes_apart_keep_to_one_limit() {
    let redis = Redis::start().await;
    let provider = ScriptedProvider::start(Script::always(Answer::new("yes"))).await.unwrap();
    let mut instances = Vec::new();
    for minutes in [-5, 0, 5] {
        let mut alpha = ProviderConfig::openai_compatible(provider.base_url()).with_model("m");
        alpha.limits = Limits { rpm: Some(15), ..Limits::default() };
        let mut config = Config::new();
        config.providers.insert("alpha".to_owned(), alpha);
        let began = Duration::from_secs(u64::try_from(minutes + 5).unwrap() * 1_000);
        let clock = Shifted { base: Instant::now(), began, wall: SignedDuration::from_mins(minutes) };
        let fleet = Arc::new(Membership::new(&redis.address()).unwrap());
        let builder = Backstop::builder().config(config).strategy("fail-fast").clock(Arc::new(clock)).fleet(fleet);
        instances.push(builder.build().await.unwrap());
    }

    let mut served = [0; 3];
    for _ in 0..200 {
        for (place, instance) in instances.iter().enumerate() {
            served[place] += usize::from(instance.chat(ChatRequest::ask("hi")).await.is_ok());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    assert_eq!((served.iter().sum::<usize>(), provider.call_count()), (15, 15), "{served:?}");
    assert!(served.iter().all(|served| *served > 0), "{served:?}");
}
