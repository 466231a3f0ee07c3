//! A recording read again, line by line: one file, or all of a folder.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::folder;
use super::line::Entry;

/// The longest line that is read: a roster of thousands.
const LONGEST: u64 = 16 << 20;

/// One line and where it stands.
#[derive(Debug, Clone)]
pub struct Line {
    file: Arc<Path>,
    number: u64,
    text: String,
}

/// Why a recording cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// There is no such file or folder, or it cannot be read.
    #[error("{}: {source}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
    /// A folder without recordings.
    #[error("{} has no recording (decisions-*.jsonl); a gateway writes one where [recording] is enabled", .path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// A line that is none of a recording's.
    #[error("{}:{number}: no line of a recording: {source}", .file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        number: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A line that is longer than any of a recording's.
    #[error("{}:{number}: a line of more than {LONGEST} bytes: no recording", .file.display())]
    TooLong {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        number: u64,
    },
}

/// The lines of a recording, oldest first.
pub struct Lines {
    files: std::vec::IntoIter<PathBuf>,
    open: Option<Open>,
}

struct Open {
    path: Arc<Path>,
    reader: BufReader<File>,
    number: u64,
}

impl Line {
    /// What it says.
    ///
    /// # Errors
    /// When it is no line of a recording.
    pub fn read(&self) -> Result<Entry, ReadError> {
        serde_json::from_str(&self.text).map_err(|source| ReadError::Line {
            file: self.file.to_path_buf(),
            number: self.number,
            source,
        })
    }

    /// Whether it is the end of a request, without reading it.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.text.starts_with("{\"ended\"")
    }

    /// Whether it is a decision, without reading it.
    #[must_use]
    pub fn is_decision(&self) -> bool {
        self.text.starts_with("{\"decided\"")
    }

    /// Whether it is the first of its file: the numbers of panels begin anew there.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.number == 1
    }
}

impl Lines {
    /// Opens a file, or all recordings of a folder.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let fault = |source| ReadError::Io { path: path.to_owned(), source };
        let files = match std::fs::metadata(path).map_err(fault)?.is_dir() {
            true => folder::files(path).map_err(fault)?,
            false => vec![path.to_owned()],
        };
        if files.is_empty() {
            return Err(ReadError::Empty { path: path.to_owned() });
        }
        Ok(Self { files: files.into_iter(), open: None })
    }

    fn read_on(&mut self) -> Result<Option<Line>, ReadError> {
        loop {
            let open = match &mut self.open {
                Some(open) => open,
                None => match self.files.next() {
                    Some(path) => self.open.insert(Open::of(path)?),
                    None => return Ok(None),
                },
            };
            match open.line()? {
                Some(line) => return Ok(Some(line)),
                None => self.open = None,
            }
        }
    }
}

impl Open {
    fn of(path: PathBuf) -> Result<Self, ReadError> {
        match File::open(&path) {
            Ok(file) => Ok(Self { reader: BufReader::with_capacity(1 << 18, file), path: path.into(), number: 0 }),
            Err(source) => Err(ReadError::Io { path, source }),
        }
    }

    /// The next whole line. What a process that was killed has left behind the last of them is none.
    fn line(&mut self) -> Result<Option<Line>, ReadError> {
        let mut text = String::new();
        self.number += 1;
        let read = io::Read::take(&mut self.reader, LONGEST).read_line(&mut text);
        let read = read.map_err(|source| ReadError::Io { path: self.path.to_path_buf(), source })?;
        if text.pop() == Some('\n') {
            return Ok(Some(Line { file: Arc::clone(&self.path), number: self.number, text }));
        }
        if u64::try_from(read) == Ok(LONGEST) {
            return Err(ReadError::TooLong { file: self.path.to_path_buf(), number: self.number });
        }
        Ok(None)
    }
}

impl Iterator for Lines {
    type Item = Result<Line, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read_on().transpose()
    }
}
