//! One table of the file, read key by key: what is wrong is reported and passed over, what is left over is unknown.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::Document;
use super::origin::{Origin, join};
use super::problem::{Fault, Read};
use super::report::Report;
use super::value;

/// Keys longer than this are not compared with the known ones: no slip of the pen is that long.
const LONGEST_COMPARED: usize = 40;

/// A table being read.
pub(super) struct Section<'r, 'd> {
    report: &'r mut Report,
    document: &'d Document,
    table: &'d DeTable<'d>,
    path: String,
    known: Vec<&'static str>,
    hidden: Vec<&'static str>,
}

/// A key and its value as they stand in the file.
#[derive(Clone, Copy)]
pub(super) struct Entry<'d> {
    pub(super) key: &'d str,
    pub(super) value: &'d DeValue<'d>,
    /// Its place in a list, where it is an item of one.
    index: Option<usize>,
    key_at: usize,
    value_start: usize,
    value_end: usize,
}

impl<'r, 'd> Section<'r, 'd> {
    /// The file's outermost table.
    pub(super) fn root(report: &'r mut Report, document: &'d Document, table: &'d DeTable<'d>) -> Self {
        Self { report, document, table, path: String::new(), known: Vec::new(), hidden: Vec::new() }
    }

    /// The dotted path of a key of this table.
    pub(super) fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    fn path_of_entry(&self, entry: Entry<'_>) -> String {
        let path = self.path_of(entry.key);
        entry.index.map_or(path.clone(), |index| format!("{path}[{index}]"))
    }

    /// What was found so far.
    pub(super) fn report(&mut self) -> &mut Report {
        self.report
    }

