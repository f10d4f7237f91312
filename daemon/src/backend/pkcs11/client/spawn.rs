//! Starting a host as a child, and ending it.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

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
    id: u32,
    child: Option<Child>,
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
    let child = command.spawn()?;
    Ok(Process { id: child.id(), child: Some(child) })
}

impl Process {
    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Ends and reaps it, without holding up the runtime. One that cannot be ended at once (the kernel waits for a device) must
    /// not keep the next one from starting: it is reaped when it ends.
    pub(super) async fn end(mut self) {
        if let Some(reaped) = self.kill() {
            let _late = tokio::time::timeout(Duration::from_millis(500), reaped).await;
        }
    }

    /// Ends it, and has it reaped by a thread that ends with it: whoever waits for a process waits for its driver too.
    fn kill(&mut self) -> Option<oneshot::Receiver<()>> {
        let mut child = self.child.take()?;
        // It has not been waited for, so the id is still its own. It may have ended already, which is as good.
        let _ended = child.kill();
        let (done, reaped) = oneshot::channel();
        let reap = move || {
            if let Err(error) = child.wait() {
                tracing::warn!(%error, "a PKCS#11 host could not be reaped");
            }
            // Nobody has to wait for it.
            let _unheard = done.send(());
        };
        if let Err(error) = std::thread::Builder::new().name("reaper".to_owned()).spawn(reap) {
            tracing::warn!(%error, "no thread to reap a PKCS#11 host");
        }
        Some(reaped)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nobody waits for it, and nobody has to.
        drop(self.kill());
    }
}
