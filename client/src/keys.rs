//! Keys, their versions and states, as the daemon tells them.
//!
//! Promises: a public key that is handed on has the key id that comes with it. Which key may be trusted is not decided here.

use proto::key_id::KeyId;
use proto::proof::public_key::PublicKey;
use proto::wire::v1;
use proto::wire::v1::key_service_client::KeyServiceClient;
use proto::wire::value;
use tonic::{Request, Response, Streaming};

use crate::connection::{CallError, Connection};
use crate::retry::{Patience, patiently};

/// A version and its public key.
#[derive(Debug, Clone)]
pub struct Found {
    /// As the daemon tells it.
    pub version: v1::KeyVersion,
    /// Its public key, of the key id that the version names.
    pub key: PublicKey,
}

/// The public key of a version; version 0 is the one that signs now.
///
/// # Errors
/// Where there is none, or it is not the one whose id the answer names.
pub async fn public(
    connection: &Connection,
    key: &str,
    version: u32,
    patience: Patience,
) -> Result<Found, CallError> {
    let client = connection.signing();
    let answer = patiently(patience, |patience| {
        let mut client = client.clone();
        let request = patience.request(v1::GetPublicKeyRequest { key: key.to_owned(), version });
        async move { client.get_public_key(request).await.map(Response::into_inner) }
    })
    .await?;
    let found =
        answer.version.ok_or_else(|| CallError::Answer("a public key without its version".to_owned()))?;
    if found.key != key || (version != 0 && found.version != version) {
        return Err(CallError::Answer(format!(
            "the public key of {}@{} instead of {key}@{version}",
            found.key, found.version
        )));
    }
    let public =
        PublicKey::from_spki(&found.public_key).map_err(|cause| CallError::Answer(cause.to_string()))?;
    let named =
        value::key_id("key_id", &found.key_id).map_err(|refusal| CallError::Answer(refusal.message))?;
    if named != KeyId::of_spki(&found.public_key) {
        return Err(CallError::Answer(format!(
            "the public key of {key} has not the key id {named} that the answer names"
        )));
    }
    Ok(Found { version: found, key: public })
}

/// All keys whose names begin with a prefix, by name.
///
/// # Errors
/// Where listing is refused or breaks.
pub async fn list(
    connection: &Connection,
    prefix: &str,
    patience: Patience,
) -> Result<Vec<v1::Key>, CallError> {
    let client = KeyServiceClient::new(connection.channel());
    let mut keys = Vec::new();
    let mut page_token = String::new();
    loop {
        let answer = patiently(patience, |patience| {
            let mut client = client.clone();
            let request = patience.request(v1::ListKeysRequest {
                page_size: 1_000,
                page_token: page_token.clone(),
                prefix: prefix.to_owned(),
            });
            async move { client.list_keys(request).await.map(Response::into_inner) }
        })
        .await?;
        keys.extend(answer.keys);
        if answer.next_page_token.is_empty() {
            return Ok(keys);
        }
        if answer.next_page_token == page_token {
            return Err(CallError::Answer("the same page of keys twice".to_owned()));
        }
        page_token = answer.next_page_token;
    }
}

/// One key with all its versions.
///
/// # Errors
/// Where there is none, or it may not be seen.
pub async fn show(connection: &Connection, key: &str, patience: Patience) -> Result<v1::Key, CallError> {
    let client = KeyServiceClient::new(connection.channel());
    let answer = patiently(patience, |patience| {
        let mut client = client.clone();
        let request = patience.request(v1::GetKeyRequest { key: key.to_owned() });
        async move { client.get_key(request).await.map(Response::into_inner) }
    })
    .await?;
    answer.key.ok_or_else(|| CallError::Answer("an empty answer in place of a key".to_owned()))
}

/// The state of every matching key, then each change.
///
/// # Errors
/// Where watching is refused.
pub async fn watch(
    connection: &Connection,
    prefix: &str,
) -> Result<Streaming<v1::WatchKeysResponse>, CallError> {
    let mut client = KeyServiceClient::new(connection.channel());
    let request = Request::new(v1::WatchKeysRequest { prefix: prefix.to_owned() });
    Ok(client.watch_keys(request).await?.into_inner())
}
