//! What goes to the shared store and comes back from it.

use std::time::Duration;

use crate::clock::Moment;
use crate::guard::{Holding, Lot, News};

/// The largest whole number the store counts exactly.
const MOST: u64 = (1 << 53) - 1;

/// What the store says of the limits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// How many instances there were lately.
    pub(super) instances: u32,
    /// What may be used of each, in the order they were told.
    pub(super) lots: Vec<Lot>,
}

/// What others have told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// The last that was read.
    pub(super) read: String,
    /// What it was, oldest first.
    pub(super) news: Vec<News>,
}

/// The script's arguments for one limit.
pub(super) fn of(holding: &Holding) -> [String; 8] {
    let Holding { whole, span, held, used, least, wanted, frees_in, is_idle, .. } = holding;
    let numbers = [
        u64::from(*whole),
        ms_up(*span),
        *held,
        *used,
        *least,
        *wanted,
        ms_up(frees_in.unwrap_or_default()),
        u64::from(*is_idle),
    ];
    numbers.map(|number| number.min(MOST).to_string())
}

/// The script's arguments for a piece of news; `None` where it does not hold any more.
pub(super) fn of_news(news: &News, now: Moment) -> Option<[String; 2]> {
    let ms = match news.until {
        Some(until) if until <= now => return None,
        Some(until) => ms_up(until.since(now)).min(MOST).to_string(),
        None => "-1".to_owned(),
    };
    Some([serde_json::to_string(&news.what).ok()?, ms])
}

impl Answer {
    /// Reads an answer about so many limits; `None` where it is none.
    pub(super) fn read(numbers: &[i64], limits: usize) -> Option<Self> {
        let (instances, rest) = numbers.split_first()?;
        let (pairs, []) = rest.as_chunks::<2>() else { return None };
        if pairs.len() != limits {
            return None;
        }
        let lot = |[size, room_in]: &[i64; 2]| {
            Some(Lot {
                size: u64::try_from(*size).ok()?,
                room_in: Duration::from_millis(u64::try_from(*room_in).ok()?),
            })
        };
        Some(Self {
            instances: u32::try_from(*instances).ok()?.max(1),
            lots: pairs.iter().map(lot).collect::<Option<_>>()?,
        })
    }
}

impl Heard {
    /// Reads what others have told. What a later version tells and this one does not know is left out.
    pub(super) fn read(texts: Vec<String>, now: Moment) -> Option<Self> {
        let mut texts = texts.into_iter();
        let read = texts.next()?;
        let mut news = Vec::new();
        while let Some(what) = texts.next() {
            let ms: i64 = texts.next()?.parse().ok()?;
            let until = u64::try_from(ms).ok().map(|ms| now + Duration::from_millis(ms));
            news.extend(serde_json::from_str(&what).ok().map(|what| News { what, until }));
        }
        Some(Self { read, news })
    }
}

/// Rounded up: what counts for a time must not be forgotten too early.
fn ms_up(length: Duration) -> u64 {
    u64::try_from(length.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
