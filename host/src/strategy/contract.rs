//! Whether a component's imports and exports are those of a strategy, and which powers they ask for.

use crate::config::{Power, Powers, StrategyRef};

use super::{LoadStrategyError, plain_text};

/// Longest list of exports shown, in characters.
const SHOWN_CHARS: usize = 200;

/// Checks the names of a component's imports and exports; their types are checked when it is linked. A later minor version
/// of the contract is taken: it has more interfaces, and the same `choose`.
pub(super) fn check(imports: &[String], exports: &[String]) -> Result<(), LoadStrategyError> {
    if !exports.iter().any(|export| export.starts_with("backstop:strategy/choose@1.")) {
        return Err(missing(exports));
    }
    match imports.iter().find(|import| !is_listed(import) && power_of(import).is_none()) {
        Some(import) => Err(LoadStrategyError::UnlistedImport { import: shown(import) }),
        None => Ok(()),
    }
}

/// The power that an interface of the contract stands for.
pub(super) fn power_of(interface: &str) -> Option<Power> {
    let (name, version) = interface.strip_prefix("backstop:strategy/")?.split_once('@')?;
    let power = Power::parse(name).filter(|power| *power != Power::Wasi)?;
    version.starts_with("1.").then_some(power)
}

/// The powers that a component asks for: those of which it imports or exports the interface.
pub(super) fn wanted<'a>(imports: &'a [String], exports: &'a [String]) -> impl Iterator<Item = (&'a str, Power)> {
    // What is exported by another power's name, or imported by that of `observe`, is no power.
    let asked = |names: &'a [String], is_export: bool| {
        let power = |name: &'a String| power_of(name).map(|power| (name.as_str(), power));
        names.iter().filter_map(power).filter(move |(_, power)| (*power == Power::Observe) == is_export)
    };
    asked(imports, false).chain(asked(exports, true))
}

/// Everything that a component is to be granted so that it is loaded, and all it calls is answered.
pub(super) fn powers_wanted(imports: &[String], exports: &[String]) -> Powers {
    let wasi = imports.iter().any(|import| import.starts_with("wasi:")).then_some(Power::Wasi);
    wanted(imports, exports).map(|(_, power)| power).chain(wasi).collect()
}

/// Refuses a component that asks for a power it was not granted.
pub(super) fn check_grants(
    imports: &[String],
    exports: &[String],
    strategy: &StrategyRef,
    granted: Powers,
) -> Result<(), LoadStrategyError> {
    let Some((interface, power)) = wanted(imports, exports).find(|(_, power)| !granted.has(*power)) else {
        return Ok(());
    };
    let all = granted.iter().chain(wanted(imports, exports).map(|(_, power)| power));
    let all: Powers = all.filter(|power| *power != Power::Wasi).collect();
    Err(LoadStrategyError::NotGranted {
        verb: if power == Power::Observe { "exports" } else { "imports" },
        interface: shown(interface),
        line: format!("{:?} = {all}", &*strategy.name()),
    })
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
        insta::assert_snapshot!(told(&["acme:db/query"], &["backstop:strategy/choose@1.0.0"]), @"it imports `acme:db/query`, which no strategy gets: leave that import out of its world (there are the powers `state`, `content` and `log`, and `wasi:*`, which traps unless it is granted)");
    }

    #[test]
    fn names_the_line_that_grants_what_is_asked_for() {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let imports = owned(&["backstop:strategy/types@1.0.0", "backstop:strategy/state@1.0.0"]);
        let exports = owned(&["backstop:strategy/choose@1.0.0", "backstop:strategy/observe@1.2.0"]);
        let mine = StrategyRef::File("strategies/mine.wasm".into());
        let told = |granted: &[Power]| {
            let granted = granted.iter().copied().collect();
            check_grants(&imports, &exports, &mine, granted)
                .map_or_else(|error| error.to_string(), |()| "taken".to_owned())
        };

        insta::assert_snapshot!(told(&[]), @r#"it imports `backstop:strategy/state@1.0.0`, a power that it was not granted: write `"strategies/mine.wasm" = ["observe", "state"]` under `[sandbox.grants]`"#);
        insta::assert_snapshot!(told(&[Power::State, Power::Log, Power::Wasi]), @r#"it exports `backstop:strategy/observe@1.2.0`, a power that it was not granted: write `"strategies/mine.wasm" = ["observe", "state", "log"]` under `[sandbox.grants]`"#);
        assert_eq!(told(&[Power::State, Power::Observe]), "taken");
        assert!(check(&imports, &exports).is_ok());
    }
}
