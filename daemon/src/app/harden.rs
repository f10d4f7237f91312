//! What the process gives up before it holds a secret: core dumps, being traced, new privileges, being swapped out.

use rustix::mm::MlockAllFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// Hardens this process. What the system refuses is said once and is no reason not to start: the unit file grants it.
pub(super) fn process() {
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(why) = rustix::process::setrlimit(Resource::Core, nothing) {
        tracing::warn!(%why, "core dumps could not be turned off");
    }
    if let Err(why) = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%why, "the process can be traced by its own user");
    }
    if let Err(why) = rustix::thread::set_no_new_privs(true) {
        tracing::warn!(%why, "programs started by this one may gain privileges");
    }
    // ONFAULT: pages are locked as they are used, so that thread stacks cost what they use.
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if let Err(why) = rustix::mm::mlockall(all) {
        tracing::warn!(%why, "memory is not locked and may be swapped out: set LimitMEMLOCK=infinity in the unit");
    }
}
