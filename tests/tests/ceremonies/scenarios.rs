//! The acceptance scenarios of ceremonies, by their numbers in the reference (10 to 19). The other halves of two are where their
//! clock and their tokens are: of 18 in `clock`, of 19 in `devices`. Not shown, because nothing does it: nobody ratifies afterwards
//! (14), nothing is adopted after a crash (17), and there are no trust bundles.

use std::time::Duration;

use ceremonies::act::{Act, Decision, Deed, Outcome};
use ceremonies::genesis::Mode;
use ceremonies::session::Parting;
use ceremonies::transcript::{Deviation, Verdict, verify};
use proto::hash::Hash;
use proto::reason::Reason;
use proto::wire::v1::{CeremonyState as State, Parted};
use softhsm::{Shape, Token};
use tests::world::World;
use tests::{PATIENCE, ask};

use crate::destroy::{destruction, left};
use crate::kill::resolves;
use crate::people::done;
use crate::room::{Room, new_key, now, told};
use crate::site::Site;
use crate::suspend::suspends;

const KEY: &str = "release/linux";

fn refusal(reason: Reason, guard: &str) -> (Reason, String) {
    (reason, guard.to_owned())
}

#[test]
fn s10_an_officer_is_no_witness_and_nor_is_who_proposes_or_operates() {
    let room = Site::on(Token::create().unwrap(), Mode::Rehearsal).start();
    let open = room.proposed(&new_key(KEY, "hsm"));
    room.approves("dan", &open).unwrap();
    let (before, asked) = (room.mark(), room.asked());
    assert_eq!(asked, [0; 4]);
    let conflict = refusal(Reason::ActRefused, "two-roles");
    assert_eq!(told(&room.attests("dan", &open).unwrap_err()), conflict);
    // Oskar has proposed it.
    assert_eq!(told(&room.attests("oskar", &open).unwrap_err()), conflict);
    let ceremony = room.ceremony(&open);
    assert_eq!((ceremony.approvers, ceremony.witnesses), (vec!["dan".to_owned()], vec![]));
    assert_eq!(room.mark(), before, "refusals leave no record");
    // One who has attested starts nothing, although he is an operator: and this one somebody else has proposed.
    let other = room.propose(&room.draft("cyd", &new_key("release/windows", "hsm")).unwrap()).unwrap();
    for officer in ["ada", "bob"] {
        room.approves(officer, &other).unwrap();
    }
    for witness in ["fay", "oskar"] {
        room.attests(witness, &other).unwrap();
    }
    assert_eq!(room.state(&other), State::Armed);
    let size = room.head().size;
    assert_eq!(told(&room.executes(&other).unwrap_err()), conflict);
    assert_eq!((room.head().size, room.state(&other)), (size, State::Armed), "refusals leave no record");
    assert_eq!(room.asked(), asked, "refusals reach no device");
    // One who may start it does, and that is seen on the wire.
    room.approves("ada", &open).unwrap();
    for witness in ["fay", "gus"] {
        room.attests(witness, &open).unwrap();
    }
    room.executes(&open).unwrap();
    let [looked, signed, destroyed, made] = room.asked();
    assert!(looked > 0 && signed > 0, "{looked}, {signed}");
    assert_eq!((destroyed, made), (0, 1));
    room.ends_well();
}

