//! An anchor's data object in a token, as the daemon holds it.
//!
//! It has a host process of its own beside the one that signs, with the same module, token, PIN and environment: a write
//! that hangs is ended with that host, and no signature, no log-in of a signing session and no stop waits for it. What is
//! kept running, brought back and left alone after three calls that hung is as for signing (`client::keep`).

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::client::{self, Shared, Spawner};
use super::message::{Answer, Ask, Class};
use super::octets::Octets;
use super::uri::Uri;
use super::{Place, Settings};
use crate::backend::Capabilities;
use crate::clock::Clock;

/// Why a data object was not read or written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ObjectError {
    /// The token is there, and the object is not.
    #[error("the token holds no such data object")]
    Missing,
    /// There is one where the first was to be made.
    #[error("the token holds such a data object already")]
    Taken,
    /// No answer that says anything about the object. Worth trying again.
    #[error("{cause}")]
    Away {
        /// What is wrong, for people.
        cause: String,
    },
}

/// A data object, and the host that reaches it. Dropping it ends the host.
pub struct DataObject {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
    place: Uri,
    /// A request that is under way, also after whoever asked has stopped waiting.
    under_way: Option<JoinHandle<Result<Answer, ObjectError>>>,
}

impl std::fmt::Debug for DataObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataObject").field("place", &self.place).finish_non_exhaustive()
    }
}

impl DataObject {
    /// Starts a host with the settings of a backend, for the object of this label. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn start(
        backend: &str,
        settings: Settings,
        place: Place,
        object: Uri,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        let settings = Settings { sessions: 1, ..settings };
        let capabilities = Capabilities {
            kind: "pkcs11",
            abilities: Vec::new(),
            external: true,
            generates: false,
            in_flight: 1,
        };
        let spawner = Spawner::start(backend)?;
        let shared = Arc::new(Shared::quiet(backend, settings, place, capabilities, clock));
        let keeper = tokio::spawn(client::keep(Arc::clone(&shared), spawner));
        Ok(Self { shared, keeper, place: object, under_way: None })
    }

    /// `CKA_VALUE`. Where it is longer than an anchor's text may be, one byte more than that.
    ///
    /// Whoever drops the future of this or of the others leaves the request to its host; the next one waits for its end.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub async fn read(&mut self) -> Result<Vec<u8>, ObjectError> {
        match self.ask(Ask::ReadObject { place: self.place.clone() }).await? {
            Answer::Object(value) => Ok(value.0),
            other => Err(nonsense(&other)),
        }
    }

    /// Puts a new value in the place of the one that is there.
    ///
    /// # Errors
    /// [`ObjectError`]; [`ObjectError::Away`] also where it may have been done.
    pub async fn replace(&mut self, value: &[u8]) -> Result<(), ObjectError> {
        self.write(value, false).await
    }

    /// Makes the object.
    ///
    /// # Errors
    /// [`ObjectError`]; [`ObjectError::Away`] also where it may have been done.
    pub async fn create(&mut self, value: &[u8]) -> Result<(), ObjectError> {
        self.write(value, true).await
    }

    /// Logs out and ends the host, within a second.
    pub async fn close(self) {
        self.shared.quit().await;
    }

    /// The process id of the host that runs now, if the daemon started one.
    pub fn host_process(&self) -> Option<u32> {
        self.shared.process()
    }

    async fn write(&mut self, value: &[u8], first: bool) -> Result<(), ObjectError> {
        let ask = Ask::WriteObject { place: self.place.clone(), value: Octets::from(value), first };
        match self.ask(ask).await? {
            Answer::Written => Ok(()),
            other => Err(nonsense(&other)),
        }
    }

    /// One at a time. The request runs as a task, so that a dropped future leaves no answer to somebody else.
    async fn ask(&mut self, ask: Ask) -> Result<Answer, ObjectError> {
        if let Some(earlier) = &mut self.under_way {
            // Nobody waits for this answer any more.
            let _unheard = earlier.await;
            self.under_way = None;
        }
        let asking = tokio::spawn(asked(Arc::clone(&self.shared), ask));
        let answer = self.under_way.insert(asking).await;
        self.under_way = None;
        answer.unwrap_or_else(|ended| Err(ObjectError::Away { cause: ended.to_string() }))
    }
}

impl Drop for DataObject {
    fn drop(&mut self) {
        self.keeper.abort();
        if let Some(asking) = self.under_way.take() {
            asking.abort();
        }
        self.shared.abandon();
    }
}

/// Asks the host that runs, once more where the module was initialised again meanwhile.
async fn asked(shared: Arc<Shared>, ask: Ask) -> Result<Answer, ObjectError> {
    shared.settled().await;
    let away = |cause: String| ObjectError::Away { cause: shared.named(&cause) };
    let mut again = true;
    loop {
        let line = shared.line().map_err(|_down| away(shared.cause()))?;
        let reply = line.call(ask.clone(), 0, shared.settings.call_limit).await;
        match reply.map_err(|gone| away(gone.cause))?.body {
            Answer::Failed(fault) => match fault.class {
                Class::Stale if again => again = false,
                Class::NotFound => return Err(ObjectError::Missing),
                Class::Taken => return Err(ObjectError::Taken),
                _ => return Err(away(fault.cause)),
            },
            answer => return Ok(answer),
        }
    }
}

fn nonsense(answer: &Answer) -> ObjectError {
    ObjectError::Away { cause: client::nonsense(answer).to_string() }
}
