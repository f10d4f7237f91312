//! How callers come by client certificates of the instance's own CA: one person invites a name, and whoever brings the token
//! within minutes gets one certificate with exactly that name.
//!
//! ```text
//! invite (right `invite` of that caller) ─► caller.invited: SHA-256 of the token, name, end
//! enroll (token and key) ─► caller.enrolled, durable ─► the certificate
//! ```
//!
//! Promises: a certificate leaves only after the record that used its invitation up is durable, so no crash and no second
//! connection uses a token twice; what the one who enrols sends decides the key and nothing else. The token is nowhere but in
//! the answer to whoever invited.
//!
//! Does not: say what a caller may do (grants do), revoke a certificate (`stop --caller` is instant), or ask who brings a
//! token: it is the only call without an identity, and misses are limited.

mod ca;
#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ceremonies::access::{Caller, CallerKind};
use proto::hash::Hash;
use proto::reason::Reason;
use proto::record::{Actor, ActorKind, Body};
use proto::refusal::Refusal;
use proto::time::Time;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::sync::Mutex;
use x509_parser::prelude::{FromDer as _, X509CertificationRequest};
use zeroize::Zeroizing;

pub use ca::{Ca, CaError, Settings};

use crate::clock::Clock;
use crate::denials::Denials;
use crate::keyring::{Keyring, Snapshot};
use crate::log::{ControlDraft, Log};
use crate::policy::facts::Action;

/// How every token begins.
pub const PREFIX: &str = "csinvite_";

/// How long an invitation is good where nobody says.
pub const USUAL: Duration = Duration::from_secs(15 * 60);

/// How long it may be good.
const BOUNDS: std::ops::RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(24 * 3_600);

/// How many tokens that are none are looked up in a minute.
const MISSES: u32 = 60;

/// Invites, and exchanges invitations for certificates.
pub struct Enroller {
    log: Log,
    keyring: Arc<Keyring>,
    denials: Arc<Denials>,
    clock: Arc<dyn Clock>,
    ca: Option<Ca>,
    /// One at a time: what is judged is what is appended next.
    turn: Mutex<()>,
    misses: std::sync::Mutex<Misses>,
}

/// How many tokens of the current minute were none.
#[derive(Debug, Default)]
struct Misses {
    minute: i64,
    count: u32,
}

/// An invitation.
pub struct Invited {
    /// The secret.
    pub token: Zeroizing<String>,
    /// From then on it is worth nothing.
    pub expires: Time,
    /// Index of its record.
    pub index: u64,
}

/// A certificate that leaves.
#[derive(Debug)]
pub struct Enrolled {
    /// Whom it names.
    pub caller: String,
    /// DER.
    pub certificate: Vec<u8>,
    /// Of the CA, DER.
    pub ca: Vec<u8>,
    /// When it ends.
    pub not_after: Time,
    /// Index of its record.
    pub index: u64,
}

impl Enroller {
    /// Over this log and these keys; without a CA every call is refused.
    pub fn new(
        log: Log,
        keyring: Arc<Keyring>,
        denials: Arc<Denials>,
        clock: Arc<dyn Clock>,
        ca: Option<Ca>,
    ) -> Self {
        Self { log, keyring, denials, clock, ca, turn: Mutex::default(), misses: std::sync::Mutex::default() }
    }

