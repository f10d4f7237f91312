//! A store that is not the one it was: deleted, damaged, edited, rolled back. Nothing unsafe is released, and the daemon
//! says what is wrong.

use std::path::{Path, PathBuf};

use proto::wire::v1::stop_target::Target;
use tests::files::copy;
use tests::load::{Received, request};
use tests::process::killed;
use tests::strace::{Attached, Trace};
use tests::world::World;
use tests::{PATIENCE, ask, tell};

use super::disk::{sign_again, unavailable};
use super::{KEY, OTHER, accounted, software};

/// Starts it and expects that it does not: returns what it said.
pub fn refuses_to_start(world: &mut World) -> String {
    assert!(world.start_as(world.daemon()).is_err(), "it starts");
    let mut daemon = world.release();
    assert!(!daemon.finished(PATIENCE).success());
    daemon.said()
}

#[test]
fn a_store_deleted_under_the_daemon_is_noticed() {
    let mut world = software().start();
    let mut received = sign_again(&mut world, KEY);
    let log = world.state().join("log.db");
    let aside = world.scratch().join("aside");
    std::fs::rename(&log, &aside).unwrap();
    unavailable(&ask::sign(&world, request(KEY, b"a file")).unwrap_err());
    let cause = ask::trouble(&world, "log").expect("health says so too");
    assert!(cause.contains("log.db"), "{cause}");
    std::fs::rename(&aside, &log).unwrap();
    received.replies.extend(sign_again(&mut world, KEY).replies);
    assert!(world.stop().success());
    accounted(&world, [&received], "a deleted store");
}

/// Who asks for a file's times makes the kernel write its inode with the next sync: a third of what a commit costs.
#[test]
fn a_commit_asks_which_files_it_has_and_not_when_they_were_written() {
    let mut world = software().start();
    let mut received = sign_again(&mut world, KEY);
    let trace = world.scratch().join("trace");
    let tracer = Attached::watch(world.process().number(), &["%%stat", "fdatasync"], &trace);
    received.replies.extend(sign_again(&mut world, KEY).replies);
    drop(tracer);
    let calls = Trace::read(&trace).calls;
    let mut syncs = calls.iter().filter(|(_, call, _)| call == "fdatasync");
    let (writer, ..) = syncs.find(|(.., file)| file.contains("log.db-wal")).unwrap();
    let asked: Vec<String> = calls
        .iter()
        .filter(|(thread, call, _)| thread == writer && call != "fdatasync")
        .map(|(_, call, arguments)| format!("{call}({arguments}"))
        .collect();
    assert!(asked.iter().any(|question| question.contains("log.db-wal")), "{asked:?}");
    for question in &asked {
        assert!(question.starts_with("statx(") && question.contains(", STATX_INO, "), "{question}");
    }
    assert!(world.stop().success());
    accounted(&world, [&received], "a commit looked at");
}

fn flip(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn one_flipped_bit_in_the_wal_loses_nothing_silently() {
    let mut world = software().start();
    let mut received = sign_again(&mut world, KEY);
    received.replies.extend(sign_again(&mut world, KEY).replies);
    assert!(killed(world.kill()));
    let wal = world.state().join("log.db-wal");
    // In the first page of the first commit since the start: SQLite takes the rest for unwritten.
    let whole = std::fs::read(&wal).unwrap();
    flip(&wal, 32 + 24 + 2000);
    let said = refuses_to_start(&mut world);
    assert!(said.contains("anchor"), "{said}");
    // Whatever the attempt did to the file: with the right one it goes on.
    std::fs::write(&wal, whole).unwrap();
    world.start();
    received.replies.extend(sign_again(&mut world, KEY).replies);
    assert!(world.stop().success());
    accounted(&world, [&received], "a flipped bit");
}

#[test]
fn the_control_row_of_a_stop_cannot_be_hidden() {
    let mut world = software().start();
    let received = sign_again(&mut world, KEY);
    let _answer = ask::stop(&world, Target::Key(KEY.to_owned())).unwrap();
    assert!(world.stop().success());
    let records = world.ledger().records;
    let index = records.iter().position(|record| record.body["kind"] == "incident.stopped").unwrap();
    let log = world.state().join("log.db");
    let whole = std::fs::read(&log).unwrap();
    let (all, fewer) = (records.len(), records.len() - 1);
    let short = format!("covers {all} records, the store holds {fewer}");
    for (table, words) in [("control", "control"), ("record", short.as_str())] {
        let store = rusqlite::Connection::open(&log).unwrap();
        let gone = store
            .execute(&format!("delete from {table} where idx = ?1"), [i64::try_from(index).unwrap()])
            .unwrap();
        assert_eq!(gone, 1);
        drop(store);
        let said = refuses_to_start(&mut world);
        assert!(said.contains(words), "{table}: {said}");
        std::fs::write(&log, &whole).unwrap();
    }
    world.start();
    let stopped = ask::sign(&world, request(KEY, b"a file")).unwrap_err();
    assert_eq!(ask::reason(&stopped), proto::reason::Reason::KeySuspended, "{stopped:?}");
    assert!(world.stop().success());
    accounted(&world, [&received], "a hidden stop");
}

/// A copy of the instance as it is now. It does not run.
pub fn copied(world: &World) -> PathBuf {
    let earlier = world.scratch().join("earlier");
    copy(&world.place(), &earlier);
    earlier
}

/// Puts an earlier state of the instance in its place, and gives where the present one is from then on.
pub fn roll_back(world: &World, earlier: &Path) -> PathBuf {
    let later = world.scratch().join("later");
    std::fs::rename(world.place(), &later).unwrap();
    std::fs::rename(earlier, world.place()).unwrap();
    later
}

/// Puts a state of the instance in its place; the present one is gone.
pub fn put_in_place(world: &World, state: &Path) {
    std::fs::remove_dir_all(world.place()).unwrap();
    std::fs::rename(state, world.place()).unwrap();
}

#[test]
fn a_rolled_back_instance_is_found_out_by_a_client_that_remembers() {
    let mut world = software().start();
    sign_again(&mut world, KEY);
    assert!(world.stop().success());
    let earlier = copied(&world);
    world.start();
    let newer = sign_again(&mut world, KEY).replies.remove(0).receipt.unwrap().checkpoint;
    assert!(world.stop().success());
    // Store, anchor and all: nothing on the host remembers.
    let later = roll_back(&world, &earlier);
    world.start();
    sign_again(&mut world, OTHER);
    let refused = ask::present(&world, &newer).unwrap_err();
    tell(&format!("presented: {refused:?}"));
    // From then on nobody gets a signature, until the right store is back.
    unavailable(&ask::sign(&world, request(OTHER, b"a file")).unwrap_err());
    let cause = ask::trouble(&world, "log").expect("health says so too");
    assert!(cause.contains("checkpoint"), "{cause}");
    assert!(world.stop().success());
    let said = refuses_to_start(&mut world);
    assert!(said.contains("presented"), "{said}");
    put_in_place(&world, &later);
    world.start();
    let received = sign_again(&mut world, KEY);
    ask::present(&world, &newer).unwrap();
    assert!(world.stop().success());
    accounted(&world, [&received, &Received::default()], "the right store");
}
