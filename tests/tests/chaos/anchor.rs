//! Anchors off the host: kept beside the commits, read at each start, and never in the way of a signature.

use proto::proof::anchor::Kept;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::note::{Ed25519Signer, NoteSigner, Verifier};
use tests::load::request;
use tests::process::{Process, killed};
use tests::shelf::{Mood, Shelf};
use tests::world::World;
use tests::{PATIENCE, ask};

use super::disk::{sign_again, unavailable};
use super::store::{copied, put_in_place, refuses_to_start, roll_back};
use super::{KEY, accounted, hsm, software};

const PATH: &str = "/countersign/log";
/// Where its line goes in the configuration.
pub const FILE: &str = "countersign.anchor\" }";

/// The command that makes the anchor.
pub fn add(world: &World, place: &str) -> std::process::Command {
    let mut command = world.countersignd("anchor");
    command.args(["add", place, "--config"]).arg(world.config());
    command
}

/// What it says when it fails.
pub fn refused(world: &World, place: &str) -> String {
    let output = add(world, place).output().unwrap();
    assert!(!output.status.success(), "it was made");
    String::from_utf8(output.stderr).unwrap()
}

/// Names the shelf in the configuration, with a certificate of the first client and whatever else is said.
fn configure(world: &World, shelf: &Shelf, more: &str) {
    let tls = world.place().join("tls");
    let (tls, url) = (tls.display(), shelf.url(PATH));
    world.configure(
        FILE,
        &format!(
            "{FILE}, {{ https = \"{url}\", ca = {{ file = \"{tls}/ca.pem\" }}, certificate = {{ file = \
             \"{tls}/client.pem\" }}, key = {{ file = \"{tls}/client.key\" }}{more} }}"
        ),
    );
}

/// A shelf that wants a certificate, made an anchor of the world's log.
fn shelved(world: &World) -> Shelf {
    let tls = world.place().join("tls");
    let shelf = Shelf::start(&tls, Some(&tls.join("ca.pem")));
    configure(world, &shelf, "");
    let said = Process::output(add(world, &shelf.url(PATH)));
    assert!(said.contains("recorded as entry"), "{said}");
    shelf
}

fn read(shelf: &Shelf) -> Kept {
    shelf.kept(PATH).expect("it keeps something").parse().unwrap()
}

/// The log's key.
pub fn verifier(world: &World) -> Verifier {
    std::fs::read_to_string(world.place().join("log.pub")).unwrap().trim().parse().unwrap()
}

/// Waits until it keeps a tree of at least so many records.
fn caught_up(shelf: &Shelf, key: &Verifier, size: u64) {
    shelf.await_kept(PATH, |text| {
        let kept: Kept = text.parse().unwrap();
        Checkpoint::verify(&kept.checkpoint, key).unwrap().size >= size
    });
}

/// Signs, and waits until the shelf knows.
fn sign_and_keep(world: &mut World, shelf: &Shelf) -> tests::load::Received {
    let received = sign_again(world, KEY);
    let size =
        Checkpoint::verify(&received.replies[0].receipt.as_ref().unwrap().checkpoint, &verifier(world));
    caught_up(shelf, &verifier(world), size.unwrap().size);
    received
}

/// Waits until the health of the shelf is this, and returns the cause.
fn until(world: &World, shelf: &Shelf, trouble: bool) -> String {
    fares(world, &shelf.url(PATH), trouble)
}

