//! Tables: a header, rows, no borders, one blank between columns more than needed.
//!
//! Promises: at a width, the columns named elastic wrap and the others stay whole; without a width, every row is one line.

use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table};

use super::screen::Tone;

/// A cell and its tone.
#[derive(Debug, Clone)]
pub struct Entry {
    text: String,
    tone: Option<Tone>,
}

impl From<String> for Entry {
    fn from(text: String) -> Self {
        Self { text, tone: None }
    }
}

impl From<&str> for Entry {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), tone: None }
    }
}

impl Entry {
    /// A cell in a tone.
    #[must_use]
    pub fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone: Some(tone) }
    }
}

/// Rows under a header.
#[derive(Debug, Clone)]
pub struct Rows {
    header: Vec<&'static str>,
    elastic: Vec<usize>,
    rows: Vec<Vec<Entry>>,
}

impl Rows {
    /// A table with this header. Columns whose name ends in `~` may wrap.
    #[must_use]
    pub fn new(header: &[&'static str]) -> Self {
        let elastic = header
            .iter()
            .enumerate()
            .filter(|(_, name)| name.ends_with('~'))
            .map(|(column, _)| column)
            .collect();
        Self {
            header: header.iter().map(|name| name.trim_end_matches('~')).collect(),
            elastic,
            rows: Vec::new(),
        }
    }

    /// One more row.
    pub fn push(&mut self, row: Vec<Entry>) {
        self.rows.push(row);
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The text of the table.
    #[must_use]
    pub fn render(&self, width: Option<usize>, colour: bool) -> String {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING).force_no_tty();
        if colour {
            table.enforce_styling();
        }
        match width.and_then(|width| u16::try_from(width).ok()) {
            Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        table.set_header(self.header.iter().map(|name| {
            let cell = Cell::new(name.to_uppercase());
            if colour { cell.add_attribute(Attribute::Dim) } else { cell }
        }));
        for row in &self.rows {
            table.add_row(row.iter().map(|entry| toned(entry, colour)));
        }
        for (number, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if !self.elastic.contains(&number) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        let mut text = String::new();
        for line in table.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

fn toned(entry: &Entry, colour: bool) -> Cell {
    let cell = Cell::new(&entry.text);
    match entry.tone {
        Some(tone) if colour => match tone {
            Tone::Good => cell.fg(Color::Green),
            Tone::Bad => cell.fg(Color::Red).add_attribute(Attribute::Bold),
            Tone::Warn => cell.fg(Color::Yellow),
            Tone::Dim => cell.add_attribute(Attribute::Dim),
            Tone::Strong => cell.add_attribute(Attribute::Bold),
        },
        _ => cell,
    }
}
