//! A key that was destroyed: it never came into force, and it is what a birth of this log left.
//!
//! Does not prove that the birth failed (its own records are in `control.jsonl`, and it has no transcript), nor that a device
//! forgot anything: that is what its operator and the witnesses say.

use proto::record::Body;
use proto::record::ceremony::Ceremony;

use super::end::keys;
use crate::birth::BirthNames;
use crate::outputs::Outputs;
use crate::statement::{Kind, Target};
use crate::transcript::control::Control;
use crate::transcript::course::Course;
use crate::transcript::invalid::{At, hold};
use crate::transcript::{Invalid, Step};

/// Judges what a `key.destroy` destroyed; nothing for other kinds.
pub(super) fn check(control: &Control, course: &Course) -> Result<(), Invalid> {
    let (Target::KeyDestroy(target), (_, Outputs::Gone(birth))) =
        (course.statement.target(), course.outputs()?)
    else {
        return Ok(());
    };
    let step = Step::Outputs;
    let in_force = keys(control).any(|known| known.key_id == target.key_id);
    hold(!in_force, step, || {
        "the key pair came into force, and in this version no such key is destroyed".to_owned()
    })?;
    let steps = || {
        control.lines().iter().filter_map(|line| match &line.record.body {
            Body::Ceremony(taken) if taken.ceremony() == birth => Some(taken),
            _ => None,
        })
    };
    let statement = steps().find_map(|taken| match taken {
        Ceremony::Proposed(proposed) if proposed.of == Kind::KeyGenerate.name() => Some(proposed.statement),
        _ => None,
    });
    let statement = statement.at(step, format_args!("no birth of a key was proposed as ceremony {birth}"))?;
    let started = steps().any(|taken| matches!(taken, Ceremony::Started(_)));
    hold(started, step, || format!("ceremony {birth} never started"))?;
    let completed = steps().any(|taken| matches!(taken, Ceremony::Completed(_)));
    hold(!completed, step, || format!("ceremony {birth} was completed, and its key came into force"))?;
    let place = target.locator.as_str();
    let right = match place.starts_with("pkcs11:") {
        true => BirthNames::from_digest(birth, statement).are_in(place),
        false => place == format!("software:{}", target.key_id),
    };
    hold(right, step, || {
        format!("{place} is not under the label and id that follow from the statement of ceremony {birth}")
    })
}
