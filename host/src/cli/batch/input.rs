//! The questions of a batch: a file that is read line by line, as often as it takes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use sha2::{Digest as _, Sha256};

use crate::cli::exit::UsageError;

/// The longest line in bytes: as much as a gateway takes for a request.
const LONGEST: u64 = 50 * 1_000 * 1_000;

/// Stands for standard input.
pub(crate) const STDIN: &str = "-";

/// The file of questions.
pub(crate) struct Input {
    file: File,
}

/// Where a question stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which question it is, from 0; empty lines are none.
    pub(crate) index: u32,
    /// Which line it stands in, from 1.
    pub(crate) number: u64,
}

/// One question as it was written.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) place: Place,
    /// Without the line's end and what is blank around it.
    pub(crate) text: Vec<u8>,
}

/// By what a line is known again: the first 64 bits of its SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest(pub(crate) u64);

/// The lines of a file, from its beginning.
pub(crate) struct Lines {
    reader: BufReader<File>,
    index: u32,
    number: u64,
}

impl Input {
    /// Opens a file, or takes standard input. What can be read only once is copied first, into a file that has no name and goes
    /// with the process: every line is looked at before the first is asked.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let unreadable = |error: io::Error| UsageError(format!("{} cannot be read: {error}", path.display()));
        if path == Path::new(STDIN) {
            return Ok(Self { file: spool(&mut io::stdin().lock())? });
        }
        let mut file = File::open(path).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        if about.is_dir() {
            return Err(UsageError(format!("{} is a folder: name the file of questions", path.display())).into());
        }
        if !about.is_file() {
            file = spool(&mut file)?;
        }
        Ok(Self { file })
    }

    /// Reads it from its beginning. One at a time: all readers share a place in the file.
    pub(crate) fn lines(&self) -> io::Result<Lines> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        Ok(Lines { reader: BufReader::with_capacity(1 << 16, file), index: 0, number: 0 })
    }
}

impl Lines {
    /// The next line that is not empty.
    ///
    /// # Errors
    /// When the file cannot be read or a line is longer than any request.
    pub(crate) fn next(&mut self) -> anyhow::Result<Option<Line>> {
        loop {
            let mut bytes = Vec::new();
            let read = self.reader.by_ref().take(LONGEST + 1).read_until(b'\n', &mut bytes)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            if u64::try_from(read).unwrap_or(u64::MAX) > LONGEST {
                bail!(UsageError(format!("line {} is longer than 50 MB: no provider takes that", self.number)));
            }
            let start = if self.number == 1 { bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes) } else { &bytes };
            let text = start.trim_ascii().to_vec();
            if text.is_empty() {
                continue;
            }
            let place = Place { index: self.index, number: self.number };
            self.index = self.index.checked_add(1).context("there are more questions than a batch can number")?;
            return Ok(Some(Line { place, text }));
        }
    }
}

impl Digest {
    /// Of a line.
    pub(crate) fn of(text: &[u8]) -> Self {
        let first: Option<[u8; 8]> = Sha256::digest(text).first_chunk().copied();
        Self(first.map_or(0, u64::from_be_bytes))
    }
}

fn spool(source: &mut impl Read) -> anyhow::Result<File> {
    let path: PathBuf =
        std::env::temp_dir().join(format!("backstop-batch-{}.{:016x}", std::process::id(), fastrand::u64(..)));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).with_context(|| format!("cannot write {}", path.display()))?;
    // Questions are nobody else's business: the name goes at once, and the content with the process.
    let _ = fs::remove_file(&path);
    io::copy(source, &mut file).context("the questions cannot be kept for a second look")?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn lines(text: &[u8]) -> Vec<(u32, u64, String)> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        let mut lines = Input { file }.lines().unwrap();
        let next = || lines.next().unwrap();
        let all = std::iter::from_fn(next);
        all.map(|line| (line.place.index, line.place.number, String::from_utf8(line.text).unwrap())).collect()
    }

    #[test]
    fn numbers_questions_and_lines() {
        let read = lines(b"\xef\xbb\xbfone\r\n\n  two  \nthree");

        let expected = [(0, 1, "one"), (1, 3, "two"), (2, 4, "three")];
        assert_eq!(read, expected.map(|(index, number, text)| (index, number, text.to_owned())));
    }

    #[test]
    fn is_read_as_often_as_it_takes() {
        let input = Input { file: spool(&mut &b"one\ntwo\n"[..]).unwrap() };

        for _ in 0..2 {
            let mut lines = input.lines().unwrap();
            assert_eq!(lines.next().unwrap().unwrap().text, b"one");
        }
    }

    #[test]
    fn knows_a_line_again() {
        assert_eq!(Digest::of(b"one"), Digest::of(b"one"));
        assert_ne!(Digest::of(b"one"), Digest::of(b"two"));
    }
}
