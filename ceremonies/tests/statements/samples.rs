//! One good statement of every kind, made of what does not change.

#![allow(dead_code, reason = "each test takes what it needs")]

use ceremonies::genesis::Mode;
use ceremonies::nonce::Nonce;
use ceremonies::person::PersonId;
use ceremonies::rules::{Officers, Rules};
use ceremonies::statement::target::{
    Activation, BackendRebind, ClockReset, Fixed, Genesis, GrantChange, Inventory, KeyAdopt, KeyCompromise,
    KeyDestroy, KeyGenerate, KeyRemove, KeyResume, KeyRotate, KeyRotateEmergency, Leftover, LogRecover,
    LogRekey, Overlap, PolicyChange, Resolve, RosterChange, SignBreakGlass, StopLift,
};
use ceremonies::statement::{CeremonyId, Common, Head, Kind, Line, Log, Quorum, Statement, Target, Version};
use proto::algorithm::{Algorithm, HashAlgorithm};
use proto::digest::Digest;
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::name::KeyName;
use proto::proof::note::{Ed25519Signer, NoteSigner as _};
use proto::purpose::Purpose;
use proto::term::Term;
use proto::time::Time;

pub fn time(text: &str) -> Time {
    format!("2026-11-{text}:00.000000Z").parse().unwrap()
}

/// The verifier key of the log with this seed.
pub fn log_key(seed: u8) -> Line {
    let signer = Ed25519Signer::from_seed("rehearsal.example.org", &[seed; 32]).unwrap();
    signer.verifier().to_string().parse().unwrap()
}

pub fn person(id: &str) -> PersonId {
    id.parse().unwrap()
}

pub fn version(version: u64, of: &str) -> Version {
    Version { sha256: Hash::of(of.as_bytes()), version }
}

/// The common part: of a rehearsal of five officers, three of whom must approve.
pub fn common(kind: Kind) -> Common {
    let rule = Rules::default().of(kind);
    let quorum = Quorum { approvals: rule.approvals(3, 5), officers: 5, witnesses: rule.witnesses };
    let not_before = time("21T05:00");
    let genesis = kind == Kind::Genesis;
    Common {
        ceremony: CeremonyId::from([0xa7; 16]),
        environment: "sandbox".parse().unwrap(),
        expires: not_before.later(rule.expires),
        guardrails: version(if genesis { 1 } else { 3 }, "guardrails"),
        initiator: person("ada"),
        instance: "signing.example.org".parse().unwrap(),
        justification: "The Linux team starts to release.".parse().unwrap(),
        log: Log {
            origin: "rehearsal.example.org".parse().unwrap(),
            root: Hash::of(if genesis { b"" } else { b"root" }),
            size: if genesis { 0 } else { 42 },
        },
        mode: Mode::Rehearsal,
        nonce: Nonce::from([0x5e; 32]),
        not_before,
        purpose: format!("golden file of {kind}").parse().unwrap(),
        quorum,
        roster: version(if genesis { 1 } else { 2 }, "roster"),
        ticket: "OPS-4711".parse().unwrap(),
    }
}

fn key() -> KeyName {
    "release/linux".parse().unwrap()
}

fn purpose() -> Purpose {
    Purpose::new(["blob".parse().unwrap(), "oci".parse().unwrap()]).unwrap()
}

