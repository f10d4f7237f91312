//! Callers that sign, and what they were given: the other side of the account that the log keeps.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::proof::encoding::{Curve, EcdsaFixed};
use proto::wire::v1::sign_result::Outcome;
use proto::wire::v1::signing_service_client::SigningServiceClient;
use proto::wire::v1::{
    ReceiptDetail, SignBatchRequest, SignRequest, SignResponse, Signature, SignatureEncoding, sign_request,
};
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

/// Asks for many signatures at once.
///
/// # Errors
/// The daemon's refusal of the whole, or that it is gone.
pub async fn sign_batch(channel: &Channel, requests: Vec<SignRequest>) -> Result<Vec<Outcome>, Status> {
    let mut client = SigningServiceClient::new(channel.clone());
    let answer = client.sign_batch(SignBatchRequest { requests }).await?.into_inner();
    Ok(answer.results.into_iter().map(|result| result.outcome.expect("every item has an outcome")).collect())
}

/// What callers received.
#[derive(Debug, Default)]
pub struct Received {
    /// Replies, as they came; each item of a batch is one.
    pub replies: Vec<SignResponse>,
    /// Items of batches of which no answer came, each with its request id.
    pub lost: Vec<SignRequest>,
}

impl From<SignResponse> for Received {
    fn from(reply: SignResponse) -> Self {
        Self { replies: vec![reply], lost: Vec::new() }
    }
}

impl Received {
    /// See [`unaccounted`].
    #[must_use]
    pub fn unaccounted(&self, ledger: &Ledger) -> Vec<String> {
        unaccounted(ledger, [self])
    }
}

/// What a log fails to account for: a signature that a caller has and no record releases, or releases twice; a receipt
/// whose record is not the log's, or whose checkpoint the log does not extend.
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
            let own = (hex::encode(&signature.key_id), STANDARD.encode(recorded(signature)));
            let times = released.get(&own).copied().unwrap_or(0);
            if times != 1 {
                complaints.push(format!("the signature of {} is released {times} times", reply.operation_id));
            }
        }
        let Some(receipt) = &reply.receipt else { continue };
        let own = usize::try_from(receipt.log_index).ok().and_then(|index| ledger.records.get(index));
        if own.is_none_or(|own| own.leaf != receipt.record[..]) {
            complaints
                .push(format!("the record of {} is not the log's {}", reply.operation_id, receipt.log_index));
        }
        complaints.extend(tree.breaks(&receipt.checkpoint));
    }
    complaints
}

/// The signature as records hold it: ECDSA as DER, whatever the caller was given.
fn recorded(signature: &Signature) -> Vec<u8> {
    if signature.encoding() != SignatureEncoding::Fixed {
        return signature.value.clone();
    }
    let curve = Curve::ALL.into_iter().find(|curve| 2 * curve.length() == signature.value.len());
    let fixed = EcdsaFixed::parse(curve.expect("a length of r and s"), &signature.value);
    fixed.expect("the daemon gives r and s").to_der().into_bytes()
}

/// How many callers send what.
#[derive(Debug, Clone, Copy)]
pub struct Callers {
    /// One request after another.
    pub single: usize,
    /// One batch after another, of [`SIZES`], each item with a request id of its own.
    pub batches: usize,
}

/// Sizes of batches, in turn.
pub const SIZES: [usize; 5] = [3, 40, 1, 17, 8];

/// Loads of this process: no two use the same request id.
static LOADS: AtomicUsize = AtomicUsize::new(0);

/// What a caller tells.
enum Told {
    Reply(Box<SignResponse>),
    /// No answer came to these.
    Lost(Vec<SignRequest>),
    /// An answer that is not the one to its request.
    Wrong(String),
}

