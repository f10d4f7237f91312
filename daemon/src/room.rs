//! Room in which somebody new always finds a place.
//!
//! ```text
//!            room for 4                      somebody of D comes
//!   A A A B   ──────────────►   A A B D      the oldest of A, who has most, is cut off
//! ```
//!
//! Whoever fills such a room alone makes room for everybody else, and however many fill it, a newcomer gets in. So it bounds what
//! is held and shuts nobody out, which a count cannot. What it takes for that are connections that come to an end at any moment:
//! it is for those that are not known yet, for those without a caller, and for what little a stop needs.
//!
//! Invariant: of two origins in a full room the one with fewer places loses none (`whoever_has_most_makes_room`).

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Whose a connection is before anybody has said a name: what shares in the fairness of a room.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Origin {
    /// An address; of IPv6 the network of 64 bits, since a host may have all of its addresses.
    Network(IpAddr),
    /// A user of this machine.
    User(u32),
}

impl Origin {
    /// The origin of an address.
    pub fn of(address: IpAddr) -> Self {
        Self::Network(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// A connection's end, for whoever needs its place.
#[derive(Clone, Debug, Default)]
pub struct Cut(Arc<Notify>);

impl Cut {
    /// Ends the connection.
    pub fn off(&self) {
        self.0.notify_one();
    }

    /// Waits until somebody does. One waits at a time.
    pub async fn reached(&self) {
        self.0.notified().await;
    }
}

/// The room.
#[derive(Debug)]
pub struct Room {
    /// Its name in metrics.
    name: &'static str,
    bound: usize,
    seats: Mutex<Seats>,
}

#[derive(Debug, Default)]
struct Seats {
    next: u64,
    /// In the order of their coming.
    taken: BTreeMap<u64, Taken>,
}

#[derive(Debug)]
struct Taken {
    origin: Origin,
    cut: Cut,
}

/// A place in it; dropped when it is given back.
#[derive(Debug)]
pub struct Seat {
    room: Arc<Room>,
    number: u64,
}

impl Room {
    /// Room for so many.
    pub fn new(name: &'static str, bound: usize) -> Arc<Self> {
        Arc::new(Self { name, bound, seats: Mutex::default() })
    }

    /// Gives a place to a connection of this origin. Where there is none, the oldest one of whoever has most is cut off.
    pub fn enter(self: &Arc<Self>, origin: Origin, cut: &Cut) -> Seat {
        let mut seats = self.locked();
        if seats.taken.len() >= self.bound
            && let Some(number) = seats.of_whom_has_most(origin)
            && let Some(taken) = seats.taken.remove(&number)
        {
            crate::measure::connection_cut(self.name);
            taken.cut.off();
        }
        let number = seats.next;
        seats.next += 1;
        seats.taken.insert(number, Taken { origin, cut: cut.clone() });
        Seat { room: Arc::clone(self), number }
    }

    /// Places that are taken.
    pub fn now(&self) -> usize {
        self.locked().taken.len()
    }

    fn locked(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seats {
    /// The oldest place of the origin with most of them, `comes` counted among those who have.
    fn of_whom_has_most(&self, comes: Origin) -> Option<u64> {
        let mut counts = HashMap::from([(comes, 1_usize)]);
        for taken in self.taken.values() {
            *counts.entry(taken.origin).or_default() += 1;
        }
        // Of equals `max_by_key` gives the last one, which is the oldest here.
        self.taken.iter().rev().max_by_key(|(_, taken)| counts[&taken.origin]).map(|(number, _)| *number)
    }
}

impl Seat {
    /// Gives the place back, and whoever sat here is not cut off for it any more.
    pub fn leave(&self) {
        // It may have been taken away before.
        self.room.locked().taken.remove(&self.number);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use futures_util::FutureExt as _;

    use super::*;

    /// A connection with a place.
    struct Guest {
        cut: Cut,
        seat: Seat,
    }

    impl Guest {
        fn of(room: &Arc<Room>, user: u32) -> Self {
            let cut = Cut::default();
            let seat = room.enter(Origin::User(user), &cut);
            Self { cut, seat }
        }

        fn is_cut(&self) -> bool {
            self.cut.reached().now_or_never().is_some()
        }
    }

    #[test]
    fn whoever_has_most_makes_room() {
        let room = Room::new("test", 4);
        let few = Guest::of(&room, 1);
        let many: Vec<Guest> = (0..3).map(|_| Guest::of(&room, 2)).collect();
        // The oldest of whoever has most, though another is older; then his next, since he has as many as the newcomer.
        let other = Guest::of(&room, 3);
        assert_eq!(many.iter().map(Guest::is_cut).collect::<Vec<_>>(), [true, false, false]);
        let again = Guest::of(&room, 3);
        assert_eq!(many.iter().map(Guest::is_cut).collect::<Vec<_>>(), [false, true, false]);
        assert!(![&few, &other, &again].into_iter().any(Guest::is_cut));
        assert_eq!(room.now(), 4);
        // What was taken away is not given back once more.
        drop(many);
        assert_eq!(room.now(), 3);
        drop((few, other, again));
        assert_eq!(room.now(), 0);
    }

    #[test]
    fn who_comes_again_and_again_cuts_off_himself() {
        let room = Room::new("test", 3);
        let other = Guest::of(&room, 1);
        let many: Vec<Guest> = (0..100).map(|_| Guest::of(&room, 2)).collect();
        assert!(!other.is_cut());
        assert_eq!(many.iter().filter(|guest| guest.is_cut()).count(), 98);
        assert!(!many[98].is_cut() && !many[99].is_cut());
        assert_eq!(room.now(), 3);
    }

    #[test]
    fn who_has_left_is_not_cut_off() {
        let room = Room::new("test", 1);
        let first = Guest::of(&room, 1);
        first.seat.leave();
        let second = Guest::of(&room, 1);
        assert_eq!((first.is_cut(), second.is_cut(), room.now()), (false, false, 1));
        let third = Guest::of(&room, 2);
        assert_eq!((first.is_cut(), second.is_cut(), third.is_cut()), (false, true, false));
    }

    #[test]
    fn a_network_of_ipv6_is_one_origin_and_an_address_of_ipv4_is_the_same_in_both_spellings() {
        let of = |text: &str| Origin::of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
