//! Who decides changes: one roster follows another, by both.

use std::collections::BTreeMap;

use ceremonies::act::{Decision, Deed, Outcome, namespace};
use ceremonies::genesis::Mode;
use ceremonies::roster::{Roster, RosterDocument};
use ceremonies::session::{Step, deviations_digest};
use ceremonies::ssh::private::PrivateKey;
use ceremonies::succession::{Changes, proof};
use ceremonies::transcript::{self, Governs, Verdict};
use proto::hash::Hash;
use proto::proof::leaf::leaf_hash;
use proto::reason::Reason;
use proto::record::{ControlRecord, Record};
use proto::refusal::Refusal;

use super::room::{Open, Room, new_key, template};
use crate::keys::fold::State;
use crate::keys::signed::Signed;

/// What a proposal brings along.
type Documents = BTreeMap<String, Vec<u8>>;

/// Somebody's key: for the people of the cast theirs, for others one that follows from the name.
pub(super) fn key(person: &str) -> PrivateKey {
    let other = || PrivateKey::from_seed(*Hash::of(person.as_bytes()).as_bytes()).unwrap();
    crate::keyring::trial::Trial::cast()
        .key(person)
        .map_or_else(other, |known| PrivateKey::read(&known.file("test")).unwrap())
}

/// The roster after the one in force.
pub(super) fn after(room: &Room, change: impl FnOnce(&mut RosterDocument)) -> Roster {
    let snapshot = room.trial.keyring.snapshot();
    let mut document = snapshot.state().roster().document();
    document.version += 1;
    change(&mut document);
    document.people.sort_by(|one, other| one.person.cmp(&other.person));
    Roster::new(&document, snapshot.state().terms()).unwrap()
}

/// One officer goes and another one comes.
pub(super) fn replaced(room: &Room, goes: &str, comes: &str) -> Roster {
    after(room, |document| {
        let mut new = document.people.iter().find(|person| person.person == goes).unwrap().clone();
        (new.person, new.name) = (comes.into(), comes.into());
        new.keys = vec![key(comes).public().to_string()];
        document.people.retain(|person| person.person != goes);
        document.people.push(new);
    })
}

/// The target of a change to this roster, and what goes with it.
fn change(room: &Room, next: &Roster) -> (String, Documents) {
    let snapshot = room.trial.keyring.snapshot();
    let state = snapshot.state();
    let proofs: Vec<String> = next
        .new_keys(state.roster())
        .map(|(person, public)| {
            let message = proof::message(state.setting(), next.digest(), &person.id, public);
            key(person.id.as_str()).sign(proof::namespace(Mode::Rehearsal), &message)
        })
        .collect();
    let mut digests: Vec<Hash> = proofs.iter().map(|armor| Hash::of(armor.as_bytes())).collect();
    digests.sort();
    let quoted = |items: Vec<String>| {
        format!("[{}]", items.iter().map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", "))
    };
    let people = |ids: &[ceremonies::person::PersonId]| quoted(ids.iter().map(ToString::to_string).collect());
    let Changes { added, changed, removed } = Changes::between(state.roster(), next);
    let target = format!(
        "added = {}\nchanged = {}\nproofs = {}\nremoved = {}\n\
         quorum = {{ approvals = {}, officers = {}, witnesses = 2 }}\n\
         roster = {{ version = {}, sha256 = \"{}\" }}\n",
        people(&added),
        people(&changed),
        quoted(digests.iter().map(ToString::to_string).collect()),
        people(&removed),
        next.approvals(),
        next.officers(),
        next.version(),
        next.digest()
    );
    let mut documents = Documents::from([("roster".to_owned(), next.encode())]);
    documents.extend(proofs.into_iter().map(|armor| (proof::name(&armor), armor.into_bytes())));
    (target, documents)
}

pub(super) async fn proposed(room: &Room, initiator: &str, next: &Roster) -> Result<Open, Refusal> {
    let (target, documents) = change(room, next);
    let statement = room.draft(initiator, template("roster.change", &target))?;
    room.propose_with(&statement, &documents).await
}

/// Signs as somebody whom the cast does not know.
fn signed(room: &Room, person: &str, deed: Deed) -> Signed {
    let document = room.act(deed).encode().unwrap();
    let signature = key(person).sign(namespace(Mode::Rehearsal), &document);
    Signed { document, signature }
}

async fn does(room: &Room, person: &str, deed: Deed) -> Result<u64, Refusal> {
    room.council.submit(&signed(room, person, deed)).await.map(|done| done.index)
}

async fn approves(room: &Room, person: &str, open: &Open) -> Result<u64, Refusal> {
    does(room, person, Deed::Approve { decision: Decision::Accept, statement: open.statement }).await
}

