//! The file of keys: replaced as a whole, by one process at a time.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use thiserror::Error;

use crate::random::{self, NoRandomness};

use super::exchange::Met;
use super::record::{Grant, KeyRecord};
use super::register::{ChangeError, ParseRegisterError, Register};
use super::secret::KeyText;

/// Bytes the file may have: some 40,000 keys.
const MOST_BYTES: u64 = 16 << 20;

/// Where keys are kept, as hashes. Any number of gateways may read it while it is changed.
#[derive(Debug, Clone)]
pub struct KeyFile {
    path: PathBuf,
}

/// A key that has just been made: the only time its text is known.
#[derive(Debug)]
pub struct NewKey {
    /// The key itself.
    pub text: KeyText,
    /// What is kept of it.
    pub record: KeyRecord,
}

/// What tells one state of the file from another without reading it. Every change makes the file longer.
pub(super) type Stamp = (SystemTime, u64);

/// The keys cannot be read or changed.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// The file cannot be read.
    #[error("cannot read the keys in {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
    /// What it holds are no keys.
    #[error("{} does not hold keys as Backstop writes them: {source}; mend it, or put an earlier copy in its place", path.display())]
    Garbled {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ParseRegisterError,
    },
    /// The file cannot be written.
    #[error("cannot write the keys to {}: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
    /// The change makes no sense.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// There is nothing to make a key of.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl KeyFile {
    /// The file at a path. It need not be there yet.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All keys, revoked ones among them, oldest first; none where there is no file.
    ///
    /// # Errors
    /// When the file cannot be read or does not hold keys.
    pub fn read(&self) -> Result<Vec<KeyRecord>, KeyFileError> {
        self.register().map(Register::into_keys)
    }

    /// Makes a key.
    ///
    /// # Errors
    /// When the name is none or taken, or the file cannot be changed.
    pub fn create(&self, name: &str, grant: Grant, now: Timestamp) -> Result<NewKey, KeyFileError> {
        self.change(|register| add(register, name, grant, now))
    }

    /// Revokes the key with this id or name.
    ///
    /// # Errors
    /// When there is none, it is revoked already, or the file cannot be changed.
    pub fn revoke(&self, which: &str, now: Timestamp) -> Result<KeyRecord, KeyFileError> {
        self.change(|register| Ok(register.revoke(which, now)?))
    }

    /// Revokes the key with this id or name, and makes one that may do the same.
    ///
    /// # Errors
    /// As [`KeyFile::revoke`].
    pub fn rotate(&self, which: &str, now: Timestamp) -> Result<NewKey, KeyFileError> {
        self.change(|register| {
            let old = register.revoke(which, now)?;
            add(register, &old.name, old.grant, now)
        })
    }

    /// Takes in what other gateways' files hold.
    pub(super) fn absorb(&self, met: &[Met]) -> Result<(), KeyFileError> {
        self.change(|register| Ok(register.absorb(met))).map(drop)
    }

    /// The file's state, without its contents; `None` where there is none.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let about = self.path.metadata().ok()?;
        Some((about.modified().ok()?, about.len()))
    }

    fn register(&self) -> Result<Register, KeyFileError> {
        let unreadable = |source| KeyFileError::Unreadable { path: self.path.clone(), source };
        match read_bounded(&self.path) {
            Ok(text) => {
                Register::parse(&text).map_err(|source| KeyFileError::Garbled { path: self.path.clone(), source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Register::default()),
            Err(error) => Err(unreadable(error)),
        }
    }

    /// Reads, changes and writes, with all others kept out meanwhile.
    fn change<T>(&self, change: impl FnOnce(&mut Register) -> Result<T, KeyFileError>) -> Result<T, KeyFileError> {
        let unwritable = |source| KeyFileError::Unwritable { path: self.path.clone(), source };
        let lock = self.lock().map_err(unwritable)?;
        let mut register = self.register()?;
        let changed = change(&mut register)?;
        let text = register.to_json().map_err(|error| unwritable(error.into()))?;
        self.replace(&text).map_err(unwritable)?;
        drop(lock);
        Ok(changed)
    }

    /// Keeps all others out until it is dropped. The lock is a file of its own: the keys' is another one after each change.
    fn lock(&self) -> io::Result<File> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            private_folder(folder)?;
        }
        let lock = private(OpenOptions::new().create(true).truncate(false).write(true)).open(self.beside(".lock"))?;
        lock.lock()?;
        Ok(lock)
    }

    /// Puts a text in the file's place: whoever reads finds the old one or the new one, also after a power failure.
    fn replace(&self, text: &str) -> io::Result<()> {
        let fresh = self.beside(".new");
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = private(OpenOptions::new().create_new(true).write(true)).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        sync_folder(&self.path)
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(ending);
        path.into()
    }
}

