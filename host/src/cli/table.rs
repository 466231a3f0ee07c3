//! Tables: laid out to the terminal's width, with lines between rows only where rows are tall.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};

use super::paint::{Tone, paint};

/// The width of a table where no terminal says its own.
const WIDTH: u16 = 120;

const LINE: LineStyle = LineStyle::none().fill('─').junction('─');

/// A line below the headings.
const PLAIN: TableStyle = TableStyle::new().header_separator(LINE);

/// A line between all rows, too.
const RULED: TableStyle = PLAIN.row_separator(LINE);

/// An empty table under these headings.
pub(crate) fn table(headings: &[&str]) -> Table {
    styled(headings, PLAIN)
}

/// An empty table for rows of several lines.
pub(crate) fn ruled(headings: &[&str]) -> Table {
    styled(headings, RULED)
}

fn styled(headings: &[&str], style: TableStyle) -> Table {
    let width = terminal_size::terminal_size().map_or(WIDTH, |(width, _)| width.0);
    let mut table = Table::new();
    table.load_style(style);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(width.clamp(60, 160));
    table.set_header(headings.to_vec());
    table
}

/// A table as text, its headings set off and without blanks at the ends of lines.
pub(crate) fn headed(table: &Table) -> String {
    let mut lines = table.lines();
    let headings = lines.next().map(|headings| paint(Tone::Strong, headings.trim_end())).unwrap_or_default();
    lines.fold(headings, |text, line| text + "\n" + line.trim_end())
}

/// Prints a text to standard output.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    writeln!(stdout, "{}", text.trim_end())?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_to_the_columns() {
        let mut table = table(&["strategy", "what it does"]);
        table.add_row(["smart", "free first"]);
        table.add_row(["cost", "cheapest first"]);

        let text = anstream::adapter::strip_str(&headed(&table)).to_string();

        let rule = "─".repeat(27);
        assert_eq!(
            text,
            format!(" strategy   what it does\n{rule}\n smart      free first\n cost       cheapest first")
        );
    }
}
