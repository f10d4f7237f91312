//! Ceremonies from outside: the real daemon, a real token, real signatures, and people who mean well or do not.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "ceremonies/adopt.rs"]
mod adopt;
#[path = "ceremonies/bad.rs"]
mod bad;
#[path = "ceremonies/clock.rs"]
mod clock;
#[path = "ceremonies/destroy.rs"]
mod destroy;
#[path = "ceremonies/devices.rs"]
mod devices;
#[path = "ceremonies/flood.rs"]
mod flood;
#[path = "ceremonies/kill.rs"]
mod kill;
#[path = "ceremonies/lost.rs"]
mod lost;
#[path = "ceremonies/outsiders.rs"]
mod outsiders;
#[path = "ceremonies/people.rs"]
mod people;
#[path = "ceremonies/planted.rs"]
mod planted;
#[path = "ceremonies/rebind.rs"]
mod rebind;
#[path = "ceremonies/recover.rs"]
mod recover;
#[path = "ceremonies/recover_others.rs"]
mod recover_others;
#[path = "ceremonies/rekey.rs"]
mod rekey;
#[path = "ceremonies/resolve.rs"]
mod resolve;
#[path = "ceremonies/rogue.rs"]
mod rogue;
#[path = "ceremonies/room.rs"]
mod room;
#[path = "ceremonies/rules.rs"]
mod rules;
#[path = "ceremonies/scenarios.rs"]
mod scenarios;
#[path = "ceremonies/site.rs"]
mod site;
#[path = "ceremonies/story.rs"]
mod story;
#[path = "ceremonies/struck.rs"]
mod struck;
#[path = "ceremonies/succession.rs"]
mod succession;
#[path = "ceremonies/suspend.rs"]
mod suspend;
