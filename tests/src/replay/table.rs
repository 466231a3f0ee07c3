//! The table of what came of the exchanges, by provider and kind.

use std::collections::BTreeMap;
use std::fmt;

use super::exchange::{Exchange, Kind};
use super::explained;
use super::outcome::Outcome;

const COLUMNS: [(&str, Kind); 5] = [
    ("whole", Kind::Whole),
    ("streams", Kind::Stream),
    ("tools", Kind::Tools),
    ("tools, streamed", Kind::ToolsStream),
    ("errors", Kind::Error),
];

/// What came of one exchange.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id.
    pub id: String,
    provider: String,
    api: String,
    kind: Kind,
    has_wait: bool,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of them all.
#[derive(Debug, Clone)]
pub struct Table {
    rows: Vec<Row>,
}

/// How many of how many came out as recorded.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    good: usize,
    all: usize,
}

impl Row {
    pub(super) fn of(exchange: &Exchange, outcome: Outcome) -> Self {
        Self {
            id: exchange.id.clone(),
            provider: exchange.provider.clone(),
            api: exchange.api.clone(),
            kind: exchange.kind(),
            has_wait: exchange.expect.as_ref().is_some_and(|expect| expect.retry_after_s.is_some()),
            outcome,
        }
    }
}

impl Table {
    pub(super) fn of(rows: Vec<Row>) -> Self {
        Self { rows }
    }

    /// How many exchanges were replayed.
    #[must_use]
    pub fn replayed(&self) -> usize {
        self.rows.iter().filter(|row| row.outcome != Outcome::NotSpoken).count()
    }

    /// Ids and differences of the exchanges that came out otherwise without a reason known.
    #[must_use]
    pub fn unexplained(&self) -> Vec<(&str, &str)> {
        self.missed().filter(|(id, _)| explained::reason(id).is_none()).collect()
    }

    /// Ids that are explained although they came out as recorded.
    #[must_use]
    pub fn needlessly_explained(&self) -> Vec<&str> {
        let good = self.rows.iter().filter(|row| row.outcome == Outcome::Good);
        good.map(|row| row.id.as_str()).filter(|id| explained::reason(id).is_some()).collect()
    }

    /// Every exchange in a line.
    #[must_use]
    pub fn every_exchange(&self) -> String {
        let line = |row: &Row| format!("{}\t{}\t{:?}\n", row.id, row.api, row.outcome);
        self.rows.iter().map(line).collect()
    }

    fn missed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rows.iter().filter_map(|row| match &row.outcome {
            Outcome::Missed(words) => Some((row.id.as_str(), words.as_str())),
            Outcome::Good | Outcome::Defensible(_) | Outcome::NotSpoken => None,
        })
    }

    fn count(&self, fits: impl Fn(&Row) -> bool) -> Count {
        let mut count = Count::default();
        for row in self.rows.iter().filter(|row| row.outcome != Outcome::NotSpoken && fits(row)) {
            count.all += 1;
            count.good += usize::from(matches!(row.outcome, Outcome::Good | Outcome::Defensible(_)));
        }
        count
    }

    fn write_line(&self, f: &mut fmt::Formatter<'_>, name: &str, of: impl Fn(&Row) -> bool) -> fmt::Result {
        write!(f, "{name:<16}")?;
        for (_, kind) in COLUMNS {
            write!(f, "{:>17}", self.count(|row| of(row) && row.kind == kind).to_string())?;
        }
        let waits = self.count(|row| of(row) && row.has_wait);
        let not_spoken = self.rows.iter().filter(|row| of(row) && row.outcome == Outcome::NotSpoken).count();
        writeln!(f, "{:>17}{:>12}", waits.to_string(), not_spoken)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<16}", "provider")?;
        COLUMNS.iter().try_for_each(|(name, _)| write!(f, "{name:>17}"))?;
        writeln!(f, "{:>17}{:>12}", "with a wait", "not spoken")?;
        let providers: BTreeMap<&str, ()> = self.rows.iter().map(|row| (row.provider.as_str(), ())).collect();
        for provider in providers.keys() {
            self.write_line(f, provider, |row| row.provider == *provider)?;
        }
        self.write_line(f, "all", |_| true)?;
        for (id, words) in self.missed() {
            match explained::reason(id) {
                Some(reason) => writeln!(f, "explained  {id}: {reason}")?,
                None => writeln!(f, "MISSED     {id}: {words}")?,
            }
        }
        for row in &self.rows {
            if let Outcome::Defensible(kind) = &row.outcome {
                writeln!(f, "defensible {}: {kind}", row.id)?;
            }
        }
        let missed = self.missed().count();
        let unexplained = self.unexplained().len();
        write!(
            f,
            "{} replayed, {} as recorded, {} explained, {unexplained} missed",
            self.replayed(),
            self.replayed() - missed,
            missed - unexplained
        )
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.all == 0 { f.write_str("-") } else { write!(f, "{}/{}", self.good, self.all) }
    }
}
