//! What a word means where a strategy is named.

use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

use super::origin::{Origin, join};
use super::problem::{Fault, Read};
use super::report::Report;
use super::section::nearest;
use super::settings::{OciReference, OciReferenceError, RouteConfig, StrategyRef};

/// The built-in strategies, each with the name older systems have for it, or would write it with.
const BUILT_IN: [(&str, &str); 9] = [
    ("smart", "smart_fallback"),
    ("cost", "cost_optimized"),
    ("quality", "quality_optimized"),
    ("round-robin", "round_robin"),
    ("fail-fast", "fail_fast"),
    ("by-task", "by_task"),
    ("bandit", "bandit"),
    ("hedge", "hedge"),
    ("quota-aware", "quota_aware"),
];

/// The built-in strategy of that name; the names of older systems (`smart_fallback`, `cost_optimized`, `quality_optimized`,
/// `round_robin`, `fail_fast`) are understood.
#[must_use]
pub fn built_in_strategy(word: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|(name, alias)| [*name, *alias].contains(&word)).map(|(name, _)| *name)
}

/// Why a word names no strategy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StrategyNameError {
    /// It is neither a built-in name, nor a path, nor a reference.
    #[error("no strategy is called {word:?}; {mend}")]
    Unknown {
        /// The word.
        word: String,
        /// What to write instead.
        mend: String,
    },
    /// It is meant as a place in a registry, and is none.
    #[error(transparent)]
    Reference(#[from] OciReferenceError),
}

/// The strategy a word means: a built-in one by its name, a component by its path, or by its place in a registry.
///
/// # Errors
/// When it is neither a built-in name, nor a path that ends in `.wasm`, nor a reference of a registry.
pub fn strategy_named(word: &str) -> Result<StrategyRef, StrategyNameError> {
    let word = word.trim();
    if let Some(name) = built_in_strategy(word) {
        return Ok(StrategyRef::BuiltIn(name));
    }
    if OciReference::is_meant(word) {
        return Ok(StrategyRef::Registry(Arc::new(OciReference::parse(word)?)));
    }
    if Path::new(word).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wasm")) {
        return Ok(StrategyRef::File(word.into()));
    }
    let mend = match nearest(word, BUILT_IN.iter().flat_map(|(name, alias)| [*name, *alias])) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => {
            let names = BUILT_IN.map(|(name, _)| name).join(", ");
            format!("built in are {names}; a path ends in .wasm, and oci:// names one in a registry")
        }
    };
    Err(StrategyNameError::Unknown { word: word.to_owned(), mend })
}

/// Reads what names a strategy; a relative path begins at `folder`.
pub(super) fn parse(word: &str, folder: &Path) -> Read<StrategyRef> {
    match strategy_named(word) {
        Ok(StrategyRef::File(path)) => Ok(StrategyRef::File(folder.join(path))),
        Ok(strategy) => Ok(strategy),
        Err(StrategyNameError::Unknown { mend, .. }) => {
            Err(Fault::words("no built-in strategy, no path that ends in .wasm, and no oci:// reference", mend))
        }
        Err(StrategyNameError::Reference(error)) => Err(faulty(error)),
    }
}

fn faulty(error: OciReferenceError) -> Fault {
    let fault = Fault::words(error.what, error.mend);
    if error.is_secret { fault.secret() } else { fault }
}

/// Puts another strategy into a route. The options there were meant for the one before, so they go with it.
pub(super) fn replace(
    route: &mut RouteConfig,
    name: &str,
    strategy: StrategyRef,
    origin: &Origin,
    report: &mut Report,
) {
    if route.strategy == strategy {
        return;
    }
    if !route.options.is_empty() {
        let before = route.strategy.name();
        report.notice(origin.clone(), format!("the options of route {name} were meant for {before} and are left out"));
        report.origins.forget(&format!("{}.options", join("routes", name)));
        route.options.clear();
    }
    route.strategy = strategy;
}

#[cfg(test)]
mod tests {
    use super::*;

    // B1
    #[test]
    fn knows_every_built_in_by_both_its_names() {
        for (name, alias) in BUILT_IN {
            assert_eq!(parse(name, Path::new("")), Ok(StrategyRef::BuiltIn(name)));
            assert_eq!(parse(alias, Path::new("")), Ok(StrategyRef::BuiltIn(name)));
        }
    }

    #[test]
    fn takes_a_path_relative_to_the_folder() {
        assert_eq!(parse("mine.wasm", Path::new("/etc")), Ok(StrategyRef::File("/etc/mine.wasm".into())));
        assert_eq!(parse("/a/mine.wasm", Path::new("/etc")), Ok(StrategyRef::File("/a/mine.wasm".into())));
    }

    #[test]
    fn takes_a_reference_of_a_registry() {
        let word = "oci://ghcr.io/acme/swift.wasm:1.2";

        let read = parse(&format!(" {word} "), Path::new("/etc"));

        assert_eq!(read, Ok(StrategyRef::Registry(Arc::new(OciReference::parse(word).unwrap()))));
        let fault = parse("oci://ann:canary@ghcr.io/acme:1", Path::new("")).unwrap_err();
        assert!(fault.secret, "{fault:?}");
    }

    #[test]
    fn suggests_a_name() {
        let fault = parse("smrt", Path::new("")).unwrap_err();

        let expected = Fault::words(
            "no built-in strategy, no path that ends in .wasm, and no oci:// reference",
            "did you mean smart?",
        );
        assert_eq!(fault, expected);
    }

    #[test]
    fn leaves_the_options_of_another_strategy_behind() {
        let mut route = RouteConfig::default();
        route.options.insert("patience".to_owned(), "1s".into());
        let mut report = Report::default();

        replace(&mut route, "default", StrategyRef::BuiltIn("smart"), &Origin::Flag("--s"), &mut report);
        assert_eq!(route.options.len(), 1);

        replace(&mut route, "default", StrategyRef::BuiltIn("cost"), &Origin::Flag("--s"), &mut report);
        assert!(route.options.is_empty());
        assert_eq!(report.notices.len(), 1);
    }
}