#[test]
fn s11_two_keys_of_one_person_count_once_and_one_key_has_one_person() {
    let room = Site::on(Token::create().unwrap(), Mode::Rehearsal).start();
    let open = room.proposed(&new_key(KEY, "hsm"));
    room.approves("ada", &open).unwrap();
    // Taken or not, it is the same person.
    let again = room.approves("ada-spare", &open);
    if let Err(status) = &again {
        assert_eq!(told(status).0, Reason::ActRefused);
    }
    assert_eq!(room.ceremony(&open).approvers, ["ada"]);
    for witness in ["fay", "gus"] {
        room.attests(witness, &open).unwrap();
    }
    let before = (room.mark(), room.asked());
    let status = room.executes(&open).unwrap_err();
    assert_eq!(told(&status), refusal(Reason::NotArmed, "not-armed"));
    assert!(status.message().contains("1 more officer must approve"), "{status}");
    assert_eq!((room.mark(), room.asked()), before, "a refusal leaves no record and reaches no device");
    assert_eq!(before.1, [0; 4]);
    room.ends_well();

    // A roster in which somebody else repeats the key, with another comment, begins nothing.
    let site = Site::new(Mode::Rehearsal, "");
    site.roster(|text| {
        let own = text.lines().find(|line| line.contains(" ada\"")).unwrap();
        let key = own.split('"').nth(1).unwrap().rsplit_once(' ').unwrap().0;
        let bobs = text.lines().find(|line| line.contains(" bob\"")).unwrap();
        text.replace(bobs, &format!("keys = [\"{key} another comment\"]"))
    });
    let output = site.draft().output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("belongs to `ada` already"), "{said}");
}

#[test]
fn s12_acts_of_one_ceremony_count_in_no_other_and_once_in_their_own() {
    let room = Room::token();
    let (one, two) = (room.proposed(&new_key(KEY, "hsm")), room.proposed(&new_key(KEY, "hsm")));
    assert_ne!(one.digest(), two.digest(), "the same parameters make two statements");
    let act = room.act(Deed::Approve { decision: Decision::Accept, statement: one.digest() });
    let signed = room.sign("ada", &act);
    room.submit(signed.clone()).unwrap();
    let before = room.mark();
    assert_eq!(told(&room.submit(signed.clone()).unwrap_err()), refusal(Reason::ActRefused, "replayed"));
    // The same words over the other statement, under the signature that was given for this one.
    let copied =
        Act { deed: Deed::Approve { decision: Decision::Accept, statement: two.digest() }, ..act.clone() };
    let forged =
        proto::wire::v1::SignedAct { document: copied.encode().unwrap(), signature: signed.signature };
    assert_eq!(told(&room.submit(forged).unwrap_err()), refusal(Reason::ActInvalid, ""));
    // Signed anew with the nonce of before, for the same ceremony: it is spent.
    let other = Act { expires: now().later(Duration::from_secs(1800)), ..act };
    let status = room.submit(room.sign("ada", &other)).unwrap_err();
    assert_eq!(told(&status), refusal(Reason::ActRefused, "replayed"));
    assert_eq!(room.mark(), before, "refusals leave no record, and reach no device");
    assert_eq!(room.ceremony(&one).approvers, ["ada"]);
    assert_eq!(room.ceremony(&two).approvers, Vec::<String>::new());
    room.ends_well();
}

/// Approvals age by the times that the log gave them. The guardrails say how fast.
#[test]
fn s13_old_approvals_count_no_more_whatever_they_say_of_themselves() {
    let world = World::vacant(None, Some(Token::create().unwrap()));
    let guardrails = "[ceremony.\"key.generate\"]\napproval_age = \"6s\"\n";
    let room = Site::over(world, Mode::Rehearsal, guardrails).start();
    let open = room.proposed(&new_key(KEY, "hsm"));
    let old = now();
    room.approves("ada", &open).unwrap();
    for witness in ["fay", "gus"] {
        room.attests(witness, &open).unwrap();
    }
    room.approves("bob", &open).unwrap();
    assert_eq!(room.state(&open), State::Armed);
    // Every act says that it is good for an hour.
    while now().since(old) < Duration::from_secs(7) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let before = (room.mark(), room.asked());
    assert_eq!(told(&room.executes(&open).unwrap_err()), refusal(Reason::NotArmed, "not-armed"));
    assert_eq!((room.mark(), room.asked()), before, "a refusal leaves no record and reaches no device");
    assert_eq!((room.state(&open), before.1), (State::Proposed, [0; 4]));
    // An act may say that it lasts less.
    let short = Act {
        expires: now().later(Duration::from_secs(2)),
        ..room.act(Deed::Approve { decision: Decision::Accept, statement: open.digest() })
    };
    room.submit(room.sign("cyd", &short)).unwrap();
    while now() <= short.expires {
        std::thread::sleep(Duration::from_millis(100));
    }
    let ceremony = room.ceremony(&open);
    assert!(!ceremony.approvers.contains(&"cyd".to_owned()), "{:?}", ceremony.approvers);
    room.ends_well();
}

