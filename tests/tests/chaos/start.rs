//! A start over modules that hang or crash: everything else is served meanwhile, and their keys as soon as they are well.

use proto::reason::Reason;
use proto::wire::v1::stop_target::Target;
use softhsm::Wire;
use tests::ask::{self, explained};
use tests::crowd::Crowd;
use tests::load::request;
use tests::process::Process;
use tests::world::{Plan, World};

use super::{KEY, OTHER, P256, accounted, fronted};

/// A second key in the token.
const MAC: &str = "release/mac";

/// A call may take so long that whoever waits for one waits for ever, as far as a test can tell.
const SLOW: &str = "kind = \"pkcs11\"\ncall_limit = \"600s\"\n";

/// [`KEY`] and [`MAC`] in a token, [`OTHER`] in software, and what stands in front of the token's module.
fn instance() -> (World, Wire) {
    let (token, wire) = fronted(&["linux", "mac"]);
    let plan = Plan::new().token(token, Some(wire.module())).key(OTHER, P256, &["blob"]);
    let plan = plan.token_key(KEY, "linux", P256, &["blob"]).token_key(MAC, "mac", P256, &["blob"]);
    let world = plan.make();
    world.configure("kind = \"pkcs11\"\n", SLOW);
    (world, wire)
}

/// A key is refused because its backend does not answer, by name.
#[track_caller]
fn waits(world: &World, key: &str, backend: &str) {
    let refused = ask::sign(world, request(key, b"a file")).unwrap_err();
    explained(&refused);
    assert_eq!(ask::reason(&refused), Reason::BackendUnavailable, "{refused:?}");
    assert!(refused.message().contains(backend), "{refused:?}");
}

/// And health says that it does not.
#[track_caller]
fn is_named(world: &World, backend: &str) {
    assert!(ask::trouble(world, &format!("backend/{backend}")).is_some());
}

/// Starts over a module that `breaks`, and mends it under the daemon.
fn serves_over(breaks: impl Fn(&Wire), looks: impl Fn(&World)) {
    let (mut world, wire) = instance();
    breaks(&wire);
    world.start();
    looks(&world);
    let signed = ask::sign(&world, request(OTHER, b"a file")).unwrap();
    waits(&world, KEY, "hsm");
    assert_eq!(ask::trouble(&world, "backend/software"), None);
    assert_eq!(ask::trouble(&world, ""), None);
    let stopped = ask::stop(&world, Target::Key(MAC.to_owned())).unwrap();
    assert!(!stopped.pending, "{stopped:?}");
    wire.clear().unwrap();
    let mut crowd = Crowd::gather(&world, KEY, 1);
    crowd.more(3);
    let (received, refused) = crowd.end();
    refused.iter().for_each(explained);
    let refused = ask::sign(&world, request(MAC, b"a file")).unwrap_err();
    assert_eq!(ask::reason(&refused), Reason::KeySuspended);
    assert!(world.stop().success());
    accounted(&world, [&received, &signed.into()], "a start over a module that is not well");
}

#[test]
fn a_backend_that_says_nothing_holds_up_its_own_keys_alone() {
    serves_over(|wire| wire.hang("Initialize").unwrap(), |world| is_named(world, "hsm"));
}

#[test]
fn a_module_that_opens_no_session_or_finds_no_key_holds_up_its_own_keys_alone() {
    serves_over(|wire| wire.hang("OpenSession").unwrap(), |world| is_named(world, "hsm"));
    // It is open, and has answered whatever else it was asked: the journal alone knows that it owes a key.
    serves_over(
        |wire| wire.hang("FindObjectsInit").unwrap(),
        |world| assert_eq!(ask::trouble(world, "backend/hsm"), None),
    );
}

#[test]
fn a_module_that_crashes_when_it_is_loaded_costs_its_own_keys_alone() {
    serves_over(|wire| wire.kill_on_load().unwrap(), |world| is_named(world, "hsm"));
}

#[test]
fn several_backends_that_say_nothing_cost_no_more_than_one() {
    let (mut world, wire) = instance();
    let mut others = Vec::new();
    for name in ["hsm-b", "hsm-c"] {
        let (token, wire) = fronted(&["key"]);
        let (variable, value) = token.environment();
        let text = std::fs::read_to_string(world.config()).unwrap();
        let backend = format!(
            "{text}\n[backend.{name}]\n{SLOW}module = {:?}\ntoken = {:?}\npin = {{ file = {:?} }}\n\
             environment = {{ {variable} = {value:?} }}\n",
            wire.module(),
            token.uri(),
            token.pin_file()
        );
        std::fs::write(world.config(), backend).unwrap();
        let key = format!("release/{name}");
        let mut ceremony = world.countersignd("rehearse-key");
        ceremony.args([&key, "--algorithm", P256, "--purpose", "blob", "--backend", name]);
        ceremony.args(["--adopt", &token.key_uri("key")]).arg("--config").arg(world.config());
        let _said = Process::output(ceremony);
        others.push((name, key, wire, token));
    }
    for wire in others.iter().map(|(_, _, wire, _)| wire).chain([&wire]) {
        wire.hang("Initialize").unwrap();
    }
    world.start();
    let mut received = vec![ask::sign(&world, request(OTHER, b"a file")).unwrap().into()];
    waits(&world, KEY, "hsm");
    is_named(&world, "hsm");
    for (name, key, _, _) in &others {
        waits(&world, key, name);
        is_named(&world, name);
    }
    // One comes back, and the others are as they were.
    let (_, _, first, _) = &others[0];
    first.clear().unwrap();
    let mut crowd = Crowd::gather(&world, "release/hsm-b", 1);
    crowd.more(1);
    received.push(crowd.end().0);
    waits(&world, KEY, "hsm");
    let (name, key, _, _) = &others[1];
    waits(&world, key, name);
    assert!(world.stop().success());
    accounted(&world, &received, "a start over three modules that hang");
}
