//! The acts: whose they are, and that the records say what they say.

use std::collections::BTreeMap;

use proto::record::ceremony::{Acted, Ceremony};

use super::genesis::Instance;
use super::{SLACK, Scene, changes};
use crate::act::{Deed, Unverified, VerifiedAct};
use crate::record::acted;
use crate::roster::Roster;
use crate::transcript::control::{Control, Line};
use crate::transcript::course::{Course, Paper, Taken};
use crate::transcript::invalid::{At, hold};
use crate::transcript::{Invalid, Step};

/// Every act of the course, by the index of its record.
pub(super) fn verify(scene: &Scene<'_>) -> Result<BTreeMap<u64, VerifiedAct>, Invalid> {
    let Scene { control, course, instance, made, next, pinned, .. } = *scene;
    let mut verified = BTreeMap::new();
    let digest = course.statement.digest();
    for taken in &course.steps {
        let index = taken.index;
        let Some(paper) = &taken.paper else {
            hold(names_no_act(&taken.step), Step::Acts, || {
                format!("record {index} names an act without a person")
            })?;
            continue;
        };
        // Those whom a roster change brings in sign by the next roster, and whoever runs the tool of an emergency may have
        // come in since.
        let others = next.into_iter().chain([changes::in_force(made, instance, index)]);
        let act =
            one(paper, instance, pinned, others).at(Step::Acts, format_args!("the act of record {index}"))?;
        hold(act.act().deed.statement() == Some(digest), Step::Acts, || {
            format!("the act of record {index} is about another statement")
        })?;
        says_the_same(taken, &act, course)?;
        if let Ceremony::Acted(body) = &taken.step {
            overtaken(control, index, body)?;
        }
        verified.insert(index, act);
    }
    Ok(verified)
}

/// By the roster of the statement, or the first other one that knows the key.
fn one<'r>(
    paper: &Paper,
    instance: &Instance,
    pinned: &'r Roster,
    others: impl IntoIterator<Item = &'r Roster>,
) -> Result<VerifiedAct, Unverified> {
    let by = |roster: &Roster| {
        VerifiedAct::verify(paper.document.as_bytes(), &paper.armor, instance.setting(), roster)
    };
    let known = |judged: &Result<_, _>| !matches!(judged, Err(Unverified::UnknownKey(_)));
    let first = by(pinned);
    if known(&first) {
        return first;
    }
    others.into_iter().map(by).find(known).unwrap_or(first)
}

const fn names_no_act(step: &Ceremony) -> bool {
    !matches!(step, Ceremony::Started(started) if started.act.is_some())
}

/// Whether the leaf says what the signed document says.
fn says_the_same(taken: &Taken, act: &VerifiedAct, course: &Course) -> Result<(), Invalid> {
    let (person, digest) = (act.person().as_str(), act.digest());
    let deed = &act.act().deed;
    let same = match &taken.step {
        Ceremony::Proposed(proposed) => {
            matches!(deed, Deed::Propose { .. })
                && proposed.act == digest
                && proposed.initiator == person
                && course.statement.common().initiator == *act.person()
                && proposed.of == course.statement.kind().name()
                && proposed.statement == course.statement.digest()
        }
        Ceremony::Acted(body) => acted(course.ceremony, act, body.overtaken).as_ref() == Some(body.as_ref()),
        Ceremony::Started(started) => {
            matches!(deed, Deed::Execute { .. })
                && started.act == Some(digest)
                && started.operator.as_deref() == Some(person)
        }
        Ceremony::Deviated(deviated) => {
            matches!(deed, Deed::Deviation { .. }) && deviated.act == digest && deviated.person == person
        }
        _ => false,
    };
    hold(same, Step::Acts, || format!("record {} does not say what its act says", taken.index))
}

/// Whether the head that the act names was overtaken when the record says so, as far as control records show it.
fn overtaken(control: &Control, index: u64, body: &Acted) -> Result<(), Invalid> {
    let head = body.head.size;
    let wrong = |why: &str| Invalid::new(Step::Acts, format!("record {index}: {why}"));
    if head > index {
        return Err(wrong("the act names a head that the log did not have yet"));
    }
    let Some(own) = control.lines().iter().find(|line| line.index == index) else { return Ok(()) };
    if own.record.time.clock.is_some() {
        // Times are not compared with those of a clock that nobody trusted.
        return Ok(());
    }
    let trusted = control.lines().iter().filter(|line| line.record.time.clock.is_none());
    let (within, beyond): (Vec<&Line>, Vec<&Line>) =
        trusted.filter(|line| line.index < index).partition(|line| line.index < head);
    match body.overtaken {
        // It was the newest head when the daemon looked, whatever was sealed while it answered.
        None if beyond.iter().any(|line| line.record.time.sealed.later(SLACK) < own.record.time.asked) => {
            Err(wrong("the head that the act names was not the newest one, and the record does not say so"))
        }
        Some(at) if at > own.record.time.sealed || beyond.iter().any(|line| line.record.time.sealed < at) => {
            Err(wrong("the log went beyond the act's head earlier than the record says"))
        }
        Some(at) if within.iter().any(|line| line.record.time.sealed > at) => {
            Err(wrong("the log went beyond the act's head later than the record says"))
        }
        _ => Ok(()),
    }
}
