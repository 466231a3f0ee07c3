//! Whether the time the gateway takes over a key tells how near it was: Welch's t-test on guesses near and far, in random order.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use backstop::clock::{Clock, SystemClock};
use backstop::gateway::keys::{Grant, KeyFile, Keys, Purpose};
use backstop::http::{HeaderMap, HeaderValue};
use backstop::random::Random;

/// Beyond this the two kinds take different times, with one error in 100,000.
pub const THRESHOLD: f64 = 4.5;

/// The slowest tenth of all tries was interrupted by something else, and is left out.
const KEPT: f64 = 0.9;

/// The letters of keys.
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The two kinds of guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// One letter from a key that is there.
    Near,
    /// Any other text of the same length.
    Far,
}

/// Times so many wrong guesses at a gateway with a hundred keys; the t of their two kinds.
///
/// # Panics
/// Where the keys cannot be made.
#[must_use]
pub fn t_of_guesses(tries: usize) -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = KeyFile::at(folder.path().join("keys.json"));
    let now = SystemClock::start().wall();
    let made = (0..100).map(|n| file.create(&format!("key {n}"), Grant::default(), now).expect("a key is made"));
    let texts: Vec<String> = made.map(|key| key.text.expose().to_owned()).collect();
    let keys = Keys::open(file).expect("the keys can be read");
    let random = Random::from_system();

    let mut times: Vec<(Kind, Duration)> = Vec::with_capacity(tries);
    for _ in 0..tries {
        // Each try has a text of its own, or the two kinds would be a few texts, of which each has its place in the table and
        // in the caches. Both are made, and one of them put where the other would be, so that nothing but the text differs.
        let (near, far) = (near(&texts[draw(&random, texts.len())], &random), far(&random));
        let kind = if draw(&random, 2) == 0 { Kind::Near } else { Kind::Far };
        let headers = bringing(if kind == Kind::Near { &near } else { &far });
        let begun = Instant::now();
        let answer = black_box(keys.admit(black_box(&headers), Purpose::Model, now));
        times.push((kind, begun.elapsed()));
        assert!(answer.is_err(), "a guess was right");
    }
    times.sort_by_key(|(_, time)| *time);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    times.truncate((tries as f64 * KEPT) as usize);
    t(&times)
}

fn t(times: &[(Kind, Duration)]) -> f64 {
    let mut kinds: HashMap<Kind, Vec<f64>> = HashMap::new();
    for (kind, time) in times {
        kinds.entry(*kind).or_default().push(time.as_secs_f64());
    }
    #[allow(clippy::cast_precision_loss)]
    let moments = |kind: Kind| {
        let times = &kinds[&kind];
        let count = times.len() as f64;
        let mean = times.iter().sum::<f64>() / count;
        let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((near, near_error), (far, far_error)) = (moments(Kind::Near), moments(Kind::Far));
    (near - far) / (near_error + far_error).sqrt()
}

/// A key with one of its letters changed, wherever that is.
fn near(key: &str, random: &Random) -> String {
    let mut bytes = key.as_bytes().to_vec();
    let place = 4 + draw(random, 43);
    while bytes[place] == key.as_bytes()[place] {
        bytes[place] = LETTERS[draw(random, LETTERS.len())];
    }
    String::from_utf8(bytes).expect("letters")
}

fn far(random: &Random) -> String {
    let letters = (0..43).map(|_| char::from(LETTERS[draw(random, LETTERS.len())]));
    format!("bsk_{}", letters.collect::<String>())
}

fn bringing(key: &str) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("Bearer {key}")).expect("letters");
    HeaderMap::from_iter([(backstop::http::header::AUTHORIZATION, value)])
}

fn draw(random: &Random, of: usize) -> usize {
    usize::try_from(random.next() >> 1).unwrap_or(usize::MAX) % of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_a_difference_of_a_hundredth_where_there_is_one() {
        let nanos = |n: u64, more: u64| Duration::from_nanos(1_000 + n % 20 + more);
        let same: Vec<_> = (0..2_000).flat_map(|n| [(Kind::Near, nanos(n, 0)), (Kind::Far, nanos(n, 0))]).collect();
        let slower: Vec<_> = (0..2_000).flat_map(|n| [(Kind::Near, nanos(n, 10)), (Kind::Far, nanos(n, 0))]).collect();

        assert!(t(&same).abs() < THRESHOLD);
        assert!(t(&slower) > THRESHOLD);
    }
}
