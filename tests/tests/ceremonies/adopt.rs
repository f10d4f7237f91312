//! `kill -9` of the daemon at every durable step of an adoption from a token: nothing is adopted by a crash, and people can
//! always propose anew what they meant.

use std::collections::BTreeSet;

use ceremonies::act::Deed;
use ceremonies::transcript::{Verdict, verify};
use proto::hash::Hash;
use proto::reason::Reason;
use proto::wire::v1::CeremonyState as State;
use softhsm::Shape;

use crate::kill::strike;
use crate::rebind::{born, uses};
use crate::room::{Room, template, told};

/// A template of the adoption of a key pair that is at this place.
pub fn adoption(name: &str, backend: &str, key_id: &str, place: &str) -> String {
    template(
        "key.adopt",
        &format!(
            "activation = \"at-completion\"\nalgorithm = \"ecdsa-p256-sha256\"\nbackend = \"{backend}\"\nkey = \"{name}\"\n\
             key_id = \"{key_id}\"\nlocator = \"{place}\"\nowner = \"team\"\npurpose = [\"blob\"]\nretirement = \"never\"\n\
             standby = false\nunproven = [\"nobody saw its birth\"]\nversion = 1\n",
        ),
    )
}

/// A key pair that somebody made before on the token, under this label and id: a template of its adoption.
fn stranger(room: &Room, name: &str, label: &str, id: u8) -> String {
    let token = room.world.token().unwrap();
    token.generate(label, &[id], Shape::P256).unwrap();
    let key_id = Hash::of(&token.public_key(label).unwrap());
    adoption(name, "hsm", &key_id.to_string(), &token.key_uri(label))
}

#[test]
fn killed_at_every_step_of_an_adoption_it_is_proposed_again_and_completes() {
    const FIRST: &str = "release/first";
    let mut room = Room::token();
    let _first = born(&room, FIRST);
    let mut places = BTreeSet::new();
    let points: Vec<(&str, usize)> =
        [("pwrite64", 1)].into_iter().chain((1..=12).map(|n| ("fdatasync", n))).collect();
    for (number, (call, nth)) in points.into_iter().enumerate() {
        let name = format!("release/{call}-{nth}");
        let adoption = stranger(&room, &name, &format!("old-{nth}-{call}"), u8::try_from(number).unwrap());
        let open = room.proposed(&adoption);
        room.arm(&open);
        // The token is up, or the adoption would come to nothing by itself.
        assert_eq!(uses(&room, FIRST), Ok(()));
        let (from, there) = (room.head().size, room.objects().len());
        let act = room.signed("oskar", Deed::Execute { statement: open.digest() });
        let reached = strike(&mut room, call, nth, |room| room.send_start(act.clone()));
        let kinds = room.kinds(from);
        let has = |kind: &str| kinds.iter().any(|own| own == kind);
        let place = match (reached, has("ceremony.started"), has("ceremony.executed")) {
            (false, ..) => "not reached",
            (true, false, _) => "before the start",
            (true, true, false) => "started",
            (true, true, true) => "executed, unanswered",
        };
        tests::tell(&format!("adoption, {call} {nth}: {place}"));
        places.insert(place);
        assert!(room.uses(&name).is_err(), "nothing is in force before it is attested");
        let completed = match place {
            "before the start" => {
                room.executes(&open).unwrap();
                open
            }
            "started" => {
                room.until(&open, State::Failed);
                assert!(!room.kinds(from).iter().any(|kind| kind == "ceremony.interrupted"));
                assert!(room.ceremony(&open).cause.contains("nothing is adopted"));
                let size = room.head().size;
                assert_eq!(told(&room.send_start(act.clone()).unwrap_err()).0, Reason::ActRefused);
                assert_eq!(told(&room.attests_after_blindly("wanda", &open).unwrap_err()).1, "over");
                assert_eq!(room.head().size, size);
                // The same key pair under the same name, by people who approve anew.
                let again = room.proposed(&adoption);
                room.arm(&again);
                assert_eq!(uses(&room, FIRST), Ok(()));
                room.executes(&again).unwrap();
                again
            }
            _ => open,
        };
        assert_eq!(told(&room.send_start(act).unwrap_err()).0, Reason::ActRefused);
        room.complete(&completed);
        assert_eq!(uses(&room, &name), Ok(()));
        assert_eq!((room.objects().len(), room.births()), (there, 1), "nothing is made");
        let verdict = verify(&room.transcript(&completed).unwrap(), room.genesis.digest());
        assert!(matches!(verdict, Verdict::ValidWithDeviations(_)), "{verdict}");
        if !reached {
            break;
        }
    }
    for place in ["before the start", "started", "executed, unanswered", "not reached"] {
        assert!(places.contains(place), "never: {place}; {places:?}");
    }
    room.ends_well();
}
