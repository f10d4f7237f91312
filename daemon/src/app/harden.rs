//! What the process gives up before it holds a secret: core dumps, being traced, new privileges, being swapped out. And what it
//! needs: descriptors.

use rustix::process::{Resource, Rlimit};

use crate::secret::{self, Unmet};

/// Hardens this process, whatever its task is. Returned is what the system refuses, which is no reason not to start: the unit
/// file grants it.
pub(super) fn process() -> Vec<Unmet> {
    let mut unmet = secret::guard();
    if let Err(why) = rustix::thread::set_no_new_privs(true) {
        let what = "programs started by this one may gain privileges";
        unmet.push(Unmet { what, cause: why.to_string() });
    }
    unmet
}

/// Says once what was refused.
pub(super) fn say(unmet: &[Unmet]) {
    for Unmet { what, cause } in unmet {
        tracing::warn!(why = %cause, "{what}");
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
