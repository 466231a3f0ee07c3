//! Logs on standard error, for those who ask for them.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use super::exit::UsageError;

/// Starts the log where a filter such as `info` or `backstop=debug` is given; without one there is none.
pub(crate) fn start(filter: Option<&str>) -> Result<(), UsageError> {
    let Some(filter) = filter.filter(|filter| !filter.trim().is_empty()) else { return Ok(()) };
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| UsageError(format!("the log filter {filter:?} is not understood: {error}; try `info`")))?;
    let is_coloured = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_coloured).finish();
    // A second subscriber can only be there already, and then it serves.
    let _ = subscriber.try_init();
    Ok(())
}
