//! A Python module becomes a component, with CPython and what it imports inside.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::super::super::exit::UsageError;
use super::Built;
use super::tool::Tool;

const COMPILER: Tool = Tool {
    name: "componentize-py",
    language: "Python",
    install: "python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1    (in the project's folder)",
};

/// Where a virtual environment has its programs.
const OWN: [&str; 3] = [".venv/bin", "venv/bin", ".venv/Scripts"];

/// The module with the classes `Choose` and `About`.
const MODULE: &str = "strategy";

/// What the compiler writes, beside the project's own files.
const MADE: &str = ".strategy.wasm.part";

/// Builds the module `strategy` under the name that `pyproject.toml` gives.
pub(super) fn build(dir: &Path, world: &str) -> anyhow::Result<Built> {
    let text = fs::read_to_string(dir.join("pyproject.toml")).context("cannot read pyproject.toml")?;
    let project: toml::Table =
        text.parse().map_err(|error| UsageError(format!("pyproject.toml cannot be read: {error}")))?;
    let name = project.get("project").and_then(|project| project.get("name")).and_then(toml::Value::as_str);
    let name =
        name.ok_or_else(|| UsageError("pyproject.toml has no `name` under `[project]`: give it one".to_owned()))?;
    super::require(dir, "strategy.py", "it is the module that is built: give yours that name")?;
    super::require(dir, "wit", "it holds the contract: copy it from what `backstop strategy new` writes")?;

    let mut command = COMPILER.command(dir, &OWN)?;
    command.args(["--quiet", "--wit-path", "wit", "--world", world]);
    // Without a system beneath: a strategy is a function of its question.
    command.args(["componentize", "--stub-wasi", "--python-path", ".", "--output", MADE, MODULE]);
    let wasm = COMPILER.run(command, dir, MADE)?;
    let authors = project.get("project").and_then(|project| project.get("authors")).and_then(toml::Value::as_array);
    let named = |author: &toml::Value| author.get("name").and_then(toml::Value::as_str).map(str::to_owned);
    let authors = authors.into_iter().flatten().filter_map(named).collect();
    Ok(Built { name: name.to_owned(), authors, wasm })
}
