//! A wall clock that is stepped while the daemon runs: what it holds up, and who vouches for it.

use std::sync::Arc;
use std::time::Duration;

use ceremonies::act::Deed;
use ceremonies::session::Step;
use ceremonies::transcript::{self, Deviation, Verdict};
use proto::hash::Hash;
use proto::reason::Reason;
use proto::record::Body;
use proto::refusal::Refusal;
use proto::time::Time;

use super::people::{folded, told};
use super::room::{Open, Room, new_key, template};
use crate::clock::{Clock as _, ManualClock};
use crate::council::{Draft, Submitted};
use crate::keyring::trial::everything;

const DAYS: i64 = 24 * 3600;

async fn vouches(room: &Room, person: &str, clock: Time) -> Result<Submitted, Refusal> {
    room.council.submit(&room.signed(person, Deed::AcceptClock { clock })).await
}

#[tokio::test]
async fn a_stepped_clock_enables_nothing_until_an_officer_vouches_for_it() {
    let room = Room::new().await;
    let wall = || room.trial.clock.wall();
    let early = room.signed("ada", Deed::AcceptClock { clock: wall() });
    assert_eq!(told(&room.council.submit(&early).await.unwrap_err()), (Reason::ActRefused, "clock-trusted"));
    let (open, other) = (
        room.proposed("key.generate", &new_key("release/linux")).await,
        room.proposed("key.generate", &new_key("release/mac")).await,
    );
    room.arm(&open).await;
    room.trial.stepped.set(60);
    let size = room.trial.log.head().size;
    assert!(!room.council.time().is_trusted());
    for refused in [
        room.approves("carol", &open).await.unwrap_err(),
        room.execute(&open).await.unwrap_err(),
        vouches(&room, "wanda", wall()).await.unwrap_err(),
        vouches(&room, "ada", wall().later(std::time::Duration::from_secs(90))).await.unwrap_err(),
    ] {
        let expected = [Reason::ClockUntrusted, Reason::ActInvalid, Reason::ActRefused];
        assert!(expected.contains(&refused.reason), "{refused}");
    }
    // Time alone does nothing either.
    room.council.carry_on().await;
    assert_eq!(room.trial.log.head().size, size);
    room.does("carol", Deed::Veto { statement: other.statement }).await.unwrap();
    assert_eq!(room.step(&other).await, Step::Vetoed);

    let signed = room.signed("ada", Deed::AcceptClock { clock: wall() });
    let done = room.council.submit(&signed).await.unwrap();
    let record = room.newest().await;
    assert!(matches!(&record.body, Body::Clock(body) if body.by == "ada"));
    assert!(record.time.clock.is_none() && room.council.time().is_trusted());
    // Stepped again, by less: the same act vouches for nothing twice.
    room.trial.stepped.set(120);
    let again = room.council.submit(&signed).await.unwrap_err();
    assert_eq!(told(&again), (Reason::ActRefused, "replayed"));
    room.trial.stepped.set(-30 * DAYS);
    let behind = vouches(&room, "ada", wall()).await.unwrap_err();
    assert_eq!(told(&behind), (Reason::ActRefused, "clock-behind"));
    room.trial.stepped.set(60);
    assert!(room.council.time().is_trusted());

    room.execute(&open).await.unwrap();
    for witness in ["wanda", "walter"] {
        room.attests_after(witness, &open).await.unwrap();
    }
    let snapshot = room.trial.keyring.snapshot();
    let files = room.council.transcript(open.id).await.unwrap();
    let verdict = transcript::verify(&files, snapshot.state().genesis_sha256());
    let Verdict::ValidWithDeviations(verified) = verdict else { panic!("{verdict}") };
    let accepted = Deviation::ClockAccepted { index: done.index, person: "ada".parse().unwrap() };
    assert_eq!(verified.deviations, [accepted]);
    assert_eq!(&folded(&room).await, snapshot.state());
}

