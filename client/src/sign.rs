//! Asking for signatures, and believing none that was not checked here.
//!
//! Promises: what is handed on verifies against the public key over the bytes that were meant, and its receipt proves that the log
//! holds exactly it as released. A request that may have been done is asked for again under its id; only where the log itself says
//! that the outcome is unknown, a new id is taken, and the answer says so. Deliberately writes no files.

pub mod check;
pub mod order;

use std::collections::{BTreeMap, VecDeque};

use proto::name::VersionName;
use proto::proof::public_key::PublicKey;
use proto::wire::v1;
use tonic::Response;

use crate::clock;
use crate::connection::{CallError, Connection};
use crate::log::prove;
use crate::refused::{NoAnswer, Refused};
use crate::request_id::{self, NoRandom};
use crate::retry::{Patience, before_anew, patiently, pause};
use check::{Signed, Wrong};
use order::Order;

/// How often one order is signed anew after its outcome was lost.
const ANEW: u32 = 3;

/// Why there is no signature that could be handed on.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// No answer, or one whose receipt cannot be believed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The answer does not verify.
    #[error(transparent)]
    Wrong(#[from] Wrong),
    /// No request id could be made.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

impl From<NoAnswer> for SignError {
    fn from(answer: NoAnswer) -> Self {
        Self::Call(answer.into())
    }
}

/// Asks, checks, and keeps the public keys that it was shown.
pub struct Signer<'a> {
    connection: &'a mut Connection,
    pinned: Option<PublicKey>,
    known: BTreeMap<(String, u32), PublicKey>,
}

impl<'a> Signer<'a> {
    /// A signer that checks against `pinned`, or else against the public keys that the daemon names (by their key ids).
    pub fn new(connection: &'a mut Connection, pinned: Option<PublicKey>) -> Self {
        Self { connection, pinned, known: BTreeMap::new() }
    }

