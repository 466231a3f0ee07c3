//! Values of the file as texts, numbers, lengths of time and money.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Map, Number, Value};
use toml::de::{DeArray, DeTable, DeValue};

use crate::types::NanoUsd;

use super::problem::{Fault, Read};
use super::units;

/// Reads a text.
pub(super) fn text(value: &DeValue<'_>) -> Read<String> {
    match value {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        other => Err(wrong_type(other, "text", "\"...\"")),
    }
}

/// Reads true or false.
pub(super) fn switch(value: &DeValue<'_>) -> Read<bool> {
    match value {
        DeValue::Boolean(switch) => Ok(*switch),
        other => Err(wrong_type(other, "true or false", "true")),
    }
}

/// Reads a length of time.
pub(super) fn length(value: &DeValue<'_>) -> Read<Duration> {
    match value {
        DeValue::String(text) => units::length(text),
        DeValue::Integer(number) => units::length(number.as_str()),
        DeValue::Float(number) => units::length(number.as_str()),
        other => Err(wrong_type(other, "a length of time", "\"30s\"")),
    }
}

/// Reads a length of time that is more than nothing.
pub(super) fn positive_length(value: &DeValue<'_>) -> Read<Duration> {
    length(value).and_then(units::positive)
}

/// Reads a whole number.
pub(super) fn whole<T: TryFrom<i64>>(range: RangeInclusive<i64>) -> impl Fn(&DeValue<'_>) -> Read<T> {
    move |value| match value {
        DeValue::Integer(number) => {
            units::ranged(i128::from_str_radix(number.as_str(), number.radix()).unwrap_or(i128::MAX), &range)
        }
        DeValue::String(text) => units::whole(text, &range)
            .and_then(|_: T| Err(Fault::example("a number stands without quotes", text.to_string()))),
        other => units::whole(&literal(other), &range),
    }
}

/// Reads a number that may have a fraction.
pub(super) fn number(range: RangeInclusive<f64>) -> impl Fn(&DeValue<'_>) -> Read<f64> {
    move |value| match value {
        DeValue::String(text) => units::number(text, &range)
            .and_then(|_| Err(Fault::example("a number stands without quotes", text.to_string()))),
        other => units::number(&literal(other), &range),
    }
}

/// Reads dollars, from a text or from a number's own digits, so that `2.50` is exact.
pub(super) fn money(value: &DeValue<'_>) -> Read<NanoUsd> {
    amount(value).and_then(|text| units::money(&text))
}

/// Reads a limit of dollars.
pub(super) fn spending_limit(value: &DeValue<'_>) -> Read<NanoUsd> {
    amount(value).and_then(|text| units::spending_limit(&text))
}

/// Reads the name of a time zone.
pub(super) fn time_zone(value: &DeValue<'_>) -> Read<TimeZone> {
    text(value).and_then(|name| units::time_zone(&name))
}

/// Reads a path.
pub(super) fn path(value: &DeValue<'_>) -> Read<PathBuf> {
    let path = text(value)?;
    if path.is_empty() || path.contains('\0') {
        return Err(Fault::words("not a path", "write a path, or leave it out"));
    }
    Ok(PathBuf::from(path))
}

/// Reads a list of texts.
pub(super) fn texts(value: &DeValue<'_>) -> Read<Vec<String>> {
    match value {
        DeValue::Array(items) => items.iter().map(|item| text(item.get_ref())).collect(),
        other => Err(wrong_type(other, "a list of texts", "[\"...\"]")),
    }
}

/// Any value as JSON, for a strategy's options and a purpose's fields.
pub(super) fn json(value: &DeValue<'_>) -> Read<Value> {
    match value {
        DeValue::String(text) => Ok(Value::String(text.clone().into_owned())),
        DeValue::Boolean(switch) => Ok(Value::Bool(*switch)),
        DeValue::Datetime(moment) => Ok(Value::String(moment.to_string())),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(Value::from)
            .map_err(|_| Fault::words("a whole number beyond 64 bits", "write it as text")),
        DeValue::Float(number) => {
            let number = number.as_str().parse().ok().and_then(Number::from_f64);
            number.map(Value::Number).ok_or_else(|| Fault::words("JSON has no such number", "write a finite number"))
        }
        DeValue::Array(items) => json_list(items),
        DeValue::Table(table) => json_map(table).map(Value::Object),
    }
}

/// The fault of a value of the wrong type.
pub(super) fn wrong_type(value: &DeValue<'_>, wanted: &str, example: &str) -> Fault {
    Fault::example(format!("{} where {wanted} belongs", type_name(value)), example)
}

fn json_list(items: &DeArray<'_>) -> Read<Value> {
    items.iter().map(|item| json(item.get_ref())).collect::<Read<Vec<_>>>().map(Value::Array)
}

fn json_map(table: &DeTable<'_>) -> Read<Map<String, Value>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries.into_iter().map(|(key, value)| Ok((key.get_ref().to_string(), json(value.get_ref())?))).collect()
}

/// The digits of an amount as they were written, without the underscores TOML allows.
fn amount(value: &DeValue<'_>) -> Read<String> {
    match value {
        DeValue::String(text) => Ok(text.trim().to_owned()),
        DeValue::Integer(_) | DeValue::Float(_) => Ok(literal(value)),
        other => Err(wrong_type(other, "an amount of dollars", "\"2.50\"")),
    }
}

fn literal(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.as_str().to_owned(),
        other => type_name(other).to_owned(),
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T>(source: &str, read: impl Fn(&DeValue<'_>) -> Read<T>) -> Read<T> {
        read(DeValue::parse(source).unwrap().get_ref())
    }

    #[test]
    fn takes_money_by_the_digits_written() {
        let dollars = |text: &str| Ok(text.parse().unwrap());

        assert_eq!(read("2.50", money), dollars("2.50"));
        assert_eq!(read("0.1", money), dollars("0.1"));
        assert_eq!(read("\"0.000000001\"", money), dollars("0.000000001"));
        assert_eq!(read("1_000", money), dollars("1000"));
    }

    // C16, C17
    #[test]
    fn refuses_amounts_that_are_not_plain() {
        for source in ["-1", "nan", "inf", "1e300", "\"$10\"", "\"10,00\"", "0.0000000001", "true", "[1]", "0x10"] {
            assert!(read(source, money).is_err(), "{source}");
        }
    }

    #[test]
    fn tells_a_number_in_quotes_from_nonsense() {
        let quoted = read("\"5\"", whole::<u32>(1..=9)).unwrap_err();
        let nonsense = read("\"high\"", whole::<u32>(1..=9)).unwrap_err();
        let fraction = read("1.5", whole::<u32>(1..=9)).unwrap_err();

        assert_eq!(quoted.what, "a number stands without quotes");
        assert_eq!(nonsense.what, "not a whole number");
        assert_eq!(fraction.what, "not a whole number");
        assert_eq!(read("0x5", whole::<u32>(1..=9)), Ok(5));
    }

    #[test]
    fn makes_json_of_any_table_in_its_order() {
        let source = "{ z = 1, a = [true, 2.5, \"x\"], n = { d = 2026-01-02 } }";

        let json = read(source, json).unwrap().to_string();

        assert_eq!(json, r#"{"z":1,"a":[true,2.5,"x"],"n":{"d":"2026-01-02"}}"#);
    }

    #[test]
    fn refuses_what_json_cannot_say() {
        assert!(read("nan", json).is_err());
        assert!(read("99999999999999999999", json).is_err());
    }
}
