//! A stage on which ceremonies are played with real signatures, over a log in memory.
//!
//! Whoever plays may do it wrong in every step: the log takes everything, as one whose daemon is a rogue.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ceremonies::act::{Act, Decision, Deed, Outcome, SeenHead, Setting, VerifiedAct, namespace};
use ceremonies::birth::BirthNames;
use ceremonies::genesis::Mode;
use ceremonies::outputs::{Born, Outputs, Possession, effect};
use ceremonies::record;
use ceremonies::roster::{Roster, RosterDocument, RosterPerson, SCHEMA, Terms};
use ceremonies::session::deviations_digest;
use ceremonies::statement::target::{Activation, Fixed, Genesis, KeyGenerate};
use ceremonies::statement::{CeremonyId, Common, Kind, Log as LogHead, Quorum, Statement, Target, Version};
use ceremonies::succession::proof;
use ceremonies::transcript::{Files, Governs, Manifest, Parts, Transcript, name};
use p256::ecdsa::signature::Signer as _;
use proto::algorithm::{Algorithm, HashAlgorithm};
use proto::digest::{Digest, Digests};
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::operation::OperationId;
use proto::purpose::{Kind as PurposeKind, Purpose};
use proto::record::ceremony::{Acted, Ceremony, Completed, Deviated, Executed, Proposed, Started, document};
use proto::record::kind::SignTag;
use proto::record::{Body, ControlRecord, Outcome as Signed, SignRecord, SignatureEntry, Times};
use proto::term::Term;
use proto::time::Time;

use crate::log::{Log, ORIGIN};

pub const PEOPLE: [(&str, &str, &str); 9] = [
    ("ada", "officer", "platform"),
    ("bob", "officer", "platform"),
    ("cyd", "officer", "security"),
    ("dan", "officer", "security"),
    ("eve", "officer", "release"),
    ("fay", "witness", "audit"),
    ("gus", "witness", "platform"),
    ("hal", "responder", "operations"),
    ("ivy", "operator", "operations"),
];

pub const GUARDRAILS: &str = "[log]\nleaves = \"private\"\n";
pub const GRANTS: &str = "// none yet\n";
pub const KEY: &str = "release/linux";

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    out.extend(bytes);
}

/// A person's key: the seed follows from the name.
fn pair(who: &str) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(Hash::of(who.as_bytes()).as_bytes()).unwrap()
}

fn blob(who: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, b"ssh-ed25519");
    put(&mut out, pair(who).public_key().as_ref());
    out
}

/// As `ssh-keygen -Y sign` signs with a key file.
pub fn ssh_sign(who: &str, namespace: &str, message: &[u8]) -> String {
    let hashed = HashAlgorithm::Sha512.hash(message);
    let mut signed = b"SSHSIG".to_vec();
    for part in [namespace.as_bytes(), b"", b"sha512", &hashed] {
        put(&mut signed, part);
    }
    let mut signature = Vec::new();
    put(&mut signature, b"ssh-ed25519");
    put(&mut signature, pair(who).sign(&signed).as_ref());
    let mut envelope = b"SSHSIG\0\0\0\x01".to_vec();
    for part in [blob(who).as_slice(), namespace.as_bytes(), b"", b"sha512", &signature] {
        put(&mut envelope, part);
    }
    armor(&envelope, 70)
}

pub fn armor(envelope: &[u8], width: usize) -> String {
    let text = STANDARD.encode(envelope);
    let lines: Vec<&str> =
        text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n"))
}

pub fn roster(mode: Mode, version: u64, people: &[(&str, &str, &str)]) -> Roster {
    let person = |(id, role, unit): &(&str, &str, &str)| RosterPerson {
        keys: vec![format!("ssh-ed25519 {}", STANDARD.encode(blob(id)))],
        name: format!("{}{} Person", id[..1].to_uppercase(), &id[1..]),
        person: (*id).into(),
        roles: role.split('+').map(Into::into).collect(),
        unit: (*unit).into(),
    };
    let mut people: Vec<RosterPerson> = people.iter().map(person).collect();
    people.sort_by(|a, b| a.person.cmp(&b.person));
    let document = RosterDocument { approvals: 3, mode, people, schema: SCHEMA.into(), version };
    Roster::new(&document, terms(mode)).unwrap()
}

