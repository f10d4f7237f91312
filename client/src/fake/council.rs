//! Ceremonies of the fake daemon: decided by the same machine that the daemon decides with.

use std::path::Path;

use ceremonies::act::{Deed, Setting, VerifiedAct};
use ceremonies::genesis::Mode;
use ceremonies::nonce::Nonce;
use ceremonies::roster::Roster;
use ceremonies::rules::Rules;
use ceremonies::session::{
    Event, InForce, Lack, Parting, Seats, Session, SignedAct, Stamp, State, deviations_digest,
};
use ceremonies::statement::template::{Day, Template};
use ceremonies::statement::{
    CeremonyId, Common, Kind, Log as NamedLog, Quorum, Statement, Target, Version, target,
};
use ceremonies::suspension::{Said, Suspensions};
use proto::hash::Hash;
use proto::reason::Reason;
use proto::refusal::Refusal;
use proto::term::Term;
use proto::time::Time;
use proto::wire::{time, v1};
use tonic::Status;

use crate::fixture::people::roster;
use crate::fixture::{self, Log, ORIGIN};

/// One ceremony: the machine, and what was brought in.
pub struct Held {
    pub session: Session,
    pub wire: v1::Ceremony,
}

/// What the fake daemon knows of people.
pub struct Council {
    pub genesis: Statement,
    pub roster: Roster,
    pub held: Vec<Held>,
    /// Sent as the transcript of whatever is asked for.
    pub transcript: Vec<v1::GetTranscriptResponse>,
    /// Its SHA-256, of the ceremonies that are completed.
    pub manifest: Hash,
    /// Writes another purpose into what it drafts.
    pub drafts_something_else: bool,
    /// Digests of the acts that have stopped something, and their reasons.
    pub stopped: Vec<Hash>,
    pub reasons: Vec<String>,
    /// Says that there are deviations which it does not show.
    pub hides_deviations: bool,
    pub suspensions: Suspensions,
    /// What its clock is worth.
    pub clock: Option<v1::ClockState>,
}

pub fn refuse(reason: Reason, message: impl Into<String>) -> Status {
    proto::wire::refusal::status(&Refusal::new(reason, message.into()))
}

fn no(cause: impl std::fmt::Display) -> Status {
    refuse(Reason::MalformedRequest, cause.to_string())
}

impl Council {
    /// A rehearsal that began when the log did.
    pub fn new(directory: &Path, log: &Log) -> Self {
        let roster = roster(directory);
        let not_before = fixture::at(0);
        let genesis = Statement::new(
            Common {
                ceremony: CeremonyId::from([1; 16]),
                environment: "sandbox".parse().unwrap(),
                expires: not_before.later(Rules::default().of(Kind::Genesis).expires),
                guardrails: Version { sha256: Hash::of(b"guardrails"), version: 1 },
                initiator: "ada".parse().unwrap(),
                instance: "signing.example.org".parse().unwrap(),
                justification: "To try things out.".parse().unwrap(),
                log: NamedLog { origin: ORIGIN.parse().unwrap(), root: Hash::of(b""), size: 0 },
                mode: Mode::Rehearsal,
                nonce: Nonce::from([1; 32]),
                not_before,
                purpose: "a rehearsal".parse().unwrap(),
                quorum: Quorum { approvals: 3, officers: 3, witnesses: 2 },
                roster: Version { sha256: roster.digest(), version: 1 },
                ticket: "OPS-1".parse().unwrap(),
            },
            Target::Genesis(target::Genesis {
                allow_software_backend: true,
                allow_software_officer_keys: false,
                grants: Hash::of(b"grants"),
                log_key: log.key().to_string().parse().unwrap(),
            }),
        );
        Self {
            genesis: genesis.unwrap(),
            roster,
            held: Vec::new(),
            transcript: Vec::new(),
            manifest: Hash::of(b"{}"),
            drafts_something_else: false,
            stopped: Vec::new(),
            reasons: Vec::new(),
            hides_deviations: false,
            suspensions: Suspensions::default(),
            clock: None,
        }
    }

