//! `EnrollmentService`: invitations, and what they are exchanged for.

use std::sync::Arc;
use std::time::Duration;

use proto::wire::time::to_wire;
use proto::wire::v1::enrollment_service_server::EnrollmentService;
use proto::wire::{v1, value};
use tonic::{Request, Response, Status};

use super::services::Services;
use super::status;

/// The service.
pub struct Service(pub Arc<Services>);

#[tonic::async_trait]
impl EnrollmentService for Service {
    async fn invite(
        &self,
        request: Request<v1::InviteRequest>,
    ) -> Result<Response<v1::InviteResponse>, Status> {
        let (caller, _) = self.0.caller(request.extensions())?;
        let request = request.into_inner();
        let valid_for = request.valid_for.map(Duration::try_from).transpose().map_err(|why| {
            status::of(&value::malformed("valid_for", format!("expected a length of time: {why}")))
        })?;
        let invited = self.0.enroller.invite(&caller, &request.caller, valid_for).await;
        let invited = invited.map_err(|refusal| status::of(&refusal))?;
        Ok(Response::new(v1::InviteResponse {
            token: invited.token.as_str().to_owned(),
            expires: Some(to_wire(invited.expires)),
            log_index: invited.index,
        }))
    }

    async fn enroll(
        &self,
        request: Request<v1::EnrollRequest>,
    ) -> Result<Response<v1::EnrollResponse>, Status> {
        // Whoever brings the token: no identity is asked for.
        let request = request.into_inner();
        let enrolled = self.0.enroller.enroll(&request.token, &request.csr).await;
        let enrolled = enrolled.map_err(|refusal| status::of(&refusal))?;
        Ok(Response::new(v1::EnrollResponse {
            caller: enrolled.caller,
            certificate: enrolled.certificate,
            ca: enrolled.ca,
            not_after: Some(to_wire(enrolled.not_after)),
            log_index: enrolled.index,
        }))
    }
}
