//! Copies of what came from registries, each under its digest, and which digest a tag last led to.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock::{Clock, SystemClock};
use crate::config::OciReference;

use super::super::cache::digest;
use super::super::folder::{self, Lasting};

/// Copies that are kept, of manifests and components together, and of tags; those that were used longest ago go first.
const ENTRIES: usize = 128;

/// Bytes of what is noted of a tag, at most.
const TAG_BYTES: usize = 4_096;

/// A folder of copies, or none. What is read from it is proven by its digest, so that nobody has to be trusted with it.
#[derive(Debug)]
pub(super) struct Copies<'f> {
    folder: Option<&'f Path>,
}

/// What is noted of a tag.
#[derive(Serialize, Deserialize)]
struct Seen {
    reference: String,
    manifest: String,
}

impl<'f> Copies<'f> {
    pub(super) fn of(folder: Option<&'f Path>) -> Self {
        Self { folder }
    }

    /// What has this SHA-256, where it is kept, whole, and no longer than so many bytes.
    pub(super) fn content(&self, wanted: &str, most: usize) -> Option<Vec<u8>> {
        let path = self.content_path(wanted)?;
        let bytes = read(&path, most).ok().filter(|bytes| digest(bytes) == wanted)?;
        // What is in use is not what was used longest ago.
        let touched = File::options().write(true).open(&path);
        drop(touched.and_then(|file| file.set_modified(SystemClock::start().wall().into())));
        Some(bytes)
    }

    /// Keeps something under its digest. A failure to write is no failure to load: it is fetched again next time.
    pub(super) fn keep(&self, digest: &str, bytes: &[u8]) {
        let Some(path) = self.content_path(digest) else { return };
        if let Err(error) = write(&path, bytes) {
            tracing::warn!(file = %path.display(), %error, "no copy of a strategy is kept (`sandbox.registry_copies`)");
        }
    }

    /// The digest of the manifest that a tag last led to.
    pub(super) fn last(&self, reference: &OciReference) -> Option<String> {
        let seen: Seen = serde_json::from_slice(&read(&self.tag_path(reference)?, TAG_BYTES).ok()?).ok()?;
        (seen.reference == reference.to_string()).then_some(seen.manifest)
    }

    /// Notes the digest of the manifest that a tag leads to.
    pub(super) fn note(&self, reference: &OciReference, manifest: &str) {
        let Some(path) = self.tag_path(reference) else { return };
        let seen = Seen { reference: reference.to_string(), manifest: manifest.to_owned() };
        if let Err(error) = serde_json::to_vec(&seen).map_err(io::Error::other).and_then(|seen| write(&path, &seen)) {
            tracing::warn!(file = %path.display(), %error, "where a tag leads is not noted (`sandbox.registry_copies`)");
        }
    }

    fn content_path(&self, digest: &str) -> Option<PathBuf> {
        Some(self.folder?.join("content").join(format!("sha256-{digest}")))
    }

    fn tag_path(&self, reference: &OciReference) -> Option<PathBuf> {
        // A name that fits into every file system, whatever the tag is called.
        Some(self.folder?.join("tags").join(format!("{}.json", digest(reference.to_string().as_bytes()))))
    }
}

fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    folder::make_private(folder)?;
    // What is used when the registry is away has to outlive a power cut.
    folder::write(path, &[bytes], Lasting::Yes)?;
    folder::drop_oldest(folder, ENTRIES)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::SystemTime;

    use tempfile::TempDir;

    use super::*;

    fn reference(word: &str) -> OciReference {
        OciReference::parse(word).unwrap()
    }

    #[test]
    fn gives_back_what_is_whole_and_nothing_else() {
        let folder = TempDir::new().unwrap();
        let copies = Copies::of(Some(folder.path()));
        let wanted = digest(b"a component");

        copies.keep(&wanted, b"a component");
        let whole = copies.content(&wanted, 100);
        let too_long = copies.content(&wanted, 3);
        fs::write(copies.content_path(&wanted).unwrap(), b"A component").unwrap();
        let damaged = copies.content(&wanted, 100);

        assert_eq!(whole.as_deref(), Some(&b"a component"[..]));
        assert_eq!((too_long, damaged), (None, None));
    }

    #[test]
    fn knows_where_a_tag_led_last() {
        let folder = TempDir::new().unwrap();
        let copies = Copies::of(Some(folder.path()));
        let (one, two) = (reference("oci://h/a:1"), reference("oci://h/a:2"));

        copies.note(&one, "ab");
        copies.note(&one, "cd");

        assert_eq!((copies.last(&one).as_deref(), copies.last(&two)), (Some("cd"), None));
    }

    #[test]
    fn keeps_nothing_without_a_folder() {
        let copies = Copies::of(None);

        copies.keep("ab", b"x");
        copies.note(&reference("oci://h/a:1"), "ab");

        assert_eq!((copies.content("ab", 100), copies.last(&reference("oci://h/a:1"))), (None, None));
    }

    #[test]
    fn drops_what_was_used_longest_ago() {
        let folder = TempDir::new().unwrap();
        let copies = Copies::of(Some(folder.path()));
        let content = |number: usize| format!("content {number}").into_bytes();
        for number in 0..ENTRIES {
            let bytes = content(number);
            copies.keep(&digest(&bytes), &bytes);
            let file = File::options().write(true).open(copies.content_path(&digest(&bytes)).unwrap()).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number as u64)).unwrap();
        }
        assert!(copies.content(&digest(&content(0)), 100).is_some());

        copies.keep(&digest(b"one more"), b"one more");

        assert!(copies.content(&digest(&content(0)), 100).is_some(), "it was used just now");
        assert!(copies.content(&digest(&content(1)), 100).is_none());
        assert!(copies.content(&digest(b"one more"), 100).is_some());
    }
}
