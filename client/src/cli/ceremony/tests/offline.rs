//! Files carried on a stick.

use ceremonies::act::{Act, Deed};

use super::*;

#[test]
fn what_is_signed_without_a_connection_is_brought_in_byte_for_byte() {
    let daemon = opened();
    let out = done(&daemon, "bob", "approve @s.json --address unix:/none", "yes\n");
    assert!(flat(&out).contains("signed: nothing is sent yet"), "{out}");
    let document = std::fs::read(daemon.path("s.bob.act.json")).unwrap();
    let act = Act::parse(&document).unwrap();
    let statement = Hash::of(&std::fs::read(daemon.path("s.json")).unwrap());
    assert_eq!(act.deed.statement(), Some(statement));
    assert_eq!(act.head.size, 1, "the head that the statement names");
    let err = refused(&daemon, "bob", "approve @s.json", "yes\n");
    assert!(err.contains("s.bob.act.json exists"), "{err}");
    // A witness attests over a head that holds the proposal, which a statement never names.
    let err = refused(&daemon, "wim", "attest @s.json", "yes\n");
    assert!(err.contains("a witness attests over a recent head of the log"), "{err}");
    done(&daemon, "wim", "attest @s.json --refuse --reason 'not the script'", "yes\n");
    done(&daemon, "oda", "ceremony submit @s.bob.act.json @s.wim.act.json", "");
    let held = daemon.state().council.as_ref().unwrap().held[0].wire.acts.clone();
    assert_eq!((held.len(), held[2].decision.as_str()), (3, "refuse"));
    assert_eq!(held[1].act.as_ref().unwrap().document, document);
    let signature = std::fs::read_to_string(daemon.path("s.bob.act.json.sig")).unwrap();
    assert_eq!(held[1].act.as_ref().unwrap().signature, signature);
    // A changed byte is nobody's act.
    std::fs::write(
        daemon.path("s.bob.act.json"),
        String::from_utf8(document).unwrap().replace("accept", "refuse"),
    )
    .unwrap();
    let err = refused(&daemon, "oda", "ceremony submit @s.bob.act.json", "");
    assert!(err.contains("error"), "{err}");
}

#[test]
fn a_genesis_is_signed_before_there_is_anything_to_talk_to() {
    let daemon = room();
    let genesis = daemon.state().council.as_ref().unwrap().genesis.clone();
    std::fs::write(daemon.path("genesis.json"), genesis.encode()).unwrap();
    let said = run(&daemon, "ada", "approve @genesis.json --address unix:/none", "yes\n");
    assert_eq!(said.exit, Exit::Done, "{}", said.err);
    assert!(flat(&said.err).contains("there is no instance yet to compare with"), "{}", said.err);
    done(&daemon, "wim", "attest @genesis.json --address unix:/none", "yes\n");
    for (person, attests) in [("ada", false), ("wim", true)] {
        let act =
            Act::parse(&std::fs::read(daemon.path(&format!("genesis.{person}.act.json"))).unwrap()).unwrap();
        assert_eq!((act.head.size, act.head.root), (0, Hash::of(b"")));
        assert_eq!(matches!(act.deed, Deed::Attest { outcome: None, .. }), attests);
    }
    let err = refused(
        &daemon,
        "bob",
        &format!("approve @genesis.json --genesis-sha256 {}", "0".repeat(64)),
        "yes\n",
    );
    assert!(err.contains("ANOTHER INSTANCE"), "{err}");
    set_wall(at(73 * 3600).microseconds());
    let err = refused(&daemon, "bob", "approve @genesis.json", "yes\n");
    assert!(err.contains("expired at"), "{err}");
    assert!(!daemon.path("genesis.bob.act.json").exists());
}

#[test]
fn only_acts_go_in_as_acts() {
    let daemon = opened();
    let held = daemon.state().council.as_ref().unwrap().held[0].wire.acts[0].clone();
    let proposal = held.act.unwrap();
    std::fs::write(daemon.path("p.json"), &proposal.document).unwrap();
    std::fs::write(daemon.path("p.json.sig"), &proposal.signature).unwrap();
    let err = refused(&daemon, "oda", "ceremony submit @p.json", "");
    assert!(err.contains("an act of kind propose, which goes in by another call"), "{err}");
    std::fs::write(daemon.path("s.json.sig"), &proposal.signature).unwrap();
    let err = refused(&daemon, "oda", "ceremony submit @s.json", "");
    assert!(err.contains("s.json is no act"), "{err}");
    let err = refused(&daemon, "oda", "ceremony submit @none.json", "");
    assert!(err.contains("cannot be read"), "{err}");
}
