//! How much is taken in at once: connections, requests in progress, bytes of requests that are being read.
//!
//! Everything is counted before it costs anything, and what is too much is refused at once with `OVERLOADED` and a
//! delay, never queued: whoever waits here waits without the fair queue that stands in front of the backends.
//!
//! Invariant: whatever was counted is given back when its guard drops, so a request that ends in any way leaves the
//! counts as they were (`what_is_counted_is_given_back`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proto::reason::Reason;
use proto::refusal::Refusal;

/// The bounds. They are chosen, not configured: a test makes its own.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// From the first byte to the end of the TLS handshake.
    pub handshake: Duration,
    /// Streams that a client may open on one connection.
    pub streams: u32,
    /// Requests in progress, all together.
    pub requests: usize,
    /// Requests in progress on one connection.
    pub requests_of_connection: usize,
    /// Of these, requests without a caller: proofs and health are open, and must not be in the way of signing.
    pub anonymous_requests: usize,
    /// Bytes of requests that have been read and not answered, all together.
    pub bytes: usize,
    /// Bytes of one request on a connection without a caller.
    pub anonymous_bytes: usize,
    /// Bytes of one request's headers.
    pub headers: u32,
    /// A silent connection is asked for a sign of life after this time,
    pub keep_alive: Duration,
    /// and closed when none comes within this one.
    pub keep_alive_answer: Duration,
    /// A connection is told to end after this time, a tenth more or less, so that load finds new replicas and
    /// certificates are looked at again.
    pub age: Duration,
    /// The same for one without a caller: it must not keep a place that callers need.
    pub anonymous_age: Duration,
    /// What is in progress may go on for this long after that.
    pub grace: Duration,
    /// A request without a deadline is given this one.
    pub longest: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            handshake: Duration::from_secs(10),
            streams: 1024,
            requests: 8192,
            requests_of_connection: 1024,
            anonymous_requests: 64,
            bytes: 256 * 1024 * 1024,
            anonymous_bytes: 64 * 1024,
            headers: 16 * 1024,
            keep_alive: Duration::from_secs(60),
            keep_alive_answer: Duration::from_secs(20),
            age: Duration::from_secs(3600),
            anonymous_age: Duration::from_secs(300),
            grace: Duration::from_secs(60),
            longest: Duration::from_secs(120),
        }
    }
}

/// How long an overloaded daemon asks callers to wait.
const WAIT: Duration = Duration::from_millis(200);

/// A count with a bound.
#[derive(Debug, Default)]
pub struct Count(AtomicUsize);

impl Count {
    /// Counts `amount` more, unless that would be beyond `bound`.
    fn add(&self, amount: usize, bound: usize) -> bool {
        let before = self.0.fetch_add(amount, Ordering::Relaxed);
        let within = before.checked_add(amount).is_some_and(|after| after <= bound);
        if !within {
            self.0.fetch_sub(amount, Ordering::Relaxed);
        }
        within
    }

    fn give_back(&self, amount: usize) {
        self.0.fetch_sub(amount, Ordering::Relaxed);
    }

    /// The count now.
    pub fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where connections and requests are let in.
#[derive(Debug, Default)]
pub struct Gate {
    limits: Limits,
    connections: Count,
    requests: Count,
    anonymous: Count,
    bytes: Count,
}

/// One open connection; dropped when it is closed.
#[derive(Debug)]
pub struct Admitted(Arc<Gate>);

/// One request in progress; dropped when its reply has been handed over or given up.
#[derive(Debug)]
pub struct InProgress {
    gate: Arc<Gate>,
    of_connection: Arc<Count>,
    bytes: AtomicUsize,
    anonymous: bool,
}

impl Gate {
    /// A gate with these bounds.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, ..Self::default() })
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Lets a connection in, if there is room.
    pub fn connect(self: &Arc<Self>) -> Option<Admitted> {
        self.connections.add(1, self.limits.connections).then(|| {
            crate::measure::connections(1);
            Admitted(Arc::clone(self))
        })
    }

