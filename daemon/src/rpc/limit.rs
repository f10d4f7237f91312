//! How much is taken in at once: connections, requests in progress, bytes of requests that are being read.
//!
//! Everything is counted before it costs anything, and what is too much is refused at once with `OVERLOADED` and a
//! delay, never queued: whoever waits here waits without the fair queue that stands in front of the backends.
//!
//! ```text
//! connections   network, not known yet ── [room] ──┬── of callers: a count; beyond it spare ones [room], for stops and acts
//!                                                  └── of nobody [room]
//!               Unix socket ────────────────────────── a count; beyond it spare ones [room], for stops and acts
//! requests      a stop ── [room]      an act ── [room]      everything else: counts, of nobody and of his streams apart
//! ```
//!
//! A [`Room`] shuts nobody out: whoever has most places loses one. So nobody on the network shuts out the users of this machine, and no
//! flood of connections or requests a stop (`rpc/tests/flood.rs`).
//!
//! Invariant: whatever was counted is given back when its guard drops, so a request that ends in any way leaves the
//! counts as they were (`what_is_counted_is_given_back`).

mod class;
mod limits;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proto::reason::Reason;
use proto::refusal::Refusal;

pub use class::Class;
pub use limits::Limits;

pub use crate::room::{Cut, Origin, Room, Seat};

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
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    connections: Count,
    local_connections: Count,
    handshakes: Arc<Room>,
    anonymous_connections: Arc<Room>,
    spare: Arc<Room>,
    local_spare: Arc<Room>,
    stops: Arc<Room>,
    acts: Arc<Room>,
    requests: Count,
    anonymous: Count,
    streams: Count,
    bytes: Count,
}

/// What a connection may ask for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It has a caller.
    Caller,
    /// It has none.
    Nobody,
    /// It has one, beyond the bound: only stops and acts are taken.
    Spare,
}

/// One connection, as far as room goes.
#[derive(Debug)]
pub struct Visitor {
    origin: Origin,
    standing: Standing,
    cut: Cut,
    requests: Count,
    streams: Count,
}

/// A connection of the network before it is known whose it is.
#[derive(Debug)]
pub struct Arriving {
    gate: Arc<Gate>,
    origin: Origin,
    cut: Cut,
    _seat: Seat,
}

/// One open connection; dropped when it is closed.
#[derive(Debug)]
pub struct Admitted {
    gate: Arc<Gate>,
    place: Place,
    visitor: Arc<Visitor>,
}

/// Where an open connection is counted.
#[derive(Debug)]
enum Place {
    Network,
    Local,
    In { _seat: Seat },
}

/// One request in progress; dropped when its reply has been handed over or given up.
#[derive(Debug)]
pub struct InProgress {
    gate: Arc<Gate>,
    visitor: Arc<Visitor>,
    class: Class,
    read: AtomicUsize,
    bytes: AtomicUsize,
    seat: Option<Seat>,
}

impl Visitor {
    /// A connection of this origin that may ask for so much.
    pub fn new(origin: Origin, standing: Standing, cut: Cut) -> Arc<Self> {
        Arc::new(Self { origin, standing, cut, requests: Count::default(), streams: Count::default() })
    }

    /// What it may ask for.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Its end, where somebody else needs its place.
    pub fn cut(&self) -> &Cut {
        &self.cut
    }
}

impl Arriving {
    /// Its end, where somebody else needs its place.
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    /// It is known now whether there is a caller at its other end.
    pub fn known(self, has_caller: bool) -> Admitted {
        let Self { gate, origin, cut, .. } = self;
        let Limits { connections, .. } = gate.limits;
        let (standing, place) = if !has_caller {
            (Standing::Nobody, Place::In { _seat: gate.anonymous_connections.enter(origin, &cut) })
        } else if gate.connections.add(1, connections) {
            (Standing::Caller, Place::Network)
        } else {
            (Standing::Spare, Place::In { _seat: gate.spare.enter(origin, &cut) })
        };
        Admitted::new(gate, place, Visitor::new(origin, standing, cut))
    }
}

impl Admitted {
    fn new(gate: Arc<Gate>, place: Place, visitor: Arc<Visitor>) -> Self {
        crate::measure::connections(1);
        Self { gate, place, visitor }
    }

    /// The connection.
    pub fn visitor(&self) -> &Arc<Visitor> {
        &self.visitor
    }
}

/// What is counted of a request that is neither a stop nor an act.
#[derive(Clone, Copy)]
enum Bound {
    OfConnection,
    Together,
    Nobody,
    StreamsOfConnection,
    Streams,
}

impl Bound {
    /// The bounds of a call.
    fn all(class: Class, standing: Standing) -> &'static [Self] {
        use Bound::{Nobody, OfConnection, Streams, StreamsOfConnection, Together};
        match (class, standing) {
            (Class::Stop | Class::Act, _) => &[],
            (Class::Call, Standing::Nobody) => &[OfConnection, Together, Nobody],
            (Class::Stream, Standing::Nobody) => &[OfConnection, Together, StreamsOfConnection, Streams],
            (Class::Call | Class::Stream, _) => &[OfConnection, Together],
        }
    }

    fn count<'a>(self, gate: &'a Gate, visitor: &'a Visitor) -> &'a Count {
        match self {
            Self::OfConnection => &visitor.requests,
            Self::Together => &gate.requests,
            Self::Nobody => &gate.anonymous,
            Self::StreamsOfConnection => &visitor.streams,
            Self::Streams => &gate.streams,
        }
    }

    /// How many, and how that is said.
    fn most(self, limits: &Limits) -> (usize, &'static str) {
        match self {
            Self::OfConnection => {
                (limits.requests_of_connection, "requests are in progress on this connection")
            }
            Self::Together => (limits.requests, "requests are in progress"),
            Self::Nobody => (limits.anonymous_requests, "requests without a caller are in progress"),
            Self::StreamsOfConnection => (
                limits.anonymous_streams_of_connection,
                "streams are open on this connection without a caller",
            ),
            Self::Streams => (limits.anonymous_streams, "streams without a caller are open"),
        }
    }
}

