//! Who asks: how often, what, and what they do when nobody answers.

use std::time::Duration;

use toml::de::DeValue;

use crate::config::problem::{Fault, Read};
use crate::config::section::{Section, nearest_or_all};
use crate::config::{units, value};

use super::distribution::{self, Distribution};
use super::rate::{self, Rate};
use super::read::items;

/// Bursts one kind of traffic may have.
const MOST_BURSTS: usize = 1_000;

/// Requests a burst may have.
const BURST: std::ops::RangeInclusive<i64> = 1..=10_000_000;

/// One kind of requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    /// How often they come.
    pub rate: Rate,
    /// Whether they come at even distances, and not at random ones.
    pub even: bool,
    /// Requests that come beside the others, all at about one time.
    pub bursts: Vec<Burst>,
    /// Their size in tokens.
    pub input_tokens: Distribution,
    /// The size of their answers in tokens.
    pub output_tokens: Distribution,
    /// The tokens they allow an answer at most.
    pub max_tokens: Option<u32>,
    /// The share that asks for a stream.
    pub streaming: f64,
    /// Their labels.
    pub labels: Vec<(String, String)>,
    /// How long they may take; `None` is the route's deadline.
    pub deadline: Option<Duration>,
    /// What callers do who get no answer.
    pub again: AskAgain,
}

/// Requests that come all at about one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// When the first one begins, since the start.
    pub at: Duration,
    /// How many.
    pub requests: u32,
    /// Over how long they are spread evenly.
    pub within: Duration,
    /// When the next one begins, since the one before; `None` is never.
    pub every: Option<Duration>,
}

/// What callers do who get no answer: they ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AskAgain {
    /// How often.
    pub times: u32,
    /// After how long.
    pub after: Duration,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            rate: Rate::constant(0.0),
            even: false,
            bursts: Vec::new(),
            input_tokens: Distribution::Constant(300.0),
            output_tokens: Distribution::Constant(150.0),
            max_tokens: None,
            streaming: 0.0,
            labels: Vec::new(),
            deadline: None,
            again: AskAgain::default(),
        }
    }
}

impl Traffic {
    /// Requests that come within a time, on average.
    #[must_use]
    pub fn requests_within(&self, duration: Duration) -> f64 {
        let of_burst = |burst: &Burst| {
            let times = match burst.every {
                _ if burst.at >= duration => 0.0,
                Some(every) => ((duration - burst.at).as_secs_f64() / every.as_secs_f64()).ceil(),
                None => 1.0,
            };
            times * f64::from(burst.requests)
        };
        rate::requests_within(&self.rate, duration) + self.bursts.iter().map(of_burst).sum::<f64>()
    }
}

/// Reads one kind of traffic.
pub(super) fn read(mut section: Section<'_, '_>) -> Traffic {
    let mut traffic = Traffic::default();
    let has_rate = section.has("rate");
    if let Some(rate) = rate::read(&mut section, "rate") {
        traffic.rate = rate;
    }
    section.set("arrivals", &mut traffic.even, arrivals);
    bursts(&mut section, &mut traffic.bursts);
    if !has_rate && !section.has("bursts") {
        let path = section.path_of("rate");
        section.report().fault_of(&path, Fault::example("missing: neither a rate nor bursts", "10"));
    }
    distribution::read(&mut section, "input_tokens", &mut traffic.input_tokens, tokens);
    distribution::read(&mut section, "output_tokens", &mut traffic.output_tokens, tokens);
    section.set_some("max_tokens", &mut traffic.max_tokens, value::whole(units::TOKENS));
    section.set("streaming", &mut traffic.streaming, value::number(units::SHARE));
    labels(&mut section, &mut traffic.labels);
    section.set_some("deadline", &mut traffic.deadline, value::positive_length);
    ask_again(&mut section, &mut traffic.again);
    section.finish();
    traffic
}

/// Input is made of text, four megabytes of it at most.
fn tokens(value: &DeValue<'_>) -> Read<f64> {
    value::whole::<u32>(1..=1_000_000)(value).map(f64::from)
}

fn arrivals(value: &DeValue<'_>) -> Read<bool> {
    match value::text(value)?.as_str() {
        "random" => Ok(false),
        "even" => Ok(true),
        other => Err(Fault::words("no such way to come", nearest_or_all(other, &["random", "even"]))),
    }
}

fn bursts(section: &mut Section<'_, '_>, bursts: &mut Vec<Burst>) {
    for item in items(section, "bursts", MOST_BURSTS) {
        let Some(mut table) = section.open(item) else { continue };
        let mut burst = Burst { at: Duration::ZERO, requests: 0, within: Duration::from_secs(1), every: None };
        table.set("at", &mut burst.at, value::length);
        table.set("requests", &mut burst.requests, value::whole(BURST));
        table.set("within", &mut burst.within, value::length);
        table.set_some("every", &mut burst.every, value::positive_length);
        if !table.has("requests") {
            let path = table.path_of("requests");
            table.report().fault_of(&path, Fault::example("missing", "100"));
        }
        table.finish();
        bursts.push(burst);
    }
}

fn labels(section: &mut Section<'_, '_>, labels: &mut Vec<(String, String)>) {
    let Some(mut section) = section.section("labels") else { return };
    for entry in section.entries() {
        labels.extend(section.read(entry, value::text).map(|text| (entry.key.to_owned(), text)));
    }
}

fn ask_again(section: &mut Section<'_, '_>, again: &mut AskAgain) {
    let Some(mut section) = section.section("ask_again") else { return };
    *again = AskAgain { times: 1, after: Duration::from_secs(1) };
    section.set("times", &mut again.times, value::whole(0..=100));
    section.set("after", &mut again.after, value::length);
    section.finish();
}