/// These officers approve, and both witnesses attest, before and after.
pub(super) async fn held(room: &Room, open: &Open, officers: &[&str]) {
    for officer in officers {
        approves(room, officer, open).await.unwrap();
    }
    for witness in ["wanda", "walter"] {
        room.attests(witness, open).await.unwrap();
    }
    for witness in ["wanda", "walter"] {
        room.attests_after(witness, open).await.unwrap();
    }
    assert_eq!(room.step(open).await, Step::Completed);
}

/// The state that the log folds to, as a start finds it.
pub(super) async fn folded(room: &Room) -> State {
    let mut state: Option<State> = None;
    for stored in room.trial.log.records(0, u64::MAX).await.unwrap() {
        if !matches!(Record::parse(&stored.leaf).unwrap(), Record::Control(_)) {
            continue;
        }
        let record = ControlRecord::parse(&stored.leaf).unwrap();
        let (hash, needed) = (leaf_hash(&stored.leaf), record.body.needs_detail());
        let detail = stored.detail.filter(|_| needed || stored.index == 0);
        match &mut state {
            None => state = Some(State::genesis(hash, &record, detail.as_deref()).unwrap()),
            Some(state) => drop(state.apply(stored.index, hash, &record, detail.as_deref()).unwrap()),
        }
    }
    state.unwrap()
}

pub(super) fn told(refusal: &Refusal) -> (Reason, &str) {
    (refusal.reason, refusal.metadata.get("guard").map_or("", String::as_str))
}

#[tokio::test]
async fn rosters_follow_each_other_without_gaps() {
    let room = Room::new().await;
    let waiting = room.proposed("key.generate", &new_key("release/waiting")).await;
    room.approves("ada", &waiting).await.unwrap();

    let second = replaced(&room, "carol", "dora");
    let open = proposed(&room, "oskar", &second).await.unwrap();
    held(&room, &open, &["ada", "bob"]).await;
    let roster = |room: &Room| room.trial.keyring.snapshot().state().roster().clone();
    assert_eq!(roster(&room), second);
    // Whatever was open is over, and who is in no roster any more is nobody.
    assert_eq!(room.step(&waiting).await, Step::Superseded);
    let key = room.draft("oskar", template("key.generate", &new_key("release/linux"))).unwrap();
    assert_eq!(key.common().roster.version, 2);
    let key = room.propose(&key).await.unwrap();
    assert_eq!(approves(&room, "carol", &key).await.unwrap_err().reason, Reason::ActInvalid);
    approves(&room, "dora", &key).await.unwrap();

    // The third roster is decided by the second and itself: bob goes, and whom both lack has no say.
    let third = replaced(&room, "bob", "erik");
    let open = proposed(&room, "oskar", &third).await.unwrap();
    assert_eq!(approves(&room, "carol", &open).await.unwrap_err().reason, Reason::ActInvalid);
    approves(&room, "erik", &open).await.unwrap();
    approves(&room, "bob", &open).await.unwrap();
    let view = room.council.ceremony(open.id).await.unwrap();
    assert!(view.lacks[0].contains("1 more officer must approve"), "{:?}", view.lacks);
    assert!(view.lacks[1].contains("1 more officers of the next roster"), "{:?}", view.lacks);
    held(&room, &open, &["dora"]).await;
    assert_eq!(roster(&room), third);
    assert_eq!(room.step(&key).await, Step::Superseded);

    // A key by the third roster; its transcript holds the ceremonies that made the rosters, and so does each of theirs.
    let key = room.proposed("key.generate", &new_key("release/linux")).await;
    for officer in ["erik", "dora"] {
        approves(&room, officer, &key).await.unwrap();
    }
    for witness in ["wanda", "walter"] {
        room.attests(witness, &key).await.unwrap();
    }
    room.execute(&key).await.unwrap();
    for witness in ["wanda", "walter"] {
        room.attests_after(witness, &key).await.unwrap();
    }
    let snapshot = room.trial.keyring.snapshot();
    assert!(snapshot.active(&"release/linux".parse().unwrap()).is_some());
    let genesis = snapshot.state().genesis_sha256();
    let made: Vec<_> = snapshot.state().made().iter().map(|made| (made.what, made.ceremony)).collect();
    assert_eq!(made, [(Governs::Roster(2), made[0].1), (Governs::Roster(3), open.id)]);
    for (id, nested) in [(made[0].1, 0), (open.id, 1), (key.id, 2)] {
        let files = room.council.transcript(id).await.unwrap();
        let verdict = transcript::verify(&files, genesis);
        assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
        let rosters = files.keys().filter(|path| path.starts_with("rosters/") && path.ends_with("/pop.json"));
        assert_eq!(rosters.count(), 0);
        let statements = files.keys().filter(|path| path.ends_with("/statement.json"));
        assert_eq!(statements.count(), nested);
    }
    assert_eq!(&folded(&room).await, snapshot.state());
}