/// One who has approved is removed before the start: nothing starts, and no device is asked. What he takes back himself is
/// gone, too.
#[test]
fn s14_the_approval_of_an_officer_who_was_removed_counts_no_more() {
    let mut room = Room::token();
    room.enters("dora");
    let open = room.proposed(&new_key(KEY, "hsm"));
    room.arm(&open);
    let next = room.replaces("ada", "dora");
    let change = room.proposes_roster("oskar", &next).unwrap();
    room.holds(&change, &["bob", "carol", "dora"], &["wanda", "walter"]);
    assert_eq!(room.roster(), next.roster);
    let before = room.mark();
    assert_eq!(told(&room.executes(&open).unwrap_err()), refusal(Reason::ActRefused, "over"));
    assert_eq!((room.mark(), room.state(&open), room.births()), (before, State::Superseded, 0));
    // What ada signs is nobody's from now on.
    let again = room.proposed(&new_key(KEY, "hsm"));
    assert_eq!(told(&room.approves("ada", &again).unwrap_err()).0, Reason::ActInvalid);
    let index = room.approves("dora", &again).unwrap();
    room.approves("bob", &again).unwrap();
    for witness in ["wanda", "walter"] {
        room.attests(witness, &again).unwrap();
    }
    assert_eq!(room.state(&again), State::Armed);
    let act =
        room.ceremony(&again).acts.iter().find(|act| act.log_index == index).unwrap().act_sha256.clone();
    let act = hex::encode(act).parse::<Hash>().unwrap();
    room.does("dora", Deed::Withdraw { act, statement: again.digest() }).unwrap();
    let (size, ..) = room.mark();
    assert_eq!(told(&room.executes(&again).unwrap_err()), refusal(Reason::NotArmed, "not-armed"));
    assert_eq!((room.state(&again), room.head().size, room.births()), (State::Proposed, size, 0));
    // One leaves while the device is at work, one is suspended after it: both had agreed. It is finished, and everybody sees it.
    room.approves("dora", &again).unwrap();
    room.wire.as_ref().unwrap().hang("GenerateKeyPair").unwrap();
    let started = room.executes_beside(&again);
    room.until(&again, State::Executing);
    room.enters("erik");
    let change = room.proposes_roster("oskar", &room.replaces("bob", "erik")).unwrap();
    room.holds(&change, &["carol", "dora"], &["wanda", "walter"]);
    let changed = room.ceremony(&change).completed.unwrap();
    assert_eq!((room.state(&again), room.births()), (State::Executing, 1));
    room.wire.as_ref().unwrap().clear().unwrap();
    room.wait(started).unwrap().unwrap();
    assert_eq!(room.state(&again), State::Executed);
    let suspended = suspends(&room, "carol", "dora").unwrap();
    // Nothing of the kind about who had not agreed.
    suspends(&room, "carol", "rita").unwrap();
    suspends(&room, "erik", "rita").unwrap();
    let parted = |person: &str, log_index, suspended| Parted { person: person.into(), log_index, suspended };
    let seen = [parted("bob", changed, false), parted("dora", suspended, true)];
    assert_eq!(room.ceremony(&again).parted, seen);
    let said = done(&room, "carol", &["ceremony", "show", &again.id]);
    assert!(
        said.contains(&format!("dora agreed to this execution and is suspended, since record {suspended}")),
        "{said}"
    );
    room.complete(&again);
    room.uses(KEY).unwrap();
    assert_eq!(room.ceremony(&again).parted, seen);
    let genesis = Hash::of(&room.genesis.encode());
    let verdict = verify(&room.transcript(&change).unwrap(), genesis);
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
    let verdict = verify(&room.transcript(&again).unwrap(), genesis);
    let Verdict::ValidWithDeviations(verified) = verdict else { panic!("{verdict}") };
    let parted = |person: &str, index, how| Deviation::Parted { index, person: person.parse().unwrap(), how };
    let of = [parted("bob", changed, Parting::Left), parted("dora", suspended, Parting::Suspended)];
    assert_eq!(verified.deviations, of);
    // A restart comes to the same.
    room.world.kill();
    room.world.start();
    assert_eq!(room.ceremony(&again).parted, seen);
    room.ends_well();
}

