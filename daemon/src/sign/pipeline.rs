//! From requests to replies: admit, intend, sign, seal.
#![expect(clippy::vec_box, reason = "operations are long, and move from list to list")]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use proto::reason::Reason;
use proto::record::Outcome;
use proto::refusal::Refusal;
use proto::time::Time;
use tokio::sync::oneshot;

use super::admit::{self, Standing, Unadmitted};
use super::operation::{Operation, patience, request_key};
use super::reply::Reply;
use super::{SignRequest, Signer, prepare, recorded, refuse};
use crate::clock::Monotonic;
use crate::keyring::Snapshot;
use crate::log::{Earlier, Fresh, Intended, Intent, LogError, Sealed};
use crate::measure::{self, Stage};
use crate::policy::caller::Caller;
use crate::policy::quota::Spent;

/// How often an operation is decided again before it is withheld.
const DECIDED_AGAIN: u8 = 3;

/// Signatures inside the process before other tasks get a turn.
const IN_A_ROW: usize = 16;

pub(super) type Answer = Result<Reply, Refusal>;

impl Signer {
    /// One request.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn sign(
        self: &Arc<Self>,
        caller: &Arc<Caller>,
        request: SignRequest,
        by: Option<Monotonic>,
    ) -> Result<Reply, Refusal> {
        let mut answers = self.sign_batch(caller, vec![request], by).await;
        answers.pop().unwrap_or_else(|| Err(Refusal::new(Reason::Internal, "a request without an answer")))
    }

    /// Many requests: one decision, one quota unit and one answer each, in their order; one commit for all intents.
    pub async fn sign_batch(
        self: &Arc<Self>,
        caller: &Arc<Caller>,
        requests: Vec<SignRequest>,
        by: Option<Monotonic>,
    ) -> Vec<Answer> {
        let begun = self.clock.monotonic();
        let asked = self.clock.wall();
        let snapshot = self.keyring.snapshot();
        let mut answers: Vec<Option<Answer>> = requests.iter().map(|_| None).collect();
        let (mut inside, mut outside) = (vec![], vec![]);
        let repeated = repeated(&requests);
        let mut standing = None;
        for (position, request) in requests.into_iter().enumerate() {
            if repeated.contains(&position) {
                let message = "this request id is given to an earlier item of the same batch";
                answers[position] = Some(Err(Refusal::new(Reason::RequestIdReused, message)));
                continue;
            }
            match self.admit(&snapshot, &mut standing, caller, request, position, asked).await {
                Ok(Admitted::Operation(operation)) if self.is_external(&operation) => outside.push(operation),
                Ok(Admitted::Operation(operation)) => inside.push(operation),
                Ok(Admitted::Replay(mut operation, earlier)) => {
                    answers[position] = Some(Box::pin(operation.replay(self, earlier)).await);
                }
                Ok(Admitted::DryRun(reply)) => answers[position] = Some(Ok(*reply)),
                Err(refusal) => answers[position] = Some(Err(refusal)),
            }
        }
        for (position, answer) in self.performed(inside, outside, by).await {
            answers[position] = Some(answer);
        }
        measure::stage(Stage::Whole, self.clock.monotonic().since(begun));
        let answers = answers.into_iter().map(|answer| {
            answer.unwrap_or_else(|| Err(Refusal::new(Reason::Internal, "a request without an answer")))
        });
        answers
            .inspect(|answer| {
                if let Err(refusal) = answer {
                    measure::refused(refusal.reason.name())
                }
            })
            .collect()
    }

    fn is_external(&self, operation: &Operation) -> bool {
        let backends = operation.chosen.iter().map(|chosen| self.keyring.backend(&chosen.version.backend));
        // A backend that is not configured cannot sign; the safe side is to record first.
        backends.into_iter().any(|backend| backend.is_none_or(|backend| backend.capabilities().external))
    }

    /// `standing` is what an earlier item of the same call found out about its key.
    async fn admit<'s>(
        &self,
        snapshot: &'s Snapshot,
        standing: &mut Option<Standing<'s>>,
        caller: &'s Arc<Caller>,
        request: SignRequest,
        position: usize,
        asked: Time,
    ) -> Result<Admitted, Refusal> {
        let began = self.clock.monotonic();
        let reading = prepare::read(&request.input)?;
        let prepared = self.clock.monotonic();
        measure::stage(Stage::Prepare, prepared.since(began));
        standing.take_if(|known| !known.is_of(&request.key));
        let found = match standing {
            Some(known) => Ok(&*known),
            None => Standing::find(snapshot, caller, &request.key).map(|found| &*standing.insert(found)),
        };
        let admitted = found.and_then(|standing| {
            let (permit, chosen) = standing.admit(&self.log, &request, &reading)?;
            Ok((permit, chosen, Arc::clone(standing.caller_id())))
        });
        measure::stage(Stage::Policy, self.clock.monotonic().since(prepared));
        let (permit, chosen, caller_id) = match admitted {
            Ok(admitted) => admitted,
            Err(Unadmitted::Refused(refusal)) => return Err(refusal),
            Err(Unadmitted::Denied(denied)) if request.validate_only => return Err(denied.refusal()),
            Err(Unadmitted::Denied(denied)) => {
                let digests = || Some(reading.body.digests());
                return Err(Box::pin(self.denials.refuse(snapshot, caller, denied, digests)).await);
            }
        };
        if request.validate_only {
            return Ok(Admitted::DryRun(Box::new(Reply {
                signatures: vec![],
                signed_bytes: reading.built,
                receipt: None,
                operation: None,
                replayed: false,
                rule: Arc::clone(permit.rule()),
                guard: None,
            })));
        }
        let input = request.request_id.as_ref().map(|_| prepare::input_hash(&request));
        let (spent, earlier) = match snapshot.take_quota(caller, &request.key)? {
            Ok(spent) => (spent, None),
            Err(exhausted) => {
                let request = request_key(&request, input);
                let earlier = Box::pin(self.without_quota(caller, request, &exhausted)).await?;
                (Spent::default(), Some(earlier))
            }
        };
        let Fresh { operation: id, salt, .. } = Fresh::at(asked).map_err(|e| refuse::unlogged(&e))?;
        let named = snapshot.named(caller);
        let (record, detail) = recorded::of(id, asked, &request, &reading, &chosen, named, &permit, salt)?;
        let signers = chosen.iter().map(|chosen| snapshot.signer(&chosen.version.key_id)).collect();
        let caller = Arc::clone(caller);
        let operation = Box::new(Operation {
            position,
            caller_id,
            caller,
            request,
            reading,
            permit,
            chosen,
            signers,
            id,
            record: Arc::new(record),
            detail: detail.into(),
            input,
            failure: None,
            patience: Duration::ZERO,
            decided: 0,
            spent,
        });
        Ok(match earlier {
            Some(earlier) => Admitted::Replay(operation, earlier),
            None => Admitted::Operation(operation),
        })
    }

    /// Both at once where there are both. What is rare is in a box of its own: the future of a call is copied as a whole when it is
    /// made.
    async fn performed(
        self: &Arc<Self>,
        inside: Vec<Box<Operation>>,
        outside: Vec<Box<Operation>>,
        by: Option<Monotonic>,
    ) -> Vec<(usize, Answer)> {
        if outside.is_empty() {
            return self.inside(inside, by).await;
        }
        let outside = Box::pin(self.outside(outside, by));
        if inside.is_empty() {
            return outside.await;
        }
        let (mut answers, others) = tokio::join!(Box::pin(self.inside(inside, by)), outside);
        answers.extend(others);
        answers
    }

    /// Keys inside the process: a signature exists nowhere else until it is released, so the seal is enough.
    async fn inside(
        self: &Arc<Self>,
        operations: Vec<Box<Operation>>,
        by: Option<Monotonic>,
    ) -> Vec<(usize, Answer)> {
        if operations.is_empty() {
            return vec![];
        }
        if let Err(error) = self.log.admits(operations.len(), by) {
            let refusal = refuse::unlogged(&error);
            return operations.iter().map(|operation| (operation.position, Err(refusal.clone()))).collect();
        }
        let mut signed = Vec::with_capacity(operations.len());
        for (count, mut operation) in operations.into_iter().enumerate() {
            if count % IN_A_ROW == IN_A_ROW - 1 {
                tokio::task::yield_now().await;
            }
            self.perform(&mut operation, by).await;
            signed.push((operation, None));
        }
        self.settle(signed).await
    }

    /// Keys elsewhere: a durable intent, then the backend and the seal in a task that outlives the caller.
    async fn outside(
        self: &Arc<Self>,
        operations: Vec<Box<Operation>>,
        by: Option<Monotonic>,
    ) -> Vec<(usize, Answer)> {
        let (operations, mut refused) = self.tried(operations, by).await;
        if operations.is_empty() {
            return refused;
        }
        let began = self.clock.monotonic();
        let positions: Vec<usize> = operations.iter().map(|operation| operation.position).collect();
        let drafts = operations.iter().map(|operation| operation.draft(by)).collect();
        let intended = self.log.intend(drafts, by).await;
        measure::stage(Stage::Intent, self.clock.monotonic().since(began));
        let (answered, answers) = oneshot::channel();
        let signer = Arc::clone(self);
        // What is safe now: every intent is durable. From here on the operations run to their leaves whoever waits; a
        // crash leaves intents that the next start closes as unknown.
        tokio::spawn(async move { signer.run(operations, intended, by, answered).await });
        let waited = match by {
            Some(by) => tokio::time::timeout(by.since(self.clock.monotonic()), answers).await,
            None => Ok(answers.await),
        };
        let missing = match waited {
            Ok(Ok(answers)) => {
                refused.extend(answers);
                return refused;
            }
            Ok(Err(_ended)) => {
                Refusal::new(Reason::Internal, "the operation ended without an answer; its record says how")
            }
            Err(_elapsed) => {
                Refusal::new(Reason::DeadlineExceeded, "the backend did not answer before the deadline")
            }
        };
        refused.extend(positions.into_iter().map(|position| (position, Err(missing.clone()))));
        refused
    }

    async fn run(
        self: Arc<Self>,
        operations: Vec<Box<Operation>>,
        intended: Vec<Result<Intended, LogError>>,
        by: Option<Monotonic>,
        answered: oneshot::Sender<Vec<(usize, Answer)>>,
    ) {
        let mut answers = vec![];
        let mut ready = vec![];
        for (mut operation, intended) in operations.into_iter().zip(intended) {
            match intended {
                Ok(Intended::Intent(intent)) => ready.push((operation, intent)),
                Ok(Intended::Replay(earlier)) => {
                    answers.push((operation.position, operation.replay(&self, earlier).await));
                }
                Err(error) => answers.push((operation.position, Err(refuse::unlogged(&error)))),
            }
        }
        let signed = join_all(ready.into_iter().map(async |(mut operation, intent)| {
            self.perform(&mut operation, by).await;
            (operation, Some(intent))
        }));
        let mut signed = signed.await;
        // Nobody can fetch what has no request id: what comes too late for its caller is withheld.
        let late = by.is_some_and(|by| self.clock.monotonic() >= by);
        let gone = answered.is_closed();
        for (operation, _) in
            signed.iter_mut().filter(|(operation, _)| operation.request.request_id.is_none())
        {
            if late {
                operation.withhold(Reason::DeadlineExceeded);
            } else if gone {
                operation.withhold(Reason::Cancelled);
            }
        }
        answers.extend(self.settle(signed).await);
        if answered.send(answers).is_err() {
            tracing::debug!("the caller went away before its answer");
        }
    }

    /// Asks the backends.
    async fn perform(&self, operation: &mut Operation, by: Option<Monotonic>) {
        let turn = operation.turn(by);
        let signers = std::mem::take(&mut operation.signers);
        for (position, signer) in signers.iter().enumerate() {
            let result = match signer {
                Ok(signer) => {
                    signer.sign(operation.prepared(&operation.chosen[position]), turn.clone()).await
                }
                Err(failure) => Err(failure.clone()),
            };
            operation.note(position, result);
        }
        operation.patience = patience(&signers, &turn);
    }

    /// Seals operations, deciding again what a change touched meanwhile.
    async fn settle(self: &Arc<Self>, signed: Vec<(Box<Operation>, Option<Intent>)>) -> Vec<(usize, Answer)> {
        let began = self.clock.monotonic();
        let mut answers = Vec::with_capacity(signed.len());
        // A software key that did not sign has nothing to record: no intent exists, and nothing happened.
        let (mut pending, mut nothing) = (vec![], vec![]);
        for (operation, intent) in signed {
            match (&intent, &operation.failure) {
                (None, Some((backend, failure))) => {
                    nothing.push((operation.position, Err(refuse::failed(backend, failure))))
                }
                _ => pending.push((operation, intent)),
            }
        }
        answers.append(&mut nothing);
        while !pending.is_empty() {
            let (mut operations, mut seals) = (vec![], vec![]);
            for (mut operation, intent) in pending.drain(..) {
                seals.push(operation.seal(intent));
                operations.push(operation);
            }
            let sealed = self.log.seal(seals).await;
            for (mut operation, sealed) in operations.into_iter().zip(sealed) {
                operation.count(&sealed);
                let answer = match sealed {
                    Ok(Sealed::Released(released)) => operation.reply(self, *released),
                    Ok(Sealed::Withheld { index, reasons }) => Err(operation.withheld(index, &reasons)),
                    Ok(Sealed::Touched { seal, control }) => {
                        Box::pin(self.decide_again(&mut operation, control)).await;
                        pending.push((operation, seal.intent));
                        continue;
                    }
                    Ok(Sealed::Replay(earlier)) => Box::pin(operation.replay(self, earlier)).await,
                    Ok(Sealed::Gone) => Err(Refusal::new(
                        Reason::OutcomeUnknown,
                        "the operation was closed as unknown before it could be sealed; its signature was wiped",
                    )
                    .recorded(operation.id)),
                    Err(error) => Err(refuse::unlogged(&error).recorded(operation.id)),
                };
                answers.push((operation.position, answer));
            }
        }
        measure::stage(Stage::Seal, self.clock.monotonic().since(began));
        answers
    }

    /// A control record newer than the permit touches the operation: policy and key state decide again.
    async fn decide_again(&self, operation: &mut Operation, control: u64) {
        operation.decided += 1;
        let snapshot = self.keyring.at_least(control).await;
        let again =
            admit::admit(&snapshot, &self.log, &operation.caller, &operation.request, &operation.reading);
        let reason = match again {
            Ok((permit, chosen)) if same(&operation.chosen, &chosen) => {
                operation.permit = permit;
                (operation.decided > DECIDED_AGAIN).then_some(Reason::ChangedMeanwhile)
            }
            Ok((permit, _)) => {
                operation.permit = permit;
                Some(Reason::KeyNotActive)
            }
            Err(Unadmitted::Refused(refusal)) => Some(refusal.reason),
            Err(Unadmitted::Denied(_)) => Some(Reason::PolicyDenied),
        };
        if let Some(reason) = reason {
            operation.withhold(reason);
        }
    }
}

