//! Server reflection: what services and messages there are, for `grpcurl` and its like. Open to everybody; what it
//! shows is public.

use proto::wire;
use tonic::service::RoutesBuilder;
use tonic_reflection::server::{Builder, Error};

fn builder() -> Builder<'static> {
    Builder::configure()
        .register_encoded_file_descriptor_set(wire::DESCRIPTOR)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// Adds both versions that are in use: v1, and v1alpha for older tools.
///
/// # Errors
/// If the descriptors that were built in cannot be read.
pub fn add(routes: &mut RoutesBuilder) -> Result<(), Error> {
    routes.add_service(builder().build_v1()?);
    routes.add_service(builder().build_v1alpha()?);
    Ok(())
}
