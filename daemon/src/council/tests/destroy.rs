//! What a failed birth left, and what becomes of it.

use ceremonies::act::{Decision, Deed};
use ceremonies::session::Step;
use ceremonies::transcript::{self, Verdict};
use proto::hash::Hash;
use proto::reason::Reason;
use proto::refusal::Refusal;

use super::room::{Open, Room, adoption, new_key, template};
use crate::backend::{Backend as _, Deadline, Locator};
use crate::clock::Monotonic;

const KEY: &str = "release/linux";

fn told(refusal: &Refusal) -> (Reason, &str) {
    (refusal.reason, refusal.metadata.get("guard").map_or("", String::as_str))
}

/// A birth that a witness refuses; with the key id that its outputs name.
async fn failed(room: &Room) -> (Open, String) {
    let open = room.proposed("key.generate", &new_key(KEY)).await;
    room.arm(&open).await;
    room.execute(&open).await.unwrap();
    let outcome = Some(room.outcome(&open).await);
    let (decision, statement) = (Decision::Refuse, open.statement);
    room.does("wanda", Deed::Attest { decision, outcome, statement }).await.unwrap();
    assert_eq!(room.step(&open).await, Step::Failed);
    (open.clone(), key_id(room, &open).await)
}

async fn key_id(room: &Room, open: &Open) -> String {
    let outputs = room.council.ceremony(open.id).await.unwrap().outputs.unwrap();
    let outputs: serde_json::Value = serde_json::from_slice(&outputs).unwrap();
    outputs["key_id"].as_str().unwrap().to_owned()
}

fn target(key: &str, id: &str) -> String {
    format!(
        "backend = \"soft\"\ncopies = []\nkey = \"{key}\"\nkey_id = \"{id}\"\nlocator = \"software:{id}\"\nversion = 1\n"
    )
}

async fn verdict(room: &Room, open: &Open) -> Verdict {
    let files = room.council.transcript(open.id).await.unwrap();
    transcript::verify(&files, room.trial.keyring.snapshot().state().genesis_sha256())
}

#[tokio::test]
async fn what_a_birth_left_is_adopted_by_nobody_and_destroyed_by_a_ceremony() {
    let room = Room::new().await;
    let (birth, id) = failed(&room).await;
    assert_eq!(room.keys().await, 1);
    let refusal = room.draft("oskar", template("key.adopt", &adoption("release/other", &id))).unwrap_err();
    assert_eq!(told(&refusal), (Reason::StatementRefused, "quarantined"));

    let open = room.proposed("key.destroy", &target(KEY, &id)).await;
    room.arm(&open).await;
    room.execute(&open).await.unwrap();
    assert_eq!((room.step(&open).await, room.keys().await), (Step::Executed, 0));
    let outputs = room.council.ceremony(open.id).await.unwrap().outputs.unwrap();
    let outputs: serde_json::Value = serde_json::from_slice(&outputs).unwrap();
    assert_eq!(outputs["birth"], birth.id.to_string());
    assert_eq!(outputs["destroyed"], serde_json::json!([format!("software:{id}")]));
    for witness in ["wanda", "walter"] {
        room.attests_after(witness, &open).await.unwrap();
    }
    assert_eq!(room.step(&open).await, Step::Completed);
    let verdict = verdict(&room, &open).await;
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict:?}");
    // It is gone, and nobody is told twice that it was destroyed.
    let again = room.proposed("key.destroy", &target(KEY, &id)).await;
    room.arm(&again).await;
    let size = room.trial.log.head().size;
    assert_eq!(told(&room.execute(&again).await.unwrap_err()), (Reason::ActRefused, "nothing-there"));
    assert_eq!((room.step(&again).await, room.trial.log.head().size), (Step::Armed, size));
    let refusal = room.draft("oskar", template("key.adopt", &adoption("release/other", &id))).unwrap_err();
    assert_eq!(told(&refusal), (Reason::StatementRefused, "quarantined"));
}

#[tokio::test]
async fn nothing_but_what_a_failed_birth_left_is_destroyed() {
    let room = Room::new().await;
    let (_, id) = failed(&room).await;
    let drafted = |target: &str| room.draft("oskar", template("key.destroy", target)).unwrap_err();
    let other = Hash::of(b"another key").to_string();
    // Another key, another name, another version, another place.
    for target in [
        target(KEY, &other),
        target("release/windows", &id),
        target(KEY, &id).replace("version = 1", "version = 2"),
        target(KEY, &id).replace(&format!("software:{id}"), "software:label=x"),
    ] {
        assert_eq!(told(&drafted(&target)), (Reason::StatementRefused, "no-failed-birth"), "{target}");
    }
    // While the birth of another key under the same name waits for its witnesses, and when it signs.
    let good = room.proposed("key.generate", &new_key(KEY)).await;
    room.arm(&good).await;
    room.execute(&good).await.unwrap();
    let made = key_id(&room, &good).await;
    assert_eq!(told(&drafted(&target(KEY, &made))), (Reason::StatementRefused, "no-failed-birth"));
    for witness in ["wanda", "walter"] {
        room.attests_after(witness, &good).await.unwrap();
    }
    let refusal = drafted(&target(KEY, &made));
    assert_eq!(told(&refusal), (Reason::StatementRefused, "key-state"));
    assert!(refusal.message.contains("release/linux@1 is active"), "{refusal}");
    assert_eq!(room.keys().await, 2);
}

#[tokio::test]
async fn a_destruction_that_was_cut_off_goes_on_whether_it_was_done_or_not() {
    for done in [false, true] {
        let room = Room::new().await;
        let (_, id) = failed(&room).await;
        let open = room.proposed("key.destroy", &target(KEY, &id)).await;
        room.arm(&open).await;
        room.started_elsewhere(&open, 1).await;
        assert_eq!(room.step(&open).await, Step::Executing);
        let twin = room.draft("oskar", template("key.destroy", &target(KEY, &id))).unwrap_err();
        assert_eq!(told(&twin), (Reason::StatementRefused, "in-progress"));
        if done {
            let place: Locator = format!("software:{id}").parse().unwrap();
            let by = Deadline(Monotonic::from_start(std::time::Duration::MAX));
            room.trial.backend().destroy(&place, id.parse().unwrap(), by).await.unwrap();
        }
        room.anew().carry_on().await;
        assert_eq!((room.step(&open).await, room.keys().await), (Step::Executed, 0));
        for witness in ["wanda", "walter"] {
            room.attests_after(witness, &open).await.unwrap();
        }
        let verdict = verdict(&room, &open).await;
        assert!(matches!(verdict, Verdict::Valid(_)), "{verdict:?}");
    }
}
