//! What commands print, at 80 columns.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

#[cfg(unix)]
use clap::Parser as _;
#[cfg(unix)]
use proto::proof::note::Verifier;

#[cfg(unix)]
use super::args::Arguments;
use super::screen::{Output, Screen};
#[cfg(unix)]
use crate::exit::Exit;

/// A screen of 80 columns that remembers what was written.
pub struct Paper {
    output: Output,
    out: Sheet,
    err: Sheet,
}

#[derive(Clone, Default)]
struct Sheet(Arc<Mutex<Vec<u8>>>);

impl Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    /// A blank one.
    pub fn new(output: Output) -> Self {
        Self { output, out: Sheet::default(), err: Sheet::default() }
    }

    /// A screen onto it.
    pub fn screen(&self) -> Screen {
        Screen::into_places(self.output, 80, Box::new(self.out.clone()), Box::new(self.err.clone()))
    }

    /// What standard output got.
    pub fn out(&self) -> String {
        String::from_utf8(self.out.0.lock().unwrap().clone()).unwrap()
    }

    /// What standard error got.
    pub fn err(&self) -> String {
        String::from_utf8(self.err.0.lock().unwrap().clone()).unwrap()
    }
}

/// Runs a command of somebody who trusts this log key; a word that begins with `@` is a file in the daemon's directory.
#[cfg(unix)]
pub fn trusting(daemon: &crate::fake::Daemon, trusted: &Verifier, line: &str) -> (Exit, String, String) {
    let place = format!("{}/", daemon.directory.path().display());
    let mut words = vec!["countersign".to_owned()];
    let placed =
        |word: &str| word.strip_prefix('@').map_or_else(|| word.to_owned(), |name| format!("{place}{name}"));
    words.extend(line.split_whitespace().map(placed));
    for (flag, value) in [
        ("--address", format!("unix:{place}sock")),
        ("--log-key", trusted.to_string()),
        ("--state", format!("{place}state")),
        ("--deadline", "20s".to_owned()),
    ] {
        words.extend([flag.to_owned(), value]);
    }
    let arguments = Arguments::try_parse_from(words).unwrap();
    let paper = Paper::new(Output::Table);
    let exit = crate::cli::execute(&arguments, &mut paper.screen(), &|_| None);
    (exit, paper.out(), paper.err())
}

/// Compares with the file under `client/snapshots`; `COUNTERSIGN_SNAPSHOTS=write` writes it anew.
pub fn expect(name: &str, found: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(name);
    if std::env::var("COUNTERSIGN_SNAPSHOTS").is_ok_and(|value| value == "write") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{} differs; COUNTERSIGN_SNAPSHOTS=write writes it anew", path.display());
}

mod complaints {
    //! Every kind of trouble, with its exit code and its words.

    use std::time::Duration;

    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt};

    use super::*;
    use crate::cli::complaint::Complaint;
    use crate::connection::CallError;
    use crate::exit::Exit;
    use crate::refused::NoAnswer;

    fn status(code: Code, reason: &str, message: &str, retry: Option<u64>) -> CallError {
        let mut details = ErrorDetails::new();
        details.set_error_info(reason, "countersign", [("rule".to_owned(), "team3-images".to_owned())]);
        if let Some(retry) = retry {
            details.set_retry_info(Some(Duration::from_secs(retry)));
        }
        CallError::from(Status::with_error_details(code, message, details))
    }

    fn samples() -> Vec<(Complaint, Exit)> {
        vec![
            (
                status(
                    Code::PermissionDenied,
                    "POLICY_DENIED",
                    "spiffe://example.org/ci/mac may not sign with release/linux: no grant admits it",
                    None,
                )
                .into(),
                Exit::Failed,
            ),
            (
                status(
                    Code::FailedPrecondition,
                    "KEY_SUSPENDED",
                    "release/linux is stopped since record 4712",
                    None,
                )
                .into(),
                Exit::Failed,
            ),
            (
                status(
                    Code::ResourceExhausted,
                    "QUOTA_EXHAUSTED",
                    "100 of 100 signatures in this minute",
                    Some(40),
                )
                .into(),
                Exit::Retry,
            ),
            (
                status(Code::Unavailable, "LOG_UNAVAILABLE", "the disk of the log is full", Some(1)).into(),
                Exit::Retry,
            ),
            (
                status(Code::Aborted, "OUTCOME_UNKNOWN", "record 17 says that the outcome is unknown", None)
                    .into(),
                Exit::Retry,
            ),
            (
                CallError::NoAnswer(NoAnswer::Unreachable(
                    "signing.example.org:7443: Connection refused (os error 111)".into(),
                ))
                .into(),
                Exit::Retry,
            ),
            (
                CallError::NoAnswer(NoAnswer::NotTrusted("invalid peer certificate: UnknownIssuer".into()))
                    .into(),
                Exit::Failed,
            ),
            (
                CallError::NoAnswer(NoAnswer::NotTrusted("received fatal alert: CertificateRequired".into()))
                    .into(),
                Exit::Failed,
            ),
            (
                CallError::NoAnswer(NoAnswer::Late { after: Duration::from_secs(30), last: None }).into(),
                Exit::Retry,
            ),
            (CallError::NoLogKey.into(), Exit::Usage),
            ("registry.example.org/app:1.2".parse::<crate::image::Image>().unwrap_err().into(), Exit::Usage),
        ]
    }

    #[test]
    fn each_says_what_happened_why_and_what_to_do() {
        let paper = Paper::new(Output::Table);
        let mut screen = paper.screen();
        for (complaint, exit) in samples() {
            assert_eq!(complaint.exit, exit, "{}", complaint.what);
            assert!(!complaint.advice.is_empty(), "no advice: {}", complaint.what);
            screen.complain(&complaint).unwrap();
        }
        expect("complaints.txt", &paper.err());
    }

    #[test]
    fn programs_get_the_same_as_json() {
        let paper = Paper::new(Output::Json);
        let (complaint, _) = samples().remove(2);
        paper.screen().complain(&complaint).unwrap();
        let document: serde_json::Value = serde_json::from_str(&paper.err()).unwrap();
        assert_eq!(document["error"]["exit"], 3);
        assert_eq!(document["error"]["reason"], "QUOTA_EXHAUSTED");
        assert_eq!(document["error"]["more"]["rule"], "team3-images");
        assert_eq!(paper.out(), "");
    }
}
