//! Who has no place in the roster: a holder of a client certificate with every right, and somebody with the files of the instance
//! in his hands. Both do what they can; neither gets a key, a person or a rule into force.

use ceremonies::act::{Decision, Deed};
use ceremonies::genesis::Mode;
use proto::hash::Hash;
use proto::reason::Reason;
use proto::term::Term;
use proto::wire::v1::stop_target::Target;
use proto::wire::v1::{CeremonyState as State, SignedAct};
use tests::ask;

use crate::rogue::{begun, sends_everywhere, stops};
use crate::room::{new_key, told};
use crate::site::Site;
use crate::suspend::{suspended, suspends};

const NEW: &str = "release/darwin";

#[test]
fn a_client_with_every_right_alone_comes_to_nothing() {
    let (mut room, _stop) = begun();
    room.enters("eve");
    let open = room.proposed(&new_key(NEW, "software"));
    room.approves("ada", &open).unwrap();
    room.attests("wanda", &open).unwrap();
    let other = room.proposed(&new_key("release/other", "software"));
    // What others have signed is there for everybody to read. Sent again it counts nowhere.
    let before = room.head().size;
    let acts: Vec<SignedAct> =
        room.ceremony(&open).acts.into_iter().filter_map(|recorded| recorded.act).collect();
    assert_eq!(acts.len(), 3);
    for act in &acts {
        sends_everywhere(&room, open.statement.encode(), act.clone());
        sends_everywhere(&room, other.statement.encode(), act.clone());
        // And with a signature of his own it is nobody's.
        let signature = room.key("eve").sign("countersign.act.rehearsal.v1", &act.document);
        sends_everywhere(&room, open.statement.encode(), SignedAct { signature, ..act.clone() });
    }
    let statement = open.digest();
    for deed in [
        Deed::Approve { decision: Decision::Accept, statement },
        Deed::Execute { statement },
        Deed::Veto { statement },
        Deed::Suspend { person: "ada".parse().unwrap() },
        Deed::Stop { stops: vec![Term::All] },
    ] {
        let act = room.signed("eve", deed);
        assert_eq!(told(&room.submit(act.clone()).unwrap_err()).0, Reason::ActInvalid);
        sends_everywhere(&room, open.statement.encode(), act);
    }
    assert_eq!(room.head().size, before, "nothing of it was recorded");
    assert_eq!((room.state(&open), suspended(&room)), (State::Proposed, (vec![], vec![])));
    assert_eq!(ask::reason(&room.uses(NEW).unwrap_err()), Reason::UnknownKey);

    // His right to stop stops everything, which lifts nothing; a responder stops him, and people hold their ceremony.
    ask::stop(&room.world, Target::All(true)).unwrap();
    let client = format!("spiffe://{}/client/first", room.genesis.common().log.origin);
    let act = room.signed("rita", Deed::Stop { stops: vec![Term::Caller(client.clone())] });
    stops(&room, act, Target::Caller(client)).unwrap();
    room.approves("bob", &open).unwrap();
    room.attests("walter", &open).unwrap();
    assert_eq!(room.state(&open), State::Armed);
    room.vetoes("carol", &other).unwrap();
    room.ends_well();
}

/// Whatever is changed in a file: the instance is as it was, or does not start and says why.
#[test]
fn an_administrator_of_the_files_alone_comes_to_nothing() {
    let mut room = Site::new(Mode::Production, "").start();
    suspends(&room, "ada", "bob").unwrap();
    let (roster, grants) = (room.instance().roster, room.instance().grants_sha256);
    assert!(room.world.stop().success());
    let config = std::fs::read_to_string(room.world.config()).unwrap();
    let genesis = Hash::of(&room.genesis.encode()).to_string();
    let text: toml::Table = config.parse().unwrap();
    let policy = |name: &str| room.world.place().join(text["policy"][name].as_str().unwrap());
    let files = [
        (room.world.config(), genesis, Hash::ZERO.to_string(), "genesis"),
        (policy("guardrails"), "[forbid]".to_owned(), "# looser\n[forbid]".to_owned(), "guardrails"),
        (policy("grants"), "permit".to_owned(), "// everybody\npermit".to_owned(), "grants"),
    ];
    for (path, from, to, named) in files {
        let before = std::fs::read_to_string(&path).unwrap();
        assert!(before.contains(&from), "{before}");
        std::fs::write(&path, before.replace(&from, &to)).unwrap();
        let why = room.world.start_as(room.world.daemon()).unwrap_err();
        drop(room.world.release());
        assert!(why.contains(named), "{why}");
        std::fs::write(&path, before).unwrap();
    }
    // The first roster as a file is for people to read: nothing is decided by it.
    let paper = room.world.place().join("roster.json");
    if paper.exists() {
        std::fs::write(&paper, "{}").unwrap();
    }
    // The database: a record that he does not like is another one, or gone.
    let log = room.world.state().join("log.db");
    let kept = std::fs::read(&log).unwrap();
    for change in [
        "UPDATE record SET leaf = CAST(replace(CAST(leaf AS TEXT), 'roster.suspend', 'roster.suspenD') AS BLOB)",
        "DELETE FROM record WHERE CAST(leaf AS TEXT) LIKE '%roster.suspend%'",
        "DELETE FROM control WHERE kind = 'roster.suspend'",
    ] {
        let database = rusqlite::Connection::open(&log).unwrap();
        assert!(database.execute(change, []).unwrap() > 0, "{change}");
        drop(database);
        room.world.start_as(room.world.daemon()).expect_err(change);
        drop(room.world.release());
        for end in ["-wal", "-shm"] {
            let _none = std::fs::remove_file(log.with_extension(format!("db{end}")));
        }
        std::fs::write(&log, &kept).unwrap();
    }
    room.world.start();
    assert_eq!((room.instance().roster, room.instance().grants_sha256), (roster, grants));
    assert_eq!(suspended(&room).0, ["bob"]);
    room.ends_well();
}
