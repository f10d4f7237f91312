//! One who writes as much as he can, so that nothing is left for what would end it: the others suspend him all the same.

use ceremonies::act::{Decision, Deed};
use proto::reason::Reason;
use proto::term::Term;
use proto::wire::v1::CeremonyState as State;
use proto::wire::v1::stop_target::Target;
use tests::ask;

use crate::rogue::{Others, begun, is_replaced, is_suspended, stops};
use crate::room::{Room, new_key, told};
use crate::suspend::{suspended, suspends};

#[test]
fn an_officer_who_proposes_without_end_is_refused_suspended_and_replaced() {
    let (room, _) = begun();
    let others = Others::without("ada");
    let template = |number: usize| new_key(&format!("flood/{number}"), "software");
    let drafts: Vec<_> = (0..40).map(|number| room.draft("ada", &template(number)).unwrap()).collect();
    let mut opened = Vec::new();
    let refused = drafts.iter().find_map(|draft| room.propose(draft).map(|open| opened.push(open)).err());
    let refused = refused.expect("it has an end");
    assert_eq!(told(&refused), (Reason::StatementRefused, "too-many-open".to_owned()), "{refused}");
    assert_eq!(opened.len(), 16);
    let size = room.head().size;
    for draft in &drafts[opened.len()..] {
        assert_eq!(told(&room.propose(draft).map(drop).unwrap_err()).1, "too-many-open");
    }
    assert_eq!(room.head().size, size, "refusals leave no record");
    // One less is one more, and not two.
    room.vetoes("bob", &opened[0]).unwrap();
    opened.push(room.propose(&drafts[16]).unwrap());
    assert_eq!(told(&room.propose(&drafts[17]).map(drop).unwrap_err()).1, "too-many-open");
    is_suspended(&room, "ada", &others);
    is_replaced(&room, "ada", &others);
    for open in &opened[1..] {
        assert_eq!(room.state(open), State::Superseded);
    }
    room.ends_well();
}

/// The disk is as full as the daemon lets it become: people begin nothing more, and stop what they could stop before.
#[test]
fn below_the_reserve_people_begin_nothing_and_what_protects_is_taken() {
    let mut room = Room::software();
    let [first, second, third] =
        ["one", "two", "three"].map(|name| room.proposed(&new_key(&format!("release/{name}"), "software")));
    room.arm(&first);
    room.executes(&first).unwrap();
    room.arm(&second);
    let spare = room.draft("oskar", &new_key("release/four", "software")).unwrap();
    assert!(room.world.stop().success());
    let config = std::fs::read_to_string(room.world.config()).unwrap();
    let full = config.replace("reserve = \"1MiB\"", "reserve = \"1000000TiB\"");
    assert_ne!(full, config);
    std::fs::write(room.world.config(), &full).unwrap();
    room.world.start();
    let begun = std::time::Instant::now();
    while ask::trouble(&room.world, "").is_none() {
        assert!(begun.elapsed() < tests::PATIENCE, "it does not look at its disk");
    }
    let size = room.head().size;
    let (decision, statement) = (Decision::Accept, third.digest());
    let full = [
        room.propose(&spare).map(drop).unwrap_err(),
        room.approves("ada", &third).map(drop).unwrap_err(),
        room.attests("wanda", &third).map(drop).unwrap_err(),
        room.does("ada", Deed::Approve { decision: Decision::Refuse, statement }).unwrap_err(),
        room.does("ada", Deed::Withdraw { act: proto::hash::Hash::ZERO, statement: second.digest() })
            .unwrap_err(),
        room.does("oskar", Deed::Deviation { statement: first.digest() }).unwrap_err(),
        room.send_start(room.signed("oskar", Deed::Execute { statement: second.digest() }))
            .map(drop)
            .unwrap_err(),
    ];
    for refused in full {
        assert_eq!(told(&refused).0, Reason::LogFull, "{refused}");
    }
    assert_eq!(room.head().size, size);
    // What was executed is attested, each witness once.
    room.attests_after("wanda", &first).unwrap();
    assert_eq!(told(&room.attests_after("wanda", &first).unwrap_err()).0, Reason::LogFull);
    room.attests_after("walter", &first).unwrap();
    assert_eq!(room.state(&first), State::Completed);
    room.vetoes("carol", &third).unwrap();
    assert_eq!(room.state(&third), State::Vetoed);
    suspends(&room, "carol", "ada").unwrap();
    assert_eq!(suspended(&room).0, ["ada"]);
    let stop = room.signed("rita", Deed::Stop { stops: vec![Term::All] });
    stops(&room, stop, Target::All(true)).unwrap();
    // With room for it everything goes on.
    assert!(room.world.stop().success());
    std::fs::write(room.world.config(), config).unwrap();
    room.world.start();
    let outcome = Deed::Approve { decision, statement: second.digest() };
    room.does("carol", outcome).unwrap();
    room.propose(&spare).unwrap();
    room.ends_well();
}
