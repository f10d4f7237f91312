//! From replies to messages, and what a reply holds until it has left.

use std::sync::Arc;

use proto::algorithm::Algorithm;
use proto::key_id::KeyId;
use proto::name::KeyName;
use proto::reason::Reason;
use proto::refusal::Refusal;
use proto::term::Term;
use proto::wire::{receipt, v1};

use crate::keyring::Keyring;
use crate::log::{HandOver, Log};
use crate::policy::caller::Caller;
use crate::rpc::front::Held;
use crate::rpc::services::Services;
use crate::sign::{Receipt, Reply, Signature};

/// What must not be stopped when a reply leaves.
struct Leaving {
    log: Log,
    keyring: Arc<Keyring>,
    caller: Arc<Caller>,
    versions: Vec<(KeyName, u32, KeyId)>,
}

impl Leaving {
    fn new(services: &Services, caller: &Arc<Caller>) -> Self {
        let (log, keyring) = (services.log.clone(), Arc::clone(&services.keyring));
        Self { log, keyring, caller: Arc::clone(caller), versions: Vec::new() }
    }

    fn with(&mut self, signatures: &[Signature]) {
        for signature in signatures {
            let version = (signature.key.clone(), signature.version, signature.key_id);
            if !self.versions.contains(&version) {
                self.versions.push(version);
            }
        }
    }

    /// Holds these guards until the reply has left; nothing where it hands out no signature.
    fn holding(
        self,
        guards: Vec<HandOver>,
        told: impl Fn(Refusal) -> Refusal + Send + Sync + 'static,
    ) -> Option<Held> {
        (!self.versions.is_empty()).then(|| Held::new(guards, move || self.last_look().map(&told)))
    }

    /// The stop that covers any of it.
    fn last_look(&self) -> Option<Refusal> {
        if self.log.stops_nothing() {
            return None;
        }
        let snapshot = self.keyring.snapshot();
        let stop = self.versions.iter().find_map(|(key, number, key_id)| {
            let mut terms = self.caller.terms();
            terms.extend([Term::Key(key.clone()), Term::KeyId(*key_id)]);
            let version = snapshot.ring(key).and_then(|ring| ring.version(*number));
            terms.extend(version.map(|version| Term::Backend(version.backend.clone())));
            self.log.covers(&terms)
        })?;
        let message = format!("{} was stopped before the reply had left", stop.term);
        Some(Refusal::new(stop.reason(), message).with("stopped", &stop.term))
    }
}

/// The answer to one request.
pub fn one(services: &Services, caller: &Arc<Caller>, mut reply: Reply) -> (v1::SignResponse, Option<Held>) {
    let guards = reply.guard.take().into_iter().collect();
    let mut leaving = Leaving::new(services, caller);
    leaving.with(&reply.signatures);
    (response(reply), leaving.holding(guards, |refusal| refusal))
}

/// The answer to a batch: one result each, in order.
pub fn many(
    services: &Services,
    caller: &Arc<Caller>,
    answers: Vec<Result<Reply, Refusal>>,
) -> (v1::SignBatchResponse, Option<Held>) {
    let mut leaving = Leaving::new(services, caller);
    let mut guards = Vec::with_capacity(answers.len());
    let results = answers.into_iter().map(|answer| {
        let outcome = match answer {
            Ok(mut reply) => {
                guards.extend(reply.guard.take());
                leaving.with(&reply.signatures);
                v1::sign_result::Outcome::Response(response(reply))
            }
            Err(refusal) => v1::sign_result::Outcome::Refusal((&refusal).into()),
        };
        v1::SignResult { outcome: Some(outcome) }
    });
    let response = v1::SignBatchResponse { results: results.collect() };
    let held = leaving.holding(guards, |refusal| {
        // One stopped item holds back the whole reply; ids fetch what is not stopped.
        let message =
            format!("{}; ask again: items with a request id are given, not signed twice", refusal.message);
        Refusal { reason: Reason::ChangedMeanwhile, message, ..refusal }
    });
    (response, held)
}

fn response(reply: Reply) -> v1::SignResponse {
    v1::SignResponse {
        signatures: reply.signatures.into_iter().map(signature).collect(),
        signed_bytes: reply.signed_bytes,
        receipt: reply.receipt.map(prove),
        operation_id: reply.operation.map(|id| id.to_string()).unwrap_or_default(),
        replayed: reply.replayed,
        degraded: String::new(),
    }
}

fn signature(signature: Signature) -> v1::Signature {
    let encoding = match (signature.algorithm.is_ecdsa(), signature.fixed) {
        (false, _) => v1::SignatureEncoding::Unspecified,
        (true, false) => v1::SignatureEncoding::Der,
        (true, true) => v1::SignatureEncoding::Fixed,
    };
    v1::Signature {
        key: signature.key.to_string(),
        version: signature.version,
        key_id: signature.key_id.as_bytes().to_vec(),
        algorithm: algorithm(signature.algorithm) as i32,
        encoding: encoding as i32,
        value: signature.value,
    }
}

fn algorithm(algorithm: Algorithm) -> v1::Algorithm {
    algorithm.into()
}

fn prove(proof: Receipt) -> v1::Receipt {
    match proof.full {
        None => receipt::index_only(proof.index, &proof.leaf_hash),
        Some(full) => receipt::full(proof.index, &proof.leaf_hash, full.leaf, &full.path, &full.checkpoint),
    }
}
