//! The `.env` file of the working directory.
//!
//! Parsed by dotenvy, whose rules for quotes, comments and `export` people know; a `$NAME` in it is filled from the
//! environment. Of a name that is there twice the later counts, as a shell would have it.

use std::path::Path;

use super::document::{self, Document, Unreadable};
use super::origin::Origin;
use super::problem::Fault;
use super::report::Report;

/// What messages call the file.
const NAME: &str = ".env";

/// Reads the folder's `.env`, where there is one. A folder of that name (a Python environment) is passed over.
pub(super) fn read(folder: &Path, report: &mut Report) -> Vec<(String, String)> {
    let path = folder.join(NAME);
    let whole = Origin::File { file: NAME.into(), line: None };
    match Document::read(&path, NAME) {
        Ok(document) => {
            if document::is_world_writable(&path) {
                report.notice(whole, "everybody on this machine may change it; chmod o-w .env mends that");
            }
            parse(&document, report)
        }
        Err(Unreadable::Missing) => Vec::new(),
        Err(Unreadable::NotAFile(_)) if path.is_dir() => Vec::new(),
        Err(Unreadable::NotAFile(fault)) => {
            report.notice(whole, format!("{}: it is not read", fault.what));
            Vec::new()
        }
        Err(Unreadable::Faulty(fault)) => {
            report.fault(whole, "", None, fault);
            Vec::new()
        }
    }
}

fn parse(document: &Document, report: &mut Report) -> Vec<(String, String)> {
    // dotenvy takes white space at the very end for an unfinished line.
    let text = format!("{}\n", document.text().trim_end());
    let mut variables = Vec::new();
    for item in dotenvy::from_read_iter(text.as_bytes()) {
        match item {
            Ok(variable) => variables.push(variable),
            // The message of the error would repeat the line, and with it a key.
            Err(error) => report.fault(place_of(&error, document), "", None, not_a_variable()),
        }
    }
    variables
}

fn place_of(error: &dotenvy::Error, document: &Document) -> Origin {
    match error {
        dotenvy::Error::LineParse(line, _) => {
            document.text().find(line.as_str()).map_or_else(|| document.whole(), |at| document.place(at))
        }
        _ => document.whole(),
    }
}

fn not_a_variable() -> Fault {
    Fault::words("not a variable", "write NAME=value, with quotes around a value that holds spaces").secret()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> (Vec<(String, String)>, Vec<String>) {
        let mut report = Report::default();
        let variables = parse(&Document::new(NAME, text), &mut report);
        (variables, report.problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn reads_the_files_of_the_five_systems() {
        let text = "# Keys\nexport A=\"quoted # not a comment\"\nB=plain  # Options: x, y\nC=  # nothing\nD='single'\nB=again ";

        let (variables, problems) = parsed(text);

        let expected = [("A", "quoted # not a comment"), ("B", "plain"), ("C", ""), ("D", "single"), ("B", "again")];
        assert_eq!(variables, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn names_the_line_that_is_no_variable_without_repeating_it() {
        let (variables, problems) = parsed("A=1\nB canary\nC=3\n");

        assert_eq!(variables.len(), 2);
        let expected = ".env:2: not a variable; write NAME=value, with quotes around a value that holds spaces";
        assert_eq!(problems, [expected]);
    }

    #[test]
    fn passes_over_a_folder_of_that_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(NAME)).unwrap();
        let mut report = Report::default();

        assert!(read(folder.path(), &mut report).is_empty());
        assert!(report.problems.is_empty());
    }

    proptest! {
        #[test]
        fn never_panics(text in "([A-Z]{1,3}=)?.{0,60}\n.{0,60}") {
            let _ = parsed(&text);
        }
    }
}