    /// Lets a request in, if there is room for it altogether and on its connection. One without a caller is
    /// `anonymous`.
    ///
    /// # Errors
    /// `OVERLOADED`, with a delay.
    pub fn enter(
        self: &Arc<Self>,
        of_connection: &Arc<Count>,
        anonymous: bool,
    ) -> Result<Arc<InProgress>, Refusal> {
        let Limits { requests, requests_of_connection, anonymous_requests, .. } = self.limits;
        if !of_connection.add(1, requests_of_connection) {
            let message =
                format!("more than {requests_of_connection} requests are in progress on this connection");
            return Err(Refusal::new(Reason::Overloaded, message).after(WAIT));
        }
        if !self.requests.add(1, requests) {
            of_connection.give_back(1);
            let message = format!("more than {requests} requests are in progress");
            return Err(Refusal::new(Reason::Overloaded, message).after(WAIT));
        }
        if anonymous && !self.anonymous.add(1, anonymous_requests) {
            of_connection.give_back(1);
            self.requests.give_back(1);
            let message = format!("more than {anonymous_requests} requests without a caller are in progress");
            return Err(Refusal::new(Reason::Overloaded, message).after(WAIT));
        }
        Ok(Arc::new(InProgress {
            gate: Arc::clone(self),
            of_connection: Arc::clone(of_connection),
            bytes: AtomicUsize::new(0),
            anonymous,
        }))
    }
}

impl InProgress {
    /// Counts bytes of the request that have been read. Requests without a caller may have few.
    ///
    /// # Errors
    /// `INPUT_TOO_LARGE` or `OVERLOADED`; the bytes are not counted then.
    pub fn read(&self, bytes: usize) -> Result<(), Refusal> {
        let Limits { bytes: together, anonymous_bytes, .. } = self.gate.limits;
        if self.anonymous && self.bytes.load(Ordering::Relaxed).saturating_add(bytes) > anonymous_bytes {
            let message = format!("a request without a caller has at most {anonymous_bytes} bytes");
            return Err(Refusal::new(Reason::InputTooLarge, message));
        }
        if !self.gate.bytes.add(bytes, together) {
            let message = format!("requests of more than {together} bytes are in progress");
            return Err(Refusal::new(Reason::Overloaded, message).after(WAIT));
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.gate.bytes.give_back(self.bytes.load(Ordering::Relaxed));
        self.gate.requests.give_back(1);
        if self.anonymous {
            self.gate.anonymous.give_back(1);
        }
        self.of_connection.give_back(1);
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.connections.give_back(1);
        crate::measure::connections(-1);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    fn gate() -> Arc<Gate> {
        Gate::new(Limits {
            connections: 2,
            requests: 3,
            requests_of_connection: 2,
            anonymous_requests: 1,
            bytes: 100,
            anonymous_bytes: 10,
            ..Limits::default()
        })
    }

    #[test]
    fn what_is_counted_is_given_back() {
        let gate = gate();
        let (one, other) = (Arc::default(), Arc::default());
        let first = gate.connect().unwrap();
        let callers = [(&one, false), (&one, false), (&other, true)];
        let held: Vec<_> =
            callers.map(|(connection, anonymous)| gate.enter(connection, anonymous).unwrap()).into();
        held[0].read(60).unwrap();
        let counts = || [&gate.connections, &gate.requests, &gate.anonymous, &gate.bytes].map(Count::now);
        assert_eq!(counts(), [1, 3, 1, 60]);
        drop((first, held));
        assert_eq!(counts(), [0; 4]);
        assert_eq!((one.now(), other.now()), (0, 0));
    }

    #[test]
    fn too_much_is_refused_with_a_delay_and_leaves_no_trace() {
        let gate = gate();
        let (one, other, third) = (Arc::default(), Arc::default(), Arc::default());
        let mut held = vec![gate.enter(&one, false).unwrap(), gate.enter(&one, false).unwrap()];
        let refused = gate.enter(&one, false).unwrap_err();
        assert_eq!((refused.reason, refused.retry_after), (Reason::Overloaded, Some(WAIT)));
        assert!(refused.message.contains("on this connection"));
        held.push(gate.enter(&other, true).unwrap());
        assert!(gate.enter(&third, false).unwrap_err().message.starts_with("more than 3 requests"));
        assert_eq!((gate.requests.now(), one.now(), third.now()), (3, 2, 0));

        assert_eq!(held[2].read(11).unwrap_err().reason, Reason::InputTooLarge);
        held[0].read(91).unwrap();
        assert_eq!(held[2].read(10).unwrap_err().reason, Reason::Overloaded);
        held[2].read(9).unwrap();

        held.remove(0);
        assert!(gate.enter(&third, true).unwrap_err().message.contains("without a caller"));
        assert_eq!((gate.requests.now(), third.now()), (2, 0));
        gate.enter(&third, false).unwrap();

        let connections = [gate.connect(), gate.connect()];
        assert!(connections.iter().all(Option::is_some) && gate.connect().is_none());
    }

    #[test]
    fn a_count_beyond_the_end_of_numbers_is_refused() {
        let count = Count::default();
        assert!(count.add(5, 10));
        assert!(!count.add(usize::MAX, usize::MAX));
        assert_eq!(count.now(), 5);
    }
}
