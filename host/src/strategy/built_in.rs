//! The strategies that come with Backstop: components like any other, embedded in the binary.

pub use crate::config::built_in_strategy as resolve_name;

/// Their names, in the order they are listed.
pub const BUILT_IN: [&str; 9] =
    ["smart", "cost", "quality", "round-robin", "fail-fast", "by-task", "bandit", "hedge", "quota-aware"];

/// The component of that name.
pub(super) fn component(name: &str) -> Option<&'static [u8]> {
    match resolve_name(name)? {
        "smart" => Some(include_bytes!("../../../guest-strategies/prebuilt/smart.wasm")),
        "cost" => Some(include_bytes!("../../../guest-strategies/prebuilt/cost.wasm")),
        "quality" => Some(include_bytes!("../../../guest-strategies/prebuilt/quality.wasm")),
        "round-robin" => Some(include_bytes!("../../../guest-strategies/prebuilt/round-robin.wasm")),
        "fail-fast" => Some(include_bytes!("../../../guest-strategies/prebuilt/fail-fast.wasm")),
        "by-task" => Some(include_bytes!("../../../guest-strategies/prebuilt/by-task.wasm")),
        "bandit" => Some(include_bytes!("../../../guest-strategies/prebuilt/bandit.wasm")),
        "hedge" => Some(include_bytes!("../../../guest-strategies/prebuilt/hedge.wasm")),
        "quota-aware" => Some(include_bytes!("../../../guest-strategies/prebuilt/quota-aware.wasm")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_every_built_in_by_its_own_name() {
        for name in BUILT_IN {
            assert_eq!(resolve_name(name), Some(name));
            assert!(component(name).is_some(), "{name} is not embedded");
        }
    }

    #[test]
    fn understands_the_names_of_older_systems() {
        let older = ["smart_fallback", "cost_optimized", "quality_optimized", "round_robin", "fail_fast"];

        assert!(older.map(resolve_name).into_iter().eq(BUILT_IN.map(Some).into_iter().take(5)));
    }

    #[test]
    fn knows_no_other() {
        assert_eq!(resolve_name("smartest"), None);
    }
}
