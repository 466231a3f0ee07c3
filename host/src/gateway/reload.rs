//! Takes up a changed configuration while serving: the new one is proven first, and one at fault changes nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::client::{Backstop, BuildError};
use crate::config::{ConfigError, Loaded};
use crate::router::Stamp;
use crate::types::AlertKind;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_millis(500);

/// Where a gateway's configuration comes from.
pub struct Reload {
    read: Arc<dyn Fn() -> Result<Loaded, ConfigError> + Send + Sync>,
    files: Vec<PathBuf>,
}

impl Reload {
    /// A configuration that is read by `read`, and read again when one of the files changes, appears or goes.
    #[must_use]
    pub fn new(
        files: impl IntoIterator<Item = PathBuf>,
        read: impl Fn() -> Result<Loaded, ConfigError> + Send + Sync + 'static,
    ) -> Self {
        Self { read: Arc::new(read), files: files.into_iter().collect() }
    }
}

/// Reads the configuration anew, on request or when its files change.
pub(super) struct Reloader {
    reload: Reload,
    backstop: Backstop,
    /// One reading at a time: a later one must not be overtaken by an earlier one.
    reading: Mutex<()>,
}

/// The state of the files that are looked at.
type Stamps = Vec<Option<Stamp>>;

impl Reloader {
    pub(super) fn new(reload: Reload, backstop: Backstop) -> Self {
        Self { reload, backstop, reading: Mutex::new(()) }
    }

    /// Reads the configuration and lets it take over. What there is to know about it is returned.
    ///
    /// # Errors
    /// When it is at fault: then everything stays as it is, and an alert says why.
    pub(super) async fn reload(&self) -> Result<Vec<String>, BuildError> {
        let _reading = self.reading.lock().await;
        let reloaded = self.read_and_take_over().await;
        match &reloaded {
            Ok(notices) => {
                tracing::info!("the configuration was read anew");
                self.backstop.tell_reloaded(notices);
            }
            Err(error) => {
                self.backstop.raise(AlertKind::ReloadRefused, format!("the configuration is not used: {error}"))
            }
        }
        reloaded
    }

    async fn read_and_take_over(&self) -> Result<Vec<String>, BuildError> {
        let read = Arc::clone(&self.reload.read);
        let loaded = spawn_blocking(move || read()).await.map_err(|_| BuildError::Interrupted)??;
        loaded.require_provider()?;
        let before = self.backstop.config();
        let mut notices: Vec<String> = loaded.notices.iter().map(ToString::to_string).collect();
        let after = &loaded.config;
        for (setting, has_changed) in [
            ("gateway", before.gateway != after.gateway || before.log_requests != after.log_requests),
            ("store", before.store != after.store),
            ("recording", before.recording != after.recording),
        ] {
            if has_changed {
                notices.push(format!("[{setting}] has changed, which takes effect at the next start"));
            }
        }
        let promoted = self.backstop.strategies().into_iter().filter(|route| route.former.is_some());
        let promoted: Vec<_> = promoted.map(|route| (route.route, route.strategy)).collect();
        self.backstop.reload(loaded.config).await?;
        for now in self.backstop.strategies() {
            if let Some((route, was)) = promoted.iter().find(|(route, was)| *route == now.route && *was != now.strategy)
            {
                notices.push(format!(
                    "{was} decides on route {route} no more: the configuration, which was read anew, names {}",
                    now.strategy
                ));
            }
        }
        Ok(notices)
    }

    /// Looks at the files until the end of time, and reads the configuration anew when one of them has changed.
    pub(super) async fn watch(self: Arc<Self>) {
        let clock = self.backstop.clock();
        let (mut taken, mut seen) = (self.stamps(), None);
        let mut hangup = Hangup::new();
        loop {
            let is_asked = tokio::select! {
                () = clock.sleep_until(clock.now() + EVERY) => false,
                () = hangup.next() => true,
            };
            let now = self.stamps();
            if now == taken && !is_asked {
                continue;
            }
            // A file that is still being written changes once more until the next look.
            if seen.as_ref() != Some(&now) && !is_asked {
                seen = Some(now);
                continue;
            }
            taken = now;
            for notice in self.reload().await.unwrap_or_default() {
                tracing::warn!("{notice}");
            }
        }
    }

    fn stamps(&self) -> Stamps {
        self.reload.files.iter().map(|file| Stamp::of(file)).collect()
    }
}

/// The signal by which services are asked to read their configuration anew.
struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}
