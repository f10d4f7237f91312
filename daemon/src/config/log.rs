//! `[log]`.

mod anchors;

use std::collections::BTreeMap;
use std::path::PathBuf;

use ceremonies::form::{Form, Period, Size};

use crate::backend;
use crate::backend::pkcs11::uri::Uri;
use crate::log::Settings;
use crate::secret::SecretReference;

/// `[log]`: where its key is, and the settings of the log itself.
#[derive(Clone, Debug)]
pub struct LogSection {
    /// Where the log's private key is.
    pub key: SecretReference,
    /// Where the next one is, while a `log.rekey` is held; and after it, where the old one still is or the new one already.
    pub next_key: Option<SecretReference>,
    /// State directory, anchors, bounds.
    pub settings: Settings,
    /// The anchors that are data objects in tokens, by their names in `settings`.
    pub tokens: BTreeMap<String, TokenAnchor>,
}

/// An anchor that is a data object in a token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenAnchor {
    /// Token and label.
    pub object: Uri,
    /// The name of a backend of kind `pkcs11`, by whose settings the token is reached.
    pub backend: String,
}

/// The backends, which anchors may name.
pub(super) struct Known<'a> {
    pub(super) backends: &'a BTreeMap<String, backend::Settings>,
    /// Whether these are all: none was left out because something is wrong with it.
    pub(super) whole: bool,
}

pub(super) fn read(form: &mut Form<'_, '_>, state: Option<PathBuf>, known: &Known<'_>) -> Option<LogSection> {
    let key: Option<SecretReference> = form.required("key", "{ file = \"…\" } or { credential = \"…\" }");
    let line = form.line_of("next_key");
    let next_key: Option<SecretReference> = form.optional("next_key");
    if next_key.is_some() && next_key == key {
        form.problem_on(line, "next_key: is the same as key; expected where the next key of the log is");
    }
    let (places, tokens) = anchors::read(form, state.as_deref(), known);
    let mut settings = Settings::new(state.unwrap_or_default(), places);
    let limits = &mut settings.limits;
    if let Some(reserve) = form.optional::<Size>("reserve") {
        limits.reserve = reserve.bytes();
    }
    let seconds = |period: &Period| (Period::milliseconds(100)..=Period::seconds(300)).contains(period);
    limits.skew = form.checked("clock_skew", Period::of(limits.skew), seconds, "100ms to 300s").duration();
    Some(LogSection { key: key?, next_key, settings, tokens })
}
