//! Showing what a statement says otherwise than its template, or than the last one of its kind.

use ceremonies::statement::Statement;
use ceremonies::statement::differs::Difference;
use ceremonies::statement::template::Template;
use proto::time::Time;
use serde_json::{Value, json};

use super::statement::value;
use crate::cli::complaint::Complaint;
use crate::cli::input;
use crate::cli::screen::{Screen, Tone};
use crate::cli::table::{Entry, Rows};
use crate::people::text::seconds;
use std::path::Path;

/// Templates are written by people; this is far more than anyone writes.
const LARGEST: u64 = 1024 * 1024;

/// A template's text, and what it says.
///
/// # Errors
/// Everything that is wrong with it.
pub fn template(path: &Path) -> Result<(String, Template), Complaint> {
    understood(path, input::text(path, LARGEST)?)
}

/// What ready statements write behind whatever is to be filled in.
const MARK: &str = "# FILL IN";

/// What the text of a template says, which came from this file.
///
/// # Errors
/// Everything that is wrong with it; lines that are still to be filled in.
pub fn understood(path: &Path, text: String) -> Result<(String, Template), Complaint> {
    let left: Vec<String> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.contains(MARK))
        .map(|(at, line)| format!("line {}: {}", at + 1, line.trim()))
        .collect();
    if !left.is_empty() {
        let mut complaint = Complaint::failed(format!("{} is not filled in", path.display()));
        complaint.why = left;
        return Err(complaint.advise("fill these lines in, and take the marks away"));
    }
    let template = Template::parse(&text).map_err(|problems| {
        let mut complaint = Complaint::failed(format!("{} is not understood", path.display()));
        complaint.why = problems.iter().map(ToString::to_string).collect();
        complaint.advise("correct it: a template says everything that people decide")
    })?;
    Ok((text, template))
}

/// Refuses a statement that says anything otherwise than its template.
///
/// # Errors
/// With each difference.
pub fn held_against(template: &Template, statement: &Statement, now: Time) -> Result<(), Complaint> {
    let found = template.differs(statement);
    if found.is_empty() {
        return Ok(());
    }
    let mut complaint =
        Complaint::failed("the statement is NOT what the template says; nothing was signed or written");
    for difference in &found {
        let (before, after) = sides(difference, now);
        complaint = complaint
            .because(format!("{}: {before} in the template, {after} in the statement", difference.path));
    }
    Err(complaint.advise("ask who made it; propose it anew from the template, or refuse it with --refuse"))
}

/// What is new since the last ceremony of the kind, leaving out what every two statements have.
#[must_use]
pub fn news(statement: &Statement, last: &Statement) -> Vec<Difference> {
    statement.differs_from(last).into_iter().filter(|difference| !difference.is_routine()).collect()
}

/// Shows them.
///
/// # Errors
/// As the output gives them.
pub fn since(
    last: Option<&Statement>,
    statement: &Statement,
    now: Time,
    screen: &mut Screen,
) -> Result<(), Complaint> {
    let Some(last) = last else {
        return Ok(screen.line(&format!("There is no completed {} before this one.", statement.kind()))?);
    };
    let found = news(statement, last);
    let when = seconds(last.common().not_before);
    if found.is_empty() {
        return Ok(screen.line(&format!(
            "It says the same as the last completed {} of {when}, but for times, ids and the log's head.",
            statement.kind()
        ))?);
    }
    let sentence =
        format!("from the last completed {} of {when}, {}:", statement.kind(), last.common().ceremony);
    screen.headline(Tone::Warn, "Different", &sentence)?;
    let mut rows = Rows::new(&["field", "last time~", "now~"]);
    for difference in &found {
        let (before, after) = sides(difference, now);
        rows.push(vec![
            Entry::toned(difference.path.clone(), Tone::Strong),
            shorter(&before).into(),
            shorter(&after).into(),
        ]);
    }
    Ok(screen.table(&rows)?)
}

/// For programs.
#[must_use]
pub fn document(found: &[Difference]) -> Value {
    found
        .iter()
        .map(|difference| json!({ "path": difference.path, "before": difference.before, "after": difference.after }))
        .collect()
}

fn sides(difference: &Difference, now: Time) -> (String, String) {
    let text = |side: &Option<Value>| {
        side.as_ref().map_or_else(
            || "nothing".to_owned(),
            |found| value("", found, now).replace(";\n", ";").replace('\n', " "),
        )
    };
    (text(&difference.before), text(&difference.after))
}

/// Digests by their beginning: the whole is in the statement above.
fn shorter(text: &str) -> String {
    let is_digest = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if is_digest { format!("{}…", &text[..12]) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    #[test]
    fn a_ready_statement_is_filled_in_before_it_is_used() {
        let ready = include_str!("../../../../ceremonies/statements/production/key-generate.toml");
        let path = Path::new("new-key.toml");
        let complaint = understood(path, ready.to_owned()).unwrap_err();
        assert_eq!(complaint.what, "new-key.toml is not filled in");
        assert!(complaint.why.iter().any(|why| why.contains("key = \"none/yet\"")), "{:?}", complaint.why);
        let filled =
            ready.lines().map(|line| line.split(MARK).next().unwrap()).collect::<Vec<_>>().join("\n");
        understood(path, filled).unwrap();
    }
}
