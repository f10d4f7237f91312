//! The act as it is written, and the rules of its fields.

use proto::canonical;
use proto::hash::Hash;
use proto::term::Term;
use proto::time::Time;
use serde::{Deserialize, Serialize};

use super::{
    Act, ActError, ActFault, ActKind, Decision, Deed, LARGEST, LONGEST_REASON, MOST_STOPS, Outcome, SeenHead,
};
use crate::nonce::Nonce;
use crate::person::{self, PersonId};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    act: ActKind,
    decision: Decision,
    environment: String,
    expires: Time,
    head: SeenHead,
    instance: String,
    nonce: Nonce,
    reason: String,
    target: Target,
}

/// What an act can be about: which fields there are follows from its kind.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Target {
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Hash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deviations: Option<Hash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<Hash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<PersonId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<Hash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stops: Option<Vec<Term>>,
}

pub(super) fn encode(act: &Act) -> Result<Vec<u8>, ActError> {
    let mut faults = Vec::new();
    check(act, &mut faults);
    if !faults.is_empty() {
        return Err(ActError::Faults(faults));
    }
    let bytes = canonical::to_vec(&Document {
        act: act.deed.kind(),
        decision: act.deed.decision(),
        environment: act.environment.clone(),
        expires: act.expires,
        head: act.head.clone(),
        instance: act.instance.clone(),
        nonce: act.nonce,
        reason: act.reason.clone(),
        target: Target::of(&act.deed),
    })?;
    if bytes.len() > LARGEST { Err(ActError::Large(bytes.len())) } else { Ok(bytes) }
}

pub(super) fn parse(bytes: &[u8]) -> Result<Act, ActError> {
    if bytes.len() > LARGEST {
        return Err(ActError::Large(bytes.len()));
    }
    let document: Document = canonical::from_slice(bytes)?;
    let mut faults = Vec::new();
    let deed = document.target.deed(document.act, document.decision, &mut faults);
    let Document { environment, expires, head, instance, nonce, reason, .. } = document;
    let Some(deed) = deed else { return Err(ActError::Faults(faults)) };
    let act = Act { deed, environment, expires, head, instance, nonce, reason };
    check(&act, &mut faults);
    if faults.is_empty() { Ok(act) } else { Err(ActError::Faults(faults)) }
}

impl Target {
    fn of(deed: &Deed) -> Self {
        let mut target = Self { statement: deed.statement(), ..Self::default() };
        match deed {
            Deed::Abort { .. }
            | Deed::Approve { .. }
            | Deed::Deviation { .. }
            | Deed::Execute { .. }
            | Deed::Propose { .. }
            | Deed::Veto { .. } => {}
            Deed::AcceptClock { clock } => target.clock = Some(*clock),
            Deed::Attest { outcome, .. } => {
                target.deviations = outcome.map(|outcome| outcome.deviations);
                target.outputs = outcome.map(|outcome| outcome.outputs);
            }
            Deed::Stop { stops } => target.stops = Some(stops.clone()),
            Deed::Suspend { person } => target.person = Some(person.clone()),
            Deed::Withdraw { act, .. } => target.act = Some(*act),
        }
        target
    }

    fn deed(self, kind: ActKind, decision: Decision, faults: &mut Vec<ActFault>) -> Option<Deed> {
        let Self { act, clock, deviations, outputs, person, statement, stops } = self;
        let asks = matches!(kind, ActKind::Approve | ActKind::Attest);
        let attests = kind == ActKind::Attest;
        let about_statement = !matches!(kind, ActKind::AcceptClock | ActKind::Stop | ActKind::Suspend);
        if decision == Decision::Refuse && !asks {
            faults.push(ActFault::Refuse(kind));
        }
        let mut here = |field: &'static str, there: bool, needed: bool, allowed: bool| match (there, needed) {
            (false, true) => faults.push(ActFault::TargetLacks { act: kind, field }),
            (true, _) if !allowed => faults.push(ActFault::TargetHas { act: kind, field }),
            _ => {}
        };
        let mut exactly = |field, there, needed| here(field, there, needed, needed);
        exactly("act", act.is_some(), kind == ActKind::Withdraw);
        exactly("clock", clock.is_some(), kind == ActKind::AcceptClock);
        exactly("person", person.is_some(), kind == ActKind::Suspend);
        exactly("statement", statement.is_some(), about_statement);
        exactly("stops", stops.is_some(), kind == ActKind::Stop);
        here("deviations", deviations.is_some(), attests && outputs.is_some(), attests);
        here("outputs", outputs.is_some(), attests && deviations.is_some(), attests);
        if !faults.is_empty() {
            return None;
        }
        let outcome = deviations.zip(outputs).map(|(deviations, outputs)| Outcome { deviations, outputs });
        Some(match kind {
            ActKind::Abort => Deed::Abort { statement: statement? },
            ActKind::AcceptClock => Deed::AcceptClock { clock: clock? },
            ActKind::Approve => Deed::Approve { decision, statement: statement? },
            ActKind::Attest => Deed::Attest { decision, outcome, statement: statement? },
            ActKind::Deviation => Deed::Deviation { statement: statement? },
            ActKind::Execute => Deed::Execute { statement: statement? },
            ActKind::Propose => Deed::Propose { statement: statement? },
            ActKind::Stop => Deed::Stop { stops: stops? },
            ActKind::Suspend => Deed::Suspend { person: person? },
            ActKind::Veto => Deed::Veto { statement: statement? },
            ActKind::Withdraw => Deed::Withdraw { act: act?, statement: statement? },
        })
    }
}

fn check(act: &Act, faults: &mut Vec<ActFault>) {
    let kind = act.deed.kind();
    for (field, name) in [("environment", &act.environment), ("instance", &act.instance)] {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
        if !(1..=253).contains(&name.len()) || !name.bytes().all(plain) {
            faults.push(ActFault::Name(field));
        }
    }
    if act.head.size == 0 && act.head.root != Hash::of(b"") {
        faults.push(ActFault::EmptyHead);
    }
    if act.head.size > canonical::LARGEST {
        faults.push(ActFault::HeadSize(act.head.size));
    }
    // What is accepted, proposed or started says why in its statement.
    let accepts = matches!(kind, ActKind::Approve | ActKind::Attest | ActKind::Execute | ActKind::Propose)
        && act.deed.decision() == Decision::Accept;
    if act.reason.len() > LONGEST_REASON {
        faults.push(ActFault::ReasonLength(act.reason.len()));
    } else if act.reason.trim().is_empty() && !(accepts && act.reason.is_empty()) {
        faults.push(ActFault::NoReason(kind));
    }
    if let Some(c) = act.reason.chars().find(|c| *c != '\n' && person::is_hidden(*c)) {
        faults.push(ActFault::ReasonCharacter(c.into()));
    }
    if let Deed::Stop { stops } = &act.deed {
        if !(1..=MOST_STOPS).contains(&stops.len()) {
            faults.push(ActFault::Stops(stops.len()));
        }
        if !stops.is_sorted_by(|one, next| one < next) {
            faults.push(ActFault::StopsOrder);
        }
    }
}
