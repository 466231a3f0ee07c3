//! The folder of recordings: a new file for each process and each so many bytes, and none of the oldest beyond a bound.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// How files are called: `decisions-`, a time-ordered number, `.jsonl`.
const BEGINNING: &str = "decisions-";
const END: &str = ".jsonl";

/// All files have this share of the bytes, so that removing the oldest leaves most of what there is.
const FILES: u64 = 8;

/// A folder of recordings.
pub(super) struct Folder {
    path: PathBuf,
    most_bytes: u64,
}

impl Folder {
    pub(super) fn open(path: &Path, most_bytes: u64) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self { path: path.to_owned(), most_bytes })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes after which a file is ended and another one begun.
    pub(super) fn bytes_of_a_file(&self) -> u64 {
        (self.most_bytes / FILES).max(1)
    }

    /// Begins a file behind all there are, and removes the oldest of those that are too many.
    pub(super) fn begin(&self) -> io::Result<File> {
        let names = names(&self.path)?;
        self.remove_oldest(&names);
        let mut number = names.last().and_then(|name| number_of(name)).map_or(0, |last| last + 1);
        loop {
            let path = self.path.join(format!("{BEGINNING}{number:010}{END}"));
            match OpenOptions::new().write(true).create_new(true).open(path) {
                // Another process was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                begun => return begun,
            }
        }
    }

    /// Leaves as many bytes as there is room for beside the file that is to come.
    fn remove_oldest(&self, names: &[String]) {
        let mut room = self.most_bytes.saturating_sub(self.bytes_of_a_file());
        for name in names.iter().rev() {
            let path = self.path.join(name);
            let bytes = fs::metadata(&path).map_or(0, |about| about.len());
            match room.checked_sub(bytes) {
                Some(left) => room = left,
                None => {
                    room = 0;
                    // Another process may have removed it; one that still writes it keeps what it has open.
                    let _ = fs::remove_file(path);
                }
            }
        }
    }
}

/// The recordings of a folder, oldest first.
pub(super) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(names(folder)?.into_iter().map(|name| folder.join(name)).collect())
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        if number_of(&name).is_some() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix(BEGINNING)?.strip_suffix(END)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_latest_and_whatever_is_not_its_own() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path(), 800).unwrap();
        fs::write(place.path().join("decisions-mine.jsonl"), "x").unwrap();
        for _ in 0..12 {
            let file = folder.begin().unwrap();
            file.set_len(folder.bytes_of_a_file()).unwrap();
        }

        let left: Vec<_> =
            files(place.path()).unwrap().iter().map(|path| path.file_name().unwrap().to_owned()).collect();

        assert_eq!(left.len(), 8);
        assert_eq!(left[0], "decisions-0000000004.jsonl");
        assert!(place.path().join("decisions-mine.jsonl").exists());
    }

    #[test]
    fn gives_each_process_a_file_of_its_own() {
        let place = tempfile::tempdir().unwrap();
        let (one, other) = (Folder::open(place.path(), 80).unwrap(), Folder::open(place.path(), 80).unwrap());

        let _files = (one.begin().unwrap(), other.begin().unwrap());

        assert_eq!(files(place.path()).unwrap().len(), 2);
    }
}
