//! What is refused leaves no record, and no device is asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use ceremonies::act::{Act, Decision, Deed};
use ceremonies::birth::BirthNames;
use ceremonies::session::Step;
use proto::reason::Reason;

use super::room::{Room, new_key, template};
use crate::backend::{Backend as _, Deadline, GenerateSpec};
use crate::clock::{ManualClock, Monotonic};
use crate::council::MOST_PROPOSED;

/// What somebody is told: the stable reason and the guard.
fn told(refusal: &proto::refusal::Refusal) -> (Reason, &str) {
    (refusal.reason, refusal.metadata.get("guard").map_or("", String::as_str))
}

#[tokio::test]
async fn nothing_starts_before_quorum_and_witnesses() {
    let room = Room::new().await;
    let open = room.proposed("key.generate", &new_key("release/linux")).await;
    let size = || room.trial.log.head().size;
    let before = size();
    assert_eq!(told(&room.execute(&open).await.unwrap_err()), (Reason::NotArmed, "not-armed"));
    room.approves("ada", &open).await.unwrap();
    room.attests("wanda", &open).await.unwrap();
    room.attests("walter", &open).await.unwrap();
    let refusal = room.execute(&open).await.unwrap_err();
    assert_eq!(told(&refusal), (Reason::NotArmed, "not-armed"));
    assert!(refusal.message.contains("1 more officer must approve"), "{refusal}");
    assert_eq!(size(), before + 3, "refusals leave no record");
    assert_eq!(room.keys().await, 0);
}

#[tokio::test]
async fn acts_count_once_for_one_statement_by_whom_they_are() {
    let room = Room::new().await;
    let open = room.proposed("key.generate", &new_key("release/linux")).await;
    let other = room.proposed("key.generate", &new_key("release/windows")).await;
    let approve = Deed::Approve { decision: Decision::Accept, statement: open.statement };
    let signed = room.signed("ada", approve.clone());
    room.council.submit(&signed).await.unwrap();
    let size = room.trial.log.head().size;
    let replayed = room.council.submit(&signed).await.unwrap_err();
    assert_eq!(told(&replayed), (Reason::ActRefused, "replayed"));
    let refusals = [
        // Two roles in one ceremony, and none.
        (room.signed("wanda", approve.clone()), Reason::ActRefused, "no-role"),
        // An executor's act where a decision belongs.
        (room.signed("oskar", Deed::Execute { statement: open.statement }), Reason::Unimplemented, ""),
    ];
    for (act, reason, guard) in refusals {
        assert_eq!(told(&room.council.submit(&act).await.unwrap_err()), (reason, guard));
    }
    let unknown = Deed::Approve { decision: Decision::Accept, statement: proto::hash::Hash::of(b"?") };
    let refusal = room.does("ada", unknown).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::UnknownCeremony);
    // The signature of one over the words of another.
    let mut forged = room.signed("ada", approve.clone());
    forged.signature = room.signed("bob", approve.clone()).signature;
    assert_eq!(room.council.submit(&forged).await.unwrap_err().reason, Reason::ActInvalid);
    // A head that the log never had, and one of before it.
    let act = room.act(approve.clone());
    let strange = Act {
        head: ceremonies::act::SeenHead { root: proto::hash::Hash::of(b"?"), ..act.head.clone() },
        ..act.clone()
    };
    let refusal = room.council.submit(&room.sign("bob", &strange)).await.unwrap_err();
    assert_eq!(told(&refusal), (Reason::ActInvalid, "head-other"));
    let future = Act { head: ceremonies::act::SeenHead { size: 1000, ..act.head.clone() }, ..act.clone() };
    let refusal = room.council.submit(&room.sign("bob", &future)).await.unwrap_err();
    assert_eq!(told(&refusal), (Reason::ActInvalid, "head-unknown"));
    let late = Act { expires: room.trial.clock.wall(), ..act };
    let refusal = room.council.submit(&room.sign("bob", &late)).await.unwrap_err();
    assert_eq!(told(&refusal), (Reason::ActRefused, "act-expired"));
    assert_eq!(room.trial.log.head().size, size, "refusals leave no record");
    let view = room.council.ceremony(other.id).await.unwrap();
    assert_eq!((view.step, view.approvers.len()), (Step::Proposed, 0));
}

#[tokio::test]
async fn somebody_has_so_many_open_and_no_more_and_time_ends_them() {
    let clock = Arc::new(ManualClock::new("2026-11-21T05:00:00.000000Z".parse().unwrap()));
    let room = Room::at(&clock).await;
    let mut drafts = Vec::new();
    for number in 0..=MOST_PROPOSED {
        let template = template("key.generate", &new_key(&format!("release/{number}")));
        drafts.push(room.draft("oskar", template).unwrap());
    }
    let last = drafts.pop().unwrap();
    let mut opened = Vec::new();
    for draft in &drafts {
        opened.push(room.propose(draft).await.unwrap());
    }
    let size = room.trial.log.head().size;
    let refused = room.propose(&last).await.map(drop).unwrap_err();
    assert_eq!(told(&refused), (Reason::StatementRefused, "too-many-open"));
    assert!(refused.message.starts_with("16 ceremonies that `oskar` has proposed wait"), "{refused}");
    // Nobody needs to sign before he hears of it.
    let again = || template("key.generate", &new_key("release/again"));
    assert_eq!(told(&room.draft("oskar", again()).unwrap_err()), (Reason::StatementRefused, "too-many-open"));
    assert_eq!(room.trial.log.head().size, size, "refusals leave no record");
    // Everybody else proposes.
    room.propose(&room.draft("ada", again()).unwrap()).await.unwrap();
    // What was started waits for nobody any more, and what was vetoed neither.
    room.arm(&opened[0]).await;
    room.propose(&last).await.map(drop).unwrap_err();
    room.execute(&opened[0]).await.unwrap();
    room.propose(&last).await.unwrap();
    room.draft("oskar", again()).unwrap_err();
    room.does("carol", Deed::Veto { statement: opened[1].statement }).await.unwrap();
    room.draft("oskar", again()).unwrap();
    // Their time is over, whether or not a record says so yet.
    clock.advance(std::time::Duration::from_secs(3600));
    for number in 0..MOST_PROPOSED {
        let template = template("key.generate", &new_key(&format!("later/{number}")));
        room.propose(&room.draft("oskar", template).unwrap()).await.unwrap();
    }
    room.draft("oskar", again()).unwrap_err();
}

