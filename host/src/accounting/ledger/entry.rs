//! One entry of the ledger: what an attempt cost, what a dead process may have spent, or a mark that costs are counted anew.

use std::collections::BTreeMap;

use rusqlite::{Row, Transaction};
use sha2::{Digest, Sha256};

use super::change::utc_day;
use crate::accounting::{Account, Posting, PostingKind, Scope, Window, month_of_day};
use crate::types::NanoUsd;

/// The digest of an entry and all before it.
pub(super) type Hash = [u8; 32];

/// The hash before the first entry.
pub(super) const BEGINNING: Hash = [0; 32];

/// Columns in the order in which [`Entry::read`] expects them.
pub(super) const COLUMNS: &str = "seq, at, kind, instance, day, request, route, provider, model, key, labels, answers, \
    input, output, cache_read, cache_creation, reasoning, cost, charges, hash";

const INSERT: &str = "INSERT INTO entries (seq, at, kind, instance, day, request, route, provider, model, key, labels, \
    answers, input, output, cache_read, cache_creation, reasoning, cost, charges, hash) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)";

/// An entry, but for its number and digest. Its texts are borrowed from whoever has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Entry<'a> {
    pub(super) at: i64,
    pub(super) kind: &'a str,
    pub(super) instance: i64,
    pub(super) day: i32,
    pub(super) request: Option<&'a [u8]>,
    pub(super) route: &'a str,
    pub(super) provider: &'a str,
    pub(super) model: &'a str,
    pub(super) key: Option<&'a str>,
    pub(super) labels: Option<&'a str>,
    /// Answers; input, output, cache read, cache creation and reasoning tokens; nano-dollars.
    pub(super) counts: [i64; 7],
    pub(super) charges: Option<&'a str>,
}

/// The kind of an entry for what a dead process was lent.
pub(super) const LOST: &str = "lost";

/// The kind of an entry that takes back what a process was charged that was only taken for dead.
#[cfg(feature = "postgres")]
pub(super) const RETURNED: &str = "returned";

/// The kind of an entry from which on costs are counted anew.
const RESET: &str = "reset";

/// Where an entry stands, and what its digest is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) seq: i64,
    pub(super) hash: Hash,
}

impl<'a> Entry<'a> {
    /// The entry of a cost. `request` and `labels` are the posting's, as they are written.
    pub(super) fn of(posting: &'a Posting, request: &'a [u8], labels: Option<&'a str>, instance: i64, at: i64) -> Self {
        let usage = posting.usage;
        let counts = [
            posting.answers.into(),
            fitting(usage.input),
            fitting(usage.output),
            fitting(usage.cache_read),
            fitting(usage.cache_creation),
            fitting(usage.reasoning),
            nanos(posting.cost),
        ];
        Self {
            at,
            kind: kind_name(posting.kind),
            instance,
            day: posting.day,
            request: Some(request),
            route: &posting.route,
            provider: &posting.target.provider,
            model: &posting.target.model,
            key: posting.key.as_deref(),
            labels,
            counts,
            charges: None,
        }
    }

    /// The mark from which on costs are counted anew, at one provider or at all of them.
    pub(super) fn reset(provider: Option<&'a str>, at: i64) -> Self {
        Self { at, kind: RESET, day: utc_day(at), provider: provider.unwrap_or_default(), ..Self::default() }
    }

    /// Reads a row of [`COLUMNS`].
    pub(super) fn read(row: &'a Row<'_>) -> rusqlite::Result<(Place, Self)> {
        let text = |place| -> rusqlite::Result<Option<&'a str>> { Ok(row.get_ref(place)?.as_str_or_null()?) };
        let number = |place| row.get::<_, i64>(place);
        let mut counts = [0; 7];
        for (place, count) in counts.iter_mut().enumerate() {
            *count = number(place + 11)?;
        }
        let entry = Self {
            at: number(1)?,
            kind: text(2)?.unwrap_or_default(),
            instance: number(3)?,
            day: row.get(4)?,
            request: row.get_ref(5)?.as_blob_or_null()?,
            route: text(6)?.unwrap_or_default(),
            provider: text(7)?.unwrap_or_default(),
            model: text(8)?.unwrap_or_default(),
            key: text(9)?,
            labels: text(10)?,
            counts,
            charges: text(18)?,
        };
        Ok((Place { seq: number(0)?, hash: row.get(19)? }, entry))
    }

