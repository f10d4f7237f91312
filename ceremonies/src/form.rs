//! Reading TOML that people write, completely: everything that is wrong is said at once, each with its line.
//!
//! serde stops at the first error. A [`Form`] instead is filled in field by field: what is missing, of the wrong type or
//! unknown becomes a [`Problem`], and reading goes on. An unknown key is refused with the known one that looks most like
//! it. Values are read by serde, so their own sentences say what was expected of them.

mod period;
mod problem;
mod size;
mod whole;

use std::cell::RefCell;
use std::collections::BTreeMap;

pub use period::{NotAPeriod, Period};
use problem::Lines;
pub use problem::Problem;
use serde::de::{DeserializeOwned, IntoDeserializer};
pub use size::{NotASize, Size};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// Reads a whole text with `fill`.
///
/// # Errors
/// Everything that is wrong, in the order of the lines.
pub fn read<T>(text: &str, fill: impl FnOnce(&mut Form<'_, '_>) -> Option<T>) -> Result<T, Vec<Problem>> {
    let lines = Lines::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let at = |error: &toml::de::Error| error.span().map(|span| lines.number(span.start));
        let problems: Vec<_> =
            errors.iter().map(|error| Problem::new(at(error), "", error.message())).collect();
        return Err(problem::sorted(problems));
    }
    let reading = Reading { lines, problems: RefCell::default() };
    let filled = {
        let mut form = Form::new(&reading, table.into_inner(), String::new(), None);
        let filled = fill(&mut form);
        form.refuse_the_rest();
        filled
    };
    match (filled, problem::sorted(reading.problems.into_inner())) {
        (Some(value), problems) if problems.is_empty() => Ok(value),
        (None, problems) if problems.is_empty() => {
            Err(vec![Problem::new(None, "", "the file is incomplete")])
        }
        (_, problems) => Err(problems),
    }
}

struct Reading {
    lines: Lines,
    problems: RefCell<Vec<Problem>>,
}

/// A key with its value, not read yet.
struct Entry<'t> {
    line: usize,
    key: Spanned<DeString<'t>>,
    value: Spanned<DeValue<'t>>,
}

/// One table that is being read. A getter that returns `None` for something required has noted the problem.
pub struct Form<'r, 't> {
    reading: &'r Reading,
    rest: BTreeMap<String, Entry<'t>>,
    known: Vec<&'static str>,
    path: String,
    line: Option<usize>,
}

impl<'r, 't> Form<'r, 't> {
    fn new(reading: &'r Reading, table: DeTable<'t>, path: String, line: Option<usize>) -> Self {
        let entry = |(key, value): (Spanned<DeString<'t>>, _)| {
            let line = reading.lines.number(key.span().start);
            (key.get_ref().clone().into_owned(), Entry { line, key, value })
        };
        Self { reading, rest: table.into_iter().map(entry).collect(), known: Vec::new(), path, line }
    }

    fn place(&self, key: &str) -> String {
        let plain =
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        let key = if plain { key.to_owned() } else { format!("\"{key}\"") };
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }

    fn note(&self, line: Option<usize>, place: &str, message: impl Into<String>) {
        self.reading.problems.borrow_mut().push(Problem::new(line, place, message));
    }

    /// Notes that this table is wrong as a whole.
    pub fn problem(&self, message: impl Into<String>) {
        self.note(self.line, &self.path, message);
    }

    /// Notes that the value of `key` is wrong. To be called before it is taken.
    pub fn problem_at(&self, key: &str, message: impl Into<String>) {
        let line = self.rest.get(key).map(|entry| entry.line).or(self.line);
        self.note(line, &self.place(key), message);
    }

    /// Notes something about this table on a line that [`Self::line_of`] has said before the key was taken.
    pub fn problem_on(&self, line: Option<usize>, message: impl Into<String>) {
        self.note(line.or(self.line), &self.path, message);
    }

    /// Whether anything has been noted, here or elsewhere in the text.
    pub fn has_problems(&self) -> bool {
        !self.reading.problems.borrow().is_empty()
    }

