//! What happens, as it happens, for those who listen: a dashboard, a terminal.

use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::types::{Alert, RequestRecord};

/// How many pieces a listener may be behind before it misses some.
const KEPT: usize = 256;

/// A piece of news.
#[derive(Debug, Clone)]
pub enum News {
    /// A request has ended.
    Ended(Arc<RequestRecord>),
    /// Something an operator should know of.
    Alert(Alert),
    /// The configuration was read anew and is used from now on.
    Reloaded {
        /// What there is to know about it.
        notices: Arc<[String]>,
    },
}

/// Hears news.
pub struct NewsReceiver {
    inner: broadcast::Receiver<News>,
}

/// Where news is sent.
pub(super) struct Wire {
    sender: broadcast::Sender<News>,
}

impl NewsReceiver {
    /// The next piece; what came too fast to be heard is passed over. `None` when there will be no more.
    pub async fn next(&mut self) -> Option<News> {
        loop {
            match self.inner.recv().await {
                Ok(news) => return Some(news),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

impl Wire {
    pub(super) fn receiver(&self) -> NewsReceiver {
        NewsReceiver { inner: self.sender.subscribe() }
    }

    /// Sends what is made for it, where anybody listens.
    pub(super) fn send_with(&self, make: impl FnOnce() -> News) {
        if self.sender.receiver_count() > 0 {
            let _ = self.sender.send(make());
        }
    }
}

impl Default for Wire {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(KEPT) }
    }
}
