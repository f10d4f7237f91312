//! The proof of possession: the one thing that a key signs before its ceremony is completed.
//!
//! It is an ordinary operation (a durable intent, a verified signature, a leaf), over a message that no caller can choose
//! and that no caller gets signed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ceremonies::outputs::Possession;
use proto::algorithm::Algorithm;
use proto::digest::{Digest, Digests};
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::name::KeyName;
use proto::purpose::Kind;
use proto::reason::Reason;
use proto::record::kind::SignTag;
use proto::record::{CallerDetail, Detail, Outcome, SignRecord, SignatureEntry, Signed, Times, VERSION};
use proto::refusal::Refusal;
use proto::term::Term;

use super::{Signer, refuse};
use crate::backend::{Deadline, Prepared, Priority, SigningKey, Turn};
use crate::log::{Intended, IntentDraft, Requires, Seal, Sealed};

/// How long the key may take.
const LONGEST: Duration = Duration::from_secs(30);

/// How often the operation is decided again because of other control records; a stop ends it at once.
const AGAIN: usize = 3;

/// Who proves that a private key is there.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// How it signs.
    pub algorithm: Algorithm,
    /// Where it lives, by the backend's name.
    pub backend: &'a str,
    /// The key.
    pub key: &'a KeyName,
    /// The version.
    pub version: u32,
}

impl Signer {
    /// Has a key prove that it is there, and records it.
    ///
    /// # Errors
    /// What the key, its backend or the log say; a stop of the backend or of everything.
    pub async fn prove_possession(
        &self,
        target: &Holder<'_>,
        public_key: &[u8],
        key: Arc<dyn SigningKey>,
    ) -> Result<Possession, Refusal> {
        let snapshot = self.keyring.snapshot();
        let instance = snapshot.state().instance().instance().as_str().to_owned();
        let mut random = [0; 32];
        aws_lc_rs::rand::fill(&mut random)
            .map_err(|_nothing_said| Refusal::new(Reason::Internal, "the random number generator failed"))?;
        let nonce = Hash::from(random);
        let message = Bytes::from(Possession::message(&instance, public_key, nonce));
        let fresh = self.log.fresh().map_err(|error| refuse::unlogged(&error))?;
        let malformed = |error: &dyn std::fmt::Display| Refusal::new(Reason::Internal, error.to_string());
        let caller =
            CallerDetail { claims: Default::default(), id: instance.clone(), kind: "daemon".to_owned() };
        let detail = Detail { backend: Some(target.backend.to_owned()), ..Detail::of(caller, fresh.salt) };
        let (detail, name) = detail.encode().map_err(|error| malformed(&error))?;
        let hash = target.algorithm.hash().unwrap_or(proto::algorithm::HashAlgorithm::Sha256);
        let digests = Digests::new(vec![Digest::of(hash, &message)]).map_err(|error| malformed(&error))?;
        let key_id = KeyId::of_spki(public_key);
        let mut record = SignRecord {
            detail: name,
            key: target.key.clone(),
            kind: SignTag::Tag,
            number: None,
            operation: fresh.operation,
            signatures: vec![SignatureEntry {
                algorithm: target.algorithm,
                key_id,
                outcome: Outcome::Unknown,
                reason: None,
                sha256: None,
                value: None,
                version: target.version,
            }],
            signed: Signed { digests, kind: Kind::Possession, subjects: vec![] },
            time: Times::asked(fresh.asked),
            v: VERSION,
        };
        let detail = Bytes::from(detail);
        let caller: Arc<str> = instance.into();
        let draft = IntentDraft {
            operation: fresh.operation,
            caller: Arc::clone(&caller),
            request: None,
            record: record.clone(),
            detail: detail.clone(),
            patience: Duration::ZERO,
        };
        let intended = self.log.intend(vec![draft], None).await.pop();
        let intent = match intended {
            Some(Ok(Intended::Intent(intent))) => intent,
            Some(Err(error)) => return Err(refuse::unlogged(&error)),
            _ => return Err(Refusal::new(Reason::Internal, "an intent without an answer")),
        };
        // What is safe now: the intent is durable; a crash closes it as unknown, and the ceremony as interrupted.
        let deadline = Some(Deadline(self.clock.monotonic().after(LONGEST)));
        let turn = Turn { caller, deadline, priority: Priority::Urgent };
        let entry = &mut record.signatures[0];
        let failure = match key.sign(Prepared::message(target.algorithm, &message), turn).await {
            Ok(signature) => {
                entry.outcome = Outcome::Released;
                entry.value = Some(signature.into_bytes());
                None
            }
            Err(failure) => {
                entry.outcome = refuse::outcome(&failure);
                entry.reason = Some(failure.reason());
                Some(refuse::failed(target.backend, &failure))
            }
        };
        record.number = Some(intent.number());
        let terms: [Term; 3] =
            [Term::Key(target.key.clone()), Term::KeyId(key_id), Term::Backend(target.backend.to_owned())];
        let (record, terms) = (Arc::new(record), Arc::from(terms));
        let mut seal = Seal {
            intent: Some(intent),
            operation: fresh.operation,
            request: None,
            requires: vec![Requires { terms, not_after: None }],
            saw: snapshot.control(),
            released: Arc::clone(&record),
            detail,
            patience: Duration::ZERO,
        };
        for _ in 0..AGAIN {
            match self.log.seal(vec![seal]).await.pop() {
                Some(Ok(Sealed::Released(released))) => {
                    let signature =
                        record.signatures[0].value.as_ref().map_or_else(Vec::new, |value| value.to_vec());
                    let (index, operation) = (released.index, fresh.operation);
                    return Ok(Possession { index, nonce, operation, signature });
                }
                // Nothing of policy decides here: only stops, which the fence judges anew.
                Some(Ok(Sealed::Touched { seal: again, control })) => seal = Seal { saw: control, ..*again },
                Some(Ok(Sealed::Withheld { reasons, .. })) => {
                    let reason = reasons.first().map_or(Reason::ChangedMeanwhile, |(_, reason)| *reason);
                    let withheld = || Refusal::new(reason, "the proof of possession was withheld");
                    return Err(failure.unwrap_or_else(withheld).recorded(fresh.operation));
                }
                Some(Err(error)) => return Err(refuse::unlogged(&error).recorded(fresh.operation)),
                _ => {
                    let message = "the operation was closed as unknown before it could be sealed";
                    return Err(Refusal::new(Reason::OutcomeUnknown, message).recorded(fresh.operation));
                }
            }
        }
        Err(Refusal::new(Reason::ChangedMeanwhile, "keys or policy changed again and again")
            .recorded(fresh.operation))
    }
}
