//! Somebody who has the token puts an object where a new key belongs, before it is made: the statement is public, so the label and
//! the id are.

use ceremonies::birth::BirthNames;
use proto::reason::Reason;
use proto::wire::v1::CeremonyState as State;
use softhsm::Shape;
use tests::{PATIENCE, ask};

use crate::room::{Room, new_key, told};

const PLANTED: &str = "countersign_objects_planted_total";

#[test]
fn an_object_planted_under_the_derived_names_refuses_the_start_and_alarms() {
    let mut room = Room::token();
    for (number, by_label) in [(1, true), (2, false)] {
        let name = format!("release/key-{number}");
        let open = room.proposed(&new_key(&name, "hsm"));
        room.arm(&open);
        let names = BirthNames::of(&open.statement);
        let (label, id): (&str, &[u8]) = if by_label { (&names.label, &[9]) } else { ("mine", &names.id) };
        room.world.token().unwrap().generate(label, id, Shape::P256).unwrap();
        let before = room.mark();
        assert_eq!((room.keys_of(&open), before.2), (1, number - 1));
        let status = room.executes(&open).unwrap_err();
        assert_eq!(told(&status), (Reason::ObjectPlanted, "object-planted".to_owned()));
        assert_eq!(
            (room.mark(), room.state(&open)),
            (before, State::Armed),
            "nothing is made, nothing is recorded"
        );
        assert!(room.uses(&name).is_err());
        assert_eq!(ask::counter(&room.world, PLANTED), number as u64);
        let words = format!("under the names of a key that is not made yet ceremony={} found=1", open.id);
        let said = room.world.process().says(&words, PATIENCE);
        assert!(said.contains("ERROR"), "{said}");
        // Who did it was found out, and it is gone: then the same approvals make a key of its own.
        room.world.token().unwrap().destroy(label).unwrap();
        room.executes(&open).unwrap();
        room.complete(&open);
        room.uses(&name).unwrap();
        assert_eq!((room.keys_of(&open), room.births()), (1, number));
    }
    assert_eq!(ask::counter(&room.world, PLANTED), 2, "a start over nothing counts nothing");
    room.ends_well();
}
