//! Bringing a token back: the procedure that worked on every module tried.
//!
//! No call is in progress (the write lock waits for all; a call that hangs is the daemon's to end, with this process);
//! every session is dropped *before* the module is finalised, because old session values would close new sessions; then
//! finalise, initialise for many threads, choose the token anew, log in once. The new epoch has no keys: each is found
//! and compared again when it is asked for.
//!
//! Invariant: no session, handle or key number of one epoch is used in another; held by
//! `a_token_put_back_signs_again_by_itself` and, for numbers, `a_number_of_an_old_epoch_is_stale`.

use std::sync::PoisonError;
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags};
use cryptoki::error::{Error, RvError};

use super::super::message::{Class, Fault, FromHost, Notice, Token};
use super::fault::fault;
use super::live::{Live, unavailable};
use super::work::Host;

/// So many recoveries in [`LATELY`] because of failing calls; then the calls are at fault, not the module.
const OFTEN: usize = 4;
const LATELY: Duration = Duration::from_secs(10);

impl Host {
    /// The token as it is, brought back if it is down. For `Open` and `Probe`.
    pub(super) fn revive(&self) -> Result<Token, Fault> {
        let probed = {
            let live = self.live();
            match live.as_ref() {
                Some(live) => {
                    live.probe(self.module()).map(|()| live.token.clone()).map_err(|f| (live.epoch, f))
                }
                None => Err((0, fault(Class::Unavailable, "the module is not initialised"))),
            }
        };
        match probed {
            Ok(token) => Ok(token),
            Err((seen, cause)) => self.reload(seen, &cause),
        }
    }

    /// After a failing call of epoch `seen`: initialises again, unless somebody did, or it was done too often lately.
    pub(super) fn recover(&self, seen: u64, cause: &Fault) -> Fault {
        let now = self.now();
        {
            let mut recent = self.recoveries.lock().unwrap_or_else(PoisonError::into_inner);
            recent.retain(|at| now.since(*at) < LATELY);
            if self.epoch() == seen {
                if recent.len() >= OFTEN {
                    return fault(
                        Class::Refused,
                        format!("{}; initialising the module again did not help", cause.cause),
                    );
                }
                recent.push(now);
            }
        }
        match self.reload(seen, cause) {
            Ok(_token) => fault(Class::Stale, "the module was initialised again"),
            Err(fault) => fault,
        }
    }

    /// Initialises again, unless somebody has since epoch `seen`.
    pub(super) fn reload(&self, seen: u64, cause: &Fault) -> Result<Token, Fault> {
        let mut place = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(live) = place.as_ref().filter(|live| live.epoch != seen) {
            return Ok(live.token.clone());
        }
        let was_up = place.is_some();
        for seat in &self.seats {
            seat.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        drop(place.take());
        let begun =
            self.initialise().and_then(|()| Live::begin(self.module(), &self.open, self.next_epoch()));
        let result = match begun {
            Ok(live) => {
                let token = live.token.clone();
                *place = Some(live);
                Ok(token)
            }
            Err(fault) => Err(fault),
        };
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = result.as_ref().err().cloned();
        drop(place);
        // The daemon learns of a change at once, whoever asked. A token that stays down is not news.
        match &result {
            Ok(_) => self.notice(None),
            Err(now) if was_up => {
                self.notice(Some(Fault { class: now.class, cause: both(&now.cause, &cause.cause) }))
            }
            Err(_) => {}
        }
        result
    }

    fn initialise(&self) -> Result<(), Fault> {
        // A module that was never initialised, or lost its state, says so; that is what is wanted.
        if let Err(error) = self.module().clone().finalize() {
            tracing::debug!(%error, "PKCS#11 host: C_Finalize");
        }
        // Some modules keep the locking of the first initialisation of the process for good: always for many threads.
        match self.module().initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
            Err(error) => Err(unavailable("initialising the module", &error)),
        }
    }

    fn notice(&self, down: Option<Fault>) {
        self.tell(&FromHost::Notice(Notice { epoch: self.epoch(), down }));
    }
}

fn both(now: &str, before: &str) -> String {
    if now == before { now.to_owned() } else { format!("{before}; then {now}") }
}
