//! The scripted provider itself: a listener on loopback, and what its calls left behind.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

use super::stage::Stage;
use super::{ReceivedCall, Script, connection};

/// A provider on loopback that replies as its script says. Dropping it closes the listener and every connection.
#[derive(Debug)]
pub struct ScriptedProvider {
    base_url: Url,
    stage: Arc<Stage>,
    accepting: JoinHandle<()>,
}

impl ScriptedProvider {
    /// Starts a provider on a free port of 127.0.0.1, in the runtime this is called in.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn start(script: impl Into<Script>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let stage = Arc::new(Stage::new(script.into()));
        let base_url = base_url(listener.local_addr()?)?;
        let accepting = tokio::spawn(accept(listener, Arc::clone(&stage)));
        Ok(Self { base_url, stage, accepting })
    }

    /// Where its API begins: `http://127.0.0.1:PORT/v1`.
    #[must_use]
    pub fn base_url(&self) -> Url {
        self.base_url.clone()
    }

    /// The same place without `/v1`, as APIs that are not OpenAI's have it: `http://127.0.0.1:PORT/`.
    #[must_use]
    pub fn root_url(&self) -> Url {
        let mut url = self.base_url();
        url.set_path("");
        url
    }

    /// Replaces the script, which begins with its first reply; calls under way are not touched.
    pub fn set_script(&self, script: impl Into<Script>) {
        self.stage.set_script(script.into());
    }

    /// The calls received, oldest first; of more than 10,000 only the latest.
    #[must_use]
    pub fn calls(&self) -> Vec<ReceivedCall> {
        self.stage.calls()
    }

    /// The latest call.
    #[must_use]
    pub fn last_call(&self) -> Option<ReceivedCall> {
        self.stage.last_call()
    }

    /// How many calls were received in all.
    #[must_use]
    pub fn call_count(&self) -> usize {
        self.stage.counts().calls
    }

    /// How many connections were accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.stage.counts().connections
    }

    /// How many callers left before their reply was complete.
    #[must_use]
    pub fn disconnects(&self) -> usize {
        self.stage.counts().disconnects
    }

    /// Ends when so many calls were received: order without sleeping.
    pub async fn calls_reach(&self, count: usize) {
        self.stage.reach(|counts| counts.calls >= count).await;
    }

    /// Ends when so many callers have left before their reply was complete.
    pub async fn disconnects_reach(&self, count: usize) {
        self.stage.reach(|counts| counts.disconnects >= count).await;
    }

    /// Closes the listener and every connection, and ends when that is done.
    pub async fn stop(mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for ScriptedProvider {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// An address of loopback that refuses connections for as long as this value lives.
#[derive(Debug)]
pub struct UnreachableProvider {
    base_url: Url,
    /// Bound, so that nobody else gets the port, and never listening.
    _socket: TcpSocket,
}

impl UnreachableProvider {
    /// Takes a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Where no port can be had.
    pub fn start() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(Self { base_url: base_url(socket.local_addr()?)?, _socket: socket })
    }

    /// Where its API would begin.
    #[must_use]
    pub fn base_url(&self) -> Url {
        self.base_url.clone()
    }
}

/// Accepts connections for ever, a task for each; they end with this future, which owns them.
async fn accept(listener: TcpListener, stage: Arc<Stage>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    stage.note_connection();
                    connections.spawn(connection::serve(stream, Arc::clone(&stage)));
                }
                // Out of file descriptors, most likely: trying again at once would only burn the processor.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

fn base_url(address: SocketAddr) -> io::Result<Url> {
    Url::parse(&format!("http://{address}/v1")).map_err(io::Error::other)
}