pub fn terms(mode: Mode) -> Terms {
    Terms { allow_software_officer_keys: true, mode }
}

/// The new key.
fn key() -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_bytes(&[9; 32].into()).unwrap()
}

fn spki() -> Vec<u8> {
    const HEAD: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    [&HEAD, key().verifying_key().to_encoded_point(false).as_bytes()].concat()
}

#[derive(Clone)]
pub struct Stage {
    pub log: Log,
    pub mode: Mode,
    pub genesis: Statement,
    /// The roster in force.
    pub roster: Roster,
    /// Another roster by which acts are taken, too.
    pub next: Option<Roster>,
    pub guardrails: (Version, String),
    pub statement: Statement,
    pub spoken: Vec<Hash>,
    pub outputs: Option<Outputs>,
    pub possession: Option<Vec<u8>>,
    /// The seed of the log key that a `log.rekey` makes the next one.
    pub next_key: Option<u8>,
    /// The transcripts of what was changed before.
    pub made: BTreeMap<Governs, Files>,
    pub nonces: u8,
}

impl Stage {
    /// An instance that was begun by those who sign: all officers and two witnesses, where all goes well.
    pub fn begin_with(mode: Mode, officers: &[&str], witnesses: &[&str]) -> Self {
        let now: Time = "2026-11-21T05:00:00.000000Z".parse().unwrap();
        let origin = if mode == Mode::Rehearsal { ORIGIN } else { "log.example.org" };
        let log = Log::new(origin, now);
        let roster = roster(mode, 1, &PEOPLE);
        let target = Target::Genesis(Genesis {
            allow_software_backend: false,
            allow_software_officer_keys: true,
            grants: Hash::of(GRANTS.as_bytes()),
            log_key: log.log_key().parse().unwrap(),
        });
        let guardrails = Version { sha256: Hash::of(GUARDRAILS.as_bytes()), version: 1 };
        let common = Common {
            ceremony: CeremonyId::from([1; 16]),
            environment: "staging".parse().unwrap(),
            expires: now.later(Duration::from_secs(72 * 3600)),
            guardrails,
            initiator: "ada".parse().unwrap(),
            instance: "signing.example.org".parse().unwrap(),
            justification: "Releases are to be signed.".parse().unwrap(),
            log: LogHead { origin: origin.parse().unwrap(), root: Hash::of(b""), size: 0 },
            mode,
            nonce: [1; 32].into(),
            not_before: now,
            purpose: "the signing service begins".parse().unwrap(),
            quorum: Quorum { approvals: 5, officers: 5, witnesses: 2 },
            roster: Version { sha256: roster.digest(), version: 1 },
            ticket: "OPS-1".parse().unwrap(),
        };
        let genesis = Statement::new(common, target).unwrap();
        let mut stage = Self {
            log,
            mode,
            statement: genesis.clone(),
            roster,
            next: None,
            next_key: None,
            guardrails: (guardrails, GUARDRAILS.into()),
            spoken: vec![],
            outputs: None,
            possession: None,
            made: BTreeMap::new(),
            nonces: 0,
            genesis,
        };
        let mut documents = vec![
            (document::ROSTER.to_owned(), String::from_utf8(stage.roster.encode()).unwrap()),
            (document::GUARDRAILS.to_owned(), GUARDRAILS.to_owned()),
            (document::GRANTS.to_owned(), GRANTS.to_owned()),
        ];
        let statement = stage.genesis.digest();
        let accept = Decision::Accept;
        let acts = officers.iter().map(|who| (who, Deed::Approve { decision: accept, statement })).chain(
            witnesses.iter().map(|who| (who, Deed::Attest { decision: accept, outcome: None, statement })),
        );
        for (who, deed) in acts.collect::<Vec<_>>() {
            let (act, signature) = stage.sign(who, deed, "");
            documents.push((format!("act.{who}"), act));
            documents.push((format!("signature.{who}"), signature));
        }
        let body = Body::Genesis { statement: stage.genesis.to_value() };
        let documents = documents.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
        stage.log.control(body, documents);
        stage.statement = stage.key_generate(CeremonyId::from([0xa7; 16]), |_, _| {});
        stage
    }

