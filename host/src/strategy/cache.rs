//! Compiled components kept on disk, in a folder that nobody else can write to.

use std::fs::{self, File, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::folder::{self, Lasting};

/// Entries kept; the oldest go first.
const ENTRIES: usize = 64;

/// Bytes of the checksum that an entry begins with.
const CHECKSUM_BYTES: usize = 32;

/// Why a folder is not used as the cache. Strategies are compiled each time then, and work all the same.
#[derive(Debug, Error)]
pub(super) enum OpenCacheError {
    #[error("cannot make or read {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is not a folder of its own (a link or a file)", path.display())]
    NotAFolder { path: PathBuf },
    #[error("{} belongs to another user", path.display())]
    Foreign { path: PathBuf },
    #[error("{} can be written to by others (mode {mode:03o}): `chmod 700` it", path.display())]
    Open { path: PathBuf, mode: u32 },
    #[cfg_attr(unix, expect(dead_code, reason = "elsewhere there is no owner and no mode to check"))]
    #[error("this system has no file modes that would keep {} private", path.display())]
    Unchecked { path: PathBuf },
}

/// A private folder of compiled components.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Opens the folder, and makes it where it is missing.
    ///
    /// # Errors
    ///
    /// A folder that another user owns or can write to: its content is machine code that would run here.
    pub(super) fn open(folder: &Path) -> Result<Self, OpenCacheError> {
        folder::make_private(folder)
            .and_then(|()| fs::symlink_metadata(folder))
            .map_err(|source| OpenCacheError::Io { path: folder.to_owned(), source })
            .and_then(|metadata| check_private(folder, &metadata))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// The compiled component of those bytes, where it is kept and whole.
    pub(super) fn get(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let entry = fs::read(self.entry(engine, digest)).ok()?;
        let (checksum, code) = entry.split_at_checked(CHECKSUM_BYTES)?;
        if Sha256::digest(code).as_slice() != checksum {
            return None;
        }
        deserialize(engine, code)
    }

    /// Keeps a compiled component. A failure to write is no failure to load: it is compiled again next time.
    pub(super) fn put(&self, engine: &Engine, digest: &str, component: &Component) {
        let kept = component.serialize().map_err(io::Error::other).and_then(|code| {
            let checksum = Sha256::digest(&code);
            folder::write(&self.entry(engine, digest), &[&checksum, &code], Lasting::No)?;
            folder::drop_oldest(&self.folder, ENTRIES)
        });
        if let Err(error) = kept {
            tracing::warn!(folder = %self.folder.display(), %error, "a compiled strategy was not kept");
        }
    }

    fn entry(&self, engine: &Engine, digest: &str) -> PathBuf {
        // Names the engine's version and settings, so that an update finds nothing rather than something else's code.
        let mut compatible = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut compatible);
        self.folder.join(format!("{digest}-{:016x}.cwasm", compatible.finish()))
    }
}

/// The digest that names a module: SHA-256 of its bytes, in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

#[expect(unsafe_code, reason = "the one place that loads machine code that was not made in this run")]
fn deserialize(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: `code` must be what `Component::serialize` gave. It comes from a folder that only this user can write to
    // (checked when the cache was opened), its checksum was found right after it was read into memory that nobody else
    // holds, and wasmtime itself refuses code of another version or other settings.
    unsafe { Component::deserialize(engine, code) }.ok()
}

#[cfg(unix)]
fn check_private(folder: &Path, metadata: &Metadata) -> Result<(), OpenCacheError> {
    use std::os::unix::fs::MetadataExt;

    let path = folder.to_owned();
    if !metadata.is_dir() {
        return Err(OpenCacheError::NotAFolder { path });
    }
    let ours = own_uid(folder).map_err(|source| OpenCacheError::Io { path: path.clone(), source })?;
    if metadata.uid() != ours {
        return Err(OpenCacheError::Foreign { path });
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o022 != 0 { Err(OpenCacheError::Open { path, mode }) } else { Ok(()) }
}

/// The user this program runs as: whoever owns a file it makes. (To ask the system outright takes unsafe code.)
#[cfg(unix)]
fn own_uid(folder: &Path) -> io::Result<u32> {
    use std::os::unix::fs::MetadataExt;

    let mark = folder.join(format!(".{:016x}", fastrand::u64(..)));
    let owner = File::create_new(&mark).and_then(|file| file.metadata()).map(|metadata| metadata.uid());
    drop(fs::remove_file(&mark));
    owner
}

#[cfg(not(unix))]
fn check_private(folder: &Path, _: &Metadata) -> Result<(), OpenCacheError> {
    Err(OpenCacheError::Unchecked { path: folder.to_owned() })
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use crate::strategy::engine::engine;
    use crate::strategy::test_guests::{component, first_of_all};

    use super::*;

    fn compiled() -> Component {
        Component::from_binary(engine().unwrap(), &component(&first_of_all())).unwrap()
    }

    fn only_entry(folder: &Path) -> PathBuf {
        let entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries[0].clone()
    }

    #[test]
    fn gives_back_what_it_was_given() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&folder.path().join("made")).unwrap();

        cache.put(engine().unwrap(), "d1", &compiled());

        assert!(cache.get(engine().unwrap(), "d1").is_some());
        assert!(cache.get(engine().unwrap(), "d2").is_none());
    }

    #[test]
    fn makes_the_folder_private() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("made");

        Cache::open(&folder).unwrap();

        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn refuses_a_folder_that_others_can_write_to() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o770)).unwrap();

        assert!(matches!(Cache::open(folder.path()), Err(OpenCacheError::Open { mode: 0o770, .. })));
    }

    #[test]
    fn refuses_a_link() {
        let outer = tempfile::tempdir().unwrap();
        let link = outer.path().join("link");
        symlink(outer.path(), &link).unwrap();

        assert!(matches!(Cache::open(&link), Err(OpenCacheError::NotAFolder { .. })));
    }

    #[test]
    fn passes_over_an_entry_with_a_flipped_bit_or_a_missing_end() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        cache.put(engine().unwrap(), "d1", &compiled());
        let entry = only_entry(folder.path());
        let whole = fs::read(&entry).unwrap();

        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        for damaged in [&flipped[..], &whole[..whole.len() / 2], &whole[..10], &[]] {
            fs::write(&entry, damaged).unwrap();
            assert!(cache.get(engine().unwrap(), "d1").is_none());
        }
    }

    #[test]
    fn keeps_a_bounded_number_of_entries() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        for stale in 0..ENTRIES + 5 {
            fs::write(folder.path().join(format!("{stale}.cwasm")), b"").unwrap();
        }

        cache.put(engine().unwrap(), "d1", &compiled());

        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), ENTRIES);
        assert!(cache.get(engine().unwrap(), "d1").is_some());
    }
}