#[tokio::test]
async fn an_object_planted_under_the_derived_names_refuses_the_birth() {
    let room = Room::new().await;
    let open = room.proposed("key.generate", &new_key("release/linux")).await;
    room.arm(&open).await;
    let held = room.trial.keyring.snapshot().state().sessions().find(open.id).unwrap().clone();
    let names = BirthNames::of(held.session.statement());
    let algorithm = proto::algorithm::Algorithm::EcdsaP256Sha256;
    let spec = GenerateSpec { algorithm, label: names.label, id: names.id.to_vec() };
    let by = Deadline(Monotonic::from_start(std::time::Duration::MAX));
    room.trial.backend().generate(spec, by).await.unwrap();
    let size = room.trial.log.head().size;
    let refusal = room.execute(&open).await.unwrap_err();
    assert_eq!(told(&refusal), (Reason::ObjectPlanted, "object-planted"));
    assert_eq!((room.trial.log.head().size, room.keys().await), (size, 1));
    assert_eq!(room.step(&open).await, Step::Armed);
}

#[tokio::test]
async fn a_veto_ends_it_and_a_key_is_made_by_one_ceremony() {
    let room = Room::new().await;
    let open = room.proposed("key.generate", &new_key("release/linux")).await;
    let twin = room.proposed("key.generate", &new_key("release/linux")).await;
    room.arm(&open).await;
    room.arm(&twin).await;
    room.execute(&open).await.unwrap();
    let refusal = room.execute(&twin).await.unwrap_err();
    assert_eq!(told(&refusal), (Reason::StatementRefused, "key-exists"));
    room.does("carol", Deed::Veto { statement: twin.statement }).await.unwrap();
    assert_eq!(room.step(&twin).await, Step::Vetoed);
    let refusal = room.approves("carol", &twin).await.unwrap_err();
    assert_eq!(told(&refusal), (Reason::ActRefused, "over"));
    for witness in ["wanda", "walter"] {
        room.attests_after(witness, &open).await.unwrap();
    }
    let again = room.draft("oskar", template("key.generate", &new_key("release/linux"))).unwrap_err();
    assert_eq!(told(&again), (Reason::StatementRefused, "key-exists"));
}

#[tokio::test]
async fn statements_that_cannot_be_held_are_not_opened() {
    let room = Room::new().await;
    let size = room.trial.log.head().size;
    let drafted = |kind: &str, target: &str| room.draft("oskar", template(kind, target)).unwrap_err();
    let planned = new_key("a").replace("at-completion", "planned");
    assert_eq!(told(&drafted("key.generate", &planned)), (Reason::StatementRefused, "cannot-be-held"));
    let grants = format!("grants = \"{}\"\nreplaces = \"{}\"\n", "a".repeat(64), "b".repeat(64));
    assert_eq!(told(&drafted("grant.change", &grants)), (Reason::StatementRefused, "other-grants"));
    let rotate = "activate = \"2026-12-01T00:00:00.000000Z\"\nkey = \"a\"\noverlap = \"both\"\n\
                  publish = \"2026-12-01T00:00:00.000000Z\"\nretire = \"2026-12-02T00:00:00.000000Z\"\nsuccessor = 2\n\
                  version = 1\n";
    assert_eq!(told(&drafted("key.rotate", rotate)), (Reason::Unimplemented, "cannot-be-held"));
    let elsewhere = new_key("a").replace("\"soft\"", "\"hsm\"");
    assert_eq!(told(&drafted("key.generate", &elsewhere)), (Reason::StatementRefused, "no-backend"));
    let rsa = new_key("a").replace("ecdsa-p256-sha256", "rsa-pkcs1-2048-sha256");
    assert_eq!(told(&drafted("key.generate", &rsa)), (Reason::StatementRefused, "no-ability"));
    let lift = "finding = \"over\"\nstop = 3\nterms = [\"all\"]\n";
    assert_eq!(told(&drafted("stop.lift", lift)), (Reason::StatementRefused, "no-stop"));
    assert_eq!(drafted("key.generate", "key = 7\n").reason, Reason::StatementInvalid);
    let nobody = room.draft("mallory", template("key.generate", &new_key("a"))).unwrap_err();
    assert_eq!(told(&nobody), (Reason::StatementRefused, "unknown-initiator"));

    // Proposed by somebody else than it says, and twice.
    let statement = room.draft("oskar", template("key.generate", &new_key("a"))).unwrap();
    let act = room.signed("ada", Deed::Propose { statement: statement.digest() });
    let refusal = room.council.propose(&statement.encode(), &act, &BTreeMap::new()).await.unwrap_err();
    assert_eq!(told(&refusal), (Reason::ActRefused, "other-initiator"));
    assert_eq!(room.trial.log.head().size, size, "refusals leave no record");
    room.propose(&statement).await.unwrap();
    let twice = room.propose(&statement).await.map(|_| ()).unwrap_err();
    assert_eq!(twice.reason, Reason::CeremonyExists);
}
