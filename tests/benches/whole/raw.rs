//! The raw loop: `C_SignInit` and `C_Sign` on a module, each session on a thread of its own, and nothing around it.
//!
//! Runs in a child process, because the module reads its configuration from the environment when it is mapped.

use std::process::Command;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use pkcs11_call::Signing;
use serde::{Deserialize, Serialize};
use tests::performance::histogram::Histogram;
use tests::process::Process;

use crate::arguments::Raw;
use crate::cpu::Used;

/// What the loop reached.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Reached {
    /// Signatures a second, all sessions together.
    pub rate: f64,
    /// CPU microseconds of one.
    pub cpu: f64,
    /// Microseconds within which half of them came.
    pub p50: f64,
}

/// Starts the loop as a child with this environment and waits for its figures.
pub fn measure(raw: &Raw, environment: (String, String)) -> Reached {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(environment.0, environment.1).arg("raw");
    command.arg("--module").arg(&raw.module).arg("--pin-file").arg(&raw.pin_file);
    command.args(["--token", &raw.token, "--object", &raw.object]);
    command.args(["--sessions", &raw.sessions.to_string(), "--seconds", &raw.seconds.to_string()]);
    serde_json::from_str(&Process::output(command)).unwrap()
}

/// The loop itself; prints its figures as JSON.
pub fn run(raw: &Raw) {
    let module = Pkcs11::new(&raw.module).unwrap();
    module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slots = module.get_slots_with_initialized_token().unwrap();
    let ours = |slot: &cryptoki::slot::Slot| module.get_token_info(*slot).unwrap().label() == raw.token;
    let slot = slots.into_iter().find(ours).unwrap();
    let pin = AuthPin::from(std::fs::read_to_string(&raw.pin_file).unwrap());
    let login = module.open_ro_session(slot).unwrap();
    login.login(UserType::User, Some(&pin)).unwrap();

    let signing = Arc::new(Signing::load(&raw.module).unwrap());
    let barrier = Arc::new(Barrier::new(raw.sessions + 1));
    let window = Duration::from_secs_f64(raw.seconds);
    let loops: Vec<_> = (0..raw.sessions)
        .map(|at| {
            let session = module.open_ro_session(slot).unwrap();
            let template =
                [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(raw.object.as_bytes().to_vec())];
            let key = session.find_objects(&template).unwrap()[0];
            let (signing, barrier) = (Arc::clone(&signing), Arc::clone(&barrier));
            std::thread::spawn(move || {
                let mut times = Histogram::default();
                let mut digest = [at as u8; 32];
                let mut signature = [0; 512];
                barrier.wait();
                let begun = Instant::now();
                let mut before = begun;
                while before.duration_since(begun) < window {
                    digest[0] = digest[0].wrapping_add(1);
                    signing.sign(&session, &Mechanism::Ecdsa, key, &digest, &mut signature).unwrap();
                    let now = Instant::now();
                    times.record(u64::try_from(now.duration_since(before).as_nanos()).unwrap());
                    before = now;
                }
                barrier.wait();
                // CPU is read while the threads are there.
                barrier.wait();
                times
            })
        })
        .collect();
    barrier.wait();
    let (before, begun) = (Used::by_us(), Instant::now());
    barrier.wait();
    let (used, seconds) = (Used::by_us().since(&before).as_secs_f64(), begun.elapsed().as_secs_f64());
    barrier.wait();
    let mut times = Histogram::default();
    for done in loops {
        times.add(&done.join().unwrap());
    }
    let count = times.count() as f64;
    let reached =
        Reached { rate: count / seconds, cpu: used * 1e6 / count, p50: times.quantile(0.5) as f64 / 1e3 };
    println!("{}", serde_json::to_string(&reached).unwrap());
}
