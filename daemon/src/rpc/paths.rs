//! From a path to the service behind it.
//!
//! Signing is looked at first and called as it is: the router that holds all other services allocates a dozen times for each call.

use std::convert::Infallible;

use http::{Request, Response};
use proto::wire::v1::signing_service_server::{SERVICE_NAME, SigningServiceServer};
use tonic::body::Body;
use tonic::service::Routes;
use tower::{Service as _, ServiceExt as _};

use super::front::Measured;
use super::signing;

/// All services; one for the daemon.
pub struct Paths {
    signing: Option<SigningServiceServer<signing::Service>>,
    others: Routes,
}

impl From<Routes> for Paths {
    fn from(others: Routes) -> Self {
        Self { signing: None, others: others.prepare() }
    }
}

impl Paths {
    /// These services, and signing.
    pub fn with_signing(self, signing: SigningServiceServer<signing::Service>) -> Self {
        Self { signing: Some(signing), ..self }
    }

    /// The answer of the service, or that there is none.
    pub(super) async fn answer(&self, request: Request<Measured>) -> Result<Response<Body>, Infallible> {
        match &self.signing {
            Some(signing) if is_signing(request.uri().path()) => signing.clone().call(request).await,
            _ => self.others.clone().oneshot(request.map(Body::new)).await,
        }
    }
}

fn is_signing(path: &str) -> bool {
    let method = path.strip_prefix('/').and_then(|path| path.strip_prefix(SERVICE_NAME));
    method.is_some_and(|method| method.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::is_signing;

    #[test]
    fn only_methods_of_the_signing_service_are_its_own() {
        assert!(is_signing("/countersign.v1.SigningService/Sign"));
        assert!(is_signing("/countersign.v1.SigningService/Unknown"), "which it refuses itself");
        let others = [
            "/countersign.v1.SigningService",
            "/countersign.v1.SigningServices/Sign",
            "/countersign.v1.KeyService/Sign",
            "countersign.v1.SigningService/Sign",
            "//countersign.v1.SigningService/Sign",
            "",
        ];
        for other in others {
            assert!(!is_signing(other), "{other}");
        }
    }
}
