//! The roster as it is written: canonical JSON, and TOML.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Person, Place, Roster, SCHEMA, Terms};
use crate::form::{self, Form, Problem};
use crate::genesis::Mode;

/// A roster as it is written, before anything is known of it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RosterDocument {
    /// M.
    pub approvals: u16,
    /// Whether it counts.
    pub mode: Mode,
    /// Everybody.
    pub people: Vec<RosterPerson>,
    /// [`SCHEMA`].
    pub schema: String,
    /// From 1 without gaps.
    pub version: u64,
}

/// A person as he is written.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RosterPerson {
    /// SSH public keys, `type base64`.
    pub keys: Vec<String>,
    /// The display name.
    pub name: String,
    /// The id.
    pub person: String,
    /// The roles' names.
    pub roles: Vec<String>,
    /// The unit.
    pub unit: String,
}

impl RosterPerson {
    pub(super) fn of(person: &Person) -> Self {
        Self {
            keys: person.keys.iter().map(ToString::to_string).collect(),
            name: person.name.as_str().to_owned(),
            person: person.id.as_str().to_owned(),
            roles: person.roles.iter().map(ToString::to_string).collect(),
            unit: person.unit.as_str().to_owned(),
        }
    }
}

/// Where a thing stands in the text.
type Standing = BTreeMap<(Option<usize>, &'static str), Option<usize>>;

const ROSTER: [&str; 3] = ["approvals", "mode", "version"];
const PERSON: [&str; 5] = ["keys", "name", "person", "roles", "unit"];

pub(super) fn read(text: &str, terms: Terms) -> Result<Roster, Vec<Problem>> {
    let mut standing = Standing::new();
    let document = form::read(text, |form| document(form, &mut standing))?;
    Roster::new(&document, terms).map_err(|flaws| {
        let line = |place: Place| {
            let field = standing.get(&(place.person, place.field)).copied().flatten();
            field.or_else(|| standing.get(&(place.person, PERSON[2])).copied().flatten())
        };
        let written = |place: Place| place.to_string().replacen("people[", "person[", 1);
        let problem =
            |flaw: super::Flaw| Problem::new(line(flaw.place), written(flaw.place), flaw.fault.to_string());
        let mut problems: Vec<Problem> = flaws.into_iter().map(problem).collect();
        problems.sort_by_key(|problem| problem.line);
        problems
    })
}

fn document(form: &mut Form<'_, '_>, standing: &mut Standing) -> Option<RosterDocument> {
    for field in ROSTER {
        standing.insert((None, field), form.line_of(field));
    }
    let approvals = form.required("approvals", "how many officers must approve");
    let mode = form.required("mode", "\"production\" or \"rehearsal\"");
    let version = form.required("version", "1 for the first roster, then one more each time");
    let mut index = 0;
    let people = form.list("person", |form| {
        for field in PERSON {
            standing.insert((Some(index), field), form.line_of(field));
        }
        index += 1;
        person(form)
    });
    Some(RosterDocument {
        approvals: approvals?,
        mode: mode?,
        people,
        schema: SCHEMA.to_owned(),
        version: version?,
    })
}

fn person(form: &mut Form<'_, '_>) -> Option<RosterPerson> {
    let keys: Option<Vec<String>> = form.required("keys", "SSH public keys, each as in a `.pub` file");
    let name = form.required("name", "what the person is called");
    let person = form.required("person", "a stable id");
    let roles = form.required("roles", "of officer, operator, responder, witness");
    let unit = form.required("unit", "the part of the organisation");
    // A line that was copied out of a file often ends with the file's line end.
    let keys = keys?.iter().map(|key| key.trim_end_matches('\n').to_owned()).collect();
    Some(RosterPerson { keys, name: name?, person: person?, roles: roles?, unit: unit? })
}
