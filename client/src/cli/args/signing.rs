//! `sign` and `verify`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// How ECDSA signatures are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EncodingName {
    /// ASN.1 DER, as openssl and cosign expect
    Der,
    /// r followed by s, as JWS and COSE expect
    Fixed,
}

/// Have files, a digest, an image or a DSSE payload signed.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("input").required(true).multiple(false))]
#[command(after_help = "Examples:\n  \
    countersign sign release/linux app.tar.gz\n  \
    countersign sign release/images --image registry.example.org/app@sha256:… --out app.sig\n  \
    countersign sign release/linux dist/*                    (many files: one batch)\n\n\
    Every signature and receipt is checked here before a file is written.")]
pub struct Sign {
    /// Name of the key that signs, for instance release/linux
    pub key: String,
    /// Files to sign; each gets FILE.sig and FILE.receipt
    #[arg(group = "input", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Sign this digest; give it once for each hash that an overlap needs
    #[arg(long, group = "input", value_name = "sha256:HEX", num_args = 1, action = clap::ArgAction::Append)]
    pub digest: Vec<String>,
    /// Sign an image, index or chart in a registry, by digest
    #[arg(long, group = "input", value_name = "REF@sha256:HEX")]
    pub image: Option<String>,
    /// Sign a payload as DSSE
    #[arg(long, group = "input", value_name = "TYPE:FILE")]
    pub dsse: Option<String>,
    /// Where the signature goes; `-` is standard output; for many files a directory
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where the receipt goes; for many files a directory
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// Where the signed bytes go (--image and --dsse, where the daemon builds them)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "digest"])]
    pub payload: Option<PathBuf>,
    /// How an ECDSA signature is written
    #[arg(long, value_enum, default_value = "der")]
    pub encoding: EncodingName,
    /// Your own word about this signature, kept in the log's detail; may be repeated
    #[arg(long = "annotation", value_name = "NAME=VALUE")]
    pub annotations: Vec<String>,
    /// Goes into the signed document of --image; may be repeated
    #[arg(long = "image-annotation", value_name = "NAME=VALUE", conflicts_with_all = ["files", "digest", "dsse"])]
    pub image_annotations: Vec<String>,
    /// The same id and input within 24 h fetch the same signature again; of many files each gets ID.N
    #[arg(long, value_name = "ID")]
    pub request_id: Option<String>,
    /// Check the signature against this public key (PEM) in place of the one that the daemon names
    #[arg(long = "key", value_name = "FILE")]
    pub public_key: Option<PathBuf>,
    /// Ask whether this would be signed; sign and record nothing
    #[arg(long)]
    pub validate_only: bool,
    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
}

/// Check a signature and its receipt, offline.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("input").required(true).multiple(false))]
#[command(
    after_help = "Nothing is asked of anyone: the answer says what was proven by these files, and what was not."
)]
pub struct Verify {
    /// Public key to check against, PEM
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The signature: raw (DER or r followed by s), or base64 of it
    #[arg(long, value_name = "FILE")]
    pub signature: PathBuf,
    /// The file that was signed
    #[arg(group = "input", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The digest that was signed
    #[arg(long, group = "input", value_name = "sha256:HEX")]
    pub digest: Option<String>,
    /// The image that was signed; its signed bytes are read from --payload, else from SIGNATURE.payload
    #[arg(long, group = "input", value_name = "REF@sha256:HEX")]
    pub image: Option<String>,
    /// The DSSE payload that was signed
    #[arg(long, group = "input", value_name = "TYPE:FILE")]
    pub dsse: Option<String>,
    /// The signed bytes of an image
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "digest", "dsse"])]
    pub payload: Option<PathBuf>,
    /// The only algorithm to accept, for instance ecdsa-p256-sha256
    #[arg(long, value_name = "NAME")]
    pub algorithm: Option<String>,
    /// Receipt of the signature; needs --log-key
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// How the log's keys follow each other, as `log keys --out` writes it: for a receipt by another key than --log-key names.
    /// Where it is not given, what this client has followed counts
    #[arg(long, value_name = "FILE", requires = "receipt")]
    pub log_keys: Option<PathBuf>,
    /// The record's detail, as `log prove --detail` writes it: it says who asked
    #[arg(long, value_name = "FILE", requires = "receipt")]
    pub detail: Option<PathBuf>,
    /// Stable id of the caller that must have asked; needs --detail
    #[arg(long, value_name = "ID", requires = "receipt")]
    pub expect_caller: Option<String>,
    /// Name of the key that must have signed, or KEY@VERSION; needs --receipt
    #[arg(long, value_name = "KEY", requires = "receipt")]
    pub expect_key: Option<String>,
}
