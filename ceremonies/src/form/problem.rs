//! One thing that is wrong in a text, and where.

use std::fmt;

/// One thing that is wrong: shown as `line 12: listen.network.address: expected …`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Problem {
    /// Line in the text, from 1; absent where the text as a whole is meant.
    pub line: Option<usize>,
    /// What it is about: a key with its tables, or a rule. Empty where the text as a whole is meant.
    pub place: String,
    /// What is wrong and what was expected.
    pub message: String,
}

impl Problem {
    /// A problem.
    pub fn new(line: Option<usize>, place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { line, place: place.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

/// Where lines begin.
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at).collect())
    }

    /// The number, from 1, of the line that holds this byte.
    pub(crate) fn number(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}

pub(crate) fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| problem.line);
    problems
}

/// What to say about a key that nobody knows.
pub(crate) fn unknown(key: &str, known: &[&str]) -> String {
    let alike = |name: &&&str| strsim::damerau_levenshtein(name, key);
    match known.iter().min_by_key(alike) {
        Some(name) if alike(&name) <= 1 + key.len() / 4 => format!("unknown; did you mean `{name}`?"),
        Some(_) => format!("unknown; expected one of: {}", known.join(", ")),
        None => "unknown; nothing is expected here".to_owned(),
    }
}
