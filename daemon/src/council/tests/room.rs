//! A room in which everybody of a rehearsal is at hand.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use ceremonies::act::{Act, Decision, Deed, Outcome, SeenHead};
use ceremonies::cast::Cast;
use ceremonies::session::Step;
use ceremonies::statement::{CeremonyId, Statement};
use proto::algorithm::Algorithm;
use proto::hash::Hash;
use proto::record::ceremony::{Ceremony, Started};
use proto::record::{Actor, ActorKind, Body, ControlRecord, Record};
use proto::refusal::Refusal;

use crate::backend::{Backend as _, Deadline, GenerateSpec};
use crate::clock::{Clock, ManualClock, Monotonic};
use crate::council::{Council, Draft};
use crate::denials::Denials;
use crate::keyring::trial::{Trial, everything};
use crate::keys::signed::Signed;
use crate::sign::Signer;

/// The room.
pub(super) struct Room {
    pub(super) trial: Trial,
    pub(super) council: Arc<Council>,
    cast: Cast,
    nonce: AtomicU8,
}

/// A ceremony that somebody has proposed.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) id: CeremonyId,
    pub(super) statement: Hash,
}

/// What a key's template says, with a target of one's own for other kinds.
pub(super) fn template(kind: &str, target: &str) -> String {
    format!(
        "kind = \"{kind}\"\nmode = \"rehearsal\"\nenvironment = \"test\"\nlives = \"1h\"\npurpose = \"a test\"\n\
         justification = \"to see whether it holds\"\nticket = \"none\"\n[target]\n{target}"
    )
}

/// The target of a new key on the one backend.
pub(super) fn new_key(name: &str) -> String {
    format!(
        "activation = \"at-completion\"\nalgorithm = \"ecdsa-p256-sha256\"\nbackend = \"soft\"\nextractable = false\n\
         key = \"{name}\"\nowner = \"team\"\npurpose = [\"blob\"]\nretirement = \"never\"\nstandby = false\nversion = 1\n"
    )
}

/// The target of an adoption, of a key pair on the one backend.
pub(super) fn adoption(name: &str, id: &str) -> String {
    format!(
        "activation = \"at-completion\"\nalgorithm = \"ecdsa-p256-sha256\"\nbackend = \"soft\"\nkey = \"{name}\"\n\
         key_id = \"{id}\"\nlocator = \"software:{id}\"\nowner = \"team\"\npurpose = [\"blob\"]\nretirement = \"never\"\n\
         standby = false\nunproven = [\"everything\"]\nversion = 1\n"
    )
}

impl Room {
    pub(super) async fn new() -> Self {
        Self::of(Trial::new("private", &everything()).await)
    }

    /// The same by a clock that the test moves.
    pub(super) async fn at(clock: &Arc<ManualClock>) -> Self {
        let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
        Self::of(Trial::at("private", &everything(), clock).await)
    }

    fn of(trial: Trial) -> Self {
        let (log, keyring, clock) = (trial.log.clone(), Arc::clone(&trial.keyring), Arc::clone(&trial.clock));
        let denials = Denials::new(log.clone(), Arc::clone(&keyring), Arc::clone(&clock));
        let signer = Signer::new(log.clone(), Arc::clone(&keyring), Arc::clone(&clock), denials);
        let council = Council::new(log, keyring, signer, clock);
        Self { trial, council, cast: Trial::cast(), nonce: AtomicU8::new(0) }
    }

    /// Another council over the same log and keys, as after a restart: it runs nothing.
    pub(super) fn anew(&self) -> Arc<Council> {
        let (log, keyring, clock) =
            (self.trial.log.clone(), Arc::clone(&self.trial.keyring), Arc::clone(&self.trial.clock));
        let denials = Denials::new(log.clone(), Arc::clone(&keyring), Arc::clone(&clock));
        let signer = Signer::new(log.clone(), Arc::clone(&keyring), Arc::clone(&clock), denials);
        Council::new(log, keyring, signer, clock)
    }

    /// The act of a deed, over the newest head.
    pub(super) fn act(&self, deed: Deed) -> Act {
        let snapshot = self.trial.keyring.snapshot();
        let genesis = snapshot.state().instance();
        let head = self.trial.log.head();
        let reason = match deed {
            Deed::Approve { decision: Decision::Accept, .. }
            | Deed::Attest { decision: Decision::Accept, .. }
            | Deed::Execute { .. }
            | Deed::Propose { .. } => String::new(),
            _ => "because of a test".to_owned(),
        };
        Act {
            deed,
            environment: genesis.environment().to_string(),
            expires: self.trial.clock.wall().later(Duration::from_secs(3600)),
            head: SeenHead { origin: genesis.origin().clone(), root: head.root, size: head.size },
            instance: genesis.instance().to_string(),
            nonce: [self.nonce.fetch_add(1, Ordering::Relaxed); 32].into(),
            reason,
        }
    }

    /// The act, signed by somebody.
    pub(super) fn sign(&self, person: &str, act: &Act) -> Signed {
        let (document, signature) = self.cast.sign(person, act).unwrap().unwrap();
        Signed { document: document.into_bytes(), signature }
    }

    pub(super) fn signed(&self, person: &str, deed: Deed) -> Signed {
        self.sign(person, &self.act(deed))
    }

