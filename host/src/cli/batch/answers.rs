//! The file the answers are written to, one whole line at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::cli::exit::UsageError;

use super::roll::Roll;
use super::told::{self, Gist, Owner};

/// Where answers go.
#[derive(Debug)]
pub(crate) enum Answers {
    /// Standard output.
    Stdout,
    /// A file that may hold some already.
    File { path: PathBuf, file: File },
}

/// A line that is there already.
struct Written {
    index: u32,
    start: u64,
    length: u64,
    gist: Gist,
}

impl Answers {
    /// Opens a file, or makes it. A last line that was cut short is taken out: who wrote it did not live to see it whole.
    ///
    /// # Errors
    /// When it cannot be written to.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let fault = || format!("{} cannot be written to", path.display());
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(|error| UsageError(format!("{}: {error}", fault())))?;
        let end = end_of_whole_lines(&mut file).with_context(fault)?;
        file.set_len(end).with_context(fault)?;
        file.seek(SeekFrom::End(0)).with_context(fault)?;
        Ok(Self::File { path: path.to_owned(), file })
    }

    /// Whether nothing is in it.
    pub(crate) fn is_empty(&self) -> anyhow::Result<bool> {
        match self {
            Self::Stdout => Ok(true),
            Self::File { file, .. } => Ok(file.metadata()?.len() == 0),
        }
    }

    /// Adds a line. It outlives the process from here on.
    pub(crate) fn add(&mut self, mut line: String) -> anyhow::Result<()> {
        line.push('\n');
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(line.as_bytes())?;
                Ok(stdout.flush()?)
            }
            Self::File { path, file } => {
                let fault = || format!("{} cannot be written to", path.display());
                file.write_all(line.as_bytes()).with_context(fault)
            }
        }
    }

    /// Tells what is in it, line by line.
    ///
    /// # Errors
    /// When a line is not one of this batch's.
    pub(crate) fn tell(&self, roll: &Roll, mut tell: impl FnMut(u32, Gist)) -> anyhow::Result<()> {
        self.written(roll, |written| tell(written.index, written.gist))
    }

    /// Writes it anew with the lines that are to stay, in their order or in that of the questions. Takes the place of the old one
    /// in one step.
    pub(crate) fn rewrite(&mut self, roll: &Roll, in_order: bool, stays: impl Fn(u32) -> bool) -> anyhow::Result<()> {
        let Self::File { path, .. } = self else { return Ok(()) };
        let mut lines: Vec<(u32, u64, u64)> = Vec::new();
        // What a link points to is replaced, and not the link.
        let path = path.canonicalize()?;
        self.written(roll, |line| {
            if stays(line.index) {
                lines.push((line.index, line.start, line.length));
            }
        })?;
        if in_order {
            lines.sort_unstable();
        }
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".new");
        let new = path.with_file_name(name);
        let fault = || format!("{} cannot be written to", new.display());
        let mut source = BufReader::new(File::open(&path)?);
        let file = File::create(&new).with_context(fault)?;
        file.set_permissions(fs::metadata(&path)?.permissions()).with_context(fault)?;
        let mut target = BufWriter::new(file);
        let mut at = 0u64;
        for (_, start, length) in lines {
            // A step within the buffer costs nothing: most lines stay where they are.
            source.seek_relative(i64::try_from(start)? - i64::try_from(at)?)?;
            io::copy(&mut source.by_ref().take(length), &mut target).with_context(fault)?;
            at = start + length;
        }
        target.flush().with_context(fault)?;
        target.get_ref().sync_all().with_context(fault)?;
        drop(target);
        fs::rename(&new, &path).with_context(fault)?;
        *self = Self::open(&path)?;
        Ok(())
    }

    fn written(&self, roll: &Roll, mut tell: impl FnMut(Written)) -> anyhow::Result<()> {
        let Self::File { path, .. } = self else { return Ok(()) };
        let mut reader = BufReader::with_capacity(1 << 16, File::open(path)?);
        let (mut start, mut number, mut line) = (0u64, 0u64, Vec::new());
        loop {
            line.clear();
            let length = u64::try_from(reader.read_until(b'\n', &mut line)?)?;
            if length == 0 {
                return Ok(());
            }
            number += 1;
            let read = told::read(&line).and_then(|(owner, gist)| Some((index_of(owner, roll)?, gist)));
            let Some((index, gist)) = read else {
                bail!(UsageError(format!(
                    "line {number} of {} is no answer to one of these questions: name another output with -o",
                    path.display()
                )));
            };
            tell(Written { index, start, length, gist });
            start += length;
        }
    }
}

fn index_of(owner: Owner, roll: &Roll) -> Option<u32> {
    match owner {
        Owner::Index(index) => roll.fate(index).map(|_| index),
        Owner::Name(name) => roll.named(&name),
    }
}

/// Where the last line that is whole ends.
fn end_of_whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut piece = vec![0; 1 << 16];
    while end > 0 {
        let length = end.min(1 << 16);
        let Some(piece) = usize::try_from(length).ok().and_then(|length| piece.get_mut(..length)) else { break };
        file.seek(SeekFrom::Start(end - length))?;
        file.read_exact(piece)?;
        if let Some(place) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(end - length + u64::try_from(place).unwrap_or(0) + 1);
        }
        end -= length;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use crate::cli::batch::input::Digest;
    use crate::cli::batch::roll::Fate;

    use super::*;

    fn roll(count: u32) -> Roll {
        let mut roll = Roll::default();
        (0..count).for_each(|index| roll.enter(Digest(index.into()), Fate::New));
        roll
    }

    fn line(index: u32) -> String {
        format!(r#"{{"index":{index},"answer":"{}"}}"#, "x".repeat(index as usize * 40_000))
    }

    fn indices(answers: &Answers) -> Vec<u32> {
        let mut indices = Vec::new();
        answers.tell(&roll(4), |index, _| indices.push(index)).unwrap();
        indices
    }

    #[test]
    fn takes_a_torn_last_line_out() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.jsonl");
        fs::write(&path, format!("{}\n{}", line(0), &line(3)[..100_000])).unwrap();

        let mut answers = Answers::open(&path).unwrap();
        answers.add(line(1)).unwrap();

        assert_eq!(indices(&answers), [0, 1]);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n{}\n", line(0), line(1)));
    }

    #[test]
    fn is_brought_into_order_and_rid_of_lines() {
        let folder = TempDir::new().unwrap();
        let mut answers = Answers::open(&folder.path().join("a.jsonl")).unwrap();
        [3, 0, 2, 1].into_iter().for_each(|index| answers.add(line(index)).unwrap());

        answers.rewrite(&roll(4), false, |index| index != 2).unwrap();
        assert_eq!(indices(&answers), [3, 0, 1]);
        answers.add(line(2)).unwrap();
        answers.rewrite(&roll(4), true, |_| true).unwrap();

        assert_eq!(indices(&answers), [0, 1, 2, 3]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn refuses_what_is_no_answer_to_these_questions() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.jsonl");
        for foreign in ["{}", "dear diary", r#"{"index":9,"answer":""}"#] {
            fs::write(&path, format!("{}\n{foreign}\n", line(0))).unwrap();

            let error = Answers::open(&path).unwrap().tell(&roll(4), |_, _| {}).unwrap_err().to_string();

            assert!(error.starts_with("line 2 of "), "{error}");
        }
    }
}
