//! The rosters, guardrails and log keys after the first: each was made by a ceremony whose transcript is valid, in the order of
//! the log.

use std::collections::BTreeSet;

use proto::proof::keys::LogKeys;
use proto::proof::note::Verifier;
use proto::record::Body;
use proto::record::ceremony::{Ceremony, Effect};

use super::Judged;
use super::files;
use super::genesis::Instance;
use crate::amendment;
use crate::roster::Roster;
use crate::statement::Kind;
use crate::succession;
use crate::transcript::control::Control;
use crate::transcript::course::Course;
use crate::transcript::invalid::{At, hold};
use crate::transcript::{Deviation, Files, Governs, Invalid, Step, name};

/// Most changes of roster, guardrails and log key of a transcript.
const MOST: usize = 1000;

/// A roster, guardrails or a log key that a ceremony made.
pub(super) struct Made {
    pub(super) what: Governs,
    /// Index of the completion that put it in force.
    pub(super) index: u64,
    /// Index of the proposal of its ceremony.
    pub(super) proposed: u64,
    pub(super) leaf: Vec<u8>,
    /// The roster, where it is one.
    pub(super) roster: Option<Roster>,
    /// The log key that ended and the next one, where it is one.
    log_key: Option<(Verifier, Verifier)>,
    pub(super) deviations: Vec<Deviation>,
}

impl Made {
    pub(super) fn of(what: Governs, judged: &Judged, next: Option<Roster>) -> Result<Self, Invalid> {
        let effect = &judged.end.completed.effect;
        let roster = next.filter(|roster| Governs::Roster(roster.version()) == what);
        let log_key = match (effect, what) {
            (Effect::LogKey { key, replaces }, Governs::LogKey(_)) => Some((replaces.clone(), key.clone())),
            _ => None,
        };
        let whole = match what {
            Governs::Roster(_) => roster.is_some() && governs(effect) == Some(what),
            Governs::Guardrails(_) => governs(effect) == Some(what),
            // Which one it is follows from those before it.
            Governs::LogKey(_) => log_key.is_some(),
        };
        hold(whole, what.step(), || format!("{} does not make {what}", what.directory()))?;
        let of_others = |found: &&Deviation| !matches!(found, Deviation::Of { .. });
        let own = judged.verified.deviations.iter().filter(of_others);
        Ok(Self {
            what,
            index: judged.end.index,
            proposed: judged.proposed,
            leaf: judged.end.leaf.clone(),
            roster,
            log_key,
            deviations: own.cloned().collect(),
        })
    }
}

/// The roster or the guardrails that a completed ceremony makes.
fn governs(effect: &Effect) -> Option<Governs> {
    match effect {
        Effect::Roster { version, .. } => Some(Governs::Roster(*version)),
        Effect::Guardrails { version, .. } => Some(Governs::Guardrails(*version)),
        _ => None,
    }
}

/// The completions in these control records that made a roster, guardrails or a log key, each with the index of its record and
/// its leaf.
fn completed(control: &Control) -> impl Iterator<Item = (Governs, u64, &[u8])> {
    let mut keys = first_key(control).map(LogKeys::new);
    control.lines().iter().filter_map(move |line| match &line.record.body {
        Body::Ceremony(Ceremony::Completed(completed)) => {
            let what = match (&completed.effect, &mut keys) {
                (Effect::LogKey { .. }, Some(keys)) => {
                    keys.take(line.index, &line.record).then(|| Governs::LogKey(keys.count() as u64))
                }
                (effect, _) => governs(effect),
            };
            Some((what?, line.index, line.leaf.as_slice()))
        }
        _ => None,
    })
}

/// The log key that the genesis of these records names; none where it names none, which whoever judges the genesis says.
fn first_key(control: &Control) -> Option<Verifier> {
    let Body::Genesis { statement } = &control.first().record.body else { return None };
    statement.pointer("/target/log_key")?.as_str()?.parse().ok()
}

/// The keys of the log as far as these changes go.
pub(super) fn log_keys(made: &[Made], instance: &Instance) -> Result<LogKeys, Invalid> {
    let mut keys = LogKeys::new(instance.log_key.clone());
    for made in made {
        let Some((replaces, next)) = &made.log_key else { continue };
        keys.follow(made.index, replaces, next.clone()).at(Step::LogKeys, made.what)?;
    }
    Ok(keys)
}

