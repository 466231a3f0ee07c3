//! Whether a component's imports and exports are those of a strategy.

use super::{LoadStrategyError, plain_text};

/// Longest list of exports shown, in characters.
const SHOWN_CHARS: usize = 200;

/// Checks the names of a component's imports and exports; their types are checked when it is linked. A later minor version
/// of the contract is taken: it has more interfaces, and the same `choose`.
pub(super) fn check(imports: &[String], exports: &[String]) -> Result<(), LoadStrategyError> {
    if !exports.iter().any(|export| export.starts_with("backstop:strategy/choose@1.")) {
        return Err(missing(exports));
    }
    match imports.iter().find(|import| !is_listed(import)) {
        Some(import) => Err(LoadStrategyError::UnlistedImport { import: shown(import) }),
        None => Ok(()),
    }
}

/// Types are no power; `wasi:*` is answered with traps unless granted.
fn is_listed(import: &str) -> bool {
    import.starts_with("backstop:strategy/types@1.") || import.starts_with("wasi:")
}

fn missing(exports: &[String]) -> LoadStrategyError {
    if let Some(found) = exports.iter().find(|export| export.starts_with("backstop:strategy/choose")) {
        return LoadStrategyError::WrongVersion { found: shown(found) };
    }
    if let Some(found) = exports.iter().find(|export| export.contains("/choose")) {
        return LoadStrategyError::WrongPackage { found: shown(found) };
    }
    let exports = if exports.is_empty() { "nothing".to_owned() } else { shown(&exports.join(", ")) };
    LoadStrategyError::MissingExport { exports }
}

fn shown(name: &str) -> String {
    plain_text::tidy(name, SHOWN_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(imports: &[&str], exports: &[&str]) -> String {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        check(&owned(imports), &owned(exports)).map_or_else(|error| error.to_string(), |()| "taken".to_owned())
    }

    #[test]
    fn takes_a_strategy_of_this_major_version() {
        assert_eq!(told(&["backstop:strategy/types@1.0.0"], &["backstop:strategy/choose@1.0.0"]), "taken");
        assert_eq!(told(&["wasi:cli/environment@0.2.6"], &["backstop:strategy/choose@1.3.0"]), "taken");
    }

    #[test]
    fn says_what_is_wrong_with_another() {
        insta::assert_snapshot!(told(&[], &[]), @"it exports nothing, not `backstop:strategy/choose@1.0.0`: its world must say `export backstop:strategy/choose@1.0.0;`");
        insta::assert_snapshot!(told(&[], &["backstop:strategy/choose@2.0.0"]), @"it exports `backstop:strategy/choose@2.0.0`, and this host speaks version 1: build it with the `wit/` of this release");
        insta::assert_snapshot!(told(&[], &["acme:router/choose@1.0.0"]), @"it exports `acme:router/choose@1.0.0`, which belongs to another package: its world must say `export backstop:strategy/choose@1.0.0;`");
        insta::assert_snapshot!(told(&["acme:db/query"], &["backstop:strategy/choose@1.0.0"]), @"it imports `acme:db/query`, and a strategy gets nothing but its question: leave that import out of its world (only `wasi:*` may stay, and traps unless `sandbox.wasi = true`)");
    }
}
