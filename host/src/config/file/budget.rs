//! `[budget]`.

use toml::de::DeValue;

use crate::config::problem::Fault;
use crate::config::section::Section;
use crate::config::settings::{BudgetConfig, UnknownPrice};
use crate::config::{units, value};

use super::model::read_price;

/// Reads the table.
pub(super) fn read(root: &mut Section<'_, '_>, budget: &mut BudgetConfig) {
    let Some(mut section) = root.section("budget") else { return };
    section.set_some("per_request_usd", &mut budget.per_request, value::spending_limit);
    section.set_some("daily_usd", &mut budget.daily, value::spending_limit);
    section.set_some("monthly_usd", &mut budget.monthly, value::spending_limit);
    section.set_some("alert_at", &mut budget.alert_at, value::number(units::SHARE));
    section.set("tracking", &mut budget.tracking, value::switch);
    unknown_price(&mut section, &mut budget.unknown_price);
    section.finish();
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
