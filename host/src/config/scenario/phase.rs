//! A stretch of time in which a provider behaves otherwise.

use std::time::Duration;

use crate::config::file::read_price;
use crate::config::problem::Fault;
use crate::config::section::Section;
use crate::config::value;
use crate::types::{FailureKind, Price};

use super::failures::{self, Failures};

/// A stretch of time in which a provider behaves otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// When it begins, since the scenario's start.
    pub from: Duration,
    /// When it ends.
    pub to: Duration,
    /// Every call fails in this way.
    pub outage: Option<FailureKind>,
    /// How calls fail meanwhile, in place of how they usually do.
    pub failures: Option<Failures>,
    /// How many times as long everything takes.
    pub slower: f64,
    /// What it costs meanwhile, which the operator has been told.
    pub price: Option<Price>,
}

impl Phase {
    /// Whether a moment lies within it.
    #[must_use]
    pub fn covers(&self, at: Duration) -> bool {
        self.from <= at && at < self.to
    }

    /// What is otherwise meanwhile.
    #[must_use]
    pub fn in_words(&self) -> String {
        let failing = self.failures.is_some() && self.outage.is_none();
        let words = [
            self.outage.map(|kind| format!("outage ({kind})")),
            (self.slower > 1.0).then(|| format!("{} times as slow", self.slower)),
            (self.slower < 1.0).then(|| "faster".to_owned()),
            failing.then(|| "fails otherwise".to_owned()),
            self.price.is_some().then(|| "another price".to_owned()),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Reads one phase. One that names no end lasts until the scenario's.
pub(super) fn read(mut section: Section<'_, '_>, duration: Duration) -> Phase {
    let mut phase =
        Phase { from: Duration::ZERO, to: duration, outage: None, failures: None, slower: 1.0, price: None };
    section.set("from", &mut phase.from, value::length);
    section.set("to", &mut phase.to, value::length);
    section.set_some("outage", &mut phase.outage, failures::kind);
    section.set("slower", &mut phase.slower, value::number(0.01..=1_000.0));
    phase.failures = failures::read(&mut section, "failures").or(phase.outage.map(Failures::always));
    read_price(&mut section, "price", &mut phase.price);
    if phase.to <= phase.from {
        let path = section.path_of("to");
        section.report().fault_of(&path, Fault::words("ends before it begins", "let `to` be later than `from`"));
    }
    if phase.outage.is_some() && section.has("failures") {
        let path = section.path_of("failures");
        section.report().fault_of(&path, Fault::words("in an outage every call fails alike", "keep one of them"));
    }
    section.finish();
    phase
}