    /// One order, one checked answer.
    ///
    /// # Errors
    /// [`SignError`]; then nothing may be used.
    pub async fn sign(&mut self, mut order: Order, patience: Patience) -> Result<Signed, SignError> {
        let mut lost = Vec::new();
        loop {
            let client = self.connection.signing();
            let wire = order.to_wire(v1::ReceiptDetail::Full);
            let answer = patiently(patience, |patience| {
                let mut client = client.clone();
                let request = patience.request(wire.clone());
                async move { client.sign(request).await.map(Response::into_inner) }
            })
            .await;
            match answer {
                Ok(answer) => return self.believe(&order, answer, lost, patience).await,
                Err(NoAnswer::Refused(refused)) if anew(&refused, lost.len(), patience) => {
                    lost.push(std::mem::replace(&mut order.request_id, request_id::fresh()?));
                    clock::pause(before_anew(&refused)).await;
                }
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// Asks whether an order would be signed, and by which versions. Nothing is signed or recorded.
    ///
    /// # Errors
    /// The refusal that the order would get.
    pub async fn would_sign(
        &mut self,
        order: &Order,
        patience: Patience,
    ) -> Result<Vec<VersionName>, SignError> {
        let client = self.connection.signing();
        let wire = v1::SignRequest { validate_only: true, ..order.to_wire(v1::ReceiptDetail::None) };
        let answer = patiently(patience, |patience| {
            let mut client = client.clone();
            let request = patience.request(wire.clone());
            async move { client.sign(request).await.map(Response::into_inner) }
        })
        .await?;
        answer
            .signatures
            .iter()
            .map(|one| {
                let named = one.key.parse().ok().filter(|_| one.version > 0);
                let key = named.ok_or_else(|| {
                    CallError::Answer(format!("`{}@{}` is no version", one.key, one.version))
                })?;
                Ok(VersionName { key, version: one.version })
            })
            .collect()
    }

    /// One batch that fits into one request: one result for each order, in their order.
    ///
    /// Items that may succeed later are asked for again under their own ids while the patience lasts.
    pub async fn sign_batch(
        &mut self,
        orders: Vec<Order>,
        patience: Patience,
    ) -> Vec<Result<Signed, SignError>> {
        let mut results: Vec<Option<Result<Signed, SignError>>> = orders.iter().map(|_| None).collect();
        let mut waiting: VecDeque<Item> = orders
            .into_iter()
            .enumerate()
            .map(|(place, order)| Item { place, order, lost: Vec::new() })
            .collect();
        for attempt in 0_u32.. {
            if waiting.is_empty() {
                break;
            }
            let items: Vec<Item> = waiting.drain(..).collect();
            let answers = self.ask(&items, patience).await;
            let mut longest = None;
            for (mut item, answer) in items.into_iter().zip(answers) {
                let result = match answer {
                    Ok(answer) => {
                        self.believe(&item.order, answer, std::mem::take(&mut item.lost), patience).await
                    }
                    Err(NoAnswer::Refused(refused)) if anew(&refused, item.lost.len(), patience) => {
                        match request_id::fresh() {
                            Ok(id) => {
                                item.lost.push(std::mem::replace(&mut item.order.request_id, id));
                                longest = longest.max(Some(before_anew(&refused)));
                                waiting.push_back(item);
                                continue;
                            }
                            Err(cause) => Err(cause.into()),
                        }
                    }
                    Err(answer) => match pause(&answer, attempt).filter(|pause| patience.bears(*pause)) {
                        Some(pause) if matches!(answer, NoAnswer::Refused(_)) => {
                            longest = longest.max(Some(pause));
                            waiting.push_back(item);
                            continue;
                        }
                        _ => Err(answer.into()),
                    },
                };
                results[item.place] = Some(result);
            }
            if let Some(pause) = longest {
                clock::pause(pause).await;
            }
        }
        let lost = || Err(CallError::Answer("an item without a result".to_owned()).into());
        results.into_iter().map(|result| result.unwrap_or_else(lost)).collect()
    }

    /// One call for all items: one answer for each.
    async fn ask(&self, items: &[Item], patience: Patience) -> Vec<Result<v1::SignResponse, NoAnswer>> {
        let client = self.connection.signing();
        let requests: Vec<_> = items.iter().map(|item| item.order.to_wire(v1::ReceiptDetail::Full)).collect();
        let answer = patiently(patience, |patience| {
            let mut client = client.clone();
            let request = patience.request(v1::SignBatchRequest { requests: requests.clone() });
            async move { client.sign_batch(request).await.map(Response::into_inner) }
        })
        .await;
        let results = match answer {
            Ok(answer) if answer.results.len() == items.len() => answer.results,
            Ok(answer) => {
                let words = format!("{} results for {} items", answer.results.len(), items.len());
                return items.iter().map(|_| Err(NoAnswer::Unusable(words.clone()))).collect();
            }
            Err(answer) => return items.iter().map(|_| Err(answer.clone())).collect(),
        };
        let outcome = |result: v1::SignResult| match result.outcome {
            Some(v1::sign_result::Outcome::Response(answer)) => Ok(answer),
            Some(v1::sign_result::Outcome::Refusal(refusal)) => {
                Err(NoAnswer::Refused(Box::new(Refused::of_item(refusal))))
            }
            None => Err(NoAnswer::Unusable("an item without an outcome".to_owned())),
        };
        results.into_iter().map(outcome).collect()
    }

    /// Checks an answer: signatures first, then the receipt, then the checkpoint against those seen before.
    async fn believe(
        &mut self,
        order: &Order,
        mut answer: v1::SignResponse,
        lost: Vec<String>,
        patience: Patience,
    ) -> Result<Signed, SignError> {
        let mut keys = Vec::new();
        for one in &answer.signatures {
            keys.push(self.public_key(&one.key, one.version, patience).await?);
        }
        let receipt = answer.receipt.take().ok_or(Wrong::NoReceipt)?;
        let signatures = check::signatures(order, &answer, &keys)?;
        let proven = prove::believe(self.connection, receipt, patience).await?;
        Ok(check::receipt(order, answer, signatures, proven, lost)?)
    }

    /// The public key that a signature of this version must verify against.
    async fn public_key(
        &mut self,
        key: &str,
        version: u32,
        patience: Patience,
    ) -> Result<PublicKey, SignError> {
        if let Some(pinned) = &self.pinned {
            return Ok(pinned.clone());
        }
        if let Some(known) = self.known.get(&(key.to_owned(), version)) {
            return Ok(known.clone());
        }
        let found = crate::keys::public(self.connection, key, version, patience).await?;
        self.known.insert((key.to_owned(), version), found.key.clone());
        Ok(found.key)
    }
}

/// An order of a batch that has no result yet.
struct Item {
    place: usize,
    order: Order,
    lost: Vec<String>,
}

/// Whether to take a new id: the log says that nobody will ever know how this one ended, and there is time to sign anew.
fn anew(refused: &Refused, lost: usize, patience: Patience) -> bool {
    let time = patience.bears(refused.retry_after.unwrap_or_default());
    refused.outcome_unknown() && lost < ANEW as usize && time
}
