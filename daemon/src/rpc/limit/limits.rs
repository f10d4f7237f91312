//! The bounds of the edge.

use std::time::Duration;

use super::Standing;

/// The bounds. Most are chosen, not configured: a test makes its own.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections of callers over the network.
    pub connections: usize,
    /// Open connections over the Unix socket.
    pub local_connections: usize,
    /// Connections of the network of which it is not known yet whose they are.
    pub handshakes: usize,
    /// Open connections without a caller.
    pub anonymous_connections: usize,
    /// Connections beyond those of callers, and as many beyond those of the Unix socket: for stops and acts.
    pub spare_connections: usize,
    /// From the first byte to the end of the TLS handshake.
    pub handshake: Duration,
    /// Streams that a client may open on one connection: a few more than requests, so that a stop finds one.
    pub streams: u32,
    /// Requests in progress, all together.
    pub requests: usize,
    /// Requests in progress on one connection.
    pub requests_of_connection: usize,
    /// Of these, requests without a caller: proofs and health are open, and must not be in the way of signing.
    pub anonymous_requests: usize,
    /// Answers in many messages to connections without a caller, which last as long as their readers like.
    pub anonymous_streams: usize,
    /// The same on one connection.
    pub anonymous_streams_of_connection: usize,
    /// Stops that are being read; beside all other requests, and more than one connection has streams.
    pub stops: usize,
    /// Acts in progress; beside all other requests.
    pub acts: usize,
    /// Bytes of requests that have been read and not answered, all together.
    pub bytes: usize,
    /// Bytes of one request on a connection without a caller, and of a stop.
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
    /// The same for a spare one.
    pub spare_age: Duration,
    /// What is in progress may go on for this long after that.
    pub grace: Duration,
    /// A request without a deadline is given this one.
    pub longest: Duration,
}

impl Limits {
    /// How many connections may be open at once, of all kinds; a few that are being cut off come to that.
    pub fn most_connections(&self) -> usize {
        let each = [
            self.connections,
            self.local_connections,
            self.handshakes,
            self.anonymous_connections,
            self.spare_connections,
            self.spare_connections,
        ];
        each.into_iter().fold(0, usize::saturating_add)
    }

    /// How old a connection may become at most because of what it may ask for.
    pub fn longest_of(&self, standing: Standing) -> Option<Duration> {
        match standing {
            Standing::Caller => None,
            Standing::Nobody => Some(self.anonymous_age),
            Standing::Spare => Some(self.spare_age),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            local_connections: 1024,
            handshakes: 256,
            anonymous_connections: 256,
            spare_connections: 64,
            handshake: Duration::from_secs(10),
            streams: 1024 + 64,
            requests: 8192,
            requests_of_connection: 1024,
            anonymous_requests: 64,
            anonymous_streams: 64,
            anonymous_streams_of_connection: 8,
            stops: 2048,
            acts: 256,
            bytes: 256 * 1024 * 1024,
            anonymous_bytes: 64 * 1024,
            headers: 16 * 1024,
            keep_alive: Duration::from_secs(60),
            keep_alive_answer: Duration::from_secs(20),
            age: Duration::from_secs(3600),
            anonymous_age: Duration::from_secs(300),
            spare_age: Duration::from_secs(30),
            grace: Duration::from_secs(60),
            longest: Duration::from_secs(120),
        }
    }
}