    /// Somebody's proof that the key is his which the next roster has of him.
    pub fn possession_of(&self, who: &str, next: &Roster) -> String {
        let common = self.genesis.common();
        let setting = Setting {
            environment: common.environment.as_str(),
            instance: common.instance.as_str(),
            mode: common.mode,
            origin: &common.log.origin,
        };
        let person = next.person(&who.parse().unwrap()).unwrap();
        let message = proof::message(setting, next.digest(), &person.id, &person.keys[0]);
        ssh_sign(who, proof::namespace(self.mode), &message)
    }

    pub fn begin(mode: Mode) -> Self {
        Self::begin_with(mode, &["ada", "bob", "cyd", "dan", "eve"], &["fay", "gus"])
    }

    /// What every statement of this moment says.
    pub fn common(&self, kind: Kind, ceremony: CeremonyId) -> Common {
        let rule = ceremonies::rules::Rules::default().of(kind);
        let size = self.log.size();
        Common {
            ceremony,
            expires: self.log.now.later(rule.expires),
            guardrails: self.guardrails.0,
            initiator: "ivy".parse().unwrap(),
            justification: "The Linux team starts to release.".parse().unwrap(),
            log: LogHead { origin: self.log.origin.parse().unwrap(), root: self.log.root(size), size },
            nonce: [2; 32].into(),
            not_before: self.log.now,
            purpose: "first key for Linux releases".parse().unwrap(),
            quorum: Quorum {
                approvals: rule.approvals(self.roster.approvals(), self.roster.officers()),
                officers: self.roster.officers(),
                witnesses: rule.witnesses,
            },
            roster: Version { sha256: self.roster.digest(), version: self.roster.version() },
            ticket: "OPS-4711".parse().unwrap(),
            ..self.genesis.common().clone()
        }
    }

    pub fn key_generate(
        &self,
        ceremony: CeremonyId,
        change: impl FnOnce(&mut Common, &mut KeyGenerate),
    ) -> Statement {
        let mut common = self.common(Kind::KeyGenerate, ceremony);
        let mut key = KeyGenerate {
            activation: Activation::AtCompletion,
            algorithm: Algorithm::EcdsaP256Sha256,
            backend: "hsm-a".parse().unwrap(),
            extractable: Fixed,
            key: KEY.parse().unwrap(),
            owner: "release team".parse().unwrap(),
            purpose: Purpose::new(["blob".parse().unwrap(), "oci".parse().unwrap()]).unwrap(),
            retirement: "Rotated yearly; destroyed 30 days after its end.".parse().unwrap(),
            serial: Some("SN-0123".parse().unwrap()),
            standby: false,
            version: 1,
        };
        change(&mut common, &mut key);
        Statement::new(common, Target::KeyGenerate(key)).unwrap()
    }

    pub fn digest(&self) -> Hash {
        self.statement.digest()
    }

    /// An act over the newest head, signed by whom it says.
    pub fn sign(&mut self, who: &str, deed: Deed, reason: &str) -> (String, String) {
        self.sign_as(who, deed, reason, |_| {})
    }

    pub fn sign_as(
        &mut self,
        who: &str,
        deed: Deed,
        reason: &str,
        change: impl FnOnce(&mut Act),
    ) -> (String, String) {
        self.nonces += 1;
        let size = self.log.size();
        let mut act = Act {
            deed,
            environment: "staging".into(),
            expires: self.log.now.later(Duration::from_secs(72 * 3600)),
            head: SeenHead { origin: self.log.origin.parse().unwrap(), root: self.log.root(size), size },
            instance: "signing.example.org".into(),
            nonce: [self.nonces; 32].into(),
            reason: reason.into(),
        };
        change(&mut act);
        let document = act.encode().unwrap();
        let signature = ssh_sign(who, namespace(self.mode), &document);
        (String::from_utf8(document).unwrap(), signature)
    }

