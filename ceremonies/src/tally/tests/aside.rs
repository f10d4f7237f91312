//! Acts that were taken and do not count now: each for its own reason.

use super::*;

#[test]
fn what_is_past_its_end_is_refused_and_stops_counting() {
    let with = |expires, nonce| {
        let mut act = act(approve(), nonce);
        act.expires = expires;
        signed(&act, &signer(3), &roster()).unwrap()
    };
    let mut table = Table::armed();
    assert_eq!(table.take(with(time(1), 1), 1), Err(Refused::Expired { expires: time(1), at: time(1) }));
    table.take(with(time(2), 2), 1).unwrap();
    assert!(table.at(1).approvals.contains(&id(3)));
    aside(&table.at(2), 3, Aside::Expired(time(2)));
}

#[test]
fn nothing_counts_after_the_end_of_the_ceremony() {
    let mut table = Table::of(Ballot { expires: time(1), ..ballot() });
    table.take(by(0, approve(), 1), 0).unwrap();
    assert_eq!(table.take(by(1, approve(), 1), 1), Err(Refused::Over { expires: time(1), at: time(1) }));
    aside(&table.at(1), 0, Aside::Over(time(1)));
    let refused = table.take(by(5, attest(), 1), 1);
    assert_eq!(refused, Err(Refused::Over { expires: time(1), at: time(1) }));
    assert_eq!(table.take(by(1, Deed::Abort { statement: statement() }, 2), 1), Ok(()));
    assert_eq!(table.at(1).aborts, ids(&[1]));
}

#[test]
fn an_approval_grows_too_old_by_the_time_of_the_log() {
    let mut table = Table::armed();
    assert!(table.at(24).armed);
    let count = table.at(25);
    assert!(!count.approved && !count.armed && count.before.is_empty());
    aside(&count, 0, Aside::TooOld { at: time(0), most: 24 * HOUR });
    // Whoever agrees still says so again.
    for number in [0, 1, 2] {
        table.take(by(number, approve(), 2), 25).unwrap();
    }
    assert!(table.at(25).approved && !table.at(25).armed);
    // A clock that went back makes nothing older or newer than the log says.
    assert!(table.at(-5).approved);
}

#[test]
fn a_withdrawn_act_does_not_count_whichever_came_first() {
    let approval = by(0, approve(), 1);
    let withdraw = by(0, Deed::Withdraw { act: approval.digest(), statement: statement() }, 2);
    let mut later = Table::of(ballot());
    later.take(approval.clone(), 0).unwrap();
    later.take(withdraw.clone(), 1).unwrap();
    let mut earlier = Table::of(ballot());
    earlier.take(withdraw, 0).unwrap();
    earlier.take(approval, 1).unwrap();
    for table in [&mut later, &mut earlier] {
        assert!(table.at(1).approvals.is_empty());
        aside(&table.at(1), 0, Aside::Withdrawn);
        // He may agree again, by a new act.
        table.take(by(0, approve(), 3), 1).unwrap();
        assert_eq!(table.at(1).approvals, ids(&[0]));
    }
}

#[test]
fn people_withdraw_their_own() {
    let of_ada = by(0, approve(), 9);
    let withdraw = by(1, Deed::Withdraw { act: of_ada.digest(), statement: statement() }, 2);
    for first in [true, false] {
        let mut table = Table::of(ballot());
        let mut acts = [withdraw.clone(), of_ada.clone()];
        if !first {
            acts.reverse();
        }
        for act in acts {
            table.take(act, 0).unwrap();
        }
        assert_eq!(table.at(0).approvals, ids(&[0]));
        aside(&table.at(0), 1, Aside::NotOnesOwn(id(0)));
        // Of two people who have signed the same document, each has an act of his own.
        table.take(by(1, approve(), 9), 0).unwrap();
        assert_eq!(table.at(0).approvals, ids(&[0]));
        aside(&table.at(0), 1, Aside::Withdrawn);
    }
}

#[test]
fn a_refusal_is_final_until_it_is_withdrawn() {
    let refusal = by(0, Deed::Approve { decision: Decision::Refuse, statement: statement() }, 2);
    for first in [true, false] {
        let mut table = Table::of(ballot());
        let mut acts = vec![refusal.clone(), by(0, approve(), 1)];
        if !first {
            acts.reverse();
        }
        for act in acts {
            table.take(act, 0).unwrap();
        }
        let count = table.at(0);
        assert!(count.approvals.is_empty());
        let whys: BTreeSet<String> = count.aside.iter().map(|(.., why)| why.to_string()).collect();
        assert_eq!(whys, [Aside::Refuses, Aside::RefusedElsewhere].map(|why| why.to_string()).into());
        table.take(by(0, Deed::Withdraw { act: refusal.digest(), statement: statement() }, 3), 0).unwrap();
        assert_eq!(table.at(0).approvals, ids(&[0]));
    }
}

#[test]
fn the_acts_of_the_suspended_do_not_count() {
    let mut table = Table::armed();
    table.take(by(1, Deed::Veto { statement: statement() }, 2), 1).unwrap();
    assert!(table.at(1).vetoed);
    table.suspended = ids(&[1, 5]);
    let count = table.at(1);
    assert!(!count.approved && !count.vetoed);
    assert_eq!((count.approvals.clone(), count.before.clone()), (ids(&[0, 2]), ids(&[6])));
    aside(&count, 5, Aside::Suspended);
}

#[test]
fn whoever_left_does_not_count() {
    let table = Table::armed();
    let gone = changed(|d| drop(d.people.remove(1)));
    let count = table.under(1, &gone);
    assert_eq!(count.approvals, ids(&[0, 2]));
    aside(&count, 1, Aside::Gone);
    assert!(!count.armed);
}

#[test]
fn whoever_left_the_role_does_not_count() {
    let table = Table::armed();
    let count = table.under(1, &changed(|d| d.people[1].roles = vec!["responder".into()]));
    aside(&count, 1, Aside::RoleGone(Role::Officer));
    assert_eq!(count.approvals, ids(&[0, 2]));
    let count = table.under(1, &changed(|d| d.people[6].roles = vec!["operator".into()]));
    aside(&count, 6, Aside::RoleGone(Role::Witness));
    let mut table = Table::armed();
    table.take(by(3, Deed::Veto { statement: statement() }, 2), 1).unwrap();
    let count = table.under(1, &changed(|d| d.people[3].roles = vec!["operator".into()]));
    assert!(!count.vetoed);
    aside(&count, 3, Aside::RoleGone(Role::Officer));
}

#[test]
fn a_key_that_was_taken_away_does_not_count() {
    let table = Table::armed();
    let count =
        table.under(1, &changed(|d| d.people[1].keys = vec![Signer::new(SshKind::Ed25519, 61).line()]));
    aside(&count, 1, Aside::KeyGone);
    assert_eq!(count.approvals, ids(&[0, 2]));
    // The same point, enrolled for something else: it needs a new proof, and so do acts.
    let other = Signer { application: "ssh:other".into(), ..signer(1) };
    aside(&table.under(1, &changed(|d| d.people[1].keys = vec![other.line()])), 1, Aside::KeyGone);
}
