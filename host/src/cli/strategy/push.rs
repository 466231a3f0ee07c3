//! `backstop strategy push`: a component into a registry.

use std::path::PathBuf;

use backstop::config::OciReference;
use backstop::strategy::{Published, publish};
use serde_json::json;

use super::super::args::PushArgs;
use super::super::exit::{Exit, UsageError};
use super::super::paint::{Tone, paint};
use super::super::{ask, setup, table};

/// Publishes, and says by what names it can be had.
pub(super) fn run(args: &PushArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let reference = reference(&args.reference)?;
    let Published { inspection, lasting } = publish(&args.file, &reference, &setup::sandbox(file))?;
    let digest = format!("sha256:{}", inspection.digest);
    if args.json {
        ask::print_json(&json!({
            "reference": reference.to_string(), "lasting": lasting.to_string(), "digest": digest,
            "bytes": inspection.bytes,
        }))?;
        return Ok(Exit::Done);
    }
    table::print(&format!(
        "{} is {}, {} bytes\nto name this one and no other:  strategy = {:?}\nto pin what a tag leads to:     digest = {digest:?}",
        args.file.display(),
        paint(Tone::Strong, &reference),
        inspection.bytes,
        lasting.to_string(),
    ))?;
    Ok(Exit::Done)
}

/// The reference that a word is.
pub(super) fn reference(word: &str) -> Result<OciReference, UsageError> {
    OciReference::parse(word).map_err(|error| UsageError(error.to_string()))
}
