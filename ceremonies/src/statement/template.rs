//! Templates: statements that wait for their day, as TOML files.
//!
//! ```toml
//! kind = "key.generate"
//! mode = "rehearsal"
//! environment = "sandbox"
//! lives = "72h"                    # from the moment it is proposed
//! purpose = "first key for Linux releases"
//! justification = "…"              # this and the ticket may be left for the day
//! ticket = "OPS-4711"
//!
//! [target]                         # the parameters of the kind, all of them
//! activation = "at-completion"
//! algorithm = "ecdsa-p256-sha256"
//! # …
//! ```
//!
//! A template says what people decide; ids, times, the log's head, roster, guardrails and the numbers of the quorum are the
//! instance's, and are filled in when it is proposed. Reading says everything that is wrong at once, with its line.

use std::time::Duration;

use proto::time::Time;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::form::{self, Form, Period, Problem};
use crate::genesis::Mode;
use crate::nonce::Nonce;
use crate::person::PersonId;
use crate::rules::LONGEST;
use crate::statement::differs::{self, Difference};
use crate::statement::target::Fill;
use crate::statement::{
    CeremonyId, Common, Kind, Line, Log, Name, Prose, Quorum, Statement, StatementError, Target, Version,
};

/// A statement without what only its day knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    /// For instance `sandbox`.
    pub environment: Name,
    /// Why; may be left for the day.
    pub justification: Option<Prose>,
    /// How long the statement lives.
    pub lives: Duration,
    /// Whether it counts.
    pub mode: Mode,
    /// What for, in one line.
    pub purpose: Line,
    /// The parameters of its kind.
    pub target: Target,
    /// Where it was asked for; may be left for the day.
    pub ticket: Option<Line>,
}

/// What only the day knows.
#[derive(Clone, Debug)]
pub struct Day {
    /// Random.
    pub ceremony: CeremonyId,
    /// The guardrails in force.
    pub guardrails: Version,
    /// Who proposes it.
    pub initiator: PersonId,
    /// Name of the instance.
    pub instance: Name,
    /// Why, in place of the template's.
    pub justification: Option<Prose>,
    /// The log and its head.
    pub log: Log,
    /// Random.
    pub nonce: Nonce,
    /// When it begins.
    pub not_before: Time,
    /// How many people must agree, by the roster and the rules in force.
    pub quorum: Quorum,
    /// The roster in force.
    pub roster: Version,
    /// Where it was asked for, in place of the template's.
    pub ticket: Option<Line>,
}

impl Fill for Form<'_, '_> {
    fn fill<T: DeserializeOwned>(&mut self) -> Option<T> {
        self.whole()
    }
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the lines.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        form::read(text, |form| {
            let kind: Option<Kind> =
                form.required("kind", "the kind of ceremony, for instance \"key.generate\"");
            let mode = form.required("mode", "\"production\" or \"rehearsal\"");
            let environment = form.required("environment", "for instance \"sandbox\"");
            let lives_line = form.line_of("lives");
            let lives: Option<Period> =
                form.required("lives", "how long the statement lives, for instance \"72h\"");
            if lives.is_some_and(|lives| lives.duration().is_zero() || lives.duration() > LONGEST) {
                form.problem_on(lives_line, "lives: expected more than nothing and at most 30d");
            }
            let purpose = form.required("purpose", "what for, in one line");
            let justification = form.optional("justification");
            let ticket = form.optional("ticket");
            let target = form.section("target", "the parameters of the kind", |form| match kind {
                Some(kind) => Target::fill(kind, form),
                None => {
                    form.ignore_the_rest();
                    None
                }
            });
            Some(Self {
                environment: environment?,
                justification,
                lives: lives?.duration(),
                mode: mode?,
                purpose: purpose?,
                target: target?,
                ticket,
            })
        })
    }

    /// The statement that the template makes on this day.
    ///
    /// # Errors
    /// [`StatementError::Missing`] where neither has a justification or a ticket, else the first rule that it breaks.
    pub fn fill(&self, day: Day) -> Result<Statement, StatementError> {
        let missing = |place: &str| StatementError::Missing { place: place.to_owned() };
        let justification = day.justification.or_else(|| self.justification.clone());
        let ticket = day.ticket.or_else(|| self.ticket.clone());
        let common = Common {
            ceremony: day.ceremony,
            environment: self.environment.clone(),
            expires: day.not_before.later(self.lives),
            guardrails: day.guardrails,
            initiator: day.initiator,
            instance: day.instance,
            justification: justification.ok_or_else(|| missing("justification"))?,
            log: day.log,
            mode: self.mode,
            nonce: day.nonce,
            not_before: day.not_before,
            purpose: self.purpose.clone(),
            quorum: day.quorum,
            roster: day.roster,
            ticket: ticket.ok_or_else(|| missing("ticket"))?,
        };
        Statement::new(common, self.target.clone())
    }

    /// What a statement says otherwise than this template, as far as the template says anything.
    pub fn differs(&self, statement: &Statement) -> Vec<Difference> {
        let Common { environment, justification, mode, purpose, ticket, .. } = statement.common();
        let said = Self {
            environment: environment.clone(),
            justification: self.justification.as_ref().map(|_said| justification.clone()),
            lives: statement.lives(),
            mode: *mode,
            purpose: purpose.clone(),
            target: statement.target().clone(),
            ticket: self.ticket.as_ref().map(|_said| ticket.clone()),
        };
        differs::between(&self.to_value(), &said.to_value())
    }

    fn to_value(&self) -> Value {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("environment", self.environment.as_str().into());
        put("kind", self.target.kind().name().into());
        put("lives", Period::of(self.lives).to_string().into());
        put("mode", serde_json::to_value(self.mode).expect("a mode is a string"));
        put("purpose", self.purpose.as_str().into());
        put("target", self.target.write().expect("parameters are strings, numbers, lists and objects"));
        if let Some(justification) = &self.justification {
            put("justification", justification.as_str().into());
        }
        if let Some(ticket) = &self.ticket {
            put("ticket", ticket.as_str().into());
        }
        Value::Object(fields)
    }
}

#[cfg(test)]
mod tests;