    /// Says nothing about the keys that have not been taken: what is wrong here has been noted.
    pub fn ignore_the_rest(&mut self) {
        self.rest.clear();
    }

    /// Notes why `key` may not be there, where it is, and takes it.
    pub fn refuse(&mut self, key: &str, why: &str) {
        if let Some(Entry { line, .. }) = self.rest.remove(key) {
            self.note(Some(line), &self.place(key), why);
        }
    }

    /// The line of `key`, before it is taken.
    pub fn line_of(&self, key: &str) -> Option<usize> {
        self.rest.get(key).map(|entry| entry.line)
    }

    /// The names of the keys that have not been taken yet, for tables whose keys are names.
    pub fn names(&self) -> Vec<String> {
        self.rest.keys().cloned().collect()
    }

    /// Whether `key` is there. It then still has to be taken.
    pub fn has(&self, key: &str) -> bool {
        self.rest.contains_key(key)
    }

    fn take(&mut self, key: &'static str) -> Option<(usize, Spanned<DeValue<'t>>)> {
        self.known.push(key);
        self.rest.remove(key).map(|entry| (entry.line, entry.value))
    }

    fn value<T: DeserializeOwned>(&self, key: &str, line: usize, value: Spanned<DeValue<'t>>) -> Option<T> {
        match T::deserialize(value.into_deserializer()) {
            Ok(value) => Some(value),
            Err(error) => {
                self.note(Some(line), &self.place(key), error.message());
                None
            }
        }
    }

    fn missing<T>(&self, key: &str, what: &str) -> Option<T> {
        self.note(self.line, &self.place(key), format!("is missing: {what}"));
        None
    }

    /// A value that must be there; `what` says what it is.
    pub fn required<T: DeserializeOwned>(&mut self, key: &'static str, what: &str) -> Option<T> {
        match self.take(key) {
            Some((line, value)) => self.value(key, line, value),
            None => self.missing(key, what),
        }
    }

    /// A value that may be there. `None` also where it is wrong, which is noted.
    pub fn optional<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        let (line, value) = self.take(key)?;
        self.value(key, line, value)
    }

    /// A value with a default.
    pub fn or<T: DeserializeOwned>(&mut self, key: &'static str, default: T) -> T {
        self.optional(key).unwrap_or(default)
    }

    /// A value with a default and a rule; where it breaks the rule, `expected` says which, and the default is taken so
    /// that reading goes on.
    pub fn checked<T: DeserializeOwned>(
        &mut self,
        key: &'static str,
        default: T,
        holds: impl Fn(&T) -> bool,
        expected: &str,
    ) -> T {
        let line = self.line_of(key);
        match self.optional(key) {
            Some(value) if holds(&value) => value,
            Some(_) => {
                self.note(line, &self.place(key), format!("expected {expected}"));
                default
            }
            None => default,
        }
    }

    fn table(&self, key: &str, line: usize, value: Spanned<DeValue<'t>>) -> Option<Form<'r, 't>> {
        let place = self.place(key);
        match value.into_inner() {
            DeValue::Table(table) => Some(Form::new(self.reading, table, place, Some(line))),
            other => {
                self.note(
                    Some(line),
                    &place,
                    format!("expected a table, found {}", article(other.type_str())),
                );
                None
            }
        }
    }

    fn filled<T>(mut form: Form<'r, 't>, fill: impl FnOnce(&mut Form<'r, 't>) -> Option<T>) -> Option<T> {
        let filled = fill(&mut form);
        form.refuse_the_rest();
        filled
    }

    /// A table that must be there; `what` says what for.
    pub fn section<T>(
        &mut self,
        key: &'static str,
        what: &str,
        fill: impl FnOnce(&mut Form<'r, 't>) -> Option<T>,
    ) -> Option<T> {
        match self.take(key) {
            Some((line, value)) => Self::filled(self.table(key, line, value)?, fill),
            None => self.missing(key, what),
        }
    }

    /// A table that may be there.
    pub fn optional_section<T>(
        &mut self,
        key: &'static str,
        fill: impl FnOnce(&mut Form<'r, 't>) -> Option<T>,
    ) -> Option<T> {
        let (line, value) = self.take(key)?;
        Self::filled(self.table(key, line, value)?, fill)
    }

    /// Tables under names that the writer chooses, as `[backend.hsm-a]`. Those that are wrong are noted and left out.
    pub fn named<T>(
        &mut self,
        key: &'static str,
        mut fill: impl FnMut(&str, &mut Form<'r, 't>) -> Option<T>,
    ) -> BTreeMap<String, T> {
        let mut out = BTreeMap::new();
        let Some((line, value)) = self.take(key) else { return out };
        let Some(mut form) = self.table(key, line, value) else { return out };
        for (name, Entry { line, value, .. }) in std::mem::take(&mut form.rest) {
            let Some(table) = form.table(&name, line, value) else { continue };
            if let Some(value) = Self::filled(table, |table| fill(&name, table)) {
                out.insert(name, value);
            }
        }
        out
    }

    /// Tables in a list, as `[[case]]` or `[{ … }]`. Those that are wrong are noted and left out.
    pub fn list<T>(
        &mut self,
        key: &'static str,
        mut fill: impl FnMut(&mut Form<'r, 't>) -> Option<T>,
    ) -> Vec<T> {
        let Some((line, value)) = self.take(key) else { return Vec::new() };
        let DeValue::Array(items) = value.into_inner() else {
            self.note(Some(line), &self.place(key), "expected a list of tables");
            return Vec::new();
        };
        let mut out = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let line = self.reading.lines.number(item.span().start);
            let Some(mut table) = self.table(key, line, item) else { continue };
            table.path = format!("{}[{index}]", self.place(key));
            out.extend(Self::filled(table, &mut fill));
        }
        out
    }

    fn refuse_the_rest(&self) {
        for (key, Entry { line, .. }) in &self.rest {
            self.note(Some(*line), &self.place(key), problem::unknown(key, &self.known));
        }
    }
}

