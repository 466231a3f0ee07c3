//! systemd's side of a service: a port it holds, and what it is told. Without systemd nothing of it does anything.

use std::net::TcpListener;

use anyhow::Context;
use backstop::clock::Clock;
use sd_notify::NotifyState;

/// The port that systemd has opened for us, where it has.
///
/// # Errors
/// When what it hands over is no port.
pub(crate) fn port() -> anyhow::Result<Option<TcpListener>> {
    listenfd::ListenFd::from_env().take_tcp_listener(0).context("what systemd hands over is no port to listen on")
}

/// We serve.
pub(crate) fn ready() {
    tell(NotifyState::Ready);
}

/// We are about to end.
pub(crate) fn stopping() {
    tell(NotifyState::Stopping);
}

/// Says that we live, twice as often as systemd wants to hear it; for ever.
pub(crate) async fn live(clock: &dyn Clock) {
    let Some(patience) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    loop {
        tell(NotifyState::Watchdog);
        clock.sleep_until(clock.now() + patience / 2).await;
    }
}

fn tell(state: NotifyState<'_>) {
    // Nobody may be listening, and then there is nobody to tell.
    let _ = sd_notify::notify(&[state]);
}
