//! The whole, from outside: what the end-to-end tests start, break and read.
//!
//! A test says what it needs and waits for events, each with a bound; it never sleeps and hopes. Everything that a test
//! starts lies in a directory of its own, listens on a port of its own and ends with the test. Nothing else is touched.
//! This crate judges the product by its doors: processes, sockets, files. It may import all, and nobody imports it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod ask;
pub mod binaries;
pub mod crowd;
pub mod disk;
pub mod files;
pub mod fuzz;
pub mod inside;
pub mod ledger;
pub mod load;
pub mod openssh;
pub mod performance;
pub mod process;
pub mod ready;
pub mod shelf;
pub mod strace;
pub mod world;

use std::time::{Duration, Instant};

use softhsm::Wire;

/// How long a test waits for something that should happen at once: long enough for a machine that is busy with other
/// builds, and no measure of anything.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Says something that is part of a run's result: points that were reached, numbers that were run. It is seen also of
/// tests that pass, which `println` is not.
pub fn tell(line: &str) {
    use std::io::Write;
    // Whoever closed standard error does not want to know.
    let _nobody_listens = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Whether this is a full run, which `cargo xtask test --full` asks for.
#[must_use]
pub fn full() -> bool {
    std::env::var_os("COUNTERSIGN_FULL").is_some()
}

/// Waits until a token's module was asked so often.
///
/// # Panics
/// If it is not.
#[track_caller]
pub fn until_called(wire: &Wire, function: &str, times: usize) {
    let asked = Instant::now();
    while wire.calls(function).unwrap() < times {
        assert!(asked.elapsed() < PATIENCE, "{function} was not called {times} times");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How often something is repeated: a few times in every run, as often as the design says in a full one.
#[must_use]
pub fn repeated(what: &str, usually: usize, fully: usize) -> usize {
    let times = if full() { fully } else { usually };
    tell(&format!("{what}: {times} of {fully}"));
    times
}
