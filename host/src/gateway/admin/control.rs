//! What an operator does to providers and strategies.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::types::FailureKind;

use super::path::{OnProvider, OnStrategy};
use super::{Admin, AdminError, body};

/// For how long.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Lasting {
    seconds: Option<f64>,
}

/// What was met elsewhere: one of the two.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Report {
    failure: Option<FailureKind>,
    success: Option<bool>,
}

/// Which strategy is to decide; without a word, the one in the shadow.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Promotion {
    strategy: Option<String>,
    options: Map<String, Value>,
}

/// The longest time anything is forced or left alone for.
const LONGEST: f64 = 30.0 * 24.0 * 3_600.0;

impl Admin {
    pub(super) async fn on_provider(&self, name: &str, act: OnProvider, asked: &Bytes) -> Result<Value, AdminError> {
        match act {
            OnProvider::Force => self.backstop.force_provider(name, lasting(asked, 300.0)?)?,
            OnProvider::CoolDown => self.backstop.cool_down(name, lasting(asked, 60.0)?)?,
            OnProvider::Clear => self.backstop.clear_provider(name)?,
            OnProvider::Report => match body::read(asked)? {
                Report { failure: Some(kind), success: None } => self.backstop.report_failure(name, kind)?,
                Report { failure: None, success: Some(true) } => self.backstop.report_success(name)?,
                Report { .. } => {
                    let fault = "must be {\"success\": true} or name a failure, such as {\"failure\": \"timeout\"}";
                    return Err(AdminError::Invalid { field: "body".to_owned(), fault: fault.to_owned() });
                }
            },
        }
        tracing::info!(provider = name, ?act, "an operator has spoken");
        Ok(json!({"provider": self.provider(name).await?}))
    }

    pub(super) async fn on_strategy(&self, route: &str, act: OnStrategy, asked: &Bytes) -> Result<Value, AdminError> {
        let changed = match act {
            OnStrategy::Reload => self.backstop.reload_strategy(route).await?,
            OnStrategy::Promote => match body::read(asked)? {
                Promotion { strategy: Some(strategy), options } => {
                    self.backstop.promote(route, &strategy, options).await?
                }
                Promotion { strategy: None, options } if options.is_empty() => {
                    self.backstop.promote_shadow(route).await?
                }
                Promotion { strategy: None, .. } => {
                    let fault = "are for a strategy that is named; the one in the shadow has its own".to_owned();
                    return Err(AdminError::Invalid { field: "options".to_owned(), fault });
                }
            },
            OnStrategy::RollBack => self.backstop.roll_back(route).await?,
        };
        Ok(json!({"strategy": changed}))
    }
}

fn lasting(asked: &Bytes, default: f64) -> Result<Duration, AdminError> {
    let seconds = body::read::<Lasting>(asked)?.seconds.unwrap_or(default);
    let length = Duration::try_from_secs_f64(seconds).ok().filter(|length| !length.is_zero() && seconds <= LONGEST);
    length.ok_or_else(|| AdminError::Invalid {
        field: "seconds".to_owned(),
        fault: "must be more than 0 and at most 2592000 (30 days)".to_owned(),
    })
}
