//! By which rules: one version of the guardrails follows another, tighter at once, looser after a day without a veto.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ceremonies::act::Deed;
use ceremonies::amendment;
use ceremonies::session::Step;
use ceremonies::statement::Target;
use ceremonies::transcript::{self, Governs, Verdict};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use proto::algorithm::HashAlgorithm;
use proto::digest::{Digest, Digests};
use proto::hash::Hash;
use proto::reason::Reason;
use proto::record::ceremony::{Ceremony, Decided, Effect, NoEffect};
use proto::record::{Body, Record};
use proto::refusal::Refusal;
use proto::time::Time;

use super::people::{after, folded, held, told};
use super::room::{Open, Room, new_key, template};
use crate::clock::{Clock as _, ManualClock};
use crate::council::Council;
use crate::keyring;
use crate::keyring::trial::everything;
use crate::policy::caller::Caller;
use crate::policy::facts::{Action, Facts, Resource};

const HOUR: Duration = Duration::from_secs(3600);

const FORBID: &str = "@id(\"nobody-signs\")\nforbid (principal, action == Action::\"sign\", resource);\n";

type Documents = BTreeMap<String, Vec<u8>>;

/// Guardrails that forbid to sign.
fn forbidding() -> (String, Documents) {
    let sha256 = Hash::of(FORBID.as_bytes());
    let text =
        format!("[forbid]\nfile = \"forbid.cedar\"\nsha256 = \"{sha256}\"\n[log]\nleaves = \"private\"\n");
    (text, [(amendment::name(&sha256), FORBID.into())].into())
}

/// Guardrails by which a key signs so often a day.
fn often(total: u32) -> (String, Documents) {
    let text = format!("[log]\nleaves = \"private\"\n[quota.key.\"*\"]\ntotal = {total}\nwindow = \"24h\"\n");
    (text, Documents::new())
}

/// The guardrails that the trial began with.
fn first() -> (String, Documents) {
    ("[log]\nleaves = \"private\"\n".to_owned(), Documents::new())
}

fn target(room: &Room, text: &str, loosens: bool) -> String {
    let version = room.trial.keyring.snapshot().state().guardrails().version + 1;
    let sha256 = Hash::of(text.as_bytes());
    format!("guardrails = {{ version = {version}, sha256 = \"{sha256}\" }}\nloosens = {loosens}\n")
}

async fn proposed(room: &Room, (text, files): &(String, Documents), loosens: bool) -> Result<Open, Refusal> {
    let statement = room.draft("oskar", template("policy.change", &target(room, text, loosens)))?;
    let mut documents = files.clone();
    documents.insert("guardrails.next".to_owned(), text.clone().into_bytes());
    room.propose_with(&statement, &documents).await
}

/// A change that these officers approved and wanda attested, before and after.
async fn attested(room: &Room, text: &(String, Documents), loosens: bool) -> Open {
    let open = proposed(room, text, loosens).await.unwrap();
    for officer in ["ada", "bob"] {
        room.approves(officer, &open).await.unwrap();
    }
    room.attests("wanda", &open).await.unwrap();
    room.attests_after("wanda", &open).await.unwrap();
    open
}

/// Whether somebody may sign something, as the rules in force say.
fn may_sign(room: &Room) -> bool {
    let snapshot = room.trial.keyring.snapshot();
    let caller = Arc::new(Caller::unix(rustix::process::getuid().as_raw()));
    let resource = Resource {
        key: "release/linux".parse().unwrap(),
        purpose: proto::purpose::Purpose::new(["blob".parse().unwrap()]).unwrap(),
        owner: "team".to_owned(),
    };
    let digests = Digests::new(vec![Digest::of(HashAlgorithm::Sha256, b"a message")]).unwrap();
    let facts = Facts::new("blob".parse().unwrap(), digests);
    snapshot.decide(&caller, &Action::Sign, Some(&resource), Some(&facts)).is_ok()
}

fn guardrails(room: &Room) -> (u64, Hash) {
    let in_force = room.trial.keyring.snapshot().state().guardrails();
    (in_force.version, in_force.sha256)
}

async fn verdict(room: &Room, open: &Open) -> String {
    let files = room.council.transcript(open.id).await.unwrap();
    let verdict = transcript::verify(&files, room.trial.keyring.snapshot().state().genesis_sha256());
    assert!(!matches!(verdict, Verdict::Invalid(_)), "{verdict}");
    verdict.to_string()
}

