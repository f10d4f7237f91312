//! Ceremonies and people as those in the room read them: states, every act as it is in the log, and who is suspended.

use std::collections::BTreeMap;

use ceremonies::person::PersonId;
use ceremonies::session::{Parted, Standing, State, Step, deviations_digest};
use ceremonies::statement::{CeremonyId, Target};
use proto::canonical;
use proto::hash::Hash;
use proto::reason::Reason;
use proto::record::ceremony::{Decided, document};
use proto::record::{Body, Ceremony, ControlDetail, ControlRecord};
use proto::refusal::Refusal;
use proto::time::Time;

use super::{Council, unlogged};
use crate::keys::sessions::{Completion, Held};
use crate::keys::signed::Signed;

/// How long a view waits for the head of the log.
const COVERED: std::time::Duration = std::time::Duration::from_secs(5);

/// One act of a ceremony.
#[derive(Clone, Debug, PartialEq)]
pub struct ActView {
    /// The record that holds it.
    pub index: u64,
    /// When it was sealed.
    pub sealed: Time,
    /// What was decided, by its stable name.
    pub decision: &'static str,
    /// Who.
    pub person: String,
    /// SHA-256 of the document.
    pub digest: Hash,
    /// Document and signature, as they came.
    pub signed: Signed,
    /// When it stops counting, where age ends it.
    pub counts_until: Option<Time>,
}

/// A ceremony.
#[derive(Clone, Debug)]
pub struct CeremonyView {
    /// Its name.
    pub id: CeremonyId,
    /// The kind, by its stable name.
    pub kind: &'static str,
    /// The statement, canonical.
    pub statement: Vec<u8>,
    /// Where it stands now.
    pub step: Step,
    /// The record that proposed it.
    pub proposed: u64,
    /// Every act, in the order of the log; empty in lists.
    pub acts: Vec<ActView>,
    /// Whose approvals count now.
    pub approvers: Vec<String>,
    /// Whose attestations count now: those before, and after an execution those after.
    pub witnesses: Vec<String>,
    /// What is missing.
    pub lacks: Vec<String>,
    /// When something happens by itself next.
    pub due: Option<Time>,
    /// What came of it, canonical.
    pub outputs: Option<Vec<u8>>,
    /// How an attestation after names the deviations so far.
    pub deviations: Option<Hash>,
    /// Those by whose consent its execution was started and who count no more.
    pub parted: BTreeMap<PersonId, Parted>,
    /// Why it failed.
    pub cause: Option<String>,
    /// Its completion.
    pub completion: Option<Completion>,
    /// The documents that the proposal brought.
    pub documents: BTreeMap<String, String>,
}

/// Somebody whose acts count no more, or shall not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SuspensionView {
    /// Who.
    pub person: String,
    /// Which officers said so, sorted.
    pub by: Vec<String>,
    /// The record since which they count no more; none where another officer must say so first.
    pub since: Option<u64>,
}

impl Council {
    /// Who is suspended, and who would be if another officer said so too.
    pub fn suspended(&self) -> Vec<SuspensionView> {
        let snapshot = self.keyring.snapshot();
        let suspensions = snapshot.state().suspensions();
        let in_force = suspensions.iter().map(|(person, own)| SuspensionView {
            person: person.to_string(),
            by: own.by.iter().map(ToString::to_string).collect(),
            since: Some(own.since),
        });
        let waiting = suspensions.waiting(self.log.time().time()).map(|(person, by)| SuspensionView {
            person: person.to_string(),
            by: by.iter().map(ToString::to_string).collect(),
            since: None,
        });
        in_force.chain(waiting).collect()
    }

