//! From records to what happens in a session, and from acts to records.
//!
//! A record names people, nonces and deviations as text; here they become the types that a [`Session`] counts by, and a
//! record that says what no act can say is refused. [`acted`] is the only writer of `ceremony.act` bodies, so that the
//! leaf says what the signed document says.

use proto::hash::Hash;
use proto::record::ceremony::{Acted, Ceremony, Decided, Deviated, Executed, RecordedHead, Started};
use proto::record::{ControlRecord, Times};
use proto::time::Time;

use crate::act::VerifiedAct;
use crate::nonce::Nonce;
use crate::person::{PersonError, PersonId};
use crate::session::{Decision, Event, SignedAct, Stamp};
use crate::statement::{CeremonyId, Head};

/// A record that says what no act can say.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotAStep {
    /// A person who is none.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// A field too many or too few for its decision.
    #[error("an act that decides {decision:?} {what}")]
    Field {
        /// What was decided.
        decision: Decided,
        /// What is wrong.
        what: &'static str,
    },
}

/// Where and when a record is.
pub fn stamp(index: u64, record: &ControlRecord) -> Stamp {
    stamped(index, record.time)
}

/// The stamp of these times at this place.
pub const fn stamped(index: u64, times: Times) -> Stamp {
    Stamp { index, time: times.sealed, trusted: times.clock.is_none() }
}

/// What a record makes happen in its ceremony. `None` for the proposal, which opens it, and for the completion, which only
/// says what has come of it.
///
/// # Errors
/// [`NotAStep`].
pub fn event(step: &Ceremony) -> Result<Option<Event>, NotAStep> {
    Ok(Some(match step {
        Ceremony::Proposed(_) | Ceremony::Completed(_) => return Ok(None),
        Ceremony::Acted(acted) => Event::Act(Box::new(signed(acted)?)),
        Ceremony::Started(Started { found, operator, .. }) => {
            let operator = operator.as_deref().map(str::parse::<PersonId>).transpose()?;
            Event::Start { operator, found: *found }
        }
        Ceremony::Deviated(Deviated { act, person, .. }) => {
            Event::Deviation { deviation: *act, person: person.parse()? }
        }
        Ceremony::Executed(Executed { outputs, .. }) => Event::Output { outputs: *outputs },
        Ceremony::Failed(_) => Event::NothingDone,
        Ceremony::Interrupted(_) => Event::Interrupted,
        Ceremony::Ended(_) => Event::Tick,
    }))
}

fn signed(acted: &Acted) -> Result<SignedAct, NotAStep> {
    let wrong = |what| Err(NotAStep::Field { decision: acted.decision, what });
    let outcome = (acted.outputs, acted.deviations);
    let decision = match (acted.decision, outcome, acted.withdraws) {
        (Decided::AttestAfter, (Some(outputs), Some(deviations)), None) => {
            Decision::AttestAfter { outputs, deviations }
        }
        (Decided::AttestAfter, _, _) => return wrong("names outputs and deviations, and takes nothing back"),
        (Decided::Withdraw, (None, None), Some(act)) => Decision::Withdraw { act },
        (Decided::Withdraw, _, _) => return wrong("names the act that it takes back, and no outputs"),
        // A witness who refuses after an execution may name what he was shown.
        (Decided::Refuse, _, None) => Decision::Refuse,
        (Decided::Abort, (None, None), None) => Decision::Abort,
        (Decided::Approve, (None, None), None) => Decision::Approve,
        (Decided::Attest, (None, None), None) => Decision::Attest,
        (Decided::Veto, (None, None), None) => Decision::Veto,
        _ => return wrong("names its statement and nothing else"),
    };
    Ok(SignedAct {
        act: acted.act,
        decision,
        expires: acted.expires,
        head: Head { root: acted.head.root, size: acted.head.size },
        key: acted.key,
        nonce: Nonce::from(*acted.nonce.as_bytes()),
        overtaken: acted.overtaken,
        person: acted.person.parse()?,
        target: acted.statement,
    })
}

/// The body of the record of an act that decides something about this ceremony; `None` where it decides nothing of one.
/// `overtaken` is when the log went beyond the head that the act names.
pub fn acted(ceremony: CeremonyId, verified: &VerifiedAct, overtaken: Option<Time>) -> Option<Acted> {
    let SignedAct { act, decision, expires, head, key, nonce, overtaken, person, target } =
        SignedAct::of(verified, overtaken)?;
    let (mut outputs, mut deviations, mut withdraws) = (None, None, None);
    let decision = match decision {
        Decision::Approve => Decided::Approve,
        Decision::Attest => Decided::Attest,
        Decision::AttestAfter { outputs: seen, deviations: spoken } => {
            (outputs, deviations) = (Some(seen), Some(spoken));
            Decided::AttestAfter
        }
        Decision::Refuse => Decided::Refuse,
        Decision::Withdraw { act } => {
            withdraws = Some(act);
            Decided::Withdraw
        }
        Decision::Veto => Decided::Veto,
        Decision::Abort => Decided::Abort,
    };
    let nonce: Hash = nonce.into();
    let head = RecordedHead { root: head.root, size: head.size };
    let person = person.to_string();
    Some(Acted {
        act,
        ceremony,
        decision,
        deviations,
        expires,
        head,
        key,
        nonce,
        outputs,
        overtaken,
        person,
        statement: target,
        withdraws,
    })
}