#[tokio::test]
async fn what_makes_rules_tighter_is_in_force_with_its_last_attestation() {
    let clock = Arc::new(ManualClock::default());
    let room = Room::at(&clock).await;
    let waiting = room.proposed("key.generate", &new_key("release/waiting")).await;
    assert!(may_sign(&room));
    let size = room.trial.log.head().size;
    let (text, files) = forbidding();
    // What the statement says of it is held against both texts before anything is recorded.
    let refusal = proposed(&room, &(text.clone(), files.clone()), true).await.map(drop).unwrap_err();
    assert_eq!(told(&refusal), (Reason::StatementRefused, "no-amendment"));
    assert!(refusal.message.contains("`target.loosens` is true, and it must be false"), "{refusal}");
    for (without, files) in [
        ("file.", Documents::new()),
        ("names no document", Documents::from([("roster".to_owned(), vec![1])])),
    ] {
        let refusal = proposed(&room, &(text.clone(), files), false).await.map(drop).unwrap_err();
        assert!(refusal.message.contains(without), "{refusal}");
    }
    let mut strange = files.clone();
    strange.insert(amendment::name(&Hash::of(b"x")), b"x".to_vec());
    let refusal = proposed(&room, &(text.clone(), strange), false).await.map(drop).unwrap_err();
    assert!(refusal.message.contains("names no document"), "{refusal}");
    let stuck = (format!("{text}[ceremony.\"roster.change\"]\nwitnesses = 3\n"), files.clone());
    let refusal = proposed(&room, &stuck, false).await.map(drop).unwrap_err();
    assert!(refusal.message.contains("nobody could hold a `roster.change`"), "{refusal}");
    let broken = (format!("{text}[ceremony.\"key.generate\"]\nwitnesses = 0\n"), files.clone());
    let refusal = proposed(&room, &broken, true).await.map(drop).unwrap_err();
    assert!(refusal.message.contains("at least one witness must attest"), "{refusal}");
    assert_eq!(room.trial.log.head().size, size, "refusals leave no record");

    let open = attested(&room, &(text.clone(), files), false).await;
    assert_eq!(room.step(&open).await, Step::Completed);
    assert_eq!(guardrails(&room), (2, Hash::of(text.as_bytes())));
    assert!(!may_sign(&room));
    assert_eq!(room.step(&waiting).await, Step::Superseded);
    assert_eq!(verdict(&room, &open).await, "VALID (rehearsal: it counts for nothing)");
    assert_eq!(&folded(&room).await, room.trial.keyring.snapshot().state());
    // What is proposed from now on is held by them, and its transcript holds the ceremony that made them.
    let key = room.proposed("key.generate", &new_key("release/linux")).await;
    room.arm(&key).await;
    room.execute(&key).await.unwrap();
    for witness in ["wanda", "walter"] {
        room.attests_after(witness, &key).await.unwrap();
    }
    verdict(&room, &key).await;
    let files = room.council.transcript(key.id).await.unwrap();
    assert!(files.contains_key("guardrails/2/statement.json"));
}

/// A start reads what is in force from the log alone, whatever lies where the configuration points.
#[tokio::test]
async fn guardrails_and_grants_of_ceremonies_are_in_the_log_and_nowhere_else() {
    let room = Room::at(&Arc::new(ManualClock::default())).await;
    let file = |name: &str| room.trial.state().with_file_name(name);
    let configured = || keyring::load(&file("guardrails.toml"), &file("grants.cedar"));
    let state = || room.trial.keyring.snapshot().state().clone();
    let read = async |from| keyring::approved(&room.trial.log, &state(), from, &file("grants.cedar")).await;
    let before = read(configured()).await.unwrap();
    assert_eq!((before.guardrails, before.grants), (state().guardrails().sha256, state().grants().sha256));
    let lost = || keyring::load(Path::new("/nowhere"), Path::new("/nowhere"));
    assert!(
        read(lost()).await.is_err(),
        "what genesis names is not in the log: its files are the configured ones"
    );

    attested(&room, &forbidding(), false).await;
    for from in [configured(), lost()] {
        let loaded = read(from).await.unwrap();
        assert_eq!(
            (loaded.guardrails, loaded.grants),
            (state().guardrails().sha256, state().grants().sha256)
        );
        assert_eq!(loaded.text, forbidding().0);
        assert_eq!(
            loaded.forbidding(),
            Some((amendment::name(&Hash::of(FORBID.as_bytes())), FORBID.to_owned()))
        );
    }
    let grants = "@id(\"other\")\npermit (principal == Caller::\"unix:7\", action, resource);\n";
    let (next, replaces) = (Hash::of(grants.as_bytes()), state().grants().sha256);
    let statement = room
        .draft("ada", template("grant.change", &format!("grants = \"{next}\"\nreplaces = \"{replaces}\"\n")));
    let documents = [("grants".to_owned(), grants.as_bytes().to_vec())].into();
    let open = room.propose_with(&statement.unwrap(), &documents).await.unwrap();
    for officer in ["ada", "bob"] {
        room.approves(officer, &open).await.unwrap();
    }
    std::fs::remove_file(file("grants.cedar")).unwrap();
    let loaded = read(lost()).await.unwrap();
    assert_eq!((loaded.guardrails, loaded.grants), (state().guardrails().sha256, next));
}

