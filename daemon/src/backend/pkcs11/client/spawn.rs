//! Starting a host as a child, and ending it.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use tokio::sync::oneshot;

use super::super::HOST_ARGUMENT;

/// A thread that does nothing but start hosts, as long as the backend lives: the kernel ends a child when the *thread*
/// that started it ends, so it must not be one that comes and goes.
#[derive(Debug)]
pub(crate) struct Spawner {
    orders: mpsc::Sender<Order>,
}

struct Order {
    program: PathBuf,
    environment: BTreeMap<String, String>,
    socket: OwnedFd,
    answer: oneshot::Sender<std::io::Result<Process>>,
}

/// A running host. Ended and reaped when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
}

impl Spawner {
    /// Starts the thread.
    pub(crate) fn start(backend: &str) -> std::io::Result<Self> {
        let (orders, inbox) = mpsc::channel::<Order>();
        let work = move || {
            for order in inbox {
                // Whoever ordered may be gone; then the child is dropped, and so ended.
                let _gone = order.answer.send(spawn(order.program, &order.environment, order.socket));
            }
        };
        std::thread::Builder::new().name(format!("hosts-{backend}")).spawn(work)?;
        Ok(Self { orders })
    }

    /// Starts a host; its standard input is the other end of the socket returned.
    pub(super) async fn spawn(
        &self,
        program: PathBuf,
        environment: BTreeMap<String, String>,
    ) -> std::io::Result<(Process, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let (answer, process) = oneshot::channel();
        let order = Order { program, environment, socket: theirs.into(), answer };
        let ended = || std::io::Error::other("the thread that starts hosts has ended");
        self.orders.send(order).map_err(|_order| ended())?;
        let process = process.await.map_err(|_closed| ended())??;
        Ok((process, ours))
    }
}

fn spawn(
    program: PathBuf,
    environment: &BTreeMap<String, String>,
    socket: OwnedFd,
) -> std::io::Result<Process> {
    let mut command = Command::new(program);
    command.arg(HOST_ARGUMENT).envs(environment).stdin(Stdio::from(socket)).stdout(Stdio::null());
    Ok(Process { child: command.spawn()? })
}

impl Process {
    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends and reaps it, without holding up the runtime.
    pub(super) async fn end(self) {
        // The thread of blocking work ends by itself; a child that cannot be ended at once (waiting for a device) must
        // not keep the next one from starting.
        let ended = tokio::task::spawn_blocking(move || drop(self));
        let _late = tokio::time::timeout(std::time::Duration::from_millis(500), ended).await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has not been waited for, so the id is still its own. It may have ended already, which is as good.
        let _ended = self.child.kill();
        if let Err(error) = self.child.wait() {
            tracing::warn!(%error, "a PKCS#11 host could not be reaped");
        }
    }
}
