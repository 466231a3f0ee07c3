//! What happens, as it happens, as an event stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use serde::Serialize;
use serde_json::json;
use tokio::sync::watch;

use crate::accounting::{News, NewsReceiver};
use crate::client::Backstop;
use crate::clock::{Clock, Moment};
use crate::gateway::reply::Reply;
use crate::types::RequestSummary;

use super::Admin;

/// How often providers are looked at for a change.
const LOOK: Duration = Duration::from_millis(500);

/// How often something is sent, so that a connection that nobody reads any more is noticed.
const PING: Duration = Duration::from_secs(15);

/// One listener.
struct Listening {
    backstop: Backstop,
    clock: Arc<dyn Clock>,
    news: NewsReceiver,
    stopping: watch::Receiver<bool>,
    /// The providers as they were last told of.
    told: String,
    look_at: Moment,
    ping_at: Moment,
}

/// What a listener waits for.
enum Next {
    News(Option<News>),
    Look,
    Stop,
}

impl Admin {
    pub(super) fn events(&self) -> Reply {
        let clock = self.backstop.clock();
        let now = clock.now();
        let listening = Listening {
            backstop: self.backstop.clone(),
            news: self.backstop.news(),
            stopping: self.stopping.clone(),
            told: String::new(),
            look_at: now,
            ping_at: now + PING,
            clock,
        };
        Reply::of_events(unfold(listening, async |mut listening| {
            let event = listening.next().await?;
            Some((event, listening))
        }))
    }
}

impl Listening {
    /// The next event; `None` when the gateway stops.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let next = tokio::select! {
                biased;
                _ = self.stopping.wait_for(|is_stopping| *is_stopping) => Next::Stop,
                news = self.news.next() => Next::News(news),
                () = self.clock.sleep_until(self.look_at) => Next::Look,
            };
            match next {
                Next::Stop | Next::News(None) => return None,
                Next::News(Some(News::Ended(record))) => return event("request", &RequestSummary::from(&*record)),
                Next::News(Some(News::Alert(alert))) => return event("alert", &alert),
                Next::News(Some(News::Reloaded { notices })) => {
                    return event("reload", &json!({"notices": &*notices}));
                }
                Next::Look => {
                    let now = self.clock.now();
                    self.look_at = now + LOOK;
                    let providers = json!({"providers": self.backstop.status()});
                    let seen = providers.to_string();
                    if seen != self.told {
                        self.told = seen;
                        return event("providers", &providers);
                    }
                    if now >= self.ping_at {
                        self.ping_at = now + PING;
                        return Some(Bytes::from_static(b": ping\n\n"));
                    }
                }
            }
        }
    }
}

fn event(name: &str, said: &impl Serialize) -> Option<Bytes> {
    let said = serde_json::to_string(said).ok()?;
    Some(Bytes::from(format!("event: {name}\ndata: {said}\n\n")))
}
