//! What the host forbids itself before it maps foreign code.

use rustix::process::Signal;

use crate::secret::{self, Unmet};

/// No core dumps, not traceable, memory locked, ends with its parent. What fails is not fatal: the host must run in
/// containers that allow none of it.
pub(super) fn process() {
    for Unmet { what, cause } in secret::guard() {
        tracing::warn!(%cause, "PKCS#11 host: {what}");
    }
    // Fires when the thread that started this process ends, which is why the daemon starts hosts from a thread that lives
    // as long as the backend.
    if let Err(cause) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        tracing::warn!(%cause, "PKCS#11 host: the host may outlive its daemon");
    }
}

/// Ends this process at once, without destructors: SIGKILL to itself.
pub(super) fn leave() -> ! {
    // If the kernel refuses a process a signal to itself there is nothing left to try.
    let _sent = rustix::process::kill_process(rustix::process::getpid(), Signal::KILL);
    loop {
        std::thread::park();
    }
}