fn add(register: &mut Register, name: &str, grant: Grant, now: Timestamp) -> Result<NewKey, KeyFileError> {
    let text = KeyText::new()?;
    let id = loop {
        let id = format!("key_{:08x}", u32::from_be_bytes(random::secret()?));
        if !register.has_id(&id) {
            break id;
        }
    };
    let record = register.add(id, name, &text, grant, now)?;
    Ok(NewKey { text, record })
}

/// Opens nothing but a regular file: to open a pipe would wait for whoever writes into it.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut text)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 16 MiB"));
    }
    Ok(text)
}

/// For the owner's eyes alone.
#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

/// As the folder has it: this platform's folders of a user are the user's own.
#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// Makes a renaming outlive a power failure.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Folders cannot be synchronised on this platform.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tempfile::TempDir;

    use super::super::record::KeyState;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn empty() -> (TempDir, KeyFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::at(folder.path().join("data/gateway-keys.json"));
        (folder, file)
    }

    #[test]
    fn keeps_a_digest_and_never_the_key() {
        let (_folder, file) = empty();

        let new = file.create("ci", Grant::default(), at(1)).unwrap();

        let written = fs::read_to_string(file.path()).unwrap();
        assert!(!written.contains(&new.text.expose()[4..40]), "{written}");
        assert!(written.contains(&new.text.hash().to_string()));
        assert_eq!(file.read().unwrap(), [new.record]);
    }

    #[cfg(unix)]
    #[test]
    fn lets_nobody_else_read_it() {
        use std::os::unix::fs::PermissionsExt;

        let (_folder, file) = empty();
        file.create("ci", Grant::default(), at(1)).unwrap();
        file.create("app", Grant::default(), at(1)).unwrap();

        let modes =
            [file.path(), file.path().parent().unwrap()].map(|path| path.metadata().unwrap().permissions().mode());

        assert_eq!(modes.map(|mode| mode & 0o777), [0o600, 0o700]);
    }

    #[test]
    fn gives_the_new_key_what_the_old_one_had() {
        let (_folder, file) = empty();
        let grant = Grant { admin: true, routes: vec!["fast".into()], ..Grant::default() };
        let old = file.create("ci", grant.clone(), at(1)).unwrap();

        let new = file.rotate(&old.record.id, at(2)).unwrap();

        let states: Vec<_> = file.read().unwrap().iter().map(|key| key.state(at(2))).collect();
        assert_eq!(states, [KeyState::Revoked, KeyState::Live]);
        assert_eq!((new.record.name.as_str(), new.record.grant), ("ci", grant));
        assert_ne!(new.text.expose(), old.text.expose());
    }

    #[test]
    fn loses_no_key_however_many_are_made_at_once() {
        let (_folder, file) = empty();

        thread::scope(|scope| {
            for thread in 0..8 {
                let file = &file;
                scope.spawn(move || {
                    for n in 0..8 {
                        file.create(&format!("{thread}-{n}"), Grant::default(), at(1)).unwrap();
                    }
                });
            }
        });

        assert_eq!(file.read().unwrap().len(), 64);
    }

    #[test]
    fn leaves_a_file_alone_that_it_does_not_understand() {
        let (_folder, file) = empty();
        file.create("ci", Grant::default(), at(1)).unwrap();
        fs::write(file.path(), "{\"version\":1,").unwrap();

        let errors = [file.read().unwrap_err(), file.create("app", Grant::default(), at(1)).unwrap_err()];

        assert!(errors.iter().all(|error| matches!(error, KeyFileError::Garbled { .. })), "{errors:?}");
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "{\"version\":1,");
    }

    #[test]
    fn goes_past_what_a_killed_process_left_behind() {
        let (_folder, file) = empty();
        file.create("ci", Grant::default(), at(1)).unwrap();
        fs::write(file.beside(".new"), "{\"vers").unwrap();

        file.create("app", Grant::default(), at(1)).unwrap();

        assert_eq!(file.read().unwrap().len(), 2);
    }

    #[test]
    fn tells_a_folder_from_a_file_of_keys() {
        let folder = tempfile::tempdir().unwrap();

        let error = KeyFile::at(folder.path()).read().unwrap_err();

        assert!(error.to_string().ends_with("not a regular file"), "{error}");
    }

    #[test]
    fn grows_with_every_change() {
        let (_folder, file) = empty();
        let mut lengths = Vec::new();
        let mut note = || lengths.push(file.stamp().map(|(_, length)| length));

        note();
        file.create("ci", Grant::default(), at(1)).unwrap();
        note();
        file.rotate("ci", at(2)).unwrap();
        note();
        file.revoke("ci", at(3)).unwrap();
        note();

        assert!(lengths.windows(2).all(|pair| pair[0] < pair[1]), "{lengths:?}");
    }
}
