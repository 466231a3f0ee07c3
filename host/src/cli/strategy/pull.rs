//! `backstop strategy pull`: a component from a registry into a file.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use anyhow::Context;
use backstop::config::OciReference;
use backstop::strategy::{Pulled, pull};
use serde_json::json;

use super::super::args::PullArgs;
use super::super::exit::{Exit, UsageError};
use super::super::{ask, setup, table};
use super::push::reference;

/// Fetches, and writes where it was told to, or where nothing is yet.
pub(super) fn run(args: &PullArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let reference = reference(&args.reference)?;
    let Pulled { bytes, digest, lasting } = pull(&reference, &setup::sandbox(file))?;
    let output = args.output.clone().unwrap_or_else(|| usual(&reference));
    let shown = output.display().to_string();
    let written = match args.output {
        Some(_) => fs::write(&output, &bytes),
        None => File::create_new(&output).and_then(|mut new| new.write_all(&bytes)),
    };
    match written {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(UsageError(format!("{shown} is there already: name another file with --output")).into());
        }
        done => done.with_context(|| format!("cannot write {shown}"))?,
    }
    let count = bytes.len();
    if args.json {
        ask::print_json(&json!({
            "file": shown, "bytes": count, "digest": format!("sha256:{digest}"), "lasting": lasting.to_string(),
        }))?;
    } else {
        table::print(&format!("{shown} is {lasting}, {count} bytes\nits own digest is sha256:{digest}"))?;
    }
    Ok(Exit::Done)
}

/// The last part of the repository's name.
fn usual(reference: &OciReference) -> PathBuf {
    let name = reference.repository().rsplit('/').next().unwrap_or_default();
    format!("{}.wasm", name.trim_end_matches(".wasm")).into()
}