    /// Invites a caller, by the right `invite` of that caller.
    ///
    /// # Errors
    /// A name that no certificate has, a time out of bounds, no right, no CA that the guardrails believe, a log that takes no
    /// record.
    pub async fn invite(
        &self,
        by: &Arc<Caller>,
        caller: &str,
        valid_for: Option<Duration>,
    ) -> Result<Invited, Refusal> {
        let malformed = |message: String| Refusal::new(Reason::MalformedRequest, message);
        let invited = Caller::parse(caller).map_err(|why| malformed(format!("caller: {why}")))?;
        if invited.kind == CallerKind::Unix {
            return Err(ca::nobody_elsewhere());
        }
        let valid_for = valid_for.unwrap_or(USUAL);
        if !BOUNDS.contains(&valid_for) {
            return Err(malformed("valid_for: expected 1 minute to 24 hours".to_owned()));
        }
        let snapshot = self.keyring.snapshot();
        self.denials.permit(&snapshot, by, &Action::Invite(invited), None).await?;
        self.believed(&snapshot)?;
        let mut secret = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(secret.as_mut())
            .map_err(|_nothing_said| Refusal::new(Reason::Internal, "the random number generator failed"))?;
        let token = Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret.as_slice())));
        let expires = self.clock.wall().later(valid_for);
        let body = Body::Invited { caller: caller.to_owned(), expires, token: Hash::of(token.as_bytes()) };
        let _turn = self.turn.lock().await;
        let index = self.append(&by.id, body).await?;
        tracing::info!(by = by.id, caller, index, "a caller is invited");
        Ok(Invited { token, expires, index })
    }

    /// Exchanges a token for a certificate for the key of this request.
    ///
    /// # Errors
    /// [`Reason::InvitationUnknown`], [`Reason::InvitationUsed`], [`Reason::InvitationExpired`]; [`Reason::RateLimited`] after
    /// too many tokens that were none; a request that is no good, no CA, a log that takes no record. The invitation is as good as
    /// before then.
    pub async fn enroll(&self, token: &str, csr: &[u8]) -> Result<Enrolled, Refusal> {
        let token = Hash::of(token.trim().as_bytes());
        let _turn = self.turn.lock().await;
        let snapshot = self.keyring.snapshot();
        let now = self.clock.wall();
        let Some(invitation) = snapshot.state().invitations().find(token) else {
            return Err(self.miss(now));
        };
        if let Some(index) = invitation.used {
            let message =
                format!("this invitation of {} was used before, in record {index}", invitation.caller);
            return Err(Refusal::new(Reason::InvitationUsed, message).with("log_index", index));
        }
        if now >= invitation.expires {
            let message =
                format!("this invitation of {} was good until {}", invitation.caller, invitation.expires);
            return Err(Refusal::new(Reason::InvitationExpired, message));
        }
        let ca = self.believed(&snapshot)?;
        let internal = |_why| Refusal::new(Reason::Internal, "the log invited somebody who has no name");
        let caller = Caller::parse(&invitation.caller).map_err(internal)?;
        let issued = ca.issue(&caller, csr, now)?;
        let key = X509CertificationRequest::from_der(csr)
            .map_or(Hash::ZERO, |(_, read)| Hash::of(read.certification_request_info.subject_pki.raw));
        let body = Body::Enrolled {
            caller: caller.id.clone(),
            certificate: Hash::of(&issued.certificate),
            key,
            not_after: issued.not_after,
            token,
        };
        let index = self.append(&caller.id, body).await?;
        tracing::info!(caller = caller.id, index, "a caller has come by a certificate");
        Ok(Enrolled {
            caller: caller.id,
            certificate: issued.certificate,
            ca: ca.certificate().to_vec(),
            not_after: issued.not_after,
            index,
        })
    }

    /// The CA, if the guardrails in force have clients of it believed: otherwise its certificates are worth nothing.
    fn believed(&self, snapshot: &Snapshot) -> Result<&Ca, Refusal> {
        let no = |message: &str| Err(Refusal::new(Reason::Unimplemented, message));
        let Some(ca) = &self.ca else {
            return no(
                "this instance issues no certificates: its configuration has no [enrollment]; bring those of your own CA",
            );
        };
        let force = snapshot.in_force();
        let texts = force.iter().flat_map(|force| &force.loaded.client_cas);
        let mut known = texts.flat_map(|text| CertificateDer::pem_slice_iter(text));
        if known.any(|known| known.is_ok_and(|known| known == *ca.certificate())) {
            return Ok(ca);
        }
        no(
            "the CA of [enrollment] is no [[client_ca]] of the guardrails in force, so nobody would believe its certificates",
        )
    }

    async fn append(&self, by: &str, body: Body) -> Result<u64, Refusal> {
        let unlogged = |error: crate::log::LogError| Refusal::new(error.reason(), error.to_string());
        let actor = Actor { id: by.to_owned(), kind: ActorKind::Caller };
        let draft = ControlDraft::new(self.log.fresh().map_err(unlogged)?, actor, body);
        let appended = self.log.control(draft).await.map_err(unlogged)?;
        self.keyring.at_least(appended.index).await;
        Ok(appended.index)
    }

    /// A token that is none. A good one is never refused because of others that are not.
    fn miss(&self, now: Time) -> Refusal {
        let minute = now.microseconds().div_euclid(60_000_000);
        let mut misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        if misses.minute != minute {
            *misses = Misses { minute, count: 0 };
        }
        misses.count = misses.count.saturating_add(1);
        if misses.count > MISSES {
            let message = format!("more than {MISSES} tokens of this minute were none");
            return Refusal::new(Reason::RateLimited, message).after(Duration::from_secs(60));
        }
        Refusal::new(Reason::InvitationUnknown, "there is no invitation with this token")
    }
}
