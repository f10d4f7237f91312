//! `[log]`.

mod anchors;

use std::path::PathBuf;

use ceremonies::form::{Form, Period, Size};

use crate::log::Settings;
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
    let places = anchors::read(form, state.as_deref());
    let mut settings = Settings::new(state.unwrap_or_default(), places);
    let limits = &mut settings.limits;
    if let Some(reserve) = form.optional::<Size>("reserve") {
        limits.reserve = reserve.bytes();
    }
    let seconds = |period: &Period| (Period::milliseconds(100)..=Period::seconds(300)).contains(period);
    limits.skew = form.checked("clock_skew", Period::of(limits.skew), seconds, "100ms to 300s").duration();
    Some(LogSection { key: key?, settings })
}
