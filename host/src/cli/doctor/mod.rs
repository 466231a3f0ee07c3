//! `backstop doctor`: which providers work, right now, and whether a rate limit is noticed.

mod examination;
mod report;

use std::path::PathBuf;
use std::sync::Arc;

use backstop::accounting::ledger::{LedgerPlace, LedgerReader};
use backstop::client::Backstop;
use backstop::clock::SystemClock;
use backstop::config::Config;
use backstop::guard::{ProviderState, ProviderStatus};
use backstop::shared::SharedStore;
use backstop::types::FailureKind;
use futures_util::future::join_all;

use super::args::DoctorArgs;
use super::exit::Exit;
use super::{ask, setup, table};
use examination::{Examination, question};
use report::{RateLimit, Report, Sought};

/// Examines.
pub(crate) async fn run(args: DoctorArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let loaded = setup::load(file)?;
    let mut config = loaded.config.clone();
    let examinations = examination::add_routes(&mut config);
    let backstop = Backstop::builder().config(config.clone()).build().await?;
    let ledger = ledger(&config).await?;
    let shared_store = shared_store(&config).await?;
    let statuses = backstop.status();
    let mut report = Report { statuses, examined: Vec::new(), rate_limit: None, ledger, shared_store };
    if !args.offline {
        report.examined = join_all(examinations.iter().map(|one| one.examine(&backstop, &config))).await;
    }
    report.rate_limit = simulate(&backstop, &config, &report, args.offline).await;

    if args.json {
        ask::print_json(&report.to_json())?;
    } else {
        table::print(&report.in_words())?;
    }
    loaded.require_provider()?;
    let is_fine = args.offline || report.examined.iter().any(Examination::answered);
    Ok(if is_fine { Exit::Done } else { Exit::NoProvider })
}

/// Whether the ledger answers that several instances share; `None` where there is none.
async fn ledger(config: &Config) -> anyhow::Result<Option<Sought>> {
    let Some(address) = &config.store.ledger else { return Ok(None) };
    let place = LedgerPlace::Postgres(address.clone());
    let opened = tokio::task::spawn_blocking(move || LedgerReader::open_at(&place)).await?;
    Ok(Some(Sought { address: address.to_string(), fault: opened.err().map(|error| error.to_string()) }))
}

/// Whether the store answers that several instances share; `None` where there is none.
async fn shared_store(config: &Config) -> anyhow::Result<Option<Sought>> {
    let Some(address) = config.store.shared.clone() else { return Ok(None) };
    let shown = address.to_string();
    let probe = move || SharedStore::new(&address, Arc::new(SystemClock::start()))?.probe();
    let probed = tokio::task::spawn_blocking(probe).await?;
    Ok(Some(Sought { address: shown, fault: probed.err().map(|error| error.to_string()) }))
}

/// Reports a rate limit for a provider that works, and looks at what follows from it.
async fn simulate(backstop: &Backstop, config: &Config, report: &Report, offline: bool) -> Option<RateLimit> {
    let provider = report.working_provider()?;
    // What the examination found out is not part of the simulation.
    backstop.report_success(&provider).ok()?;
    let before = state_of(&backstop.status(), &provider)?;
    backstop.report_failure(&provider, FailureKind::RateLimited).ok()?;
    let after = state_of(&backstop.status(), &provider)?;
    let others = report.usable_providers().filter(|name| **name != *provider).count();
    let instead = if offline || others == 0 { None } else { Some(next_choice(backstop, config).await) };
    backstop.report_success(&provider).ok()?;
    let restored = state_of(&backstop.status(), &provider)?;
    Some(RateLimit { provider, before, after, restored, instead })
}

/// Who answers while the provider rests.
async fn next_choice(backstop: &Backstop, config: &Config) -> String {
    match backstop.chat(question(config, Config::DEFAULT_ROUTE)).await {
        Ok(answer) => answer.target.map_or_else(|| "the fallback text".to_owned(), |target| target.to_string()),
        Err(error) => error.to_string(),
    }
}

fn state_of(statuses: &[ProviderStatus], provider: &str) -> Option<ProviderState> {
    statuses.iter().find(|status| *status.provider == *provider).map(|status| status.state.clone())
}