impl Told {
    /// A reply, if its record is of the message that was asked for.
    fn of(asked: &SignRequest, reply: SignResponse) -> Self {
        let Some(sign_request::Input::Message(message)) = &asked.input else { panic!("loads sign messages") };
        let digest = hex::encode(digest(&SHA256, message));
        let record = reply.receipt.as_ref().map(|receipt| receipt.record.clone()).unwrap_or_default();
        if String::from_utf8_lossy(&record).contains(&digest) {
            return Self::Reply(Box::new(reply));
        }
        Self::Wrong(format!("a reply to {message:?} with the record {}", String::from_utf8_lossy(&record)))
    }
}

/// Callers that sign without a pause until they are refused.
#[derive(Debug)]
pub struct Load {
    runtime: Runtime,
    told: Receiver<Told>,
    received: Received,
}

impl Load {
    /// Starts callers on so many connections in turn.
    ///
    /// # Panics
    /// If there is no runtime to be had.
    #[must_use]
    pub fn start(world: &World, connections: usize, callers: Callers, key: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let (teller, told) = channel();
        let connections: Vec<Channel> =
            runtime.block_on(async { (0..connections).map(|_| world.channel()).collect() });
        let mut turns = connections.iter().cycle();
        let mut turn = || turns.next().expect("there is a connection").clone();
        for number in 0..callers.single {
            runtime.spawn(single(turn(), key.to_owned(), number, teller.clone()));
        }
        let load = LOADS.fetch_add(1, Ordering::Relaxed);
        for number in 0..callers.batches {
            let name = format!("load-{load}.{number}");
            runtime.spawn(batches(turn(), key.to_owned(), name, teller.clone()));
        }
        Self { runtime, told, received: Received::default() }
    }

    /// Waits until this many replies have come in all, or every caller was refused.
    ///
    /// # Panics
    /// If an answer was not the one to its request.
    pub fn reach(&mut self, count: usize) {
        while self.received.replies.len() < count {
            match self.told.recv() {
                Ok(Told::Reply(reply)) => self.received.replies.push(*reply),
                Ok(Told::Lost(requests)) => self.received.lost.extend(requests),
                Ok(Told::Wrong(why)) => panic!("{why}"),
                Err(_all_refused) => break,
            }
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

async fn single(channel: Channel, key: String, number: usize, teller: Sender<Told>) {
    for nth in 0_u64.. {
        let asked = request(&key, format!("message {number}/{nth}").as_bytes());
        let Ok(reply) = sign(&channel, asked.clone()).await else { break };
        if teller.send(Told::of(&asked, reply)).is_err() {
            break;
        }
    }
}

/// Ends with the first batch of which an item was refused.
async fn batches(channel: Channel, key: String, name: String, teller: Sender<Told>) {
    for (nth, size) in SIZES.into_iter().cycle().enumerate() {
        let named = |item| {
            let id = format!("{name}.{nth}.{item}");
            SignRequest { request_id: id.clone(), ..request(&key, id.as_bytes()) }
        };
        let asked: Vec<SignRequest> = (0..size).map(named).collect();
        let (told, refused) = match sign_batch(&channel, asked.clone()).await {
            Ok(outcomes) => sorted(&asked, outcomes),
            Err(_refused_or_gone) => (vec![Told::Lost(asked)], true),
        };
        // Whoever does not listen any more has ended the load.
        if told.into_iter().any(|one| teller.send(one).is_err()) || refused {
            break;
        }
    }
}

/// The answers to the items of a batch, and whether one was refused.
fn sorted(asked: &[SignRequest], outcomes: Vec<Outcome>) -> (Vec<Told>, bool) {
    if outcomes.len() != asked.len() {
        let why = format!("{} results for {} items", outcomes.len(), asked.len());
        return (vec![Told::Wrong(why)], true);
    }
    let mut refused = false;
    let mut told = Vec::new();
    for (asked, outcome) in asked.iter().zip(outcomes) {
        match outcome {
            Outcome::Response(reply) => told.push(Told::of(asked, reply)),
            Outcome::Refusal(_) => refused = true,
        }
    }
    (told, refused)
}