    pub(super) fn cost(&self) -> i64 {
        let [.., cost] = self.counts;
        cost
    }

    /// The digest of the entry at a place behind another.
    pub(super) fn digest(&self, seq: i64, before: &Hash) -> Hash {
        let mut digest = Sha256::new();
        digest.update(before);
        for number in [seq, self.at, self.instance, self.day.into()].into_iter().chain(self.counts) {
            digest.update(number.to_le_bytes());
        }
        let (texts, maybe) =
            ([self.kind, self.route, self.provider, self.model], [self.key, self.labels, self.charges]);
        let texts = texts.into_iter().map(|text| Some(text.as_bytes()));
        let maybe = maybe.into_iter().map(|text| text.map(str::as_bytes));
        for part in texts.chain(maybe).chain([self.request]) {
            // Each part with its length: no two entries have the same bytes.
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            digest.update(length.to_le_bytes());
            digest.update(part.unwrap_or_default());
        }
        digest.finalize().into()
    }

    /// Writes it.
    pub(super) fn insert(&self, change: &Transaction<'_>, place: &Place) -> rusqlite::Result<()> {
        let [answers, input, output, cache_read, cache_creation, reasoning, cost] = self.counts;
        change.prepare_cached(INSERT)?.execute(rusqlite::params![
            place.seq,
            self.at,
            self.kind,
            self.instance,
            self.day,
            self.request,
            self.route,
            self.provider,
            self.model,
            self.key,
            self.labels,
            answers,
            input,
            output,
            cache_read,
            cache_creation,
            reasoning,
            cost,
            self.charges,
            &place.hash[..],
        ])?;
        Ok(())
    }

    /// What it charges to accounts by their numbers, where that is not its cost to all it belongs to.
    pub(super) fn charges(&self) -> Option<BTreeMap<i64, i64>> {
        serde_json::from_str(self.charges?).ok()
    }

    /// Tells every account it belongs to.
    pub(super) fn accounts(&self, has_labels: bool, mut tell: impl FnMut(Account)) {
        let month = month_of_day(self.day);
        let mut both = |scope: Scope| {
            tell(Account { scope: scope.clone(), window: Window::Day, period: self.day });
            tell(Account { scope, window: Window::Month, period: month });
        };
        both(Scope::Everything);
        both(Scope::Route(self.route.into()));
        both(Scope::Provider(self.provider.into()));
        if let Some(key) = self.key {
            both(Scope::Key(key.into()));
        }
        if has_labels {
            labels_of(self.labels).into_iter().for_each(|label| both(Scope::Label(label.into())));
        }
    }

    /// Whether it belongs to an account.
    pub(super) fn belongs_to(&self, account: &Account) -> bool {
        let is_then = match account.window {
            Window::Day => self.day == account.period,
            Window::Month => month_of_day(self.day) == account.period,
        };
        is_then
            && match &account.scope {
                Scope::Everything => true,
                Scope::Route(name) => **name == *self.route,
                Scope::Provider(name) => **name == *self.provider,
                Scope::Key(name) => self.key == Some(&**name),
                Scope::Label(label) => labels_of(self.labels).iter().any(|own| **own == **label),
            }
    }
}

/// Labels as an entry has them; `None` where there are none.
pub(super) fn labels_text(labels: &[(String, String)]) -> Option<String> {
    if labels.is_empty() { None } else { serde_json::to_string(labels).ok() }
}

/// The labels of an entry, each as `name=text`, each once.
pub(super) fn labels_of(text: Option<&str>) -> Vec<String> {
    let pairs: Vec<(String, String)> = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let mut labels: Vec<String> = pairs.into_iter().map(|(name, text)| format!("{name}={text}")).collect();
    labels.sort_unstable();
    labels.dedup();
    labels
}

fn kind_name(kind: PostingKind) -> &'static str {
    match kind {
        PostingKind::Exact => "exact",
        PostingKind::Uncertain => "uncertain",
        PostingKind::Overrun => "overrun",
    }
}

/// An amount as SQLite has integers. The largest stand for themselves: no budget is so large.
pub(super) fn nanos(amount: NanoUsd) -> i64 {
    fitting(amount.nanos())
}

/// An amount of SQLite's.
pub(super) fn money(nanos: i64) -> NanoUsd {
    NanoUsd::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

fn fitting(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
