//! `backstop why`: the whole story of a request, from the store of this machine or from a running gateway.

mod story;

use std::path::PathBuf;

use anyhow::bail;
use backstop::accounting::store::{Page, Reader, StoreError};
use backstop::config::{self, Sources};
use backstop::types::{Outcome, RequestId, RequestRecord, RequestSummary};
use serde::Deserialize;
use serde_json::json;

use super::args::WhyArgs;
use super::exit::{Exit, UsageError};
use super::remote::{Remote, RemoteError};
use super::{ask, table};

/// Where stories are told from.
enum Memory {
    Store(Box<Reader>),
    Gateway(Box<Remote>),
}

/// A list as the gateway gives it.
#[derive(Deserialize)]
struct Listed {
    requests: Vec<RequestSummary>,
}

/// Tells a story, or lists requests.
///
/// # Errors
/// When the request is not known, or neither a store nor a gateway is there to ask.
pub(crate) async fn run(args: WhyArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let sources = Sources { file, ..Sources::from_process() };
    let config = config::load(&sources)?.config;
    let id = args.id.as_deref().map(named).transpose()?;
    let memory = Memory::open(&args, &config, &sources)?;
    let outcome = args.failed.then_some(Outcome::Failed);
    if args.list {
        let requests = memory.latest(args.most, outcome).await?;
        if args.json {
            ask::print_json(&json!({"requests": requests}))?;
        } else {
            table::print(&story::list(&requests))?;
        }
        return Ok(Exit::Done);
    }
    let id = match id {
        Some(id) => id,
        None => match memory.latest(1, outcome).await?.first() {
            Some(latest) => latest.id,
            None => bail!("no request has been kept yet"),
        },
    };
    let Some(record) = memory.record(id).await? else {
        bail!("no request {id} is known; `backstop why --list` shows those that are");
    };
    if args.json {
        ask::print_json(&serde_json::to_value(&record)?)?;
    } else {
        table::print(&story::tell(&record))?;
    }
    Ok(Exit::Done)
}

fn named(text: &str) -> Result<RequestId, UsageError> {
    RequestId::parse(text.trim()).ok_or_else(|| {
        UsageError(format!(
            "{text:?} names no request: names are `bs-` and 32 hexadecimal digits, as in x-backstop-request-id"
        ))
    })
}

impl Memory {
    /// The gateway where one is named, else the store, else the gateway that may run here without one.
    fn open(args: &WhyArgs, config: &config::Config, sources: &Sources) -> Result<Self, StoreError> {
        let remote = || Remote::of(args.gateway.clone(), config, sources).map(|remote| Self::Gateway(Box::new(remote)));
        if args.gateway.is_some()
            && let Some(remote) = remote()
        {
            return Ok(remote);
        }
        let Some(path) = &config.store.path else {
            return remote().ok_or(StoreError::Absent { path: PathBuf::new() });
        };
        match Reader::open(path) {
            Err(absent @ StoreError::Absent { .. }) => remote().ok_or(absent),
            opened => opened.map(|reader| Self::Store(Box::new(reader))),
        }
    }

    async fn latest(&self, most: u32, outcome: Option<Outcome>) -> anyhow::Result<Vec<RequestSummary>> {
        match self {
            Self::Store(reader) => {
                let records = reader.latest(Page { limit: most, before: None, outcome })?;
                Ok(records.iter().map(RequestSummary::from).collect())
            }
            Self::Gateway(remote) => {
                let outcome = outcome.map(|outcome| format!("&outcome={}", outcome.name())).unwrap_or_default();
                let listed: Listed = remote.get(&format!("/api/requests?limit={most}{outcome}")).await?;
                Ok(listed.requests)
            }
        }
    }

    async fn record(&self, id: RequestId) -> anyhow::Result<Option<RequestRecord>> {
        match self {
            Self::Store(reader) => Ok(reader.record(id)?),
            Self::Gateway(remote) => match remote.get(&format!("/api/requests/{id}")).await {
                Err(RemoteError::Refused { status: 404, .. }) => Ok(None),
                told => Ok(Some(told?)),
            },
        }
    }
}
