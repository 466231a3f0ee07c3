//! The gateway as a whole: bound to an address, then serving until it is told to stop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::accounting::store::Store;
use crate::client::Backstop;
use crate::clock::{Clock, SystemClock};
use crate::telemetry::Metrics;

use super::admin::Admin;
use super::bounds::Bounds;
use super::connection;
use super::keys::Keys;
use super::reception::Reception;
use super::reload::{Reload, Reloader};

/// An endpoint in OpenAI's shape in front of a [`Backstop`].
///
/// Without keys of its own, whoever reaches the address spends the operator's money: then it listens on loopback alone.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use backstop::{Backstop, Gateway};
///
/// let backstop = Backstop::builder().build().await?;
/// let gateway = Gateway::bind("127.0.0.1:7878".parse()?, backstop).await?;
/// println!("http://{}/v1", gateway.address());
/// gateway.serve(std::future::pending).await;
/// # Ok(())
/// # }
/// ```
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    backstop: Backstop,
    keys: Keys,
    bounds: Bounds,
    clock: Arc<dyn Clock>,
    metrics: Option<Arc<Metrics>>,
    store: Option<Arc<Store>>,
    reload: Option<Reload>,
}

/// The gateway cannot listen at an address.
#[derive(Debug, Error)]
pub enum BindError {
    /// The system does not let it.
    #[error("cannot listen on {address}: {}", reason(.source))]
    Refused {
        /// Where it was to listen.
        address: SocketAddr,
        /// The system's own words.
        source: io::Error,
    },
    /// Others would reach it, and spend the operator's money.
    #[error(
        "cannot listen on {address}: beyond this machine the gateway needs keys; make one: backstop keys create NAME"
    )]
    NeedsKeys {
        /// Where it was to listen.
        address: SocketAddr,
    },
}

/// How long nobody is let in after the system has refused to let somebody in: mostly it is out of file descriptors.
const BREATH: Duration = Duration::from_millis(20);

impl Gateway {
    /// Listens at an address of loopback and asks for no keys; port 0 is any free one. Nobody is let in before
    /// [`Gateway::serve`].
    ///
    /// # Errors
    /// When the address is in use, not this machine's, not allowed, or beyond loopback.
    pub async fn bind(address: SocketAddr, backstop: Backstop) -> Result<Self, BindError> {
        Self::bind_with_keys(address, backstop, Keys::none()).await
    }

    /// Listens at any address and asks for keys, where there are some.
    ///
    /// # Errors
    /// As [`Gateway::bind`]; beyond loopback there must be a live key.
    pub async fn bind_with_keys(address: SocketAddr, backstop: Backstop, keys: Keys) -> Result<Self, BindError> {
        check_keys(address, &keys)?;
        let fault = |source| BindError::Refused { address, source };
        let listener = TcpListener::bind(address).await.map_err(fault)?;
        let address = listener.local_addr().map_err(fault)?;
        Ok(Self::new(listener, address, backstop, keys))
    }

    /// Serves at a port that somebody else has opened, such as systemd.
    ///
    /// # Errors
    /// When it is no port that can be listened on, or one beyond loopback without a live key.
    pub fn on(listener: std::net::TcpListener, backstop: Backstop, keys: Keys) -> Result<Self, BindError> {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let address = listener.local_addr().map_err(|source| BindError::Refused { address: nowhere, source })?;
        check_keys(address, &keys)?;
        let fault = |source| BindError::Refused { address, source };
        listener.set_nonblocking(true).map_err(fault)?;
        Ok(Self::new(TcpListener::from_std(listener).map_err(fault)?, address, backstop, keys))
    }

    fn new(listener: TcpListener, address: SocketAddr, backstop: Backstop, keys: Keys) -> Self {
        let keys = if address.ip().is_loopback() { keys } else { keys.or_nobody() };
        let (bounds, clock) = (Bounds::default(), backstop.clock());
        Self { listener, address, backstop, keys, bounds, clock, metrics: None, store: None, reload: None }
    }

