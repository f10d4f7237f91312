//! What time does: a clock that the daemon does not believe, from the start that finds it to the officer who vouches for it, and
//! witnesses who stay silent; by the daemon's services under a clock that the test moves.

use std::sync::Arc;
use std::time::Duration;

use ceremonies::act::{Act, Decision, Deed};
use ceremonies::transcript::{Verdict, verify};
use daemon::clock::{Clock, ManualClock, SystemClock};
use proto::reason::Reason;
use proto::time::Time;
use proto::wire::v1::CeremonyState as State;
use tests::inside::Inside;
use tests::world::Plan;

use crate::adopt::adoption;
use crate::destroy::{destruction, left};
use crate::people::refused;
use crate::room::{Open, Room, new_key, told};
use crate::suspend::{suspended, suspends};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Signs a deed at a desk whose clock shows this time.
fn at(room: &Room, time: Time, person: &str, deed: Deed) -> Result<u64, tonic::Status> {
    let act = Act { expires: time.later(Duration::from_secs(3600)), ..room.act(deed) };
    room.submit(room.sign(person, &act))
}

fn approve(open: &Open) -> Deed {
    Deed::Approve { decision: Decision::Accept, statement: open.digest() }
}

#[test]
fn a_clock_far_ahead_at_a_start_enables_nothing_until_an_officer_vouches_for_it() {
    let room = Room::of(Plan::new().make(), None);
    // By then, however long it took to make: a clock behind its log is not believed.
    let clock = Arc::new(ManualClock::new(SystemClock::start().wall()));
    let start = |room: &Room| room.wait(Inside::start(&room.world, Arc::clone(&clock)));
    let inside = start(&room);
    let [open, other] = ["release/linux", "release/mac"].map(|key| room.proposed(&new_key(key, "software")));
    at(&room, clock.wall(), "ada", approve(&open)).unwrap();
    room.wait(inside.end());

    // Nine days later, as the machine says: more than a week is not believed.
    clock.advance(9 * DAY);
    let inside = start(&room);
    let state = room.instance().clock.unwrap();
    assert!(!state.trusted && state.wall != state.used, "{state:?}");
    let size = room.head().size;
    let now = clock.wall();
    let status = at(&room, now, "bob", approve(&open)).unwrap_err();
    assert_eq!(told(&status), (Reason::ClockUntrusted, "clock-untrusted".to_owned()));
    let status = room.draft("oskar", &new_key("release/ios", "software")).unwrap_err();
    assert_eq!(told(&status).0, Reason::ClockUntrusted);
    assert_eq!(room.head().size, size);
    // What protects goes on, and is marked.
    at(&room, now, "carol", Deed::Veto { statement: other.digest() }).unwrap();
    suspends(&room, "carol", "rita").unwrap();
    assert_eq!(suspended(&room).0, ["rita"]);
    let records = room.world.ledger().records;
    assert!(records.iter().rev().take(2).all(|record| record.body["time"]["clock"] == "untrusted"));

    // By the program: this machine's own clock is another one, so nothing is signed.
    let said =
        refused(&room, "ada", &["ceremony", "accept-clock", "--reason", "the machine was off", "--yes"]);
    assert!(said.contains("one of them is wrong, and nothing was signed"), "{said}");
    let size = room.head().size;
    let vouches = |person: &str, clock: Time| at(&room, now, person, Deed::AcceptClock { clock });
    for (person, clock, guard) in [
        ("wanda", now, ""),
        ("ada", now.earlier(DAY), "other-clock"),
        ("ada", now.later(Duration::from_secs(61)), "other-clock"),
        ("rita", now, ""),
    ] {
        assert_eq!(told(&vouches(person, clock).unwrap_err()).1, guard, "{person}");
    }
    assert_eq!(room.head().size, size);
    let index = vouches("ada", now).unwrap();
    let record = &room.world.ledger().records[usize::try_from(index).unwrap()].body;
    assert_eq!((record["kind"].as_str(), record["body"]["by"].as_str()), (Some("clock"), Some("ada")));
    assert_eq!(
        (record["time"]["sealed"].as_str(), record["time"]["clock"].as_str()),
        (Some(now.to_string().as_str()), None)
    );
    assert!(room.instance().clock.unwrap().trusted);
    assert_eq!(told(&vouches("ada", now).unwrap_err()).1, "clock-trusted");

    // What was open is over: nine days have passed. A new one goes its way, by the daemon of now and by the next one.
    let status = at(&room, now, "bob", approve(&open)).unwrap_err();
    assert_eq!(told(&status), (Reason::ActRefused, "expired".to_owned()));
    let statement = room.draft("oskar", &new_key("release/ios", "software")).unwrap();
    let propose = Deed::Propose { statement: statement.digest() };
    let act = Act { expires: now.later(Duration::from_secs(3600)), ..room.act(propose) };
    let ceremony = room.send_proposal(statement.encode(), room.sign("oskar", &act)).unwrap();
    let open = Open { id: ceremony.id, statement };
    at(&room, now, "ada", approve(&open)).unwrap();
    room.wait(inside.end());
    let inside = start(&room);
    assert!(room.instance().clock.unwrap().trusted);
    at(&room, now, "bob", approve(&open)).unwrap();
    room.wait(inside.end());
}

