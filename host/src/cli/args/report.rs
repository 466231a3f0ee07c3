//! `backstop status`, `backstop doctor` and `backstop demo`.

use clap::Args;
use url::Url;

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// A running gateway to ask [default: the one the configuration's address names, where one runs].
    #[arg(long, value_name = "URL")]
    pub(crate) gateway: Option<Url>,

    /// JSON in place of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Send nothing: show the configuration's side only.
    #[arg(long)]
    pub(crate) offline: bool,

    /// JSON in place of tables.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// JSON in place of a table.
    #[arg(long)]
    pub(crate) json: bool,
}
