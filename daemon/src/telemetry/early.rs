//! What is measured before there is a recorder.
//!
//! The recorder of Prometheus calibrates a clock when it is made: half a millisecond on a processor that does nothing else, and
//! up to two hundred on one that is disturbed. A start does not wait for that. From its first moment metrics go to [`Early`],
//! which keeps what is measured, in order, and gives it to the recorder as soon as that is there; from then on it passes on.
//!
//! Invariant: nothing that was measured is lost, and a gauge has the value that it was given last
//! (`what_was_measured_before_there_is_a_recorder_is_in_it`).

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Level, Metadata, Recorder,
    SharedString, Unit,
};
use metrics_exporter_prometheus::PrometheusRecorder;

/// Nothing here is filtered by where it comes from.
static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

type Measured = Box<dyn FnOnce(&PrometheusRecorder) + Send>;

/// The process's recorder, before and after there is one.
#[derive(Clone, Default)]
pub(super) struct Early(Arc<Kept>);

#[derive(Default)]
struct Kept {
    recorder: OnceLock<PrometheusRecorder>,
    measured: Mutex<Vec<Measured>>,
}

impl Early {
    /// The recorder is there, and gets what was kept.
    pub(super) fn arrives(&self, recorder: PrometheusRecorder) {
        let mut measured = self.0.measured.lock().unwrap_or_else(PoisonError::into_inner);
        for measured in measured.drain(..) {
            measured(&recorder);
        }
        // Under the lock, so that nobody keeps anything after this. A second recorder gets nothing.
        let _second = self.0.recorder.set(recorder);
    }

    fn measured(&self, measured: impl FnOnce(&PrometheusRecorder) + Send + 'static) {
        if let Some(recorder) = self.0.recorder.get() {
            return measured(recorder);
        }
        let mut kept = self.0.measured.lock().unwrap_or_else(PoisonError::into_inner);
        match self.0.recorder.get() {
            Some(recorder) => measured(recorder),
            None => kept.push(Box::new(measured)),
        }
    }

    fn metric(&self, key: &Key) -> Arc<Metric> {
        Arc::new(Metric { early: self.clone(), key: key.clone() })
    }
}

impl fmt::Debug for Early {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Early").field("recorder", &self.0.recorder.get().is_some()).finish_non_exhaustive()
    }
}

impl Recorder for Early {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.measured(move |recorder| recorder.describe_counter(key, unit, description));
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.measured(move |recorder| recorder.describe_gauge(key, unit, description));
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.measured(move |recorder| recorder.describe_histogram(key, unit, description));
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        match self.0.recorder.get() {
            Some(recorder) => recorder.register_counter(key, metadata),
            None => Counter::from_arc(self.metric(key)),
        }
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        match self.0.recorder.get() {
            Some(recorder) => recorder.register_gauge(key, metadata),
            None => Gauge::from_arc(self.metric(key)),
        }
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        match self.0.recorder.get() {
            Some(recorder) => recorder.register_histogram(key, metadata),
            None => Histogram::from_arc(self.metric(key)),
        }
    }
}

/// A metric that was looked up before there was a recorder: each time it is used it is looked up there.
struct Metric {
    early: Early,
    key: Key,
}

impl Metric {
    fn counter(&self, count: impl FnOnce(Counter) + Send + 'static) {
        let key = self.key.clone();
        self.early.measured(move |recorder| count(recorder.register_counter(&key, &METADATA)));
    }

    fn gauge(&self, set: impl FnOnce(Gauge) + Send + 'static) {
        let key = self.key.clone();
        self.early.measured(move |recorder| set(recorder.register_gauge(&key, &METADATA)));
    }
}

impl CounterFn for Metric {
    fn increment(&self, value: u64) {
        self.counter(move |counter| counter.increment(value));
    }

    fn absolute(&self, value: u64) {
        self.counter(move |counter| counter.absolute(value));
    }
}

impl GaugeFn for Metric {
    fn increment(&self, value: f64) {
        self.gauge(move |gauge| gauge.increment(value));
    }

    fn decrement(&self, value: f64) {
        self.gauge(move |gauge| gauge.decrement(value));
    }

    fn set(&self, value: f64) {
        self.gauge(move |gauge| gauge.set(value));
    }
}

impl HistogramFn for Metric {
    fn record(&self, value: f64) {
        let key = self.key.clone();
        self.early.measured(move |recorder| recorder.register_histogram(&key, &METADATA).record(value));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn what_was_measured_before_there_is_a_recorder_is_in_it() {
        let early = Early::default();
        let recorder = super::super::recorder().unwrap().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&early, || {
            let (kept, counted) = (metrics::gauge!("gauge", "of" => "a"), metrics::counter!("counted_total"));
            kept.set(3.0);
            kept.increment(2.0);
            kept.decrement(1.0);
            metrics::gauge!("gauge", "of" => "b").set(1.0);
            metrics::gauge!("gauge", "of" => "b").set(7.0);
            counted.increment(2);
            metrics::counter!("absolute_total").absolute(9);
            metrics::histogram!("countersign_log_batch_records").record(3.0);
            metrics::describe_counter!("counted_total", "What was counted.");
            assert!(!handle.render().contains("gauge"));
            early.arrives(recorder);
            // What was looked up before goes on, and what is looked up now is the recorder's own.
            counted.increment(1);
            metrics::counter!("counted_total").increment(1);
        });
        let text = handle.render();
        for line in [
            "gauge{of=\"a\"} 4",
            "gauge{of=\"b\"} 7",
            "counted_total 4",
            "absolute_total 9",
            "# HELP counted_total What was counted.",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn nothing_is_lost_between_threads_while_the_recorder_arrives() {
        let early = Early::default();
        let recorder = super::super::recorder().unwrap().build_recorder();
        let handle = recorder.handle();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let early = early.clone();
                scope.spawn(move || {
                    for _ in 0..5_000 {
                        metrics::with_local_recorder(&early, || {
                            metrics::counter!("counted_total").increment(1)
                        });
                    }
                });
            }
            early.arrives(recorder);
        });
        assert!(handle.render().contains("counted_total 20000"), "{}", handle.render());
    }
}
