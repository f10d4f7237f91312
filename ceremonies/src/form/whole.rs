//! Reading the rest of a table as one value by serde, for settings that their module declares as a struct.
//!
//! serde stops at the first error, so the key that it is about is noted, taken out, and the rest is tried again, until
//! nothing is left to complain of or what is missing cannot be told.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, Deserializer};

use super::{Entry, Form, problem};

impl Form<'_, '_> {
    /// The keys that have not been taken yet, as one value, which should refuse unknown fields. `None` where something is
    /// wrong, which is noted.
    pub fn whole<T: DeserializeOwned>(&mut self) -> Option<T> {
        let mut rest = std::mem::take(&mut self.rest);
        let mut wrong = Vec::new();
        loop {
            let table: DeTable<'_> =
                rest.values().map(|entry| (entry.key.clone(), entry.value.clone())).collect();
            let error = match T::deserialize(Deserializer::from(Spanned::new(0..0, table))) {
                Ok(value) if wrong.is_empty() => return Some(value),
                Ok(_without_what_was_wrong) => return None,
                Err(error) => error,
            };
            let about = error.span().and_then(|span| rest.values().find(|entry| entry.holds(&span)));
            match (about, missing(error.message())) {
                // What was taken out for another reason is not missing.
                (_, Some(name)) if wrong.iter().any(|key| key == name) => return None,
                (None, Some(name)) => {
                    self.note(self.line, &self.place(name), "is missing");
                    return None;
                }
                (Some(entry), _) => {
                    let key = entry.key.get_ref().clone().into_owned();
                    self.note(Some(entry.line), &self.place(&key), reworded(&key, error.message()));
                    rest.remove(&key);
                    wrong.push(key);
                }
                (None, None) => {
                    self.problem(error.message());
                    return None;
                }
            }
        }
    }
}

impl Entry<'_> {
    fn holds(&self, span: &Range<usize>) -> bool {
        let within =
            |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end && !span.is_empty();
        within(self.key.span()) || within(self.value.span())
    }
}

/// The field of serde's "missing field `x`".
fn missing(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

/// serde's "unknown field `x`, expected one of `a`, `b`" in our words.
fn reworded(key: &str, message: &str) -> String {
    match message.strip_prefix(&format!("unknown field `{key}`")) {
        Some(expected) => {
            let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
            problem::unknown(key, &known)
        }
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::form::read;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Engine {
        power: u32,
        fuel: String,
        #[serde(default)]
        gears: Option<u8>,
    }

    fn engine(text: &str) -> Result<Engine, Vec<String>> {
        let filled = read(text, |form| form.section("engine", "what drives it", |form| form.whole()));
        filled.map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_good_table_is_read() {
        let engine = engine("[engine]\npower = 3\nfuel = \"wind\"\n");
        assert_eq!(engine, Ok(Engine { power: 3, fuel: "wind".into(), gears: None }));
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        assert_eq!(
            engine("[engine]\npower = \"much\"\nfeul = \"wind\"\ngears = 300\nbrakes = 1\n"),
            Err(vec![
                "line 2: engine.power: invalid type: string \"much\", expected u32".to_owned(),
                "line 3: engine.feul: unknown; did you mean `fuel`?".to_owned(),
                "line 4: engine.gears: invalid value: integer `300`, expected u8".to_owned(),
                "line 5: engine.brakes: unknown; expected one of: power, fuel, gears".to_owned(),
            ])
        );
        assert_eq!(engine("[engine]\npower = 1\n"), Err(vec!["line 1: engine.fuel: is missing".to_owned()]));
    }
}
