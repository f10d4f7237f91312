//! Callers that sign, and what they were given: the other side of the account that the log keeps.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::wire::v1::signing_service_client::SigningServiceClient;
use proto::wire::v1::{ReceiptDetail, SignRequest, SignResponse, sign_request};
use tokio::runtime::Runtime;
use tonic::transport::Channel;
use tonic::{IntoRequest, Status};

use crate::ledger::Ledger;
use crate::world::World;

/// A request for a signature of a message, with the whole receipt.
#[must_use]
pub fn request(key: &str, message: &[u8]) -> SignRequest {
    SignRequest {
        key: key.to_owned(),
        input: Some(sign_request::Input::Message(message.to_vec().into())),
        receipt: ReceiptDetail::Full.into(),
        ..SignRequest::default()
    }
}

/// Asks once.
///
/// # Errors
/// The daemon's refusal, or that it is gone.
pub async fn sign(channel: &Channel, request: impl IntoRequest<SignRequest>) -> Result<SignResponse, Status> {
    SigningServiceClient::new(channel.clone()).sign(request).await.map(tonic::Response::into_inner)
}

/// What callers received.
#[derive(Debug, Default)]
pub struct Received {
    /// Replies, as they came.
    pub replies: Vec<SignResponse>,
}

impl Received {
    /// See [`unaccounted`].
    #[must_use]
    pub fn unaccounted(&self, ledger: &Ledger) -> Vec<String> {
        unaccounted(ledger, [self])
    }
}

/// What a log fails to account for: a signature that a caller has and no record releases, or releases twice; a receipt
/// whose checkpoint the log does not extend.
#[must_use]
pub fn unaccounted<'a>(ledger: &Ledger, received: impl IntoIterator<Item = &'a Received>) -> Vec<String> {
    let mut released: HashMap<(String, String), usize> = HashMap::new();
    for (_, id, value) in ledger.released() {
        *released.entry((id, value)).or_default() += 1;
    }
    let tree = ledger.tree();
    let mut complaints = Vec::new();
    for reply in received.into_iter().flat_map(|received| &received.replies) {
        for signature in &reply.signatures {
            let own = (hex::encode(&signature.key_id), STANDARD.encode(&signature.value));
            let times = released.get(&own).copied().unwrap_or(0);
            if times != 1 {
                complaints.push(format!("the signature of {} is released {times} times", reply.operation_id));
            }
        }
        let checkpoint =
            reply.receipt.as_ref().map(|receipt| receipt.checkpoint.as_str()).unwrap_or_default();
        complaints.extend(tree.breaks(checkpoint));
    }
    complaints
}

/// Callers that sign without a pause until they are refused.
#[derive(Debug)]
pub struct Load {
    runtime: Runtime,
    replies: Receiver<SignResponse>,
    received: Received,
}

impl Load {
    /// Starts callers on so many connections in turn.
    ///
    /// # Panics
    /// If there is no runtime to be had.
    #[must_use]
    pub fn start(world: &World, connections: usize, callers: usize, key: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let (told, replies) = channel();
        let connections: Vec<Channel> =
            runtime.block_on(async { (0..connections).map(|_| world.channel()).collect() });
        for number in 0..callers {
            let channel = connections[number % connections.len()].clone();
            runtime.spawn(caller(channel, key.to_owned(), number, told.clone()));
        }
        Self { runtime, replies, received: Received::default() }
    }

    /// Waits until this many replies have come in all, or every caller was refused.
    pub fn reach(&mut self, count: usize) {
        while self.received.replies.len() < count {
            let Ok(reply) = self.replies.recv() else { break };
            self.received.replies.push(reply);
        }
    }

    /// Waits until every caller was refused, and returns what they had received by then.
    #[must_use]
    pub fn end(mut self) -> Received {
        self.reach(usize::MAX);
        self.runtime.shutdown_background();
        self.received
    }
}

async fn caller(channel: Channel, key: String, number: usize, told: Sender<SignResponse>) {
    for nth in 0_u64.. {
        let Ok(reply) = sign(&channel, request(&key, format!("message {number}/{nth}").as_bytes())).await
        else {
            break;
        };
        if told.send(reply).is_err() {
            break;
        }
    }
}
