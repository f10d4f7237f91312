//! Whose acts count no more: by one officer, by two, until the next roster.

use ceremonies::act::{Decision, Deed};
use ceremonies::session::Step;
use ceremonies::transcript::{self, Verdict};
use proto::reason::Reason;
use proto::record::Body;
use proto::refusal::Refusal;
use proto::term::Term;

use super::people::{folded, held, proposed, replaced, told};
use super::room::{Open, Room, new_key};
use crate::council::{Submitted, SuspensionView};

async fn says(room: &Room, by: &str, whom: &str) -> Result<Submitted, Refusal> {
    let deed = Deed::Suspend { person: whom.parse().unwrap() };
    room.council.submit(&room.signed(by, deed)).await
}

async fn key(room: &Room, name: &str) -> Open {
    room.proposed("key.generate", &new_key(name)).await
}

async fn lacks(room: &Room, open: &Open) -> Vec<String> {
    room.council.ceremony(open.id).await.unwrap().lacks
}

#[tokio::test]
async fn what_a_suspended_officer_said_counts_no_more_from_that_record_on() {
    let room = Room::new().await;
    let open = key(&room, "release/linux").await;
    room.arm(&open).await;
    let done = says(&room, "carol", "bob").await.unwrap();
    assert_eq!((done.ceremony, done.waits), (None, false));
    let record = room.newest().await;
    let Body::Suspend(body) = &record.body else { panic!("{record:?}") };
    assert_eq!((body.by.as_str(), body.person.as_str()), ("carol", "bob"));
    assert_eq!(record.touches, [Term::All]);
    // Of the approvals one is left.
    assert_eq!(room.step(&open).await, Step::Proposed);
    assert_eq!(lacks(&room, &open).await, ["1 more officer must approve"]);
    let executed = room.execute(&open).await.unwrap_err();
    assert_eq!(executed.reason, Reason::NotArmed);
    let view = SuspensionView { person: "bob".into(), by: vec!["carol".into()], since: Some(done.index) };
    assert_eq!(room.council.suspended(), [view]);

    // Nothing that he signs is recorded any more, whatever it is.
    let size = room.trial.log.head().size;
    let statement = open.statement;
    let deeds = [
        Deed::Approve { decision: Decision::Accept, statement },
        Deed::Approve { decision: Decision::Refuse, statement },
        Deed::Veto { statement },
        Deed::Abort { statement },
        Deed::Deviation { statement },
        Deed::Withdraw { act: proto::hash::Hash::ZERO, statement },
        Deed::Suspend { person: "ada".parse().unwrap() },
    ];
    for deed in deeds {
        let refusal = room.does("bob", deed).await.unwrap_err();
        assert_eq!(told(&refusal), (Reason::ActRefused, "suspended"), "{refusal}");
    }
    let drafted = room.draft("bob", super::room::template("key.generate", &new_key("release/mac")));
    assert_eq!(told(&drafted.unwrap_err()), (Reason::StatementRefused, "suspended"));
    assert_eq!(room.trial.log.head().size, size);

    // The others go on without him, and the transcript says why.
    room.approves("carol", &open).await.unwrap();
    room.execute(&open).await.unwrap();
    for witness in ["wanda", "walter"] {
        room.attests_after(witness, &open).await.unwrap();
    }
    assert_eq!(room.step(&open).await, Step::Completed);
    let snapshot = room.trial.keyring.snapshot();
    let files = room.council.transcript(open.id).await.unwrap();
    let verdict = transcript::verify(&files, snapshot.state().genesis_sha256());
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
    assert!(files.contains_key(&format!("beside/{:012}-suspend-carol.json", done.index)));
    // A restart finds the same.
    assert_eq!(&folded(&room).await, snapshot.state());
    assert_eq!(room.anew().suspended(), room.council.suspended());
}

#[tokio::test]
async fn a_suspended_operator_starts_nothing_and_a_suspended_witness_has_attested_nothing() {
    let room = Room::new().await;
    let open = key(&room, "release/linux").await;
    room.arm(&open).await;
    says(&room, "ada", "oskar").await.unwrap();
    let size = room.trial.log.head().size;
    assert_eq!(told(&room.execute(&open).await.unwrap_err()), (Reason::ActRefused, "suspended"));
    assert_eq!((room.trial.log.head().size, room.keys().await), (size, 0));
    says(&room, "ada", "wanda").await.unwrap();
    assert_eq!(room.step(&open).await, Step::Armed);
    says(&room, "bob", "wanda").await.unwrap();
    assert_eq!(lacks(&room, &open).await, ["1 more witness must attest"]);
}

