//! `backstop serve`: the gateway, until Ctrl-C or a signal to end.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use backstop::client::Backstop;
use backstop::clock::SystemClock;
use backstop::config::{self, GatewayConfig, Sources};
use backstop::gateway::keys::{KeyFile, Keys};
use backstop::gateway::{Bounds, Gateway, Reload};
use backstop::telemetry::{Metrics, Otlp};
use backstop::transport::HttpTransport;

use super::args::ServeArgs;
use super::exit::{Exit, UsageError};
use super::interrupt::Endings;
use super::logs::{self, LogWish, Writing};
use super::{files, service, setup};

/// What is logged where nothing is said: a line for each request, and what goes wrong.
const FILTER: &str = "info";

/// Files that are open besides connections: the store, the log, components.
const FILES_OF_OUR_OWN: usize = 128;

/// Connections that are let in however few files may be open.
const LEAST_CONNECTIONS: usize = 64;

/// Serves, and says where in one line on standard output.
///
/// # Errors
/// When the configuration, the store or the file of keys is at fault, or the address cannot be listened on.
pub(crate) async fn run(args: ServeArgs, file: Option<PathBuf>, log: LogWish) -> anyhow::Result<Exit> {
    let sources = Sources { file, ..Sources::from_process() };
    let loaded = config::load(&sources)?;
    let format = log.format.unwrap_or(loaded.config.gateway.log_format);
    let _log = logs::start(Some(log.filter.as_deref().unwrap_or(FILTER)), format, Writing::Behind)?;
    loaded.require_provider()?;
    for notice in &loaded.notices {
        tracing::warn!("{notice}");
    }
    let keys = match &loaded.config.gateway.keys {
        Some(path) => Keys::open(KeyFile::at(path))?,
        None => Keys::none(),
    };
    let metrics = Arc::new(Metrics::new());
    let clock = Arc::new(SystemClock::start());
    let otlp = Otlp::start(&loaded.config.telemetry, Arc::new(HttpTransport::new()), clock.clone());
    let bounds = bounds(&loaded.config.gateway);
    let wanted = args.listen.unwrap_or_else(|| loaded.config.gateway.listen.clone());
    let store = setup::store(&loaded.config)?;
    let learning = setup::learning(&loaded.config, store.as_ref())?;
    let ledger = setup::ledger(&loaded.config)?;
    let fleet = setup::fleet(&loaded.config)?;
    let replies = setup::replies(&loaded.config)?;
    let recorder = setup::recorder(&loaded.config)?;
    let mut builder = Backstop::builder().config(loaded.config).record_sink(metrics.clone()).learning(learning.share());
    if let Some(otlp) = &otlp {
        builder = builder.record_sink(otlp.sink());
    }
    if let Some(store) = &store {
        builder = builder.record_sink(store.share());
    }
    if let Some(ledger) = &ledger {
        builder = builder.treasury(ledger.share());
    }
    if let Some(replies) = replies {
        builder = builder.shared_replies(replies);
    }
    if let Some(recorder) = &recorder {
        builder = builder.recorder(recorder.share());
    }
    if let Some(fleet) = &fleet {
        builder = builder.fleet(fleet.clone());
    }
    let backstop = builder.build().await?;
    let gateway = match service::port()? {
        Some(port) => Gateway::on(port, backstop, keys)?,
        None => Gateway::bind_with_keys(address(&wanted)?, backstop, keys).await?,
    };
    let mut gateway = gateway.with_metrics(metrics).with_bounds(bounds);
    if let Some(store) = &store {
        gateway = gateway.with_store(store.share());
    }
    let gateway = gateway.with_reload(Reload::new(sources.files(), move || config::load(&sources)));
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening on http://{}", gateway.address())?;
    stdout.flush()?;
    service::ready();
    // Listened for from here on: a second signal soon after the first is not lost.
    let endings = Arc::new(tokio::sync::Mutex::new(Endings::listen()));
    let told = move || {
        let endings = Arc::clone(&endings);
        async move {
            endings.lock().await.next().await;
            service::stopping();
        }
    };
    // On a worker of the runtime: from outside, every connection would have to be handed over.
    let served = tokio::spawn(gateway.serve(told));
    tokio::select! {
        served = served => served?,
        () = service::live(&*clock) => {}
    }
    if let Some(otlp) = otlp {
        otlp.stop().await;
    }
    Ok(Exit::Done)
}

/// The bounds for clients. A connection takes a file, and each request's call of a provider another one.
fn bounds(config: &GatewayConfig) -> Bounds {
    let most = files::raise_limit().saturating_sub(config.max_requests.saturating_add(FILES_OF_OUR_OWN));
    let connections = config.max_connections.min(most.max(LEAST_CONNECTIONS));
    if connections < config.max_connections {
        tracing::info!(connections, "fewer connections at once than configured: the system allows no more open files");
    }
    Bounds { connections, requests: config.max_requests, ..Bounds::default() }
}

fn address(wanted: &str) -> Result<SocketAddr, UsageError> {
    let address = config::listen_address(wanted);
    address.map_err(|error| UsageError(format!("cannot listen on {wanted}: {error}; try 127.0.0.1:7878")))
}
