//! Anchors in a token: kept as one behind HTTPS is, by a host of their own that may crash and hang without anybody waiting.

use proto::proof::anchor::Kept;
use proto::proof::checkpoint::Checkpoint;
use rustix::process::Signal;
use softhsm::Wire;
use tests::load::{Received, request};
use tests::process::{Process, killed};
use tests::world::{Plan, World};
use tests::{PATIENCE, ask};

use super::anchor::{FILE, add, fares, refused, verifier};
use super::disk::{sign_again, unavailable};
use super::store::{copied, put_in_place, refuses_to_start, roll_back};
use super::{KEY, OTHER, P256, accounted, fronted};

const LABEL: &str = "countersign-anchor";
const APPLICATION: &str = "countersign";

/// An instance with [`KEY`] in a token and [`OTHER`] not, and what stands in front of the token's module.
fn instance() -> (World, Wire) {
    let (token, wire) = fronted(&["linux"]);
    let plan = Plan::new().token(token, Some(wire.module())).token_key(KEY, "linux", P256, &["blob"]);
    let world = plan.key(OTHER, P256, &["blob"]).make();
    let uri = uri(&world);
    world.configure(FILE, &format!("{FILE}, {{ pkcs11 = \"{uri}\", backend = \"hsm\" }}"));
    world.configure("kind = \"pkcs11\"\n", "kind = \"pkcs11\"\ncall_limit = \"2s\"\n");
    (world, wire)
}

/// The same with the anchor made.
fn anchored() -> (World, Wire) {
    let (world, wire) = instance();
    let said = Process::output(add(&world, &uri(&world)));
    assert!(said.contains("recorded as entry"), "{said}");
    (world, wire)
}

fn uri(world: &World) -> String {
    format!("{};object={LABEL}", world.token().unwrap().uri())
}

fn there(world: &World) -> Option<String> {
    world.token().unwrap().data(APPLICATION, LABEL).unwrap()
}

fn put(world: &World, text: Option<&str>) {
    world.token().unwrap().put_data(APPLICATION, LABEL, text).unwrap();
}

fn read(world: &World) -> Kept {
    there(world).expect("it keeps something").parse().unwrap()
}

fn versions(world: &World) -> usize {
    world.token().unwrap().data_labels().unwrap().iter().filter(|label| *label == LABEL).count()
}

