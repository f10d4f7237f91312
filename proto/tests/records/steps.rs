//! One record of each step of a ceremony.

use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::proof::note::{Ed25519Signer, NoteSigner as _};
use proto::record::ceremony::*;
use proto::record::{Body, Ceremony};

/// Names of golden files, and what they hold.
pub fn all(born: Arrived) -> Vec<(&'static str, Body)> {
    let ceremony = "a7".repeat(16).parse().unwrap();
    let (act, statement, outputs) = (Hash::of(b"act"), Hash::of(b"statement"), Hash::of(b"outputs"));
    let acted = |decision, outputs: Option<Hash>, withdraws: Option<Hash>| {
        Ceremony::Acted(Box::new(Acted {
            act,
            ceremony,
            decision,
            deviations: outputs.map(|_| Hash::of(b"[]")),
            expires: "2026-11-22T05:00:00.000000Z".parse().unwrap(),
            head: RecordedHead { root: Hash::of(b"root"), size: 12 },
            key: KeyId::of_spki(b"spki"),
            nonce: Hash::of(b"nonce"),
            outputs,
            overtaken: withdraws.map(|_| "2026-11-21T04:59:00.000000Z".parse().unwrap()),
            person: "ada".into(),
            statement,
            withdraws,
        }))
    };
    let completed = |effect| {
        let manifest = Hash::of(b"manifest");
        Ceremony::Completed(Box::new(Completed { ceremony, effect, manifest, outputs, statement }))
    };
    let started = |operator: Option<&str>| {
        let operator = operator.map(str::to_owned);
        Ceremony::Started(Started { act: operator.as_ref().map(|_| act), ceremony, found: 0, operator })
    };
    let proposed = Proposed { act, ceremony, initiator: "ada".into(), of: "key.generate".into(), statement };
    let destroyed = Effect::Destroyed { key: born.key.clone(), key_id: born.key_id, version: 1 };
    let keys = vec![Rebound { key_id: born.key_id, locator: "pkcs11:serial=SN-0124;object=linux".into() }];
    let rebound = Effect::Rebound { backend: "hsm-a".into(), keys, serial: "SN-0124".into() };
    let log_key = |seed| {
        let signer = Ed25519Signer::from_seed("rehearsal.example.org", &[seed; 32]).unwrap();
        signer.verifier().clone()
    };
    let rekeyed = Effect::LogKey { key: log_key(2), replaces: log_key(1) };
    let steps = [
        ("ceremony.proposed", Ceremony::Proposed(proposed)),
        ("ceremony.act", acted(Decided::Approve, None, None)),
        ("ceremony.act-after", acted(Decided::AttestAfter, Some(outputs), None)),
        ("ceremony.act-withdraw", acted(Decided::Withdraw, None, Some(Hash::of(b"earlier")))),
        ("ceremony.started", started(Some("oskar"))),
        ("ceremony.started-by-itself", started(None)),
        ("ceremony.deviation", Ceremony::Deviated(Deviated { act, ceremony, person: "wendy".into() })),
        ("ceremony.executed", Ceremony::Executed(Executed { ceremony, outputs })),
        (
            "ceremony.failed",
            Ceremony::Failed(Failed { cause: "the token is full".into(), ceremony, reason: None }),
        ),
        (
            "ceremony.failed-without-effect",
            Ceremony::Failed(Failed {
                cause: "the id `no-blobs` is given twice".into(),
                ceremony,
                reason: Some(NoEffect::RulesClash),
            }),
        ),
        ("ceremony.interrupted", Ceremony::Interrupted(Turned { ceremony })),
        ("ceremony.ended", Ceremony::Ended(Turned { ceremony })),
        ("ceremony.completed", completed(Effect::Key(Box::new(born)))),
        ("ceremony.completed-destroyed", completed(destroyed)),
        ("ceremony.completed-grants", completed(Effect::Grants { sha256: Hash::of(b"grants") })),
        ("ceremony.completed-lifts", completed(Effect::Lifts)),
        ("ceremony.completed-log-key", completed(rekeyed)),
        ("ceremony.completed-rebound", completed(rebound)),
        ("ceremony.completed-resolved", completed(Effect::Resolved { ceremony, destroyed: true })),
        ("ceremony.completed-roster", completed(Effect::Roster { sha256: Hash::of(b"roster"), version: 2 })),
    ];
    steps.into_iter().map(|(name, step)| (name, Body::Ceremony(step))).collect()
}