/// The parameters of a kind.
pub fn target(kind: Kind) -> Target {
    let key_id = KeyId::of_spki(b"spki");
    let serial = Some("SN-0123".parse().unwrap());
    match kind {
        Kind::Genesis => Target::Genesis(Genesis {
            allow_software_backend: false,
            allow_software_officer_keys: true,
            grants: Hash::of(b"grants"),
            log_key: "rehearsal.example.org+0a1b2c3d+AbCd".parse().unwrap(),
        }),
        Kind::KeyGenerate => Target::KeyGenerate(KeyGenerate {
            activation: Activation::AtCompletion,
            algorithm: Algorithm::EcdsaP256Sha256,
            backend: "hsm-a".parse().unwrap(),
            extractable: Fixed,
            key: key(),
            owner: "release team".parse().unwrap(),
            purpose: purpose(),
            retirement: "Rotated yearly; destroyed 30 days after its end.".parse().unwrap(),
            serial,
            standby: false,
            version: 1,
        }),
        Kind::KeyAdopt => Target::KeyAdopt(KeyAdopt {
            activation: Activation::Planned,
            algorithm: Algorithm::EcdsaP256Sha256,
            backend: "hsm-a".parse().unwrap(),
            key: key(),
            key_id,
            locator: "pkcs11:token=release;object=linux".parse().unwrap(),
            owner: "release team".parse().unwrap(),
            purpose: purpose(),
            retirement: "Rotated yearly.".parse().unwrap(),
            serial,
            standby: false,
            unproven: vec!["nobody knows who generated it".parse().unwrap()],
            version: 1,
        }),
        Kind::KeyRotate => Target::KeyRotate(KeyRotate {
            activate: time("25T05:00"),
            key: key(),
            overlap: Overlap::ActiveSuffices,
            publish: time("23T05:00"),
            retire: time("30T05:00"),
            successor: 2,
            version: 1,
        }),
        Kind::KeyRotateEmergency => Target::KeyRotateEmergency(KeyRotateEmergency {
            key: key(),
            stop: 40,
            successor: 3,
            successor_id: key_id,
            version: 2,
        }),
        Kind::KeyCompromise => Target::KeyCompromise(KeyCompromise {
            held: Some(Head { root: Hash::of(b"held"), size: 17 }),
            key: key(),
            key_id,
            since: time("20T12:00"),
            version: 2,
        }),
        Kind::KeyResume => Target::KeyResume(KeyResume {
            finding: "The alarm was a test of the detector.".parse().unwrap(),
            key: key(),
            stop: 40,
            version: None,
        }),
        Kind::StopLift => Target::StopLift(StopLift {
            finding: "The backend was moved, not stolen.".parse().unwrap(),
            stop: 40,
            terms: vec![Term::Backend("hsm-a".into())],
        }),
        Kind::KeyRemove => Target::KeyRemove(KeyRemove {
            inventory: Some(Inventory {
                owner: "platform team".parse().unwrap(),
                sha256: Hash::of(b"inventory"),
            }),
            key: key(),
            key_id,
            version: 1,
        }),
        Kind::KeyDestroy => Target::KeyDestroy(KeyDestroy {
            backend: "hsm-a".parse().unwrap(),
            copies: vec!["backup HSM in the second vault, by grace".parse().unwrap()],
            key: key(),
            key_id,
            locator: "pkcs11:token=release;object=linux".parse().unwrap(),
            serial,
            version: 1,
        }),
        Kind::RosterChange => Target::RosterChange(RosterChange {
            added: vec![person("ivy")],
            changed: vec![],
            proofs: vec![Hash::of(b"proof")],
            quorum: Quorum { approvals: 3, officers: 5, witnesses: 2 },
            removed: vec![person("edgar")],
            roster: version(3, "next roster"),
        }),
        Kind::PolicyChange => {
            Target::PolicyChange(PolicyChange { guardrails: version(4, "next guardrails"), loosens: true })
        }
        Kind::GrantChange => Target::GrantChange(GrantChange {
            grants: Hash::of(b"next grants"),
            replaces: Hash::of(b"grants"),
        }),
        Kind::SignBreakGlass => Target::SignBreakGlass(SignBreakGlass {
            control: "The build is reproduced by hand on a second machine.".parse().unwrap(),
            digests: vec![Digest::of(HashAlgorithm::Sha256, b"the hotfix")],
            due: time("28T05:00"),
            key: key(),
            officer: person("ben"),
            owner: person("ada"),
            version: 1,
        }),
        Kind::Resolve => Target::Resolve(Resolve {
            ceremony: CeremonyId::from([0x11; 16]),
            leftover: Leftover::Destroy,
            statement: Hash::of(b"interrupted"),
        }),
        Kind::BackendRebind => Target::BackendRebind(BackendRebind {
            backend: "hsm-a".parse().unwrap(),
            keys: vec![key_id],
            replaces: "SN-0123".parse().unwrap(),
            serial: "SN-0456".parse().unwrap(),
        }),
        Kind::ClockReset => Target::ClockReset(ClockReset {
            evidence: "Three phones and the wall clock of the station.".parse().unwrap(),
            mark: time("21T05:00"),
            replaces: time("29T05:00"),
        }),
        Kind::LogRekey => Target::LogRekey(LogRekey { log_key: log_key(2), replaces: log_key(1) }),
        Kind::LogRecover => Target::LogRecover(LogRecover {
            allow_software_backend: true,
            allow_software_officer_keys: true,
            carried: Hash::of(b"carried"),
            gap: "Records 43 to 57, as receipts show.".parse().unwrap(),
            genesis: Hash::of(b"genesis"),
            grants: Hash::of(b"grants"),
            last: Head { root: Hash::of(b"last"), size: 57 },
            log_key: "rehearsal.second.example.org+0a1b2c3d+EfGh".parse().unwrap(),
            origin: "rehearsal.second.example.org".parse().unwrap(),
            replaces: "rehearsal.example.org+0a1b2c3d+AbCd".parse().unwrap(),
        }),
    }
}

/// A good statement of a kind.
pub fn statement(kind: Kind) -> Statement {
    Statement::new(common(kind), target(kind)).unwrap()
}

/// Whether a kind is held by the roster's quorum.
pub fn is_by_quorum(kind: Kind) -> bool {
    matches!(Rules::default().of(kind).officers, Officers::Quorum | Officers::OldAndNew)
}
