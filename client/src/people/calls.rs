//! The calls of `CeremonyService`.
//!
//! Promises: what is sent again is the same document, which counts once; where an answer was lost, the log is asked whether the act
//! is in it before anything is called a failure. Deliberately judges nothing that comes back.

use std::collections::BTreeMap;
use std::time::Duration;

use ceremonies::statement::CeremonyId;
use proto::hash::Hash;
use proto::wire::v1;
use proto::wire::v1::ceremony_service_client::CeremonyServiceClient;
use tonic::transport::Channel;
use tonic::{Request, Response, Streaming};

use crate::connect::LARGEST_ANSWER;
use crate::connection::{CallError, Connection};
use crate::refused::NoAnswer;
use crate::retry::{Patience, patiently};

/// How long an execution is waited for at least: a token may take minutes to make a key.
pub const EXECUTION: Duration = Duration::from_secs(600);

/// Ceremonies asked for at once.
const PAGE: u32 = 200;

/// Most pages that are read of one list.
const MOST_PAGES: usize = 1_000;

fn client(connection: &Connection) -> CeremonyServiceClient<Channel> {
    CeremonyServiceClient::new(connection.channel()).max_decoding_message_size(LARGEST_ANSWER)
}

macro_rules! call {
    ($connection:expr, $patience:expr, $method:ident, $message:expr) => {{
        let client = client($connection);
        let message = $message;
        patiently($patience, |patience| {
            let mut client = client.clone();
            let request = patience.request(message.clone());
            async move { client.$method(request).await.map(Response::into_inner) }
        })
        .await
    }};
}

/// What the instance says it is.
///
/// # Errors
/// Where there is no answer.
pub async fn instance(
    connection: &Connection,
    patience: Patience,
) -> Result<v1::GetInstanceResponse, NoAnswer> {
    call!(connection, patience, get_instance, v1::GetInstanceRequest {})
}

/// The statement that a template makes today.
///
/// # Errors
/// Where it is refused, or there is no answer.
pub async fn draft(
    connection: &Connection,
    request: v1::DraftStatementRequest,
    patience: Patience,
) -> Result<Vec<u8>, NoAnswer> {
    Ok(call!(connection, patience, draft_statement, request)?.statement)
}

/// One ceremony as it stands.
///
/// # Errors
/// Where there is none, or no answer.
pub async fn ceremony(
    connection: &Connection,
    id: CeremonyId,
    patience: Patience,
) -> Result<Option<v1::Ceremony>, NoAnswer> {
    Ok(call!(connection, patience, get_ceremony, v1::GetCeremonyRequest { id: id.to_string() })?.ceremony)
}

/// Ceremonies, newest first, until `enough` says so of one; that one is the last.
///
/// # Errors
/// Where listing is refused or breaks.
pub async fn list(
    connection: &Connection,
    ended: bool,
    patience: Patience,
    mut enough: impl FnMut(&v1::Ceremony) -> bool,
) -> Result<Vec<v1::Ceremony>, CallError> {
    let (mut found, mut page_token) = (Vec::new(), String::new());
    for _page in 0..MOST_PAGES {
        let request = v1::ListCeremoniesRequest { ended, page_size: PAGE, page_token: page_token.clone() };
        let answer = call!(connection, patience, list_ceremonies, request)?;
        for ceremony in answer.ceremonies {
            let last = enough(&ceremony);
            found.push(ceremony);
            if last {
                return Ok(found);
            }
        }
        if answer.next_page_token.is_empty() {
            return Ok(found);
        }
        if answer.next_page_token == page_token {
            return Err(CallError::Answer("the same page of ceremonies twice".to_owned()));
        }
        page_token = answer.next_page_token;
    }
    Err(CallError::Answer(format!("more than {MOST_PAGES} pages of ceremonies")))
}

/// One ceremony as it stands, then after each change.
///
/// # Errors
/// Where watching is refused.
pub async fn watch(
    connection: &Connection,
    id: CeremonyId,
) -> Result<Streaming<v1::WatchCeremonyResponse>, CallError> {
    let request = Request::new(v1::WatchCeremonyRequest { id: id.to_string() });
    Ok(client(connection).watch_ceremony(request).await?.into_inner())
}

/// The files of a transcript.
///
/// # Errors
/// Where there is none.
pub async fn transcript(
    connection: &Connection,
    id: CeremonyId,
) -> Result<Streaming<v1::GetTranscriptResponse>, CallError> {
    let request = Request::new(v1::GetTranscriptRequest { id: id.to_string() });
    Ok(client(connection).get_transcript(request).await?.into_inner())
}

/// Opens a ceremony.
///
/// # Errors
/// Where it is refused, or there is no answer.
pub async fn propose(
    connection: &Connection,
    statement: Vec<u8>,
    act: v1::SignedAct,
    documents: BTreeMap<String, Vec<u8>>,
    patience: Patience,
) -> Result<Option<v1::Ceremony>, NoAnswer> {
    let request = v1::ProposeCeremonyRequest { statement, act: Some(act), documents };
    Ok(call!(connection, patience, propose_ceremony, request)?.ceremony)
}

/// Brings in an act. `about` is its ceremony: where the daemon refuses what it may have taken a moment before, it is asked there.
///
/// # Errors
/// Where it is refused, or there is no answer.
pub async fn submit(
    connection: &Connection,
    act: v1::SignedAct,
    about: Option<CeremonyId>,
    patience: Patience,
) -> Result<v1::SubmitActResponse, NoAnswer> {
    let digest = Hash::of(&act.document);
    let refused = match call!(connection, patience, submit_act, v1::SubmitActRequest { act: Some(act) }) {
        Ok(answer) => return Ok(answer),
        Err(refused) => refused,
    };
    let (NoAnswer::Refused(_), Some(id)) = (&refused, about) else { return Err(refused) };
    let Ok(Some(ceremony)) = self::ceremony(connection, id, patience).await else { return Err(refused) };
    let mut acts = ceremony.acts.iter();
    match acts.find(|act| act.act_sha256 == digest.as_bytes()).map(|act| act.log_index) {
        Some(log_index) => Ok(v1::SubmitActResponse { log_index, ceremony: Some(ceremony), waits: false }),
        None => Err(refused),
    }
}

/// Starts an armed ceremony and waits for what comes of it. Sent once: what became of it is seen by watching.
///
/// # Errors
/// Where it is refused, or there is no answer.
pub async fn execute(
    connection: &Connection,
    act: v1::SignedAct,
    patience: Patience,
) -> Result<Option<v1::Ceremony>, NoAnswer> {
    let request = patience.request(v1::ExecuteCeremonyRequest { act: Some(act) });
    let answer =
        client(connection).execute_ceremony(request).await.map_err(|status| NoAnswer::of(&status))?;
    Ok(answer.into_inner().ceremony)
}
