//! Showing the grants that a `grant.change` puts in force, as their file is.
//!
//! Promises: every line is shown; what cannot be seen, or turns the direction of writing, is shown as its code point.

use ceremonies::person::is_hidden;

use crate::cli::complaint::Complaint;
use crate::cli::screen::{Screen, Tone};
use crate::people::open::Open;

/// Shows the next grants; nothing for other kinds.
///
/// # Errors
/// As the output gives them.
pub fn show(open: &Open, screen: &mut Screen) -> Result<(), Complaint> {
    let Some(text) = &open.grants else { return Ok(()) };
    lines("The next grants,", text, screen)
}

/// Shows a file line by line.
///
/// # Errors
/// As the output gives them.
pub fn lines(what: &str, text: &str, screen: &mut Screen) -> Result<(), Complaint> {
    screen.headline(Tone::Warn, what, "of which the daemon has the file:")?;
    for (number, line) in (1..).zip(text.lines()) {
        screen.line(&format!("{number:>4}  {}", visible(line)))?;
    }
    Ok(screen.gap()?)
}

fn visible(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '\t' => shown.push_str("    "),
            c if is_hidden(c) => shown.push_str(&format!("<U+{:04X}>", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(
            visible("permit\t(\u{202e}principal\u{1b}[2J)"),
            "permit    (<U+202E>principal<U+001B>[2J)"
        );
    }
}
