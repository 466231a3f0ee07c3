//! A folder of our own with files that may be lost: made private, written whole, and bounded in number.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::SystemTime;

/// Whether a file has to outlive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasting {
    #[cfg_attr(not(feature = "oci"), allow(dead_code, reason = "only what came from a registry is kept for good"))]
    Yes,
    No,
}

/// Makes the folder where it is missing, for nobody but this user.
#[cfg(unix)]
pub(super) fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Makes the folder where it is missing.
#[cfg(not(unix))]
pub(super) fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(folder)
}

/// Writes a file of these parts beside its place and renames: a reader sees a whole one or none.
pub(super) fn write(path: &Path, parts: &[&[u8]], lasting: Lasting) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let draft = folder.join(format!(".{:016x}", fastrand::u64(..)));
    let written = File::create_new(&draft).and_then(|mut file| {
        parts.iter().try_for_each(|part| file.write_all(part))?;
        if lasting == Lasting::Yes {
            file.sync_all()?;
        }
        drop(file);
        fs::rename(&draft, path)
    });
    if written.is_err() {
        drop(fs::remove_file(&draft));
    }
    written
}

/// Removes the oldest files beyond so many.
pub(super) fn drop_oldest(folder: &Path, most: usize) -> io::Result<()> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let age = entry.metadata().and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        entries.push((age, entry.path()));
    }
    entries.sort_unstable();
    let surplus = entries.len().saturating_sub(most);
    entries.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
}
