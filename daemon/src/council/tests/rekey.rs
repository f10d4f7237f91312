//! Another log key: decided by a quorum, there before anybody is asked, and in force with the completion alone.

use ceremonies::session::Step;
use ceremonies::transcript::{self, Governs, Verdict};
use proto::proof::checkpoint::Checkpoint;
use proto::proof::note::{self, Verifier};
use proto::reason::Reason;
use proto::refusal::Refusal;

use super::room::{Open, Room, new_key, template};
use crate::keyring::trial::Trial;
use crate::log::LogKey;

fn target(key: &Verifier, replaces: &Verifier) -> String {
    format!("log_key = \"{key}\"\nreplaces = \"{replaces}\"\n")
}

/// The key in force and the next one that the room's log can sign with.
fn keys(room: &Room) -> (Verifier, Verifier) {
    (room.trial.log.verifier(), Trial::next_log_key().verifier().clone())
}

async fn executed(room: &Room) -> Open {
    let (old, new) = keys(room);
    let open = room.proposed("log.rekey", &target(&new, &old)).await;
    for officer in ["ada", "bob"] {
        room.approves(officer, &open).await.unwrap();
    }
    assert_eq!(room.step(&open).await, Step::Proposed);
    room.attests("wanda", &open).await.unwrap();
    assert_eq!(room.step(&open).await, Step::Executed);
    open
}

#[tokio::test]
async fn a_quorum_changes_the_log_key_and_every_transcript_stays_valid() {
    let room = Room::new().await;
    let birth = room.proposed("key.generate", &new_key("release/linux")).await;
    room.arm(&birth).await;
    room.execute(&birth).await.unwrap();
    for witness in ["wanda", "walter"] {
        room.attests_after(witness, &birth).await.unwrap();
    }
    let (old, new) = keys(&room);
    let open = executed(&room).await;
    assert_eq!(room.trial.log.verifier(), old, "nothing is in force before it is attested");
    room.attests_after("wanda", &open).await.unwrap();
    assert_eq!(room.step(&open).await, Step::Completed);
    let head = room.trial.log.head();
    for key in [&old, &new] {
        Checkpoint::verify(&head.checkpoint, key).unwrap();
    }
    let snapshot = room.trial.keyring.snapshot();
    let state = snapshot.state();
    assert_eq!((state.log_keys(), room.trial.log.verifier()), (&*room.trial.log.keys(), new.clone()));
    assert_eq!(state.made().iter().map(|made| made.what).collect::<Vec<_>>(), [Governs::LogKey(2)]);

    let later = room.proposed("key.generate", &new_key("release/later")).await;
    let head = room.trial.log.head();
    assert_eq!(note::parse(&head.checkpoint).unwrap().signatures().len(), 1);
    Checkpoint::verify(&head.checkpoint, &new).unwrap();
    room.arm(&later).await;
    room.execute(&later).await.unwrap();
    for witness in ["wanda", "walter"] {
        room.attests_after(witness, &later).await.unwrap();
    }
    for open in [&birth, &open, &later] {
        let files = room.council.transcript(open.id).await.unwrap();
        let verdict = transcript::verify(&files, state.genesis_sha256());
        assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
        assert_eq!(files.keys().any(|path| path.starts_with("log-keys/2/")), open.id == later.id);
    }
}

#[tokio::test]
async fn a_key_that_cannot_follow_is_refused_before_anything_is_recorded() {
    let room = Room::new().await;
    let (old, new) = keys(&room);
    let third = LogKey::from_seed(old.name(), &[9; 32]).unwrap().verifier().clone();
    let from = room.trial.log.head();
    let guard = |refusal: Refusal| refusal.metadata.get("guard").cloned().unwrap_or_default();
    let draft = |key: &Verifier, replaces: &Verifier| {
        room.draft("oskar", template("log.rekey", &target(key, replaces))).unwrap_err()
    };
    assert_eq!(guard(draft(&third, &old)), "no-log-key");
    assert_eq!(guard(draft(&new, &third)), "other-log-key");
    assert_eq!(draft(&old, &old).reason, Reason::StatementInvalid);
    let elsewhere = LogKey::from_seed("rehearsal.elsewhere.example", &[8; 32]).unwrap();
    assert_eq!(draft(elsewhere.verifier(), &old).reason, Reason::StatementInvalid);
    assert_eq!(room.trial.log.head(), from);

    // A second one is not started while the first is under way, nor after it.
    let second = room.proposed("log.rekey", &target(&new, &old)).await;
    let open = executed(&room).await;
    assert_eq!(guard(draft(&new, &old)), "in-progress");
    for officer in ["ada", "bob"] {
        room.approves(officer, &second).await.unwrap();
    }
    room.attests("wanda", &second).await.unwrap();
    assert_eq!(room.step(&second).await, Step::Armed);
    room.attests_after("wanda", &open).await.unwrap();
    room.council.carry_on().await;
    assert_eq!((room.step(&open).await, room.step(&second).await), (Step::Completed, Step::Armed));
    assert_eq!(guard(draft(&old, &new)), "spent-log-key");
    assert_eq!(room.trial.log.keys().count(), 2);
}

#[tokio::test]
async fn two_vetoes_end_it_and_one_does_not() {
    let room = Room::new().await;
    let (old, new) = keys(&room);
    let open = room.proposed("log.rekey", &target(&new, &old)).await;
    let veto = || ceremonies::act::Deed::Veto { statement: open.statement };
    room.does("carol", veto()).await.unwrap();
    assert_eq!(room.step(&open).await, Step::Proposed);
    room.does("walter", veto()).await.unwrap();
    assert_eq!(room.step(&open).await, Step::Vetoed);
}