#[tokio::test]
async fn every_word_that_has_no_effect_leaves_no_record() {
    let room = Room::new().await;
    let size = room.trial.log.head().size;
    let refused = async |by: &str, whom: &str, reason, guard| {
        let size = room.trial.log.head().size;
        let refusal = says(&room, by, whom).await.unwrap_err();
        assert_eq!(told(&refusal), (reason, guard), "{refusal}");
        assert_eq!(room.trial.log.head().size, size);
    };
    refused("wanda", "ada", Reason::ActInvalid, "").await;
    refused("ada", "nobody", Reason::ActRefused, "unknown-person").await;
    assert_eq!(room.trial.log.head().size, size);
    let word = room.signed("ada", Deed::Suspend { person: "bob".parse().unwrap() });
    room.council.submit(&word).await.unwrap();
    let again = room.council.submit(&word).await.unwrap_err();
    assert_eq!(told(&again), (Reason::ActRefused, "replayed"));
    refused("ada", "bob", Reason::ActRefused, "said-already").await;
    refused("bob", "carol", Reason::ActRefused, "suspended").await;
    // Three officers, of whom two decide.
    refused("ada", "carol", Reason::ActRefused, "too-many-suspended").await;
    let mut late = room.act(Deed::Suspend { person: "wanda".parse().unwrap() });
    late.expires = room.trial.clock.wall();
    let refusal = room.council.submit(&room.sign("ada", &late)).await.unwrap_err();
    assert_eq!(told(&refusal), (Reason::ActRefused, "act-expired"));
    let waits = says(&room, "ada", "wanda").await.unwrap();
    assert!(waits.waits);
    refused("ada", "wanda", Reason::ActRefused, "said-already").await;
    let views = room.council.suspended();
    assert_eq!(
        (views.len(), views[1].since, views[1].by.as_slice()),
        (2, None, ["ada".to_owned()].as_slice())
    );
}

/// The rogue comes first: he suspends one of the two others, and vetoes whatever they propose.
#[tokio::test]
async fn an_officer_who_suspends_first_and_vetoes_everything_is_suspended_and_removed() {
    let room = Room::new().await;
    says(&room, "carol", "ada").await.unwrap();
    let next = replaced(&room, "carol", "dora");
    let open = proposed(&room, "oskar", &next).await.unwrap();
    room.does("carol", Deed::Veto { statement: open.statement }).await.unwrap();
    assert_eq!(room.step(&open).await, Step::Vetoed);
    // She counts against him alone, and it takes both.
    assert!(says(&room, "ada", "carol").await.unwrap().waits);
    assert!(!says(&room, "bob", "carol").await.unwrap().waits);
    let open = proposed(&room, "oskar", &next).await.unwrap();
    let veto = room.does("carol", Deed::Veto { statement: open.statement }).await.unwrap_err();
    assert_eq!(told(&veto), (Reason::ActRefused, "suspended"));
    held(&room, &open, &["ada", "bob", "dora"]).await;
    let snapshot = room.trial.keyring.snapshot();
    assert_eq!(snapshot.state().roster(), &next);
    assert_eq!(room.council.suspended(), []);
    assert_eq!(&folded(&room).await, snapshot.state());
    let verdict = transcript::verify(
        &room.council.transcript(open.id).await.unwrap(),
        snapshot.state().genesis_sha256(),
    );
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
}

#[tokio::test]
async fn a_roster_that_was_proposed_before_a_suspension_leaves_it_and_a_later_one_ends_it() {
    let room = Room::new().await;
    let early = proposed(&room, "oskar", &replaced(&room, "carol", "dora")).await.unwrap();
    says(&room, "ada", "rita").await.unwrap();
    held(&room, &early, &["ada", "bob", "dora"]).await;
    let suspended =
        |room: &Room| room.council.suspended().iter().map(|own| own.person.clone()).collect::<Vec<_>>();
    assert_eq!(suspended(&room), ["rita"]);
    let late = proposed(&room, "oskar", &replaced(&room, "bob", "erik")).await.unwrap();
    held(&room, &late, &["ada", "bob", "dora", "erik"]).await;
    assert_eq!(suspended(&room), [""; 0]);
    let snapshot = room.trial.keyring.snapshot();
    assert_eq!(&folded(&room).await, snapshot.state());
    let files = room.council.transcript(late.id).await.unwrap();
    let verdict = transcript::verify(&files, snapshot.state().genesis_sha256());
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
}
