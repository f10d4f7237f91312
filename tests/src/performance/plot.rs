//! The judged cells as one picture: how much of its allowance each one uses.
//!
//! Plain SVG without scripts or fonts of its own, readable on a light and a dark page.

use std::fmt::Write as _;

use super::cell::{Cell, Judged, judged};
use super::spread::number;

/// What the picture is called.
pub const TITLE: &str = "Countersign: each figure against its bar";

const LABEL: f64 = 250.0;
const BAR: f64 = 400.0;
const RIGHT: f64 = 190.0;
const ROW: f64 = 26.0;
const TOP: f64 = 64.0;

/// The bar of every cell stands at this share of the picture's width.
const MARK: f64 = 0.66;

const STYLE: &str = "\
    .t { font: 13px system-ui, sans-serif; fill: #24292f } .s { font: 11px system-ui, sans-serif; fill: #57606a }\n\
    .g { fill: #afb8c133 } .h { fill: #2da44e } .m { fill: #cf222e } .l { stroke: #57606a; stroke-width: 2 }\n\
    .w { stroke: #57606a; stroke-width: 1 } .o { stroke: #57606a; stroke-width: 1.5; stroke-dasharray: 3 2 }\n\
    @media (prefers-color-scheme: dark) {\n\
    .t { fill: #e6edf3 } .s { fill: #9198a1 } .l, .w, .o { stroke: #9198a1 } .h { fill: #3fb950 } .m { fill: #f85149 } }\n";

/// The picture: one row per judged cell, a line where its bar stands, a dashed one where good begins.
///
/// Rows are scaled so that all bars stand below each other. Where the figure must be high, reaching the line is what
/// counts; where it must be low, staying on its left.
#[must_use]
pub fn svg(cells: &[Cell], title: &str) -> String {
    let mut rows: Vec<&Cell> = judged(cells).collect();
    rows.sort_by_key(|cell| cell.judged != Some(Judged::RatioAtLeast));
    let high = rows.iter().filter(|cell| cell.judged == Some(Judged::RatioAtLeast)).count();
    let gap = |at: usize| if at >= high { ROW } else { 0.0 };
    let height = TOP + ROW * rows.len() as f64 + gap(rows.len()) + 12.0;
    let width = LABEL + BAR + RIGHT;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n",
        escaped(title)
    );
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("<text class=\"t\" x=\"12\" y=\"22\" font-weight=\"600\">{}</text>", escaped(title)));
    if high > 0 {
        line(heading(TOP - 14.0, "must reach the line"));
    }
    if high < rows.len() {
        line(heading(TOP + ROW * high as f64 + ROW - 14.0, "must stay left of the line"));
    }
    for (at, cell) in rows.iter().enumerate() {
        line(drawn(cell, TOP + ROW * at as f64 + gap(at)));
    }
    out.push_str("</svg>\n");
    out
}

fn heading(y: f64, text: &str) -> String {
    format!("<text class=\"s\" x=\"{}\" y=\"{y}\">{text}</text>", LABEL)
}

fn drawn(cell: &Cell, y: f64) -> String {
    let bar = cell.bar.filter(|bar| *bar > 0.0).unwrap_or(1.0);
    let place = |figure: f64| LABEL + BAR * (figure / bar * MARK).clamp(0.0, 1.0);
    let middle = y + ROW / 2.0 - 2.0;
    let class = if cell.holds == Some(true) { "h" } else { "m" };
    let mut out = String::new();
    let mut add = |text: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _infallible = out.write_fmt(text);
    };
    add(format_args!("<text class=\"t\" x=\"12\" y=\"{}\">{}</text>", middle + 5.0, escaped(&cell.name)));
    add(format_args!("<rect class=\"g\" x=\"{LABEL}\" y=\"{}\" width=\"{BAR}\" height=\"14\" rx=\"2\"/>", middle - 7.0));
    add(format_args!(
        "<rect class=\"{class}\" x=\"{LABEL}\" y=\"{}\" width=\"{:.1}\" height=\"14\" rx=\"2\"/>",
        middle - 7.0,
        place(cell.figure()) - LABEL
    ));
    if cell.rounds > 1 {
        let (low, high) = (place(cell.low), place(cell.high));
        add(format_args!("<line class=\"w\" x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{middle}\" y2=\"{middle}\"/>"));
    }
    let mut upright = |class: &str, x: f64| {
        add(format_args!(
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{}\" y2=\"{}\"/>",
            middle - 10.0,
            middle + 10.0
        ));
    };
    upright("l", place(bar));
    if let Some(good) = cell.good {
        upright("o", place(good));
    }
    let unit = if cell.judged == Some(Judged::ValueAtMost) { format!(" {}", cell.unit) } else { String::new() };
    let sign = if cell.judged == Some(Judged::RatioAtLeast) { "≥" } else { "≤" };
    let said = format!("{}{unit} ({sign} {})", number(cell.figure()), number(bar));
    add(format_args!(
        "<text class=\"t\" x=\"{}\" y=\"{}\">{}</text>",
        LABEL + BAR + 10.0,
        middle + 5.0,
        escaped(&said)
    ));
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::cell::{Cell, Judged};
    use super::svg;

    #[test]
    fn every_judged_cell_has_its_row_and_others_have_none() {
        let rounds = [50.0, 60.0];
        let cell = |name: &str| Cell::shown(name, "1/s", &rounds, "").against(&rounds, &[100.0, 100.0]);
        let cells = [
            cell("a/low").held(Judged::ValueAtMost, 1.0, None),
            cell("b/high").held(Judged::RatioAtLeast, 0.5, Some(0.6)),
            cell("c/shown"),
        ];
        let picture = svg(&cells, "a < b");
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
        assert!(picture.contains("a &lt; b") && picture.contains("prefers-color-scheme: dark"));
        assert!(picture.find(">b/high<") < picture.find(">a/low<"), "what must be high comes first");
        assert!(!picture.contains("c/shown"));
        assert_eq!((picture.matches("class=\"h\"").count(), picture.matches("class=\"m\"").count()), (1, 1));
    }
}
