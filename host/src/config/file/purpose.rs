//! `[purposes.NAME]`: the fields of a request body that go with a purpose.

use indexmap::IndexMap;

use crate::config::problem::Fault;
use crate::config::section::Section;
use crate::config::settings::Purpose;
use crate::config::value;

use super::check_name;

/// What a request says for itself and no purpose may.
const NOT_OF_A_PURPOSE: [&str; 3] = ["messages", "model", "stream"];

/// Reads the purposes. One of the name of a built-in purpose takes its place.
pub(super) fn read(root: &mut Section<'_, '_>, purposes: &mut IndexMap<String, Purpose>) {
    let Some(mut section) = root.section("purposes") else { return };
    for entry in section.entries() {
        if let Err(fault) = check_name(entry.key) {
            let path = section.path_of(entry.key);
            let place = section.place(entry);
            section.report().fault(place, &path, None, fault);
        }
        if let Some(section) = section.open(entry) {
            purposes.insert(entry.key.to_owned(), read_one(section));
        }
    }
}

fn read_one(mut section: Section<'_, '_>) -> Purpose {
    let mut purpose = Purpose::default();
    for entry in section.entries() {
        if NOT_OF_A_PURPOSE.contains(&entry.key) {
            section.fault(entry, Fault::words("a purpose cannot set this", "leave it to the request"));
        } else if let Some(value) = section.read(entry, value::json) {
            purpose.fields.insert(entry.key.to_owned(), value);
        }
    }
    purpose
}
