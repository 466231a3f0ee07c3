//! The tables of `COVERAGE.md`: which tests show which requirement, and which try which bad input.

use std::fs;
use std::path::{Path, PathBuf};

use crate::binary::repository;

/// The tables, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The requirements in the table's order.
    pub rows: Vec<CoverageRow>,
    /// The bad inputs in their table's order. Their ids are apart from those of requirements.
    pub bad_inputs: Vec<CoverageRow>,
}

/// One requirement or bad input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverageRow {
    /// Such as `A1` or `R26`.
    pub id: String,
    /// The tests that show it; none yet where it is empty.
    pub tests: Vec<TestName>,
}

/// A test as the table names it: `host: guard::breaker::tests::opens_on_the_fifth_failure`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestName {
    /// `host`, `tests` or `guests`.
    pub area: String,
    /// The path of modules, without any `tests` in it.
    pub module: String,
    /// The function.
    pub function: String,
}

/// What stands in a row that has no test.
const NOT_YET: &str = "not yet";

/// The heading of the second table.
const BAD_INPUTS: &str = "## Bad inputs";

impl Coverage {
    /// Reads the tables out of the page's text.
    ///
    /// # Errors
    /// The first row that is not of the form, with the reason.
    pub fn parse(page: &str) -> Result<Self, String> {
        let (requirements, bad_inputs) = page.split_once(BAD_INPUTS).unwrap_or((page, ""));
        Ok(Self { rows: parse_table(requirements)?, bad_inputs: parse_table(bad_inputs)? })
    }

    /// Reads `tests/COVERAGE.md`.
    ///
    /// # Errors
    /// Where it cannot be read, and those of [`parse`](Self::parse).
    pub fn load() -> Result<Self, String> {
        let file = repository().join("tests/COVERAGE.md");
        Self::parse(&fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?)
    }
}

impl TestName {
    /// Whether there is such a test: a function of this name, marked as a test, in a file of that module.
    #[must_use]
    pub fn exists(&self) -> bool {
        let root = repository().join(match self.area.as_str() {
            "guests" => "guest-strategies",
            area => area,
        });
        rust_files(&root).into_iter().filter(|file| module_of(&root, file) == self.module).any(|file| {
            let text = fs::read_to_string(file).unwrap_or_default();
            has_test(&text, &self.function)
        })
    }
}

fn parse_table(text: &str) -> Result<Vec<CoverageRow>, String> {
    text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| id ")).map(parse_row).collect()
}

fn parse_row(line: &str) -> Result<CoverageRow, String> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [id, _, tests] = cells.as_slice() else {
        return Err(format!("a row has {} cells in place of 3: {line}", cells.len()));
    };
    let names = if *tests == NOT_YET { Vec::new() } else { tests.split(", ").collect() };
    let tests = names.into_iter().map(parse_name).collect::<Result<_, _>>();
    Ok(CoverageRow { id: (*id).to_owned(), tests: tests.map_err(|error| format!("{id}: {error}"))? })
}

fn parse_name(name: &str) -> Result<TestName, String> {
    let form = || format!("{name} is neither `{NOT_YET}` nor of the form `AREA: MODULE::tests::NAME` in backticks");
    let plain = name.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).ok_or_else(form)?;
    let (area, path) = plain.split_once(": ").ok_or_else(form)?;
    if !["host", "tests", "guests"].contains(&area) {
        return Err(format!("`{area}` is not one of host, tests, guests"));
    }
    let (module, function) = path.rsplit_once("::").ok_or_else(form)?;
    let module = module.split("::").filter(|part| *part != "tests").collect::<Vec<_>>().join("::");
    Ok(TestName { area: area.to_owned(), module, function: function.to_owned() })
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    let files = paths.filter(|path| !path.ends_with("target")).flat_map(|path| match path.extension() {
        _ if path.is_dir() => rust_files(&path),
        Some(extension) if extension == "rs" => vec![path],
        _ => Vec::new(),
    });
    files.collect()
}

/// `guard::breaker` of `src/guard/breaker.rs`, `src/guard/breaker/mod.rs` and `src/guard/breaker/tests.rs`.
fn module_of(root: &Path, file: &Path) -> String {
    let path = file.strip_prefix(root).unwrap_or(file).with_extension("");
    let parts = path.iter().filter_map(|part| part.to_str());
    let named: Vec<&str> = parts.filter(|part| !["src", "tests", "lib", "mod", "main"].contains(part)).collect();
    named.join("::")
}

/// Whether the text has the function with an attribute that makes it a test right above it.
fn has_test(text: &str, function: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let is_it = |line: &str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(function)).is_some_and(|rest| rest.starts_with('('))
    };
    lines.iter().enumerate().filter(|(_, line)| is_it(line)).any(|(place, _)| {
        let above = lines.iter().take(place).rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        above.into_iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rows_and_passes_over_the_rest() {
        let page = "# Coverage\n\n| id | behaviour | shown by |\n|---|---|---|\n| A1 | first | not yet |\n\
                    | R2 | second | `host: guard::tests::one`, `tests: ask::two` |\n\n\
                    ## Bad inputs\n\n| id | input | shown by |\n|---|---|---|\n| A1 | odd | `host: config::tests::faults::three` |\n";

        let Coverage { rows, bad_inputs } = Coverage::parse(page).unwrap();

        let name = |area: &str, module: &str, function: &str| TestName {
            area: area.to_owned(),
            module: module.to_owned(),
            function: function.to_owned(),
        };
        assert_eq!(rows[0], CoverageRow { id: "A1".to_owned(), tests: Vec::new() });
        assert_eq!(rows[1].tests, [name("host", "guard", "one"), name("tests", "ask", "two")]);
        assert_eq!(bad_inputs[0].tests, [name("host", "config::faults", "three")]);
        assert_eq!((rows.len(), bad_inputs.len()), (2, 1));
    }

    #[test]
    fn says_which_row_is_not_of_the_form() {
        let wrong = ["| A1 | x |", "| A1 | x | host: a::b |", "| A1 | x | `elsewhere: a::b` |", "| A1 | x | later |"];

        let errors: Vec<String> = wrong.map(|row| Coverage::parse(row).unwrap_err()).to_vec();

        insta::assert_snapshot!(errors.join("\n"), @r#"
        a row has 2 cells in place of 3: | A1 | x |
        A1: host: a::b is neither `not yet` nor of the form `AREA: MODULE::tests::NAME` in backticks
        A1: `elsewhere` is not one of host, tests, guests
        A1: later is neither `not yet` nor of the form `AREA: MODULE::tests::NAME` in backticks
        "#);
    }

    #[test]
    fn finds_a_test_in_the_file_its_path_implies() {
        let here = |function: &str| parse_name(&format!("`tests: coverage::tests::{function}`")).unwrap().exists();

        assert!(here("finds_a_test_in_the_file_its_path_implies"));
        assert!(!here("parse_name"), "a function that is no test");
        assert!(!here("never_written"));
    }

    #[test]
    fn takes_tests_of_properties_and_of_async_code_too() {
        let text = "proptest! {\n    #[test]\n    /// Why.\n    fn one(x in 0..1) {\n\n#[tokio::test(flavor = \"multi_thread\")]\n\
                    async fn two() {\n\nfn three() {";

        assert!(has_test(text, "one") && has_test(text, "two"));
        assert!(!has_test(text, "three") && !has_test(text, "on"));
    }
}