#[tokio::test]
async fn of_two_rosters_that_would_follow_the_same_one_comes() {
    let room = Room::new().await;
    let one = proposed(&room, "oskar", &replaced(&room, "carol", "dora")).await.unwrap();
    let two = proposed(&room, "oskar", &replaced(&room, "carol", "erik")).await.unwrap();
    // Both are decided, and one witness each has seen the end.
    for open in [&one, &two] {
        room.arm(open).await;
        assert_eq!(room.step(open).await, Step::Executed);
        room.attests_after("wanda", open).await.unwrap();
    }
    room.attests_after("walter", &two).await.unwrap();
    assert_eq!((room.step(&two).await, room.step(&one).await), (Step::Completed, Step::Superseded));
    let outcome = Some(Outcome { deviations: deviations_digest(&[]), outputs: Hash::ZERO });
    let late = Deed::Attest { decision: Decision::Accept, outcome, statement: one.statement };
    assert_eq!(told(&room.does("walter", late).await.unwrap_err()), (Reason::ActRefused, "over"));
    room.council.carry_on().await;
    let snapshot = room.trial.keyring.snapshot();
    assert_eq!((snapshot.state().roster().version(), snapshot.state().made().len()), (2, 1));
    assert!(snapshot.state().roster().person(&"erik".parse().unwrap()).is_some());
    assert_eq!(&folded(&room).await, snapshot.state());
}

#[tokio::test]
async fn a_roster_that_does_not_follow_is_never_opened() {
    let room = Room::new().await;
    let next = replaced(&room, "carol", "dora");
    let (target, documents) = change(&room, &next);
    let size = room.trial.log.head().size;
    let brought = async |target: &str, documents: &Documents| {
        let statement = room.draft("oskar", template("roster.change", target))?;
        room.propose_with(&statement, documents).await.map(drop)
    };
    let without = |name: &str| {
        let mut less = documents.clone();
        less.retain(|own, _| !own.starts_with(name));
        less
    };
    let no_successor = (Reason::StatementRefused, "no-successor");
    for less in [without("roster"), without("proof."), Documents::new()] {
        assert_eq!(told(&brought(&target, &less).await.unwrap_err()), no_successor);
    }
    let mut more = documents.clone();
    more.insert("grants".into(), b"permit".to_vec());
    assert_eq!(brought(&target, &more).await.unwrap_err().reason, Reason::StatementInvalid);
    // Other people, or another quorum, than the rosters have.
    let unsaid = target.replace("removed = [\"carol\"]", "removed = []");
    assert_eq!(told(&brought(&unsaid, &documents).await.unwrap_err()), no_successor);
    let fewer = target.replace("officers = 3", "officers = 4");
    assert_eq!(
        told(&brought(&fewer, &documents).await.unwrap_err()),
        (Reason::StatementRefused, "other-next-roster")
    );
    let skips = target.replace("version = 2", "version = 3");
    assert_eq!(brought(&skips, &documents).await.unwrap_err().reason, Reason::StatementInvalid);
    // A proof that was made for another roster.
    let (_, others) = change(&room, &replaced(&room, "bob", "dora"));
    let stolen = others.iter().find(|(name, _)| name.starts_with("proof.")).unwrap();
    let mut replayed = without("proof.");
    replayed.insert(stolen.0.clone(), stolen.1.clone());
    let digests = |documents: &Documents| {
        let proof = documents.iter().find(|(name, _)| name.starts_with("proof.")).unwrap();
        Hash::of(proof.1).to_string()
    };
    let named = target.replace(&digests(&documents), &digests(&replayed));
    assert_eq!(told(&brought(&named, &replayed).await.unwrap_err()), no_successor);
    assert_eq!(room.trial.log.head().size, size, "refusals leave no record");

    // Those who come in have a say in that one ceremony, and in no other.
    let open = proposed(&room, "oskar", &next).await.unwrap();
    let key = room.proposed("key.generate", &new_key("release/linux")).await;
    assert_eq!(approves(&room, "dora", &key).await.unwrap_err().reason, Reason::ActInvalid);
    assert_eq!(
        told(&does(&room, "dora", Deed::Veto { statement: open.statement }).await.unwrap_err()).1,
        "no-role"
    );
    approves(&room, "dora", &open).await.unwrap();
    // And none once it is over.
    room.does("ada", Deed::Veto { statement: open.statement }).await.unwrap();
    assert_eq!(approves(&room, "dora", &open).await.unwrap_err().reason, Reason::ActInvalid);
}