#[tokio::test]
async fn what_makes_rules_looser_is_in_force_after_a_day_also_across_a_restart() {
    let clock = Arc::new(ManualClock::default());
    let room = Room::at(&clock).await;
    attested(&room, &forbidding(), false).await;
    let since = clock.wall();
    let open = attested(&room, &first(), true).await;
    assert_eq!((room.step(&open).await, may_sign(&room)), (Step::Waiting, false));
    let view = room.council.ceremony(open.id).await.unwrap();
    assert_eq!((view.due, view.witnesses), (Some(since.later(24 * HOUR)), vec!["wanda".to_owned()]));
    // A clock that stands beyond that day when the daemon starts is not believed.
    let due = |mark: Time| room.trial.keyring.snapshot().state().due(mark);
    assert_eq!((due(since), due(since.later(24 * HOUR))), (Some(since.later(24 * HOUR)), None));
    let (size, in_force) = (room.trial.log.head().size, guardrails(&room));
    for _ in 0..3 {
        clock.advance(8 * HOUR - Duration::from_secs(1));
        room.council.carry_on().await;
        assert_eq!((room.step(&open).await, guardrails(&room)), (Step::Waiting, in_force));
    }
    assert_eq!(room.trial.log.head().size, size, "waiting leaves no record");
    // A clock that jumps ends no waiting.
    clock.step(24 * HOUR);
    room.anew().carry_on().await;
    assert_eq!((guardrails(&room), may_sign(&room)), (in_force, false));
    clock.set(since.later(24 * HOUR - Duration::from_secs(3)));
    clock.advance(Duration::from_secs(3));
    room.anew().carry_on().await;
    assert_eq!(room.step(&open).await, Step::Completed);
    assert_eq!((guardrails(&room), may_sign(&room)), ((3, Hash::of(first().0.as_bytes())), true));
    assert_eq!(verdict(&room, &open).await, "VALID (rehearsal: it counts for nothing)");
    assert_eq!(&folded(&room).await, room.trial.keyring.snapshot().state());
    let made: Vec<_> = room.trial.keyring.snapshot().state().made().iter().map(|made| made.what).collect();
    assert_eq!(made, [Governs::Guardrails(2), Governs::Guardrails(3)]);
}

#[tokio::test]
async fn one_veto_keeps_looser_rules_from_coming_into_force_for_ever() {
    let clock = Arc::new(ManualClock::default());
    let room = Room::at(&clock).await;
    attested(&room, &often(1), false).await;
    for who in ["carol", "walter", "ada"] {
        let open = attested(&room, &often(2), true).await;
        clock.advance(23 * HOUR);
        room.does(who, Deed::Veto { statement: open.statement }).await.unwrap();
        assert_eq!(room.step(&open).await, Step::Vetoed);
        clock.advance(48 * HOUR);
        room.council.carry_on().await;
        assert_eq!((room.step(&open).await, guardrails(&room).0), (Step::Vetoed, 2));
        let refusal = room.council.transcript(open.id).await.unwrap_err();
        assert_eq!(refusal.metadata["guard"], "not-completed");
    }
    // Once it is in force nobody takes it back but by the next change.
    let open = attested(&room, &often(2), true).await;
    clock.advance(24 * HOUR);
    room.council.carry_on().await;
    let late = room.does("carol", Deed::Veto { statement: open.statement }).await.unwrap_err();
    assert_eq!(told(&late), (Reason::ActRefused, "over"));
    assert_eq!(guardrails(&room).0, 3);
}

