//! How much one person may begin, so that nobody fills what the others need to stop him.
//!
//! Two bounds. Of the ceremonies that somebody has proposed only so many wait for people at a time. And below the log's reserve
//! only what stops something is taken from people, and what finishes an execution: each of those counts once a person, so what is
//! left of the disk is enough for the suspension of whoever has filled it.

use std::sync::Arc;

use ceremonies::act::{Decision, Deed, VerifiedAct};
use ceremonies::person::PersonId;
use ceremonies::session::Step;
use proto::refusal::Refusal;

use super::{Council, no, unlogged};
use crate::keyring::Snapshot;
use crate::keys::sessions::Held;
use crate::log::{LogError, LogHealth};

/// How many ceremonies of one initiator wait for people at a time, at most. What a quorum and its witnesses have started is none of
/// them.
pub const MOST_PROPOSED: usize = 16;

impl Council {
    /// Whether somebody may propose one more.
    pub(super) fn may_propose(&self, snapshot: &Snapshot, initiator: &PersonId) -> Result<(), Refusal> {
        let open = snapshot.state().sessions().open();
        let own = open.filter(|(_, held)| held.session.statement().common().initiator == *initiator);
        let waiting = own.filter(|(_, held)| self.waits(held)).count();
        if waiting < MOST_PROPOSED {
            return Ok(());
        }
        let message = format!(
            "{waiting} ceremonies that `{initiator}` has proposed wait for people, and {MOST_PROPOSED} may: wait until some have \
             ended, have them vetoed, or let somebody else propose"
        );
        no("too-many-open", message)
    }

    /// Whether a ceremony has not started and may yet.
    fn waits(&self, held: &Held) -> bool {
        matches!(self.by_now(&held.session).state().step(), Step::Proposed | Step::Armed)
    }

    /// Whether the log has room for something that somebody begins.
    pub(super) fn has_room(&self) -> Result<(), Refusal> {
        match &*self.log.health().borrow() {
            LogHealth::Refusing { cause } => Err(unlogged(&LogError::Full { cause: Arc::clone(cause) })),
            // Where it takes nothing at all, it says so itself.
            LogHealth::Ready | LogHealth::Failed { .. } => Ok(()),
        }
    }

    /// Whether an act about a ceremony may use the log's reserve: it stops the ceremony, or is the one word of a witness about
    /// what came of it.
    pub(super) fn may_use_reserve(held: &Held, act: &VerifiedAct) -> bool {
        match act.act().deed {
            Deed::Veto { .. } | Deed::Abort { .. } => true,
            Deed::Attest { outcome: Some(_), decision: Decision::Refuse, .. } => true,
            Deed::Attest { outcome: Some(_), decision: Decision::Accept, .. } => {
                held.executed().is_some_and(|executed| !executed.attested.contains(act.person()))
            }
            _ => false,
        }
    }
}