    /// Has the admin API tell of requests and spend from a store, which must be told of them by the same [`Backstop`].
    #[must_use]
    pub fn with_store(mut self, store: Arc<Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Takes up a configuration that changes while it serves.
    #[must_use]
    pub fn with_reload(mut self, reload: Reload) -> Self {
        self.reload = Some(reload);
        self
    }

    /// Sets other bounds for clients.
    #[must_use]
    pub fn with_bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// Shows these counters at `/metrics`: those that the [`Backstop`] was built to tell of its requests.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Where it listens, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the signal comes. Then nobody is let in any more and running requests end, for as long as
    /// [`Bounds::grace`] allows; when the signal comes a second time, at once.
    pub async fn serve<S: Future<Output = ()>>(self, signal: impl Fn() -> S) {
        let (stop, stopping) = watch::channel(false);
        let reloader = self.reload.map(|reload| Arc::new(Reloader::new(reload, self.backstop.clone())));
        // Ends with this future, which owns it.
        let mut watch = JoinSet::new();
        reloader.iter().for_each(|reloader| drop(watch.spawn(Arc::clone(reloader).watch())));
        let admin = Admin::new(self.backstop.clone(), self.store, reloader, stopping.clone());
        let keys = match (self.backstop.fleet(), &self.backstop.config().store.shared) {
            (Some(fleet), Some(address)) => self.keys.shared(&*fleet, address, &self.clock),
            (Some(_) | None, _) => self.keys,
        };
        let keys = Arc::new(keys);
        let _watch = keys.watch(Arc::clone(&self.clock)).await;
        let clock = Arc::clone(&self.clock);
        let reception = Reception::new(self.backstop, admin, self.bounds, clock, stopping, keys);
        let reception = Arc::new(reception.with_metrics(self.metrics));
        let places = Arc::new(Semaphore::new(self.bounds.connections));
        let mut connections = JoinSet::new();
        {
            let mut stopped = pin!(signal());
            loop {
                tokio::select! {
                    () = &mut stopped => break,
                    Some(_) = connections.join_next() => {}
                    accepted = accept(&self.listener, &places) => match accepted {
                        Ok((stream, place)) => {
                            connections.spawn(connection::serve(stream, Arc::clone(&reception), place));
                        }
                        Err(error) => {
                            tracing::warn!("a connection could not be accepted: {error}");
                            self.clock.sleep_until(self.clock.now() + BREATH).await;
                        }
                    },
                }
            }
        }
        drop(self.listener);
        stop.send_replace(true);
        tracing::info!(connections = connections.len(), "stopping: running requests may end");
        let late = self.clock.sleep_until(self.clock.now() + self.bounds.grace);
        tokio::select! {
            () = end_of_all(&mut connections) => {}
            () = late => tracing::warn!(connections = connections.len(), "stopped with requests still running"),
            () = signal() => tracing::warn!(connections = connections.len(), "stopped at once"),
        }
        // What still runs is cancelled, and so settled, before the caller goes on.
        connections.shutdown().await;
    }
}

/// Beyond this machine somebody must hold a key.
fn check_keys(address: SocketAddr, keys: &Keys) -> Result<(), BindError> {
    let needs_keys = !address.ip().is_loopback() && keys.live(SystemClock::start().wall()) == 0;
    if needs_keys { Err(BindError::NeedsKeys { address }) } else { Ok(()) }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(impl AsyncRead + AsyncWrite + Unpin + Send + 'static, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // Without it the pieces of a stream wait for each other, 40 ms at a time.
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

async fn end_of_all(connections: &mut JoinSet<()>) {
    while connections.join_next().await.is_some() {}
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the port is in use; another one, such as --listen 127.0.0.1:0, may be free".into(),
        io::ErrorKind::AddrNotAvailable => "the address is none of this machine's".into(),
        io::ErrorKind::PermissionDenied => "not allowed; ports below 1024 are often the administrator's".into(),
        _ => error.to_string(),
    }
}
