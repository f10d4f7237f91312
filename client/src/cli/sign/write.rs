//! Where signatures, receipts and signed bytes go.
//!
//! Promises: the names are looked at before anything is asked for; all files of one signature are written whole or not at all.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::cli::args::signing::Sign;
use crate::cli::complaint::Complaint;
use crate::files::{self, Planned, with_ending};
use crate::sign::check::Signed;

/// The names for one signature.
#[derive(Debug)]
pub struct Targets {
    signature: Option<PathBuf>,
    receipt: Option<PathBuf>,
    payload: Option<PathBuf>,
    to_stdout: bool,
}

/// What was written where.
#[derive(Debug)]
pub struct Written {
    /// One file for each signature; empty where none was named.
    pub signatures: Vec<PathBuf>,
    /// Each signature in base64.
    pub base64: Vec<String>,
    /// The receipt's file.
    pub receipt: Option<PathBuf>,
    /// The signed bytes' file.
    pub payload: Option<PathBuf>,
    /// Exact bytes for standard output.
    pub to_stdout: Option<Vec<u8>>,
}

impl Targets {
    /// The names for a command that signs one thing: a file's lie beside it, others need `--out`.
    ///
    /// # Errors
    /// Where a name is taken, or its directory does not exist.
    pub fn of_one(sign: &Sign) -> Result<Self, Complaint> {
        let to_stdout = sign.out.as_deref() == Some(Path::new("-"));
        let named = sign.out.clone().filter(|_| !to_stdout);
        let beside = sign.files.first().filter(|_| !to_stdout);
        let builds = sign.image.is_some() || sign.dsse.is_some();
        let targets = Self {
            signature: named.clone().or_else(|| beside.map(|file| with_ending(file, ".sig"))),
            receipt: sign
                .receipt
                .clone()
                .or_else(|| beside.map(|file| with_ending(file, ".receipt")))
                .or_else(|| named.as_ref().map(|out| with_ending(out, ".receipt"))),
            payload: sign
                .payload
                .clone()
                .or_else(|| named.as_ref().filter(|_| builds).map(|out| with_ending(out, ".payload"))),
            to_stdout,
        };
        targets.look_ahead(sign)?;
        Ok(targets)
    }

    /// The names for one file of many: beside it, or under the same name in the directories given.
    ///
    /// # Errors
    /// Where a name is taken, or a directory does not exist.
    pub fn of_file(sign: &Sign, file: &Path) -> Result<Self, Complaint> {
        let place = |directory: &Option<PathBuf>, ending: &str| match (directory, file.file_name()) {
            (Some(directory), Some(name)) => with_ending(&directory.join(name), ending),
            _ => with_ending(file, ending),
        };
        let receipts = sign.receipt.clone().or_else(|| sign.out.clone());
        let targets = Self {
            signature: Some(place(&sign.out, ".sig")),
            receipt: Some(place(&receipts, ".receipt")),
            payload: None,
            to_stdout: false,
        };
        targets.look_ahead(sign)?;
        Ok(targets)
    }

    /// The file that the first signature gets.
    #[must_use]
    pub fn signature(&self) -> Option<&Path> {
        self.signature.as_deref()
    }

    fn look_ahead(&self, sign: &Sign) -> Result<(), Complaint> {
        if sign.validate_only {
            return Ok(());
        }
        let names: Vec<PathBuf> =
            [&self.signature, &self.receipt, &self.payload].into_iter().flatten().cloned().collect();
        Ok(files::look_ahead(&names, sign.force)?)
    }

    /// Writes everything that was checked. A second signature, of the retiring version, gets `.v<version>` at the end of its name.
    ///
    /// # Errors
    /// Where a file cannot be written, or appeared meanwhile.
    pub fn write(&self, signed: &Signed, force: bool) -> Result<Written, Complaint> {
        let mut planned = Vec::new();
        let mut names = Vec::new();
        if let Some(first) = &self.signature {
            for (number, one) in signed.signatures.iter().enumerate() {
                let path = match number {
                    0 => first.clone(),
                    _ => with_ending(first, &format!(".v{}", one.version.version)),
                };
                names.push(path.clone());
                planned.push(Planned { path, content: one.value.clone() });
            }
        }
        if let Some(path) = &self.receipt {
            planned.push(Planned {
                path: path.clone(),
                content: signed.proven.receipt.to_string().into_bytes(),
            });
        }
        let payload = self.payload.clone().filter(|_| !signed.signed_bytes.is_empty());
        if let Some(path) = &payload {
            planned.push(Planned { path: path.clone(), content: signed.signed_bytes.clone() });
        }
        files::write(&planned, force)?;
        Ok(Written {
            signatures: names,
            base64: signed.signatures.iter().map(|one| STANDARD.encode(&one.value)).collect(),
            receipt: self.receipt.clone(),
            payload,
            to_stdout: self
                .to_stdout
                .then(|| signed.signatures.first().map(|one| one.value.clone()))
                .flatten(),
        })
    }
}
