//! How a running gateway's providers are doing.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::narrator::Length;
use super::paint::{STATE_TONES, Tone, paint, paint_words};
use super::remote::{Remote, RemoteError};
use super::table;
use backstop::clock::{Clock, SystemClock};

/// What a gateway says of itself.
pub(crate) struct Running {
    overview: Value,
    providers: Value,
    routes: Vec<Value>,
}

#[derive(Deserialize)]
struct ProvidersTold {
    providers: Value,
}

#[derive(Deserialize)]
struct RoutesTold {
    routes: Vec<Value>,
}

/// As much of a provider as a table shows.
#[derive(Deserialize)]
struct Provider {
    provider: String,
    state: State,
    health: Health,
    models: Vec<Model>,
    forced: bool,
    requests_today: u64,
    spent_today_usd: String,
}

#[derive(Deserialize)]
struct State {
    name: String,
    until: Option<Timestamp>,
    why: Option<String>,
}

#[derive(Deserialize)]
struct Health {
    success_rate: f64,
    first_token_ms: Option<f64>,
}

#[derive(Deserialize)]
struct Model {
    model: String,
    in_flight: u32,
}

/// Asks a gateway.
///
/// # Errors
/// When it does not answer.
pub(crate) async fn look(remote: &Remote) -> Result<Running, RemoteError> {
    let overview = remote.get("/api/overview").await?;
    let ProvidersTold { providers } = remote.get("/api/providers").await?;
    let RoutesTold { routes } = remote.get("/api/routes").await?;
    Ok(Running { overview, providers, routes })
}

impl Running {
    pub(crate) fn to_json(&self, url: &Url) -> Value {
        let routes = self.routes.iter();
        let routes = routes.filter_map(|route| Some((route.get("route")?.as_str()?.to_owned(), route.clone())));
        let routes: serde_json::Map<String, Value> = routes.collect();
        json!({"gateway": url.as_str(), "overview": self.overview, "providers": self.providers, "routes": routes})
    }

    pub(crate) fn in_words(&self, url: &Url) -> String {
        let headings = ["provider", "state", "models", "in flight", "served", "first token", "today", "spent today"];
        let mut table = table::ruled(&headings);
        let providers: Vec<Provider> = serde_json::from_value(self.providers.clone()).unwrap_or_default();
        for provider in providers {
            let models: Vec<&str> = provider.models.iter().map(|model| model.model.as_str()).collect();
            let in_flight: u32 = provider.models.iter().map(|model| model.in_flight).sum();
            let forced = if provider.forced { " (forced)" } else { "" };
            table.add_row([
                format!("{}{forced}", provider.provider),
                provider.state.in_words(),
                models.join("\n"),
                in_flight.to_string(),
                format!("{:.0} %", provider.health.success_rate * 100.0),
                provider.health.first_token_ms.map(|ms| format!("{ms:.0} ms")).unwrap_or_default(),
                provider.requests_today.to_string(),
                format!("${}", provider.spent_today_usd),
            ]);
        }
        let figure = |path: &str| self.overview.pointer(path).and_then(Value::as_f64).unwrap_or_default();
        let (up, requests) = (figure("/uptime_s"), figure("/stats/total_requests"));
        let up = Length(Duration::try_from_secs_f64(up).unwrap_or_default());
        let about = format!("the gateway at {url} has run for {up} and ended {requests} requests");
        let fault = self.overview.pointer("/ledger_fault").and_then(Value::as_str);
        let faults = [fault.map(|fault| paint(Tone::Bad, fault)), self.shared_store()];
        let faults: String = faults.into_iter().flatten().map(|fault| format!("{fault}\n")).collect();
        format!("{}\n{faults}{}", paint_words(&table::headed(&table), &STATE_TONES), paint(Tone::Faint, about))
    }

    /// How the store is doing that instances share, where there is one.
    fn shared_store(&self) -> Option<String> {
        let fault = self.overview.get("shared_store")?.get("fault")?;
        Some(match fault.as_str() {
            Some(fault) => paint(Tone::Bad, fault),
            None => format!("the shared store {}", paint(Tone::Good, "answers")),
        })
    }
}

impl State {
    fn in_words(&self) -> String {
        let words = match self.name.as_str() {
            "probing" => "being tried again".to_owned(),
            name => name.replace('-', " "),
        };
        match (&self.until, &self.why) {
            (Some(until), _) => {
                let left = until.duration_since(SystemClock::start().wall()).try_into().unwrap_or_default();
                format!("{words} for {}", Length(left))
            }
            (None, Some(why)) => format!("{words}: {why}"),
            (None, None) => words,
        }
    }
}
