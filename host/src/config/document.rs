//! The configuration file as text: read once, whole, within bounds, with its lines counted.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use toml::de::DeTable;

use super::origin::Origin;
use super::problem::Fault;
use super::report::Report;

/// Bytes a configuration may have: no honest one comes near.
const MOST_BYTES: u64 = 1 << 20;

/// A text file and where its lines begin.
pub(super) struct Document {
    name: Arc<str>,
    text: String,
    line_starts: Vec<usize>,
}

/// Why a file cannot be read as configuration.
pub(super) enum Unreadable {
    /// There is nothing of that name.
    Missing,
    /// There is, but it is no regular file.
    NotAFile(Fault),
    /// Anything else.
    Faulty(Fault),
}

impl Document {
    /// Reads a file in one go. `name` is what messages call it.
    pub(super) fn read(path: &Path, name: &str) -> Result<Self, Unreadable> {
        let bytes = read_bounded(path)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let line = error.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
            Unreadable::Faulty(Fault::words(format!("line {line} is not UTF-8"), "save the file as UTF-8"))
        })?;
        Ok(Self::new(name, &text))
    }

    /// Takes a text. A byte order mark in front of it is dropped.
    pub(super) fn new(name: &str, text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect();
        Self { name: name.into(), text, line_starts }
    }

    /// The whole text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What was written in a span of bytes.
    pub(super) fn written(&self, span: std::ops::Range<usize>) -> &str {
        self.text.get(span).unwrap_or_default()
    }

    /// The place of a byte.
    pub(super) fn place(&self, at: usize) -> Origin {
        Origin::File {
            file: Arc::clone(&self.name),
            line: Some(self.line_starts.partition_point(|start| *start <= at)),
        }
    }

    /// The file as a whole.
    pub(super) fn whole(&self) -> Origin {
        Origin::File { file: Arc::clone(&self.name), line: None }
    }

    /// Parses the text as TOML. Syntax errors and duplicate keys are reported, all of them; a table comes back where what is
    /// left still means what was written.
    pub(super) fn parse(&self, report: &mut Report) -> Option<DeTable<'_>> {
        let (table, mut errors) = DeTable::parse_recoverable(&self.text);
        errors.sort_by_key(|error| error.span().map(|span| span.start));
        let mut is_whole = true;
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            let duplicate = error.message() == "duplicate key";
            is_whole &= duplicate;
            let (what, mend) = match error.span().filter(|_| duplicate) {
                Some(span) => (format!("{:?} is there twice", self.written(span)), "keep one of them".to_owned()),
                None => (format!("not TOML: {}", error.message()), String::new()),
            };
            let what = super::origin::shortened(&what, 200);
            report.fault(self.place(at), "", None, Fault::words(what, mend));
        }
        is_whole.then(|| table.into_inner())
    }
}

/// Opens nothing but a regular file: to open a pipe would wait for whoever writes into it.
fn read_bounded(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(&error))?;
    if metadata.is_dir() {
        return Err(Unreadable::NotAFile(Fault::words("a directory", "name a file")));
    }
    if !metadata.is_file() {
        return Err(Unreadable::NotAFile(Fault::words("not a regular file", "name a file")));
    }
    let too_long = || Unreadable::Faulty(Fault::words("longer than 1 MiB", "is this the right file?"));
    if metadata.len() > MOST_BYTES {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > MOST_BYTES { Err(too_long()) } else { Ok(bytes) }
}

fn unreadable(error: &io::Error) -> Unreadable {
    match error.kind() {
        io::ErrorKind::NotFound => Unreadable::Missing,
        _ => Unreadable::Faulty(Fault::words(format!("cannot be read: {error}"), "")),
    }
}

/// Whether anybody on the machine may write the file.
#[cfg(unix)]
pub(super) fn is_world_writable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o002 != 0)
}