    pub(super) fn draft(&self, initiator: &str, template: String) -> Result<Statement, Refusal> {
        let initiator = initiator.to_owned();
        let draft = Draft { template, initiator, justification: None, ticket: None, not_before: None };
        self.council.statement(&draft)
    }

    pub(super) async fn propose(&self, statement: &Statement) -> Result<Open, Refusal> {
        self.propose_with(statement, &BTreeMap::new()).await
    }

    /// With the documents that the statement names.
    pub(super) async fn propose_with(
        &self,
        statement: &Statement,
        documents: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Open, Refusal> {
        let digest = statement.digest();
        let initiator = statement.common().initiator.to_string();
        let act = self.signed(&initiator, Deed::Propose { statement: digest });
        let id = self.council.propose(&statement.encode(), &act, documents).await?;
        Ok(Open { id, statement: digest })
    }

    /// A ceremony that oskar has proposed.
    pub(super) async fn proposed(&self, kind: &str, target: &str) -> Open {
        let statement = self.draft("oskar", template(kind, target)).unwrap();
        self.propose(&statement).await.unwrap()
    }

    pub(super) async fn does(&self, person: &str, deed: Deed) -> Result<u64, Refusal> {
        self.council.submit(&self.signed(person, deed)).await.map(|done| done.index)
    }

    pub(super) async fn approves(&self, person: &str, open: &Open) -> Result<u64, Refusal> {
        self.does(person, Deed::Approve { decision: Decision::Accept, statement: open.statement }).await
    }

    pub(super) async fn attests(&self, person: &str, open: &Open) -> Result<u64, Refusal> {
        let (decision, statement) = (Decision::Accept, open.statement);
        self.does(person, Deed::Attest { decision, outcome: None, statement }).await
    }

    /// Ada and bob approve, wanda and walter attest.
    pub(super) async fn arm(&self, open: &Open) {
        for officer in ["ada", "bob"] {
            self.approves(officer, open).await.unwrap();
        }
        for witness in ["wanda", "walter"] {
            self.attests(witness, open).await.unwrap();
        }
    }

    pub(super) async fn execute(&self, open: &Open) -> Result<CeremonyId, Refusal> {
        self.council.execute(&self.signed("oskar", Deed::Execute { statement: open.statement })).await
    }

    /// A start by oskar that a daemon made durable which is gone.
    pub(super) async fn started_elsewhere(&self, open: &Open, found: u64) {
        let Signed { document, signature } =
            self.signed("oskar", Deed::Execute { statement: open.statement });
        let act = Some(Hash::of(&document));
        let body = Started { act, ceremony: open.id, found, operator: Some("oskar".into()) };
        let documents = vec![("act", String::from_utf8(document).unwrap()), ("signature", signature)];
        let actor = Actor { id: "oskar".into(), kind: ActorKind::Person };
        self.council.append_by(actor, Ceremony::Started(body), documents, vec![]).await.unwrap();
    }

    /// A key pair that was there before the instance; its key id.
    pub(super) async fn stranger(&self) -> String {
        let algorithm = Algorithm::EcdsaP256Sha256;
        let spec = GenerateSpec { algorithm, label: String::new(), id: vec![7] };
        let by = Deadline(Monotonic::from_start(Duration::MAX));
        let made = self.trial.backend().generate(spec, by).await.unwrap();
        made.public_key.key_id().to_string()
    }

    /// What the witnesses see of an execution.
    pub(super) async fn outcome(&self, open: &Open) -> Outcome {
        let view = self.council.ceremony(open.id).await.unwrap();
        Outcome { deviations: view.deviations.unwrap(), outputs: Hash::of(&view.outputs.unwrap()) }
    }

    pub(super) async fn attests_after(&self, person: &str, open: &Open) -> Result<u64, Refusal> {
        let outcome = Some(self.outcome(open).await);
        self.does(person, Deed::Attest { decision: Decision::Accept, outcome, statement: open.statement })
            .await
    }

    pub(super) async fn step(&self, open: &Open) -> Step {
        self.council.ceremony(open.id).await.unwrap().step
    }

    /// The kinds of the records from this index on.
    pub(super) async fn kinds(&self, from: u64) -> Vec<&'static str> {
        let mut kinds = Vec::new();
        for stored in self.trial.log.records(from, u64::MAX).await.unwrap() {
            kinds.push(match Record::parse(&stored.leaf).unwrap() {
                Record::Control(record) => record.body.kind(),
                Record::Sign(_) => "sign",
                _ => "other",
            });
        }
        kinds
    }

    /// The newest control record.
    pub(super) async fn newest(&self) -> ControlRecord {
        let index = self.trial.keyring.snapshot().control();
        let stored = self.trial.log.record(index).await.unwrap();
        ControlRecord::parse(&stored.leaf).unwrap()
    }

    /// How many keys the backend holds.
    pub(super) async fn keys(&self) -> usize {
        use crate::backend::Locator;
        self.trial.backend().find(&Locator::Software(None)).await.unwrap().len()
    }

    /// A body of the newest control record, for messages.
    pub(super) async fn newest_kind(&self) -> &'static str {
        let record = self.newest().await;
        match record.body {
            Body::Ceremony(step) => step.kind(),
            other => other.kind(),
        }
    }
}