#[test]
fn s15_a_new_roster_supersedes_what_was_open_and_takes_the_old_one_too() {
    let mut room = Room::token();
    for new in ["dora", "erik", "finn"] {
        room.enters(new);
    }
    let open = room.proposed(&new_key(KEY, "hsm"));
    // All officers but one are others: signed by the new ones alone it is nothing.
    let present = room.roster();
    let everybody = room.next(|document| {
        let officer = document.people.iter().find(|person| person.person == "carol").unwrap().clone();
        document.people.retain(|person| !["ada", "bob"].contains(&person.person.as_str()));
        for new in ["dora", "erik"] {
            let keys = vec![room.key(new).public().to_string()];
            document.people.push(ceremonies::roster::RosterPerson {
                keys,
                person: new.into(),
                name: new.into(),
                ..officer.clone()
            });
        }
    });
    // The one after it, before it: there is no roster that it would follow.
    let skips = room.next(|document| document.version += 1);
    let status = room.drafts_roster("oskar", &skips).unwrap_err();
    assert_eq!(told(&status).0, Reason::StatementInvalid, "{status}");
    let other = room.proposes_roster("oskar", &room.replaces("carol", "finn")).unwrap();
    let change = room.proposes_roster("oskar", &everybody).unwrap();
    for officer in ["dora", "erik", "carol"] {
        room.approves(officer, &change).unwrap();
    }
    for witness in ["wanda", "walter"] {
        room.attests(witness, &change).unwrap();
    }
    assert_eq!((room.state(&change), room.roster()), (State::Proposed, present));
    assert!(room.ceremony(&change).lacks[0].contains("1 more officer must approve"));
    room.approves("bob", &change).unwrap();
    room.until(&change, State::Executed);
    for witness in ["wanda", "walter"] {
        room.attests_after(witness, &change).unwrap();
    }
    assert_eq!((room.state(&change), room.roster()), (State::Completed, everybody.roster));
    for over in [&open, &other] {
        let before = room.mark();
        assert_eq!(room.state(over), State::Superseded);
        assert_eq!(told(&room.approves("carol", over).unwrap_err()), refusal(Reason::ActRefused, "over"));
        assert_eq!(room.mark(), before);
    }
    // What was drafted before is of the roster before.
    let old = room.propose(&open.statement).map(drop).unwrap_err();
    assert_eq!(told(&old).0, Reason::CeremonyExists);
    assert_eq!(room.asked(), [0; 4], "no refusal reaches a device, nor does a change of the roster");
    // A restart comes to the same.
    room.world.kill();
    room.world.start();
    assert_eq!(room.roster().version(), 2);
    let verdict = verify(&room.transcript(&change).unwrap(), Hash::of(&room.genesis.encode()));
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
    room.ends_well();
}

