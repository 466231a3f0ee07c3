//! What was spent, by day, provider and model.

use bytes::Bytes;
use jiff::Span;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::accounting::CostLine;
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
        let days = query.number("days", 30, 1..=3_650)?;
        let today = self.backstop.clock().wall().to_zoned(TimeZone::UTC).date();
        let since = today.saturating_sub(Span::new().days(i64::from(days) - 1));
        let stored = self.read(move |reader| reader.costs(since)).await?;
        let in_memory = || self.backstop.costs().lines().filter(|line| line.day >= since).collect();
        let lines: Vec<CostLine> = stored.unwrap_or_else(in_memory);
        let total = lines.iter().fold(NanoUsd::ZERO, |sum, line| sum.saturating_add(line.cost));
        Ok(json!({"since": since, "total_usd": total.decimal(), "lines": lines}))
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
