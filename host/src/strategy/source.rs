//! Where a strategy's bytes come from.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::config::{SandboxConfig, StrategyRef};

use super::{LoadStrategyError, built_in};

/// Reads a strategy's module, no further than its limit. One that is in a registry is fetched, which blocks for half a minute at most.
pub(super) fn read(source: &StrategyRef, sandbox: &SandboxConfig) -> Result<Cow<'static, [u8]>, LoadStrategyError> {
    match source {
        StrategyRef::BuiltIn(name) => match built_in::component(name) {
            Some(bytes) => Ok(Cow::Borrowed(bytes)),
            None => Err(LoadStrategyError::NotBuiltIn { name: (*name).to_owned() }),
        },
        StrategyRef::File(path) => read_file(path, sandbox.module_bytes).map(Cow::Owned),
        #[cfg(feature = "oci")]
        StrategyRef::Registry(reference) => {
            let pulled = super::registry::fetch(reference, sandbox.module_bytes, &sandbox.registry)?;
            Ok(Cow::Owned(pulled.bytes))
        }
        #[cfg(not(feature = "oci"))]
        StrategyRef::Registry(_) => Err(LoadStrategyError::NoRegistries),
    }
}

fn read_file(path: &Path, limit: usize) -> Result<Vec<u8>, LoadStrategyError> {
    let unreadable = |source| LoadStrategyError::Unreadable { path: path.display().to_string(), source };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(io::Error::other("not a file")));
    }
    let most = u64::try_from(limit).unwrap_or(u64::MAX);
    if metadata.len() > most {
        return Err(LoadStrategyError::TooLarge { bytes: metadata.len(), limit });
    }
    // The file may grow while it is read: the limit holds for what is read, whatever the length said.
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > limit {
        return Err(LoadStrategyError::TooLarge { bytes: bytes.len() as u64, limit });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_path_that_cannot_be_read() {
        let source = StrategyRef::File("no/such/strategy.wasm".into());

        let error = read(&source, &SandboxConfig::default()).unwrap_err();

        assert!(error.to_string().starts_with("cannot read no/such/strategy.wasm: "), "{error}");
    }

    #[test]
    fn refuses_a_folder() {
        let folder = tempfile::tempdir().unwrap();

        let error = read(&StrategyRef::File(folder.path().into()), &SandboxConfig::default()).unwrap_err();

        assert!(matches!(error, LoadStrategyError::Unreadable { .. }), "{error}");
    }

    #[test]
    fn refuses_a_name_that_is_not_built_in() {
        let error = read(&StrategyRef::BuiltIn("smartest"), &SandboxConfig::default()).unwrap_err();

        insta::assert_snapshot!(error, @"no built-in strategy is called `smartest`: there are smart, cost, quality, round-robin, fail-fast, by-task, bandit, hedge, quota-aware; a file is named with its path");
    }
}
