//! `[enrollment]`.

use std::time::Duration;

use ceremonies::form::{Form, Period};

use crate::enroll::Settings;

/// How long a certificate is good where nobody says: 90 days.
const USUAL: Duration = Duration::from_secs(90 * 86_400);

/// How long it may be good.
const BOUNDS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(3_600)..=Duration::from_secs(400 * 86_400);

pub(super) fn read(form: &mut Form<'_, '_>) -> Option<Settings> {
    let ca = form.required(
        "ca",
        "{ file = \"…\" }: the certificate of the CA, PEM; a [[client_ca]] of the guardrails too",
    );
    let key = form.required("key", "{ file = \"…\" } or { credential = \"…\" }: its private key, PEM");
    let good = |period: &Period| BOUNDS.contains(&period.duration());
    let validity =
        form.checked("validity", Period::of(USUAL), good, "how long a certificate is good: 1h to 400d");
    Some(Settings { ca: ca?, key: key?, validity: validity.duration() })
}
