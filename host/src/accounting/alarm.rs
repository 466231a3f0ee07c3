//! Alerts: logged, kept for a while, and told to whoever listens.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Clock;
use crate::types::{Alert, AlertKind};

use super::news::{News, Wire};
use super::sink::RecordSink;

/// How many alerts are kept.
const KEPT: usize = 50;

/// Where alerts are raised. Shared by everything that can raise one.
pub struct Alarm {
    latest: Mutex<VecDeque<Alert>>,
    sinks: Vec<Arc<dyn RecordSink>>,
    wire: Arc<Wire>,
    clock: Arc<dyn Clock>,
}

/// What an alert is about.
#[derive(Debug, Clone, Copy)]
pub enum About<'a> {
    /// The whole of it.
    Everything,
    /// One provider.
    Provider(&'a Arc<str>),
    /// One route.
    Route(&'a Arc<str>),
}

impl Alarm {
    pub(super) fn new(sinks: Vec<Arc<dyn RecordSink>>, wire: Arc<Wire>, clock: Arc<dyn Clock>) -> Self {
        Self { latest: Mutex::default(), sinks, wire, clock }
    }

    /// Raises an alert.
    pub fn raise(&self, kind: AlertKind, about: About<'_>, message: String) {
        let (provider, route) = match about {
            About::Everything => (None, None),
            About::Provider(provider) => (Some(Arc::clone(provider)), None),
            About::Route(route) => (None, Some(Arc::clone(route))),
        };
        let alert = Alert { at: self.clock.wall(), kind, message, provider, route };
        let (kind, message) = (alert.kind.name(), &alert.message);
        match alert.kind {
            AlertKind::Recovered | AlertKind::SharedStoreBack => tracing::info!(alert = kind, "{message}"),
            AlertKind::Budget | AlertKind::ReloadRefused => tracing::warn!(alert = kind, "{message}"),
            AlertKind::EveryProviderDown
            | AlertKind::LedgerUnavailable
            | AlertKind::SharedStoreLost
            | AlertKind::KeyRejected
            | AlertKind::ModelUnknown
            | AlertKind::StrategyQuarantined => tracing::error!(alert = kind, "{message}"),
        }
        self.sinks.iter().for_each(|sink| sink.alerted(&alert));
        self.wire.send_with(|| News::Alert(alert.clone()));
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.truncate(KEPT - 1);
        latest.push_front(alert);
    }

    /// The latest alerts, newest first.
    #[must_use]
    pub fn latest(&self) -> Vec<Alert> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl std::fmt::Debug for Alarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alarm").field("latest", &self.latest()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::SystemClock;

    use super::*;

    #[test]
    fn keeps_the_latest_fifty_newest_first() {
        let alarm = Alarm::new(Vec::new(), Arc::default(), Arc::new(SystemClock::start()));

        for number in 0..60 {
            alarm.raise(AlertKind::Budget, About::Everything, format!("{number}"));
        }

        let latest = alarm.latest();
        assert_eq!((latest.len(), latest[0].message.as_str(), latest[49].message.as_str()), (50, "59", "10"));
    }
}
