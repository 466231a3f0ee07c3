//! `backstop replay`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};

use super::value;

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A file of decisions, or a folder of them, as a gateway writes where `[recording]` is enabled.
    #[arg(value_name = "RECORDING")]
    pub(crate) recording: PathBuf,

    /// A built-in name, the path of a `.wasm` or an `oci://` reference to ask [default: the strategies that decided then].
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) strategy: Option<String>,

    /// Its options, such as '{"patience": "2s"}' [default: those of then, where the strategy is the same].
    #[arg(long, value_name = "JSON", value_parser = value::options, requires = "strategy")]
    pub(crate) options: Option<Map<String, Value>>,

    /// Decisions of this route only.
    #[arg(long, value_name = "NAME")]
    pub(crate) route: Option<String>,

    /// How many differences are shown one by one.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) show: usize,

    /// JSON in place of text.
    #[arg(long)]
    pub(crate) json: bool,
}