/// Waits until the health of an anchor is this, and returns the cause.
pub fn fares(world: &World, anchor: &str, trouble: bool) -> String {
    let name = format!("anchor/{anchor}");
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        let cause = ask::trouble(world, &name);
        if cause.is_some() == trouble {
            return cause.unwrap_or_default();
        }
        assert!(std::time::Instant::now() < end, "trouble: {cause:?}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn what_is_signed_is_kept_off_the_host_and_exactly_after_a_clean_stop() {
    let mut world = hsm().make();
    let shelf = shelved(&world);
    let first = &shelf.seen()[..3];
    let told: Vec<_> =
        first.iter().map(|seen| (seen.method.as_str(), seen.headers.get("if-none-match"))).collect();
    let any = "*".parse().unwrap();
    assert_eq!(told[1..], [("GET", None), ("PUT", Some(&any))], "looked for, and made only where nothing is");
    world.start();
    let mut received = sign_and_keep(&mut world, &shelf);
    assert_eq!(until(&world, &shelf, false), "");
    assert_eq!(ask::counter(&world, "countersign_log_anchor_healthy"), 1);
    for _ in 0..5 {
        received.replies.extend(sign_again(&mut world, KEY).replies);
    }
    assert!(world.stop().success());
    let ledger = accounted(&world, [&received], "an anchor off the host");
    assert_eq!(read(&shelf), Kept { checkpoint: ledger.checkpoint.clone(), number: ledger.counter });
    assert!(ledger.asked() >= 6);
    // A start is a record, and that is kept; what was not said since is not written.
    let puts = shelf.count("PUT");
    world.start();
    until(&world, &shelf, false);
    assert!(world.stop().success());
    assert_eq!(shelf.count("PUT"), puts + 1);
    let begun = accounted(&world, [&received], "the record of a start");
    assert_eq!(read(&shelf).checkpoint, begun.checkpoint);
}

#[test]
fn an_instance_rolled_back_with_its_file_anchor_is_found_out() {
    let mut world = software().make();
    let shelf = shelved(&world);
    world.start();
    sign_and_keep(&mut world, &shelf);
    assert!(world.stop().success());
    let earlier = copied(&world);
    world.start();
    sign_again(&mut world, KEY);
    assert!(world.stop().success());
    let evidence = read(&shelf);
    let later = roll_back(&world, &earlier);
    let said = refuses_to_start(&mut world);
    assert!(said.contains(&format!("the anchor {} holds a checkpoint of", shelf.url(PATH))), "{said}");
    assert!(said.contains("2 are missing"), "the record of the second start, and a signature: {said}");
    assert_eq!(read(&shelf), evidence, "it is not written over");
    put_in_place(&world, &later);
    world.start();
    sign_and_keep(&mut world, &shelf);
    assert!(world.stop().success());
}

#[test]
fn an_anchor_that_could_not_be_read_is_read_before_it_is_written() {
    let mut world = software().make();
    let shelf = shelved(&world);
    world.start();
    sign_and_keep(&mut world, &shelf);
    assert!(world.stop().success());
    let earlier = copied(&world);
    world.start();
    sign_again(&mut world, KEY);
    assert!(world.stop().success());
    let evidence = read(&shelf);
    put_in_place(&world, &earlier);
    // Rolled back, and the one who knows does not answer: nobody can tell, so it starts, with an alarm.
    shelf.turn(Mood::Away);
    world.start();
    let cause = until(&world, &shelf, true);
    assert!(cause.contains("TLS"), "{cause}");
    let said = world.process().says("the newest checkpoint is not kept off the host", PATIENCE);
    assert!(said.contains(&shelf.url(PATH)), "{said}");
    sign_again(&mut world, KEY);
    assert_eq!(ask::counter(&world, "countersign_log_anchor_healthy"), 0);
    // It answers again: the log closes, for good, and what it kept is still there.
    shelf.turn(Mood::Keeps);
    let _closed = world.process().says("holds another tree", PATIENCE);
    unavailable(&ask::sign(&world, request(KEY, b"a file")).unwrap_err());
    let cause = ask::trouble(&world, "log").expect("health says so too");
    assert!(cause.contains("holds another tree"), "{cause}");
    assert!(world.stop().success());
    assert_eq!(read(&shelf), evidence, "it is not written over");
    // From then on the host itself remembers.
    shelf.turn(Mood::Away);
    let said = refuses_to_start(&mut world);
    assert!(said.contains("presented"), "{said}");
}

#[test]
fn one_that_does_not_answer_is_an_alarm_and_signing_goes_on() {
    let mut world = software().make();
    let shelf = shelved(&world);
    for (mood, words) in [
        (Mood::Hangs, "it has not answered"),
        (Mood::Answers(503), "503 Service Unavailable"),
        (Mood::Answers(403), "look at its credentials"),
        (Mood::Answers(302), "redirects are not followed"),
    ] {
        let before = read(&shelf);
        shelf.turn(mood.clone());
        world.start();
        let cause = until(&world, &shelf, true);
        assert!(cause.contains(words), "{mood:?}: {cause}");
        sign_again(&mut world, KEY);
        assert_eq!(read(&shelf), before);
        shelf.turn(Mood::Keeps);
        until(&world, &shelf, false);
        sign_and_keep(&mut world, &shelf);
        assert!(world.stop().success());
    }
    assert!(shelf.seen().iter().all(|seen| seen.target == PATH), "a redirect was followed");
}

#[test]
fn one_that_takes_nothing_any_more_stops_nobody_and_catches_up() {
    let mut world = software().make();
    let shelf = shelved(&world);
    world.start();
    let mut received = sign_and_keep(&mut world, &shelf);
    for mood in [Mood::ReadOnly, Mood::Hangs, Mood::Away, Mood::Answers(500)] {
        shelf.turn(mood);
        received.replies.extend(sign_again(&mut world, KEY).replies);
        until(&world, &shelf, true);
        received.replies.extend(sign_again(&mut world, KEY).replies);
        shelf.turn(Mood::Keeps);
        until(&world, &shelf, false);
        received.replies.extend(sign_and_keep(&mut world, &shelf).replies);
    }
    // Nor does it keep the daemon from ending.
    shelf.turn(Mood::Hangs);
    received.replies.extend(sign_again(&mut world, KEY).replies);
    let mut daemon = world.release();
    daemon.signal(rustix::process::Signal::TERM);
    assert!(daemon.finished(PATIENCE).success());
    assert!(daemon.said().contains("it was left behind"), "{}", daemon.said());
    accounted(&world, [&received], "an anchor that does not answer");
    // A kill leaves it behind too: that contradicts nothing.
    shelf.turn(Mood::Keeps);
    world.start();
    sign_again(&mut world, KEY);
    assert!(killed(world.kill()));
    world.start();
    sign_and_keep(&mut world, &shelf);
    assert!(world.stop().success());
}

#[test]
fn what_is_missing_or_somebody_elses_refuses_the_start() {
    let mut world = software().make();
    let shelf = shelved(&world);
    world.start();
    sign_and_keep(&mut world, &shelf);
    assert!(world.stop().success());
    let kept = read(&shelf);
    let text = kept.to_string();
    let ahead = text.replace(&format!("number {}", kept.number), "number 99");
    let url = shelf.url(PATH);
    let forged = {
        let name = verifier(&world).name().to_owned();
        let stranger = Ed25519Signer::from_seed(&name, &[9; 32]).unwrap();
        let checkpoint = Checkpoint::verify(&kept.checkpoint, &verifier(&world)).unwrap();
        Kept { checkpoint: checkpoint.sign(&stranger as &dyn NoteSigner).unwrap(), ..kept.clone() }
    };
    for (there, words) in [
        (None, format!("anchor {url} is missing")),
        (Some(forged.to_string()), format!("the anchor {url} holds no checkpoint of this log")),
        (Some("<html>".to_owned()), format!("the anchor {url} holds no checkpoint of this log: line 1")),
        (Some(ahead), format!("the anchor {url} saw operation 99")),
        (Some("x".repeat(5000)), "more than 4096 bytes".to_owned()),
    ] {
        shelf.put(PATH, there.as_deref());
        let said = refuses_to_start(&mut world);
        assert!(said.contains(&words), "{words}: {said}");
        assert_eq!(shelf.kept(PATH), there, "{words}: it is left as it is");
    }
    // An older one is behind, which contradicts nothing.
    shelf.put(PATH, Some(&text));
    world.start();
    sign_and_keep(&mut world, &shelf);
    assert!(world.stop().success());
    shelf.put(PATH, Some(&text));
    world.start();
    until(&world, &shelf, false);
    assert!(world.stop().success());
    assert_eq!(read(&shelf).checkpoint, world.ledger().checkpoint);
}

#[test]
fn it_is_read_when_the_log_is_loaded_again() {
    let mut world = software().make();
    let shelf = shelved(&world);
    world.start();
    sign_and_keep(&mut world, &shelf);
    until(&world, &shelf, false);
    let (log, aside) = (world.state().join("log.db"), world.scratch().join("aside"));
    std::fs::rename(&log, &aside).unwrap();
    unavailable(&ask::sign(&world, request(KEY, b"a file")).unwrap_err());
    let kept = shelf.kept(PATH);
    shelf.put(PATH, None);
    std::fs::rename(&aside, &log).unwrap();
    let _closed = world.process().says(&format!("anchor {} is missing", shelf.url(PATH)), PATIENCE);
    unavailable(&ask::sign(&world, request(KEY, b"a file")).unwrap_err());
    shelf.put(PATH, kept.as_deref());
    world.process().signal(rustix::process::Signal::HUP);
    sign_and_keep(&mut world, &shelf);
    assert!(world.stop().success());
}

#[test]
fn it_is_made_once_where_nothing_is_by_whoever_is_configured() {
    let world = software().make();
    let tls = world.place().join("tls");
    let shelf = Shelf::start(&tls, None);
    let url = shelf.url(PATH);
    let records = world.ledger().records.len();
    let said = refused(&world, &url);
    assert!(said.contains("is not configured") && said.contains(&url), "{said}");
    assert!(refused(&world, "http://localhost/log").contains("https://"));
    let secret = |name: &str, text: &str| {
        let path = world.scratch().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path.display().to_string()
    };
    let (bearer, query) = (secret("bearer", "tok3n\n"), secret("query", "?sv=1&sig=s%3Dcret\n"));
    configure(
        &world,
        &shelf,
        &format!(
            ", bearer = {{ file = \"{bearer}\" }}, query = {{ file = \"{query}\" }}, headers = {{ x-kind = \"BlockBlob\" }}"
        ),
    );
    shelf.put(PATH, Some("somebody's"));
    assert!(refused(&world, &url).contains("something is there already"));
    assert_eq!(shelf.kept(PATH).as_deref(), Some("somebody's"));
    shelf.put(PATH, None);
    for (mood, words) in [
        (Mood::Forgets, "does not give back what was written"),
        (Mood::Away, "no TLS"),
        (Mood::ReadOnly, "look at its credentials"),
    ] {
        shelf.turn(mood);
        let said = refused(&world, &url);
        assert!(said.contains(words) && said.contains("was not made"), "{said}");
    }
    assert_eq!(world.ledger().records.len(), records, "nothing is recorded that was not made");
    shelf.turn(Mood::Keeps);
    let said = Process::output(add(&world, &url));
    assert!(said.contains(&format!("recorded as entry {records}")), "{said}");
    assert_eq!(world.ledger().records.last().unwrap().body["body"]["place"], url);
    let last = shelf.seen().pop().unwrap();
    assert_eq!(last.target, format!("{PATH}?sv=1&sig=s%3Dcret"));
    assert_eq!(
        (&last.headers["authorization"], &last.headers["x-kind"]),
        (&"Bearer tok3n".parse().unwrap(), &"BlockBlob".parse().unwrap())
    );
    let said = refused(&world, &url);
    assert!(said.contains("something is there already"), "{said}");
    shelf.put(PATH, None);
    let said = refused(&world, &url);
    assert!(said.contains("is an anchor of this log already"), "{said}");
    assert_eq!(shelf.kept(PATH), None, "it is not made a second time");
    for said in [said, refused(&world, &url)] {
        assert!(!said.contains("tok3n") && !said.contains("cret"), "{said}");
    }
}

#[test]
fn a_server_that_nobody_vouches_for_gets_nothing() {
    let mut world = software().make();
    let shelf = shelved(&world);
    // A CA of another instance.
    let other = software().make();
    let ca = |world: &World| world.place().join("tls/ca.pem").display().to_string();
    world.configure(
        &format!("ca = {{ file = \"{}\" }}, cert", ca(&world)),
        &format!("ca = {{ file = \"{}\" }}, cert", ca(&other)),
    );
    let seen = shelf.seen().len();
    world.start();
    let cause = until(&world, &shelf, true);
    assert!(cause.contains("UnknownIssuer") || cause.contains("certificate"), "{cause}");
    sign_again(&mut world, KEY);
    assert!(world.stop().success());
    assert_eq!(shelf.seen().len(), seen);
}
