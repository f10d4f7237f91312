//! The workers: each takes the next request from the socket, answers it, and takes the next.
//!
//! There is no thread between the socket and the workers: one worker at a time reads (the lock is the queue), so a lone
//! request wakes one thread and not two. Requests are taken in the order in which they arrived, which the daemon counts on
//! when it tells which call is being executed.

use std::io::{BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::Duration;

use cryptoki::context::Pkcs11;
use pkcs11_call::Signing;
use zeroize::Zeroize as _;

use super::super::frame::{self, FrameError};
use super::super::message::{Answer, Ask, Class, Fault, FromDaemon, FromHost, Open, Reply, Request};
use super::fault::{Trouble, fault};
use super::harden;
use super::live::Live;
use super::seat::Seat;
use crate::clock::{Clock as _, Monotonic, SystemClock};

/// When a request's second try is too late; `None`: never.
pub(super) type Until = Option<Monotonic>;

/// Everything the workers share.
pub(super) struct Host {
    module: Pkcs11,
    pub(super) signing: Signing,
    pub(super) open: Open,
    pub(super) live: RwLock<Option<Live>>,
    /// Why nothing is live, as the last attempt to begin found it.
    pub(super) why: Mutex<Option<Fault>>,
    pub(super) seats: Vec<Mutex<Seat>>,
    pub(super) management: Mutex<()>,
    pub(super) recoveries: Mutex<Vec<Monotonic>>,
    epoch: AtomicU64,
    reader: Mutex<BufReader<UnixStream>>,
    writer: Mutex<UnixStream>,
    /// Per worker: when the call it is in is far too long, in milliseconds of `clock`; 0 while it is in none.
    overdue: Vec<AtomicU64>,
    clock: SystemClock,
}

impl Host {
    /// Loads the module. The token may be absent: it is asked for later, again and again.
    pub(super) fn begin(
        open: Open,
        reader: BufReader<UnixStream>,
        writer: UnixStream,
    ) -> Result<Self, Fault> {
        let down = |what: String| fault(Class::Unavailable, format!("{}: {what}", open.module.display()));
        let module = Pkcs11::new(&open.module).map_err(|e| down(e.to_string()))?;
        let signing = Signing::load(&open.module).map_err(|e| down(e.to_string()))?;
        let workers = usize::from(open.sessions.max(1));
        Ok(Self {
            module,
            signing,
            live: RwLock::new(None),
            why: Mutex::default(),
            seats: (0..workers).map(|_| Mutex::default()).collect(),
            management: Mutex::new(()),
            recoveries: Mutex::default(),
            epoch: AtomicU64::new(open.epoch),
            reader: Mutex::new(reader),
            writer: Mutex::new(writer),
            overdue: (0..workers).map(|_| AtomicU64::new(0)).collect(),
            clock: SystemClock::start(),
            open,
        })
    }

    pub(super) const fn module(&self) -> &Pkcs11 {
        &self.module
    }

    pub(super) fn live(&self) -> RwLockReadGuard<'_, Option<Live>> {
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    pub(super) fn next_epoch(&self) -> u64 {
        self.epoch.fetch_add(1, Ordering::AcqRel) + 1
    }

    pub(super) fn now(&self) -> Monotonic {
        self.clock.monotonic()
    }

    pub(super) fn passed(&self, until: Until) -> bool {
        until.is_some_and(|until| self.now() >= until)
    }

    /// Whether the token answers and is the same.
    pub(super) fn is_well(&self) -> bool {
        self.live().as_ref().is_some_and(|live| live.probe(&self.module).is_ok())
    }

    /// Why nothing is live. A refused PIN stays the cause, whatever is asked meanwhile.
    pub(super) fn down(&self) -> Fault {
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        why.unwrap_or_else(|| {
            fault(Class::Unavailable, format!("the token {} is not there", self.open.token))
        })
    }

    /// Sends a message; if the daemon is not there any more, ends.
    pub(super) fn tell(&self, message: &FromHost) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if say(&writer, message).is_err() {
            harden::leave();
        }
    }

    fn answer(&self, seat: usize, request: Request) -> Answer {
        let until =
            (request.timeout > 0).then(|| self.now().after(Duration::from_millis(request.timeout.into())));
        match request.body {
            Ask::Sign { epoch, key, algorithm, input } => {
                self.sign(seat, (epoch, key), algorithm, input, until)
            }
            Ask::Probe => match self.revive() {
                Ok(token) => Answer::Ready(token),
                Err(fault) => Answer::Failed(fault),
            },
            Ask::Open(_) => Answer::Failed(fault(Class::Unsupported, "a token is open already")),
            Ask::Quit => self.leave(),
            object @ (Ask::ReadObject { .. } | Ask::WriteObject { .. }) => self.object(&object),
            other => self.manage(seat, &other),
        }
    }

    fn manage(&self, seat: usize, ask: &Ask) -> Answer {
        let (epoch, trouble) = {
            let live = self.live();
            let Some(live) = live.as_ref() else { return Answer::Failed(self.down()) };
            let mut seat = self.seats[seat].lock().unwrap_or_else(PoisonError::into_inner);
            let done = match ask {
                Ask::Generate { algorithm, label, id } => self.generate(live, *algorithm, label, &id.0),
                Ask::Destroy { place, key } => self.destroy(live, place, &key.0),
                look => match self.look(&mut seat, live, look) {
                    // Looking changes nothing, so it is tried again with a new session, whatever it was.
                    Err(Trouble::Code(..)) => {
                        seat.clear();
                        self.look(&mut seat, live, look)
                    }
                    done => done,
                },
            };
            match done {
                Ok(answer) => return answer,
                Err(trouble) => {
                    seat.clear();
                    (live.epoch, trouble)
                }
            }
        };
        let missing = matches!(&trouble, Trouble::Fault(found) if found.class == Class::NotFound);
        let found = trouble.fault();
        // "None" is also what a module says whose token was taken away under it.
        if (found.class == Class::Unavailable || missing) && !self.is_well() {
            return Answer::Failed(self.recover(epoch, &found));
        }
        Answer::Failed(found)
    }

    /// Logs out as far as that is quick, and ends.
    pub(super) fn leave(&self) -> ! {
        // A module that hangs here too is the watch's.
        self.overdue[0].store(self.millis() + 2000, Ordering::Release);
        if let Ok(mut live) = self.live.try_write() {
            for seat in &self.seats {
                if let Ok(mut seat) = seat.try_lock() {
                    seat.clear();
                }
            }
            drop(live.take());
            if let Err(error) = self.module.clone().finalize() {
                tracing::debug!(%error, "PKCS#11 host: C_Finalize at the end");
            }
        }
        harden::leave()
    }

    fn work(&self, seat: usize) -> ! {
        loop {
            let payload = {
                let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
                frame::read_payload(&mut *reader)
            };
            let request =
                payload.and_then(|payload| payload.map(|payload| frame::value(&payload)).transpose());
            match request {
                Ok(Some(FromDaemon::Request(request))) => {
                    let id = request.id;
                    self.begin_call(seat, &request.body);
                    let body = self.answer(seat, request);
                    self.overdue[seat].store(0, Ordering::Release);
                    self.tell(&FromHost::Reply(Reply { id, epoch: self.epoch(), body }));
                }
                Ok(None) => self.leave(),
                Ok(Some(FromDaemon::Hello(_))) | Err(_) => {
                    tracing::error!("PKCS#11 host: the daemon does not speak the protocol");
                    self.leave();
                }
            }
        }
    }

    fn begin_call(&self, seat: usize, ask: &Ask) {
        let limit = u64::from(self.open.call_limit.max(1000));
        let times = if matches!(ask, Ask::Generate { .. }) { 12 } else { 2 };
        let end = self.millis() + times * limit;
        self.overdue[seat].store(end, Ordering::Release);
    }

    /// Ends a host whose call hangs and whose daemon did not end it: the daemon is gone, or the host runs as a unit of
    /// its own, out of the daemon's reach.
    fn watch(&self) -> ! {
        loop {
            thread::sleep(Duration::from_millis(500));
            let now = self.millis();
            let hangs = |end: &AtomicU64| (1..now).contains(&end.load(Ordering::Acquire));
            if self.overdue.iter().any(hangs) {
                tracing::error!("PKCS#11 host: a call of the module does not return");
                harden::leave();
            }
        }
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.now().since_start().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Starts the workers and the watch, and waits for the end of the process.
pub(super) fn run(host: &std::sync::Arc<Host>) -> std::io::Result<()> {
    let mut threads = Vec::new();
    for seat in 0..host.seats.len() {
        let host = host.clone();
        let work = move || {
            let _ends = EndsWithThread;
            host.work(seat)
        };
        threads.push(thread::Builder::new().name(format!("session-{seat}")).spawn(work)?);
    }
    let watched = host.clone();
    threads.push(thread::Builder::new().name("watch".to_owned()).spawn(move || watched.watch())?);
    for thread in threads {
        // None of them returns; one that panics ends the process first.
        let _never = thread.join();
    }
    Ok(())
}

/// A worker that panics must not leave a host that answers with one session less.
struct EndsWithThread;

impl Drop for EndsWithThread {
    fn drop(&mut self) {
        harden::leave();
    }
}

/// Writes one message.
pub(super) fn say(mut writer: &UnixStream, message: &FromHost) -> Result<(), FrameError> {
    // Room for any signature, so that no copy of one is left where the bytes would have been moved from.
    let mut bytes = Vec::with_capacity(1024);
    frame::write(message, &mut bytes)?;
    let written = writer.write_all(&bytes);
    if matches!(message, FromHost::Reply(Reply { body: Answer::Signed(_), .. })) {
        bytes.as_mut_slice().zeroize();
    }
    Ok(written?)
}
