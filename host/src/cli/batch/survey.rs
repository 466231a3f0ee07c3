//! The first look at all questions: which of them can be asked, and which lines are none.

use std::collections::BTreeMap;

use backstop::client::Backstop;

use crate::cli::args::WishArgs;
use crate::cli::setup::Reader;

use super::input::{Digest, Input, Place};
use super::question::{BadLine, Form, Question, Shape};
use super::roll::{Fate, Roll};

/// Bad lines that are kept to be told; beyond that they are counted.
const MOST_TOLD: usize = 10_000;

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) roll: Roll,
    /// The lines that cannot be asked, by their numbers, with the reasons.
    told: BTreeMap<u64, String>,
    bad: usize,
}

impl Survey {
    /// Reads every line, sends nothing, and keeps only what it takes to know each line again.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn of(input: &Input, form: Form, wish: &WishArgs, backstop: &Backstop) -> anyhow::Result<Self> {
        let mut survey = Self::default();
        let mut named: Vec<u64> = Vec::new();
        let mut lines = input.lines()?;
        while let Some(line) = lines.next()? {
            let question = Question::read(&line.text, form, wish);
            let question = question.and_then(|question| {
                // A model or a route that is not there makes a line as bad as broken JSON does.
                let known = backstop.worst_cases(&question.request).map_err(|error| BadLine(error.to_string()));
                known.map(|_| question)
            });
            named.push(line.place.number);
            match question {
                Ok(question) => {
                    survey.roll.enter(Digest::of(&line.text), Fate::New);
                    // Others are known by their index.
                    if let (Shape::OpenAi, Some(name)) = (question.shape, &question.custom_id) {
                        survey.roll.name(line.place, name);
                    }
                }
                Err(why) => {
                    survey.roll.enter(Digest::of(&line.text), Fate::Bad);
                    survey.note(line.place, why.0);
                }
            }
        }
        let number = |index: u32| named.get(index as usize).copied().unwrap_or_default();
        for (first, second) in survey.roll.close() {
            survey.roll.set(second, Fate::Bad);
            let place = Place { index: second, number: number(second) };
            survey.note(place, format!("its custom_id is that of line {}, too", number(first)));
        }
        Ok(survey)
    }

    /// How many lines cannot be asked.
    pub(crate) fn bad(&self) -> usize {
        self.bad
    }

    /// The lines that cannot be asked, each in a line.
    pub(crate) fn in_words(&self) -> Vec<String> {
        let mut words: Vec<String> = self.told.iter().map(|(number, why)| format!("line {number}: {why}")).collect();
        let more = self.bad - self.told.len();
        if more > 0 {
            words.push(format!("and {more} more"));
        }
        words
    }

    fn note(&mut self, place: Place, why: String) {
        self.bad += 1;
        if self.told.len() < MOST_TOLD {
            self.told.insert(place.number, why);
        }
    }
}

/// Whom the answers are for: where the first line is a plain prompt, somebody who reads them, so that an answer without a bound of its
/// own has 500 tokens; else whoever wrote the requests knows what they want.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn reader(input: &Input, form: Form) -> anyhow::Result<Reader> {
    let first = input.lines()?.next()?;
    let first = first.and_then(|line| Question::read(&line.text, form, &WishArgs::default()).ok());
    Ok(first.map_or(Reader::Person, |question| match question.shape {
        Shape::Prompt => Reader::Person,
        Shape::Body | Shape::OpenAi => Reader::Program,
    }))
}