#[test]
fn s16_a_veto_and_a_start_have_one_order() {
    let room = Room::token();
    // First the veto.
    let open = room.proposed(&new_key(KEY, "hsm"));
    room.arm(&open);
    room.vetoes("wanda", &open).unwrap();
    let before = room.mark();
    let status = room.executes(&open).unwrap_err();
    assert_eq!(told(&status), refusal(Reason::ActRefused, "over"));
    assert_eq!((room.mark(), room.state(&open), room.births()), (before, State::Vetoed, 0));

    // Both at once: the log says which was first, and nothing else does.
    let open = room.proposed(&new_key(KEY, "hsm"));
    room.arm(&open);
    let start = room.signed("oskar", Deed::Execute { statement: open.digest() });
    let veto = room.signed("wanda", Deed::Veto { statement: open.digest() });
    let (mut starts, mut vetoes) = (room.client(), room.client());
    let (started, vetoed) = room.wait(async {
        let start = proto::wire::v1::ExecuteCeremonyRequest { act: Some(start) };
        let veto = proto::wire::v1::SubmitActRequest { act: Some(veto) };
        tokio::join!(starts.execute_ceremony(start), vetoes.submit_act(veto))
    });
    match (started, vetoed) {
        (Err(status), Ok(_)) if room.births() == 0 => {
            assert_eq!(told(&status).0, Reason::ActRefused);
            assert_eq!(room.state(&open), State::Vetoed);
        }
        // It was being done: the veto aborts it, and what the device made is nobody's.
        (Err(status), Ok(_)) => {
            assert_eq!(told(&status), refusal(Reason::ActRefused, "too-late"));
            assert_eq!((room.state(&open), room.births()), (State::Aborted, 1));
        }
        (Ok(_), Err(status)) => {
            assert_eq!(told(&status), refusal(Reason::ActRefused, "no-place"));
            assert_eq!((room.state(&open), room.births()), (State::Executed, 1));
        }
        both => panic!("{both:?}"),
    }

    assert!(room.uses(KEY).is_err());

    // First the start: a veto aborts then, and what is made is nobody's.
    let open = room.proposed(&new_key("release/windows", "hsm"));
    room.arm(&open);
    let births = room.births();
    let wire = room.wire.as_ref().unwrap();
    wire.hang("GenerateKeyPair").unwrap();
    let started = room.executes_beside(&open);
    room.until(&open, State::Executing);
    room.vetoes("wanda", &open).unwrap();
    assert_eq!(room.state(&open), State::Aborted);
    let abort = Deed::Abort { statement: open.digest() };
    assert_eq!(told(&room.does("walter", abort).unwrap_err()), refusal(Reason::ActRefused, "over"));
    room.wire.as_ref().unwrap().clear().unwrap();
    // Whoever started it hears that it came to nothing.
    assert_eq!(told(&room.wait(started).unwrap().unwrap_err()), refusal(Reason::ActRefused, "too-late"));
    assert_eq!(told(&room.attests_after_blindly("wanda", &open).unwrap_err()).1, "over");
    assert_eq!(room.state(&open), State::Aborted);
    assert_eq!((room.births(), room.keys_of(&open)), (births + 1, 1));
    assert!(room.uses("release/windows").is_err(), "what was made after an abort signs nothing");
    room.ends_well();
}

/// Brings a ceremony to where the device has made its key and nothing has recorded it, and ends the daemon there.
pub fn interrupted(room: &mut Room, name: &str) -> crate::room::Open {
    let open = room.proposed(&new_key(name, "hsm"));
    room.arm(&open);
    let wire = room.wire.as_ref().unwrap();
    // The new key is made, and its proof of possession does not come. Nobody else looks at the token meanwhile: SoftHSM then says
    // of a key that is only being made that it was not always sensitive.
    wire.hang("SignInit").unwrap();
    let proofs = wire.calls("SignInit").unwrap();
    let started = room.executes_beside(&open);
    room.until_called("SignInit", proofs + 1);
    assert!(room.keys_of(&open) > 0, "no key was made");
    room.world.kill();
    assert!(room.wait(started).unwrap().is_err());
    room.wire.as_ref().unwrap().clear().unwrap();
    room.world.start();
    room.until(&open, State::Indeterminate);
    open
}

