//! A thread and a runtime for what waits, whoever asks for it.

use std::future::Future;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::clock::{Clock, SystemClock};

use super::RegistryError;

/// Runs to its end what waits, within so long. Loading blocks anyway; it may do so inside a runtime, in which no other can be
/// entered, so this one has a thread of its own.
pub(super) fn run<T: Send, W: Future<Output = Result<T, RegistryError>>>(
    host: &str,
    within: Duration,
    work: impl FnOnce() -> W + Send,
) -> Result<T, RegistryError> {
    let timed = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(RegistryError::NoThread)?;
        let done = runtime.block_on(async {
            let clock = SystemClock::start();
            match select(pin!(work()), clock.sleep_until(clock.now() + within)).await {
                Either::Left((done, _)) => done,
                Either::Right(_) => Err(RegistryError::TooSlow { host: host.to_owned(), seconds: within.as_secs() }),
            }
        });
        // A name that is still being looked up is nothing to wait for.
        runtime.shutdown_background();
        done
    };
    thread::scope(|scope| {
        let started = thread::Builder::new().name("registry".to_owned()).spawn_scoped(scope, timed);
        match started.map_err(RegistryError::NoThread)?.join() {
            Ok(done) => done,
            Err(_) => Err(RegistryError::NoThread(std::io::Error::other("it ended early"))),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn may_be_asked_for_inside_a_runtime() {
        let done = run("h", Duration::from_secs(60), || ready(Ok(7)));

        assert_eq!(done.unwrap(), 7);
    }

    #[test]
    fn ends_when_its_time_is_up() {
        let done = run::<(), _>("h:5000", Duration::from_millis(10), pending);

        let error = done.unwrap_err();
        assert!(error.is_away());
        assert_eq!(error.to_string(), "h:5000 has not done within 0 s");
    }
}
