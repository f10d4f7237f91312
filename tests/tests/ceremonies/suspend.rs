//! A person whose acts count no more, by the real program, from one officer's word to the roster that ends it; and `kill -9` of
//! the daemon at every durable step of such a word.

use std::collections::BTreeSet;
use std::process::Command;

use ceremonies::act::Deed;
use proto::hash::Hash;
use proto::reason::Reason;
use proto::term::Term;
use proto::wire::v1::incident_service_client::IncidentServiceClient;
use proto::wire::v1::stop_target::Target;
use proto::wire::v1::{StopRequest, StopTarget};
use tests::process::Process;

use crate::kill::{MOMENTS, strike};
use crate::people::{by, done, refused};
use crate::room::{Room, new_key, told};

/// Everybody who is suspended, and who would be if another officer said so.
pub fn suspended(room: &Room) -> (Vec<String>, Vec<String>) {
    let (there, waiting): (Vec<_>, Vec<_>) =
        room.instance().suspensions.into_iter().partition(|own| own.log_index.is_some());
    let names = |list: Vec<proto::wire::v1::Suspension>| list.into_iter().map(|own| own.person).collect();
    (names(there), names(waiting))
}

pub fn suspends(room: &Room, by: &str, whom: &str) -> Result<u64, tonic::Status> {
    room.does(by, Deed::Suspend { person: whom.parse().unwrap() })
}

/// The steps of a transcript's own README, with common tools.
fn by_hand(room: &Room, directory: &str, genesis: &str) -> String {
    let blocks = ceremonies::transcript::README.split("```sh\n").skip(1);
    let recipe: String = blocks.map(|rest| rest.split("```").next().unwrap()).collect();
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(recipe).current_dir(room.world.scratch().join(directory));
    shell.env("GENESIS_SHA256", genesis).env_remove("SSH_AUTH_SOCK");
    Process::output(shell)
}

#[test]
fn a_lost_token_counts_no_more_and_a_roster_says_who_decides() {
    let mut room = Room::software();
    let open = room.proposed(&new_key("release/linux", "software"));
    room.arm(&open);
    let why = ["--reason", "his token is gone"];
    let suspend = |whom| [&["ceremony", "suspend", whom], &why[..]].concat();
    let said = done(&room, "carol", &suspend("bob"));
    assert!(said.contains("the acts of bob count no more, from record"), "{said}");
    // He sees it, and so does everybody.
    let inbox = by(&room, "bob", &["inbox"]).output().unwrap();
    let noted = String::from_utf8_lossy(&inbox.stderr).into_owned();
    assert!(inbox.status.success() && noted.contains("YOU ARE SUSPENDED since record"), "{noted}");
    let said = done(&room, "ada", &["ceremony", "show", &open.id]);
    assert!(said.contains("suspended") && said.contains("by carol"), "{said}");
    // Whatever he signs is refused: for a ceremony, against one, against people, against keys.
    for arguments in [
        vec!["approve", &open.id, "--yes"],
        vec!["ceremony", "veto", &open.id, "--reason", "no"],
        suspend("ada"),
        vec!["stop", "--all", "--sign", "--reason", "no"],
    ] {
        let said = refused(&room, "bob", &arguments);
        assert!(said.contains("`bob` is suspended"), "{arguments:?}: {said}");
    }
    assert_eq!(told(&room.executes(&open).unwrap_err()).0, Reason::NotArmed);
    // A second person takes a second officer; of three officers one may be suspended.
    let said = done(&room, "carol", &suspend("rita"));
    assert!(said.contains("rita is NOT suspended yet"), "{said}");
    assert_eq!(suspended(&room), (vec!["bob".into()], vec!["rita".into()]));
    let said = refused(&room, "carol", &suspend("ada"));
    assert!(said.contains("1 of 3 officers can be suspended at a time"), "{said}");
    let inbox = by(&room, "ada", &["inbox"]).output().unwrap();
    let noted = String::from_utf8_lossy(&inbox.stderr).into_owned();
    assert!(noted.contains("carol would suspend rita"), "{noted}");
    done(&room, "ada", &suspend("rita"));
    let stop = [Term::All];
    let act = room.signed("rita", Deed::Stop { stops: stop.to_vec() });
    let target = Some(StopTarget { target: Some(Target::All(true)) });
    let request = StopRequest { target, reason: String::new(), act: Some(act) };
    let mut client = IncidentServiceClient::new(room.channel());
    let status = room.wait(client.stop(request)).unwrap_err();
    assert_eq!(told(&status), (Reason::ActRefused, "suspended".to_owned()));
    // Nothing of it is forgotten.
    room.world.kill();
    room.world.start();
    assert_eq!(suspended(&room), (vec!["bob".into(), "rita".into()], vec![]));
    assert_eq!(told(&room.approves("bob", &open).unwrap_err()).1, "suspended");

    room.approves("carol", &open).unwrap();
    room.executes(&open).unwrap();
    room.complete(&open);
    room.uses("release/linux").unwrap();
    done(&room, "ada", &["ceremony", "transcript", &open.id, "--out", "transcript"]);
    let genesis = Hash::of(&room.genesis.encode()).to_string();
    let said = done(&room, "ada", &["ceremony", "verify", "transcript", "--genesis-sha256", &genesis]);
    assert!(said.contains("VALID") && !said.contains("DEVIATIONS"), "{said}");
    by_hand(&room, "transcript", &genesis);

    // A roster that keeps him says so before it is approved; with it his acts count again.
    let same = room.next(|_| {});
    let change = room.proposes_roster("oskar", &same).unwrap();
    let said = done(&room, "ada", &["ceremony", "show", &change.id]);
    assert!(
        said.contains("Suspended people stay in it") && said.contains("bob, suspended by carol"),
        "{said}"
    );
    room.holds(&change, &["ada", "carol"], &["wanda", "walter"]);
    assert_eq!(suspended(&room), (vec![], vec![]));
    let next = room.proposed(&new_key("release/mac", "software"));
    room.approves("bob", &next).unwrap();
    room.ends_well();
}

#[test]
fn killed_at_every_step_of_a_suspension_it_is_there_or_not() {
    let mut room = Room::software();
    let act = room.signed("ada", Deed::Suspend { person: "bob".parse().unwrap() });
    let mut seen = BTreeSet::new();
    for (call, nth) in MOMENTS {
        if seen.contains(&true) {
            break;
        }
        assert!(strike(&mut room, call, nth, |room| room.submit(act.clone())), "{call} {nth}");
        seen.insert(suspended(&room).0 == ["bob"]);
    }
    assert_eq!(seen, BTreeSet::from([false, true]));
    assert_eq!(told(&room.submit(act).unwrap_err()).1, "replayed");
    // Answered, and then killed.
    suspends(&room, "ada", "wanda").unwrap();
    suspends(&room, "carol", "wanda").unwrap();
    room.world.kill();
    room.world.start();
    assert_eq!(suspended(&room).0, ["bob", "wanda"]);
    let kinds = room.kinds(0);
    assert_eq!(kinds.iter().filter(|kind| *kind == "roster.suspend").count(), 3, "{kinds:?}");
    room.ends_well();
}
