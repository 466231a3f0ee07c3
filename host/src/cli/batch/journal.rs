//! The journal of a batch: what was asked and what that came to, in lines that outlive the process.
//!
//! A question is entered before it is sent, and its end after its answer has been written. So whatever moment the process dies at, a
//! question without an end may have been paid for, and no other may. Nothing waits for the disk: what was written is the system's to keep when
//! the process is killed.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use backstop::types::NanoUsd;

use crate::cli::exit::UsageError;

use super::input::Digest;
use super::roll::{Fate, Roll};

/// The first line of every journal.
const TITLE: &str = "backstop batch journal 1\n";

/// How many changed questions are named.
const MOST_NAMED: usize = 5;

/// A journal that is written to, and that nobody else writes to meanwhile.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
}

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A question is about to be sent, and may cost so much.
    Asked { index: u32, digest: Digest, worst: NanoUsd },
    /// Its answer is written, and cost so much.
    Answered { index: u32, cost: NanoUsd },
    /// Nobody answered it, which cost so much.
    Failed { index: u32, cost: NanoUsd },
    /// It was not sent after all.
    NotSent { index: u32 },
}

/// What an earlier run has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Past {
    /// What it spent, with the worst case of what it left open.
    pub(crate) spent: NanoUsd,
    /// Whether there was one.
    pub(crate) is_there: bool,
}

impl Journal {
    /// The journal that belongs to a file of answers.
    pub(crate) fn path_of(answers: &Path) -> PathBuf {
        let mut name = answers.file_name().unwrap_or_default().to_os_string();
        name.push(".journal");
        answers.with_file_name(name)
    }

    /// Opens a journal or begins one, and enters into the roll what it tells. Answers are confirmed by the file they are in: until
    /// then what was answered is uncertain.
    ///
    /// # Errors
    /// When it cannot be used, another process uses it, or a question that was asked is not the one it was.
    pub(crate) fn open(path: &Path, roll: &mut Roll) -> anyhow::Result<(Self, Past)> {
        let fault = || format!("the journal {} cannot be used", path.display());
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(|error| UsageError(format!("{}: {error}", fault())))?;
        if file.try_lock().is_err() {
            bail!(UsageError(format!("{} is in use: another batch is writing the same answers", path.display())));
        }
        let (past, end) = recall(&file, roll, path)?;
        // An entry that was cut short was never acted on.
        file.set_len(end).with_context(fault)?;
        file.seek(SeekFrom::End(0)).with_context(fault)?;
        if end == 0 {
            file.write_all(TITLE.as_bytes()).with_context(fault)?;
        }
        Ok((Self { file }, past))
    }

    /// Enters something. It outlives the process from here on.
    pub(crate) fn enter(&mut self, entry: Entry) -> anyhow::Result<()> {
        self.file.write_all(entry.line().as_bytes()).context("the journal cannot be written to")
    }
}

impl Entry {
    fn line(self) -> String {
        match self {
            Self::Asked { index, digest, worst } => format!("> {index} {:016x} {}\n", digest.0, worst.nanos()),
            Self::Answered { index, cost } => format!("+ {index} {}\n", cost.nanos()),
            Self::Failed { index, cost } => format!("! {index} {}\n", cost.nanos()),
            Self::NotSent { index } => format!("- {index}\n"),
        }
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (sign, index) = (words.next()?, words.next()?.parse().ok()?);
        let money = |word: &str| word.parse().ok().map(NanoUsd::from_nanos);
        match sign {
            ">" => {
                let digest = Digest(u64::from_str_radix(words.next()?, 16).ok()?);
                Some(Self::Asked { index, digest, worst: money(words.next()?)? })
            }
            "+" => Some(Self::Answered { index, cost: money(words.next()?)? }),
            "!" => Some(Self::Failed { index, cost: money(words.next()?)? }),
            "-" => Some(Self::NotSent { index }),
            _ => None,
        }
    }
}

/// Reads a journal into the roll; also where its last whole line ends.
fn recall(file: &File, roll: &mut Roll, path: &Path) -> anyhow::Result<(Past, u64)> {
    let mut reader = BufReader::new(file);
    let (mut end, mut past, mut open) = (0u64, Past::default(), HashMap::<u32, NanoUsd>::new());
    let mut changed = Vec::new();
    let mut line = String::new();
    loop {
        line.clear();
        let read = reader.read_line(&mut line).with_context(|| format!("{} cannot be read", path.display()))?;
        if !line.ends_with('\n') {
            // A journal may break off, also within its title; what is none is left alone.
            if end == 0 && !TITLE.starts_with(&*line) {
                bail!(UsageError(format!("{} is no journal of a batch: name another output", path.display())));
            }
            break;
        }
        let is_title = end == 0;
        end += u64::try_from(read)?;
        if is_title {
            if line != TITLE {
                bail!(UsageError(format!("{} is no journal of a batch: name another output", path.display())));
            }
            continue;
        }
        let Some(entry) = Entry::read(line.trim_end()) else {
            bail!(UsageError(format!("{} is damaged at byte {end}: name another output", path.display())));
        };
        past.is_there = true;
        match entry {
            Entry::Asked { index, digest, worst } => {
                if roll.digest(index) != Some(digest) {
                    changed.push(index);
                }
                // Asked again without having ended: both times may have been paid for.
                let before = open.insert(index, worst).unwrap_or_default();
                past.spent = past.spent.saturating_add(before);
                roll.set(index, Fate::Uncertain);
            }
            Entry::Answered { index, cost } => {
                open.remove(&index);
                past.spent = past.spent.saturating_add(cost);
            }
            Entry::Failed { index, cost } => {
                open.remove(&index);
                past.spent = past.spent.saturating_add(cost);
                roll.set(index, Fate::Failed);
            }
            Entry::NotSent { index } => {
                open.remove(&index);
                roll.set(index, Fate::New);
            }
        }
    }
    refuse_changed(changed, path)?;
    past.spent = open.into_values().fold(past.spent, NanoUsd::saturating_add);
    Ok((past, end))
}