    pub fn verified(&self, (act, signature): &(String, String)) -> VerifiedAct {
        let common = self.genesis.common();
        let setting = Setting {
            environment: common.environment.as_str(),
            instance: common.instance.as_str(),
            mode: common.mode,
            origin: self.genesis.begins().unwrap().origin,
        };
        let by = |roster| VerifiedAct::verify(act.as_bytes(), signature, setting, roster);
        by(&self.roster).or_else(|error| self.next.as_ref().map_or(Err(error), by)).unwrap()
    }

    fn step(&mut self, step: Ceremony, documents: Vec<(&str, String)>) -> u64 {
        self.log.control(Body::Ceremony(step), documents)
    }

    pub fn propose(&mut self) -> u64 {
        self.propose_with(vec![])
    }

    pub fn propose_with(&mut self, more: Vec<(&str, String)>) -> u64 {
        let statement = self.digest();
        let (act, signature) = self.sign("ivy", Deed::Propose { statement }, "");
        let body = Proposed {
            act: Hash::of(act.as_bytes()),
            ceremony: self.statement.common().ceremony,
            initiator: "ivy".into(),
            of: self.statement.kind().name().into(),
            statement,
        };
        let text = String::from_utf8(self.statement.encode()).unwrap();
        let mut documents = vec![
            (document::STATEMENT, text),
            (document::ACT, act),
            (document::SIGNATURE, signature),
            (document::GUARDRAILS, self.guardrails.1.clone()),
        ];
        documents.extend(more);
        self.step(Ceremony::Proposed(body), documents)
    }

    pub fn decide(&mut self, who: &str, deed: Deed, reason: &str) -> u64 {
        let signed = self.sign(who, deed, reason);
        self.decided(signed)
    }

    pub fn decided(&mut self, signed: (String, String)) -> u64 {
        self.decided_with(signed, None, |_| {})
    }

    /// Records an act; a rogue keeps another signature, or writes something else into the leaf.
    pub fn decided_with(
        &mut self,
        signed: (String, String),
        other: Option<String>,
        change: impl FnOnce(&mut Acted),
    ) -> u64 {
        let verified = self.verified(&signed);
        let size = verified.act().head.size;
        let overtaken = (size < self.log.size())
            .then(|| crate::log::read(&self.log.leaves[usize::try_from(size).unwrap()]).time.sealed);
        let ceremony = self.statement.common().ceremony;
        let mut acted = record::acted(ceremony, &verified, overtaken).unwrap();
        change(&mut acted);
        let documents = vec![(document::ACT, signed.0), (document::SIGNATURE, other.unwrap_or(signed.1))];
        self.step(Ceremony::Acted(Box::new(acted)), documents)
    }

    pub fn approve(&mut self, who: &str) -> u64 {
        let statement = self.digest();
        self.decide(who, Deed::Approve { decision: Decision::Accept, statement }, "")
    }

    pub fn attest(&mut self, who: &str) -> u64 {
        let statement = self.digest();
        self.decide(who, Deed::Attest { decision: Decision::Accept, outcome: None, statement }, "")
    }

    pub fn veto(&mut self, who: &str) -> u64 {
        let statement = self.digest();
        self.decide(who, Deed::Veto { statement }, "this is not what we spoke about")
    }

    pub fn start(&mut self, who: &str) -> u64 {
        self.start_finding(who, 0)
    }

    /// Starts where so many objects are found.
    pub fn start_finding(&mut self, who: &str, found: u64) -> u64 {
        let statement = self.digest();
        let (act, signature) = self.sign(who, Deed::Execute { statement }, "");
        let body = Started {
            act: Some(Hash::of(act.as_bytes())),
            ceremony: self.statement.common().ceremony,
            found,
            operator: Some(who.into()),
        };
        self.step(Ceremony::Started(body), vec![(document::ACT, act), (document::SIGNATURE, signature)])
    }

    pub fn start_by_itself(&mut self) -> u64 {
        let ceremony = self.statement.common().ceremony;
        self.step(Ceremony::Started(Started { act: None, ceremony, found: 0, operator: None }), vec![])
    }

