//! The host: the process that maps a vendor's PKCS#11 module, so that nothing else has to.
//!
//! It is the daemon's own binary in another mode. It speaks the host protocol on its standard input (a socket), loads one
//! module, logs in to one token, and lets a fixed number of threads, each with a session of its own, take requests from
//! the socket and answer them in any order. Vendor libraries crash, hang without end and cannot be initialised again
//! while a call is in progress; here that costs this process, which the daemon starts again.
//!
//! Promises: the PIN is read here, used and wiped, and travels nowhere; one that the token refused is not tried again
//! (see [`mod@super::latch`]); a key's public key is compared whenever its handle is found, in every epoch; a request of an old
//! epoch is never tried. The process ends with the daemon: at the end of the stream, and by the kernel.
//!
//! What it does not do: verify signatures (the daemon does, and does not trust this process with it), queue, or decide
//! when to end a call that hangs: the daemon does that too, and the watch here only where there is no daemon any more.

mod fault;
mod find;
mod generate;
mod harden;
mod live;
mod mechanism;
mod object;
mod point;
mod recover;
mod seat;
mod sign;
mod work;

use std::io::BufReader;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use super::frame::{self, FrameError};
use super::message::{Answer, Ask, FromDaemon, FromHost, Hello, Reply, Request};

/// The host cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Standard input is no socket, or it broke.
    #[error("the host speaks with its daemon over a socket on standard input, and it failed: {0}")]
    Socket(#[from] std::io::Error),
    /// The other end does not speak the protocol.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// The other end is another build.
    #[error(
        "the daemon is another build than this host ({theirs}, here {ours}): restart both from the same installation"
    )]
    Build {
        /// The daemon's.
        theirs: String,
        /// This one.
        ours: String,
    },
    /// The first messages were not a greeting and `Open`.
    #[error("expected a greeting and a request to open a token first")]
    Order,
}

/// Runs the host on standard input, until the daemon goes away. What `countersignd pkcs11-host` does.
///
/// # Errors
/// If the daemon at the other end does not speak this build's protocol. Once requests are served this does not return:
/// the process ends by a signal to itself, because vendor libraries crash in the destructors of an orderly exit.
pub fn run() -> Result<(), HostError> {
    harden::process();
    let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let null = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null).map_err(std::io::Error::from)?;
    serve(socket)
}

fn serve(socket: UnixStream) -> Result<(), HostError> {
    let writer = socket.try_clone()?;
    let mut reader = BufReader::with_capacity(64 * 1024, socket);
    work::say(&writer, &FromHost::Hello(Hello::ours()))?;
    let Some(FromDaemon::Hello(theirs)) = next(&mut reader)? else { return Err(HostError::Order) };
    let ours = Hello::ours();
    if theirs != ours {
        return Err(HostError::Build { theirs: theirs.build, ours: ours.build });
    }
    let Some(FromDaemon::Request(Request { id, body: Ask::Open(open), .. })) = next(&mut reader)? else {
        return Err(HostError::Order);
    };
    let epoch = open.epoch;
    let host = match work::Host::begin(*open, reader, writer.try_clone()?) {
        Ok(host) => Arc::new(host),
        Err(fault) => {
            work::say(&writer, &FromHost::Reply(Reply { id, epoch, body: Answer::Failed(fault) }))?;
            return Ok(());
        }
    };
    let body = match host.revive() {
        Ok(token) => Answer::Ready(token),
        Err(fault) => Answer::Failed(fault),
    };
    work::say(&writer, &FromHost::Reply(Reply { id, epoch: host.epoch(), body }))?;
    work::run(&host)?;
    Ok(())
}

fn next(reader: &mut BufReader<UnixStream>) -> Result<Option<FromDaemon>, FrameError> {
    frame::read_payload(reader)?.map(|payload| frame::value(&payload)).transpose()
}