#[tokio::test]
async fn of_two_versions_that_would_follow_the_same_one_comes() {
    let clock = Arc::new(ManualClock::default());
    let room = Room::at(&clock).await;
    attested(&room, &often(1), false).await;
    // Two that wait; and one that makes it tighter and need not.
    let (one, two) = (attested(&room, &often(2), true).await, attested(&room, &often(3), true).await);
    clock.advance(24 * HOUR);
    room.council.carry_on().await;
    let mut steps = [room.step(&one).await, room.step(&two).await];
    steps.sort();
    assert_eq!((steps, guardrails(&room).0), ([Step::Completed, Step::Superseded], 3));
    let (waits, tight) = (attested(&room, &first(), true).await, attested(&room, &often(1), false).await);
    assert_eq!((room.step(&waits).await, room.step(&tight).await), (Step::Superseded, Step::Completed));
    clock.advance(48 * HOUR);
    room.council.carry_on().await;
    assert_eq!(guardrails(&room), (4, Hash::of(often(1).0.as_bytes())));
    assert_eq!(&folded(&room).await, room.trial.keyring.snapshot().state());
}

/// Other grants, which two officers put in force.
async fn granted(room: &Room, grants: &str) {
    let in_force = room.trial.keyring.snapshot().state().grants().sha256;
    let target = format!("grants = \"{}\"\nreplaces = \"{in_force}\"\n", Hash::of(grants.as_bytes()));
    let statement = room.draft("oskar", template("grant.change", &target)).unwrap();
    let documents = [("grants".to_owned(), grants.as_bytes().to_vec())].into();
    let open = room.propose_with(&statement, &documents).await.unwrap();
    for officer in ["ada", "bob"] {
        room.approves(officer, &open).await.unwrap();
    }
    assert_eq!(room.step(&open).await, Step::Completed);
}

#[tokio::test]
async fn guardrails_that_clash_with_grants_that_came_meanwhile_have_failed_and_say_why() {
    let clock = Arc::new(ManualClock::default());
    let room = Room::at(&clock).await;
    attested(&room, &often(1), false).await;
    let waits = attested(&room, &forbidding(), true).await;
    assert_eq!(room.step(&waits).await, Step::Waiting);
    let clash = "@id(\"nobody-signs\")\npermit (principal == Caller::\"unix:1\", action, resource);\n";
    granted(&room, &format!("{}{clash}", everything())).await;
    clock.advance(24 * HOUR);
    room.council.carry_on().await;
    assert_eq!((room.step(&waits).await, room.newest_kind().await), (Step::Failed, "ceremony.failed"));
    let Body::Ceremony(Ceremony::Failed(failed)) = room.newest().await.body else { panic!("no failure") };
    assert_eq!(failed.reason, Some(NoEffect::RulesClash));
    assert!(
        failed.cause.contains("nobody-signs") && failed.cause.contains("given twice"),
        "{}",
        failed.cause
    );
    let cause = room.council.ceremony(waits.id).await.unwrap().cause.unwrap();
    assert_eq!(cause, format!("rules-clash: {}", failed.cause));
    // It is over: nothing is tried again, also by another process, and nobody has to end it.
    let size = room.trial.log.head().size;
    room.council.carry_on().await;
    room.anew().carry_on().await;
    let late = room.does("carol", Deed::Veto { statement: waits.statement }).await.unwrap_err();
    assert_eq!((told(&late), room.trial.log.head().size), ((Reason::ActRefused, "over"), size));
    assert_eq!((guardrails(&room).0, may_sign(&room)), (2, true));
    assert!(room.council.transcript(waits.id).await.is_err());
    assert_eq!(&folded(&room).await, room.trial.keyring.snapshot().state());
    // What does not clash follows the same version.
    let other = attested(&room, &often(2), true).await;
    clock.advance(24 * HOUR);
    room.council.carry_on().await;
    assert_eq!((room.step(&other).await, guardrails(&room).0), (Step::Completed, 3));
}

