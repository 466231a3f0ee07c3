//! The replay itself: four runs of the binary at a time, each in a folder of its own.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tempfile::TempDir;

use super::exchange::{Api, Exchange, Kind};
use super::outcome::{self, Outcome};
use super::request;
use super::server::Server;
use super::table::{Row, Table};
use crate::Cli;

const AT_ONCE: usize = 4;

/// Replays exchanges.
///
/// # Panics
/// Where no server can be started, no folder written to, or a run of the binary does not end.
pub async fn run(exchanges: Vec<Exchange>) -> Table {
    let exchanges: Vec<Arc<Exchange>> = exchanges.into_iter().map(Arc::new).collect();
    let server = Server::start(&exchanges).await.expect("a free port on loopback");
    // Components are compiled once, not for every exchange.
    let cache = TempDir::new().expect("a temporary folder");
    let rows = stream::iter(&exchanges).map(|exchange| replay(exchange, &server, cache.path())).buffered(AT_ONCE);
    Table::of(rows.collect::<Vec<Row>>().await)
}

async fn replay(exchange: &Exchange, server: &Server, cache: &Path) -> Row {
    let outcome = if exchange.api() == Api::Other && (exchange.kind() != Kind::Error || exchange.is_success()) {
        Outcome::NotSpoken
    } else {
        ask(exchange, server, cache).await
    };
    Row::of(exchange, outcome)
}

async fn ask(exchange: &Exchange, server: &Server, cache: &Path) -> Outcome {
    let folder = TempDir::new().expect("a temporary folder");
    let body = request::body(exchange);
    let config = request::config(exchange, &server.base_url(exchange));
    for (name, text) in [("backstop.toml", config), ("request.json", body.to_string())] {
        fs::write(folder.path().join(name), text).expect("the temporary folder can be written to");
    }
    let mut arguments = vec!["ask", "--request", "request.json"];
    if outcome::is_told_as_json(exchange) {
        arguments.push("--json");
    }
    let run = Cli::new(folder.path(), arguments).env(request::KEY, "sk-replayed-0123456789");
    let run = run.env("XDG_CACHE_HOME", &cache.to_string_lossy());
    let run = run.timeout(Duration::from_secs(60)).run().await;
    match exchange.kind() {
        Kind::Error => outcome::of_error(exchange, &run),
        Kind::Whole | Kind::Stream | Kind::Tools | Kind::ToolsStream => {
            outcome::of_answer(exchange, &run, request::wants_usage(&body))
        }
    }
}