    /// One ceremony, whole.
    ///
    /// # Errors
    /// [`Reason::UnknownCeremony`]; the log's failure.
    pub async fn ceremony(&self, id: CeremonyId) -> Result<CeremonyView, Refusal> {
        let held = self.held(&self.keyring.snapshot(), id)?;
        self.covered(held.records.iter().copied().max()).await;
        let mut view = self.summary(id, &held);
        let age = held.session.rule().approval_age;
        for index in &held.records {
            let (record, detail) = self.stored(*index).await?;
            let Body::Ceremony(step) = &record.body else { continue };
            if matches!(step, Ceremony::Proposed(_)) {
                let others = detail.iter().filter(|(name, _)| !is_of_the_act(name));
                view.documents = others.map(|(name, text)| (name.clone(), text.clone())).collect();
            }
            if let Some(mut act) = act(*index, &record, step, &detail) {
                let ages = matches!(act.decision, "approve" | "attest");
                act.counts_until = ages.then(|| act.sealed.later(age));
                view.acts.push(act);
            }
        }
        Ok(view)
    }

    /// Waits until the log's head covers this record: the keyring hears of it a moment before, and until then nobody can read
    /// it. A head that does not come is said by whoever reads.
    async fn covered(&self, index: Option<u64>) {
        let Some(index) = index else { return };
        let mut head = self.log.watch_head();
        let _late = tokio::time::timeout(COVERED, head.wait_for(|head| head.size > index)).await;
    }

    /// A page of ceremonies, newest first, and where the next page begins.
    pub fn ceremonies(
        &self,
        ended: bool,
        after: Option<u64>,
        limit: usize,
    ) -> (Vec<CeremonyView>, Option<u64>) {
        let snapshot = self.keyring.snapshot();
        let mut all: Vec<_> = snapshot
            .state()
            .sessions()
            .iter()
            .filter(|(_, held)| ended || !held.session.state().step().is_end())
            .filter_map(|(id, held)| Some((*held.records.first()?, id, held)))
            .filter(|(proposed, _, _)| after.is_none_or(|after| *proposed < after))
            .collect();
        all.sort_by_key(|(proposed, _, _)| std::cmp::Reverse(*proposed));
        let more = all.len() > limit;
        all.truncate(limit);
        let next = all.last().filter(|_| more).map(|(proposed, _, _)| *proposed);
        (all.into_iter().map(|(_, id, held)| self.summary(id, held)).collect(), next)
    }

    fn summary(&self, id: CeremonyId, held: &Held) -> CeremonyView {
        let (session, statement) = (&held.session, held.session.statement());
        let now = self.log.time().time().max(session.latest());
        let names = |people: &mut dyn Iterator<Item = String>| people.collect::<Vec<_>>();
        let session = self.by_now(session);
        let step = session.state().step();
        let Standing { witnesses, lacks, .. } = session.standing(now);
        let approvers = match session.state() {
            State::Proposed | State::Armed => {
                names(&mut session.standing(now).everybody().iter().map(ToString::to_string))
            }
            State::Executing(executing) | State::Indeterminate(executing) => {
                names(&mut executing.approvers.iter().map(ToString::to_string))
            }
            State::Executed(executed) => {
                names(&mut executed.execution.approvers.iter().map(ToString::to_string))
            }
            _ => Vec::new(),
        };
        let witnesses = match session.state() {
            State::Proposed | State::Armed => names(&mut witnesses.keys().map(ToString::to_string)),
            State::Executing(executing) | State::Indeterminate(executing) => {
                names(&mut executing.witnesses.keys().map(ToString::to_string))
            }
            State::Executed(executed) => names(&mut executed.attested.iter().map(ToString::to_string)),
            State::Waiting(waiting) => names(&mut waiting.witnesses.iter().map(ToString::to_string)),
            State::Completed { witnesses, .. } => names(&mut witnesses.iter().map(ToString::to_string)),
            _ => Vec::new(),
        };
        let lacks = match session.state() {
            State::Proposed => lacks.iter().map(ToString::to_string).collect(),
            State::Executed(executed) => {
                let wanted = usize::from(session.rule().witnesses).saturating_sub(executed.attested.len());
                let mut lacks = Vec::new();
                if wanted > 0 {
                    lacks.push(format!("{wanted} more of its witnesses must attest what came of it"));
                } else {
                    lacks.push(
                        "a witness of another unit than every approver must attest what came of it"
                            .to_owned(),
                    );
                }
                lacks
            }
            State::Waiting(_) => {
                vec!["a day must pass without a veto, because something becomes looser".to_owned()]
            }
            State::Indeterminate(_) if matches!(statement.target(), Target::KeyAdopt(_)) => {
                vec![
                    "a `resolve` must abandon it: nothing was adopted, and it can be proposed anew then"
                        .to_owned(),
                ]
            }
            State::Indeterminate(_) => vec!["a `resolve` must say what becomes of what was left".to_owned()],
            _ => Vec::new(),
        };
        let deviations = match session.state() {
            State::Executing(executing) => Some(deviations_digest(&executing.deviations)),
            State::Executed(executed) => Some(deviations_digest(&executed.execution.deviations)),
            State::Waiting(waiting) => Some(deviations_digest(&waiting.deviations)),
            State::Completed { deviations, .. } => Some(deviations_digest(deviations)),
            _ => None,
        };
        CeremonyView {
            id,
            kind: statement.kind().name(),
            statement: statement.encode(),
            step,
            proposed: held.records.first().copied().unwrap_or_default(),
            acts: Vec::new(),
            approvers,
            witnesses,
            lacks,
            due: session.due(),
            outputs: held.outputs.as_deref().map(<[u8]>::to_vec),
            deviations,
            parted: session.parted().clone(),
            cause: held.cause.clone(),
            completion: held.completion,
            documents: BTreeMap::new(),
        }
    }

