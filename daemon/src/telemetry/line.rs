//! How a line looks: as the library writes it, with the call behind it.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{self, Full, Json};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::trace::Call;

/// Lines of one format, and how they name a call.
pub(super) struct Lines<F> {
    format: F,
    name: fn(&str, &Call) -> Result<String, fmt::Error>,
}

/// Lines for people: the call stands at the end.
pub(super) fn text(colours: bool) -> Lines<format::Format<Full>> {
    let name = |line: &str, call: &Call| Ok(format!("{line} {call}"));
    Lines { format: format::format().with_ansi(colours), name }
}

/// One object a line: the call is its one span.
pub(super) fn json() -> Lines<format::Format<Json>> {
    let name = |line: &str, call: &Call| {
        let fields = line.strip_suffix('}').ok_or(fmt::Error)?;
        let call = serde_json::to_string(call).map_err(|_unwritable| fmt::Error)?;
        Ok(format!("{fields},\"spans\":[{call}]}}"))
    };
    Lines { format: format::format().json().flatten_event(true).with_span_list(false), name }
}

impl<S, N, F> FormatEvent<S, N> for Lines<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: format::Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(call) = Call::current() else { return self.format.format_event(context, writer, event) };
        let mut line = String::new();
        self.format.format_event(context, format::Writer::new(&mut line), event)?;
        writeln!(writer, "{}", (self.name)(line.trim_end_matches('\n'), &call)?)
    }
}