/// One officer against all others: alone he makes nothing looser, and he stops them from making it tighter for as long as they
/// let him be one.
#[tokio::test]
async fn a_rogue_officer_loosens_nothing_alone_and_keeps_nobody_from_tightening_for_ever() {
    let clock = Arc::new(ManualClock::default());
    let room = Room::at(&clock).await;
    let more = after(&room, |document| {
        let mut new = document.people.iter().find(|person| person.person == "carol").unwrap().clone();
        (new.person, new.name) = ("dora".into(), "dora".into());
        new.keys = vec![super::people::key("dora").public().to_string()];
        document.people.push(new);
    });
    let open = super::people::proposed(&room, "oskar", &more).await.unwrap();
    held(&room, &open, &["ada", "bob"]).await;
    attested(&room, &often(2), false).await;

    let loose = proposed(&room, &first(), true).await.unwrap();
    room.approves("carol", &loose).await.unwrap();
    let twice = room.approves("carol", &loose).await.map(drop);
    assert!(twice.is_ok(), "a newer approval of his takes the place of the one before");
    clock.advance(HOUR);
    room.council.carry_on().await;
    assert_eq!(room.step(&loose).await, Step::Expired);
    assert_eq!(guardrails(&room).0, 2);

    for _ in 0..2 {
        let tight = proposed(&room, &often(1), false).await.unwrap();
        room.does("carol", Deed::Veto { statement: tight.statement }).await.unwrap();
        assert_eq!(room.step(&tight).await, Step::Vetoed);
    }
    let without = after(&room, |document| document.people.retain(|person| person.person != "carol"));
    let removal = super::people::proposed(&room, "oskar", &without).await.unwrap();
    let own = room.does("carol", Deed::Veto { statement: removal.statement }).await.unwrap_err();
    assert_eq!(told(&own).1, "own-removal");
    held(&room, &removal, &["ada", "bob"]).await;
    let tight = attested(&room, &often(1), false).await;
    assert_eq!((room.step(&tight).await, guardrails(&room).0), (Step::Completed, 3));
    verdict(&room, &tight).await;
}

/// What happens in a history.
#[derive(Clone, Debug)]
enum Move {
    /// Guardrails by which a key signs so often are proposed, as they are.
    Propose(u32),
    /// The same, and everybody does what it takes.
    Whole(u32),
    /// The first people of the room do what is asked of them in a ceremony.
    Arm(prop::sample::Index),
    After(prop::sample::Index),
    Veto(prop::sample::Index, usize),
    Wait(u32),
    /// Another daemon carries on.
    Restart,
    Tick,
    /// The wall clock says something else, or the truth again.
    Jump(u32),
    Right,
}

fn moves() -> impl Strategy<Value = Move> {
    let any = any::<prop::sample::Index>;
    prop_oneof![
        2 => (1..5u32).prop_map(Move::Propose),
        5 => (1..5u32).prop_map(Move::Whole),
        3 => any().prop_map(Move::Arm),
        3 => any().prop_map(Move::After),
        1 => (any(), 0..5usize).prop_map(|(which, who)| Move::Veto(which, who)),
        5 => prop_oneof![1 => 1..20u32, 3 => 24..30u32].prop_map(Move::Wait),
        1 => Just(Move::Restart),
        4 => Just(Move::Tick),
        1 => (1..40u32).prop_map(Move::Jump),
        2 => Just(Move::Right),
    ]
}