    /// A control record of a ceremony, and the documents of its detail.
    pub(super) async fn stored(
        &self,
        index: u64,
    ) -> Result<(ControlRecord, BTreeMap<String, String>), Refusal> {
        let stored = self.log.record(index).await.map_err(|error| unlogged(&error))?;
        let broken = |why: String| Refusal::new(Reason::Internal, format!("record {index}: {why}"));
        let record = ControlRecord::parse(&stored.leaf).map_err(|error| broken(error.to_string()))?;
        let documents = match stored.detail {
            None => BTreeMap::new(),
            Some(bytes) => {
                let detail: ControlDetail =
                    canonical::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
                detail.documents.iter().map(|(name, text)| (name.to_owned(), text.clone())).collect()
            }
        };
        Ok((record, documents))
    }
}

fn is_of_the_act(name: &str) -> bool {
    [document::ACT, document::SIGNATURE, document::STATEMENT].contains(&name)
}

fn act(
    index: u64,
    record: &ControlRecord,
    step: &Ceremony,
    documents: &BTreeMap<String, String>,
) -> Option<ActView> {
    let (digest, decision, person) = match step {
        Ceremony::Proposed(body) => (body.act, "propose", body.initiator.clone()),
        Ceremony::Acted(body) => (body.act, decided(body.decision), body.person.clone()),
        Ceremony::Started(body) => (body.act?, "execute", body.operator.clone()?),
        Ceremony::Deviated(body) => (body.act, "deviation", body.person.clone()),
        _ => return None,
    };
    let document = documents.get(document::ACT)?.clone().into_bytes();
    let signature = documents.get(document::SIGNATURE)?.clone();
    Some(ActView {
        index,
        sealed: record.time.sealed,
        decision,
        person,
        digest,
        signed: Signed { document, signature },
        counts_until: None,
    })
}

const fn decided(decision: Decided) -> &'static str {
    match decision {
        Decided::Abort => "abort",
        Decided::Approve => "approve",
        Decided::Attest => "attest",
        Decided::AttestAfter => "attest-after",
        Decided::Refuse => "refuse",
        Decided::Veto => "veto",
        Decided::Withdraw => "withdraw",
    }
}
