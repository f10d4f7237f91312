//! One signature, with the error table around it.
//!
//! Everything is tried at most twice in an epoch, the second time with a new session, a handle found and compared anew,
//! and a new log-in where the token asked for one. What fails then is the request's fault if the token is well, and else
//! the module is initialised again and the daemon asks once more in the new epoch. A second signature is harmless: only
//! one is answered, and ECDSA makes a fresh nonce.

use std::sync::PoisonError;

use proto::algorithm::Algorithm;
use zeroize::Zeroize as _;

use super::super::message::{Answer, Class, Fault};
use super::super::octets::{Octets, SignatureOctets};
use super::fault::{Remedy, Trouble, fault};
use super::live::Live;
use super::mechanism;
use super::seat::Seat;
use super::work::{Host, Until};

/// Longer than any signature: 4096 bits of RSA are 512 bytes.
const LONGEST: usize = 1024;

impl Host {
    pub(super) fn sign(
        &self,
        seat: usize,
        (epoch, key): (u64, u32),
        algorithm: Algorithm,
        input: Octets,
        until: Until,
    ) -> Answer {
        let prepared = mechanism::prepare(algorithm, input.0);
        let (mechanism, input) = match prepared {
            Ok(prepared) => prepared,
            Err(fault) => return Answer::Failed(fault),
        };
        let trouble = {
            let live = self.live();
            let Some(live) = live.as_ref() else { return Answer::Failed(self.down()) };
            if live.epoch != epoch {
                return Answer::Failed(fault(Class::Stale, "the module was initialised again"));
            }
            let mut seat = self.seats[seat].lock().unwrap_or_else(PoisonError::into_inner);
            let mut once = || self.attempt(&mut seat, live, key, &mechanism, &input);
            match once() {
                Ok(signature) => return Answer::Signed(signature),
                Err(trouble) => match self.second_try(&mut seat, live, trouble, until) {
                    Err(trouble) => trouble,
                    Ok(()) => match self.attempt(&mut seat, live, key, &mechanism, &input) {
                        Ok(signature) => return Answer::Signed(signature),
                        Err(trouble) => {
                            seat.clear();
                            trouble
                        }
                    },
                },
            }
        };
        Answer::Failed(self.judge(epoch, trouble))
    }

    fn attempt(
        &self,
        seat: &mut Seat,
        live: &Live,
        key: u32,
        mechanism: &cryptoki::mechanism::Mechanism<'_>,
        input: &[u8],
    ) -> Result<SignatureOctets, Trouble> {
        let (session, handle) = seat.key(self, live, key)?;
        let mut signature = [0; LONGEST];
        let length = self.signing.sign(session, mechanism, handle, input, &mut signature)?;
        let octets = SignatureOctets::from(&signature[..length]);
        signature[..length].zeroize();
        Ok(octets)
    }

    /// The light remedies; `Err` where there is nothing to try again.
    fn second_try(
        &self,
        seat: &mut Seat,
        live: &Live,
        trouble: Trouble,
        until: Until,
    ) -> Result<(), Trouble> {
        match trouble.remedy() {
            // Found already, and refused for what it is: another key, no key, a PIN.
            None | Some(Remedy::Pin) => return Err(trouble),
            _ if self.passed(until) => return Err(trouble),
            Some(Remedy::Login) => {
                live.login_again(self.module(), &self.open)?;
                seat.clear();
            }
            // A new session whatever it was, and with it the handles are found anew: after C_SignInit an operation may be
            // active, and only another session is sure to have none.
            Some(_) => seat.clear(),
        }
        Ok(())
    }

    /// After the second failure: whose fault it is.
    fn judge(&self, epoch: u64, trouble: Trouble) -> Fault {
        let refused_if_well = match (&trouble, trouble.remedy()) {
            (Trouble::Fault(found), _) if matches!(found.class, Class::NotFound | Class::Mismatch) => true,
            // Nobody is logged in any more and the PIN is refused: the token is down, until probes see another PIN.
            (Trouble::Fault(found), _) if found.class == Class::Pin => false,
            (Trouble::Fault(_), _) => return trouble.fault(),
            (_, Some(Remedy::Pin)) => return trouble.fault(),
            (_, Some(Remedy::Refuse | Remedy::Disabled)) => true,
            _ => false,
        };
        let lost_key = matches!(&trouble, Trouble::Fault(found) if found.class == Class::NotFound);
        let fault = trouble.fault();
        // A key that was there in this epoch and is not any more: some modules drop objects for good when they run out of
        // descriptors. Initialising again shows whether it is really gone.
        if refused_if_well && !lost_key && self.is_well() {
            return fault;
        }
        self.recover(epoch, &fault)
    }
}
