//! What fields of a statement must be together.

use proto::hash::Hash;
use proto::origin::Origin;
use proto::term::Term;

use crate::genesis::Mode;
use crate::rules;
use crate::statement::target::{Activation, Target};
use crate::statement::{Common, Kind, StatementError, Version};

/// A rule that a field breaks.
const fn broken(place: &'static str, expected: &'static str) -> StatementError {
    StatementError::Rule { place, expected }
}

fn hold(holds: bool, place: &'static str, expected: &'static str) -> Result<(), StatementError> {
    if holds { Ok(()) } else { Err(broken(place, expected)) }
}

/// Sorted, and none twice.
fn is_set<T: Ord>(items: &[T]) -> bool {
    items.windows(2).all(|pair| pair[0] < pair[1])
}

fn is_key_of(log_key: &str, origin: &Origin) -> bool {
    log_key.strip_prefix(origin.as_str()).is_some_and(|rest| rest.starts_with('+'))
}

fn is_next(next: Version, present: Version) -> bool {
    present.version.checked_add(1) == Some(next.version)
}

const A_VERSION: &str = "a number from 1";
const A_SET: &str = "a sorted list without repetition";

impl Target {
    /// The key version that it is about, where it must be named by a number from 1.
    fn version(&self) -> Option<u32> {
        match self {
            Self::KeyGenerate(key) => Some(key.version),
            Self::KeyAdopt(key) => Some(key.version),
            Self::KeyRotate(plan) => Some(plan.version),
            Self::KeyRotateEmergency(plan) => Some(plan.version),
            Self::KeyCompromise(key) => Some(key.version),
            Self::KeyResume(key) => key.version,
            Self::KeyRemove(key) => Some(key.version),
            Self::KeyDestroy(key) => Some(key.version),
            Self::SignBreakGlass(signing) => Some(signing.version),
            _ => None,
        }
    }

