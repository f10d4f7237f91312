//! Access policy from outside: what a large one costs.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::sync::Arc;

use daemon::clock::{Clock as _, SystemClock};
use daemon::policy::caller::Caller;
use daemon::policy::decide;
use daemon::policy::facts::{Action, Facts, Resource};
use daemon::policy::rules::Rules;
use proto::algorithm::HashAlgorithm;
use proto::digest::Digest;
use proto::purpose::{Kind, Purpose};

/// A thousand grants for ten teams: the right one of them decides. What a decision costs is printed, not asserted; the bench
/// measures it in earnest.
#[test]
fn one_of_a_thousand_grants_decides() {
    let grants: String = (0..1000)
        .map(|n| {
            format!(
                "@id(\"g{n}\") permit(principal in Callers::\"spiffe://example.org/team{}\", action == Action::\"sign\", \
                 resource in Keys::\"team{n}\") when {{ context.kind == \"blob\" || context.kind == \"oci\" }};\n",
                n % 10
            )
        })
        .collect();
    let own = "@id(\"own\") permit(principal == Caller::\"unix:7\", action == Action::\"sign\", resource in Keys::\"team7\");";
    let rules = Rules::load("", &format!("{grants}{own}"), 0, 0).unwrap();
    let clock = SystemClock::start();
    let purpose = Purpose::new([Kind::Blob]).unwrap();
    let resource = Resource { key: "team7/linux".parse().unwrap(), purpose, owner: "team 7".into() };
    let facts = Facts::new(Kind::Blob, Digest::of(HashAlgorithm::Sha256, b"x").into());
    for (who, rule, what) in [
        ("spiffe://example.org/team7/ci", "g7", "that looks at the item"),
        ("unix:7", "own", "that does not look at the item"),
    ] {
        let caller = Arc::new(Caller::parse(who).unwrap());
        let once = || decide(&rules, &caller, &Action::Sign, Some(&resource), Some(&facts), 0).unwrap();
        let start = clock.monotonic();
        assert_eq!(once().rule().as_ref(), rule);
        let first = clock.monotonic().since(start);
        let start = clock.monotonic();
        for _ in 0..2000 {
            once();
        }
        let each = clock.monotonic().since(start) / 2000;
        eprintln!("a slice of 1,000 grants {what}: {first:?} at first, then {each:?} (not optimised)");
    }
    let stranger = Arc::new(Caller::parse("spiffe://example.org/team8/ci").unwrap());
    assert!(decide(&rules, &stranger, &Action::Sign, Some(&resource), Some(&facts), 0).is_err());
}
