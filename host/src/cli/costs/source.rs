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
use crate::cli::setup;

/// Whom to ask.
pub(super) enum Source<'c> {
    /// The ledger that the configuration names.
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
            Self::Store(config) => {
                let since = since(config, days);
                read(config, move |ledger| ledger.lines(since)).await
            }
        }
    }

    /// What was spent, added up.
    pub(super) async fn sums(&self, days: u32, by: CostsBy) -> anyhow::Result<Vec<CostSum>> {
        match self {
            Self::Gateway(remote) => {
                let path = format!("/api/costs?days={days}&by={}", by.name());
                Ok(remote.get::<SumsTold>(&path).await?.sums)
            }
            Self::Store(config) => {
                let since = since(config, days);
                read(config, move |ledger| ledger.sums(since, by)).await
            }
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
                let since = since(config, days);
                let entries = read(config, move |ledger| ledger.entries(since, after, PAGE)).await?;
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
            Self::Store(config) if setup::ledger_place(config).is_none() => {
                bail!("there is no store: `path` in [store] is false")
            }
            Self::Store(config) => {
                let now = SystemClock::start().wall();
                let provider = provider.map(str::to_owned);
                let reset = move |ledger: &LedgerReader| ledger.reset(provider.as_deref(), now);
                read(config, move |ledger| reset(ledger).map(|()| Vec::<()>::new())).await.map(|_| ())
            }
        }
    }
}

fn since(config: &Config, days: u32) -> Date {
    let today = SystemClock::start().wall().to_zoned(config.budget.time_zone.clone()).date();
    today.saturating_sub(Span::new().days(i64::from(days) - 1))
}

/// Reads the ledger. Where there is none yet, nothing was spent.
async fn read<T: Send + 'static>(
    config: &Config,
    look: impl FnOnce(&LedgerReader) -> Result<Vec<T>, LedgerError> + Send + 'static,
) -> anyhow::Result<Vec<T>> {
    let Some(place) = setup::ledger_place(config) else { return Ok(Vec::new()) };
    // Reading blocks, on a disk or on a database.
    let reading = move || match LedgerReader::open_at(&place) {
        Ok(ledger) => look(&ledger),
        Err(LedgerError::Absent { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    Ok(tokio::task::spawn_blocking(reading).await??)
}
