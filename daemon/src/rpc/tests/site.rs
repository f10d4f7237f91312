//! A whole rehearsal instance behind the sockets: log, policy, software keys, services.

use std::sync::Arc;

use proto::proof::note::Verifier;

use super::authority::{Running, limits, start_with};
use crate::audit::Reads;
use crate::clock::{Clock, ManualClock};
use crate::council::Council;
use crate::denials::Denials;
use crate::enroll::Enroller;
use crate::incident::Responder;
use crate::keyring::trial::Trial;
pub(crate) use crate::keyring::trial::everything;
use crate::log::Log;
use crate::rpc::limit::Limits;
use crate::rpc::services::Services;
use crate::rpc::tls::ClientCertificate::Optional;
use crate::sign::Signer;

/// The instance.
pub struct Site {
    pub running: Running,
    pub log: Log,
    pub log_key: Verifier,
    pub denials: Arc<Denials>,
    /// The clock whose minutes refusals are counted in: it stands still until it is moved.
    pub minutes: Arc<ManualClock>,
    _trial: Trial,
}

impl Site {
    /// An instance with these grants and the keys `team/a` and `team/b` for blobs.
    pub async fn new(grants: &str) -> Self {
        Self::within(grants, limits()).await
    }

    /// The same within these limits.
    pub async fn within(grants: &str, limits: Limits) -> Self {
        let trial = Trial::new("private", grants).await;
        for key in ["team/a", "team/b"] {
            trial.bring(key).await;
        }
        let (log, keyring, clock) = (trial.log.clone(), Arc::clone(&trial.keyring), Arc::clone(&trial.clock));
        let minutes = Arc::new(ManualClock::default());
        let denials = Denials::new(log.clone(), Arc::clone(&keyring), Arc::clone(&minutes) as Arc<dyn Clock>);
        let signer = Signer::new(log.clone(), Arc::clone(&keyring), Arc::clone(&clock), Arc::clone(&denials));
        let council =
            Council::new(log.clone(), Arc::clone(&keyring), Arc::clone(&signer), Arc::clone(&clock));
        let services = Services {
            signer,
            council,
            keyring: Arc::clone(&keyring),
            log: log.clone(),
            responder: Arc::new(Responder::new(
                log.clone(),
                keyring,
                Arc::clone(&denials),
                Arc::clone(&clock),
            )),
            enroller: Arc::new(Enroller::new(
                log.clone(),
                Arc::clone(&trial.keyring),
                Arc::clone(&denials),
                Arc::clone(&trial.clock),
                None,
            )),
            reads: Arc::new(Reads::new(log.clone())),
            denials: Arc::clone(&denials),
            clock,
        };
        let (paths, board) = services.paths().unwrap();
        let running = start_with(Optional, limits, paths, board).await;
        let log_key = log.verifier().clone();
        Self { running, log, log_key, denials, minutes, _trial: trial }
    }
}
