//! A token that comes back with another serial number, as a cloned or a replaced device does: nothing signs until a quorum
//! has bound the keys to it, each key proves that it is there, and no other key takes its place.

use std::collections::BTreeSet;

use ceremonies::act::Deed;
use ceremonies::transcript::{Verdict, verify};
use proto::reason::Reason;
use proto::wire::v1::CeremonyState as State;
use softhsm::Shape;
use tests::ask;

use crate::kill::strike;
use crate::room::{Open, Room, new_key, template, told};

/// A key in force; with its key id and place.
#[track_caller]
pub fn born(room: &Room, name: &str) -> (String, String) {
    let open = room.proposed(&new_key(name, "hsm"));
    room.arm(&open);
    room.executes(&open).unwrap();
    room.complete(&open);
    let outputs: serde_json::Value = serde_json::from_slice(&room.ceremony(&open).outputs).unwrap();
    let text = |name: &str| outputs[name].as_str().unwrap().to_owned();
    (text("key_id"), text("locator"))
}

/// The token has another serial number from now on, which the configuration names. Returns the one before and the new one.
fn moves(room: &mut Room, serial: &str) -> (String, String) {
    let before = room.world.token().unwrap().serial().to_owned();
    assert!(room.world.stop().success());
    room.world.token_to_change().renumber(serial).unwrap();
    room.world.configure(&before, serial);
    room.world.start();
    (before, serial.to_owned())
}

fn rebinding(ids: &[&str], (before, after): &(String, String)) -> String {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    let target =
        format!("backend = \"hsm\"\nkeys = {ids:?}\nreplaces = \"{before}\"\nserial = \"{after}\"\n");
    template("backend.rebind", &target)
}

/// Two officers and a witness.
#[track_caller]
fn armed(room: &Room, ids: &[&str], serials: &(String, String)) -> Open {
    let open = room.proposed(&rebinding(ids, serials));
    for officer in ["ada", "carol"] {
        room.approves(officer, &open).unwrap();
    }
    assert_eq!(room.state(&open), State::Proposed);
    room.attests("wanda", &open).unwrap();
    assert_eq!(room.state(&open), State::Armed);
    open
}

#[track_caller]
fn completes(room: &Room, open: &Open) {
    room.attests_after("wanda", open).unwrap();
    assert_eq!(room.state(open), State::Completed);
}

