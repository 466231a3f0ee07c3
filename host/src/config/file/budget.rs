//! `[budget]`.

use indexmap::IndexMap;
use toml::de::DeValue;

use crate::config::problem::Fault;
use crate::config::section::Section;
use crate::config::settings::{BudgetConfig, SpendLimits, UnknownPrice};
use crate::config::{units, value};

use super::model::read_price;

/// Reads the table.
pub(in crate::config) fn read(root: &mut Section<'_, '_>, budget: &mut BudgetConfig) {
    let Some(mut section) = root.section("budget") else { return };
    section.set_some("per_request_usd", &mut budget.per_request, value::spending_limit);
    section.set_some("daily_usd", &mut budget.daily, value::spending_limit);
    section.set_some("monthly_usd", &mut budget.monthly, value::spending_limit);
    section.set_some("alert_at", &mut budget.alert_at, value::number(units::SHARE));
    section.set("tracking", &mut budget.tracking, value::switch);
    section.set("time_zone", &mut budget.time_zone, value::time_zone);
    labels(&mut section, &mut budget.labels);
    unknown_price(&mut section, &mut budget.unknown_price);
    section.finish();
}

/// Reads a table of limits within another.
pub(super) fn read_limits(section: &mut Section<'_, '_>, key: &'static str, limits: &mut SpendLimits) {
    if let Some(section) = section.section(key) {
        read_those(section, limits);
    }
}

fn read_those(mut section: Section<'_, '_>, limits: &mut SpendLimits) {
    section.set_some("per_request_usd", &mut limits.per_request, value::spending_limit);
    section.set_some("daily_usd", &mut limits.daily, value::spending_limit);
    section.set_some("monthly_usd", &mut limits.monthly, value::spending_limit);
    section.finish();
}

/// Reads `[budget.labels."name=text"]`.
fn labels(section: &mut Section<'_, '_>, labels: &mut IndexMap<String, SpendLimits>) {
    let Some(mut section) = section.section("labels") else { return };
    for entry in section.entries() {
        if entry.key.split_once('=').is_none_or(|(name, _)| name.is_empty()) {
            let fault = Fault::words("no label", "write name=text, such as \"team=search\"");
            section.fault(entry, fault);
            continue;
        }
        let mut limits = SpendLimits::default();
        if let Some(section) = section.open(entry) {
            read_those(section, &mut limits);
        }
        labels.insert(entry.key.to_owned(), limits);
    }
}

fn unknown_price(section: &mut Section<'_, '_>, unknown: &mut UnknownPrice) {
    let Some(entry) = section.entry("unknown_price") else { return };
    match entry.value {
        DeValue::Table(_) => {
            let mut price = None;
            read_price(section, "unknown_price", &mut price);
            *unknown = price.map_or(*unknown, UnknownPrice::Assume);
        }
        DeValue::String(word) if word == "refuse" => {
            section.set("unknown_price", unknown, |_| Ok(UnknownPrice::Refuse));
        }
        _ => {
            let mend = "write \"refuse\" or { input_per_mtok = \"5\", output_per_mtok = \"15\" }";
            section.fault(entry, Fault::words("neither \"refuse\" nor a price", mend));
        }
    }
}
