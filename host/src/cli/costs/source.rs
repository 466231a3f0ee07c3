//! Where costs are read: the ledger of this machine, or a gateway.

use anyhow::bail;
use backstop::accounting::CostLine;
use backstop::accounting::ledger::{CostSum, CostsBy, LedgerError, LedgerReader};
use backstop::clock::{Clock, SystemClock};
use backstop::config::Config;
use jiff::Span;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::remote::Remote;

/// Whom to ask.
pub(super) enum Source<'c> {
    /// The ledger beside the configuration's store.
    Store(&'c Config),
    /// A gateway that runs.
    Gateway(Box<Remote>),
}

#[derive(Deserialize)]
struct LinesTold {
    lines: Vec<CostLine>,
}

#[derive(Deserialize)]
struct SumsTold {
    sums: Vec<CostSum>,
}

#[derive(Deserialize)]
struct EntriesTold {
    entries: Vec<Value>,
}

/// Entries that are read at once.
const PAGE: u32 = 5_000;

impl Source<'_> {
    /// What was spent by day, provider and model.
    pub(super) async fn lines(&self, days: u32) -> anyhow::Result<Vec<CostLine>> {
        match self {
            Self::Gateway(remote) => Ok(remote.get::<LinesTold>(&format!("/api/costs?days={days}")).await?.lines),
            Self::Store(config) => read(config, |ledger| ledger.lines(since(config, days))),
        }
    }

    /// What was spent, added up.
    pub(super) async fn sums(&self, days: u32, by: CostsBy) -> anyhow::Result<Vec<CostSum>> {
        match self {
            Self::Gateway(remote) => {
                let path = format!("/api/costs?days={days}&by={}", by.name());
                Ok(remote.get::<SumsTold>(&path).await?.sums)
            }
            Self::Store(config) => read(config, |ledger| ledger.sums(since(config, days), by)),
        }
    }

    /// The entries after one of them; none where there are no more.
    pub(super) async fn entries(&self, days: u32, after: i64) -> anyhow::Result<Vec<Value>> {
        match self {
            Self::Gateway(remote) => {
                let path = format!("/api/costs/entries?days={days}&after={after}&limit={PAGE}");
                Ok(remote.get::<EntriesTold>(&path).await?.entries)
            }
            Self::Store(config) => {
                let entries = read(config, |ledger| ledger.entries(since(config, days), after, PAGE))?;
                Ok(entries.into_iter().map(serde_json::to_value).collect::<Result<_, _>>()?)
            }
        }
    }

    /// Has costs counted anew.
    pub(super) async fn reset(&self, provider: Option<&str>) -> anyhow::Result<()> {
        match self {
            Self::Gateway(remote) => {
                let _: Value = remote.post("/api/costs/reset", &json!({"provider": provider})).await?;
                Ok(())
            }
            Self::Store(config) if config.store.path.is_none() => {
                bail!("there is no store: `path` in [store] is false")
            }
            Self::Store(config) => {
                let now = SystemClock::start().wall();
                read(config, |ledger| ledger.reset(provider, now).map(|()| Vec::<()>::new())).map(|_| ())
            }
        }
    }
}

fn since(config: &Config, days: u32) -> Date {
    let today = SystemClock::start().wall().to_zoned(config.budget.time_zone.clone()).date();
    today.saturating_sub(Span::new().days(i64::from(days) - 1))
}

/// Reads the ledger. Where there is none yet, nothing was spent.
fn read<T>(config: &Config, look: impl FnOnce(&LedgerReader) -> Result<Vec<T>, LedgerError>) -> anyhow::Result<Vec<T>> {
    let Some(path) = &config.store.path else { return Ok(Vec::new()) };
    match LedgerReader::open(path) {
        Ok(ledger) => Ok(look(&ledger)?),
        Err(LedgerError::Absent { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
