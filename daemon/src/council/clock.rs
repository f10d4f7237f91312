//! Accepting the clock: an officer vouches for a wall clock that the daemon does not believe.
//!
//! While it is not believed nothing is approved, started or completed; signing and whatever protects go on. What makes a wall
//! clock unbelievable is said in [`crate::clock`]. The record of the act is the first one that has the wall clock's time.

use std::time::Duration;

use ceremonies::act::VerifiedAct;
use ceremonies::session::RECENT;
use proto::reason::Reason;
use proto::record::{Body, Vouched};
use proto::refusal::Refusal;
use proto::time::Time;

use super::Council;
use super::admit::Submitted;
use crate::clock::Verdict;
use crate::keyring::Snapshot;

/// How far the wall clock may be behind what an act says: a minute, for clocks that differ a little.
const BEHIND: Duration = Duration::from_secs(60);

impl Council {
    /// What the log's clock is worth at this moment.
    pub fn time(&self) -> Verdict {
        self.log.time()
    }

    /// Records that an officer vouches for the wall clock, which showed `clock` when he signed. The caller has the turn.
    pub(super) async fn accept_clock(
        &self,
        snapshot: &Snapshot,
        act: &VerifiedAct,
        clock: Time,
    ) -> Result<Submitted, Refusal> {
        let no = |guard, message: String| Err(Refusal::new(Reason::ActRefused, message).with("guard", guard));
        let (state, signed, by) = (snapshot.state(), act.act(), act.person().to_string());
        let Verdict::Untrusted { time, wall } = self.log.time() else {
            return no("clock-trusted", "the clock is trusted: there is nothing to accept".to_owned());
        };
        if state.has_spent(act.digest()) || state.has_vouched(&by, signed.nonce.into()) {
            return no(
                "replayed",
                "this act, or another one with its nonce, is in the log already".to_owned(),
            );
        }
        if wall < time {
            let message = format!(
                "the clock shows {wall}, and {time} is the least that it can be: put the machine's clock right; an act takes no \
                 time back"
            );
            return no("clock-behind", message);
        }
        if wall.later(BEHIND) < clock || wall > clock.later(RECENT) {
            let message =
                format!("the act says that it was {clock}, and the clock shows {wall}: sign a new one");
            return no("other-clock", message);
        }
        if signed.expires <= wall {
            return no("act-expired", format!("the act expired at {}, by its own word", signed.expires));
        }
        let vouched = Vouched {
            act: act.digest(),
            by: by.clone(),
            clock,
            expires: signed.expires,
            key: act.key().id(),
            nonce: signed.nonce.into(),
        };
        let index = self.beside(act, Body::Clock(Box::new(vouched))).await?;
        let verdict = self.log.time();
        if !verdict.is_trusted() {
            let message = format!("the act is record {index}, and has no effect: {verdict}");
            return Err(Refusal::new(Reason::ActRefused, message)
                .with("guard", "too-late")
                .with("log_index", index));
        }
        tracing::warn!(by, index, expected = %time, now = %verdict.time(), "an officer vouches for the clock");
        Ok(Submitted { index, ceremony: None, waits: false })
    }
}
