//! Traces and metrics: where they go. What is in them is decided where they are made.
//!
//! Traces are lines on standard error, as text or as JSON, filtered by the configuration and by nothing in the
//! environment. Each line of a call names it ([`crate::trace`]): request id, method and caller. No secret, token or message is in
//! a trace, a metric or an error: secrets redact themselves, and messages are given to nothing that writes lines.

mod early;
mod line;

use std::io::IsTerminal as _;
use std::thread;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use tokio::sync::oneshot;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use self::early::Early;
use crate::measure;

/// `[telemetry]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `text` or `json`.
    pub format: Format,
    /// What is written, as directives: `info`, `info,daemon::log=debug`.
    pub filter: String,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

impl Default for Settings {
    fn default() -> Self {
        Self { format: Format::Text, filter: "info".to_owned() }
    }
}

/// Why there is no telemetry.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("telemetry.filter: {0}; expected directives like `info` or `info,daemon::log=debug`")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Started twice.
    #[error("traces go somewhere already: {0}")]
    Traces(#[from] tracing::subscriber::SetGlobalDefaultError),
    /// The same for metrics.
    #[error("metrics go somewhere already")]
    Taken,
    /// They have nowhere to go.
    #[error("metrics cannot be kept: {0}")]
    Metrics(#[from] BuildError),
    /// The machine gives no thread.
    #[error("a thread for metrics cannot be started: {0}")]
    Thread(std::io::Error),
    /// A bug.
    #[error("making the recorder of metrics ended without one")]
    Lost,
}

/// Bounds of the histograms, in seconds: from what a commit takes to what a caller waits for.
const SECONDS: [f64; 16] = [
    0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
    5.0, 30.0,
];

/// Bounds of what is counted per batch.
const COUNTS: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Whether a filter can be read; what `--check-config` asks.
///
/// # Errors
/// [`TelemetryError::Filter`].
pub fn check(settings: &Settings) -> Result<(), TelemetryError> {
    Ok(settings.filter.parse::<Targets>().map(|_filter| ())?)
}

/// Sends traces to standard error and panics into the traces. Once a process.
///
/// # Errors
/// [`TelemetryError`].
pub fn trace(settings: &Settings) -> Result<(), TelemetryError> {
    tracing::subscriber::set_global_default(subscriber(
        settings,
        std::io::stderr,
        std::io::stderr().is_terminal(),
    )?)?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(
            place,
            message = panic.payload_as_str().unwrap_or("a panic without words"),
            "panicked"
        );
    }));
    Ok(())
}

/// Keeps metrics from now on, while what shows them is being made. Once a process.
///
/// # Errors
/// [`TelemetryError`].
pub fn measure() -> Result<Metrics, TelemetryError> {
    let (early, (made, waits)) = (Early::default(), oneshot::channel());
    metrics::set_global_recorder(early.clone()).map_err(|_taken| TelemetryError::Taken)?;
    let make = move || {
        let recorder = recorder().map(PrometheusBuilder::build_recorder);
        let handle = recorder.map(|recorder| {
            let handle = recorder.handle();
            early.arrives(recorder);
            measure::describe();
            measure::bind();
            handle
        });
        // Whoever started this may have given up.
        let _gone = made.send(handle);
    };
    thread::Builder::new().name("metrics".to_owned()).spawn(make).map_err(TelemetryError::Thread)?;
    Ok(Metrics(waits))
}

/// Metrics that are kept, and can be shown soon.
#[derive(Debug)]
pub struct Metrics(oneshot::Receiver<Result<PrometheusHandle, BuildError>>);

impl Metrics {
    /// What shows them, as soon as it is there.
    ///
    /// # Errors
    /// [`TelemetryError`].
    pub async fn shown(self) -> Result<PrometheusHandle, TelemetryError> {
        Ok(self.0.await.map_err(|_ended| TelemetryError::Lost)??)
    }
}

/// How often samples are folded into their histograms: under load a second's worth of them takes a few megabytes.
const FOLD: Duration = Duration::from_secs(1);

