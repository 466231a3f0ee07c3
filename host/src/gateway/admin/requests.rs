//! Requests that have ended: lists, and the whole story of one.

use serde_json::{Value, json};

use crate::accounting::store::Page;
use crate::types::{Outcome, RequestId, RequestSummary};

use super::path::Query;
use super::{Admin, AdminError};

impl Admin {
    /// Requests, the latest first: from the store, which has them all, else those that are still in memory.
    pub(super) async fn requests(&self, query: &Query) -> Result<Value, AdminError> {
        let limit = query.number("limit", 50, 1..=500)?;
        let before = query.text("before").map(id).transpose()?;
        let outcome = query.text("outcome").map(outcome).transpose()?;
        let page = Page { limit, before, outcome };
        let stored = self.read(move |reader| reader.latest(page)).await?;
        let requests: Vec<RequestSummary> = match stored {
            Some(records) => records.iter().map(RequestSummary::from).collect(),
            None => self.in_memory(page),
        };
        Ok(json!({"requests": requests}))
    }

    fn in_memory(&self, page: Page) -> Vec<RequestSummary> {
        let kept = self.backstop.latest(usize::MAX);
        let from = page.before.map_or(0, |before| {
            kept.iter().position(|record| record.id == before).map_or(kept.len(), |place| place + 1)
        });
        let wanted = kept.iter().skip(from);
        let wanted = wanted.filter(|record| page.outcome.is_none_or(|outcome| record.outcome == outcome));
        wanted.take(page.limit as usize).map(|record| RequestSummary::from(&**record)).collect()
    }

    /// The whole story of a request.
    pub(super) async fn request(&self, name: &str) -> Result<Value, AdminError> {
        let id = id(name)?;
        let told = match self.backstop.explain(id) {
            Some(record) => serde_json::to_value(&*record),
            None => match self.read(move |reader| reader.record(id)).await?.flatten() {
                Some(record) => serde_json::to_value(record),
                None => return Err(AdminError::NotFound { what: "request", name: name.to_owned() }),
            },
        };
        told.map_err(AdminError::Unwritable)
    }
}

fn id(text: &str) -> Result<RequestId, AdminError> {
    RequestId::parse(text).ok_or_else(|| AdminError::Invalid {
        field: "id".to_owned(),
        fault: "must be `bs-` and 32 hexadecimal digits, as in x-backstop-request-id".to_owned(),
    })
}

fn outcome(text: &str) -> Result<Outcome, AdminError> {
    Outcome::parse(text).ok_or_else(|| AdminError::Invalid {
        field: "outcome".to_owned(),
        fault: "must be served, degraded, failed, interrupted, abandoned, unknown or pending".to_owned(),
    })
}