/// Signs as soon as the backend is there.
pub fn uses(room: &Room, key: &str) -> Result<(), Reason> {
    let end = crate::room::now().later(tests::PATIENCE);
    loop {
        match room.uses(key) {
            Ok(_) => return Ok(()),
            Err(status) if ask::reason(&status) == Reason::BackendUnavailable && crate::room::now() < end => {
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            Err(status) => return Err(ask::reason(&status)),
        }
    }
}

#[test]
fn keys_are_bound_to_another_device_by_a_quorum_and_to_themselves_alone() {
    const LINUX: &str = "release/linux";
    const WINDOWS: &str = "release/windows";
    const OTHER: &str = "release/other";
    let mut room = Room::token();
    let (linux, place) = born(&room, LINUX);
    let (windows, _) = born(&room, WINDOWS);
    let (other, _) = born(&room, OTHER);
    let serials = moves(&mut room, "00112233445566aa");
    let first = serials.0.clone();
    for key in [LINUX, WINDOWS, OTHER] {
        assert_eq!(uses(&room, key), Err(Reason::KeyMismatch), "{key}");
    }
    // What is not so is not opened.
    let refused = |ids: &[&str], before: &str| {
        let serials = (before.to_owned(), serials.1.clone());
        told(&room.draft("oskar", &rebinding(ids, &serials)).unwrap_err())
    };
    let guard = |guard: &str| (Reason::StatementRefused, guard.to_owned());
    assert_eq!(refused(&[&linux], "00112233445566ff"), guard("other-device"));
    assert_eq!(refused(&[&"ab".repeat(32)], &serials.0), guard("unknown-key"));

    let open = armed(&room, &[&linux, &windows], &serials);
    room.executes(&open).unwrap();
    assert_eq!(uses(&room, LINUX), Err(Reason::KeyMismatch), "nothing is in force before it is attested");
    completes(&room, &open);
    for key in [LINUX, WINDOWS] {
        assert_eq!(uses(&room, key), Ok(()), "{key}");
    }
    assert_eq!(uses(&room, OTHER), Err(Reason::KeyMismatch), "it was not named");
    let files = room.transcript(&open).unwrap();
    assert_eq!(files.keys().filter(|path| path.starts_with("pop-")).count(), 2);
    let verdict = verify(&files, room.genesis.digest());
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
    // It holds over a restart, and what is bound to another serial is not bound again from the old one.
    assert!(room.world.stop().success());
    room.world.start();
    assert_eq!(uses(&room, WINDOWS), Ok(()));
    let status = room.draft("oskar", &rebinding(&[&linux], &serials)).unwrap_err();
    assert_eq!(told(&status), guard("other-device"));

    // Another key under the label and id of one of them: none moves.
    let serials = moves(&mut room, "00112233445566bb");
    let token = room.world.token().unwrap();
    let label = place.split(';').find_map(|part| part.strip_prefix("object=")).unwrap();
    let id = place.split(';').find_map(|part| part.strip_prefix("id=%")).unwrap();
    let id: Vec<u8> = id.split('%').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    token.destroy(label).unwrap();
    token.generate(label, &id, Shape::P256).unwrap();
    let both = armed(&room, &[&linux, &windows], &serials);
    let size = room.head().size;
    let status = room.executes(&both).unwrap_err();
    assert_eq!(told(&status), guard("other-key"), "{status}");
    assert_eq!((room.head().size, room.state(&both)), (size, State::Armed));
    let open = armed(&room, &[&windows], &serials);
    room.executes(&open).unwrap();
    completes(&room, &open);
    assert_eq!(uses(&room, WINDOWS), Ok(()));
    assert_eq!(
        (uses(&room, LINUX), uses(&room, OTHER)),
        (Err(Reason::KeyMismatch), Err(Reason::KeyMismatch))
    );
    // A key that is stopped proves nothing.
    room.world.done(&["stop", OTHER, "--reason", "a drill"]);
    let status = room.draft("oskar", &rebinding(&[&other], &(first, serials.1))).unwrap_err();
    assert_eq!(told(&status), guard("key-state"), "{status}");
    room.ends_well();
}

#[test]
fn killed_at_every_step_of_a_rebinding_all_keys_move_or_none() {
    let mut room = Room::token();
    let (linux, _) = born(&room, "release/linux");
    let (windows, _) = born(&room, "release/windows");
    let mut places = BTreeSet::new();
    let points: Vec<(&str, usize)> =
        [("pwrite64", 1)].into_iter().chain((1..=12).map(|n| ("fdatasync", n))).collect();
    for (number, (call, nth)) in points.into_iter().enumerate() {
        let serials = moves(&mut room, &format!("00112233445566{number:02x}"));
        let open = armed(&room, &[&linux, &windows], &serials);
        let from = room.head().size;
        // The token is up, or the start would come to nothing.
        assert_eq!(uses(&room, "release/linux"), Err(Reason::KeyMismatch));
        let act = room.signed("oskar", Deed::Execute { statement: open.digest() });
        let reached = strike(&mut room, call, nth, |room| room.send_start(act.clone()));
        let started = room.kinds(from).iter().any(|kind| kind == "ceremony.started");
        tests::tell(&format!("rebinding, {call} {nth}: reached {reached}, started {started}"));
        places.insert((reached, started));
        if !started {
            room.executes(&open).unwrap();
        }
        room.until(&open, State::Executed);
        assert_eq!(told(&room.send_start(act).unwrap_err()).0, Reason::ActRefused);
        for key in ["release/linux", "release/windows"] {
            assert_eq!(uses(&room, key), Err(Reason::KeyMismatch), "{key}");
        }
        completes(&room, &open);
        for key in ["release/linux", "release/windows"] {
            assert_eq!(uses(&room, key), Ok(()), "{key}");
        }
        let verdict = verify(&room.transcript(&open).unwrap(), room.genesis.digest());
        assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
        if !reached {
            break;
        }
    }
    assert_eq!(places, BTreeSet::from([(true, false), (true, true), (false, true)]));
    room.ends_well();
}
