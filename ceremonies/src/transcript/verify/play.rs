//! The course of the ceremony, played once more by the machine that the daemon runs it with.

use std::collections::{BTreeMap, BTreeSet};

use proto::hash::Hash;
use proto::record::Body;
use proto::record::ceremony::{Ceremony, Effect, document};

use super::genesis::Instance;
use super::{SLACK, Scene};
use crate::act::VerifiedAct;
use crate::genesis::Mode;
use crate::record;
use crate::rules::Rules;
use crate::session::{Event, InForce, Session, State};
use crate::statement::Version;
use crate::statement::target::Leftover;
use crate::transcript::control::{Control, Line};
use crate::transcript::course::Course;
use crate::transcript::invalid::{At, hold};
use crate::transcript::{Deviation, Invalid, Step};

/// The guardrails of an instance, as its control records changed them.
pub(super) struct Guardrails {
    /// Those in force when the ceremony was proposed.
    in_force: Version,
    rules: Rules,
    /// Each change after the first ones, with the index of its record.
    changes: Vec<(u64, Version)>,
    /// Indices of the changes that no ceremony made.
    pub(super) changed: Vec<u64>,
}

impl Guardrails {
    /// The guardrails that the record with this index put in force.
    fn at(&self, index: u64) -> Option<Version> {
        self.changes.iter().find(|(known, _)| *known == index).map(|(_, version)| *version)
    }
}

/// The rules that guardrails set.
fn rules(text: &str) -> Result<Rules, Invalid> {
    let read = crate::guardrails::Guardrails::parse(text).map_err(|problems| {
        let said = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Invalid::new(Step::Guardrails, format!("the guardrails: {said}"))
    })?;
    Ok(read.rules)
}

/// The guardrails through the log: genesis has the first version, and each record makes the next.
pub(super) fn guardrails(
    control: &Control,
    course: &Course,
    instance: &Instance,
) -> Result<Guardrails, Invalid> {
    let step = Step::Guardrails;
    let common = instance.genesis.statement().common();
    let (mut newest, mut changes) = (common.guardrails, Vec::new());
    let mut changed = Vec::new();
    for line in control.lines() {
        let next = newest.version.saturating_add(1);
        newest = match &line.record.body {
            Body::Policy { sha256 } => {
                hold(common.mode == Mode::Rehearsal, step, || {
                    let index = line.index;
                    format!(
                        "record {index} changes the guardrails without a ceremony, and this is production"
                    )
                })?;
                changed.push(line.index);
                Version { sha256: *sha256, version: next }
            }
            Body::Ceremony(Ceremony::Completed(completed)) => match &completed.effect {
                Effect::Guardrails { sha256, version } => {
                    hold(*version == next, step, || {
                        format!("record {} makes guardrails {version}, and {next} would follow", line.index)
                    })?;
                    Version { sha256: *sha256, version: next }
                }
                _ => continue,
            },
            _ => continue,
        };
        changes.push((line.index, newest));
    }
    let proposal = course.proposal();
    let before = changes.iter().rev().find(|(index, _)| *index < proposal.index);
    let in_force = before.map_or(common.guardrails, |(_, version)| *version);
    let text = proposal.document(document::GUARDRAILS).at(step, "the proposal brings no guardrails")?;
    hold(Hash::of(text.as_bytes()) == in_force.sha256, step, || {
        "the guardrails that the proposal brings are not those in force".to_owned()
    })?;
    Ok(Guardrails { in_force, rules: rules(text)?, changes, changed })
}

/// What a control record makes happen in the ceremony; none where it has nothing to do with it.
fn event(line: &Line, scene: &Scene<'_>) -> Result<Option<Event>, Invalid> {
    let Scene { course, made, guardrails, suspended, .. } = *scene;
    Ok(match &line.record.body {
        Body::Ceremony(step) if step.ceremony() == course.ceremony => {
            record::event(step).at(Step::Session, format_args!("record {}", line.index))?
        }
        Body::Ceremony(Ceremony::Completed(completed)) => match &completed.effect {
            Effect::Roster { .. } => {
                let made = made.iter().find(|made| made.index == line.index);
                let roster = made.and_then(|made| made.roster.as_ref());
                roster.map(|roster| Event::Roster(suspended.seats(roster, line.index)))
            }
            Effect::Guardrails { .. } => guardrails.at(line.index).map(Event::Guardrails),
            Effect::Resolved { ceremony, destroyed } if *ceremony == course.ceremony => {
                let leftover = if *destroyed { Leftover::Destroy } else { Leftover::Abandon };
                Some(Event::Resolved { by: completed.ceremony, leftover })
            }
            _ => None,
        },
        Body::Suspend(_) => suspended.changed_by(line.index).cloned().map(Event::Suspended),
        Body::Policy { .. } => guardrails.at(line.index).map(Event::Guardrails),
        _ => None,
    })
}

