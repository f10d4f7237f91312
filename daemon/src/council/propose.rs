//! Drafting and proposing: from a template to an open ceremony.

use std::collections::BTreeMap;

use ceremonies::act::Deed;
use ceremonies::outputs;
use ceremonies::person::PersonId;
use ceremonies::session::{Seats, Session};
use ceremonies::statement::template::{Day, Template};
use ceremonies::statement::{CeremonyId, Line, Log as StatedLog, Prose, Statement, Target};
use proto::hash::Hash;
use proto::reason::Reason;
use proto::record::Ceremony;
use proto::record::ceremony::{Proposed, document};
use proto::refusal::Refusal;
use proto::time::Time;

use super::{Brought, Council, admit, no, refused};
use crate::keyring::Snapshot;
use crate::keys::signed::{self, Signed};

/// What a draft is made of, beside what is in force.
#[derive(Clone, Debug)]
pub struct Draft {
    /// A template, TOML.
    pub template: String,
    /// Who proposes it.
    pub initiator: String,
    /// In place of the template's.
    pub justification: Option<String>,
    /// In place of the template's.
    pub ticket: Option<String>,
    /// When it begins; now, where absent.
    pub not_before: Option<Time>,
}

pub(super) fn invalid(why: impl std::fmt::Display) -> Refusal {
    Refusal::new(Reason::StatementInvalid, why.to_string())
}

/// The text of a document that came with a statement.
pub(super) fn text(name: &str, bytes: &[u8]) -> Result<String, Refusal> {
    String::from_utf8(bytes.to_vec())
        .map_err(|_not_utf8| invalid(format!("the document `{name}` is no text in UTF-8")))
}

