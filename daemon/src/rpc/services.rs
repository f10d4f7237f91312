//! The services and what they stand on.

use std::sync::Arc;

use proto::refusal::Refusal;
use proto::wire;
use proto::wire::v1::ceremony_service_server::CeremonyServiceServer;
use proto::wire::v1::enrollment_service_server::EnrollmentServiceServer;
use proto::wire::v1::incident_service_server::IncidentServiceServer;
use proto::wire::v1::key_service_server::KeyServiceServer;
use proto::wire::v1::log_service_server::LogServiceServer;
use proto::wire::v1::signing_service_server::SigningServiceServer;
use tonic::service::RoutesBuilder;
use tonic::{Extensions, Status};

use super::connection::Connection;
use super::front::Deadline;
use super::health::{self, Board, Condition};
use super::paths::Paths;
use super::{ceremony, enrollment, incident, keys, log, reflection, signing, status};
use crate::audit::Reads;
use crate::backend::Health;
use crate::clock::{Clock, Monotonic};
use crate::council::Council;
use crate::denials::Denials;
use crate::enroll::Enroller;
use crate::incident::Responder;
use crate::keyring::{Keyring, Snapshot};
use crate::log::{AnchorHealth, Log, LogHealth};
use crate::policy::caller::Caller;
use crate::sign::Signer;

/// What the services call.
#[derive(Clone)]
pub struct Services {
    /// Signs.
    pub signer: Arc<Signer>,
    /// The live keys.
    pub keyring: Arc<Keyring>,
    /// The log.
    pub log: Log,
    /// Holds ceremonies.
    pub council: Arc<Council>,
    /// Stops.
    pub responder: Arc<Responder>,
    /// Invites, and exchanges invitations for certificates.
    pub enroller: Arc<Enroller>,
    /// Records reads.
    pub reads: Arc<Reads>,
    /// Asks policy and records what it refuses.
    pub denials: Arc<Denials>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// The services of package `countersign.v1`.
const NAMES: [&str; 6] = [
    "countersign.v1.SigningService",
    "countersign.v1.KeyService",
    "countersign.v1.LogService",
    "countersign.v1.IncidentService",
    "countersign.v1.CeremonyService",
    "countersign.v1.EnrollmentService",
];

impl Services {
    /// All services behind their paths, and the board of their health, which follows the log and every backend.
    ///
    /// # Errors
    /// If the descriptors for reflection, which are built in, cannot be read.
    pub fn paths(self) -> Result<(Paths, Board), tonic_reflection::server::Error> {
        let board = self.board();
        let mut routes = RoutesBuilder::default();
        let services = Arc::new(self);
        let largest = wire::LARGEST_REQUEST;
        let signing = SigningServiceServer::new(signing::Service(Arc::clone(&services)))
            .max_decoding_message_size(largest);
        routes.add_service(
            KeyServiceServer::new(keys::Service(Arc::clone(&services))).max_decoding_message_size(largest),
        );
        routes.add_service(
            LogServiceServer::new(log::Service(Arc::clone(&services))).max_decoding_message_size(largest),
        );
        routes.add_service(
            CeremonyServiceServer::new(ceremony::Service(Arc::clone(&services)))
                .max_decoding_message_size(largest),
        );
        routes.add_service(
            EnrollmentServiceServer::new(enrollment::Service(Arc::clone(&services)))
                .max_decoding_message_size(largest),
        );
        routes.add_service(
            IncidentServiceServer::new(incident::Service(services)).max_decoding_message_size(largest),
        );
        routes.add_service(health::Service::server(board.clone()));
        reflection::add(&mut routes)?;
        Ok((Paths::from(routes.routes()).with_signing(signing), board))
    }

    /// Signing serves while the log takes records; stops are taken always, and reads as long as there is a log.
    fn board(&self) -> Board {
        let board = Board::new(&NAMES);
        board.follow(&["", "log", NAMES[0]], self.log.health(), |health| match health {
            LogHealth::Ready => Condition::Serving,
            LogHealth::Refusing { cause } | LogHealth::Failed { cause } => {
                Condition::Refusing(cause.to_string())
            }
        });
        for (name, health) in self.log.off_host() {
            board.follow(&[&format!("anchor/{name}")], health, |health| match health {
                AnchorHealth::Kept => Condition::Serving,
                AnchorHealth::Away { cause } => Condition::Refusing(cause.to_string()),
            });
        }
        for (name, backend) in self.keyring.backends() {
            board.follow(&[&format!("backend/{name}")], backend.health(), |health| match health {
                Health::Ready => Condition::Serving,
                Health::Starting => Condition::Refusing("it has not answered yet".to_owned()),
                Health::Down { cause } | Health::Broken { cause } => Condition::Refusing(cause.clone()),
            });
        }
        board
    }

    /// The caller of a request, if a grant admits it, and the snapshot that says so.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`.
    pub(super) fn caller(&self, extensions: &Extensions) -> Result<(Arc<Caller>, Arc<Snapshot>), Status> {
        let snapshot = self.keyring.snapshot();
        let caller =
            connection(extensions)?.identity.admitted(&snapshot).map_err(|refusal| status::of(&refusal))?;
        Ok((caller, snapshot))
    }
}

/// The connection that a request came over.
///
/// # Errors
/// `INTERNAL`, if the front was passed by.
pub(super) fn connection(extensions: &Extensions) -> Result<&Arc<Connection>, Status> {
    extensions.get::<Arc<Connection>>().ok_or_else(|| {
        status::of(&Refusal::new(proto::reason::Reason::Internal, "a request without a connection"))
    })
}

/// The deadline that the caller gave.
pub(super) fn deadline(extensions: &Extensions) -> Option<Monotonic> {
    extensions.get::<Deadline>().and_then(Deadline::of_caller)
}
