//! Clearing up twice.

use proto::wire::v1::CeremonyState as State;

use crate::kill::clearing;
use crate::room::{Room, told};
use crate::scenarios::interrupted;

/// The device refuses until people have given up; what they decided first is what counts.
#[test]
fn of_two_that_clear_up_the_second_touches_nothing() {
    const ACTION_PROHIBITED: u64 = 0x1b;
    let mut room = Room::token();
    let open = interrupted(&mut room, "release/linux");
    room.wire.as_ref().unwrap().fail("DestroyObject", ACTION_PROHIBITED).unwrap();
    let destroys = clearing(&room, &open, "destroy");
    room.attests("wanda", &destroys).unwrap();
    room.until_called("DestroyObject", 1);
    assert_eq!((room.state(&destroys), room.keys_of(&open)), (State::Executing, 1));
    let abandons = clearing(&room, &open, "abandon");
    room.attests("wanda", &abandons).unwrap();
    room.until(&abandons, State::Executed);
    room.attests_after("wanda", &abandons).unwrap();
    assert_eq!((room.state(&abandons), room.state(&open)), (State::Completed, State::Failed));
    room.wire.as_ref().unwrap().clear().unwrap();
    room.until(&destroys, State::Failed);
    assert!(room.ceremony(&destroys).cause.contains("another `resolve` came first"));
    assert_eq!(told(&room.attests_after_blindly("wanda", &destroys).unwrap_err()).1, "over");
    assert_eq!((room.keys_of(&open), room.births()), (1, 1), "it stays where it was abandoned");
    room.ends_well();
}
