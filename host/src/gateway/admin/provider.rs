//! Providers as the API shows them.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use crate::accounting::CostLine;
use crate::accounting::store::StoreError;
use crate::guard::ProviderStatus;
use crate::types::NanoUsd;

use super::{Admin, AdminError};

/// A provider, and what it did today.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ProviderView {
    #[serde(flatten)]
    status: ProviderStatus,
    /// It is used and no other.
    forced: bool,
    /// Answers today, in the budgets' time zone.
    requests_today: u64,
    spent_today_usd: String,
}

/// What one provider did.
#[derive(Clone, Copy, Default)]
struct Done {
    answers: u64,
    cost: NanoUsd,
}

impl Admin {
    /// Every provider, in declared order.
    pub(super) async fn providers(&self) -> Result<Vec<ProviderView>, AdminError> {
        let mut today: HashMap<Arc<str>, Done> = HashMap::new();
        for line in self.spent_today().await? {
            let done = today.entry(line.provider).or_default();
            done.answers += line.answers;
            done.cost = done.cost.saturating_add(line.cost);
        }
        let forced = self.backstop.routes().into_iter().find_map(|route| route.forced);
        let view = |status: ProviderStatus| {
            let done = today.get(&status.provider).copied().unwrap_or_default();
            ProviderView {
                forced: forced.as_ref() == Some(&status.provider),
                requests_today: done.answers,
                spent_today_usd: done.cost.decimal(),
                status,
            }
        };
        Ok(self.backstop.status().into_iter().map(view).collect())
    }

    /// One provider.
    pub(super) async fn provider(&self, name: &str) -> Result<ProviderView, AdminError> {
        let found = self.providers().await?.into_iter().find(|provider| *provider.status.provider == *name);
        found.ok_or_else(|| AdminError::NotFound { what: "provider", name: name.to_owned() })
    }

    /// What was spent today: by the ledger, which knows of what was before the start, else by what is in memory. A ledger that cannot
    /// be read is no reason to tell nothing else.
    pub(super) async fn spent_today(&self) -> Result<Vec<CostLine>, AdminError> {
        let today = self.today();
        let stored = match self.read(move |reader| reader.costs(today)).await {
            Err(AdminError::Store(StoreError::Ledger(error))) => {
                tracing::warn!("what was spent today is told from memory: {error}");
                None
            }
            read => read?,
        };
        let in_memory = || self.backstop.costs().lines().filter(|line| line.day == today).collect();
        Ok(stored.unwrap_or_else(in_memory))
    }
}