impl Gate {
    /// A gate with these bounds.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            connections: Count::default(),
            local_connections: Count::default(),
            handshakes: Room::new("handshakes", limits.handshakes),
            anonymous_connections: Room::new("anonymous", limits.anonymous_connections),
            spare: Room::new("spare", limits.spare_connections),
            local_spare: Room::new("local-spare", limits.spare_connections),
            stops: Room::new("stops", limits.stops),
            acts: Room::new("acts", limits.acts),
            requests: Count::default(),
            anonymous: Count::default(),
            streams: Count::default(),
            bytes: Count::default(),
            limits,
        })
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A connection of the network that has just come.
    pub fn arrive(self: &Arc<Self>, origin: Origin) -> Arriving {
        let cut = Cut::default();
        let seat = self.handshakes.enter(origin, &cut);
        Arriving { gate: Arc::clone(self), origin, cut, _seat: seat }
    }

    /// A connection of the Unix socket.
    pub fn local(self: &Arc<Self>, user: u32) -> Admitted {
        let (origin, cut) = (Origin::User(user), Cut::default());
        let (standing, place) = if self.local_connections.add(1, self.limits.local_connections) {
            (Standing::Caller, Place::Local)
        } else {
            (Standing::Spare, Place::In { _seat: self.local_spare.enter(origin, &cut) })
        };
        Admitted::new(Arc::clone(self), place, Visitor::new(origin, standing, cut))
    }

    /// Lets a request of this kind in, if there is room for it altogether and on its connection. There is always room for a stop
    /// and for an act.
    ///
    /// # Errors
    /// `OVERLOADED`, with a delay.
    pub fn enter(self: &Arc<Self>, visitor: &Arc<Visitor>, class: Class) -> Result<Arc<InProgress>, Refusal> {
        let room = match class {
            Class::Stop => Some(&self.stops),
            Class::Act => Some(&self.acts),
            Class::Stream | Class::Call if visitor.standing == Standing::Spare => {
                let message = "too many connections are open, so that stops and signed acts alone are taken on this one: \
                               close others, or try again";
                return Err(Refusal::new(Reason::Overloaded, message).after(WAIT));
            }
            Class::Stream | Class::Call => None,
        };
        let bounds = Bound::all(class, visitor.standing);
        for (position, bound) in bounds.iter().enumerate() {
            let (most, what) = bound.most(&self.limits);
            if !bound.count(self, visitor).add(1, most) {
                bounds.iter().take(position).for_each(|bound| bound.count(self, visitor).give_back(1));
                return Err(Refusal::new(Reason::Overloaded, format!("more than {most} {what}")).after(WAIT));
            }
        }
        Ok(Arc::new(InProgress {
            gate: Arc::clone(self),
            visitor: Arc::clone(visitor),
            class,
            read: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            seat: room.map(|room| room.enter(visitor.origin, &visitor.cut)),
        }))
    }
}

impl InProgress {
    /// Counts bytes of the request that have been read. Requests without a caller may have few, and so may stops; as many of a stop
    /// or an act are not counted among those of all requests.
    ///
    /// # Errors
    /// `INPUT_TOO_LARGE` or `OVERLOADED`; the bytes are not counted then.
    pub fn read(&self, bytes: usize) -> Result<(), Refusal> {
        let Limits { bytes: together, anonymous_bytes, .. } = self.gate.limits;
        let read = self.read.load(Ordering::Relaxed).saturating_add(bytes);
        if read > anonymous_bytes && self.class == Class::Stop {
            let message = format!("a stop has at most {anonymous_bytes} bytes");
            return Err(Refusal::new(Reason::InputTooLarge, message));
        }
        if read > anonymous_bytes && self.visitor.standing == Standing::Nobody {
            let message = format!("a request without a caller has at most {anonymous_bytes} bytes");
            return Err(Refusal::new(Reason::InputTooLarge, message));
        }
        let free = if self.seat.is_some() { anonymous_bytes } else { 0 };
        let more = read.saturating_sub(free).min(bytes);
        if !self.gate.bytes.add(more, together) {
            let message = format!("requests of more than {together} bytes are in progress");
            return Err(Refusal::new(Reason::Overloaded, message).after(WAIT));
        }
        self.bytes.fetch_add(more, Ordering::Relaxed);
        self.read.store(read, Ordering::Relaxed);
        Ok(())
    }

    /// The request is here, whole. A stop takes no room any more and is not given up for whoever comes next: it is under way.
    pub fn has_arrived(&self) {
        if let (Class::Stop, Some(seat)) = (self.class, &self.seat) {
            seat.leave();
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.gate.bytes.give_back(self.bytes.load(Ordering::Relaxed));
        for bound in Bound::all(self.class, self.visitor.standing) {
            bound.count(&self.gate, &self.visitor).give_back(1);
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        match self.place {
            Place::Network => self.gate.connections.give_back(1),
            Place::Local => self.gate.local_connections.give_back(1),
            Place::In { .. } => {}
        }
        crate::measure::connections(-1);
    }
}

#[cfg(test)]
mod tests;
