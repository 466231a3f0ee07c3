//! Every question of a batch and what has become of it: sixteen bytes for each, so that a million of them are no matter.

use super::input::{Digest, Place};

/// What has become of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It has not been asked.
    New,
    /// It cannot be asked and is left out.
    Bad,
    /// It has its answer.
    Answered,
    /// Nobody could answer it, and that is known.
    Failed,
    /// It was asked, and its answer was lost with the process: it may have been paid for.
    Uncertain,
    /// A budget did not allow it.
    Refused,
}

/// All questions, each at its index.
#[derive(Debug, Default)]
pub(crate) struct Roll {
    entries: Vec<Entry>,
    names: Names,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    digest: Digest,
    fate: Fate,
}

/// Which question bears a name of its own: by the digests of names, in their order once all are there.
#[derive(Debug, Default)]
struct Names {
    sorted: Vec<(u64, u32)>,
}

impl Roll {
    /// Enters the next question.
    pub(crate) fn enter(&mut self, digest: Digest, fate: Fate) {
        self.entries.push(Entry { digest, fate });
    }

    /// Enters a question's own name, by which its answer will be known again.
    pub(crate) fn name(&mut self, place: Place, name: &str) {
        self.names.sorted.push((Digest::of(name.as_bytes()).0, place.index));
    }

    /// Ends the entering: the pairs of questions that bear one name, where there are any.
    pub(crate) fn close(&mut self) -> Vec<(u32, u32)> {
        self.names.sorted.sort_unstable();
        let pairs = self.names.sorted.iter().zip(self.names.sorted.iter().skip(1));
        pairs.filter(|(one, next)| one.0 == next.0).map(|(one, next)| (one.1, next.1)).collect()
    }

    /// The question that bears a name; the first, where there are several: the others are not asked.
    pub(crate) fn named(&self, name: &str) -> Option<u32> {
        let digest = Digest::of(name.as_bytes()).0;
        let place = self.names.sorted.partition_point(|(name, _)| *name < digest);
        self.names.sorted.get(place).filter(|(name, _)| *name == digest).map(|(_, index)| *index)
    }

    /// What has become of a question; `None` where there is none.
    pub(crate) fn fate(&self, index: u32) -> Option<Fate> {
        self.entries.get(index as usize).map(|entry| entry.fate)
    }

    /// By what its line is known again.
    pub(crate) fn digest(&self, index: u32) -> Option<Digest> {
        self.entries.get(index as usize).map(|entry| entry.digest)
    }

    /// Says what has become of a question.
    pub(crate) fn set(&mut self, index: u32, fate: Fate) {
        if let Some(entry) = self.entries.get_mut(index as usize) {
            entry.fate = fate;
        }
    }

    /// Turns every fate into another.
    pub(crate) fn turn(&mut self, from: Fate, to: Fate) {
        for entry in self.entries.iter_mut().filter(|entry| entry.fate == from) {
            entry.fate = to;
        }
    }

    /// How many have met a fate.
    pub(crate) fn count(&self, fate: Fate) -> usize {
        self.entries.iter().filter(|entry| entry.fate == fate).count()
    }

    /// The first so many that have met a fate, by their indices.
    pub(crate) fn first(&self, fate: Fate, most: usize) -> Vec<u32> {
        let with = (0u32..).zip(&self.entries).filter(|(_, entry)| entry.fate == fate);
        with.map(|(index, _)| index).take(most).collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(index: u32) -> Place {
        Place { index, number: u64::from(index) + 1 }
    }

    #[test]
    fn finds_questions_by_their_names_and_names_that_are_there_twice() {
        let mut roll = Roll::default();
        for (index, name) in ["a", "b", "a"].into_iter().enumerate() {
            roll.enter(Digest::of(name.as_bytes()), Fate::New);
            roll.name(place(u32::try_from(index).unwrap()), name);
        }

        assert_eq!(roll.close(), [(0, 2)]);
        assert_eq!((roll.named("a"), roll.named("b"), roll.named("c")), (Some(0), Some(1), None));
    }

    #[test]
    fn takes_sixteen_bytes_for_each() {
        assert_eq!(size_of::<Entry>(), 16);
    }
}
