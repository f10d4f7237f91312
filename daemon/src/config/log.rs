//! `[log]`.

use std::path::PathBuf;

use ceremonies::form::{Form, Period, Size};

use crate::log::{AnchorPlace, Settings};
use crate::secret::SecretReference;

/// `[log]`: where its key is, and the settings of the log itself.
#[derive(Clone, Debug)]
pub struct LogSection {
    /// Where the log's private key is.
    pub key: SecretReference,
    /// State directory, anchors, bounds.
    pub settings: Settings,
}

pub(super) fn read(form: &mut Form<'_, '_>, state: Option<PathBuf>) -> Option<LogSection> {
    let key = form.required("key", "{ file = \"…\" } or { credential = \"…\" }");
    let given = form.has("anchors");
    let line = form.line_of("anchors");
    let files: Vec<PathBuf> = form.list("anchors", |form| super::path(form, "file", "where the anchor is"));
    if !given {
        form.problem("anchors is missing: [{ file = \"…\" }], best on another disk: what the log is held against at start");
    } else if files.is_empty() {
        form.problem_on(line, "anchors: at least one file");
    }
    for (position, file) in files.iter().enumerate() {
        if state.as_ref().is_some_and(|state| file.starts_with(state)) {
            let file = file.display();
            form.problem_on(
                line,
                format!(
                    "anchors: {file} lies in the state directory, and would be lost or rolled back with it"
                ),
            );
        }
        if files[..position].contains(file) {
            form.problem_on(line, format!("anchors: {} is given twice", file.display()));
        }
    }
    let mut settings =
        Settings::new(state.unwrap_or_default(), files.into_iter().map(AnchorPlace::File).collect());
    let limits = &mut settings.limits;
    if let Some(reserve) = form.optional::<Size>("reserve") {
        limits.reserve = reserve.bytes();
    }
    let seconds = |period: &Period| (Period::milliseconds(100)..=Period::seconds(300)).contains(period);
    limits.skew = form.checked("clock_skew", Period::of(limits.skew), seconds, "100ms to 300s").duration();
    Some(LogSection { key: key?, settings })
}