#[test]
fn s17_what_a_crash_left_on_the_token_is_never_adopted_and_never_made_twice() {
    let mut room = Room::token();
    let open = interrupted(&mut room, KEY);
    let before = room.mark();
    assert_eq!((before.1.len(), before.2), (1, 1));
    let status = room.executes(&open).unwrap_err();
    assert_eq!(told(&status).0, Reason::ActRefused);
    assert_eq!(told(&room.attests_after_blindly("wanda", &open).unwrap_err()).0, Reason::ActRefused);
    assert_eq!(room.mark(), before, "no second key, no adoption, no record");
    assert!(room.uses(KEY).is_err());
    // Somebody puts a second object there: it goes with the first, and neither is ever used.
    let names = ceremonies::birth::BirthNames::of(&open.statement);
    room.world.token().unwrap().generate(&names.label, &[9], Shape::P256).unwrap();
    assert_eq!(room.keys_of(&open), 2);
    let resolved = resolves(&room, &open, "destroy");
    let outputs: serde_json::Value = serde_json::from_slice(&room.ceremony(&resolved).outputs).unwrap();
    assert_eq!(outputs["destroyed"].as_array().unwrap().len(), 2, "{outputs}");
    assert_eq!(ask::counter(&room.world, "countersign_objects_planted_total"), 1);
    let words = "more than one key pair is under the names of one birth";
    let said = room.world.process().says(words, PATIENCE);
    assert!(said.contains("ERROR") && said.contains(&open.id) && said.contains("found=2"), "{said}");
    assert_eq!((room.objects(), room.births()), (vec![], 1));
    // The same approvals start it once more.
    assert_eq!(room.state(&open), State::Armed);
    room.executes(&open).unwrap();
    room.complete(&open);
    assert_eq!((room.objects().len(), room.births()), (1, 2));
    room.uses(KEY).unwrap();
    let genesis = room.genesis.digest();
    let Verdict::ValidWithDeviations(verified) = verify(&room.transcript(&open).unwrap(), genesis) else {
        panic!("that it was interrupted is in its transcript for ever")
    };
    assert_eq!(verified.deviations, [Deviation::Resolved { by: resolved.statement.common().ceremony }]);
    room.ends_well();
}