fn article(kind: &str) -> String {
    let an = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if an { "an" } else { "a" })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[derive(Debug, PartialEq)]
    struct House {
        street: String,
        number: u16,
        rooms: BTreeMap<String, u8>,
        guests: Vec<String>,
    }

    fn house(text: &str) -> Result<House, Vec<Problem>> {
        read(text, |form| {
            let street = form.required("street", "where it is");
            let number = form.checked("number", 1, |n| *n > 0, "a number from 1");
            let rooms = form.named("room", |_, room| room.required("windows", "how many"));
            let guests = form.list("guest", |guest| guest.required("name", "of the guest"));
            Some(House { street: street?, number, rooms, guests })
        })
    }

    #[test]
    fn a_good_form_is_read() {
        let read =
            house("street = \"a\"\nnumber = 3\n[room.blue]\nwindows = 2\n[[guest]]\nname = \"b\"\n").unwrap();
        let rooms = [("blue".to_owned(), 2)].into();
        assert_eq!(read, House { street: "a".into(), number: 3, rooms, guests: vec!["b".into()] });
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once_with_its_line() {
        let text = "numbr = 3\nnumber = 0\n[room]\nred = 5\n[room.blue]\nwindows = \"two\"\ncolour = 1\n[[guest]]\n[[guest]]\nname = \"b\"\n";
        let problems: Vec<_> = house(text).unwrap_err().iter().map(Problem::to_string).collect();
        assert_eq!(
            problems,
            [
                "street: is missing: where it is",
                "line 1: numbr: unknown; did you mean `number`?",
                "line 2: number: expected a number from 1",
                "line 4: room.red: expected a table, found an integer",
                "line 6: room.blue.windows: invalid type: string \"two\", expected u8",
                "line 7: room.blue.colour: unknown; expected one of: windows",
                "line 8: guest[0].name: is missing: of the guest",
            ]
        );
    }

    #[test]
    fn a_text_that_is_no_toml_is_refused_with_the_line() {
        let problems = house("street = \"a\"\nnumber = = 3\n").unwrap_err();
        assert_eq!(problems[0].line, Some(2));
    }
}
