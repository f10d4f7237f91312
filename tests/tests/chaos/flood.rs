//! A flood at the door of a daemon, and the stops that get through: by the client's own command line.

use std::net::TcpStream;

use proto::reason::Reason;
use tests::ask;
use tests::load::request;

use super::{KEY, OTHER, software};

/// More than all rooms for connections of the network have, of which each would be filled.
const FLOOD: usize = 400;

#[test]
fn silent_connections_shut_out_no_stop() {
    let mut world = software().make();
    let text = std::fs::read_to_string(world.config()).unwrap();
    std::fs::write(world.config(), format!("{text}\n[limits]\nconnections = 4\n")).unwrap();
    world.start();
    let address = world.address().strip_prefix("https://").unwrap().to_owned();
    let silent: Vec<TcpStream> = (0..FLOOD).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let socket = world.socket();
    let said = world.done(&["--address", &socket, "stop", KEY, "--reason", "a flood"]);
    assert!(said.starts_with(&format!("stopped: key {KEY};")), "{said}");
    // From the address of whoever floods, too.
    let said = world.done(&["stop", OTHER, "--reason", "a flood"]);
    assert!(said.starts_with(&format!("stopped: key {OTHER};")), "{said}");
    for key in [KEY, OTHER] {
        let refused = ask::sign(&world, request(key, b"a file")).unwrap_err();
        assert_eq!(ask::reason(&refused), Reason::KeySuspended);
    }
    assert!(ask::counter(&world, "countersign_connections_cut_total") > 0);
    drop(silent);
    assert!(world.stop().success());
    assert_eq!(world.ledger().complaints(), Vec::<String>::new());
}
