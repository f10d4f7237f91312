//! Transcripts of ceremonies that are played with real signatures: what is valid, and everything that is not, each by the
//! step that says so.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod transcript {
    pub mod amended;
    pub mod bytes;
    pub mod chain;
    pub mod clock;
    pub mod course;
    pub mod destroyed;
    pub mod log;
    pub mod others;
    pub mod outputs;
    pub mod rebound;
    pub mod recovered;
    pub mod rekeyed;
    pub mod stage;
    pub mod suspended;
    pub mod valid;
}

use ceremonies::transcript::{Files, Step, Verdict, verify};
use transcript::{log, others, rekeyed, stage, suspended};

use self::stage::Stage;

/// The transcript is invalid at this step, for this reason.
#[track_caller]
fn invalid(stage: &Stage, files: &Files, step: Step, reason: &str) {
    match verify(files, stage.genesis_sha256()) {
        Verdict::Invalid(invalid) => {
            assert_eq!(invalid.step, step, "{invalid}");
            assert!(invalid.reason.contains(reason), "{invalid}");
        }
        valid => panic!("{valid}"),
    }
}