    /// Who is suspended, and who would be by another officer's word.
    pub fn suspended(&self) -> Vec<v1::Suspension> {
        let in_force = self.suspensions.iter().map(|(person, own)| v1::Suspension {
            person: person.to_string(),
            by: own.by.iter().map(ToString::to_string).collect(),
            log_index: Some(own.since),
        });
        let waiting = self.suspensions.waiting(fixture::at(0)).map(|(person, by)| v1::Suspension {
            person: person.to_string(),
            by: by.iter().map(ToString::to_string).collect(),
            log_index: None,
        });
        in_force.chain(waiting).collect()
    }

    fn in_force(&self) -> InForce {
        let common = self.genesis.common();
        InForce {
            instance: common.instance.clone(),
            environment: common.environment.clone(),
            mode: common.mode,
            origin: common.log.origin.clone(),
            roster: Seats::from(&self.roster).into(),
            guardrails: common.guardrails,
            rules: Rules::default().into(),
        }
    }

    pub fn draft(&self, request: &v1::DraftStatementRequest, log: &Log) -> Result<Statement, Status> {
        let template = Template::parse(&request.template).map_err(|problems| no(format!("{problems:?}")))?;
        let rule = Rules::default().of(template.target.kind());
        let line = |text: &str| if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(no) };
        let mut template = template;
        if self.drafts_something_else {
            template.purpose = "another purpose".parse().unwrap();
        }
        let size = log.size();
        let id = u8::try_from(self.held.len() + 0xa7).unwrap();
        let day = Day {
            ceremony: CeremonyId::from([id; 16]),
            guardrails: self.genesis.common().guardrails,
            initiator: request.initiator.parse().map_err(no)?,
            instance: self.genesis.common().instance.clone(),
            justification: if request.justification.is_empty() {
                None
            } else {
                Some(request.justification.parse().map_err(no)?)
            },
            log: NamedLog { origin: ORIGIN.parse().unwrap(), root: log.root(size), size },
            nonce: Nonce::from([id; 32]),
            not_before: log.now(),
            quorum: Seats::from(&self.roster).quorum(rule.witnesses),
            roster: Version { sha256: self.roster.digest(), version: self.roster.version() },
            ticket: line(&request.ticket)?,
        };
        template.fill(day).map_err(no)
    }

    /// Who signed what, by the roster.
    fn verify(&self, act: &v1::SignedAct) -> Result<VerifiedAct, Status> {
        let common = self.genesis.common();
        let setting = Setting {
            environment: common.environment.as_str(),
            instance: common.instance.as_str(),
            mode: common.mode,
            origin: &common.log.origin,
        };
        VerifiedAct::verify(&act.document, &act.signature, setting, &self.roster).map_err(no)
    }

    pub fn propose(
        &mut self,
        request: v1::ProposeCeremonyRequest,
        log: &mut Log,
    ) -> Result<v1::Ceremony, Status> {
        let statement = Statement::parse(&request.statement).map_err(no)?;
        let act = request.act.unwrap();
        let verified = self.verify(&act)?;
        assert_eq!(verified.act().deed, Deed::Propose { statement: statement.digest() });
        let stamp = stamp(log);
        let session = Session::open(statement.clone(), &self.in_force(), None, stamp).map_err(no)?;
        let wire = v1::Ceremony {
            id: statement.common().ceremony.to_string(),
            kind: statement.kind().name().to_owned(),
            statement: request.statement,
            proposed: stamp.index,
            acts: vec![recorded(&verified, "propose", stamp, act)],
            documents: request.documents,
            ..Default::default()
        };
        self.held.push(Held { session, wire });
        Ok(self.shown(self.held.len() - 1))
    }

    /// Takes a person's act as a stop of this target, once.
    pub fn stop(
        &mut self,
        act: &v1::SignedAct,
        target: Option<&v1::stop_target::Target>,
    ) -> Result<(), Status> {
        use v1::stop_target::Target as Wire;
        let verified = self.verify(act)?;
        let Deed::Stop { stops } = &verified.act().deed else { return Err(no("not an act `stop`")) };
        let term = match target {
            Some(Wire::Key(key)) => Term::Key(key.parse().unwrap()),
            Some(Wire::Caller(id)) => Term::Caller(id.clone()),
            Some(Wire::Backend(name)) => Term::Backend(name.clone()),
            Some(Wire::All(true)) => Term::All,
            _ => return Err(no("the fake daemon stops nothing else")),
        };
        if *stops != [term] {
            return Err(no("the act stops something else"));
        }
        if self.stopped.contains(&verified.digest()) {
            let refusal = Refusal::new(Reason::ActRefused, "it counts once").with("guard", "replayed");
            return Err(proto::wire::refusal::status(&refusal));
        }
        self.stopped.push(verified.digest());
        self.reasons.push(verified.act().reason.clone());
        Ok(())
    }

    /// Which ceremony has this statement.
    fn about(&self, statement: Hash) -> Result<usize, Status> {
        let place = self.held.iter().position(|held| held.session.digest() == statement);
        place.ok_or_else(|| no("no open ceremony has that statement"))
    }

    pub fn submit(
        &mut self,
        act: v1::SignedAct,
        log: &mut Log,
    ) -> Result<(u64, Option<v1::Ceremony>, bool), Status> {
        let verified = self.verify(&act)?;
        if let Some(said) = Said::of(&verified) {
            let stamp = stamp(log);
            let after = self.suspensions.after(&said, &Seats::from(&self.roster), stamp);
            self.suspensions = after.map_err(|refusal| {
                let refusal =
                    Refusal::new(Reason::ActRefused, refusal.to_string()).with("guard", refusal.name());
                proto::wire::refusal::status(&refusal)
            })?;
            return Ok((stamp.index, None, self.suspensions.of(&said.person).is_none()));
        }
        let Some(statement) = verified.act().deed.statement() else {
            return Ok((stamp(log).index, None, false));
        };
        let place = self.about(statement)?;
        let stamp = stamp(log);
        let (event, decision) = match SignedAct::of(&verified, None) {
            Some(signed) => {
                let decision = match &signed.decision {
                    ceremonies::session::Decision::AttestAfter { .. } => "attest-after",
                    ceremonies::session::Decision::Refuse => "refuse",
                    _ => verified.kind().name(),
                };
                (Event::Act(Box::new(signed)), decision)
            }
            None => {
                let (deviation, person) = (verified.digest(), verified.person().clone());
                (Event::Deviation { deviation, person }, verified.kind().name())
            }
        };
        let held = &mut self.held[place];
        held.session = held.session.after(&event, stamp).map_err(no)?;
        held.wire.acts.push(recorded(&verified, decision, stamp, act));
        Ok((stamp.index, Some(self.shown(place)), false))
    }

    pub fn execute(&mut self, act: v1::SignedAct, log: &mut Log) -> Result<v1::Ceremony, Status> {
        let verified = self.verify(&act)?;
        let place = self.about(verified.act().deed.statement().unwrap())?;
        let start = Event::Start { operator: Some(verified.person().clone()), found: 0 };
        let began = stamp(log);
        let held = &mut self.held[place];
        held.session = held.session.after(&start, began).map_err(no)?;
        held.wire.acts.push(recorded(&verified, "execute", began, act));
        let outputs = proto::canonical::to_vec(&serde_json::json!({
            "ceremony": held.wire.id,
            "schema": "countersign.outputs.v0",
            "statement": held.session.digest().to_string(),
        }));
        held.wire.outputs = outputs.unwrap();
        let output = Event::Output { outputs: Hash::of(&held.wire.outputs) };
        held.session = held.session.after(&output, stamp(log)).map_err(no)?;
        Ok(self.shown(place))
    }

    /// A ceremony as it stands.
    pub fn shown(&self, place: usize) -> v1::Ceremony {
        let Held { session, wire } = &self.held[place];
        let now = wire
            .acts
            .last()
            .and_then(|act| act.sealed)
            .map(|sealed| time::of_wire("sealed", &sealed).unwrap());
        let standing = session.standing(now.unwrap());
        let mut wire = wire.clone();
        wire.state = session.state().step() as i32 + 1;
        wire.approvers = standing.approvers.keys().map(ToString::to_string).collect();
        wire.witnesses = standing.witnesses.keys().map(ToString::to_string).collect();
        wire.due = session.due().map(time::to_wire);
        if session.state().step().is_end() {
            wire.approvers.clear();
        }
        let parted = session.parted().iter().map(|(person, parted)| v1::Parted {
            person: person.to_string(),
            log_index: parted.record,
            suspended: parted.how == Parting::Suspended,
        });
        wire.parted = parted.collect();
        let mut deviations: Vec<Hash> = Vec::new();
        match session.state() {
            State::Proposed => wire.lacks = standing.lacks.iter().map(lacks).collect(),
            State::Executed(executed) => {
                wire.witnesses = executed.attested.iter().map(ToString::to_string).collect();
                deviations.clone_from(&executed.execution.deviations);
                let of_before = executed.execution.witnesses.keys();
                let missing = of_before.filter(|person| !executed.attested.contains(*person));
                wire.lacks = missing.map(|person| format!("{person} attests what was done")).collect();
            }
            State::Completed { witnesses, deviations: seen, .. } => {
                wire.witnesses = witnesses.iter().map(ToString::to_string).collect();
                deviations.clone_from(seen);
                wire.manifest_sha256 = self.manifest.as_bytes().to_vec();
                wire.completed = Some(wire.acts.last().map_or(0, |act| act.log_index));
            }
            State::Waiting(waiting) => {
                wire.witnesses = waiting.witnesses.iter().map(ToString::to_string).collect();
                deviations.clone_from(&waiting.deviations);
            }
            State::Failed(cause) => wire.cause = format!("{cause:?}").to_lowercase(),
            _ => {}
        }
        if matches!(session.state(), State::Executed(_) | State::Waiting(_) | State::Completed { .. }) {
            if self.hides_deviations {
                deviations.push(Hash::of(b"hidden"));
            }
            wire.deviations_sha256 = deviations_digest(&deviations).as_bytes().to_vec();
        }
        wire
    }
}

/// The place and time of the next record, which is written.
fn stamp(log: &mut Log) -> Stamp {
    let time: Time = log.now();
    // What a record of a ceremony looks like makes no difference to whoever proves heads.
    let index = log.stop("filler/record");
    Stamp { index, time, trusted: true }
}

fn recorded(verified: &VerifiedAct, decision: &str, stamp: Stamp, act: v1::SignedAct) -> v1::RecordedAct {
    v1::RecordedAct {
        log_index: stamp.index,
        sealed: Some(time::to_wire(stamp.time)),
        decision: decision.to_owned(),
        person: verified.person().to_string(),
        reason: verified.act().reason.clone(),
        act_sha256: verified.digest().as_bytes().to_vec(),
        act: Some(act),
        counts_until: None,
    }
}

fn lacks(lack: &Lack) -> String {
    match lack {
        Lack::Approvals(number) => format!("{number} approvals of officers"),
        Lack::NextApprovals(number) => format!("{number} approvals of officers of the next roster"),
        Lack::Another => "the approval of another person".to_owned(),
        Lack::Witnesses(number) => format!("{number} attestations of witnesses"),
        Lack::OtherUnit => "a witness of another unit".to_owned(),
    }
}
