//! `limits` of a provider or of one of its models.

use crate::config::section::Section;
use crate::config::settings::Limits;
use crate::config::{units, value};

/// Reads a provider's `limits`.
pub(in crate::config) fn read(section: &mut Section<'_, '_>, limits: &mut Limits) {
    let Some(mut section) = section.section("limits") else { return };
    rates(&mut section, limits);
    section.set_some("queue", &mut limits.queue, value::length);
    section.set_some("queue_size", &mut limits.queue_size, value::whole(units::QUEUE));
    section.finish();
}

/// Reads a model's `limits`. It stands in its provider's line.
pub(super) fn read_of_model(section: &mut Section<'_, '_>, limits: &mut Limits) {
    let Some(mut section) = section.section("limits") else { return };
    rates(&mut section, limits);
    section.finish();
}

fn rates(section: &mut Section<'_, '_>, limits: &mut Limits) {
    section.set_some("rpm", &mut limits.rpm, value::whole(units::RATE));
    section.set_some("tpm", &mut limits.tpm, value::whole(units::RATE));
    section.set_some("rpd", &mut limits.rpd, value::whole(units::RATE));
    section.set_some("tpd", &mut limits.tpd, value::whole(units::RATE));
    section.set_some("concurrent", &mut limits.concurrent, value::whole(units::RATE));
    section.set_some("burst", &mut limits.burst, value::whole(units::RATE));
}
