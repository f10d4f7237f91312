#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use proptest::prelude::*;
use proto::origin::Origin;
use proto::record::ceremony::document;

use super::*;
use crate::cast::Cast;
use crate::genesis::Mode;
use crate::roster::RosterDocument;
use crate::ssh::private::PrivateKey;
use crate::statement::target::RosterChange;
use crate::statement::{CeremonyId, Common, Log, Quorum, Version};

const TERMS: Terms = Terms { allow_software_officer_keys: true, mode: Mode::Rehearsal };

fn origin() -> Origin {
    "rehearsal.test".parse().unwrap()
}

fn setting(origin: &Origin) -> Setting<'_> {
    Setting { environment: "test", instance: "rehearsal.test", mode: Mode::Rehearsal, origin }
}

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed([seed; 32]).unwrap()
}

fn present() -> Roster {
    Cast::new([3; 32], Mode::Rehearsal).roster().clone()
}

/// The roster after this one, changed.
fn after(present: &Roster, change: impl FnOnce(&mut RosterDocument)) -> Roster {
    let mut document = present.document();
    document.version += 1;
    change(&mut document);
    document.people.sort_by(|one, other| one.person.cmp(&other.person));
    Roster::new(&document, TERMS).unwrap()
}

/// Dora joins as officer with the key of this seed, and rita leaves.
fn with_dora(seed: u8) -> Roster {
    after(&present(), |document| {
        let mut dora = document.people[0].clone();
        (dora.person, dora.name) = ("dora".into(), "Dora".into());
        dora.keys = vec![key(seed).public().to_string()];
        document.people.push(dora);
        document.people.retain(|person| person.person != "rita");
    })
}

fn proof_by(signer: &PrivateKey, next: &Roster, person: &str) -> String {
    let origin = origin();
    let message = proof::message(setting(&origin), next.digest(), &person.parse().unwrap(), signer.public());
    signer.sign(proof::namespace(Mode::Rehearsal), &message)
}

fn statement(next: &Roster, proofs: &[&str], change: impl FnOnce(&mut RosterChange)) -> Statement {
    let present = present();
    let Changes { added, changed, removed } = Changes::between(&present, next);
    let mut digests: Vec<Hash> = proofs.iter().map(|armor| Hash::of(armor.as_bytes())).collect();
    digests.sort();
    let version = |roster: &Roster| Version { sha256: roster.digest(), version: roster.version() };
    let quorum = |roster: &Roster| Quorum { approvals: 2, officers: roster.officers(), witnesses: 2 };
    let mut target = RosterChange {
        added,
        changed,
        proofs: digests,
        quorum: quorum(next),
        removed,
        roster: version(next),
    };
    change(&mut target);
    let common = Common {
        ceremony: CeremonyId::from([1; 16]),
        environment: "test".parse().unwrap(),
        expires: "2026-11-22T05:00:00.000000Z".parse().unwrap(),
        guardrails: Version { sha256: Hash::ZERO, version: 1 },
        initiator: "oskar".parse().unwrap(),
        instance: "rehearsal.test".parse().unwrap(),
        justification: "a test".parse().unwrap(),
        log: Log { origin: origin(), root: Hash::ZERO, size: 1 },
        mode: Mode::Rehearsal,
        nonce: [1; 32].into(),
        not_before: "2026-11-21T05:00:00.000000Z".parse().unwrap(),
        purpose: "a test".parse().unwrap(),
        quorum: quorum(&present),
        roster: version(&present),
        ticket: "none".parse().unwrap(),
    };
    Statement::new(common, Target::RosterChange(target)).unwrap()
}

fn judged(statement: &Statement, next: &Roster, proofs: &[&str]) -> Result<Roster, NoSuccessor> {
    let text = String::from_utf8(next.encode()).unwrap();
    let names: Vec<String> = proofs.iter().map(|armor| proof::name(armor)).collect();
    let documents = names.iter().map(String::as_str).zip(proofs.iter().copied());
    let origin = origin();
    super::next(
        statement,
        &present(),
        setting(&origin),
        TERMS,
        documents.chain([(document::ROSTER, text.as_str()), ("act", "not read")]),
    )
}