fn refuse_changed(mut changed: Vec<u32>, path: &Path) -> Result<(), UsageError> {
    changed.sort_unstable();
    changed.dedup();
    if changed.is_empty() {
        return Ok(());
    }
    let named = changed.iter().take(MOST_NAMED).map(|index| format!("{}", u64::from(*index) + 1));
    let named = named.collect::<Vec<_>>().join(", ");
    let more = if changed.len() > MOST_NAMED { ", …" } else { "" };
    Err(UsageError(format!(
        "the questions are not those this batch began with: {} of them changed or went after they were asked (the {named}{more} of the \
         file, empty lines aside). Bring the file back as it was (lines may be added at its end), or begin a new batch with another -o; \
         {} has the old one",
        changed.len(),
        path.display(),
    )))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    const CENT: NanoUsd = NanoUsd::from_nanos(10_000_000);

    fn roll(lines: &[&str]) -> Roll {
        let mut roll = Roll::default();
        lines.iter().for_each(|line| roll.enter(Digest::of(line.as_bytes()), Fate::New));
        roll
    }

    fn asked(index: u32, line: &str) -> Entry {
        Entry::Asked { index, digest: Digest::of(line.as_bytes()), worst: CENT }
    }

    /// A journal with these entries, closed again.
    fn written(folder: &TempDir, entries: &[Entry]) -> PathBuf {
        let path = folder.path().join("a.journal");
        let (mut journal, _) = Journal::open(&path, &mut roll(&["a", "b", "c", "d"])).unwrap();
        entries.iter().for_each(|entry| journal.enter(*entry).unwrap());
        path
    }

    #[test]
    fn tells_the_next_run_what_became_of_each_question() {
        let folder = TempDir::new().unwrap();
        let cost = NanoUsd::from_nanos(7);
        let entries = [
            asked(0, "a"),
            asked(1, "b"),
            asked(2, "c"),
            asked(3, "d"),
            Entry::Answered { index: 0, cost },
            Entry::Failed { index: 1, cost },
            Entry::NotSent { index: 3 },
        ];
        let path = written(&folder, &entries);
        let mut roll = roll(&["a", "b", "c", "d", "added"]);

        let (_, past) = Journal::open(&path, &mut roll).unwrap();

        let fates = [0, 1, 2, 3, 4].map(|index| roll.fate(index).unwrap());
        assert_eq!(fates, [Fate::Uncertain, Fate::Failed, Fate::Uncertain, Fate::New, Fate::New]);
        assert_eq!(past.spent.nanos(), 7 + 7 + CENT.nanos(), "what is open counts at its worst case");
    }

    #[test]
    fn counts_what_was_left_open_also_when_it_was_asked_again() {
        let folder = TempDir::new().unwrap();
        let cost = NanoUsd::from_nanos(7);
        let path = written(&folder, &[asked(0, "a"), asked(0, "a"), Entry::Answered { index: 0, cost }]);

        let (_, past) = Journal::open(&path, &mut roll(&["a"])).unwrap();

        assert_eq!(past.spent.nanos(), CENT.nanos() + 7);
    }

    #[test]
    fn forgets_an_entry_that_was_cut_short() {
        let folder = TempDir::new().unwrap();
        let path = written(&folder, &[asked(0, "a")]);
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}> 1 00")).unwrap();
        let mut roll = roll(&["a", "b", "c", "d"]);

        let (mut journal, _) = Journal::open(&path, &mut roll).unwrap();
        journal.enter(asked(2, "c")).unwrap();

        assert_eq!(roll.fate(1), Some(Fate::New));
        assert_eq!(fs::read_to_string(&path).unwrap(), whole + &asked(2, "c").line());
    }

    #[test]
    fn notices_a_question_that_is_not_the_one_it_was() {
        let folder = TempDir::new().unwrap();
        let path = written(&folder, &[asked(0, "a"), asked(3, "d")]);

        let changed = Journal::open(&path, &mut roll(&["A", "b", "c", "d"])).unwrap_err().to_string();
        let gone = Journal::open(&path, &mut roll(&["a", "b"])).unwrap_err().to_string();

        assert!(changed.contains("1 of them changed or went after they were asked (the 1 of the file"), "{changed}");
        assert!(gone.contains("(the 4 of the file"), "{gone}");
    }

    #[test]
    fn keeps_a_second_batch_away() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.journal");
        let (_journal, _) = Journal::open(&path, &mut roll(&["a"])).unwrap();

        let second = Journal::open(&path, &mut roll(&["a"])).unwrap_err().to_string();

        assert!(second.ends_with("another batch is writing the same answers"), "{second}");
    }

    #[test]
    fn writes_into_no_file_that_is_something_else() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.journal");
        fs::write(&path, "dear diary\n").unwrap();

        assert!(Journal::open(&path, &mut roll(&["a"])).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "dear diary\n");
    }
}