    /// Whether the parameters fit each other and the common part.
    ///
    /// # Errors
    /// [`StatementError::Rule`], the first rule that they break.
    pub(crate) fn check(&self, common: &Common) -> Result<(), StatementError> {
        begins(common, self.kind())?;
        hold(self.version() != Some(0), "target.version", A_VERSION)?;
        match self {
            Self::Genesis(genesis) => hold(
                is_key_of(genesis.log_key.as_str(), &common.log.origin),
                "target.log_key",
                "a verifier key of `log.origin`: it begins with the origin and `+`",
            ),
            Self::KeyGenerate(key) => standby(key.standby, key.activation),
            Self::KeyAdopt(key) => {
                standby(key.standby, key.activation)?;
                hold(
                    !key.unproven.is_empty(),
                    "target.unproven",
                    "at least one thing: nobody here saw the key's birth",
                )
            }
            Self::KeyRotate(plan) => {
                hold(
                    plan.successor > plan.version,
                    "target.successor",
                    "a later version than `target.version`",
                )?;
                hold(plan.publish <= plan.activate, "target.activate", "a time not before `target.publish`")?;
                hold(plan.activate < plan.retire, "target.retire", "a time after `target.activate`")
            }
            Self::KeyRotateEmergency(plan) => hold(
                plan.successor != plan.version && plan.successor > 0,
                "target.successor",
                "another version than `target.version`",
            ),
            Self::KeyCompromise(key) => {
                hold(key.since <= common.expires, "target.since", "a time before the statement expires")?;
                hold(
                    key.held.is_none_or(|held| held.size > 0 && held.size <= common.log.size),
                    "target.held",
                    "a head of this log, not larger than `log`",
                )
            }
            Self::StopLift(lift) => {
                hold(!lift.terms.is_empty() && is_set(&lift.terms), "target.terms", A_SET)?;
                let of_key = |term: &Term| matches!(term, Term::Key(_) | Term::KeyId(_));
                hold(
                    !lift.terms.iter().any(of_key),
                    "target.terms",
                    "no key: keys are resumed by `key.resume`",
                )
            }
            Self::RosterChange(change) => {
                hold(
                    is_next(change.roster, common.roster),
                    "target.roster.version",
                    "the version of `roster` and one",
                )?;
                rules::hard_limits(Kind::RosterChange, change.quorum)
                    .map_err(|broken| StatementError::Quorum { kind: Kind::RosterChange, broken })?;
                for (people, place) in [
                    (&change.added, "target.added"),
                    (&change.changed, "target.changed"),
                    (&change.removed, "target.removed"),
                ] {
                    hold(is_set(people), place, A_SET)?;
                }
                hold(is_set(&change.proofs), "target.proofs", A_SET)?;
                let in_two = |id| change.added.contains(id) || change.changed.contains(id);
                hold(
                    !change.removed.iter().any(in_two)
                        && !change.added.iter().any(|id| change.changed.contains(id)),
                    "target",
                    "each person in one of `added`, `changed` and `removed` alone",
                )
            }
            Self::PolicyChange(change) => {
                hold(
                    is_next(change.guardrails, common.guardrails),
                    "target.guardrails.version",
                    "the version of `guardrails` and one",
                )?;
                hold(
                    change.guardrails.sha256 != common.guardrails.sha256,
                    "target.guardrails.sha256",
                    "other guardrails than the present ones",
                )
            }
            Self::GrantChange(change) => {
                hold(change.grants != change.replaces, "target.grants", "other grants than `target.replaces`")
            }
            Self::SignBreakGlass(signing) => {
                hold((1..=1000).contains(&signing.digests.len()), "target.digests", "1 to 1,000 digests")?;
                let texts: Vec<String> = signing.digests.iter().map(ToString::to_string).collect();
                hold(is_set(&texts), "target.digests", A_SET)?;
                hold(signing.officer != signing.owner, "target.owner", "another person than `target.officer`")
            }
            Self::Resolve(resolve) => {
                hold(resolve.ceremony != common.ceremony, "target.ceremony", "another ceremony than this one")
            }
            Self::BackendRebind(rebind) => {
                hold(!rebind.keys.is_empty() && is_set(&rebind.keys), "target.keys", A_SET)?;
                hold(
                    rebind.serial != rebind.replaces,
                    "target.serial",
                    "another serial than `target.replaces`",
                )
            }
            Self::ClockReset(reset) => {
                hold(reset.mark < reset.replaces, "target.mark", "an earlier time than `target.replaces`")
            }
            Self::LogRekey(rekey) => {
                let of_this = |key: &str| is_key_of(key, &common.log.origin);
                hold(
                    of_this(rekey.log_key.as_str()) && of_this(rekey.replaces.as_str()),
                    "target.log_key",
                    "verifier keys of `log.origin`: they begin with the origin and `+`",
                )?;
                hold(
                    rekey.keys().is_some(),
                    "target.log_key",
                    "signed-note verifier keys, whole: `<origin>+<8 hexadecimal digits>+<base64>`",
                )?;
                hold(rekey.log_key != rekey.replaces, "target.log_key", "another key than `target.replaces`")
            }
            Self::LogRecover(recover) => {
                hold(
                    recover.origin != common.log.origin,
                    "target.origin",
                    "another origin than the lost log's",
                )?;
                hold(
                    recover.origin.is_rehearsal() == (common.mode == Mode::Rehearsal),
                    "target.origin",
                    "an origin of the statement's mode: those of rehearsals, and only they, begin with `rehearsal.`",
                )?;
                hold(
                    is_key_of(recover.log_key.as_str(), &recover.origin),
                    "target.log_key",
                    "a verifier key of `target.origin`: it begins with the origin and `+`",
                )?;
                hold(
                    is_key_of(recover.replaces.as_str(), &common.log.origin),
                    "target.replaces",
                    "a verifier key of `log.origin`: it begins with the origin and `+`",
                )?;
                hold(recover.last.size > 0, "target.last.size", "at least 1: record 0 is the genesis")
            }
            Self::KeyResume(_) | Self::KeyRemove(_) | Self::KeyDestroy(_) => Ok(()),
        }
    }
}

/// The log is empty before genesis and never after; roster and guardrails begin with version 1.
fn begins(common: &Common, kind: Kind) -> Result<(), StatementError> {
    let Common { log, roster, guardrails, .. } = common;
    if kind == Kind::Genesis {
        hold(
            log.size == 0 && log.root == Hash::of(b""),
            "log",
            "the empty log: size 0 and the root of no records, SHA-256 of nothing (RFC 6962, 2.1)",
        )?;
        hold(roster.version == 1, "roster.version", "1: genesis names the first roster")?;
        return hold(guardrails.version == 1, "guardrails.version", "1: genesis names the first guardrails");
    }
    hold(log.size > 0, "log.size", "at least 1: record 0 is the genesis")?;
    hold(roster.version > 0, "roster.version", A_VERSION)?;
    hold(guardrails.version > 0, "guardrails.version", A_VERSION)
}

fn standby(standby: bool, activation: Activation) -> Result<(), StatementError> {
    hold(
        !standby || activation == Activation::Planned,
        "target.activation",
        "`planned` for a standby: it waits until an emergency promotes it",
    )
}
