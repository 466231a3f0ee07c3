//! A JavaScript module becomes a component, with QuickJS inside.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use super::super::super::exit::UsageError;
use super::Built;
use super::tool::Tool;

const COMPILER: Tool = Tool {
    name: "componentize-qjs",
    language: "JavaScript",
    install: "npm install --save-dev componentize-qjs@0.4.5    (needs Node.js 18 or later: apt-get install -y nodejs npm)",
};

/// Where npm puts the programs of a project.
const OWN: [&str; 1] = ["node_modules/.bin"];

/// What the compiler writes, beside the project's own files.
const MADE: &str = ".strategy.wasm.part";

/// Builds the module that `package.json` names as `main`.
pub(super) fn build(dir: &Path, world: &str) -> anyhow::Result<Built> {
    let text = fs::read_to_string(dir.join("package.json")).context("cannot read package.json")?;
    let package: Value =
        serde_json::from_str(&text).map_err(|error| UsageError(format!("package.json is no JSON: {error}")))?;
    let field = |field: &str| package.get(field).and_then(Value::as_str);
    let name = field("name").ok_or_else(|| UsageError("package.json has no `name`: give it one".to_owned()))?;
    // `@scope/name` is one file's name without its scope.
    let name = name.rsplit('/').next().unwrap_or(name).to_owned();
    let main = field("main").unwrap_or("strategy.js");
    super::require(dir, main, "package.json names it as `main`: write it, or name another")?;
    super::require(dir, "wit", "it holds the contract: copy it from what `backstop strategy new` writes")?;

    let mut command = COMPILER.command(dir, &OWN)?;
    // Without async, and without a system beneath: a strategy is a function of its question.
    command.args(["--sync", "--stub-wasi", "--wit", "wit", "--world", world, "--js", main, "--output", MADE]);
    let wasm = COMPILER.run(command, dir, MADE)?;
    // npm has it as a text, or as an object with a name.
    let author = package.get("author").and_then(|author| author.as_str().or_else(|| author.get("name")?.as_str()));
    Ok(Built { name, authors: author.into_iter().map(str::to_owned).collect(), wasm })
}