/// Plays the records from the proposal to the last before the completion: the ceremony must be completed by them.
pub(super) fn to_the_end(
    scene: &Scene<'_>,
    acts: &BTreeMap<u64, VerifiedAct>,
) -> Result<Vec<Deviation>, Invalid> {
    let Scene { control, course, instance, guardrails, next, pinned, suspended, .. } = *scene;
    let common = instance.genesis.statement().common();
    let in_force = InForce {
        instance: common.instance.clone(),
        environment: common.environment.clone(),
        mode: common.mode,
        origin: instance.genesis.origin().clone(),
        roster: suspended.seats(pinned, course.proposal().index).into(),
        guardrails: guardrails.in_force,
        rules: guardrails.rules.clone().into(),
    };
    let proposal = course.proposal().index;
    let mut deviations = Vec::new();
    let mut spent = BTreeSet::new();
    let mut session: Option<Session> = None;
    // The first record without effect after the newest one with effect.
    let mut refused = None;
    for line in control.lines().iter().filter(|line| line.index >= proposal) {
        let stamp = record::stamp(line.index, &line.record);
        let Some(before) = &session else {
            let opened = Session::open(course.statement.clone(), &in_force, next.map(Into::into), stamp);
            session = Some(opened.at(Step::Session, "the proposal")?);
            in_time(line, acts)?;
            continue;
        };
        let Some(event) = event(line, scene)? else { continue };
        if let (Event::Deviation { .. }, Some(act)) = (&event, acts.get(&line.index)) {
            let (person, text) = (act.person().clone(), act.act().reason.clone());
            deviations.push(Deviation::Spoken { index: line.index, person, text });
        }
        // Acts that no session counts: each starts or says something once.
        let counted = matches!(event, Event::Start { .. } | Event::Deviation { .. });
        let digest = acts.get(&line.index).filter(|_| counted).map(VerifiedAct::digest);
        if digest.is_some_and(|digest| spent.contains(&digest)) {
            continue;
        }
        // What came too late has no effect, today as on the day.
        let after = match before.after(&event, stamp) {
            Ok(after) => after,
            Err(refusal) => {
                refused.get_or_insert((line.index, refusal));
                continue;
            }
        };
        refused = None;
        if let Event::Resolved { by, .. } = event {
            deviations.push(Deviation::Resolved { by });
        }
        let machine = matches!(event, Event::Start { operator: None, .. });
        hold(!(machine && course.statement.kind().is_by_hand()), Step::Session, || {
            format!("record {}: nobody ran the tool", line.index)
        })?;
        in_time(line, acts)?;
        spent.extend(digest);
        session = Some(after);
    }
    let session = session.at(Step::Session, "there is no proposal")?;
    let state = session.state();
    let State::Completed { outputs, .. } = state else {
        let why = refused
            .map_or(String::new(), |(index, refusal)| format!("; record {index} had no effect: {refusal}"));
        let reason = format!("the records leave the ceremony {}{why}", state.step());
        return Err(Invalid::new(Step::Session, reason));
    };
    let (text, _) = course.outputs()?;
    hold(*outputs == Hash::of(text.as_bytes()), Step::Session, || {
        "the witnesses attested other outputs".to_owned()
    })?;
    let mut parted: Vec<_> = session.parted().iter().collect();
    parted.sort_by_key(|(_, parted)| parted.record);
    deviations.extend(parted.into_iter().map(|(person, parted)| Deviation::Parted {
        index: parted.record,
        person: person.clone(),
        how: parted.how,
    }));
    Ok(deviations)
}

/// Whether an act that had an effect was still good when the daemon was asked, by its own word.
fn in_time(line: &Line, acts: &BTreeMap<u64, VerifiedAct>) -> Result<(), Invalid> {
    let over =
        acts.get(&line.index).is_some_and(|act| line.record.time.asked >= act.act().expires.later(SLACK));
    hold(!over, Step::Acts, || format!("record {}: the act's time was over, by its own word", line.index))
}
