//! The destruction of what a failed birth left on a token: done, refused by the device, and cut off at every durable step.

use std::collections::BTreeSet;

use ceremonies::act::{Decision, Deed};
use ceremonies::transcript::{Verdict, verify};
use proto::reason::Reason;
use proto::wire::v1::CeremonyState as State;

use crate::kill::strike;
use crate::room::{Open, Room, new_key, objects, template, told};

/// What a birth left that a witness refused: the ceremony, key id and place.
pub struct Left {
    pub birth: Open,
    pub key_id: String,
    pub place: String,
}

/// A birth that a witness refuses.
#[track_caller]
pub fn failed_birth(room: &Room, name: &str) -> Left {
    let birth = room.proposed(&new_key(name, "hsm"));
    room.arm(&birth);
    room.executes(&birth).unwrap();
    let outcome = Some(room.outcome(&birth));
    let refuse = Deed::Attest { decision: Decision::Refuse, outcome, statement: birth.digest() };
    room.does("wanda", refuse).unwrap();
    assert_eq!(room.state(&birth), State::Failed);
    left(room, birth)
}

fn delete_private(token: &softhsm::Token, id: &str) {
    let (name, value) = token.environment();
    let mut tool = std::process::Command::new("pkcs11-tool");
    tool.env(name, value).arg("--module").arg(token.module());
    tool.args(["--token-label", token.label(), "--login", "--pin", token.pin()]);
    tool.args(["--delete-object", "--type", "privkey", "--id", id]);
    let _said = tests::process::Process::output(tool);
}

/// What the outputs of a birth say.
pub fn left(room: &Room, birth: Open) -> Left {
    let outputs: serde_json::Value = serde_json::from_slice(&room.ceremony(&birth).outputs).unwrap();
    let text = |name: &str| outputs[name].as_str().unwrap().to_owned();
    Left { birth, key_id: text("key_id"), place: text("locator") }
}

/// A template of the destruction of this.
pub fn destruction(name: &str, left: &Left) -> String {
    template(
        "key.destroy",
        &format!(
            "backend = \"hsm\"\ncopies = []\nkey = \"{name}\"\nkey_id = \"{}\"\nlocator = \"{}\"\nversion = 1\n",
            left.key_id, left.place
        ),
    )
}

#[test]
fn a_device_that_refuses_ends_it_and_what_is_left_is_destroyed_by_the_next() {
    const ACTION_PROHIBITED: u64 = 0x1b;
    const KEY: &str = "release/linux";
    let room = Room::token();
    let left = failed_birth(&room, KEY);
    let open = room.proposed(&destruction(KEY, &left));
    room.arm(&open);
    let wire = room.wire.as_ref().unwrap();
    wire.fail("DestroyObject", ACTION_PROHIBITED).unwrap();
    let status = room.executes(&open).unwrap_err();
    assert_eq!(told(&status).0, Reason::KeyDisabled, "{status}");
    assert!(status.message().contains("CKR_ACTION_PROHIBITED"), "{status}");
    assert_eq!((room.state(&open), room.keys_of(&left.birth)), (State::Failed, 1));
    wire.clear().unwrap();
    assert_eq!(told(&room.executes(&open).unwrap_err()).1, "over");

    // The host dies under it, again and again: nothing is interrupted. Meanwhile the private half is gone and the public
    // one is not, as a crash between the two leaves them.
    let next = room.proposed(&destruction(KEY, &left));
    room.arm(&next);
    wire.crash("DestroyObject").unwrap();
    let act = room.signed("oskar", Deed::Execute { statement: next.digest() });
    let status = room.send_start(act).unwrap_err();
    assert_eq!((told(&status).0, room.state(&next)), (Reason::Transport, State::Executing), "{status}");
    delete_private(room.world.token().unwrap(), &room.objects()[0].1);
    assert_eq!((room.objects().len(), objects(room.world.token().unwrap(), "pubkey").len()), (0, 1));
    wire.clear().unwrap();
    room.until(&next, State::Executed);
    room.complete(&next);
    assert_eq!((room.objects(), objects(room.world.token().unwrap(), "pubkey")), (vec![], vec![]));
    let verdict = verify(&room.transcript(&next).unwrap(), room.genesis.digest());
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
    room.ends_well();
}

