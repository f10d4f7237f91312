//! The promises under whatever can happen to a daemon: killed, stopped, its disk and its HSM failing, reloaded, drained.
//!
//! One program, because each would link the whole product anew; its tests run side by side on instances of their own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "chaos/absent.rs"]
mod absent;
#[path = "chaos/anchor.rs"]
mod anchor;
#[path = "chaos/configured.rs"]
mod configured;
#[path = "chaos/disk.rs"]
mod disk;
#[path = "chaos/flood.rs"]
mod flood;
#[path = "chaos/guarded.rs"]
mod guarded;
#[path = "chaos/hsm.rs"]
mod hsm;
#[path = "chaos/impatience.rs"]
mod impatience;
#[path = "chaos/kill.rs"]
mod kill;
#[path = "chaos/random.rs"]
mod random;
#[path = "chaos/reload.rs"]
mod reload;
#[path = "chaos/start.rs"]
mod start;
#[path = "chaos/stops.rs"]
mod stops;
#[path = "chaos/store.rs"]
mod store;
#[path = "chaos/story.rs"]
mod story;
#[path = "chaos/token_anchor.rs"]
mod token_anchor;

use softhsm::{Shape, Token, Wire};
use tests::ledger::Ledger;
use tests::load::{Received, unaccounted};
use tests::world::{Plan, World};

const KEY: &str = "release/linux";
const OTHER: &str = "release/windows";
const P256: &str = "ecdsa-p256-sha256";

/// A software key [`KEY`] and another, [`OTHER`].
fn software() -> Plan {
    Plan::new().key(KEY, P256, &["blob"]).key(OTHER, P256, &["blob"])
}

/// [`KEY`] in a token, and a software key [`OTHER`].
fn hsm() -> Plan {
    let token = Token::create().unwrap();
    token.generate("linux", &[1], Shape::P256).unwrap();
    Plan::new().token(token, None).token_key(KEY, "linux", P256, &["blob"]).key(OTHER, P256, &["blob"])
}

/// A token with keys of these labels, and what stands in front of its module and does what the test says.
fn fronted(labels: &[&str]) -> (Token, Wire) {
    let token = Token::create().unwrap();
    for (label, id) in labels.iter().zip(1..) {
        token.generate(label, &[id], Shape::P256).unwrap();
    }
    let wire = Wire::build(token.directory(), token.module()).unwrap();
    (token, wire)
}

/// A stopped daemon's log keeps every promise and accounts for whatever callers hold.
#[track_caller]
fn accounted<'a>(world: &World, received: impl IntoIterator<Item = &'a Received>, what: &str) -> Ledger {
    let ledger = world.ledger();
    assert_eq!(ledger.complaints(), Vec::<String>::new(), "{what}");
    assert_eq!(ledger.open, Vec::<u64>::new(), "{what}: open intents");
    assert_eq!(unaccounted(&ledger, received), Vec::<String>::new(), "{what}");
    ledger
}
