//! How far a ledger was read over and what was added up, kept beside it: who opens a long one need not begin at its first entry.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::entry::{Hash, Place};

/// The length of a number.
const NUMBER: usize = 8;

/// The length of a digest.
const DIGEST: usize = 32;

/// An entry up to which all was well, and the sum of each account there was.
#[derive(Debug, Clone)]
pub(super) struct Checkpoint {
    pub(super) place: Place,
    pub(super) sums: Vec<(i64, i64)>,
}

/// Where that of a ledger is.
pub(super) fn path_of(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push("-read");
    PathBuf::from(name)
}

impl Checkpoint {
    /// Reads what was kept; `None` where nothing was, or it is not what it was when it was written.
    pub(super) fn read(ledger: &Path) -> Option<Self> {
        let bytes = fs::read(path_of(ledger)).ok()?;
        let (kept, digest) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST)?)?;
        if Sha256::digest(kept).as_slice() != digest {
            return None;
        }
        let (seq, rest) = kept.split_first_chunk::<NUMBER>()?;
        let (hash, sums) = rest.split_first_chunk::<DIGEST>()?;
        let (pairs, []) = sums.as_chunks::<{ 2 * NUMBER }>() else { return None };
        let pair = |pair: &[u8; 2 * NUMBER]| {
            let (account, sum) = pair.split_first_chunk::<NUMBER>()?;
            Some((i64::from_le_bytes(*account), i64::from_le_bytes(sum.try_into().ok()?)))
        };
        let hash: Hash = *hash;
        let sums = pairs.iter().map(pair).collect::<Option<Vec<_>>>()?;
        Some(Self { place: Place { seq: i64::from_le_bytes(*seq), hash }, sums })
    }

    /// Keeps it in place of the one before, which is there until this one is whole.
    pub(super) fn write(&self, ledger: &Path) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(NUMBER + 2 * DIGEST + 2 * NUMBER * self.sums.len());
        bytes.extend(self.place.seq.to_le_bytes());
        bytes.extend(self.place.hash);
        for (account, sum) in &self.sums {
            bytes.extend(account.to_le_bytes());
            bytes.extend(sum.to_le_bytes());
        }
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest);
        let path = path_of(ledger);
        let mut fresh = path.clone().into_os_string();
        fresh.push(format!("-{}", std::process::id()));
        fs::write(&fresh, bytes).and_then(|()| fs::rename(&fresh, &path)).inspect_err(|_| drop(fs::remove_file(&fresh)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_and_nothing_that_was_changed_or_cut() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("ledger.db");
        let kept = Checkpoint { place: Place { seq: 7, hash: [3; 32] }, sums: vec![(1, 50), (2, i64::MAX)] };
        let nothing = Checkpoint::read(&ledger);

        kept.write(&ledger).unwrap();
        let read = Checkpoint::read(&ledger).unwrap();
        let whole = fs::read(path_of(&ledger)).unwrap();
        let damaged = (0..whole.len()).filter(|place| {
            let mut bytes = whole.clone();
            bytes[*place] ^= 1;
            fs::write(path_of(&ledger), &bytes).unwrap();
            let changed = Checkpoint::read(&ledger).is_some();
            fs::write(path_of(&ledger), &whole[..*place]).unwrap();
            changed || Checkpoint::read(&ledger).is_some()
        });

        assert!(nothing.is_none());
        assert_eq!((read.place.seq, read.place.hash, read.sums), (7, [3; 32], vec![(1, 50), (2, i64::MAX)]));
        assert_eq!(damaged.count(), 0);
    }
}
