//! `KeyService`: what keys there are. A key that policy does not let the caller see is not there.

pub mod convert;
mod page;
mod watch;

use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use proto::reason::Reason;
use proto::refusal::Refusal;
use proto::wire::v1;
use proto::wire::v1::key_service_server::KeyService;
use proto::wire::value;
use tonic::{Request, Response, Status};

use super::services::Services;
use super::status;
use crate::denials::Denials;
use crate::keyring::Snapshot;
use crate::keys::ring::Ring;
use crate::keys::state::KeyVersion;
use crate::policy::caller::Caller;
use crate::policy::facts::Action;

/// The service.
pub struct Service(pub Arc<Services>);

fn may(snapshot: &Snapshot, caller: &Arc<Caller>, ring: &Ring, action: &Action) -> bool {
    snapshot.decide(caller, action, snapshot.resource(ring.name()), None).is_ok()
}

/// The key of this name, if policy lets the caller do this with it.
///
/// # Errors
/// A name that is none, `UNKNOWN_KEY`, or what policy says, which is recorded.
pub async fn permitted<'s>(
    denials: &Denials,
    snapshot: &'s Snapshot,
    caller: &Arc<Caller>,
    name: &str,
    action: &Action,
) -> Result<&'s Ring, Refusal> {
    let name = &value::key("key", name)?;
    let ring = snapshot.ring(name).ok_or_else(|| {
        Refusal::new(Reason::UnknownKey, format!("there is no key `{name}` here")).with("key", name)
    })?;
    denials.permit(snapshot, caller, action, snapshot.resource(name)).await.map(|_permit| ring)
}

/// The version of this number, or for 0 the one that signs.
///
/// # Errors
/// `UNKNOWN_VERSION`, `KEY_NOT_ACTIVE`.
pub fn version(ring: &Ring, number: u32) -> Result<&KeyVersion, Refusal> {
    let name = ring.name();
    if number == 0 {
        return ring.active().ok_or_else(|| {
            let message = format!(
                "`{name}` has no version that signs now; name one, for instance {}",
                ring.newest().version
            );
            Refusal::new(Reason::KeyNotActive, message).with("key", name)
        });
    }
    ring.version(number).ok_or_else(|| {
        let message = format!("`{name}` has no version {number}, the newest is {}", ring.newest().version);
        Refusal::new(Reason::UnknownVersion, message).with("key", name)
    })
}

#[tonic::async_trait]
impl KeyService for Service {
    async fn list_keys(
        &self,
        request: Request<v1::ListKeysRequest>,
    ) -> Result<Response<v1::ListKeysResponse>, Status> {
        let (caller, snapshot) = self.0.caller(request.extensions())?;
        let request = request.into_inner();
        let page = page::Page::of(&request).map_err(|refusal| status::of(&refusal))?;
        let rings = snapshot.state().rings().filter(|ring| may(&snapshot, &caller, ring, &Action::ListKeys));
        Ok(Response::new(page.fill(rings)))
    }

    async fn get_key(
        &self,
        request: Request<v1::GetKeyRequest>,
    ) -> Result<Response<v1::GetKeyResponse>, Status> {
        let (caller, snapshot) = self.0.caller(request.extensions())?;
        let name = request.into_inner().key;
        let found = permitted(&self.0.denials, &snapshot, &caller, &name, &Action::GetKey).await;
        let ring = found.map_err(|refusal| status::of(&refusal))?;
        Ok(Response::new(v1::GetKeyResponse { key: Some(convert::key(ring)) }))
    }

    type WatchKeysStream = Pin<Box<dyn Stream<Item = Result<v1::WatchKeysResponse, Status>> + Send>>;

    async fn watch_keys(
        &self,
        request: Request<v1::WatchKeysRequest>,
    ) -> Result<Response<Self::WatchKeysStream>, Status> {
        let (caller, _) = self.0.caller(request.extensions())?;
        let prefix = request.into_inner().prefix;
        page::check_prefix(&prefix).map_err(|refusal| status::of(&refusal))?;
        Ok(Response::new(Box::pin(watch::begin(Arc::clone(&self.0), caller, prefix))))
    }
}
