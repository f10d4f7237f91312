//! A flood at the door of a daemon, and the stops that get through: by the client's own command line.

use std::net::TcpStream;
use std::process::Command;

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

/// The command under a limit of descriptors, in the words of a shell.
fn limited(command: &Command, how: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("ulimit {how} && exec \"$0\" \"$@\""));
    shell.arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(command.get_current_dir().unwrap());
    shell
}

/// How many descriptors the daemon may open.
fn descriptors(world: &mut tests::world::World) -> u64 {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", world.process().number())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn there_are_descriptors_for_all_connections_or_it_is_said_that_there_are_not() {
    let mut world = software().make();
    world.start_as(limited(&world.daemon(), "-Sn 256")).unwrap();
    let allowed = descriptors(&mut world);
    assert!((2_000..10_000).contains(&allowed), "{allowed}: as many as it needs, and not more");
    assert!(!world.process().said().contains("LimitNOFILE"), "{}", world.process().said());
    assert!(world.stop().success());
    world.start_as(limited(&world.daemon(), "-n 512")).unwrap();
    assert_eq!(descriptors(&mut world), 512);
    let said = world.process().says("LimitNOFILE", tests::PATIENCE);
    assert!(said.contains("WARN") && said.contains("needed="), "{said}");
    assert!(world.stop().success());
}