/// A change of the grants that begins so many minutes from now.
async fn begins_in(room: &Room, minutes: u64) -> Open {
    let grants = format!("// another file\n{}", everything());
    let in_force = room.trial.keyring.snapshot().state().grants().sha256;
    let target = format!("grants = \"{}\"\nreplaces = \"{in_force}\"\n", Hash::of(grants.as_bytes()));
    let draft = Draft {
        template: template("grant.change", &target),
        initiator: "oskar".to_owned(),
        justification: None,
        ticket: None,
        not_before: Some(room.trial.clock.wall().later(Duration::from_secs(60 * minutes))),
    };
    let statement = room.council.statement(&draft).unwrap();
    let documents = [("grants".to_owned(), grants.into_bytes())].into();
    let open = room.propose_with(&statement, &documents).await.unwrap();
    for officer in ["ada", "bob"] {
        room.approves(officer, &open).await.unwrap();
    }
    open
}

#[tokio::test]
async fn what_starts_by_itself_begins_by_the_logs_time_and_not_by_a_wall_clock_that_is_not_believed() {
    let clock = Arc::new(ManualClock::default());
    let room = Room::at(&clock).await;
    let start = clock.wall();
    let open = begins_in(&room, 30).await;
    let size = room.trial.log.head().size;
    let follows = async || {
        let turn = room.council.turn.lock().await;
        room.council.follow_up(turn, open.id).await
    };
    // An hour ahead by the wall clock alone: it is nobody's time to begin, so nothing is tried in vain.
    clock.set(start.later(Duration::from_secs(3600)));
    assert!(!room.council.time().is_trusted());
    follows().await.unwrap();
    assert_eq!((room.step(&open).await, room.trial.log.head().size), (Step::Armed, size));
    clock.set(start);
    clock.advance(Duration::from_secs(29 * 60));
    follows().await.unwrap();
    assert_eq!((room.step(&open).await, room.trial.log.head().size), (Step::Armed, size));
    clock.advance(Duration::from_secs(61));
    follows().await.unwrap();
    assert_eq!(room.step(&open).await, Step::Completed);
}

#[tokio::test]
async fn an_act_that_is_over_by_the_logs_time_opens_nothing_by_a_wall_clock_that_was_set_back() {
    let clock = Arc::new(ManualClock::default());
    let room = Room::at(&clock).await;
    let start = clock.wall();
    let statement = room.draft("oskar", template("key.generate", &new_key("release/linux"))).unwrap();
    let act = room.signed("oskar", Deed::Propose { statement: statement.digest() });
    clock.advance(Duration::from_secs(3601));
    clock.set(start);
    assert!(!room.council.time().is_trusted());
    let size = room.trial.log.head().size;
    let late = room.council.propose(&statement.encode(), &act, &Default::default()).await.unwrap_err();
    assert_eq!((told(&late), room.trial.log.head().size), ((Reason::ActRefused, "act-expired"), size));
}

#[tokio::test]
async fn officers_who_have_not_acted_for_half_a_year_are_missed() {
    const HOUR: Duration = Duration::from_secs(3600);
    let clock = Arc::new(ManualClock::default());
    let room = Room::at(&clock).await;
    let counted = || {
        let present = room.council.officers();
        (present.acted, present.wanted, present.is_few())
    };
    // All of them signed the genesis.
    assert_eq!(counted(), (3, 3, false));
    clock.advance(180 * 24 * HOUR - HOUR);
    let open = room.proposed("key.generate", &new_key("release/linux")).await;
    for officer in ["ada", "bob"] {
        room.approves(officer, &open).await.unwrap();
    }
    assert_eq!(counted(), (3, 3, false));
    clock.advance(2 * HOUR);
    assert_eq!(counted(), (2, 3, true));
    let open = room.proposed("key.generate", &new_key("release/windows")).await;
    room.approves("carol", &open).await.unwrap();
    assert_eq!(counted(), (3, 3, false));
    // Whoever is no officer is not one of them, and nor is who is suspended.
    room.attests("walter", &open).await.unwrap();
    room.council.submit(&room.signed("ada", Deed::Suspend { person: "bob".parse().unwrap() })).await.unwrap();
    assert_eq!(counted(), (2, 3, true));
    // A start finds the same.
    assert_eq!(room.anew().officers(), room.council.officers());
}
