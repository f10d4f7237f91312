//! Cells as a table of text, for a terminal and for the page.

use std::fmt::Write as _;

use super::cell::{Cell, Judged};
use super::spread::number;

const HEADINGS: [&str; 8] = ["cell", "value", "unit", "ceiling", "ratio", "bar", "good", ""];

/// One line per cell; figures right-aligned, and at the end of a judged line whether it holds.
#[must_use]
pub fn text(cells: &[Cell]) -> String {
    let rows: Vec<[String; 8]> = cells.iter().map(row).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([HEADINGS[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..8).map(width).collect();
    let mut out = String::new();
    for row in std::iter::once(&HEADINGS.map(str::to_owned)).chain(&rows) {
        let mut line = String::new();
        for (column, text) in row.iter().enumerate() {
            let wide = widths[column];
            let pad = " ".repeat(wide - text.chars().count());
            let left = matches!(column, 0 | 2 | 7);
            let (before, after) = if left { ("", pad.as_str()) } else { (pad.as_str(), "") };
            // Writing to a String cannot fail.
            let _infallible = write!(line, "{before}{text}{after}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The same as a table of Markdown.
#[must_use]
pub fn markdown(cells: &[&Cell]) -> String {
    let mut out = String::from("| cell | value | ceiling | ratio [low–high] | bar | good | holds |\n");
    out.push_str("| --- | ---: | ---: | ---: | ---: | ---: | --- |\n");
    for cell in cells {
        let [name, value, unit, ceiling, ratio, bar, good, holds] = row(cell);
        let _infallible = writeln!(out, "| `{name}` | {value} {unit} | {ceiling} | {ratio} | {bar} | {good} | {holds} |");
    }
    out
}

fn row(cell: &Cell) -> [String; 8] {
    let spread = format!(" [{}–{}]", number(cell.low), number(cell.high));
    let of_ratio = cell.ratio.is_some();
    let several = |of: bool| if cell.rounds > 1 && of { spread.as_str() } else { "" };
    let sign = match cell.judged {
        Some(Judged::RatioAtLeast) => "≥ ",
        Some(Judged::RatioAtMost | Judged::ValueAtMost) => "≤ ",
        None => "",
    };
    let maybe = |figure: Option<f64>| figure.map(number).unwrap_or_default();
    [
        cell.name.clone(),
        number(cell.value) + several(!of_ratio),
        cell.unit.clone(),
        maybe(cell.ceiling),
        maybe(cell.ratio) + several(of_ratio),
        cell.bar.map(|bar| format!("{sign}{}", number(bar))).unwrap_or_default(),
        cell.good.map(|good| format!("{sign}{}", number(good))).unwrap_or_default(),
        match cell.holds {
            Some(true) => "holds".to_owned(),
            Some(false) => "MISSED".to_owned(),
            None => String::new(),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::super::cell::{Cell, Judged};
    use super::{markdown, text};

    #[test]
    fn a_table_says_what_holds_and_what_was_missed() {
        let rounds = [50.0, 60.0];
        let unary = Cell::shown("software/unary", "1/s", &rounds, "").against(&rounds, &[100.0, 100.0]);
        let cells = [
            unary.clone().held(Judged::RatioAtLeast, 0.55, Some(0.65)),
            unary.held(Judged::ValueAtMost, 20.0, None),
            Cell::shown("echo/unary", "1/s", &[123_456.0], ""),
        ];
        let table = text(&cells);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 4, "{table}");
        assert!(lines[1].contains("0.550 [0.500–0.600]") && lines[1].ends_with("≥ 0.650  holds"), "{table}");
        assert!(lines[2].ends_with("MISSED"), "{table}");
        assert!(lines[3].ends_with("123,456           1/s") || lines[3].contains("123,456"), "{table}");
        assert_eq!(markdown(&cells.iter().collect::<Vec<_>>()).lines().count(), 5);
    }
}
