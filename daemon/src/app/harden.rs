//! What the process gives up before it holds a secret: core dumps, being traced, new privileges, being swapped out. And what it
//! needs: descriptors.

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

/// Descriptors for everything but connections: the log, its readers, hosts, anchors, pages.
const BESIDE: u64 = 512;

/// Sees to descriptors for so many connections, as far as the system lets it: where there are none, nobody gets in, and a stop does
/// not either. No more than that, because hosts inherit the limit, and libraries may go through all that they could have.
pub(super) fn descriptors(connections: usize) {
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(BESIDE);
    let Rlimit { current, maximum } = rustix::process::getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return;
    }
    let current = Some(maximum.map_or(needed, |maximum| maximum.min(needed)));
    let raised = rustix::process::setrlimit(Resource::Nofile, Rlimit { current, maximum });
    if raised.is_err() || current < Some(needed) {
        let allowed = rustix::process::getrlimit(Resource::Nofile).current;
        tracing::warn!(
            ?allowed,
            needed,
            "fewer descriptors than connections may be open: who fills them shuts out stops; set LimitNOFILE in the unit"
        );
    }
}
