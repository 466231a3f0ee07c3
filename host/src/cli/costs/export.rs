//! `backstop costs export`: every entry of the ledger, for whoever takes the books elsewhere.

use std::io::{self, Write};

use serde_json::Value;

use super::source::Source;
use crate::cli::args::CostsFormat;

/// The columns of a CSV file, and where an entry has them.
const COLUMNS: [(&str, &str); 17] = [
    ("entry", "/entry"),
    ("at", "/at"),
    ("kind", "/kind"),
    ("day", "/day"),
    ("request", "/request"),
    ("route", "/route"),
    ("provider", "/provider"),
    ("model", "/model"),
    ("key", "/key"),
    ("labels", "/labels"),
    ("answers", "/answers"),
    ("input", "/usage/input"),
    ("output", "/usage/output"),
    ("cache_read", "/usage/cache_read"),
    ("cache_creation", "/usage/cache_creation"),
    ("reasoning", "/usage/reasoning"),
    ("cost_usd", "/cost_usd"),
];

/// Writes all entries of the latest days to standard output, a page at a time.
pub(super) async fn write(source: &Source<'_>, days: u32, format: CostsFormat) -> anyhow::Result<()> {
    if format == CostsFormat::Csv {
        print(&(COLUMNS.map(|(name, _)| name).join(",") + "\n"))?;
    }
    let mut after = 0;
    loop {
        let entries = source.entries(days, after).await?;
        let Some(last) = entries.last().and_then(|entry| entry.get("entry")?.as_i64()) else { return Ok(()) };
        let lines: String = entries.iter().map(|entry| line(entry, format) + "\n").collect();
        print(&lines)?;
        after = last;
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn line(entry: &Value, format: CostsFormat) -> String {
    match format {
        CostsFormat::Jsonl => entry.to_string(),
        CostsFormat::Csv => COLUMNS.map(|(_, place)| column(entry, place)).join(","),
    }
}

/// What an entry has at a place. Tokens that are not there are none.
fn column(entry: &Value, place: &str) -> String {
    match entry.pointer(place) {
        None if place.starts_with("/usage/") => "0".to_owned(),
        value => field(value),
    }
}

/// A field of a CSV line. What a spreadsheet would take for a formula is told apart by a quote in front of it.
fn field(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "),
        Some(other) => other.to_string(),
    };
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text };
    let is_plain = !text.contains(['"', ',', '\n', '\r']);
    if is_plain { text } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quotes_what_would_break_a_line_or_run_in_a_spreadsheet() {
        let values = [
            json!("a"),
            json!("a,\"b\"\n"),
            json!("=1+1"),
            json!(["x=1", "y=2"]),
            json!(["=x()"]),
            json!(7),
            Value::Null,
        ];

        let fields = values.map(|value| field(Some(&value)));

        assert_eq!(fields, ["a", "\"a,\"\"b\"\"\n\"", "'=1+1", "x=1; y=2", "'=x()", "7", ""]);
    }
}