/// Positions of requests whose id an earlier one of the same batch has.
fn repeated(requests: &[SignRequest]) -> HashSet<usize> {
    if requests.len() < 2 {
        return HashSet::new();
    }
    let mut ids = HashSet::with_capacity(requests.len());
    let ids = requests.iter().map(|request| request.request_id.as_deref().is_none_or(|id| ids.insert(id)));
    ids.enumerate().filter_map(|(position, new)| (!new).then_some(position)).collect()
}

fn same(before: &[admit::Chosen], now: &[admit::Chosen]) -> bool {
    before.len() == now.len() && before.iter().zip(now).all(|(a, b)| a.version.key_id == b.version.key_id)
}

/// An admitted request.
enum Admitted {
    /// It is going to be signed.
    Operation(Box<Operation>),
    /// It is not: there is no quota for it, but it was signed before.
    Replay(Box<Operation>, Earlier),
    /// It would be.
    DryRun(Box<Reply>),
}

impl Operation {
    /// Counts what became of each signature, once it is recorded.
    fn count(&self, sealed: &Result<Sealed, LogError>) {
        let withheld: &[(usize, Reason)] = match sealed {
            Ok(Sealed::Released(released)) => &released.withheld,
            Ok(Sealed::Withheld { reasons, .. }) => reasons,
            _ => return,
        };
        for (position, entry) in self.record.signatures.iter().enumerate() {
            let kept_back = withheld.iter().any(|(at, _)| *at == position);
            measure::signature(if kept_back { Outcome::Withheld } else { entry.outcome });
        }
    }

    /// The refusal of an operation of which nothing may be handed out.
    fn withheld(&self, index: u64, reasons: &[(usize, Reason)]) -> Refusal {
        let refusal = match (&self.failure, reasons.first()) {
            (_, Some((_, reason))) => {
                Refusal::new(*reason, format!("the signature was withheld: {}", reason.advice()))
            }
            (Some((backend, failure)), None) => refuse::failed(backend, failure),
            (None, None) => match self.record.signatures.iter().find_map(|entry| entry.reason) {
                Some(reason) => {
                    Refusal::new(reason, format!("the signature was withheld: {}", reason.advice()))
                }
                None => Refusal::new(Reason::Internal, "the signature was withheld"),
            },
        };
        refusal.recorded(self.id).with("log_index", index)
    }
}
