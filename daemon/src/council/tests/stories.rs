//! Whole ceremonies, from proposal to effect.

use ceremonies::act::{Decision, Deed};
use ceremonies::session::Step;
use ceremonies::transcript::{self, Deviation, Verdict};
use proto::hash::Hash;
use proto::reason::Reason;
use proto::record::ceremony::{Ceremony, Turned};
use proto::record::{Actor, ActorKind, Body, StopTarget};

use super::room::{Open, Room, adoption, new_key, template};
use crate::backend::Backend as _;
use crate::keyring;
use crate::log::ControlDraft;
use ceremonies::birth::BirthNames;
use std::sync::Arc;

#[tokio::test]
async fn a_key_is_born_by_a_quorum_and_its_transcript_verifies() {
    let room = Room::new().await;
    let from = room.trial.log.head().size;
    let open = room.proposed("key.generate", &new_key("release/linux")).await;
    room.arm(&open).await;
    assert_eq!(room.step(&open).await, Step::Armed);
    room.execute(&open).await.unwrap();
    assert_eq!(room.step(&open).await, Step::Executed);
    let name = "release/linux".parse().unwrap();
    assert!(
        room.trial.keyring.snapshot().active(&name).is_none(),
        "nothing is in force before it is attested"
    );
    room.does("wanda", Deed::Deviation { statement: open.statement }).await.unwrap();
    room.attests_after("wanda", &open).await.unwrap();
    assert_eq!(room.step(&open).await, Step::Executed);
    room.attests_after("walter", &open).await.unwrap();
    let kinds = room.kinds(from).await;
    assert_eq!(
        kinds,
        [
            "ceremony.proposed",
            "ceremony.act",
            "ceremony.act",
            "ceremony.act",
            "ceremony.act",
            "ceremony.started",
            "sign",
            "ceremony.executed",
            "ceremony.deviation",
            "ceremony.act",
            "ceremony.act",
            "ceremony.completed"
        ]
    );
    let snapshot = room.trial.keyring.snapshot();
    assert_eq!(snapshot.active(&name).unwrap().version, 1);
    let files = room.council.transcript(open.id).await.unwrap();
    assert_eq!(files, room.council.transcript(open.id).await.unwrap());
    let verdict = transcript::verify(&files, snapshot.state().genesis_sha256());
    match &verdict {
        Verdict::ValidWithDeviations(verified) => {
            assert_eq!(verified.deviations.len(), 1, "{:?}", verified.deviations);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_interrupted_birth_is_resolved_and_never_adopted() {
    let room = Room::new().await;
    let open = room.proposed("key.generate", &new_key("release/linux")).await;
    room.arm(&open).await;
    // The daemon ended after the device made the key: a start without an output, and a key under the derived names.
    room.started_elsewhere(&open, 0).await;
    let held = room.trial.keyring.snapshot().state().sessions().find(open.id).unwrap().clone();
    let names = BirthNames::of(held.session.statement());
    let spec = crate::backend::GenerateSpec {
        algorithm: proto::algorithm::Algorithm::EcdsaP256Sha256,
        label: names.label,
        id: names.id.to_vec(),
    };
    let by = crate::backend::Deadline(crate::clock::Monotonic::from_start(std::time::Duration::MAX));
    room.trial.backend().generate(spec, by).await.unwrap();
    assert_eq!(room.keys().await, 1);

    room.anew().carry_on().await;
    assert_eq!(room.step(&open).await, Step::Indeterminate);
    assert_eq!(room.newest_kind().await, "ceremony.interrupted");
    assert_eq!(room.execute(&open).await.unwrap_err().reason, Reason::ActRefused);

    let resolve = room.proposed("resolve", &clearing(&open, "destroy")).await;
    for officer in ["ada", "carol"] {
        room.approves(officer, &resolve).await.unwrap();
    }
    room.attests("wanda", &resolve).await.unwrap();
    assert_eq!(room.step(&resolve).await, Step::Executed);
    assert_eq!(room.keys().await, 0);
    room.attests_after("wanda", &resolve).await.unwrap();
    assert_eq!(room.step(&resolve).await, Step::Completed);
    assert_eq!(room.step(&open).await, Step::Armed);

    // Not while a `resolve` of it is at the device, whatever became of that.
    let running = room.council.enter(resolve.id);
    assert_eq!(room.execute(&open).await.unwrap_err().metadata["guard"], "still-running");
    assert_eq!((room.step(&open).await, room.keys().await), (Step::Armed, 0));
    drop(running);
    // The same approvals start once more; the act that started it before does not.
    room.execute(&open).await.unwrap();
    assert_eq!(room.keys().await, 1);
    for witness in ["wanda", "walter"] {
        room.attests_after(witness, &open).await.unwrap();
    }
    assert_eq!(room.step(&open).await, Step::Completed);
    let genesis = room.trial.keyring.snapshot().state().genesis_sha256();
    let files = room.council.transcript(resolve.id).await.unwrap();
    let verdict = transcript::verify(&files, genesis);
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict:?}");
    // That it was interrupted and resolved is for ever in the key's own transcript.
    let files = room.council.transcript(open.id).await.unwrap();
    let Verdict::ValidWithDeviations(verified) = transcript::verify(&files, genesis) else {
        panic!("no deviation")
    };
    assert_eq!(verified.deviations, [Deviation::Resolved { by: resolve.id }]);
}

fn clearing(open: &Open, leftover: &str) -> String {
    format!("ceremony = \"{}\"\nleftover = \"{leftover}\"\nstatement = \"{}\"\n", open.id, open.statement)
}

/// An adoption that was started by a daemon that ended then.
async fn adoption_cut_off(room: &Room, id: &str) -> Open {
    let open = room.proposed("key.adopt", &adoption("release/linux", id)).await;
    room.arm(&open).await;
    room.started_elsewhere(&open, 0).await;
    assert_eq!(room.step(&open).await, Step::Executing);
    open
}

/// The same key pair under the same name, by people who approve anew.
async fn adopts_anew(room: &Room, id: &str) {
    let again = room.proposed("key.adopt", &adoption("release/linux", id)).await;
    room.arm(&again).await;
    room.execute(&again).await.unwrap();
    for witness in ["wanda", "walter"] {
        room.attests_after(witness, &again).await.unwrap();
    }
    assert_eq!((room.step(&again).await, room.keys().await), (Step::Completed, 1));
    assert!(room.trial.keyring.snapshot().active(&"release/linux".parse().unwrap()).is_some());
}

#[tokio::test]
async fn an_adoption_that_was_cut_off_has_failed_and_is_proposed_anew() {
    let room = Room::new().await;
    let id = room.stranger().await;
    let open = adoption_cut_off(&room, &id).await;
    let twin = room.draft("oskar", template("key.adopt", &adoption("release/mac", &id))).unwrap_err();
    assert_eq!(twin.metadata["guard"], "key-exists");
    room.anew().carry_on().await;
    assert_eq!((room.step(&open).await, room.newest_kind().await), (Step::Failed, "ceremony.failed"));
    let cause = room.council.ceremony(open.id).await.unwrap().cause.unwrap();
    assert!(cause.contains("nothing is adopted"), "{cause}");
    assert!(room.trial.keyring.snapshot().ring(&"release/linux".parse().unwrap()).is_none());
    assert_eq!(room.execute(&open).await.unwrap_err().metadata["guard"], "over");
    adopts_anew(&room, &id).await;
}

#[tokio::test]
async fn an_adoption_that_stands_as_interrupted_is_abandoned() {
    let room = Room::new().await;
    let id = room.stranger().await;
    let open = adoption_cut_off(&room, &id).await;
    // As a daemon of before recorded it.
    let daemon = Actor { id: "signing.example.org".into(), kind: ActorKind::Daemon };
    let step = Ceremony::Interrupted(Turned { ceremony: open.id });
    room.council.append_by(daemon, step, vec![], vec![]).await.unwrap();
    room.anew().carry_on().await;
    let view = room.council.ceremony(open.id).await.unwrap();
    assert_eq!(view.step, Step::Indeterminate);
    assert!(view.lacks[0].contains("must abandon it"), "{:?}", view.lacks);
    let twin = room.draft("oskar", template("key.adopt", &adoption("release/mac", &id))).unwrap_err();
    assert_eq!(twin.metadata["guard"], "key-exists");
    let destroy = room.draft("oskar", template("resolve", &clearing(&open, "destroy"))).unwrap_err();
    assert_eq!((destroy.reason, &*destroy.metadata["guard"]), (Reason::StatementRefused, "nothing-left"));

    let resolve = room.proposed("resolve", &clearing(&open, "abandon")).await;
    for officer in ["ada", "carol"] {
        room.approves(officer, &resolve).await.unwrap();
    }
    room.attests("wanda", &resolve).await.unwrap();
    room.attests_after("wanda", &resolve).await.unwrap();
    assert_eq!((room.step(&resolve).await, room.step(&open).await), (Step::Completed, Step::Failed));
    assert_eq!(room.keys().await, 1, "it is somebody's key, and stays where it is");
    let genesis = room.trial.keyring.snapshot().state().genesis_sha256();
    let verdict = transcript::verify(&room.council.transcript(resolve.id).await.unwrap(), genesis);
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict:?}");
    adopts_anew(&room, &id).await;
}

#[tokio::test]
async fn a_stop_is_lifted_by_a_ceremony() {
    let room = Room::new().await;
    let index = room.trial.bring("release/linux").await;
    let name: proto::name::KeyName = "release/linux".parse().unwrap();
    let keyring = Arc::clone(&room.trial.keyring);
    let stops = vec![proto::term::Term::Key(name.clone())];
    let actor = Actor { id: "rita".into(), kind: ActorKind::Person };
    let body = Body::Stopped { act: None, target: StopTarget::Key(name.clone()) };
    let fresh = room.trial.log.fresh().unwrap();
    let draft = ControlDraft { stops, ..ControlDraft::new(fresh, actor, body) };
    let stop = room.trial.log.stop(draft).await.unwrap().index.unwrap();
    keyring.at_least(stop).await;
    assert!(stop > index && keyring.snapshot().active(&name).is_none());

    let target = format!("finding = \"it was a drill\"\nkey = \"release/linux\"\nstop = {stop}\n");
    let resume = room.proposed("key.resume", &target).await;
    for officer in ["ada", "bob"] {
        room.approves(officer, &resume).await.unwrap();
    }
    // One veto does not stop what mends an instance.
    room.does("carol", Deed::Veto { statement: resume.statement }).await.unwrap();
    room.attests("wanda", &resume).await.unwrap();
    room.attests_after("wanda", &resume).await.unwrap();
    assert_eq!(room.step(&resume).await, Step::Completed);
    assert_eq!(keyring.snapshot().active(&name).unwrap().version, 1);
    assert!(room.trial.log.stops_nothing());
    assert_eq!(room.newest().await.lifts.len(), 1);
    let files = room.council.transcript(resume.id).await.unwrap();
    let verdict = transcript::verify(&files, keyring.snapshot().state().genesis_sha256());
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict:?}");
}