/// Plays a history, and gives the statements of what was opened.
async fn play(room: &Room, clock: &ManualClock, moves: &[Move]) -> Vec<Open> {
    let (mut opened, mut is): (Vec<Open>, Option<u32>) = (Vec::new(), None);
    let mut truth = clock.wall();
    let mut council: Arc<Council> = Arc::clone(&room.council);
    for turn in moves {
        let in_force = guardrails(room).1;
        is = (1..5).find(|total| Hash::of(often(*total).0.as_bytes()) == in_force).or(is);
        match turn {
            Move::Propose(total) => {
                let loosens = is.is_some_and(|is| *total > is);
                if let Ok(open) = proposed(room, &often(*total), loosens).await {
                    opened.push(open);
                }
            }
            Move::Whole(total) => {
                let loosens = is.is_some_and(|is| *total > is);
                if let Ok(open) = proposed(room, &often(*total), loosens).await {
                    for officer in ["ada", "bob"] {
                        let _ = room.approves(officer, &open).await;
                    }
                    let _ = room.attests("wanda", &open).await;
                    if room.step(&open).await == Step::Executed {
                        let _ = room.attests_after("wanda", &open).await;
                    }
                    opened.push(open);
                }
            }
            Move::Arm(which) if !opened.is_empty() => {
                let open = which.get(&opened);
                // What is refused has no effect.
                for officer in ["ada", "bob"] {
                    let _ = room.approves(officer, open).await;
                }
                let _ = room.attests("wanda", open).await;
            }
            Move::After(which) if !opened.is_empty() => {
                let open = which.get(&opened);
                if room.step(open).await == Step::Executed {
                    let _ = room.attests_after("wanda", open).await;
                }
            }
            Move::Veto(which, who) if !opened.is_empty() => {
                let who = ["carol", "walter", "wanda", "rita", "oskar"][*who];
                let _ = room.does(who, Deed::Veto { statement: which.get(&opened).statement }).await;
            }
            Move::Wait(hours) => {
                clock.advance(*hours * HOUR);
                truth = truth.later(*hours * HOUR);
            }
            Move::Restart => council = room.anew(),
            Move::Tick => council.carry_on().await,
            Move::Jump(hours) => clock.step(*hours * HOUR),
            Move::Right => clock.set(truth),
            _ => {}
        }
    }
    council.carry_on().await;
    opened
}

/// C6 and C8 from the log alone: versions without gaps, each made by one ceremony; what makes something looser a day after its
/// last attestation, by the times that the log gave while it trusted its clock, and without a veto in between.
async fn judge(room: &Room, opened: &[Open]) -> (u32, u32) {
    let (mut tighter, mut looser, mut version) = (0, 0, 1);
    let mut attested: BTreeMap<String, Time> = BTreeMap::new();
    let mut vetoed: Vec<String> = Vec::new();
    for stored in room.trial.log.records(0, u64::MAX).await.unwrap() {
        let Ok(Record::Control(record)) = Record::parse(&stored.leaf) else { continue };
        let (sealed, trusted) = (record.time.sealed, record.time.clock.is_none());
        match record.body {
            Body::Ceremony(Ceremony::Acted(act)) => {
                let id = act.ceremony.to_string();
                match act.decision {
                    Decided::AttestAfter if trusted => drop(attested.insert(id, sealed)),
                    Decided::Veto if attested.contains_key(&id) => vetoed.push(id),
                    _ => {}
                }
            }
            Body::Ceremony(Ceremony::Completed(completed)) => {
                let Effect::Guardrails { version: next, .. } = completed.effect else { continue };
                version += 1;
                assert_eq!(next, version, "C6: a gap");
                let id = completed.ceremony.to_string();
                let held = room
                    .trial
                    .keyring
                    .snapshot()
                    .state()
                    .sessions()
                    .find(completed.ceremony)
                    .cloned()
                    .unwrap();
                let Target::PolicyChange(change) = held.session.statement().target() else { unreachable!() };
                assert!(opened.iter().any(|open| open.id == completed.ceremony));
                if change.loosens {
                    assert!(
                        sealed >= attested[&id].later(24 * HOUR),
                        "C8: {id} came into force within a day"
                    );
                    assert!(!vetoed.contains(&id), "C8: {id} was vetoed");
                    looser += 1;
                } else {
                    tighter += 1;
                }
            }
            _ => {}
        }
    }
    assert_eq!(guardrails(room).0, version);
    (tighter, looser)
}

#[test]
fn no_history_puts_looser_guardrails_in_force_within_a_day() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let cases = if std::env::var_os("COUNTERSIGN_FULL").is_some() { 400 } else { 16 };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let reached = std::cell::Cell::new((0, 0));
    let run = TestRunner::new(config).run(&prop::collection::vec(moves(), 30..60), |moves| {
        runtime.block_on(async {
            let clock = Arc::new(ManualClock::default());
            let room = Room::at(&clock).await;
            let opened = play(&room, &clock, &moves).await;
            let (tighter, looser) = judge(&room, &opened).await;
            assert_eq!(&folded(&room).await, room.trial.keyring.snapshot().state());
            reached.set((reached.get().0 + tighter, reached.get().1 + looser));
        });
        Ok(())
    });
    if let Err(error) = run {
        panic!("{error}");
    }
    assert!(
        reached.get().0 > 2 && reached.get().1 > 2,
        "histories that get nowhere say nothing: {reached:?}"
    );
}