    /// Sets a field from a key, where it is there and in order.
    pub(super) fn set<T>(&mut self, key: &'static str, field: &mut T, read: impl Fn(&DeValue<'_>) -> Read<T>) {
        if let Some(value) = self.get(key, read) {
            *field = value;
        }
    }

    /// Sets a field that may be empty.
    pub(super) fn set_some<T>(
        &mut self,
        key: &'static str,
        field: &mut Option<T>,
        read: impl Fn(&DeValue<'_>) -> Read<T>,
    ) {
        if let Some(value) = self.get(key, read) {
            *field = Some(value);
        }
    }

    /// Reads a key, where it is there and in order.
    pub(super) fn get<T>(&mut self, key: &'static str, read: impl Fn(&DeValue<'_>) -> Read<T>) -> Option<T> {
        let entry = self.entry(key)?;
        self.read(entry, read)
    }

    /// Reads an entry of this table.
    pub(super) fn read<T>(&mut self, entry: Entry<'d>, read: impl Fn(&DeValue<'_>) -> Read<T>) -> Option<T> {
        match read(entry.value) {
            Ok(value) => {
                let path = self.path_of_entry(entry);
                self.report.origins.note(path, self.document.place(entry.key_at));
                Some(value)
            }
            Err(fault) => {
                self.fault(entry, fault);
                None
            }
        }
    }

    /// A table within this one.
    pub(super) fn section(&mut self, key: &'static str) -> Option<Section<'_, 'd>> {
        let entry = self.entry(key)?;
        self.open(entry)
    }

    /// An entry of this table as a table of its own.
    pub(super) fn open(&mut self, entry: Entry<'d>) -> Option<Section<'_, 'd>> {
        let path = self.path_of_entry(entry);
        let DeValue::Table(table) = entry.value else {
            self.fault(entry, value::wrong_type(entry.value, "a table", "{ ... }"));
            return None;
        };
        self.report.origins.note(path.clone(), self.document.place(entry.key_at));
        Some(Section {
            report: self.report,
            document: self.document,
            table,
            path,
            known: Vec::new(),
            hidden: Vec::new(),
        })
    }

    /// The items of a list as entries that go by the list's own key.
    pub(super) fn items(&mut self, entry: Entry<'d>) -> Option<Vec<Entry<'d>>> {
        let DeValue::Array(items) = entry.value else { return None };
        let path = self.path_of(entry.key);
        self.report.origins.note(path, self.document.place(entry.key_at));
        let item = |(index, item)| Entry { index: Some(index), ..entry.with_value(item) };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// All entries of the table, in the file's order: for tables whose keys are names.
    pub(super) fn entries(&self) -> Vec<Entry<'d>> {
        let mut entries: Vec<_> = self.table.iter().map(|(key, value)| Entry::new(key, value)).collect();
        entries.sort_by_key(|entry| entry.key_at);
        entries
    }

    /// The entry of a key that is now known to be one of this table's.
    pub(super) fn entry(&mut self, key: &'static str) -> Option<Entry<'d>> {
        self.known.push(key);
        let (key, value) = self.table.get_key_value(key)?;
        Some(Entry::new(key, value))
    }

    /// The entry of a key that is no setting, but that people write: it is found, and never suggested.
    pub(super) fn hidden_entry(&mut self, key: &'static str) -> Option<Entry<'d>> {
        self.hidden.push(key);
        let (key, value) = self.table.get_key_value(key)?;
        Some(Entry::new(key, value))
    }

    /// Whether the table has a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Reports what is wrong with an entry.
    pub(super) fn fault(&mut self, entry: Entry<'d>, fault: Fault) {
        let written = self.document.written(entry.value_start..entry.value_end);
        let is_table = matches!(entry.value, DeValue::Table(_));
        let path = self.path_of_entry(entry);
        let place = self.document.place(if is_table { entry.key_at } else { entry.value_start });
        self.report.fault(place, &path, Some(written).filter(|_| !is_table), fault);
    }

    /// The place of an entry.
    pub(super) fn place(&self, entry: Entry<'d>) -> Origin {
        self.document.place(entry.key_at)
    }

    /// Ends the reading: every key nobody asked for is reported, with the nearest that somebody did.
    pub(super) fn finish(self) {
        for entry in self.entries() {
            if !self.known.contains(&entry.key) && !self.hidden.contains(&entry.key) {
                let path = self.path_of(entry.key);
                let mend = nearest_or_all(entry.key, &self.known);
                let place = self.document.place(entry.key_at);
                self.report.fault(place, &path, None, Fault::words("no such setting", mend));
            }
        }
    }
}

impl<'d> Entry<'d> {
    fn new(key: &'d Spanned<std::borrow::Cow<'d, str>>, value: &'d Spanned<DeValue<'d>>) -> Self {
        let at = key.span().start;
        let entry = Self {
            key: key.get_ref(),
            value: value.get_ref(),
            index: None,
            key_at: at,
            value_start: at,
            value_end: at,
        };
        Self { key_at: at, ..entry.with_value(value) }
    }

    fn with_value(self, value: &'d Spanned<DeValue<'d>>) -> Self {
        let span = value.span();
        Self { value: value.get_ref(), key_at: span.start, value_start: span.start, value_end: span.end, ..self }
    }
}

/// The name that was probably meant, where one is near: a third of the letters may be wrong.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST_COMPARED {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&lower, &known.to_ascii_lowercase());
    let is_near = |(distance, known): &(usize, &str)| {
        let (shorter, longer) = (name.len().min(known.len()), name.len().max(known.len()));
        *distance <= (longer / 3).max(1) && *distance < shorter
    };
    // Of several that are as near, the one that is asked for first.
    let near = known.into_iter().map(|known| (distance(known), known)).filter(is_near);
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// The mend of an unknown name: the nearest known one, else all of them.
#[must_use]
pub fn nearest_or_all(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => format!("there is: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_name_that_was_meant() {
        let known = ["budget", "breaker", "max_attempts", "rpm"];

        for (typo, meant) in
            [("bugdet", Some("budget")), ("max-attempts", Some("max_attempts")), ("RPM", Some("rpm")), ("colour", None)]
        {
            assert_eq!(nearest(typo, known), meant, "{typo}");
        }
        assert_eq!(nearest(&"budget".repeat(1_000), known), None);
    }

    #[test]
    fn reports_what_nobody_asked_for_in_the_files_order() {
        let document = Document::new("f", "rpn = 3\ntpm = \"x\"\ncolour = 1\n");
        let mut report = Report::default();
        let table = document.parse(&mut report).unwrap();
        let mut section = Section::root(&mut report, &document, &table);
        let (mut rpm, mut tpm) = (1, 2);

        section.set("rpm", &mut rpm, value::whole(1..=9));
        section.set("tpm", &mut tpm, value::whole(1..=9));
        section.finish();

        let problems: Vec<_> = report.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "f:2: tpm = \"x\": not a whole number; write tpm = 2",
                "f:1: rpn: no such setting; did you mean rpm?",
                "f:3: colour: no such setting; there is: rpm, tpm"
            ]
        );
        assert_eq!((rpm, tpm), (1, 2));
    }
}
