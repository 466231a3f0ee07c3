//! The guard as a whole: one configuration, requests against it, what the next ones are told.

mod admission;
mod breaker;
#[cfg(feature = "store")]
mod ledger;
mod limits;
mod money;
mod scopes;
mod probes;
mod standing;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{AttemptKind, Claim, Denied, Guard, InFlight};
use crate::clock::Moment;
use crate::config::{Config, ProviderConfig};
use crate::types::{Failure, FailureKind, KeyAccount, NanoUsd, Price, RequestId, Standing, TargetId, Usage};

/// The first model of the first provider of [`config`].
const A: TargetId = TargetId(0);
/// The second model of the same provider.
const A2: TargetId = TargetId(1);
/// The first model of the second provider.
const B: TargetId = TargetId(2);

const MINUTE: Duration = Duration::from_secs(60);
const WALL: Timestamp = Timestamp::UNIX_EPOCH;

/// A claim of 1,000 tokens: one cent at the targets' price.
const CLAIM: Claim<'static> = Claim {
    input_tokens: 500,
    input_bound: 500,
    media: 0,
    allowed: None,
    max_output_tokens: 500,
    spent: NanoUsd::ZERO,
    kind: AttemptKind::Plain,
    emergency: false,
    payer: None,
};

fn at(seconds: u64) -> Moment {
    Moment::from_start(Duration::from_secs(seconds))
}

fn cents(cents: u64) -> NanoUsd {
    NanoUsd::from_nanos(cents * 10_000_000)
}

fn provider() -> ProviderConfig {
    let url = "http://127.0.0.1:1/v1".parse().unwrap();
    ProviderConfig::openai_compatible(url).with_price(Price::flat_per_1k(cents(1)))
}

/// Two providers, `one` with two models and `two` with one; a key each.
fn config() -> Config {
    let one = provider().with_key("ONE_KEY", "s-1").with_model("a").with_model("a2");
    let two = provider().with_key("TWO_KEY", "s-2").with_model("b");
    let mut config = Config::new();
    config.providers.insert("one".to_owned(), one);
    config.providers.insert("two".to_owned(), two);
    config
}

fn guard(config: &Config) -> Arc<Guard> {
    Arc::new(Guard::new(config))
}

fn send(guard: &Arc<Guard>, target: TargetId, now: Moment) -> Result<InFlight, Denied> {
    guard.admit(target, &CLAIM, now, WALL).map(|permit| permit.dispatch(now))
}

fn serve(guard: &Arc<Guard>, target: TargetId, now: Moment) {
    let used = Usage { input: 500, output: 500, ..Usage::default() };
    send(guard, target, now).unwrap().served(Some(used), None, now, WALL);
}

fn fail(guard: &Arc<Guard>, target: TargetId, kind: FailureKind, now: Moment) {
    send(guard, target, now).unwrap().failed(&Failure::new(kind, "no"), now, WALL);
}

fn trip(guard: &Arc<Guard>, target: TargetId, now: Moment) {
    (0..5).for_each(|_| fail(guard, target, FailureKind::ServerError, now));
}

fn standing(guard: &Guard, target: TargetId, now: Moment) -> Standing {
    guard.view(target, &CLAIM, now, WALL).0.standing
}
