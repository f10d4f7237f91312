//! The configuration: one TOML file, read completely, everything that is wrong said at once.
//!
//! Every module owns its `Settings`; this one composes them. [`check`] opens nothing: it is the whole of
//! `countersignd --check-config`. Unknown keys are refused with a suggestion, secrets are named by reference only, and
//! paths are absolute, because a daemon's working directory is nobody's choice.
//!
//! What this does not do: look whether files exist, or whether the log approves them.

mod backend;
mod enrollment;
mod listen;
mod log;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ceremonies::form::{self, Form, Problem};
use proto::hash::Hash;

pub use log::{LogSection, TokenAnchor};

use crate::{backend as backends, enroll, rpc, telemetry};

/// Everything that is configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// SHA-256 of the file, as it was read.
    pub sha256: Hash,
    /// `[instance]`.
    pub instance: Instance,
    /// `[listen.network]` and `[listen.local]`: at least one.
    pub listen: rpc::listen::Settings,
    /// `[web]`: where metrics, checkpoints, tiles and bundles are served; nowhere if absent.
    pub web: Option<SocketAddr>,
    /// `[log]`.
    pub log: LogSection,
    /// `[policy]`.
    pub policy: PolicyFiles,
    /// `[enrollment]`: the CA of invited callers; nobody is invited if absent.
    pub enrollment: Option<enroll::Settings>,
    /// `[backend.NAME]`: at least one.
    pub backends: BTreeMap<String, backends::Settings>,
    /// `[limits]`, over what the edge has chosen.
    pub limits: rpc::limit::Limits,
    /// `[telemetry]`.
    pub telemetry: telemetry::Settings,
}

/// `[instance]`.
#[derive(Clone, Debug)]
pub struct Instance {
    /// For instance `signing.example.org`; must be the genesis statement's.
    pub name: String,
    /// SHA-256 of the genesis statement: which instance this is.
    pub genesis_sha256: Hash,
    /// Holds the log's database.
    pub state_directory: PathBuf,
}

/// `[policy]`.
#[derive(Clone, Debug)]
pub struct PolicyFiles {
    /// The guardrails document.
    pub guardrails: PathBuf,
    /// The grants.
    pub grants: PathBuf,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no such file, or no right to read it.
    #[error("cannot read the configuration {}: {cause}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's word.
        cause: std::io::Error,
    },
    /// Something is wrong with it.
    #[error("{}", Report { path, problems })]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong, in the order of the lines.
        problems: Vec<Problem>,
    },
}

struct Report<'a> {
    path: &'a Path,
    problems: &'a [Problem],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "{}: {count} problem{}", self.path.display(), if count == 1 { "" } else { "s" })?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// Reads the configuration from its file.
///
/// # Errors
/// [`ConfigError`], with everything that is wrong.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let unreadable = |cause| ConfigError::Unreadable { path: path.to_owned(), cause };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    check(&text).map_err(|problems| ConfigError::Wrong { path: path.to_owned(), problems })
}

/// Reads the configuration from its text, and opens nothing.
///
/// # Errors
/// Everything that is wrong, in the order of the lines.
pub fn check(text: &str) -> Result<Config, Vec<Problem>> {
    form::read(text, |form| {
        // First, because anchors name them; whether there are any is looked at last.
        let backends = form.named("backend", backend::read);
        let known = log::Known { backends: &backends, whole: !form.has_problems() };
        let instance = form.section("instance", "[instance] says which instance this is", instance);
        let listen =
            form.section("listen", "[listen.network] or [listen.local]: where callers come in", listen::read);
        let web =
            form.optional_section("web", |form| form.required("address", "for instance \"127.0.0.1:7480\""));
        let taken = listen.as_ref().and_then(|listen| listen.network.as_ref()).map(|network| network.address);
        if let Some(address) =
            web.filter(|address: &SocketAddr| address.port() != 0 && taken == Some(*address))
        {
            form.problem_on(None, format!("web.address: {address} is that of [listen.network] already"));
        }
        let state = instance.as_ref().map(|instance| instance.state_directory.clone());
        let log = form.section("log", "[log] says where the log's key and anchors are", |form| {
            log::read(form, state, &known)
        });
        let policy = form.section("policy", "[policy] names the guardrails and the grants", policy);
        if backends.is_empty() && !form.has_problems() {
            form.problem("no [backend.NAME]: keys live in backends, and without one nothing could sign");
        }
        let enrollment = form.optional_section("enrollment", enrollment::read);
        let limits = form.optional_section("limits", |form| Some(listen::limits(form))).unwrap_or_default();
        let telemetry = form.optional_section("telemetry", telemetry).unwrap_or_default();
        Some(Config {
            sha256: Hash::of(text.as_bytes()),
            instance: instance?,
            listen: listen?,
            web,
            log: log?,
            policy: policy?,
            enrollment,
            backends,
            limits,
            telemetry,
        })
    })
}

fn instance(form: &mut Form<'_, '_>) -> Option<Instance> {
    let is_name = |name: &String| {
        (1..=253).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'))
    };
    if !form.has("name") {
        form.problem_at("name", "is missing: the instance's name, for instance \"signing.example.org\"");
    }
    let expected = "1 to 253 lower-case letters, digits, `.` and `-`, for instance \"signing.example.org\"";
    let name = form.checked("name", String::new(), is_name, expected);
    let genesis_sha256 = form.required("genesis_sha256", "the digest that `countersignd init` printed");
    let state_directory =
        path(form, "state_directory", "where the log lives, for instance \"/var/lib/countersign\"");
    Some(Instance { name, genesis_sha256: genesis_sha256?, state_directory: state_directory? })
}

fn policy(form: &mut Form<'_, '_>) -> Option<PolicyFiles> {
    let guardrails = path(form, "guardrails", "for instance \"/etc/countersign/guardrails.toml\"");
    let grants = path(form, "grants", "for instance \"/etc/countersign/grants.cedar\"");
    Some(PolicyFiles { guardrails: guardrails?, grants: grants? })
}

fn telemetry(form: &mut Form<'_, '_>) -> Option<telemetry::Settings> {
    let line = form.line_of("filter");
    let settings: telemetry::Settings = form.whole()?;
    if let Err(error) = telemetry::check(&settings) {
        // The sentence begins with the key's full name; the place says the table already.
        form.problem_on(line, error.to_string().trim_start_matches("telemetry."));
    }
    Some(settings)
}

/// An absolute path that must be there.
fn path(form: &mut Form<'_, '_>, key: &'static str, what: &str) -> Option<PathBuf> {
    let line = form.line_of(key);
    let path: PathBuf = form.required(key, what)?;
    if path.is_absolute() {
        return Some(path);
    }
    form.problem_on(line, format!("{key}: `{}` is not an absolute path", path.display()));
    None
}

#[cfg(test)]
mod tests;
