//! Generated acts, duplicated, reordered and copied: what is counted is never more than what people have said.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

static ROSTER: LazyLock<Roster> = LazyLock::new(roster);
static BALLOT: LazyLock<Ballot> = LazyLock::new(ballot);

/// What people say in a generated ceremony: approvals, attestations, withdrawals of the first approval, and approvals of
/// another ceremony.
static ACTS: LazyLock<Vec<(usize, VerifiedAct)>> = LazyLock::new(|| {
    let mut acts = Vec::new();
    for number in 0..7 {
        for nonce in [1, 2] {
            let deed = if number < 5 { approve() } else { attest() };
            acts.push((number, by(number, deed, nonce)));
        }
    }
    for number in [0, 3] {
        let withdrawn = by(number, approve(), 1).digest();
        acts.push((number, by(number, Deed::Withdraw { act: withdrawn, statement: statement() }, 3)));
    }
    let other = Hash::of(b"another statement");
    for number in 0..5 {
        acts.push((number, by(number, Deed::Approve { decision: Decision::Accept, statement: other }, 4)));
    }
    acts
});

/// The tally of these acts in this order, at hour 0; what is refused is refused.
fn tally(order: &[usize]) -> Tally {
    let (mut tally, mut nonces) = (Tally::new(BALLOT.clone()), Nonces::default());
    for place in order {
        let _refused = tally.admit(ACTS[*place].1.clone(), time(0), &mut nonces);
    }
    tally
}

fn count(tally: &Tally, hours: i64, suspended: &BTreeSet<PersonId>) -> Count {
    tally.count(NEED, Moment { now: time(hours), roster: &ROSTER, suspended })
}

/// Whose consent and attestation is among these acts, counted by hand.
fn said(order: &[usize]) -> (BTreeSet<PersonId>, BTreeSet<PersonId>) {
    let has = |number: usize, kind: ActKind, nonce: u8| {
        order
            .iter()
            .map(|place| &ACTS[*place])
            .any(|(who, act)| *who == number && act.kind() == kind && act.act().nonce == [nonce; 32].into())
    };
    let approves = |number: &usize| {
        let first = has(*number, ActKind::Approve, 1) && !has(*number, ActKind::Withdraw, 3);
        first || has(*number, ActKind::Approve, 2)
    };
    let attests = |number: &usize| has(*number, ActKind::Attest, 1) || has(*number, ActKind::Attest, 2);
    ((0..7).filter(approves).map(id).collect(), (0..7).filter(attests).map(id).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn copies_and_order_raise_no_count(
        order in prop::collection::vec(0..ACTS.len(), 0..20),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        shuffle in prop::collection::vec(any::<u16>(), 32),
    ) {
        let once = count(&tally(&order), 1, &BTreeSet::new());
        let (approvals, before) = said(&order);
        prop_assert_eq!((&once.approvals, &once.before), (&approvals, &before));
        prop_assert_eq!(once.approved, approvals.len() >= 3);
        // Some of them again, everything in another order.
        let mut more = order.clone();
        more.extend(again.iter().filter(|_| !order.is_empty()).map(|index| order[index.index(order.len())]));
        let mut keyed: Vec<(u16, usize)> = more.iter().zip(&shuffle).map(|(place, key)| (*key, *place)).collect();
        keyed.sort_by_key(|(key, _)| *key);
        let other = tally(&keyed.iter().map(|(_, place)| *place).collect::<Vec<_>>());
        let other = count(&other, 1, &BTreeSet::new());
        prop_assert_eq!((other.approvals, other.before, other.armed), (once.approvals, once.before, once.armed));
    }

    #[test]
    fn time_and_suspensions_never_raise_a_count(
        order in prop::collection::vec(0..ACTS.len(), 0..20),
        without in 0usize..7,
        hours in 0i64..100,
    ) {
        let tally = tally(&order);
        let (whole, less) = (count(&tally, 0, &BTreeSet::new()), count(&tally, hours, &ids(&[without])));
        prop_assert!(less.approvals.is_subset(&whole.approvals) && less.before.is_subset(&whole.before));
        prop_assert!(!less.armed || whole.armed);
        prop_assert!(!less.approvals.contains(&id(without)) && !less.before.contains(&id(without)));
        prop_assert!(hours <= 24 || (less.approvals.is_empty() && less.before.is_empty()));
    }
}