/// Folds samples into their histograms until it is aborted. Each sample is kept until then, and every signature leaves
/// several: without this a daemon whose metrics nobody asks for would grow without bound.
pub async fn fold(metrics: PrometheusHandle) {
    let mut due = tokio::time::interval(FOLD);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        metrics.run_upkeep();
    }
}

fn recorder() -> Result<PrometheusBuilder, BuildError> {
    use metrics_exporter_prometheus::Matcher::{Full, Suffix};
    PrometheusBuilder::new()
        .set_buckets_for_metric(Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Full(measure::LOG_BATCH_RECORDS.to_owned()), &COUNTS)
}

fn subscriber<W>(
    settings: &Settings,
    writer: W,
    colours: bool,
) -> Result<Box<dyn tracing::Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // Modules and levels are all that is filtered by; a filter that also looks at fields would cost each span a search.
    let filtered = tracing_subscriber::registry().with(settings.filter.parse::<Targets>()?);
    let colours = colours && settings.format == Format::Text;
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours);
    Ok(match settings.format {
        Format::Text => Box::new(filtered.with(lines.event_format(line::text(colours)))),
        Format::Json => Box::new(filtered.with(lines.event_format(line::json()))),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::secret::Secret;
    use crate::trace::Call;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(settings: &Settings, say: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(settings, move || writer.clone(), false).unwrap();
        tracing::subscriber::with_default(subscriber, say);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_line_of_json_has_the_spans_fields_and_no_secret() {
        let settings = Settings { format: Format::Json, ..Settings::default() };
        let line = written(&settings, || {
            let pin = Secret::from("987654".to_owned());
            call().while_named(|| tracing::info!(?pin, "asked"));
        });
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["message"], "asked");
        let named = serde_json::json!([{
            "caller": "dns:a \"b\"",
            "id": "0000000000c0ffee",
            "method": "/countersign.v1.SigningService/Sign",
            "name": "request",
            "request_id": "build-1",
        }]);
        assert_eq!(object["spans"], named);
        assert!(line.ends_with("}\n") && !line.contains("987654"), "{line}");
    }

    #[test]
    fn a_line_of_text_ends_with_the_call_that_it_is_of_and_others_name_none() {
        let text = written(&Settings::default(), || {
            call().while_named(|| tracing::info!(count = 2, "asked"));
            tracing::info!("by the way");
        });
        let lines: Vec<&str> = text.lines().collect();
        let named = concat!(
            r"asked count=2 request{id=0000000000c0ffee method=/countersign.v1.SigningService/Sign ",
            r#"caller="dns:a \"b\"" request_id="build-1"}"#
        );
        assert!(lines[0].ends_with(named), "{text}");
        assert!(lines[1].ends_with("by the way"), "{text}");
    }

    fn call() -> Arc<Call> {
        let call = Call::new(0x00c0_ffee, "/countersign.v1.SigningService/Sign".into(), "dns:a \"b\"".into());
        Arc::clone(&call).while_named(|| Call::note_request_id(|| "build-1".to_owned()));
        call
    }

    #[test]
    fn the_filter_of_the_configuration_decides() {
        let settings = Settings { format: Format::Text, filter: "warn".to_owned() };
        let text = written(&settings, || {
            tracing::info!("quiet");
            tracing::warn!("loud");
        });
        assert!(text.contains("loud") && !text.contains("quiet"), "{text}");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused_with_what_was_expected() {
        let bad = Settings { filter: "info,daemon::log=loud".to_owned(), ..Settings::default() };
        let why = check(&bad).unwrap_err().to_string();
        assert!(why.starts_with("telemetry.filter") && why.contains("expected directives"), "{why}");
        check(&Settings::default()).unwrap();
    }

    #[test]
    fn histograms_are_rendered_with_bounds() {
        let recorder = recorder().unwrap().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            measure::describe();
            measure::log_committed(3, std::time::Duration::from_micros(40));
        });
        let text = handle.render();
        assert!(text.contains("countersign_log_commit_seconds_bucket{le=\"0.00005\"} 1"), "{text}");
        assert!(text.contains("countersign_log_batch_records_bucket{le=\"4\"} 1"), "{text}");
    }
}
