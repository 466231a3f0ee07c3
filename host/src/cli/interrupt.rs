//! Ctrl-C: the work in hand is dropped, which cancels and settles it, and the process says so by its exit code.

use std::future::Future;

use super::exit::Exit;

/// Does some work until it is done or Ctrl-C is pressed.
pub(crate) async fn or(work: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    tokio::select! {
        done = work => done,
        () = pressed() => Ok(Exit::Interrupted),
    }
}

/// Ends when Ctrl-C is pressed. Where it cannot be watched for, the system's own way of ending a process remains.
pub(crate) async fn pressed() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Hears each time that the process is told to end, from the moment it is made: one that comes while nobody waits is not lost.
pub(crate) struct Endings {
    #[cfg(unix)]
    signals: Option<[tokio::signal::unix::Signal; 2]>,
}

impl Endings {
    /// Begins to listen. Within a runtime.
    pub(crate) fn listen() -> Self {
        Self {
            #[cfg(unix)]
            signals: {
                use tokio::signal::unix::{SignalKind, signal};

                signal(SignalKind::interrupt()).and_then(|pressed| Ok([pressed, signal(SignalKind::terminate())?])).ok()
            },
        }
    }

    /// Ends at the next time.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        if let Some([pressed, told]) = &mut self.signals {
            tokio::select! {
                _ = pressed.recv() => {}
                _ = told.recv() => {}
            }
            return;
        }
        pressed().await;
    }
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn loses_no_signal_that_comes_while_nobody_waits() {
        let mut endings = Endings::listen();

        kill_process(getpid(), Signal::TERM).unwrap();
        endings.next().await;
        kill_process(getpid(), Signal::TERM).unwrap();
        tokio::task::yield_now().await;

        endings.next().await;
    }
}