#[tokio::test]
async fn a_witness_who_saw_something_else_ends_it() {
    let room = Room::new().await;
    let open = room.proposed("key.generate", &new_key("release/linux")).await;
    room.arm(&open).await;
    room.execute(&open).await.unwrap();
    let outcome = Some(room.outcome(&open).await);
    let (decision, statement) = (Decision::Refuse, open.statement);
    room.does("wanda", Deed::Attest { decision, outcome, statement }).await.unwrap();
    assert_eq!(room.step(&open).await, Step::Failed);
    assert!(room.trial.keyring.snapshot().ring(&"release/linux".parse().unwrap()).is_none());
    let refusal = room.council.transcript(open.id).await.unwrap_err();
    assert_eq!(refusal.metadata["guard"], "not-completed");
}

/// Grants that let one more caller in.
fn more(room: &Room) -> String {
    let held = std::fs::read_to_string(room.trial.state().with_file_name("grants.cedar")).unwrap();
    format!(
        "{held}@id(\"guest\")\npermit (principal == Caller::\"spiffe://example.org/guest\", action, resource);\n"
    )
}

#[tokio::test]
async fn grants_are_changed_by_two_officers_and_are_there_after_a_restart() {
    let room = Room::new().await;
    let keyring = Arc::clone(&room.trial.keyring);
    let text = more(&room);
    let guest = crate::policy::caller::Caller::parse("spiffe://example.org/guest").unwrap();
    assert!(!keyring.snapshot().admits(&guest));
    let (grants, replaces) = (Hash::of(text.as_bytes()), keyring.snapshot().state().grants().sha256);
    let target = format!("grants = \"{grants}\"\nreplaces = \"{replaces}\"\n");
    let statement = room.draft("ada", template("grant.change", &target)).unwrap();
    // Without its document, with another one, and with rules that are none.
    let with = |text: &str| [("grants".to_owned(), text.as_bytes().to_vec())].into();
    for documents in [Default::default(), with("other"), [("roster".to_owned(), vec![1])].into()] {
        let refusal = room.propose_with(&statement, &documents).await.map(|_| ()).unwrap_err();
        assert_eq!(refusal.reason, Reason::StatementInvalid, "{refusal}");
    }
    let wrong = "permit (principal, action, resource);\n";
    let other = target.replace(&grants.to_string(), &Hash::of(wrong.as_bytes()).to_string());
    let other = room.draft("ada", template("grant.change", &other)).unwrap();
    let refusal = room.propose_with(&other, &with(wrong)).await.map(|_| ()).unwrap_err();
    assert_eq!(refusal.reason, Reason::StatementInvalid, "{refusal}");

    let open = room.propose_with(&statement, &with(&text)).await.unwrap();
    room.approves("ada", &open).await.unwrap();
    assert!(!keyring.snapshot().admits(&guest));
    room.approves("bob", &open).await.unwrap();
    assert_eq!(room.step(&open).await, Step::Completed);
    assert!(keyring.snapshot().admits(&guest));
    let state = keyring.snapshot().state().clone();
    assert_eq!((state.grants().sha256, state.grants().version), (grants, 2));
    let again = room.draft("ada", template("grant.change", &target)).unwrap_err();
    assert_eq!(again.metadata["guard"], "other-grants");
    let verdict =
        transcript::verify(&room.council.transcript(open.id).await.unwrap(), state.genesis_sha256());
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict:?}");

    // A restart reads the configured file, which is the old one, and finds in the log what is in force.
    let directory = room.trial.state();
    let file = |name: &str| directory.with_file_name(name);
    let loaded = || keyring::load(&file("guardrails.toml"), &file("grants.cedar")).unwrap();
    assert_eq!(loaded().grants, replaces);
    let path = file("grants.cedar");
    let again = keyring::approved(&room.trial.log, &state, Ok(loaded()), &path).await.unwrap();
    assert_eq!((again.grants, again.guardrails), (grants, state.guardrails().sha256));
    // Nothing beside the log is asked.
    assert!(std::fs::read_dir(&directory).unwrap().all(|entry| entry.unwrap().file_name() != "grants"));
}
