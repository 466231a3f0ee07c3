//! `backstop config ...`: write, check and show the configuration.

use std::path::{Path, PathBuf};

use backstop::client::{Backstop, BuildError};
use backstop::config::{self, InitError, Loaded};
use serde_json::json;

use super::args::{ConfigCommand, InitArgs, ReportArgs};
use super::exit::{Exit, UsageError};
use super::paint::{Tone, paint};
use super::{aside, ask, setup, table};

/// The preset where none is named.
const GENERAL: &str = "general";

/// Runs one of the configuration commands.
pub(crate) async fn run(command: ConfigCommand, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    match command {
        ConfigCommand::Init(args) => init(&args),
        ConfigCommand::Check(args) => check(&args, file).await,
        ConfigCommand::Show(args) => show(&args, file),
    }
}

fn init(args: &InitArgs) -> anyhow::Result<Exit> {
    let name = args.preset.as_deref().unwrap_or(GENERAL);
    if args.output == Path::new("-") {
        let text = config::preset(name).ok_or_else(|| UsageError(unknown_preset(name)))?;
        table::print(text)?;
        return Ok(Exit::Done);
    }
    let written = config::init(&args.output, name).map_err(|error| match error {
        InitError::UnknownPreset { .. } => UsageError(unknown_preset(name)).into(),
        InitError::Exists { .. } => anyhow::Error::from(UsageError(error.to_string())),
        InitError::Unwritable { .. } => error.into(),
    })?;
    aside::tell(&[
        paint(Tone::Good, format_args!("wrote {}", written.display())),
        "put the keys it names into the environment or into .env, then see `backstop doctor`".to_owned(),
    ]);
    Ok(Exit::Done)
}

fn unknown_preset(name: &str) -> String {
    let presets = config::PRESETS.iter().map(|preset| format!("\n  {:<14} {}", preset.name, preset.summary));
    format!("no preset is called {name:?}; there are:{}", presets.collect::<String>())
}

async fn check(args: &ReportArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let loaded = setup::load(file);
    let fault = match &loaded {
        Ok(loaded) => strategies_fault(loaded).await,
        Err(_) => None,
    };
    if args.json {
        let (problems, notices) = match (&loaded, &fault) {
            (Ok(loaded), None) => (json!([]), json!(loaded.notices)),
            (Ok(loaded), Some(fault)) => (json!([{"what": fault.to_string()}]), json!(loaded.notices)),
            (Err(error), _) => (json!(error.problems), json!([])),
        };
        let is_ok = loaded.is_ok() && fault.is_none();
        ask::print_json(&json!({"ok": is_ok, "problems": problems, "notices": notices}))?;
        return Ok(if is_ok { Exit::Done } else { Exit::Usage });
    }
    let loaded = loaded?;
    for notice in &loaded.notices {
        aside::tell(&[paint(Tone::Warn, format_args!("note: {notice}"))]);
    }
    if let Some(fault) = fault {
        return Err(fault.into());
    }
    table::print(&paint(Tone::Good, in_order(&loaded)))?;
    Ok(Exit::Done)
}

/// Why a strategy of the configuration, or one in a shadow, would not start with its options, where one would not.
async fn strategies_fault(loaded: &Loaded) -> Option<BuildError> {
    Backstop::builder().config(loaded.config.clone()).build().await.err()
}

fn in_order(loaded: &Loaded) -> String {
    let source = loaded.file.as_ref().map_or_else(|| "environment alone".to_owned(), |file| file.display().to_string());
    let providers = loaded.config.providers.values();
    let usable = providers.clone().filter(|provider| provider.enabled && provider.credentials.are_usable()).count();
    format!("{source}: in order; {} of {} providers can be asked", usable, providers.count())
}

fn show(args: &ReportArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let loaded = setup::load(file)?;
    if args.json {
        ask::print_json(&config::show_json(&loaded))?;
    } else {
        table::print(&config::show(&loaded))?;
    }
    Ok(Exit::Done)
}
