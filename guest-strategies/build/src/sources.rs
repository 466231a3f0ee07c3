//! The digest of everything a guest is made from.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// What every guest is made from besides its own folder.
const SHARED: [&str; 5] = ["../wit", "Cargo.toml", "Cargo.lock", "sdk/Cargo.toml", "sdk/src"];

/// The SHA-256, in hexadecimal, of the contract, the SDK, the guest and the versions of all they depend on.
pub(crate) fn digest(workspace: &Path, guest: &str) -> Result<String> {
    let own = [format!("{guest}/Cargo.toml"), format!("{guest}/src")];
    let mut hash = Sha256::new();
    for part in SHARED.into_iter().chain(own.iter().map(String::as_str)) {
        for file in files(&workspace.join(part))? {
            let content = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let name = file.strip_prefix(workspace).unwrap_or(&file).to_string_lossy().replace('\\', "/");
            // Lengths keep a byte that moves from one file to the next from going unnoticed.
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name.as_bytes());
            hash.update((content.len() as u64).to_le_bytes());
            hash.update(&content);
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A file, or all files under a folder, in the order of their names.
fn files(place: &Path) -> Result<Vec<PathBuf>> {
    if place.is_file() {
        return Ok(vec![place.to_path_buf()]);
    }
    let entries = place.read_dir().with_context(|| format!("cannot list {}", place.display()))?;
    let mut places = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    places.sort();
    let nested: Vec<Vec<PathBuf>> = places.iter().map(|place| files(place)).collect::<Result<_>>()?;
    Ok(nested.concat())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{SHARED, digest};

    fn write(place: &Path, text: &str) {
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, text).unwrap();
    }

    #[test]
    fn changes_with_every_source_and_with_nothing_else() {
        let root = std::env::temp_dir().join(format!("backstop-sources-{}", std::process::id()));
        let workspace = root.join("guests");
        for part in SHARED.into_iter().chain(["mine/Cargo.toml", "mine/src", "other/src"]) {
            let is_file = part.contains('.') && !part.starts_with("..");
            let place = workspace.join(part);
            write(&if is_file { place } else { place.join("a") }, "text");
        }
        let first = digest(&workspace, "mine").unwrap();

        write(&workspace.join("other/src/a"), "changed");
        assert_eq!(digest(&workspace, "mine").unwrap(), first);

        write(&workspace.join("../wit/a"), "changed");
        assert_ne!(digest(&workspace, "mine").unwrap(), first);

        fs::remove_dir_all(root).unwrap();
    }
}