#[test]
fn a_roster_follows_by_the_proofs_of_its_new_keys_alone() {
    let next = with_dora(7);
    let good = proof_by(&key(7), &next, "dora");
    let proofs = [good.as_str()];
    let made = judged(&statement(&next, &proofs, |_| {}), &next, &proofs).unwrap();
    assert_eq!(made, next);
    let refused = |next: &Roster, named: &[&str], brought: &[&str]| {
        judged(&statement(next, named, |_| {}), next, brought).unwrap_err()
    };
    assert!(
        matches!(refused(&next, &[], &[]), NoSuccessor::Unproven { person, .. } if person.as_str() == "dora")
    );
    assert!(matches!(refused(&next, &[], &proofs), NoSuccessor::OtherProofs));
    assert!(matches!(refused(&next, &proofs, &[]), NoSuccessor::OtherProofs));
    // By another key, made for another roster, for another person, in another namespace.
    let stranger = proof_by(&key(8), &next, "dora");
    assert!(matches!(
        refused(&next, &[&stranger], &[&stranger]),
        NoSuccessor::Proof { cause: proof::NoProof::Stranger(_), .. }
    ));
    let other = after(&present(), |document| {
        document.people[0].name = "Adele".into();
    });
    let act = key(7).sign(
        crate::act::namespace(Mode::Rehearsal),
        &proof::message(setting(&origin()), next.digest(), &"dora".parse().unwrap(), key(7).public()),
    );
    for bad in [proof_by(&key(7), &other, "dora"), proof_by(&key(7), &next, "ada"), act] {
        assert!(matches!(
            refused(&next, &[&bad], &[&bad]),
            NoSuccessor::Proof { cause: proof::NoProof::Signature(_), .. }
        ));
    }
    // Somebody who is there already needs none.
    let cast = Cast::new([3; 32], Mode::Rehearsal);
    let needless = proof_by(cast.key("ada").unwrap(), &next, "ada");
    let both = [good.as_str(), needless.as_str()];
    assert!(
        matches!(refused(&next, &both, &both), NoSuccessor::Needless { person, .. } if person.as_str() == "ada")
    );
}

#[test]
fn the_people_who_change_are_computed_and_never_believed() {
    let next = with_dora(7);
    let proofs = [proof_by(&key(7), &next, "dora")];
    let proofs = [proofs[0].as_str()];
    type Change = fn(&mut RosterChange);
    let cases: [(Change, &str); 3] = [
        (|change| change.removed.clear(), "removed"),
        (|change| change.added.clear(), "added"),
        (|change| change.changed.push("bob".parse().unwrap()), "changed"),
    ];
    for (change, expected) in cases {
        let error = judged(&statement(&next, &proofs, change), &next, &proofs).unwrap_err();
        assert!(matches!(error, NoSuccessor::People { field, .. } if field == expected), "{error}");
    }
    // A name alone is a change, too.
    let renamed = after(&present(), |document| document.people[0].name = "Adele".into());
    assert_eq!(Changes::between(&present(), &renamed).changed, ["ada".parse().unwrap()]);
    judged(&statement(&renamed, &[], |_| {}), &renamed, &[]).unwrap();
    // Another document than the one that is named.
    let error = judged(&statement(&renamed, &[], |_| {}), &next, &proofs).unwrap_err();
    assert!(matches!(error, NoSuccessor::Other { .. }), "{error}");
}

#[test]
fn what_cannot_follow_does_not() {
    let skipped = after(&present(), |document| document.version += 1);
    let version = |change: &mut RosterChange| change.roster.version = 2;
    let error = judged(&statement(&skipped, &[], version), &skipped, &[]).unwrap_err();
    assert!(matches!(error, NoSuccessor::NotNext(NotNext::Version { .. })), "{error}");
    // A key stays with its person.
    let moved = after(&present(), |document| {
        document.people[0].keys = vec![key(7).public().to_string()];
        document.people[1].keys.push(present().document().people[0].keys[0].clone());
    });
    let proof = proof_by(&key(7), &moved, "ada");
    let error = judged(&statement(&moved, &[&proof], |_| {}), &moved, &[&proof]).unwrap_err();
    assert!(matches!(error, NoSuccessor::NotNext(NotNext::KeyMoved { .. })), "{error}");
    // One witness is no two.
    let lonely = after(&present(), |document| document.people.retain(|person| person.person != "walter"));
    let error = judged(&statement(&lonely, &[], |_| {}), &lonely, &[]).unwrap_err();
    assert!(matches!(error, NoSuccessor::Stuck { approvals: 2, witnesses: 2 }), "{error}");
}

proptest! {
    /// No other byte of a proof is one, and no other name.
    #[test]
    fn a_changed_proof_is_none(at in 0_usize..300, bit in 0_u8..7) {
        let next = with_dora(7);
        let mut bytes = proof_by(&key(7), &next, "dora").into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(text) = String::from_utf8(bytes) {
            let judged = judged(&statement(&next, &[&text], |_| {}), &next, &[&text]);
            prop_assert!(judged.is_err());
        }
    }
}
