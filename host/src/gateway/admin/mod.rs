//! The admin API under `/api/`: what an operator sees and steers. `openapi.json` describes it.

mod error;
mod path;
mod body;
mod provider;
mod overview;
mod requests;
mod costs;
mod control;
mod events;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::accounting::store::{Reader, Store, StoreError};
use crate::client::Backstop;
use crate::config;

use super::reload::Reloader;
use super::reply::Reply;

pub(super) use error::AdminError;
use path::{Query, Resource};

/// What the API is about.
pub(super) struct Admin {
    backstop: Backstop,
    store: Option<Arc<Store>>,
    reloader: Option<Arc<Reloader>>,
    started: Timestamp,
    /// Whether the gateway is stopping: streams of events end then.
    stopping: watch::Receiver<bool>,
}

/// The document that describes the API.
const OPENAPI: &str = include_str!("openapi.json");

impl Admin {
    pub(super) fn new(
        backstop: Backstop,
        store: Option<Arc<Store>>,
        reloader: Option<Arc<Reloader>>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let started = backstop.clock().wall();
        Self { backstop, store, reloader, started, stopping }
    }

    /// The methods a path takes, as the header `allow` has them; `None` where there is nothing.
    pub(super) fn allowed(path: &str) -> Option<&'static str> {
        Resource::at(path).map(|resource| resource.allowed())
    }

    /// Answers a call whose method the path takes.
    pub(super) async fn answer(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Reply, AdminError> {
        let resource =
            Resource::at(uri.path()).ok_or(AdminError::NotFound { what: "path", name: uri.path().to_owned() })?;
        let query = Query::of(uri);
        if method == Method::POST {
            body::check_type(headers, body)?;
        }
        let said = match resource {
            Resource::Overview => self.overview().await?,
            Resource::Providers => json!({"providers": self.providers().await?}),
            Resource::Provider(name, act) => self.on_provider(&name, act, body).await?,
            Resource::ClearPreference => {
                self.backstop.clear_preference();
                json!({"ok": true})
            }
            Resource::Routes => json!({"routes": self.backstop.routes()}),
            Resource::Strategies => json!({"strategies": self.backstop.strategies()}),
            Resource::Strategy(route, act) => self.on_strategy(&route, act, body).await?,
            Resource::Costs => self.costs(&query).await?,
            Resource::CostEntries => self.cost_entries(&query).await?,
            Resource::ResetCosts => self.reset_costs(body).await?,
            Resource::Requests => self.requests(&query).await?,
            Resource::Request(id) => self.request(&id).await?,
            Resource::Timeline => self.timeline(&query)?,
            Resource::Config => json!({"text": config::show_values(&self.backstop.config())}),
            Resource::Reload => self.reload().await?,
            Resource::Events => return Ok(self.events()),
            Resource::OpenApi => return Ok(Reply::of_text("application/json", OPENAPI.to_owned())),
        };
        Ok(Reply::of_json(StatusCode::OK, &said))
    }

    fn timeline(&self, query: &Query) -> Result<Value, AdminError> {
        let minutes = query.number("minutes", 60, 1..=1_440)?;
        serde_json::to_value(self.backstop.timeline(minutes)).map_err(AdminError::Unwritable)
    }

    async fn reload(&self) -> Result<Value, AdminError> {
        let reloader = self.reloader.as_ref().ok_or(AdminError::NoSource)?;
        let notices = reloader.reload().await.map_err(AdminError::Refused)?;
        Ok(json!({"reloaded": true, "notices": notices}))
    }

    /// Reads the store off the workers; `None` where there is none.
    async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Option<T>, AdminError> {
        let Some(store) = self.store.clone() else { return Ok(None) };
        let read = tokio::task::spawn_blocking(move || store.reader().and_then(look)).await;
        Ok(Some(read.map_err(|_| AdminError::Interrupted)??))
    }
}
