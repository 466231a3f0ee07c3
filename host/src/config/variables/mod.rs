//! The environment's variables: they win over the file.

mod provider;
mod general;

use super::environment::{Environment, Found};
use super::origin::Origin;
use super::problem::{Fault, Read};
use super::report::Report;

pub(super) use general::{Wishes, apply as apply_general};
pub(super) use provider::{apply as apply_provider, from_environment};

/// Reads variables one by one; what is wrong with one is reported and passed over.
pub(super) struct Variables<'a> {
    pub(super) environment: &'a Environment,
    pub(super) report: &'a mut Report,
}

impl Variables<'_> {
    /// Sets a field from a variable, where it is set and in order. `setting` is the field's path in the file.
    fn set<T>(&mut self, name: &str, setting: &str, field: &mut T, read: impl Fn(&str) -> Read<T>) {
        if let Some(value) = self.get(name, setting, read) {
            *field = value;
        }
    }

    /// Sets a field that may be empty.
    fn set_some<T>(&mut self, name: &str, setting: &str, field: &mut Option<T>, read: impl Fn(&str) -> Read<T>) {
        if let Some(value) = self.get(name, setting, read) {
            *field = Some(value);
        }
    }

    /// Sets a field from a variable that may hold keys: what is wrong with it is told without its text.
    fn set_secret<T>(&mut self, name: &str, field: &mut T, read: impl Fn(&str) -> Read<T>) {
        if let Some(value) = self.get(name, name, |text| read(text).map_err(Fault::secret)) {
            *field = value;
        }
        self.report.origins.forget(name);
    }

    /// Reads a variable, where it is set and in order.
    fn get<T>(&mut self, name: &str, setting: &str, read: impl Fn(&str) -> Read<T>) -> Option<T> {
        let (text, origin) = match self.environment.find(name)? {
            Found::Text(text, origin) => (text.trim(), origin),
            Found::NotUnicode(origin) => {
                self.report.fault(origin, name, None, Fault::words("not Unicode", "set it anew"));
                return None;
            }
        };
        match read(text) {
            Ok(value) => {
                self.report.origins.note(setting, origin);
                Some(value)
            }
            Err(fault) => {
                self.report.fault(origin, name, Some(&format!("{text:?}")), fault);
                None
            }
        }
    }

    /// Where a variable is set.
    fn origin(&self, name: &str) -> Origin {
        match self.environment.find(name) {
            Some(Found::Text(_, origin) | Found::NotUnicode(origin)) => origin,
            None => Origin::Default,
        }
    }
}
