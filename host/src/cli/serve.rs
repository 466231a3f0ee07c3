//! `backstop serve`: the gateway, until Ctrl-C or a signal to end.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use backstop::client::Backstop;
use backstop::clock::SystemClock;
use backstop::config::{self, Sources};
use backstop::gateway::keys::{KeyFile, Keys};
use backstop::gateway::{Gateway, Reload};
use backstop::telemetry::{Metrics, Otlp};
use backstop::transport::HttpTransport;

use super::args::ServeArgs;
use super::exit::{Exit, UsageError};
use super::logs::{self, LogWish};
use super::{interrupt, setup};

/// What is logged where nothing is said: a line for each request, and what goes wrong.
const FILTER: &str = "info";

/// Serves, and says where in one line on standard output.
///
/// # Errors
/// When the configuration, the store or the file of keys is at fault, or the address cannot be listened on.
pub(crate) async fn run(args: ServeArgs, file: Option<PathBuf>, log: LogWish) -> anyhow::Result<Exit> {
    let sources = Sources { file, ..Sources::from_process() };
    let loaded = config::load(&sources)?;
    let format = log.format.unwrap_or(loaded.config.gateway.log_format);
    logs::start(Some(log.filter.as_deref().unwrap_or(FILTER)), format)?;
    loaded.require_provider()?;
    let wanted = args.listen.unwrap_or_else(|| loaded.config.gateway.listen.clone());
    let address = config::listen_address(&wanted)
        .map_err(|error| UsageError(format!("cannot listen on {wanted}: {error}; try 127.0.0.1:7878")))?;
    for notice in &loaded.notices {
        tracing::warn!("{notice}");
    }
    let keys = match &loaded.config.gateway.keys {
        Some(path) => Keys::open(KeyFile::at(path))?,
        None => Keys::none(),
    };
    let metrics = Arc::new(Metrics::new());
    let clock = Arc::new(SystemClock::start());
    let otlp = Otlp::start(&loaded.config.telemetry, Arc::new(HttpTransport::new()), clock);
    let store = setup::store(&loaded.config)?;
    let mut builder = Backstop::builder().config(loaded.config).record_sink(metrics.clone());
    if let Some(otlp) = &otlp {
        builder = builder.record_sink(otlp.sink());
    }
    if let Some(store) = &store {
        builder = builder.record_sink(store.share());
    }
    let mut gateway = Gateway::bind_with_keys(address, builder.build().await?, keys).await?.with_metrics(metrics);
    if let Some(store) = &store {
        gateway = gateway.with_store(store.share());
    }
    let gateway = gateway.with_reload(Reload::new(sources.files(), move || config::load(&sources)));
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening on http://{}", gateway.address())?;
    stdout.flush()?;
    // On a worker of the runtime: from outside, every connection would have to be handed over.
    tokio::spawn(gateway.serve(interrupt::told_to_end)).await?;
    if let Some(otlp) = otlp {
        otlp.stop().await;
    }
    Ok(Exit::Done)
}
