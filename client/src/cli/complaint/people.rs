//! What keeps a person from signing, as a complaint.

use super::Complaint;
use crate::exit::Exit;
use crate::people::error::PeopleError;
use crate::people::instance::Foreign;
use crate::people::me::MeError;
use crate::people::open::Unusable;
use crate::people::sign::SignError;
use crate::people::transcript::TranscriptError;

/// Said before everything else where somebody shows what cannot be true.
const ALARM: &str = "DO NOT SIGN: THIS IS NOT WHAT YOU ARE TOLD IT IS.";

fn alarm(mut complaint: Complaint) -> Complaint {
    complaint.alarm = Some(ALARM.to_owned());
    complaint
}

impl From<MeError> for Complaint {
    fn from(error: MeError) -> Self {
        let advice = error.advice();
        Self::usage(error.to_string()).advise(advice)
    }
}

impl From<SignError> for Complaint {
    fn from(error: SignError) -> Self {
        Self::failed("nothing was signed").because(error.to_string()).advise(error.advice())
    }
}

impl From<Foreign> for Complaint {
    fn from(error: Foreign) -> Self {
        let complaint = Self::failed(error.to_string());
        match error {
            Foreign::Genesis { .. } => alarm(complaint).advise(
                "check --address; if it is right, ask whoever keeps genesis_sha256 on paper, and never take it from this daemon",
            ),
            Foreign::Recovered { .. } => alarm(complaint).advise(
                "believe it from nobody but the officers: compare the sixteen words of the new genesis with theirs, or have the \
                 recovery's directory and run `countersign ceremony verify DIRECTORY` with the old genesis_sha256; then set \
                 genesis_sha256 and log_key anew",
            ),
            Foreign::Log { .. } => complaint.advise("set log_key to the key in the genesis of this instance"),
            Foreign::FirstRoster | Foreign::Guardrails => alarm(complaint).advise("tell the operators and the other officers"),
            Foreign::Unreadable(_) | Foreign::OtherKind(_) | Foreign::Roster(_) | Foreign::Digest(_) => {
                complaint.advise("use a client of the daemon's version")
            }
        }
    }
}

impl From<Unusable> for Complaint {
    fn from(error: Unusable) -> Self {
        let complaint = Self::failed(error.to_string());
        match error {
            Unusable::Other { .. }
            | Unusable::Kind { .. }
            | Unusable::Digest { .. }
            | Unusable::Outputs(_)
            | Unusable::Deviations => {
                alarm(complaint).advise("tell the operators and the other people of this ceremony")
            }
            Unusable::Empty | Unusable::Statement(_) | Unusable::Roster(_) => {
                complaint.advise("use a client of the daemon's version")
            }
        }
    }
}

impl From<TranscriptError> for Complaint {
    fn from(error: TranscriptError) -> Self {
        let complaint = Self::failed("no transcript was written").because(error.to_string());
        match error {
            TranscriptError::Exists(_) => complaint.advise("give another directory with --out"),
            TranscriptError::Io { .. } => {
                complaint.advise("check the path, its permissions and the free space")
            }
            TranscriptError::Broken(_) | TranscriptError::NoManifest => complaint.advise("fetch it again"),
            TranscriptError::Path(_)
            | TranscriptError::Order { .. }
            | TranscriptError::Manifest { .. }
            | TranscriptError::Large => {
                alarm(complaint).advise("tell the operators: a daemon does not send this")
            }
        }
    }
}

impl From<PeopleError> for Complaint {
    fn from(error: PeopleError) -> Self {
        match error {
            PeopleError::Call(error) => error.into(),
            PeopleError::Me(error) => error.into(),
            PeopleError::Foreign(error) => error.into(),
            PeopleError::Unusable(error) => error.into(),
            PeopleError::Sign(error) => error.into(),
            PeopleError::Transcript(error) => error.into(),
            PeopleError::Unfit(ref found) => {
                let mut complaint = Self::failed(error.to_string());
                complaint.why = found.iter().map(ToString::to_string).collect();
                complaint.advise("have it proposed anew if it is out of date; if it was written for elsewhere, ask who sent it to you")
            }
            PeopleError::OtherHead { .. } => {
                alarm(Self::failed(error.to_string())).advise("tell the other people of this ceremony: this does not happen by accident")
            }
            PeopleError::Nobody(_) | PeopleError::Role { .. } => Self::failed(error.to_string())
                .advise("check `person` in the settings; who may do what, the roster says"),
            PeopleError::UnknownKey | PeopleError::OtherPerson { .. } => Self::failed(error.to_string())
                .because("nothing was sent")
                .advise("set `signing_key` to the key that the roster has under your id, or `person` to the id that is yours"),
            PeopleError::Changed(_) => Self::new(Exit::Retry, error.to_string()).advise("read it again: the same command"),
            PeopleError::Document { .. } => Self::usage(error.to_string()).advise("give the file byte for byte as its digest was taken"),
            PeopleError::Statement(_) | PeopleError::Unverified(_) => {
                Self::failed(error.to_string()).advise("use a client and a daemon of the same version; if they are, tell the operators")
            }
            PeopleError::Act(_) => Self::usage(error.to_string()).advise("correct --reason"),
            PeopleError::NoRandom(_) => Self::failed(error.to_string()).advise("try again"),
        }
    }
}
