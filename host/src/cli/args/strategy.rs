//! `backstop strategy ...`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value};
use url::Url;

use super::{ReportArgs, value};

/// What to do with strategies.
#[derive(Debug, Subcommand)]
pub(crate) enum StrategyCommand {
    /// List the built-in strategies and those the configuration names.
    List(ReportArgs),
    /// Show what a strategy says of itself, its options, and what is inside.
    Inspect(NamedArgs),
    /// Load a strategy and put it through a battery of situations.
    Check(NamedArgs),
    /// Write a project to begin with: a strategy, its tests, and the contract.
    New(NewArgs),
    /// Build a project into a component, and check it.
    Build(BuildArgs),
    /// Let a strategy decide on a route of a running gateway, by default the one in the route's shadow.
    Promote(PromoteArgs),
    /// Let the strategy decide again that was replaced last on a route of a running gateway.
    Rollback(LiveRouteArgs),
    /// Publish a component in a registry.
    Push(PushArgs),
    /// Fetch a component from a registry into a file.
    Pull(PullArgs),
    /// Write the digest of a route's component into the configuration: no other one is let decide then.
    Pin(PinArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PromoteArgs {
    /// A built-in name, the path of a `.wasm`, or `oci://HOST/REPOSITORY:TAG` [default: the strategy in the route's shadow].
    #[arg(value_name = "NAME|PATH")]
    pub(crate) strategy: Option<String>,

    #[command(flatten)]
    pub(crate) at: LiveRouteArgs,

    /// The strategy's options, such as '{"patience": "2s"}'.
    #[arg(long, value_name = "JSON", value_parser = value::options, requires = "strategy")]
    pub(crate) options: Option<Map<String, Value>>,
}

/// A route of a gateway that runs.
#[derive(Debug, Args)]
pub(crate) struct LiveRouteArgs {
    /// The route.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) route: String,

    /// A running gateway to ask [default: the one the configuration's address names].
    #[arg(long, value_name = "URL")]
    pub(crate) gateway: Option<Url>,

    /// JSON in place of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PinArgs {
    /// The route.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) route: String,

    /// Take the digest out instead: any component is let decide then.
    #[arg(long)]
    pub(crate) remove: bool,
}

/// What a strategy is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    #[value(name = "rust")]
    Rust,
    #[value(name = "js", alias = "javascript")]
    JavaScript,
    #[value(name = "python", alias = "py")]
    Python,
    #[value(name = "c")]
    C,
}

impl Language {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Rust, Self::JavaScript, Self::Python, Self::C];
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// Its name: lower-case letters, digits and dashes.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// What it is written in.
    #[arg(long, value_enum, value_name = "LANG")]
    pub(crate) lang: Language,

    /// Folder of the project [default: NAME].
    #[arg(long, value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct NamedArgs {
    /// A built-in name (`smart`, `cost` … : `backstop strategy list`), the path of a `.wasm`, or `oci://HOST/REPOSITORY:TAG`.
    #[arg(value_name = "NAME|PATH")]
    pub(crate) strategy: String,

    /// JSON in place of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// The component.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Where it goes, such as `oci://ghcr.io/acme/swift:1.2`.
    #[arg(value_name = "REFERENCE")]
    pub(crate) reference: String,

    /// JSON in place of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// Where it is, such as `oci://ghcr.io/acme/swift:1.2`.
    #[arg(value_name = "REFERENCE")]
    pub(crate) reference: String,

    /// The file it becomes [default: the repository's name and .wasm, where there is no such file].
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// JSON in place of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// Folder of the project.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,

    /// Where the component goes [default: NAME.wasm in the project's folder].
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// World of the project's `wit/` that is built; of JavaScript and Python, the others name theirs in the code.
    #[arg(long, value_name = "NAME", default_value = "described-strategy")]
    pub(crate) world: String,
}
