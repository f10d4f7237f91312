//! `countersignd dev`: one command to a running instance with a key in it, the first time and every other.

use softhsm::Token;
use tests::world::World;

const KEY: &str = "dev/first";

/// Signs as the first of the commands that it prints says.
fn signs(world: &World, name: &str) {
    std::fs::write(world.scratch().join(name), name).unwrap();
    let (signature, receipt) = (format!("{name}.sig"), format!("{name}.receipt"));
    world.done(&["sign", KEY, name, "--out", &signature, "--receipt", &receipt]);
    assert!(world.scratch().join(signature).exists() && world.scratch().join(receipt).exists());
}

#[test]
fn one_command_makes_an_instance_with_a_key_and_the_next_finds_both() {
    let mut world = World::vacant(None, None);
    world.start_as(world.dev()).unwrap();
    let said = world.process().said();
    for expected in ["dev/first@1 was born", "REHEARSAL", "Three commands to try", "log tail", "--reason"] {
        assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
    }
    signs(&world, "one");
    assert!(world.stop().success());

    world.start_as(world.dev()).unwrap();
    assert!(!world.process().said().contains("born"), "the key was there");
    signs(&world, "two");
    world.done(&["stop", KEY, "--reason", "trying it out"]);
    assert!(world.stop().success());

    // A key that was stopped is there, and stays stopped.
    world.start_as(world.dev()).unwrap();
    let (code, _, said) =
        world.run(&["sign", KEY, "one", "--out", "three.sig", "--receipt", "three.receipt"]);
    assert!(code == 1 && said.contains("KEY_SUSPENDED"), "{said}");
    assert!(world.stop().success());
    assert_eq!(world.ledger().complaints(), Vec::<String>::new());
}

#[test]
fn what_an_instance_is_made_with_is_not_changed_by_a_word() {
    let token = Token::create().unwrap();
    let mut world = World::vacant(None, Some(token));
    world.start_as(world.dev()).unwrap();
    assert!(world.stop().success());
    let token = world.token().unwrap();
    let mut other = world.dev();
    other.arg("--pkcs11").arg(token.module()).arg(token.uri()).arg("--pin-file").arg(token.pin_file());
    let refused = world.start_as(other).unwrap_err();
    let expected =
        format!("the module is none there, and {} is asked for", world.token().unwrap().module().display());
    assert!(refused.contains(&expected) && refused.contains("name another --directory"), "{refused}");
}

/// A first run that fails leaves an instance without a key: the next one makes it.
#[test]
fn a_wrong_pin_costs_a_run_and_not_the_instance() {
    let mut world = World::vacant(None, Some(Token::create().unwrap()));
    let token = world.token().unwrap();
    let pin = world.scratch().join("pin");
    let right = std::fs::read(token.pin_file()).unwrap();
    std::fs::copy(token.pin_file(), &pin).unwrap();
    std::fs::write(&pin, "4711").unwrap();
    let dev = |world: &World| {
        let token = world.token().unwrap();
        let mut dev = world.dev();
        dev.arg("--pkcs11").arg(token.module()).arg(token.uri()).arg("--pin-file").arg(&pin);
        dev
    };
    let failed = world.start_as(dev(&world)).unwrap_err();
    drop(world.release());
    assert!(failed.contains("PIN") && !failed.contains("Three commands"), "{failed}");

    std::fs::write(&pin, right).unwrap();
    world.start_as(dev(&world)).unwrap();
    let said = world.process().said();
    assert!(said.contains("dev/first@1 was born") && said.contains("backend  hsm"), "{said}");
    signs(&world, "one");
    assert!(world.stop().success());
    // And without a word it runs as it was made.
    world.start_as(world.dev()).unwrap();
    signs(&world, "two");
    assert!(world.stop().success());
}

/// What is there is not made again, whatever is wrong with it.
#[test]
fn a_configuration_that_cannot_be_read_is_named() {
    let world = World::vacant(None, None);
    std::fs::create_dir(world.place()).unwrap();
    std::fs::write(world.place().join("countersignd.toml"), "[instance]\n").unwrap();
    let output = world.dev().output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("countersignd.toml"), "{said}");
}
