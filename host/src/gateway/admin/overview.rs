//! The whole at a glance.

use serde_json::{Value, json};

use crate::accounting::Scope;
use crate::guard::BudgetStatus;
use crate::types::NanoUsd;

use super::{Admin, AdminError};

impl Admin {
    pub(super) async fn overview(&self) -> Result<Value, AdminError> {
        let spent = self.spent_today().await?;
        let spent = spent.iter().fold(NanoUsd::ZERO, |sum, line| sum.saturating_add(line.cost));
        let models = self.backstop.status().into_iter().flat_map(|provider| provider.models);
        let in_flight: u32 = models.map(|model| model.in_flight).sum();
        let now = self.backstop.clock().wall();
        let uptime = now.duration_since(self.started).as_secs_f64();
        Ok(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "started": self.started,
            "uptime_s": (uptime * 10.0).round() / 10.0,
            "stats": self.backstop.stats(),
            "in_flight": in_flight,
            "spent_today_usd": spent.decimal(),
            "budgets": self.backstop.budgets().iter().map(budget).collect::<Vec<_>>(),
            "scoped_budgets": self.backstop.scoped_budgets().iter().map(scoped).collect::<Vec<_>>(),
            "ledger_fault": self.backstop.ledger_fault(),
            "shared_store": self.backstop.shared_store(),
            "alert_at": self.backstop.config().budget.alert_at,
            "alerts": self.backstop.alerts(),
            "records_lost": self.store.as_ref().map(|store| store.lost()),
        }))
    }
}

/// As [`budget`], with whose it is.
fn scoped((of, status): &(Scope, BudgetStatus)) -> Value {
    let mut shown = budget(status);
    if let Value::Object(fields) = &mut shown {
        fields.insert("of".to_owned(), json!(of));
    }
    shown
}

fn budget(status: &BudgetStatus) -> Value {
    let dollars = |amount: NanoUsd| amount.decimal();
    json!({
        "scope": status.scope,
        "limit": dollars(status.limit),
        "spent": dollars(status.spent),
        "reserved": dollars(status.reserved),
        "uncertain": dollars(status.uncertain),
    })
}