/// Whether anybody on the machine may write the file; not told on this platform.
#[cfg(not(unix))]
pub(super) fn is_world_writable(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn problems(text: &str) -> (bool, Vec<String>) {
        let mut report = Report::default();
        let document = Document::new("backstop.toml", text);
        let parsed = document.parse(&mut report).is_some();
        (parsed, report.problems.iter().map(ToString::to_string).collect())
    }

    fn refusal(path: &Path) -> String {
        match Document::read(path, "backstop.toml") {
            Ok(_) => "read".to_owned(),
            Err(Unreadable::Missing) => "missing".to_owned(),
            Err(Unreadable::NotAFile(fault) | Unreadable::Faulty(fault)) => fault.what,
        }
    }

    #[test]
    fn counts_lines_from_one() {
        let document = Document::new("f", "a\nbc\n");
        let line = |at| document.place(at).to_string();

        assert_eq!([line(0), line(1), line(2), line(5)], ["f:1", "f:1", "f:2", "f:3"]);
    }

    // C4, C5
    #[test]
    fn takes_a_byte_order_mark_and_windows_line_ends() {
        let document = Document::new("f", "\u{feff}[budget]\r\ndaily_usd = 1\r\n");
        let mut report = Report::default();

        let table = document.parse(&mut report).unwrap();

        assert!(table.contains_key("budget"));
        assert!(report.problems.is_empty());
        assert_eq!(document.place(10).to_string(), "f:2");
    }

    // C6
    #[test]
    fn names_keys_that_are_there_twice() {
        let (parsed, problems) = problems("a = 1\nb = 2\na = 3\n[t]\n[t]\n");

        assert!(parsed);
        assert_eq!(
            problems,
            [
                r#"backstop.toml:3: "a" is there twice; keep one of them"#,
                r#"backstop.toml:5: "t" is there twice; keep one of them"#
            ]
        );
    }

    #[test]
    fn lists_every_syntax_error_with_its_line() {
        let (parsed, problems) = problems("a = \nb = 1\nc = [1,\n");

        assert!(!parsed);
        assert!(problems.len() >= 2, "{problems:?}");
        assert!(problems[0].starts_with("backstop.toml:1: not TOML: "), "{problems:?}");
    }

    // C8
    #[test]
    fn survives_deep_nesting() {
        let inline = format!("a = {}{}", "{b=".repeat(10_000), "}".repeat(10_000));
        let lists = format!("a = {}", "[".repeat(100_000));
        let header = format!("[a{}]", ".a".repeat(10_000));
        let headers: String = (0..10_000).map(|depth| format!("[a{depth}.b.c.d]\n")).collect();

        assert!(!problems(&inline).0);
        assert!(!problems(&lists).0);
        assert!(!problems(&header).0);
        assert!(problems(&headers).0);
    }

    // C2, C3
    #[test]
    fn refuses_what_is_no_text_of_reasonable_size() {
        let folder = tempfile::tempdir().unwrap();
        let (large, latin, sparse) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("c"));
        std::fs::write(&large, vec![b'#'; (1 << 20) + 1]).unwrap();
        std::fs::write(&latin, b"# fine\n# caf\xe9\n").unwrap();
        File::create(&sparse).unwrap().set_len(100 << 20).unwrap();

        assert_eq!(refusal(&large), "longer than 1 MiB");
        assert_eq!(refusal(&sparse), "longer than 1 MiB");
        assert_eq!(refusal(&latin), "line 2 is not UTF-8");
        assert_eq!(refusal(folder.path()), "a directory");
        assert_eq!(refusal(&folder.path().join("d")), "missing");
    }

    #[cfg(unix)]
    #[test]
    fn does_not_wait_for_the_writer_of_a_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        if !made.is_ok_and(|status| status.success()) {
            return;
        }

        assert_eq!(refusal(&pipe), "not a regular file");
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = problems(&String::from_utf8_lossy(&bytes));
        }
    }
}