/// Waits until something is so.
fn until(what: &str, so: impl Fn() -> bool) {
    let end = std::time::Instant::now() + PATIENCE;
    while !so() {
        assert!(std::time::Instant::now() < end, "waited for {what}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Signs, and waits until the token knows.
fn sign_and_keep(world: &mut World, key: &str) -> Received {
    let received = sign_again(world, key);
    let log_key = verifier(world);
    let size = |checkpoint: &str| Checkpoint::verify(checkpoint, &log_key).unwrap().size;
    let signed = size(&received.replies[0].receipt.as_ref().unwrap().checkpoint);
    until("the checkpoint to be kept", || versions(world) == 1 && size(&read(world).checkpoint) >= signed);
    received
}

#[test]
fn what_is_signed_is_kept_in_the_token_and_exactly_after_a_clean_stop() {
    let (mut world, wire) = anchored();
    world.start();
    let mut received = sign_and_keep(&mut world, KEY);
    assert_eq!(fares(&world, &uri(&world), false), "");
    assert_eq!(ask::counter(&world, "countersign_log_anchor_healthy"), 1);
    assert_eq!(world.hosts().len(), 2, "one signs, the other keeps the anchor");
    for _ in 0..5 {
        received.replies.extend(sign_again(&mut world, KEY).replies);
    }
    assert!(world.stop().success());
    let ledger = accounted(&world, [&received], "an anchor in a token");
    assert_eq!(read(&world), Kept { checkpoint: ledger.checkpoint.clone(), number: ledger.counter });
    assert_eq!(versions(&world), 1);
    assert!(ledger.asked() >= 6);
    // A start is a record, and that is kept; what was not said since is not written.
    let made = wire.calls("CreateObject").unwrap();
    world.start();
    fares(&world, &uri(&world), false);
    assert!(world.stop().success());
    assert_eq!(wire.calls("CreateObject").unwrap(), made + 1);
    let begun = accounted(&world, [&received], "the record of a start");
    assert_eq!(read(&world).checkpoint, begun.checkpoint);
}

#[test]
fn an_instance_rolled_back_or_an_object_that_is_not_its_own_refuses_the_start() {
    let (mut world, _wire) = anchored();
    world.start();
    sign_and_keep(&mut world, KEY);
    assert!(world.stop().success());
    let earlier = copied(&world);
    world.start();
    sign_again(&mut world, KEY);
    assert!(world.stop().success());
    let evidence = read(&world);
    let later = roll_back(&world, &earlier);
    let uri = uri(&world);
    let said = refuses_to_start(&mut world);
    assert!(said.contains(&format!("the anchor {uri} holds a checkpoint of")), "{said}");
    assert!(said.contains("2 are missing"), "the record of the second start, and a signature: {said}");
    assert_eq!(read(&world), evidence, "it is not written over");
    put_in_place(&world, &later);
    let ahead = evidence.to_string().replace(&format!("number {}", evidence.number), "number 99");
    for (object, words) in [
        (None, format!("anchor {uri} is missing")),
        (Some("<html>"), format!("the anchor {uri} holds no checkpoint of this log: line 1")),
        (Some(ahead.as_str()), format!("the anchor {uri} saw operation 99")),
    ] {
        put(&world, object);
        let said = refuses_to_start(&mut world);
        assert!(said.contains(&words), "{words}: {said}");
        assert_eq!(there(&world).as_deref(), object, "{words}: it is left as it is");
    }
    put(&world, Some(&evidence.to_string()));
    world.start();
    sign_and_keep(&mut world, KEY);
    // Taken away under the daemon it is an alarm, and only people put it back.
    put(&world, None);
    sign_again(&mut world, KEY);
    let cause = fares(&world, &uri, true);
    assert!(cause.contains("it is missing; put it back"), "{cause}");
    assert_eq!(versions(&world), 0);
    put(&world, Some(&evidence.to_string()));
    fares(&world, &uri, false);
    sign_and_keep(&mut world, KEY);
    assert!(world.stop().success());
}

#[test]
fn a_token_that_was_away_is_read_before_it_is_written() {
    let (mut world, _wire) = anchored();
    world.start();
    sign_and_keep(&mut world, KEY);
    assert!(world.stop().success());
    let uri = uri(&world);
    // Not there at the start: an alarm, and those sign who do not need the token.
    world.token().unwrap().remove().unwrap();
    world.start();
    let cause = fares(&world, &uri, true);
    assert!(cause.contains("no token"), "{cause}");
    let said = world.process().says("the newest checkpoint is not kept off the host", PATIENCE);
    assert!(said.contains(&uri), "{said}");
    sign_again(&mut world, OTHER);
    assert_eq!(ask::counter(&world, "countersign_log_anchor_healthy"), 0);
    world.token().unwrap().put_back().unwrap();
    fares(&world, &uri, false);
    sign_and_keep(&mut world, OTHER);
    assert!(world.stop().success());
    // The same with an instance that was rolled back: the log closes when the token is back.
    let earlier = copied(&world);
    world.start();
    sign_again(&mut world, OTHER);
    assert!(world.stop().success());
    let evidence = read(&world);
    put_in_place(&world, &earlier);
    world.token().unwrap().remove().unwrap();
    world.start();
    fares(&world, &uri, true);
    sign_again(&mut world, OTHER);
    world.token().unwrap().put_back().unwrap();
    let _closed = world.process().says("holds another tree", PATIENCE);
    unavailable(&ask::sign(&world, request(OTHER, b"a file")).unwrap_err());
    assert!(world.stop().success());
    assert_eq!(read(&world), evidence, "it is not written over");
}

#[test]
fn a_kill_between_the_new_object_and_the_end_of_the_old_one_leaves_an_anchor_that_is_read() {
    let (mut world, wire) = anchored();
    world.start();
    let mut received = sign_and_keep(&mut world, KEY);
    for _ in 0..2 {
        wire.hang("DestroyObject").unwrap();
        received.replies.extend(sign_again(&mut world, KEY).replies);
        until("the new object", || versions(&world) == 2);
        assert!(killed(world.kill()));
        wire.clear().unwrap();
        assert_eq!(versions(&world), 2, "both are there");
        world.start();
        fares(&world, &uri(&world), false);
        received.replies.extend(sign_and_keep(&mut world, KEY).replies);
        assert_eq!(versions(&world), 1);
    }
    assert!(world.stop().success());
    let ledger = accounted(&world, [&received], "a kill inside of a write");
    assert_eq!(read(&world).checkpoint, ledger.checkpoint);
}

#[test]
fn a_host_that_crashes_or_hangs_in_a_write_stops_nobody() {
    let (mut world, wire) = anchored();
    world.start();
    let mut received = sign_and_keep(&mut world, KEY);
    let signs = world.hosts().len();
    assert_eq!(signs, 2);
    let now = |world: &World| Received::from(ask::sign(world, request(KEY, b"a file")).unwrap());
    for function in ["CreateObject", "DestroyObject"] {
        wire.crash(function).unwrap();
        received.replies.extend(now(&world).replies);
        let _crashed = world.process().says("the host process ended", PATIENCE);
        received.replies.extend(now(&world).replies);
        received.replies.extend(sign_and_keep(&mut world, KEY).replies);
        fares(&world, &uri(&world), false);
    }
    wire.hang("CreateObject").unwrap();
    received.replies.extend(now(&world).replies);
    let cause = fares(&world, &uri(&world), true);
    assert!(cause.contains("did not return within") || cause.contains("not answered"), "{cause}");
    for _ in 0..5 {
        received.replies.extend(now(&world).replies);
    }
    // Nor does it keep the daemon from ending.
    let mut daemon = world.release();
    daemon.signal(Signal::TERM);
    assert!(daemon.finished(PATIENCE).success());
    assert!(daemon.said().contains("it was left behind"), "{}", daemon.said());
    wire.clear().unwrap();
    world.start();
    received.replies.extend(sign_and_keep(&mut world, KEY).replies);
    assert!(world.stop().success());
    accounted(&world, [&received], "a host that crashes and hangs");
}

#[test]
fn a_bad_pin_is_tried_once_by_both_hosts_over_restarts() {
    let (mut world, wire) = anchored();
    world.token().unwrap().write_pin("000000").unwrap();
    let before = wire.calls("Login").unwrap();
    for _restart in 0..2 {
        world.start();
        let cause = fares(&world, &uri(&world), true);
        assert!(cause.contains("PIN") && cause.contains("backends unlock"), "{cause}");
        assert!(ask::sign(&world, request(KEY, b"a file")).is_err());
        sign_again(&mut world, OTHER);
        assert!(!world.process().said().contains("000000"), "a PIN was said");
        assert!(world.stop().success());
    }
    assert_eq!(wire.calls("Login").unwrap() - before, 1, "one attempt, ever");
    let right = world.token().unwrap().pin().to_owned();
    world.token().unwrap().write_pin(&right).unwrap();
    world.start();
    fares(&world, &uri(&world), false);
    sign_and_keep(&mut world, OTHER);
    assert!(world.stop().success());
}

#[test]
fn it_is_made_once_where_nothing_is_by_whoever_is_configured() {
    let (world, wire) = instance();
    let uri = uri(&world);
    let records = world.ledger().records.len();
    let said = refused(&world, "pkcs11:token=another;object=a");
    assert!(said.contains("is not configured") && said.contains("backend = "), "{said}");
    assert!(refused(&world, "pkcs11:pin-value=1").contains("never stands in a URI"));
    put(&world, Some("somebody's"));
    assert!(refused(&world, &uri).contains("something is there already"));
    assert_eq!(there(&world).as_deref(), Some("somebody's"));
    put(&world, None);
    world.token().unwrap().remove().unwrap();
    let said = refused(&world, &uri);
    assert!(said.contains("was not made") && said.contains("no token"), "{said}");
    world.token().unwrap().put_back().unwrap();
    const TOKEN_WRITE_PROTECTED: u64 = 0xe2;
    wire.fail("CreateObject", TOKEN_WRITE_PROTECTED).unwrap();
    let said = refused(&world, &uri);
    assert!(said.contains("was not made") && said.contains("CKR_TOKEN_WRITE_PROTECTED"), "{said}");
    wire.clear().unwrap();
    assert_eq!(world.ledger().records.len(), records, "nothing is recorded that was not made");
    let said = Process::output(add(&world, &uri));
    assert!(said.contains(&format!("recorded as entry {records}")), "{said}");
    assert_eq!(world.ledger().records.last().unwrap().body["body"]["place"], uri);
    assert!(refused(&world, &uri).contains("something is there already"));
    put(&world, None);
    let said = refused(&world, &uri);
    assert!(said.contains("is an anchor of this log already"), "{said}");
    assert_eq!(versions(&world), 0, "it is not made a second time");
}
