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

/// Ends when the process is told to end: by Ctrl-C, or as a service is.
pub(crate) async fn told_to_end() {
    #[cfg(unix)]
    if let Ok(mut told) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            () = pressed() => {}
            _ = told.recv() => {}
        }
        return;
    }
    pressed().await;
}
