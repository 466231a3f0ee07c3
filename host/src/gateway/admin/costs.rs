//! What was spent, by day, provider and model, or by something else; and every entry.

use bytes::Bytes;
use jiff::Span;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::accounting::CostLine;
use crate::accounting::ledger::CostsBy;
use crate::types::NanoUsd;

use super::path::Query;
use super::{Admin, AdminError, body};

/// Whose spend is to be forgotten; everybody's where nothing is said.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Reset {
    provider: Option<String>,
}

impl Admin {
    pub(super) async fn costs(&self, query: &Query) -> Result<Value, AdminError> {
        let since = self.since(query)?;
        if let Some(by) = query.text("by") {
            return self.costs_by(by, since).await;
        }
        let stored = self.read(move |reader| reader.costs(since)).await?;
        let in_memory = || self.backstop.costs().lines().filter(|line| line.day >= since).collect();
        let lines: Vec<CostLine> = stored.unwrap_or_else(in_memory);
        let total = lines.iter().fold(NanoUsd::ZERO, |sum, line| sum.saturating_add(line.cost));
        Ok(json!({"since": since, "total_usd": total.decimal(), "lines": lines}))
    }

    /// What was spent, added up by something else than provider, model and day.
    async fn costs_by(&self, by: &str, since: Date) -> Result<Value, AdminError> {
        let by = CostsBy::parse(by).ok_or_else(|| AdminError::Invalid {
            field: "by".to_owned(),
            fault: format!("must be one of {}", CostsBy::ALL.map(CostsBy::name).join(", ")),
        })?;
        let sums = self.read(move |reader| reader.cost_sums(since, by)).await?.unwrap_or_default();
        Ok(json!({"since": since, "by": by.name(), "sums": sums}))
    }

    /// A page of the ledger's entries, in the order they were entered.
    pub(super) async fn cost_entries(&self, query: &Query) -> Result<Value, AdminError> {
        let since = self.since(query)?;
        let (after, limit) = (query.number("after", 0, 0..=u32::MAX)?, query.number("limit", 1_000, 1..=10_000)?);
        let entries = self.read(move |reader| reader.cost_entries(since, after.into(), limit)).await?;
        Ok(json!({"since": since, "entries": entries.unwrap_or_default()}))
    }

    /// The first of the days that are asked for, in the budgets' time zone.
    fn since(&self, query: &Query) -> Result<Date, AdminError> {
        let days = query.number("days", 30, 1..=3_650)?;
        Ok(self.today().saturating_sub(Span::new().days(i64::from(days) - 1)))
    }

    /// Today in the budgets' time zone.
    pub(super) fn today(&self) -> Date {
        let zone = self.backstop.config().budget.time_zone.clone();
        self.backstop.clock().wall().to_zoned(zone).date()
    }

    pub(super) async fn reset_costs(&self, asked: &Bytes) -> Result<Value, AdminError> {
        let Reset { provider } = body::read(asked)?;
        if let Some(name) = &provider
            && !self.backstop.status().iter().any(|status| *status.provider == **name)
        {
            return Err(AdminError::NotFound { what: "provider", name: name.clone() });
        }
        self.backstop.reset_costs(provider.as_deref());
        let now = self.backstop.clock().wall();
        self.read(move |reader| reader.reset_costs(provider.as_deref(), now)).await?;
        Ok(json!({"ok": true}))
    }
}
