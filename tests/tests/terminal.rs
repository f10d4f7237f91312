//! A whole ceremony as people hold it: each at a terminal of 80 columns of his own, typing what the documentation says, with
//! `ssh-keygen`, the real daemon and a SoftHSM token. What they saw is kept, screen by screen, in `tests/terminal/*.txt`.
//!
//! What is another in every run (ids, digests, times, words, places) stands there as what it is. A line that is wider than
//! the terminal fails the test. `COUNTERSIGN_SNAPSHOTS=write` writes them anew, as it does those of the client: then read them.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the screens need less of it than the tests of ceremonies")]
#[path = "ceremonies/room.rs"]
mod room;
#[path = "terminal/screen.rs"]
mod screen;
#[path = "terminal/seat.rs"]
mod seat;

use room::{Room, new_key};
use screen::Screens;
use seat::Seat;

/// The ready statement of a key, as the operator fills it in.
const TEMPLATE: &str = "new-key.toml";

fn filled_in(key: &str, purpose: &str) -> String {
    let ready = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../ceremonies/statements/sandbox/key-generate.toml");
    let ready = std::fs::read_to_string(ready).unwrap();
    let lines = ready.lines().map(|line| match line.split(" = ").next().unwrap() {
        "purpose" if line.contains("FILL IN") => format!("purpose = {purpose:?}"),
        "key" => format!("key = {key:?}"),
        "owner" => "owner = \"release team\"".to_owned(),
        "backend" => "backend = \"hsm\"".to_owned(),
        "lives" => "lives = \"50m\"".to_owned(),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_key_is_born_at_eight_terminals() {
    let room = Room::token();
    // One is completed before, so that the next is compared with it.
    let first = room.proposed(&new_key("release/mac", "hsm"));
    room.arm(&first);
    room.executes(&first).unwrap();
    room.complete(&first);

    let mut screens = Screens::of(&room, "birth");
    let sit = |person: &str| Seat::take(&room, person);
    let [oskar, ada, bob, wanda, walter] = ["oskar", "ada", "bob", "wanda", "walter"].map(sit);
    std::fs::write(oskar.home().join(TEMPLATE), filled_in("release/linux", "a key for Linux releases"))
        .unwrap();
    ada.locks("a passphrase");

    let mut new = oskar.types("countersign ceremony new new-key.toml -o new-key.json");
    screens.keep("new", new.ends(0));
    let mut propose = oskar.types("countersign ceremony propose new-key.json");
    propose.answers("or anything else to leave it:", "yes");
    screens.keep("propose", propose.ends(0));
    let statement = std::fs::read(oskar.home().join("new-key.json")).unwrap();
    let id = serde_json::from_slice::<serde_json::Value>(&statement).unwrap()["ceremony"]
        .as_str()
        .unwrap()
        .to_owned();

    let mut run = oskar.types(&format!("countersign ceremony run {id}"));
    run.shows("proposed, ceremony");

    screens.keep("inbox", ada.types("countersign inbox").ends(0));
    let mut approve = ada.types(&format!("countersign approve {id}"));
    approve.answers("or anything else to leave it:", "yes");
    approve.answers("passphrase", "a passphrase");
    screens.keep("approve", approve.ends(0));
    // The operator's screen follows; where two changes came at once it would show the second alone.
    run.shows("1 more officer must approve");
    let mut second = bob.types(&format!("countersign approve {id}"));
    second.answers("or anything else to leave it:", "yes");
    screens.keep("approve-second", second.ends(0));
    run.shows("bob (record");
    for (witness, name, then) in
        [(&wanda, "attest", "1 more witness must attest"), (&walter, "attest-second", "armed, ceremony")]
    {
        let mut attest = witness.types(&format!("countersign attest {id}"));
        attest.answers("or anything else to leave it:", "yes");
        screens.keep(name, attest.ends(0));
        run.shows(then);
    }

    run.answers("type yes to execute", "yes");
    run.answers(
        &format!("Then the witnesses of before countersign attest {id}"),
        "d walter came ten minutes late",
    );
    run.shows("recorded in record");
    for (witness, name, then) in
        [(&wanda, "attest-after", "saw it wanda"), (&walter, "attest-after-second", "saw it walter")]
    {
        let mut attest = witness.types(&format!("countersign attest {id}"));
        attest.answers("or anything else to leave it:", "yes");
        screens.keep(name, attest.ends(0));
        run.shows(then);
    }
    screens.keep("run", screen::without_instants(&run.ends(0)));

    screens.keep("show", bob.types(&format!("countersign ceremony show {id}")).ends(0));
    screens.keep(
        "transcript",
        wanda.types(&format!("countersign ceremony transcript {id} --out transcript")).ends(0),
    );
    screens.keep("verify", wanda.types("countersign ceremony verify transcript").ends(0));
    screens.compared();
    room.ends_well();
}

#[test]
fn one_says_no_and_one_ends_it() {
    let room = Room::software();
    let mut screens = Screens::of(&room, "no");
    let sit = |person: &str| Seat::take(&room, person);
    let [oskar, ada, carol, wanda] = ["oskar", "ada", "carol", "wanda"].map(sit);
    let open = room.proposed(&new_key("release/linux", "software"));
    let id = &open.id;
    room.approves("bob", &open).unwrap();

    // Anything but `yes` signs nothing.
    let mut leaves = ada.types(&format!("countersign approve {id}"));
    leaves.answers("or anything else to leave it:", "no");
    screens.keep("leave", leaves.ends(1));
    let mut refuses =
        carol.types(&format!("countersign approve {id} --refuse --reason 'I know of no such key'"));
    refuses.answers("or anything else to leave it:", "yes");
    screens.keep("refuse", refuses.ends(0));
    let mut wrong = wanda.types(&format!("countersign approve {id}"));
    screens.keep("wrong-role", wrong.ends(1));
    let mut run = oskar.types(&format!("countersign ceremony run {id}"));
    run.shows("proposed, ceremony");
    let mut veto = wanda.types(&format!("countersign ceremony veto {id} --reason 'nobody has asked for it'"));
    screens.keep("veto", veto.ends(0));
    screens.keep("run-vetoed", run.ends(1));
    let mut late = ada.types(&format!("countersign approve {id}"));
    screens.keep("approve-vetoed", late.ends(1));
    screens.keep("list", ada.types("countersign ceremony list --ended").ends(0));
    screens.compared();
    room.ends_well();
}
