//! `kill -9` of `countersignd init --complete`.

use ceremonies::genesis::Mode;
use tests::PATIENCE;
use tests::files::{contents, copy};
use tests::process::{Process, killed};
use tests::strace::{Fault, Trace, struck, watched};

use crate::desk::{Desk, good, refused};

#[test]
fn killed_while_it_begins_there_is_the_whole_instance_or_none_and_what_was_signed_is_there() {
    let mut desk = Desk::new(Mode::Rehearsal);
    good(desk.draft(&[]));
    desk.sign_all(&["ada", "bob", "cyd", "fay", "gus"]);
    let (place, whole) = (desk.world.place(), desk.path("whole"));
    let (signed, digest) = (contents(&place), desk.statement().digest().to_string());
    copy(&place, &whole);
    let trace = desk.path("trace");
    good(watched(&desk.complete(), &["fdatasync", "fsync", "pwrite64"], &trace));
    let points = Trace::read(&trace).some_points();
    assert!(points.len() > 8, "{points:?}");
    let (mut begun, mut nothing) = (0, 0);
    for point in points {
        std::fs::remove_dir_all(&place).unwrap();
        copy(&whole, &place);
        let mut process = Process::start(struck(&desk.complete(), &point, Fault::Kill, &trace));
        let status = process.finished(PATIENCE);
        assert!(killed(status) || status.success(), "{point}: {status}");
        if !killed(status) {
            continue;
        }
        for (path, bytes) in &signed {
            assert!(std::fs::read(path).is_ok_and(|now| now == *bytes), "{point}: {}", path.display());
        }
        // It does not start unless it is whole, and then it is the one that was signed.
        match desk.world.start_as(desk.world.daemon()) {
            Ok(()) => {
                begun += 1;
                assert!(desk.world.stop().success());
                let records = desk.world.ledger().records;
                let kinds: Vec<_> =
                    records.iter().map(|record| record.body["kind"].as_str().unwrap()).collect();
                assert_eq!(kinds[..2], ["genesis", "log.anchor"], "{point}");
                assert_eq!(kinds.iter().filter(|kind| **kind == "genesis").count(), 1);
                let config = std::fs::read_to_string(desk.world.config()).unwrap();
                assert!(config.contains(&digest), "{config}");
                // Nothing begins over it.
                assert!(refused(desk.complete()).contains("exists"));
            }
            Err(why) => {
                nothing += 1;
                assert!(!desk.world.release().ended(PATIENCE).success(), "{point}: {why}");
            }
        }
    }
    tests::tell(&format!("{begun} times it had begun, {nothing} times it had not"));
    assert!(begun > 0 && nothing > 3, "{begun}, {nothing}");
    // What was signed begins the same instance, once what was left half made is taken away.
    std::fs::remove_dir_all(&place).unwrap();
    copy(&whole, &place);
    good(desk.complete());
    desk.world.start();
    assert!(desk.world.stop().success());
}
