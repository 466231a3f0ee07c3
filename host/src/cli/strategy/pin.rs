//! `backstop strategy pin`: the digest of a route's component, written into the configuration.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use backstop::config::StrategyRef;
use backstop::strategy::inspect;
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use super::super::args::PinArgs;
use super::super::exit::{Exit, UsageError};
use super::super::{setup, table};

/// Writes the digest, or takes it out. Every other line of the file stays as it is.
pub(super) fn run(args: &PinArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let loaded = setup::load(file)?;
    let Some(file) = &loaded.file else {
        return Err(
            UsageError("there is no backstop.toml to write into; `backstop config init` makes one".to_owned()).into()
        );
    };
    let Some(route) = loaded.config.routes.get(&args.route) else {
        let names: Vec<_> = loaded.config.routes.keys().map(String::as_str).collect();
        return Err(UsageError(format!("no route is called {:?}; there are {}", args.route, names.join(", "))).into());
    };
    let digest = match &route.strategy {
        _ if args.remove => None,
        StrategyRef::File(_) | StrategyRef::Registry(_) => {
            Some(inspect(&route.strategy, &loaded.config.sandbox)?.digest)
        }
        StrategyRef::BuiltIn(name) => {
            let words = format!("{name} is part of this program: only a component of your own can be pinned");
            return Err(UsageError(words).into());
        }
    };
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let changed = pinned(&text, &args.route, digest.as_deref())?;
    replace(file, &changed).with_context(|| format!("cannot write {}", file.display()))?;
    let name = route.strategy.name();
    table::print(&match digest {
        Some(digest) => format!("route {} is pinned to {name} as it is now (sha256:{digest})", args.route),
        None => format!("route {} is pinned no more", args.route),
    })?;
    Ok(Exit::Done)
}

/// The file with the route's digest, or without one.
fn pinned(text: &str, route: &str, digest: Option<&str>) -> anyhow::Result<String> {
    let mut document: DocumentMut = text.parse()?;
    let routes = document.entry("routes").or_insert_with(implied).as_table_like_mut();
    let route = routes.and_then(|routes| route_of(routes, route));
    let Some(route) = route else { bail!("the file's routes are no tables: write the digest by hand") };
    match digest {
        Some(digest) => {
            route.insert("digest", value(format!("sha256:{digest}")));
        }
        None => {
            route.remove("digest");
        }
    }
    Ok(document.to_string())
}

fn route_of<'t>(routes: &'t mut dyn TableLike, route: &str) -> Option<&'t mut dyn TableLike> {
    routes.entry(route).or_insert_with(|| Item::Table(Table::new())).as_table_like_mut()
}

/// A table that has no line of its own.
fn implied() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

/// Puts a file in another's place, so that nobody reads half of it.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    // What is written through a link is what the link leads to.
    let file = file.canonicalize()?;
    let beside = file.with_extension(format!("toml.{}", std::process::id()));
    let written = fs::File::create_new(&beside).and_then(|mut new| {
        new.write_all(text.as_bytes())?;
        new.set_permissions(fs::metadata(&file)?.permissions())?;
        new.sync_all()
    });
    let replaced = written.and_then(|()| fs::rename(&beside, &file));
    if replaced.is_err() {
        let _ = fs::remove_file(&beside);
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "# ours\n[routes.default]\nstrategy = \"./mine.wasm\" # the best\n\n[budget]\ndaily_usd = \"5\"\n";

    #[test]
    fn changes_one_line_and_no_other() {
        let once = pinned(FILE, "default", Some("ab")).unwrap();
        let again = pinned(&once, "default", Some("cd")).unwrap();

        insta::assert_snapshot!(once, @r#"
        # ours
        [routes.default]
        strategy = "./mine.wasm" # the best
        digest = "sha256:ab"

        [budget]
        daily_usd = "5"
        "#);
        assert_eq!(again, once.replace("sha256:ab", "sha256:cd"));
        assert_eq!(pinned(&again, "default", None).unwrap(), FILE);
    }

    #[test]
    fn finds_the_route_however_it_is_written() {
        let inline = pinned("routes = { a = { strategy = \"x.wasm\" } }\n", "a", Some("ab")).unwrap();
        let dotted = pinned("[routes]\na.strategy = \"x.wasm\"\n", "a", Some("ab")).unwrap();

        assert_eq!(inline, "routes = { a = { strategy = \"x.wasm\" , digest = \"sha256:ab\" } }\n");
        assert_eq!(dotted, "[routes]\na.strategy = \"x.wasm\"\na.digest = \"sha256:ab\"\n");
        assert!(pinned("routes = 7\n", "a", Some("ab")).is_err());
    }
}
