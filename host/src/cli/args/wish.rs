//! What is wished of the answer: shared by `ask` and `chat`.

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};

use super::value;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "The answer")]
pub(crate) struct WishArgs {
    /// Tokens the answer may have at most [default: 500, unless the purpose or the configuration says otherwise].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_tokens: Option<u32>,

    /// Only this provider is asked.
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,

    /// Model to ask first: `provider/model`, or a model's id.
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,

    /// Route of the configuration to take.
    #[arg(long, value_name = "NAME", conflicts_with = "model")]
    pub(crate) route: Option<String>,

    /// Strategy that decides: a built-in name, the path of a `.wasm`, or `oci://HOST/REPOSITORY:TAG`.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) strategy: Option<String>,

    /// Its options, such as '{"patience": "2s"}' [default: the route's, where it is the route's strategy; else its own defaults].
    #[arg(long, value_name = "JSON", value_parser = value::options, requires = "strategy")]
    pub(crate) options: Option<Map<String, Value>>,

    /// Instruction that comes before the question.
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,

    /// Temperature, 0 to 2.
    #[arg(long, value_name = "T", value_parser = value::temperature)]
    pub(crate) temperature: Option<f64>,

    /// What the call is for, such as `moderation`: its label `context`, seen in logs and by the strategy.
    #[arg(long, value_name = "TEXT")]
    pub(crate) context: Option<String>,

    /// Another label of the call, such as `user=ann`; may be given several times.
    #[arg(long = "label", value_name = "NAME=TEXT", value_parser = value::label)]
    pub(crate) labels: Vec<(String, String)>,

    /// Purpose preset to apply, such as `moderation` or `title`.
    #[arg(long, value_name = "NAME")]
    pub(crate) purpose: Option<String>,

    /// Text to answer with, marked as degraded, when every provider failed.
    #[arg(long, value_name = "TEXT")]
    pub(crate) fallback_text: Option<String>,

    /// How long the whole request may take, such as `30s`.
    #[arg(long, value_name = "DURATION", value_parser = value::length)]
    pub(crate) deadline: Option<Duration>,
}
