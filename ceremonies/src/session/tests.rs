//! Real acts, signed and checked, as the session and the tally count them.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::BTreeSet;
use std::time::Duration;

use proto::hash::Hash;

use super::*;
use crate::act::tests::{act, by, signed};
use crate::act::{Deed, Nonces, Outcome, VerifiedAct};
use crate::nonce::Nonce;
use crate::roster::Roster;
use crate::roster::tests::{roster, signer};
use crate::statement::target::KeyResume;
use crate::statement::{CeremonyId, Log, Quorum};
use crate::tally::{Ballot, Moment, Need, Tally};

fn opened(roster: &Roster) -> Session {
    let seats = Seats::from(roster);
    let guardrails = Version { sha256: Hash::of(b"guardrails"), version: 1 };
    let not_before = crate::act::tests::time(0);
    let common = Common {
        ceremony: CeremonyId::from([1; 16]),
        environment: "staging".parse().unwrap(),
        expires: not_before.later(Duration::from_secs(72 * 3600)),
        guardrails,
        initiator: "ada".parse().unwrap(),
        instance: "signing.example.org".parse().unwrap(),
        justification: "The alarm was false.".parse().unwrap(),
        log: Log { origin: crate::act::tests::origin(), root: Hash::of(b"root"), size: 5 },
        mode: Mode::Rehearsal,
        nonce: Nonce::from([2; 32]),
        not_before,
        purpose: "Linux signs again".parse().unwrap(),
        quorum: Quorum { approvals: seats.approvals, officers: seats.officers(), witnesses: 1 },
        roster: seats.version,
        ticket: "OPS-4711".parse().unwrap(),
    };
    let in_force = InForce {
        instance: common.instance.clone(),
        environment: common.environment.clone(),
        mode: common.mode,
        origin: common.log.origin.clone(),
        roster: seats.into(),
        guardrails,
        rules: Rules::default().into(),
    };
    let target = Target::KeyResume(KeyResume {
        finding: "A test of the detector.".parse().unwrap(),
        key: "release/linux".parse().unwrap(),
        stop: 3,
        version: None,
    });
    let stamp = Stamp { index: 6, time: not_before, trusted: true };
    Session::open(Statement::new(common, target).unwrap(), &in_force, None, stamp).unwrap()
}

/// Everything that people did, in an order with mistakes in it: who, and what.
fn deeds(statement: Hash) -> Vec<(usize, Deed)> {
    use crate::act::Decision::{Accept, Refuse};
    let approve = |decision| Deed::Approve { decision, statement };
    let attest = |decision| Deed::Attest { decision, outcome: None, statement };
    let seen = Outcome { deviations: deviations_digest(&[]), outputs: Hash::of(b"outputs") };
    vec![
        (0, approve(Accept)),
        (0, approve(Accept)),
        (1, approve(Accept)),
        (1, approve(Refuse)),
        (2, approve(Accept)),
        (4, approve(Accept)),
        (4, attest(Accept)),
        (5, attest(Accept)),
        (5, Deed::Attest { decision: Accept, outcome: Some(seen), statement }),
        (6, attest(Accept)),
        (7, approve(Accept)),
        (3, approve(Accept)),
    ]
}

#[test]
fn session_and_tally_count_the_same_people() {
    let roster = roster();
    let mut session = opened(&roster);
    let expires = session.statement().common().expires;
    let ballot = Ballot {
        another: false,
        expires,
        initiator: "ada".parse().unwrap(),
        named: None,
        operator: None,
        roster: roster.digest(),
        statement: session.digest(),
    };
    let rule = *session.rule();
    let need = Need {
        age: rule.approval_age,
        approvals: roster.approvals(),
        other_unit: rule.other_unit,
        vetoes: rule.vetoes,
        witnesses: rule.witnesses,
    };
    let (mut tally, mut nonces) = (Tally::new(ballot), Nonces::default());
    let suspended = BTreeSet::new();
    let mut armed = false;
    for (place, (who, deed)) in (0_u8..).zip(deeds(session.digest())) {
        let now =
            session.statement().common().not_before.later(Duration::from_secs(3600 * 3 * u64::from(place)));
        let verified = by_now(who, deed, place, &roster);
        let Some(verified) = verified else { continue };
        let (index, time) = (7 + u64::from(place), now);
        let event = Event::Act(Box::new(SignedAct::of(&verified, None).unwrap()));
        session = session.after(&event, Stamp { index, time, trusted: true }).unwrap_or(session);
        tally.admit(verified, now, &mut nonces).ok();
        let count = tally.count(need, Moment { now, roster: &roster, suspended: &suspended });
        let standing = session.standing(now);
        assert_eq!(standing.everybody(), count.approvals, "{place}");
        assert_eq!(standing.witnesses.keys().cloned().collect::<BTreeSet<_>>(), count.before, "{place}");
        assert_eq!(standing.lacks.is_empty(), count.armed, "{place}");
        armed |= count.armed;
    }
    assert!(armed, "a comparison of what never happened says nothing");
}

/// The act over a head that holds everything so far; none where the roster gives no role for it.
fn by_now(who: usize, deed: Deed, nonce: u8, roster: &Roster) -> Option<VerifiedAct> {
    let mut act = act(deed, nonce);
    act.head.size = 7 + u64::from(nonce);
    signed(&act, &signer(who), roster).ok()
}

#[test]
fn an_act_about_no_ceremony_is_none_of_a_session() {
    let suspend = by(0, Deed::Suspend { person: "bob".parse().unwrap() }, 1);
    assert_eq!(SignedAct::of(&suspend, None), None);
    let veto = by(1, Deed::Veto { statement: Hash::of(b"statement") }, 2);
    let read = SignedAct::of(&veto, None).unwrap();
    assert_eq!(
        (read.decision, read.target, read.key),
        (Decision::Veto, Hash::of(b"statement"), veto.key().id())
    );
}