#[test]
fn s18_what_a_witness_did_not_see_is_quarantined_and_destroyed_by_a_ceremony() {
    let room = Room::token();
    let open = room.proposed(&new_key(KEY, "hsm"));
    room.arm(&open);
    room.executes(&open).unwrap();
    let seen = room.outcome(&open);
    let before = room.mark();
    let attest = |decision, outputs| Deed::Attest {
        decision,
        outcome: Some(Outcome { outputs, ..seen }),
        statement: open.digest(),
    };
    let status = room.does("wanda", attest(Decision::Accept, Hash::of(b"another key"))).unwrap_err();
    assert_eq!(told(&status), refusal(Reason::ActRefused, "other-outputs"));
    assert_eq!(room.mark(), before);
    room.does("wanda", attest(Decision::Refuse, seen.outputs)).unwrap();
    assert_eq!(room.state(&open), State::Failed);
    assert_eq!((room.keys_of(&open), room.births()), (1, 1), "it stays where it is");
    assert!(room.uses(KEY).is_err());
    let after = room.mark();
    assert_eq!(told(&room.attests_after_blindly("walter", &open).unwrap_err()).0, Reason::ActRefused);
    assert_eq!(told(&room.transcript(&open).unwrap_err()).1, "not-completed");
    // Another ceremony makes another key; the one in quarantine stays there.
    assert_eq!(room.mark(), after);
    let again = room.proposed(&new_key(KEY, "hsm"));
    room.arm(&again);
    room.executes(&again).unwrap();
    room.complete(&again);
    room.uses(KEY).unwrap();
    let key_id = |open| -> String {
        let outputs: serde_json::Value = serde_json::from_slice(&room.ceremony(open).outputs).unwrap();
        outputs["key_id"].as_str().unwrap().to_owned()
    };
    assert_ne!(key_id(&open), key_id(&again));
    let released = room.world.ledger().released();
    let last = &released.last().unwrap().1;
    assert_eq!(*last, key_id(&again));

    // What signs is not destroyed; what never did is, by a ceremony, and the token holds nothing of it then.
    let good = left(&room, again.clone());
    let status = room.draft("oskar", &destruction(KEY, &good)).unwrap_err();
    assert_eq!(told(&status), refusal(Reason::StatementRefused, "key-state"));
    let bad = left(&room, open.clone());
    let mut lies = destruction(KEY, &bad);
    lies = lies.replace(&bad.key_id, &good.key_id.chars().rev().collect::<String>());
    let status = room.draft("oskar", &lies).unwrap_err();
    assert_eq!(told(&status), refusal(Reason::StatementRefused, "no-failed-birth"));
    let destroy = room.proposed(&destruction(KEY, &bad));
    room.arm(&destroy);
    assert_eq!(room.keys_of(&open), 1);
    room.executes(&destroy).unwrap();
    assert_eq!((room.keys_of(&open), room.keys_of(&again)), (0, 1));
    room.complete(&destroy);
    assert_eq!((room.objects().len(), room.births()), (1, 2));
    let verdict = verify(&room.transcript(&destroy).unwrap(), room.genesis.digest());
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
    // Beside its proof of possession it never signed anything.
    let released = room.world.ledger().released();
    assert_eq!(released.iter().filter(|signed| signed.1 == bad.key_id).count(), 0);
    room.uses(KEY).unwrap();
    room.ends_well();
}

#[test]
fn s19_a_rehearsal_is_never_production() {
    let room = Room::software();
    let open = room.proposed(&new_key(KEY, "software"));
    room.arm(&open);
    room.executes(&open).unwrap();
    room.complete(&open);
    let files = room.transcript(&open).unwrap();
    assert!(matches!(verify(&files, room.genesis.digest()), Verdict::Valid(_)));
    let directory = tempfile::tempdir().unwrap();
    let token = Token::create_in(directory.path(), "release", "746251").unwrap();
    let production = Site::on(token, Mode::Production).start();
    let verdict = verify(&files, production.genesis.digest());
    assert!(matches!(verdict, Verdict::Invalid(_)), "{verdict:?}");
    let before = (production.mark(), production.asked());
    // A perfect statement and a perfect act of the rehearsal.
    let act = room.signed("oskar", Deed::Propose { statement: open.digest() });
    let status = production.send_proposal(open.statement.encode(), act).unwrap_err();
    assert_eq!(told(&status), refusal(Reason::ActInvalid, ""));
    // A person of production signs for the rehearsal's statement, and in the rehearsal's way.
    let act = production.signed("oskar", Deed::Propose { statement: open.digest() });
    let status = production.send_proposal(open.statement.encode(), act).unwrap_err();
    assert_eq!(told(&status), refusal(Reason::StatementRefused, "other-instance"), "{status}");
    let act = production.act(Deed::Propose { statement: open.digest() }).encode().unwrap();
    let act = production.sign_text("oskar", act, ceremonies::act::namespace(Mode::Rehearsal));
    let status = production.send_proposal(open.statement.encode(), act).unwrap_err();
    assert_eq!(told(&status), refusal(Reason::ActInvalid, ""));
    let status = production.draft("oskar", &new_key(KEY, "software")).unwrap_err();
    assert_eq!(told(&status).0, Reason::StatementInvalid, "{status}");
    assert!(status.message().contains("mode rehearsal"), "{status}");
    assert_eq!(
        (production.mark(), production.asked()),
        before,
        "refusals leave no record and reach no device"
    );
    assert_eq!(before.1, [0; 4]);
    room.ends_well();
    production.ends_well();
}
