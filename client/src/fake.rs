//! A daemon for tests of the client: truthful about a fixture's log, unless told otherwise. It listens on a Unix socket of its own.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod ceremonies;
pub mod council;
mod services;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use proto::wire::v1::ceremony_service_server::CeremonyServiceServer;
use proto::wire::v1::incident_service_server::IncidentServiceServer;
use proto::wire::v1::key_service_server::KeyServiceServer;
use proto::wire::v1::log_service_server::LogServiceServer;
use proto::wire::v1::signing_service_server::SigningServiceServer;
use tokio::net::UnixListener;
use tokio::sync::oneshot;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::Status;

use crate::fixture::{Key, Log};

/// What the daemon knows and does.
pub struct State {
    pub log: Log,
    pub key: Key,
    /// Answered in place of the next signatures.
    pub refusals: VecDeque<Status>,
    /// Flips a bit of every signature.
    pub lies: bool,
    /// Takes the next stop, and says that it did not.
    pub loses_stops: bool,
    /// The newest records, as many as this, are not in the search index.
    pub unsearched: u64,
    /// People and their ceremonies.
    pub council: Option<council::Council>,
    /// Names of calls, and request ids of signatures, in order.
    pub calls: Vec<String>,
}

/// A running daemon; it ends when dropped.
pub struct Daemon {
    state: Arc<Mutex<State>>,
    pub directory: tempfile::TempDir,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// One of its services.
#[derive(Clone)]
pub struct Service(Arc<Mutex<State>>);

impl Service {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Daemon {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = State {
            log: Log::new(),
            key: Key::new(),
            refusals: VecDeque::new(),
            lies: false,
            loses_stops: false,
            unsearched: 0,
            council: None,
            calls: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let (end, ended) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (socket, service) = (directory.path().join("sock"), Service(Arc::clone(&state)));
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = UnixListener::bind(socket).unwrap();
                ready.send(()).unwrap();
                tonic::transport::Server::builder()
                    .add_service(SigningServiceServer::new(service.clone()))
                    .add_service(LogServiceServer::new(service.clone()))
                    .add_service(KeyServiceServer::new(service.clone()))
                    .add_service(IncidentServiceServer::new(service.clone()))
                    .add_service(CeremonyServiceServer::new(service))
                    .serve_with_incoming_shutdown(UnixListenerStream::new(listener), async {
                        ended.await.unwrap_or(())
                    })
                    .await
                    .unwrap();
            });
        };
        let thread = std::thread::Builder::new().name("fake daemon".to_owned()).spawn(serve).unwrap();
        is_ready.recv().unwrap();
        Self { state, directory, end: Some(end), thread: Some(thread) }
    }

    /// One that holds ceremonies, with the keys of its people in its directory.
    pub fn with_people() -> Self {
        let daemon = Self::start();
        let council = council::Council::new(daemon.directory.path(), &daemon.state().log);
        daemon.state().council = Some(council);
        daemon
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The calls since the last time this was asked.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state().calls)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Whether the thread is still there to hear it shows in the join.
        let _heard = self.end.take().map(|end| end.send(()));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the fake daemon panicked");
        }
    }
}
