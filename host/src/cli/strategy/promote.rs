//! `backstop strategy promote` and `rollback`: who decides on a route of a gateway that runs.

use std::path::{Path, PathBuf};

use anyhow::bail;
use backstop::config::strategy_named;
use backstop::config::{self, Sources, StrategyRef};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::args::{LiveRouteArgs, PromoteArgs};
use super::super::exit::{Exit, UsageError};
use super::super::remote::Remote;
use super::super::{ask, table};

/// What the gateway says has become of it.
#[derive(Deserialize)]
struct Changed {
    strategy: Value,
}

/// Promotes a strategy.
///
/// # Errors
/// When no gateway answers, or it refuses the strategy: the one before it goes on.
pub(super) async fn promote(args: PromoteArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let mut asked = Map::new();
    if let Some(strategy) = &args.strategy {
        asked.insert("strategy".to_owned(), named(strategy)?.into());
        asked.insert("options".to_owned(), args.options.unwrap_or_default().into());
    }
    change(args.at, "promote", asked.into(), file).await
}

/// Goes back to the strategy before.
///
/// # Errors
/// When no gateway answers, or there is none to go back to.
pub(super) async fn roll_back(args: LiveRouteArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    change(args, "roll-back", json!({}), file).await
}

/// What the gateway is to be told: a path that means the same wherever it was started.
fn named(strategy: &str) -> anyhow::Result<String> {
    match strategy_named(strategy)? {
        StrategyRef::BuiltIn(name) => Ok(name.to_owned()),
        StrategyRef::Registry(reference) => Ok(reference.to_string()),
        StrategyRef::File(file) => match file.canonicalize().as_deref().map(Path::to_str) {
            Ok(Some(path)) => Ok(path.to_owned()),
            Ok(None) => Err(UsageError(format!("the path {} is not UTF-8; rename it", file.display())).into()),
            Err(error) => Err(UsageError(format!("cannot read {}: {error}", file.display())).into()),
        },
    }
}

async fn change(at: LiveRouteArgs, how: &str, asked: Value, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let sources = Sources { file, ..Sources::from_process() };
    let config = config::load(&sources)?.config;
    let Some(remote) = Remote::of(at.gateway, &config, &sources) else {
        bail!("`[gateway] listen` names no address of a gateway; say --gateway http://127.0.0.1:7878");
    };
    let route = percent_encoding::utf8_percent_encode(&at.route, percent_encoding::NON_ALPHANUMERIC);
    let Changed { strategy } = remote.post(&format!("/api/strategies/{route}/{how}"), &asked).await?;
    if at.json {
        ask::print_json(&json!({"strategy": strategy}))?;
    } else {
        let word = |field: &str| strategy.get(field).and_then(Value::as_str).unwrap_or("?").to_owned();
        table::print(&format!(
            "{} decides on route {} now (sha256:{}), until the configuration is read anew\n\
             `backstop strategy rollback` lets {} decide again",
            word("strategy"),
            word("route"),
            word("digest"),
            word("former")
        ))?;
    }
    Ok(Exit::Done)
}