    pub fn deviate(&mut self, who: &str, text: &str) -> u64 {
        let statement = self.digest();
        let (act, signature) = self.sign(who, Deed::Deviation { statement }, text);
        let digest = Hash::of(act.as_bytes());
        self.spoken.push(digest);
        let ceremony = self.statement.common().ceremony;
        let body = Deviated { act: digest, ceremony, person: who.into() };
        self.step(Ceremony::Deviated(body), vec![(document::ACT, act), (document::SIGNATURE, signature)])
    }

    /// A proof of possession as an operation of this moment, and its record, which is not in the log yet.
    pub fn proof(&self) -> (Possession, SignRecord) {
        let public_key = spki();
        let nonce = Hash::of(b"a nonce of the daemon");
        let message = Possession::message("signing.example.org", &public_key, nonce);
        let signature: p256::ecdsa::Signature = key().sign(&message);
        let signature = signature.to_der().as_bytes().to_vec();
        let operation = OperationId::new(self.log.now.milliseconds(), [5; 10]);
        let record = SignRecord {
            detail: Hash::of(b"a detail of the proof"),
            key: KEY.parse().unwrap(),
            kind: SignTag::Tag,
            number: None,
            operation,
            signatures: vec![SignatureEntry {
                algorithm: Algorithm::EcdsaP256Sha256,
                key_id: KeyId::of_spki(&public_key),
                outcome: Signed::Released,
                reason: None,
                sha256: None,
                value: Some(signature.clone().into()),
                version: 1,
            }],
            signed: proto::record::Signed {
                digests: Digests::new(vec![Digest::of(HashAlgorithm::Sha256, &message)]).unwrap(),
                kind: PurposeKind::Possession,
                subjects: vec![],
            },
            time: Times::asked(self.log.now),
            v: 0,
        };
        (Possession { index: self.log.size(), nonce, operation, signature }, record)
    }

    /// Puts a proof into the log.
    pub fn seal_proof(&mut self, record: &SignRecord) {
        let index = self.log.seal(record.draft().unwrap());
        self.possession = Some(self.log.leaves[usize::try_from(index).unwrap()].clone());
    }

    /// The proof of possession, and what came of the execution.
    pub fn birth(&mut self, change: impl FnOnce(&mut Born, &mut SignRecord)) {
        let (possession, mut record) = self.proof();
        let names = BirthNames::of(&self.statement);
        let id: String = names.id.iter().map(|byte| format!("%{byte:02X}")).collect();
        let text = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let mut born = Born {
            attributes: text(&[
                ("always-sensitive", "true"),
                ("extractable", "false"),
                ("local", "true"),
                ("never-extractable", "true"),
                ("private", "true"),
                ("sensitive", "true"),
                ("sign", "true"),
                ("token", "true"),
            ]),
            device: text(&[("label", "release"), ("manufacturer", "Example"), ("serial", "SN-0123")]),
            locator: format!(
                "pkcs11:token=release;serial=SN-0123;object={};id={id};type=private",
                names.label
            ),
            possession,
            public_key: spki(),
        };
        change(&mut born, &mut record);
        self.seal_proof(&record);
        self.outputs = Some(Outputs::Key(Box::new(born)));
    }

    pub fn executed(&mut self) -> u64 {
        let outputs = self.outputs.clone().unwrap();
        let text = String::from_utf8(outputs.encode(&self.statement).unwrap()).unwrap();
        let ceremony = self.statement.common().ceremony;
        let body = Executed { ceremony, outputs: Hash::of(text.as_bytes()) };
        self.step(Ceremony::Executed(body), vec![(document::OUTPUTS, text)])
    }

    pub fn outcome(&self) -> Outcome {
        let outputs = self.outputs.as_ref().unwrap().digest(&self.statement).unwrap();
        Outcome { deviations: deviations_digest(&self.spoken), outputs }
    }

    pub fn saw(&mut self, who: &str) -> u64 {
        let (statement, outcome) = (self.digest(), Some(self.outcome()));
        self.decide(who, Deed::Attest { decision: Decision::Accept, outcome, statement }, "")
    }