/// The other half of scenario 18.
#[test]
fn s18_what_nobody_attests_for_four_hours_is_quarantined_and_destroyed_by_a_ceremony() {
    const KEY: &str = "release/linux";
    const MINUTE: Duration = Duration::from_secs(60);
    let room = Room::of(Plan::new().make(), None);
    let clock = Arc::new(ManualClock::new(SystemClock::start().wall()));
    let room = room.under(&clock);
    let start = |room: &Room| room.wait(Inside::start(&room.world, Arc::clone(&clock)));
    let inside = start(&room);
    let open = room.proposed(&new_key(KEY, "software"));
    room.arm(&open);
    room.executes(&open).unwrap();
    // One of two: the other one stays silent.
    room.attests_after("wanda", &open).unwrap();
    clock.advance(240 * MINUTE - MINUTE);
    room.wait(inside.ticks());
    let size = room.head().size;
    assert_eq!(room.state(&open), State::Executed);
    let outcome = Some(room.outcome(&open));
    clock.advance(2 * MINUTE);
    let late = Deed::Attest { decision: Decision::Accept, outcome, statement: open.digest() };
    assert_eq!(
        told(&room.does("walter", late.clone()).unwrap_err()),
        (Reason::ActRefused, "over".to_owned())
    );
    room.wait(inside.ticks());
    assert_eq!((room.state(&open), room.kinds(size)), (State::Failed, vec!["ceremony.ended".to_owned()]));
    assert_eq!(told(&room.does("walter", late).unwrap_err()).1, "over");
    assert_eq!(told(&room.uses(KEY).unwrap_err()).0, Reason::UnknownKey);
    let left = left(&room, open);
    let adopts = adoption("release/other", "software", &left.key_id, &left.place);
    let refused = told(&room.draft("oskar", &adopts).unwrap_err());
    assert_eq!(refused, (Reason::StatementRefused, "quarantined".to_owned()));

    // The next daemon says the same, and people destroy it.
    room.wait(inside.end());
    let inside = start(&room);
    assert_eq!(room.state(&left.birth), State::Failed);
    assert_eq!(told(&room.draft("oskar", &adopts).unwrap_err()), refused);
    let file = || std::fs::read_dir(room.world.state().join("software")).unwrap().count();
    let before = file();
    let destroy = destruction(KEY, &left).replace("backend = \"hsm\"", "backend = \"software\"");
    let destroy = room.proposed(&destroy);
    room.arm(&destroy);
    room.executes(&destroy).unwrap();
    room.complete(&destroy);
    assert_eq!(file() + 1, before, "it is gone from the disk");
    let verdict = verify(&room.transcript(&destroy).unwrap(), room.genesis.digest());
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
    room.wait(inside.end());
}
