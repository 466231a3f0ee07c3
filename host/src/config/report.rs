//! What is found on the way from the sources to a configuration.

use super::origin::{Origin, Origins};
use super::problem::{Fault, Notice, Problem};

/// Problems, notices and origins, as they are found.
#[derive(Default)]
pub(super) struct Report {
    pub(super) problems: Vec<Problem>,
    pub(super) notices: Vec<Notice>,
    pub(super) origins: Origins,
}

impl Report {
    /// Adds a problem at a place.
    pub(super) fn fault(&mut self, place: Origin, setting: &str, written: Option<&str>, fault: Fault) {
        self.problems.push(fault.at(place, setting, written));
    }

    /// Adds a problem where the setting, or the table around it, was written.
    pub(super) fn fault_of(&mut self, setting: &str, fault: Fault) {
        let place = self.origins.nearest(setting);
        self.problems.push(fault.at(place, setting, None));
    }

    /// Adds a notice.
    pub(super) fn notice(&mut self, place: Origin, text: impl Into<String>) {
        self.notices.push(Notice { place, text: text.into() });
    }
}
