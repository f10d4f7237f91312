//! What a process gives up before it holds a secret: core dumps, being traced, being swapped out.

use rustix::mm::MlockAllFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use rustix::thread::CapabilitySet;

/// Something that the system did not let the process give up.
#[derive(Debug)]
pub struct Unmet {
    /// What is so instead.
    pub what: &'static str,
    /// The system's word.
    pub cause: String,
}

/// Gives up what the system lets it. What it does not is no reason to end: containers may allow none of it.
pub fn guard() -> Vec<Unmet> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let tried = [
        ("core dumps stay possible", rustix::process::setrlimit(Resource::Core, none)),
        (
            "the process can be traced by its own user",
            rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable),
        ),
    ];
    let refused = tried.into_iter().filter_map(|(what, result)| Some((what, result.err()?.to_string())));
    let mut unmet: Vec<Unmet> = refused.map(|(what, cause)| Unmet { what, cause }).collect();
    if let Err(cause) = lock() {
        unmet.push(Unmet { what: "memory is not locked and may be swapped out", cause });
    }
    unmet
}

/// Locks what is in memory and what comes. Not below a limit: what comes later would not be given to whoever asks for it.
fn lock() -> Result<(), String> {
    if let Some(limit) = rustix::process::getrlimit(Resource::Memlock).current
        && !is_above_limits()
    {
        return Err(format!("at most {limit} bytes may be locked: set LimitMEMLOCK=infinity in the unit"));
    }
    // ONFAULT: pages are locked as they are used, so that thread stacks cost what they use.
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    rustix::mm::mlockall(all).map_err(|why| why.to_string())
}

fn is_above_limits() -> bool {
    rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK))
}