#[test]
fn a_device_that_hangs_holds_up_nothing_but_its_own_ceremony() {
    const KEY: &str = "release/linux";
    let mut room = Room::token();
    let left = failed_birth(&room, KEY);
    let open = room.proposed(&destruction(KEY, &left));
    room.arm(&open);
    room.wire.as_ref().unwrap().hang("DestroyObject").unwrap();
    let act = room.signed("oskar", Deed::Execute { statement: open.digest() });
    let mut client = room.client();
    let started = room.beside(async move {
        let request = proto::wire::v1::ExecuteCeremonyRequest { act: Some(act) };
        client.execute_ceremony(request).await
    });
    room.until(&open, State::Executing);
    let others = |room: &Room, name: &str| {
        let other = room.proposed(&new_key(name, "hsm"));
        room.arm(&other);
        room.vetoes("wanda", &other).unwrap();
        assert_eq!((room.state(&other), room.state(&open)), (State::Vetoed, State::Executing), "{name}");
    };
    others(&room, "release/while-it-is-done");
    // A daemon that starts and carries it on serves meanwhile, and is not kept from anything else.
    room.world.kill();
    assert!(room.wait(started).unwrap().is_err());
    let asked = room.wire.as_ref().unwrap().calls("DestroyObject").unwrap();
    room.world.start();
    room.until_called("DestroyObject", asked + 1);
    others(&room, "release/while-it-is-carried-on");
    room.wire.as_ref().unwrap().clear().unwrap();
    room.until(&open, State::Executed);
    room.complete(&open);
    assert_eq!((room.objects(), objects(room.world.token().unwrap(), "pubkey")), (vec![], vec![]));
    room.ends_well();
}

#[test]
fn killed_at_every_step_of_a_destruction_it_is_carried_on_until_nothing_is_left() {
    let mut room = Room::token();
    let mut places = BTreeSet::new();
    let points: Vec<(&str, usize)> =
        [("pwrite64", 1)].into_iter().chain((1..=8).map(|n| ("fdatasync", n))).collect();
    for (call, nth) in points {
        let name = format!("release/{call}-{nth}");
        let left = failed_birth(&room, &name);
        let open = room.proposed(&destruction(&name, &left));
        room.arm(&open);
        let from = room.head().size;
        let act = room.signed("oskar", Deed::Execute { statement: open.digest() });
        let reached = strike(&mut room, call, nth, |room| room.send_start(act.clone()));
        // What the restart itself did is in the log too, so the moment is told by the token and the first records.
        let kinds = room.kinds(from);
        let place = match (reached, kinds.iter().any(|kind| kind == "ceremony.started")) {
            (false, _) => "not reached",
            (true, false) => "before the start",
            (true, true) => "started",
        };
        tests::tell(&format!("destruction, {call} {nth}: {place}"));
        places.insert(place);
        if place == "before the start" {
            assert_eq!((room.state(&open), room.keys_of(&left.birth)), (State::Armed, 1));
            room.executes(&open).unwrap();
        }
        // Nobody asks for it: it goes on, and what it started with is no start again.
        room.until(&open, State::Executed);
        assert_eq!(room.keys_of(&left.birth), 0);
        assert_eq!(told(&room.send_start(act).unwrap_err()).0, Reason::ActRefused);
        assert!(room.uses(&name).is_err());
        let outputs: serde_json::Value = serde_json::from_slice(&room.ceremony(&open).outputs).unwrap();
        assert_eq!(outputs["destroyed"], serde_json::json!([left.place]));
        room.complete(&open);
        let kinds = room.kinds(from);
        let count = |wanted: &str| kinds.iter().filter(|kind| *kind == wanted).count();
        assert_eq!((count("ceremony.started"), count("ceremony.executed")), (1, 1), "{kinds:?}");
        if !reached {
            break;
        }
    }
    for place in ["before the start", "started", "not reached"] {
        assert!(places.contains(place), "never: {place}; {places:?}");
    }
    assert_eq!((room.objects(), objects(room.world.token().unwrap(), "pubkey")), (vec![], vec![]));
    room.ends_well();
}