    pub fn assemble(&self) -> Transcript {
        let parts = Parts {
            control: self.log.chain(),
            details: self.log.details.clone(),
            possessions: self.possession.iter().cloned().collect(),
            checkpoint: self.log.checkpoint(),
            made: self.made.clone(),
        };
        let nodes = |level, index| self.log.node(level, index);
        Transcript::assemble(self.statement.common().ceremony, parts, &nodes).unwrap()
    }

    pub fn complete(&mut self) -> Files {
        self.complete_with(|_| {}, |_| {}, |_| {})
    }

    /// Completes as a rogue may who has the log key: other files, another body, another record.
    pub fn complete_with(
        &mut self,
        files: impl FnOnce(&mut Files),
        body: impl FnOnce(&mut Completed),
        record: impl FnOnce(&mut ControlRecord),
    ) -> Files {
        let transcript = self.assemble();
        let honest = transcript.manifest().clone();
        let mut made = transcript.with_completion(String::new());
        let checkpoint = String::from_utf8(made[name::CHECKPOINT].clone()).unwrap();
        files(&mut made);
        let manifest = Manifest::of(honest.ceremony, honest.genesis_sha256, honest.statement, &made);
        made.insert(name::MANIFEST.into(), manifest.encode());
        let outputs = self.outputs.as_ref().unwrap();
        let mut completed = Completed {
            ceremony: self.statement.common().ceremony,
            effect: effect(&self.statement, outputs).unwrap(),
            manifest: manifest.digest(),
            outputs: outputs.digest(&self.statement).unwrap(),
            statement: self.digest(),
        };
        body(&mut completed);
        let step = Body::Ceremony(Ceremony::Completed(Box::new(completed)));
        let touches = match self.statement.target() {
            Target::RosterChange(_) | Target::PolicyChange(_) | Target::GrantChange(_) => vec![Term::All],
            _ => vec![],
        };
        let record = |made: &mut ControlRecord| {
            made.touches = touches;
            record(made);
        };
        let index = self.log.control_with(step, vec![(document::CHECKPOINT, checkpoint)], record);
        if let (Target::LogRekey(_), Some(seed)) = (self.statement.target(), self.next_key.take()) {
            self.log.follows(seed);
        }
        made.insert(name::COMPLETED.into(), self.log.receipt(index).into_bytes());
        made
    }

    /// Everything up to the last attestation before.
    pub fn armed(&mut self) -> &mut Self {
        self.propose();
        for who in ["ada", "bob", "cyd"] {
            self.approve(who);
        }
        for who in ["fay", "gus"] {
            self.attest(who);
        }
        self
    }

    /// A whole key.generate, without its completion.
    pub fn played(mode: Mode) -> Self {
        let mut stage = Self::begin(mode);
        stage.armed();
        stage.start("ivy");
        stage.birth(|_, _| {});
        stage.executed();
        stage.saw("fay");
        stage.saw("gus");
        stage
    }

    /// The rest of a key.generate from here on, whatever came before.
    pub fn rest(&mut self) -> Files {
        self.rest_with(|_| {})
    }

    pub fn rest_with(&mut self, files: impl FnOnce(&mut Files)) -> Files {
        for who in ["fay", "gus"] {
            self.attest(who);
        }
        self.start("ivy");
        self.birth(|_, _| {});
        self.executed();
        self.saw("fay");
        self.saw("gus");
        self.complete_with(files, |_| {}, |_| {})
    }

    /// The rest, where everybody has decided.
    pub fn rest_armed(&mut self) -> Files {
        self.start("ivy");
        self.birth(|_, _| {});
        self.executed();
        self.rest_executed()
    }

    /// The rest, where it was executed.
    pub fn rest_executed(&mut self) -> Files {
        self.saw("fay");
        self.saw("gus");
        self.complete()
    }

    /// Writes a manifest for files that were changed after the completion.
    pub fn list_again(&self, files: &mut Files) {
        let before = Manifest::parse(&files[name::MANIFEST]).unwrap();
        let manifest = Manifest::of(before.ceremony, before.genesis_sha256, before.statement, files);
        files.insert(name::MANIFEST.into(), manifest.encode());
    }

    pub fn genesis_sha256(&self) -> Hash {
        self.genesis.digest()
    }
}
