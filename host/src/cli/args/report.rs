//! `backstop status`, `backstop doctor` and `backstop demo`.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
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