impl Council {
    /// The statement that a template makes today. Nothing is recorded.
    ///
    /// # Errors
    /// [`Reason::StatementInvalid`], with everything that is wrong with the template; [`Reason::StatementRefused`] where it
    /// could not be proposed now.
    pub fn statement(&self, draft: &Draft) -> Result<Statement, Refusal> {
        let template = Template::parse(&draft.template).map_err(|problems| {
            invalid(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        })?;
        let snapshot = self.keyring.snapshot();
        let state = snapshot.state();
        let (genesis, roster) = (state.instance(), state.roster());
        let rules = &snapshot.in_force().ok_or_else(no_rules)?.loaded.document.rules;
        let seats = Seats::from(roster);
        let line = |name: &str, text: &Option<String>| {
            let read = text.as_ref().map(|text| text.parse::<Line>());
            read.transpose().map_err(|error| invalid(format!("{name}: {error}")))
        };
        let justification = draft.justification.as_ref().map(|text| text.parse::<Prose>());
        let head = self.log.head();
        let mut random = [0; 48];
        aws_lc_rs::rand::fill(&mut random)
            .map_err(|_nothing_said| Refusal::new(Reason::Internal, "the random number generator failed"))?;
        let (mut ceremony, mut nonce) = ([0; 16], [0; 32]);
        ceremony.copy_from_slice(&random[..16]);
        nonce.copy_from_slice(&random[16..]);
        let day = Day {
            ceremony: CeremonyId::from(ceremony),
            guardrails: state.guardrails_version(),
            initiator: draft
                .initiator
                .parse::<PersonId>()
                .map_err(|error| invalid(format!("initiator: {error}")))?,
            instance: genesis.instance().clone(),
            justification: justification
                .transpose()
                .map_err(|error| invalid(format!("justification: {error}")))?,
            log: StatedLog { origin: genesis.origin().clone(), root: head.root, size: head.size },
            nonce: nonce.into(),
            not_before: draft.not_before.unwrap_or_else(|| self.now()),
            quorum: rules.rule(&template.target).quorum(seats.approvals, seats.officers()),
            roster: seats.version,
            ticket: line("ticket", &draft.ticket)?,
        };
        let statement = template.fill(day).map_err(invalid)?;
        self.can_be_opened(&snapshot, &statement)?;
        Ok(statement)
    }

    /// Opens a ceremony over a statement, by an act of its initiator.
    ///
    /// # Errors
    /// [`Reason::StatementInvalid`], [`Reason::StatementRefused`], [`Reason::CeremonyExists`], [`Reason::ActInvalid`],
    /// [`Reason::ActRefused`], [`Reason::LogFull`]; nothing is recorded then.
    pub async fn propose(
        &self,
        statement: &[u8],
        signed: &Signed,
        brought: &BTreeMap<String, Vec<u8>>,
    ) -> Result<CeremonyId, Refusal> {
        let _turn = self.turn.lock().await;
        let statement = Statement::parse(statement).map_err(invalid)?;
        let snapshot = self.keyring.snapshot();
        let act = self.verified(&snapshot, signed).await?;
        let common = statement.common();
        let no = |guard, message: String| Err(Refusal::new(Reason::ActRefused, message).with("guard", guard));
        match act.act().deed {
            Deed::Propose { statement: named } if named == statement.digest() => {}
            Deed::Propose { statement: named } => {
                let message =
                    format!("the act proposes statement {named}, this one is {}", statement.digest());
                return no("other-statement", message);
            }
            _ => return no("no-place", format!("a proposal takes an act `propose`, not `{}`", act.kind())),
        }
        if *act.person() != common.initiator {
            let message =
                format!("the statement names {} as initiator, and {} signed", common.initiator, act.person());
            return no("other-initiator", message);
        }
        if act.act().expires <= self.now() {
            return no("act-expired", format!("the act expired at {}", act.act().expires));
        }
        if snapshot.state().sessions().was_proposed(common.ceremony) {
            let message = format!("ceremony {} was proposed before: draft a new statement", common.ceremony);
            return Err(Refusal::new(Reason::CeremonyExists, message));
        }
        self.can_be_opened(&snapshot, &statement)?;
        self.has_room()?;
        let documents = self.brought(&snapshot, &statement, brought)?;
        // Last, so that a statement of another instance is told from one over a log that was forked.
        self.is_ours(common.log.size, common.log.root).await?;
        let body = Proposed {
            act: act.digest(),
            ceremony: common.ceremony,
            initiator: common.initiator.to_string(),
            of: statement.kind().name().to_owned(),
            statement: statement.digest(),
        };
        let guardrails = snapshot.in_force().ok_or_else(no_rules)?.loaded.text.clone();
        // A statement is canonical JSON, so it is text.
        let text = String::from_utf8_lossy(&statement.encode()).into_owned();
        let mut detail: Vec<(&str, String)> = signed::documents(&act);
        detail.extend([(document::STATEMENT, text), (document::GUARDRAILS, guardrails)]);
        detail.extend(documents.iter().map(|(name, text)| (name.as_str(), text.clone())));
        let step = Ceremony::Proposed(body);
        let index = self.append_by(admit::person(&act), step, detail, vec![]).await?;
        self.held(&self.keyring.snapshot(), common.ceremony).map_err(|_absent| {
            let message = "the proposal is recorded without effect: roster or guardrails changed first, or the clock is \
                           not trusted; draft it anew";
            Refusal::new(Reason::StatementRefused, message).with("guard", "too-late").with("log_index", index)
        })?;
        tracing::info!(ceremony = %common.ceremony, kind = statement.kind().name(), "a ceremony is open");
        Ok(common.ceremony)
    }

    /// The documents that a statement names, exactly those, each the one that it names.
    fn brought(
        &self,
        snapshot: &Snapshot,
        statement: &Statement,
        brought: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Brought, Refusal> {
        match statement.target() {
            Target::RosterChange(_) => return self.roster_brought(snapshot, statement, brought),
            Target::PolicyChange(_) => return self.guardrails_brought(snapshot, statement, brought),
            _ => {}
        }
        let wanted = match statement.target() {
            Target::GrantChange(change) => Some((document::GRANTS, change.grants)),
            _ => None,
        };
        if let Some(name) =
            brought.keys().find(|name| wanted.is_none_or(|(wanted, _)| wanted != name.as_str()))
        {
            let message = format!("a `{}` names no document `{name}`, and it came with it", statement.kind());
            return Err(invalid(message));
        }
        let Some((name, sha256)) = wanted else { return Ok(Brought::new()) };
        let bytes = brought.get(name).ok_or_else(|| {
            invalid(format!(
                "a `{}` comes with the document `{name}`: give the file that it names",
                statement.kind()
            ))
        })?;
        let found = Hash::of(bytes);
        if found != sha256 {
            return Err(invalid(format!(
                "the document `{name}` has SHA-256 {found}, the statement names {sha256}"
            )));
        }
        let text = text(name, bytes)?;
        let force = snapshot.in_force().ok_or_else(no_rules)?;
        force.loaded.with_grants(&text).map_err(invalid)?;
        Ok(vec![(name.to_owned(), text)])
    }

    /// Whether a ceremony of this statement can be opened now.
    fn can_be_opened(&self, snapshot: &Snapshot, statement: &Statement) -> Result<(), Refusal> {
        let unfit = |error: &outputs::NoEffect| {
            let reason = match error {
                outputs::NoEffect::Files(_) | outputs::NoEffect::Kind(_) => Reason::Unimplemented,
                _ => Reason::StatementRefused,
            };
            Refusal::new(reason, error.to_string()).with("guard", "cannot-be-held")
        };
        outputs::can_be_held(statement).map_err(|error| unfit(&error))?;
        let guardrails = &snapshot.in_force().ok_or_else(no_rules)?.loaded.text;
        let in_force = snapshot.state().in_force(guardrails).map_err(|_other| no_rules())?;
        // What a `roster.change` brings along is judged when it has come.
        Session::could_open(statement, &in_force, self.provisional(None))
            .map_err(|refusal| refused(Reason::StatementRefused, &refusal))?;
        self.fits(snapshot, statement)?;
        self.may_propose(snapshot, &statement.common().initiator)
    }

    /// Whether what a statement is about is as it says: judged when it is proposed, and again when it starts.
    pub(super) fn fits(&self, snapshot: &Snapshot, statement: &Statement) -> Result<(), Refusal> {
        let state = snapshot.state();
        match statement.target() {
            Target::KeyGenerate(_) | Target::KeyAdopt(_) => {
                let Some(key) = statement.target().arrival() else { return Ok(()) };
                if state.ring(key.key).is_some() {
                    let message = format!(
                        "`{}` exists already, and this version rotates no keys: choose another name",
                        key.key
                    );
                    return no("key-exists", message);
                }
                if let Some(known) = key.adopts.and_then(|id| state.version(&id)) {
                    let message = format!("that key pair is {} already: a key pair comes once", known.name());
                    return no("key-exists", message);
                }
                if let Target::KeyAdopt(adopt) = statement.target()
                    && state.sessions().keeps_out(adopt.key_id, adopt.locator.as_str())
                {
                    let message = "that key pair is what a birth left that was not completed: it is never adopted, only \
                                   destroyed";
                    return no("quarantined", message.to_owned());
                }
                if let Some(resolve) = self.is_cleared_up_by(snapshot, statement.common().ceremony) {
                    let message =
                        format!("the `resolve` {resolve} is at the device still: start it when that is done");
                    return no("still-running", message);
                }
                if state.sessions().is_being_brought(&key, statement.common().ceremony) {
                    return no(
                        "key-exists",
                        format!("another ceremony is bringing `{}`, or the same key pair", key.key),
                    );
                }
                let name = key.backend.as_str();
                let Some(backend) = self.keyring.backend(name) else {
                    let known: Vec<_> = self.keyring.backends().map(|(name, _)| name).collect();
                    return no(
                        "no-backend",
                        format!("there is no backend `{name}` here, only {}", known.join(", ")),
                    );
                };
                let capabilities = backend.capabilities();
                let makes = matches!(statement.target(), Target::KeyGenerate(_));
                if makes && !capabilities.generates || capabilities.ability(key.algorithm).is_none() {
                    return no(
                        "no-ability",
                        format!("the backend `{name}` has no keys for {}", key.algorithm),
                    );
                }
                Ok(())
            }
            Target::KeyDestroy(target) => {
                self.may_be_destroyed(snapshot, target, statement.common().ceremony)
            }
            Target::BackendRebind(target) => {
                self.may_be_rebound(snapshot, target, statement.common().ceremony)
            }
            Target::LogRekey(target) => self.may_be_rekeyed(snapshot, target, statement.common().ceremony),
            Target::GrantChange(change) if change.replaces != state.grants().sha256 => no(
                "other-grants",
                format!(
                    "the statement replaces the grants {}, and {} are in force: draft it anew",
                    change.replaces,
                    state.grants().sha256
                ),
            ),
            Target::StopLift(_) | Target::KeyResume(_) => match state.lifts(statement) {
                Some(_) => Ok(()),
                None => no("no-stop", "no stop in force has that index and these terms".to_owned()),
            },
            Target::Resolve(resolve) => self.may_be_resolved(snapshot, resolve),
            _ => Ok(()),
        }
    }
}

pub(super) fn no_rules() -> Refusal {
    let message =
        "the policy files that the log names are not loaded: the daemon's operator must put them back";
    Refusal::new(Reason::StatementRefused, message).with("guard", "no-guardrails")
}