/// The changes whose transcripts must be in here, in the order of the log; exactly those are. None where there are no control
/// records to be read: whoever judges the rest says why.
pub(super) fn order(files: &Files) -> Result<Vec<Governs>, Invalid> {
    let read = files::find(files, name::CONTROL).and_then(Control::parse);
    let Ok(control) = read else { return Ok(Vec::new()) };
    let order: Vec<Governs> = completed(&control).map(|(what, ..)| what).collect();
    hold(order.len() <= MOST, Step::Files, || {
        format!("more than {MOST} changes of roster, guardrails and log key")
    })?;
    let mut found = BTreeSet::new();
    for path in files.keys().filter(|path| Governs::is_of_one(path)) {
        let what = Governs::of_path(path).filter(|what| order.contains(what));
        found.insert(what.at(Step::Files, format_args!("{path} does not belong to any transcript"))?);
    }
    match order.iter().find(|what| !found.contains(*what)) {
        Some(what) => Err(Invalid::new(what.step(), format!("the transcript of {what} is missing"))),
        None => Ok(order),
    }
}

/// The files of one of them: its own, and the changes before it, which it shares with this transcript.
pub(super) fn nested(files: &Files, what: Governs, earlier: &[Made]) -> Files {
    let own = format!("{}/", what.directory());
    let shared =
        |path: &str| Governs::of_path(path).is_some_and(|of| earlier.iter().any(|made| made.what == of));
    let place = |path: &str| match path.strip_prefix(&own) {
        Some(inner) => Some(inner.to_owned()),
        None => shared(path).then(|| path.to_owned()),
    };
    files.iter().filter_map(|(path, bytes)| Some((place(path)?, bytes.clone()))).collect()
}

/// Those that were put in force before the end of this control chain: all of them, each by the very record whose transcript
/// was judged.
pub(super) fn before<'m>(made: &'m [Made], control: &Control) -> Result<&'m [Made], Invalid> {
    let mut known = made.iter();
    for (what, index, leaf) in completed(control) {
        let next = known.next().filter(|made| made.what == what);
        let next = next.at(what.step(), format_args!("the transcript of {what} is missing"))?;
        hold(next.index == index && next.leaf == leaf, what.step(), || {
            format!("{} is not the ceremony of record {index}", what.directory())
        })?;
    }
    match known.next() {
        Some(more) => {
            let reason = format!("the transcript of {} is of no record before the completion", more.what);
            Err(Invalid::new(more.what.step(), reason))
        }
        None => Ok(made),
    }
}

/// What the proposal brings, by name.
fn brought(course: &Course) -> impl Iterator<Item = (&str, &str)> {
    let documents = course.proposal().detail.iter().flat_map(|detail| detail.documents.iter());
    documents.map(|(name, text)| (name, text.as_str()))
}

/// The roster that a `roster.change` makes of the one that its statement names, each new key of which has signed for it;
/// none where it makes none.
pub(super) fn next(course: &Course, instance: &Instance, pinned: &Roster) -> Result<Option<Roster>, Invalid> {
    if course.statement.kind() != Kind::RosterChange {
        return Ok(None);
    }
    succession::next(&course.statement, pinned, instance.setting(), instance.terms, brought(course))
        .at(Step::Rosters, "the next roster")
        .map(Some)
}

/// Whether the guardrails that a `policy.change` makes are as loose as its statement says; nothing for other kinds.
pub(super) fn amended(course: &Course, pinned: &Roster) -> Result<(), Invalid> {
    if course.statement.kind() != Kind::PolicyChange {
        return Ok(());
    }
    let next = amendment::next(&course.statement, pinned, brought(course));
    next.at(Step::Guardrails, "the next guardrails").map(|_amended| ())
}

/// The roster in force when the record with this index was written.
pub(super) fn in_force<'r>(made: &'r [Made], instance: &'r Instance, index: u64) -> &'r Roster {
    let before = made.iter().rev().filter(|made| made.index < index);
    before.filter_map(|made| made.roster.as_ref()).next().unwrap_or(instance.genesis.roster())
}
