//! Every error of this crate as a complaint: what happened, why, what to do.

use proto::reason::Reason;

use super::Complaint;
use crate::connect::{ConnectError, tls::TlsError};
use crate::connection::CallError;
use crate::exit::Exit;
use crate::files::FileError;
use crate::image::ImageError;
use crate::log::audit::AuditError;
use crate::log::export::ExportError;
use crate::people::text::plain;
use crate::refused::{NoAnswer, Refused, seconds};
use crate::request_id::BadRequestId;
use crate::seen::MemoryError;
use crate::settings::SettingsError;
use crate::sign::SignError;
use crate::sign::check::Wrong;
use crate::trail::{Contradiction, TrailError};
use crate::verify::NotVerified;

/// What may be behind a log key that did not sign.
const ANOTHER_LOG: &str = "where a lost log was recovered, another log with another key took its place: its officers say so, and \
                           `countersign ceremony verify` of the recovery shows it to whoever has the old genesis_sha256";

impl From<SettingsError> for Complaint {
    fn from(error: SettingsError) -> Self {
        let advice = error.advice();
        Self::usage(error.to_string()).advise(advice)
    }
}

impl From<FileError> for Complaint {
    fn from(error: FileError) -> Self {
        let advice = error.advice();
        Self::failed(format!("nothing was written: {error}")).advise(advice)
    }
}

impl From<ImageError> for Complaint {
    fn from(error: ImageError) -> Self {
        let advice = error.advice();
        Self::usage(error.to_string()).advise(advice)
    }
}

impl From<BadRequestId> for Complaint {
    fn from(error: BadRequestId) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<&Refused> for Complaint {
    fn from(refused: &Refused) -> Self {
        let mut complaint = Self::new(Exit::of(refused.code), plain(&refused.message));
        complaint.reason = Some(if refused.reason.is_empty() {
            format!("{:?}", refused.code)
        } else {
            refused.reason.clone()
        });
        complaint.more = refused.metadata.iter().map(|(name, value)| (plain(name), plain(value))).collect();
        if !refused.operation.is_empty() {
            complaint.more.push(("operation".to_owned(), refused.operation.clone()));
        }
        if let Some(known) = refused.known() {
            complaint = complaint.advise(known.advice());
        }
        match refused.retry_after {
            Some(wait) => complaint.advise(format!("try again in {}", seconds(wait))),
            None if refused.known().is_none() && refused.passes() => complaint.advise("try again"),
            None => complaint,
        }
    }
}

impl From<&NoAnswer> for Complaint {
    fn from(answer: &NoAnswer) -> Self {
        match answer {
            NoAnswer::Refused(refused) => Self::from(refused.as_ref()),
            NoAnswer::Unreachable(words) => Self::new(Exit::Retry, "the daemon cannot be reached")
                .because(words.clone())
                .about_connection()
                .advise("check the address, and that countersignd runs there; then the same command again"),
            NoAnswer::NotTrusted(words) => not_trusted(words),
            NoAnswer::Unusable(words) => {
                Self::failed("the daemon's answer cannot be used").because(words.clone())
            }
            NoAnswer::Late { after, last } => {
                let complaint = Self::new(Exit::Retry, format!("no answer within {}", seconds(*after)))
                    .about_connection();
                let complaint = match last {
                    Some(last) => complaint.because(format!("the last attempt said: {last}")),
                    None => complaint,
                };
                complaint.advise("try again, with a longer --deadline; the same --request-id fetches what was finished meanwhile")
            }
        }
    }
}

impl From<NoAnswer> for Complaint {
    fn from(answer: NoAnswer) -> Self {
        Self::from(&answer)
    }
}

/// One side does not accept the other's certificate; which one, TLS says.
fn not_trusted(words: &str) -> Complaint {
    let complaint =
        Complaint::failed("the connection was not accepted").because(words.to_owned()).about_connection();
    if words.contains("received fatal alert") {
        complaint.advise(
            "the daemon does not accept this client's certificate: check that --client-certificate is issued by its client \
             authority, is not expired, and names exactly one SPIFFE ID or DNS name",
        )
    } else if words.contains("NotValidForName") {
        complaint.advise("the server's certificate is of another name: set --server-name to the name it carries, if that is the one you mean")
    } else {
        complaint.advise("the server's certificate is not issued by --ca: check that both are of the same instance, and not expired")
    }
}

impl From<CallError> for Complaint {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NoAnswer(answer) => Self::from(&answer),
            CallError::Connect(error) => error.into(),
            CallError::Trail(error) => error.into(),
            CallError::Checkpoint(cause) => {
                let mut complaint = Self::failed("the daemon's checkpoint cannot be believed").because(cause.to_string());
                complaint.alarm = Some("THE LOG KEY DID NOT SIGN WHAT THE DAEMON SHOWS.".to_owned());
                complaint
                    .advise("check --log-key and --address; if both are right, do not use this instance and tell its operators")
                    .advise(ANOTHER_LOG)
            }
            CallError::Keys(cause) => {
                let mut complaint = Self::failed("the log's other keys cannot be believed").because(cause.to_string());
                complaint.alarm = Some("THE LOG KEY DID NOT SIGN WHAT THE DAEMON SHOWS.".to_owned());
                complaint.advise("check --log-key and --address; if both are right, do not use this instance and tell its operators")
            }
            CallError::Answer(words) => Self::failed("the daemon's answer cannot be used").because(words),
            CallError::OutsideLog { .. } => {
                Self::usage(error.to_string()).advise("ask for indices within the newest checkpoint: `countersign log head` names its size")
            }
            CallError::NoLogKey => {
                Self::usage(error.to_string()).advise("give --log-key ORIGIN+HASH+KEY or a file that holds it, set COUNTERSIGN_LOG_KEY, or write `log_key` into the configuration file")
            }
        }
    }
}

