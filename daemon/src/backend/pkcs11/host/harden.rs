//! What the host forbids itself before it maps foreign code.

use rustix::mm::MlockAllFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};

/// No core dumps, not traceable, memory locked, ends with its parent. What fails is not fatal: the host must run in
/// containers that allow none of it.
pub(super) fn process() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    report("core dumps stay possible", rustix::process::setrlimit(Resource::Core, none));
    report(
        "the process stays traceable",
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable),
    );
    // Fires when the thread that started this process ends, which is why the daemon starts hosts from a thread that lives
    // as long as the backend.
    report(
        "the host may outlive its daemon",
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL)),
    );
    // Where the limit is finite, locking all that comes would make the module's own allocations fail later.
    let unlimited = rustix::process::getrlimit(Resource::Memlock).current.is_none();
    if unlimited || rustix::process::geteuid().is_root() {
        let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
        report("memory is not locked", rustix::mm::mlockall(flags));
    }
}

fn report(what: &str, result: rustix::io::Result<()>) {
    if let Err(cause) = result {
        tracing::warn!(%cause, "PKCS#11 host: {what}");
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
