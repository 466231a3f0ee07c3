//! `backstop strategy inspect`: what a strategy says of itself, and what can be seen of it.

use std::fmt::Write;
use std::path::PathBuf;

use backstop::strategy::{Inspection, ModuleKind, inspect};
use serde_json::Value;

use super::super::args::NamedArgs;
use super::super::exit::Exit;
use super::super::paint::{Tone, paint};
use super::super::{ask, setup, table};

/// Inspects.
pub(super) fn run(args: &NamedArgs, file: Option<PathBuf>) -> anyhow::Result<Exit> {
    let strategy = backstop::config::strategy_named(&args.strategy)?;
    let inspection = inspect(&strategy, &setup::sandbox(file))?;
    if args.json {
        ask::print_json(&serde_json::to_value(&inspection)?)?;
    } else {
        table::print(&in_words(&inspection)?)?;
    }
    Ok(Exit::Done)
}

fn in_words(inspection: &Inspection) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    match &inspection.description {
        Some(description) => {
            writeln!(text, "{} {}", paint(Tone::Strong, &description.name), description.version)?;
            writeln!(text, "{}\n", description.summary)?;
        }
        None => writeln!(text, "{}\nsays nothing of itself\n", paint(Tone::Strong, &inspection.source))?,
    }
    let kind = match inspection.kind {
        ModuleKind::Component => "component",
        ModuleKind::CoreModule => "core module, made a component on loading",
    };
    writeln!(text, "source   {}", inspection.source)?;
    writeln!(text, "kind     {kind}, {} bytes", inspection.bytes)?;
    writeln!(text, "sha-256  {}", inspection.digest)?;
    if let Some(authors) = &inspection.authors {
        writeln!(text, "authors  {authors}")?;
    }
    let powers: Vec<String> = inspection.powers.iter().map(|power| power.name().to_owned()).collect();
    writeln!(text, "powers   {}", listed(&powers))?;
    writeln!(text, "imports  {}", listed(&inspection.imports))?;
    writeln!(text, "exports  {}", listed(&inspection.exports))?;
    if let Some(ms) = inspection.compile_ms {
        writeln!(text, "compiled in {ms:.0} ms")?;
    }
    let schema = inspection.description.as_ref().and_then(|description| description.options_schema.as_ref());
    let Some(schema) = schema else {
        writeln!(text, "\nIt names no options.")?;
        return Ok(text);
    };
    writeln!(text, "\n{}", options(schema))?;
    writeln!(text, "\n{}", paint(Tone::Strong, "JSON schema of the options"))?;
    writeln!(text, "{schema:#}")?;
    Ok(text)
}

fn options(schema: &Value) -> String {
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut table = table::table(&["option", "type", "default", "meaning"]);
    for (name, property) in properties.into_iter().flatten() {
        let field = |field: &str| property.get(field).map(plain).unwrap_or_default();
        table.add_row([name.clone(), field("type"), field("default"), field("description")]);
    }
    table::headed(&table)
}

/// A JSON value without the quotes that a text would have.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use backstop::config::{Power, Powers};
    use backstop::strategy::Description;
    use serde_json::json;

    use super::*;

    #[test]
    fn shows_options_and_schema() {
        let schema =
            json!({"properties": {"patience": {"type": "string", "default": "0s", "description": "wait so long"}}});
        let inspection = Inspection {
            source: "smart".into(),
            description: Some(Description {
                name: "smart".into(),
                version: "1.0.0".into(),
                summary: "Free first.".into(),
                options_schema: Some(schema),
            }),
            kind: ModuleKind::Component,
            bytes: 12,
            digest: "ab".into(),
            authors: Some("Ann".into()),
            powers: Powers::NONE.with(Power::State),
            imports: Vec::new(),
            exports: vec!["backstop:strategy/choose@1.0.0".into()],
            compile_ms: Some(12.4),
        };

        let text = anstream::adapter::strip_str(&in_words(&inspection).unwrap()).to_string();

        assert!(
            text.starts_with("smart 1.0.0\nFree first.\n\nsource   smart\nkind     component, 12 bytes\n"),
            "{text}"
        );
        assert!(text.contains("authors  Ann\npowers   state\nimports  none\nexports  backstop:strategy/choose@1.0.0\ncompiled in 12 ms\n"), "{text}");
        assert!(
            text.contains("patience") && text.contains("wait so long") && text.contains("\"properties\": {"),
            "{text}"
        );
    }
}
