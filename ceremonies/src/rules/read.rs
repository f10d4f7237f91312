//! Rules as people write them: the sections `[ceremony."<kind>"]` of the guardrails.

use crate::form::{Form, Period};
use crate::rules::{Officers, Rule, Rules};
use crate::statement::Kind;

const FIELDS: [&str; 5] = ["officers", "witnesses", "expires", "approval_age", "vetoes"];

impl Rules {
    /// Reads the sections, each with the numbers that are other than the shipped ones.
    pub(crate) fn read(form: &mut Form<'_, '_>) -> Self {
        let changed = form.named("ceremony", |name, form| match name.parse() {
            Ok(kind) => Some(rule(kind, form)),
            Err(unknown) => {
                form.problem(format!(
                    "{unknown}; kinds are quoted, for instance [ceremony.\"{}\"]",
                    Kind::KeyGenerate
                ));
                form.ignore_the_rest();
                None
            }
        });
        // A rule below a limit has been noted, so what is returned for it is not used.
        Self::with(changed.into_values()).unwrap_or_default()
    }
}

fn rule(kind: Kind, form: &mut Form<'_, '_>) -> Rule {
    let shipped = Rules::default().of(kind);
    let lines = FIELDS.map(|field| form.line_of(field));
    if !matches!(shipped.officers, Officers::Count(_)) && form.has(FIELDS[0]) {
        form.problem_at(
            FIELDS[0],
            "is no number of this kind: who approves it is fixed, and how many a quorum are, the roster says",
        );
    }
    let officers: Option<u16> = form.optional(FIELDS[0]);
    let officers = match shipped.officers {
        Officers::Count(count) => Officers::Count(officers.unwrap_or(count)),
        fixed => fixed,
    };
    let rule = Rule {
        officers,
        witnesses: form.or(FIELDS[1], shipped.witnesses),
        expires: form.or(FIELDS[2], Period::of(shipped.expires)).duration(),
        approval_age: form.or(FIELDS[3], Period::of(shipped.approval_age)).duration(),
        vetoes: form.or(FIELDS[4], shipped.vetoes),
        ..shipped
    };
    for limit in rule.broken() {
        let line = FIELDS.iter().zip(lines).find(|(field, _)| **field == limit.field());
        form.problem_on(line.and_then(|(_, line)| line), limit.to_string());
    }
    rule
}
