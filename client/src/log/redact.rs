//! Erasing the detail of a record: who asked, and the caller's own words. The record stays, and with it every proof.

use proto::wire::v1;
use proto::wire::v1::log_service_client::LogServiceClient;

use crate::connection::{CallError, Connection};
use crate::retry::Patience;

/// Erases the detail of one record and gives the index of the record that says so.
///
/// # Errors
/// Where it is refused or not answered. Not tried again by itself: what is gone already is refused.
pub async fn redact(
    connection: &Connection,
    index: u64,
    reason: &str,
    patience: Patience,
) -> Result<u64, CallError> {
    let mut client = LogServiceClient::new(connection.channel());
    let request = v1::RedactDetailRequest { log_index: index, reason: reason.to_owned() };
    Ok(client.redact_detail(patience.request(request)).await?.into_inner().log_index)
}
