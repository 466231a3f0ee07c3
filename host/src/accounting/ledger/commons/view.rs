//! What the shared store has said of one account: each file's part of it.

use std::collections::BTreeMap;

/// One file's part, as the file itself has told it. A later word of the same file has a higher number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) number: i64,
    /// What the file may spend of the account, what it has spent with it. Nano-dollars.
    pub(super) granted: i64,
    pub(super) spent: i64,
    /// What it was offered besides, and may have taken.
    pub(super) offered: i64,
    /// When it was heard: milliseconds of the store's clock.
    pub(super) heard: i64,
}

/// All that is known of an account's parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct View {
    parts: BTreeMap<String, Part>,
    /// Whether another file waits for money.
    pub(super) is_wanted: bool,
    /// Whether the store lends nothing yet, since it has begun anew.
    pub(super) is_new: bool,
}

/// Before a file's name: it waits.
const WAITS: char = '?';

impl Part {
    /// Reads what [`Part::text`] writes.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(' ').map(|number| number.parse::<i64>().ok().filter(|number| *number >= 0));
        let mut next = || numbers.next().flatten();
        let (number, granted, spent, offered, heard) = (next()?, next()?, next()?, next()?, next()?);
        next().is_none().then_some(Self { number, granted, spent, offered, heard })
    }

    pub(super) fn text(&self) -> String {
        let Self { number, granted, spent, offered, heard } = self;
        format!("{number} {granted} {spent} {offered} {heard}")
    }

    fn taken(&self) -> i64 {
        self.granted.saturating_add(self.offered)
    }
}

impl View {
    /// Takes in what the store says. Where it has forgotten something, the later word holds.
    pub(super) fn take_in(&mut self, fields: &[(String, String)], own: &str, is_new: bool) {
        (self.is_wanted, self.is_new) = (false, is_new);
        for (name, text) in fields {
            match (name.strip_prefix(WAITS), Part::parse(text)) {
                (Some(file), _) => self.is_wanted |= file != own,
                (None, Some(part)) => {
                    let known = self.parts.entry(name.clone()).or_insert(part);
                    if part.number >= known.number {
                        *known = part;
                    }
                }
                // Somebody else has written there.
                (None, None) => {}
            }
        }
    }

    /// The number of a file's latest word; 0 where there is none.
    pub(super) fn number(&self, file: &str) -> i64 {
        self.parts.get(file).map_or(0, |part| part.number)
    }

    /// What nobody has yet of a limit.
    pub(super) fn free(&self, limit: i64) -> i64 {
        let taken = self.parts.values().map(Part::taken).fold(0, i64::saturating_add);
        limit.saturating_sub(taken).max(0)
    }

    /// What other files have spent, and what they hold besides.
    pub(super) fn elsewhere(&self, own: &str) -> (i64, i64) {
        let others = self.parts.iter().filter(|(file, _)| *file != own).map(|(_, part)| part);
        others.fold((0, 0), |(spent, held): (i64, i64), part| {
            let rest = part.taken().saturating_sub(part.spent).max(0);
            (spent.saturating_add(part.spent), held.saturating_add(rest))
        })
    }

    /// Every file's latest word, for a store that may have forgotten it.
    pub(super) fn copies(&self) -> impl Iterator<Item = (&str, &Part)> {
        self.parts.iter().map(|(file, part)| (file.as_str(), part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn adds_up_what_all_files_have() {
        let mut view = View::default();

        view.take_in(&fields(&[("a", "3 100 60 10 7"), ("b", "4 50 50 0 7"), ("?b", "9")]), "a", false);

        assert_eq!((view.free(200), view.free(100)), (40, 0));
        assert_eq!((view.elsewhere("a"), view.elsewhere("b")), ((50, 0), (60, 50)));
        assert_eq!((view.is_wanted, view.number("a"), view.number("c")), (true, 3, 0));
    }

    #[test]
    fn keeps_the_later_word_of_each_file_where_the_store_has_forgotten_it() {
        let mut view = View::default();
        view.take_in(&fields(&[("a", "3 100 60 0 7"), ("b", "9 50 50 0 7")]), "a", false);

        view.take_in(&fields(&[("a", "4 90 60 0 8"), ("b", "5 20 10 0 2")]), "a", true);
        view.take_in(&[], "a", true);

        let copies: Vec<String> = view.copies().map(|(file, part)| format!("{file} {}", part.text())).collect();
        assert_eq!(copies, ["a 4 90 60 0 8", "b 9 50 50 0 7"]);
    }

    #[test]
    fn passes_over_what_somebody_else_has_written() {
        let mut view = View::default();

        view.take_in(&fields(&[("a", "x"), ("b", "1 2 3"), ("c", "1 -2 3 4 5"), ("d", "1 2 3 4 5 6")]), "a", false);

        assert_eq!(view, View::default());
    }
}