impl From<ConnectError> for Complaint {
    fn from(error: ConnectError) -> Self {
        let advice = match &error {
            ConnectError::Tls(TlsError::File { .. }) => {
                "check the path, and that the file holds what is expected as PEM"
            }
            ConnectError::Tls(TlsError::Pair { .. }) => "use the key that belongs to the certificate",
            ConnectError::Tls(_) | ConnectError::Address { .. } => "correct --address or --server-name",
        };
        Self::usage(error.to_string()).advise(advice)
    }
}

impl From<TrailError> for Complaint {
    fn from(error: TrailError) -> Self {
        match error {
            TrailError::Contradiction(contradiction) => Self::from(contradiction.as_ref()),
            TrailError::Memory(error) => error.into(),
        }
    }
}

impl From<&Contradiction> for Complaint {
    fn from(contradiction: &Contradiction) -> Self {
        let Contradiction { seen, shown, cause, evidence } = contradiction;
        let mut complaint = Self::failed(
            "the log was rolled back or forked: what it shows now contradicts what it has shown before",
        )
        .because(cause.to_string());
        complaint.alarm =
            Some("THE SIGNING LOG CONTRADICTS ITSELF. NOTHING OF THIS ANSWER WAS USED.".to_owned());
        let tree = |seen: &crate::seen::Seen| {
            format!("{} records, root {}", seen.checkpoint.size, seen.checkpoint.root)
        };
        complaint.more.push(("seen".to_owned(), tree(seen)));
        if seen.text != shown.text {
            complaint.more.push(("shown".to_owned(), tree(shown)));
        }
        if let Some(path) = evidence {
            complaint.more.push(("evidence".to_owned(), path.display().to_string()));
        }
        complaint
            .advise("do not use signatures made since; tell the operators, who must put the right store back or run log.recover")
            .advise("keep the checkpoints named here: both are signed by the log key, and together they prove what happened")
    }
}

impl From<MemoryError> for Complaint {
    fn from(error: MemoryError) -> Self {
        let advice = match &error {
            MemoryError::Io { .. } => "check the directory's permissions, or give another with --state",
            MemoryError::Keys { .. } => {
                "look at the file: it must lead from your log key to others of the same log. Only if you know why it does not, \
                 remove it; what the daemon shows is then followed anew"
            }
            MemoryError::OtherKeys { .. } => {
                "do not use this instance: two logs go on from one key, and one of them is not yours. Keep the file, and tell its \
                 operators"
            }
            MemoryError::Damaged { .. } => {
                "look at the file: it must be a checkpoint signed by this log key. Only if you know why it is not, remove it"
            }
        };
        let mut complaint = Self::failed("what was seen of the log before cannot be used");
        if matches!(error, MemoryError::OtherKeys { .. }) {
            complaint.alarm =
                Some("THE SIGNING LOG CONTRADICTS ITSELF. NOTHING OF THIS ANSWER WAS USED.".to_owned());
        }
        complaint.because(error.to_string()).advise(advice)
    }
}

impl From<SignError> for Complaint {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Call(error) => error.into(),
            SignError::Wrong(wrong) => wrong.into(),
            SignError::NoRandom(error) => Self::failed(error.to_string()),
        }
    }
}

impl From<Wrong> for Complaint {
    fn from(wrong: Wrong) -> Self {
        let mut complaint = Self::failed("the daemon's answer does not verify; nothing was written")
            .because(wrong.to_string());
        complaint.alarm = Some("THE DAEMON ANSWERED WITH SOMETHING OTHER THAN WHAT WAS ORDERED.".to_owned());
        let complaint = complaint
            .advise("do not try again before its operators have looked: this does not happen by accident");
        match wrong {
            Wrong::Receipt(_) => complaint.advise(ANOTHER_LOG),
            _ => complaint,
        }
    }
}

impl From<NotVerified> for Complaint {
    fn from(error: NotVerified) -> Self {
        let complaint = Self::failed(format!("NOT VERIFIED: {error}"));
        match &error {
            NotVerified::NoDetail => complaint.advise("fetch it with `countersign log prove INDEX --detail FILE`, which needs the auditor right, and give it with --detail FILE"),
            NotVerified::Signature(_) => complaint.advise("check that key, signature and file belong together"),
            NotVerified::NoSignature => complaint.advise("give the file that `countersign sign` wrote, or base64 of it"),
            NotVerified::Receipt(_) => {
                complaint.advise("check that receipt and log key are of the same instance").advise(ANOTHER_LOG)
            }
            NotVerified::Record(_) | NotVerified::Version { .. } | NotVerified::Caller { .. } | NotVerified::Detail | NotVerified::DetailForm(_) => {
                complaint.advise("do not trust the signature on the word of this receipt")
            }
        }
    }
}

impl From<AuditError> for Complaint {
    fn from(error: AuditError) -> Self {
        Self::failed(format!("NOT VERIFIED: {error}")).advise(
            "give a file exactly as `countersign log export` wrote it and the log key of that instance; if both are right, the file was changed",
        )
    }
}

impl From<ExportError<FileError>> for Complaint {
    fn from(error: ExportError<FileError>) -> Self {
        match error {
            ExportError::Call(error) => error.into(),
            ExportError::Write(error) => error.into(),
        }
    }
}

/// The advice that a reason carries, for lists in which there is no room for a whole complaint.
#[must_use]
pub fn advice(reason: &str) -> Option<&'static str> {
    reason.parse::<Reason>().ok().map(Reason::advice)
}
