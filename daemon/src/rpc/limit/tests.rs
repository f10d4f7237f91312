#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
use super::*;

fn gate() -> Arc<Gate> {
    Gate::new(Limits {
        connections: 2,
        local_connections: 1,
        handshakes: 2,
        anonymous_connections: 1,
        spare_connections: 1,
        requests: 3,
        requests_of_connection: 2,
        anonymous_requests: 1,
        anonymous_streams: 2,
        anonymous_streams_of_connection: 1,
        stops: 1,
        acts: 1,
        bytes: 100,
        anonymous_bytes: 10,
        ..Limits::default()
    })
}

fn origin(last: u8) -> Origin {
    Origin::of([192, 0, 2, last].into())
}

fn visitor(standing: Standing) -> Arc<Visitor> {
    Visitor::new(origin(1), standing, Cut::default())
}

#[test]
fn what_is_counted_is_given_back() {
    let gate = gate();
    let (one, nobody) = (visitor(Standing::Caller), visitor(Standing::Nobody));
    let connections =
        (gate.local(0), gate.arrive(origin(1)).known(true), gate.arrive(origin(1)).known(false));
    let coming = gate.arrive(origin(1));
    let requests = [(&one, Class::Call), (&one, Class::Stream), (&nobody, Class::Call)];
    let mut held: Vec<_> = requests.map(|(visitor, class)| gate.enter(visitor, class).unwrap()).into();
    held[0].read(60).unwrap();
    held.push(gate.enter(&nobody, Class::Stop).unwrap());
    held.push(gate.enter(&nobody, Class::Act).unwrap());
    let counts = || {
        let counts = [
            &gate.connections,
            &gate.local_connections,
            &gate.requests,
            &gate.anonymous,
            &gate.streams,
            &gate.bytes,
        ];
        let rooms = [&gate.handshakes, &gate.anonymous_connections, &gate.stops, &gate.acts];
        (counts.map(Count::now), rooms.map(|room| room.now()))
    };
    assert_eq!(counts(), ([1, 1, 3, 1, 0, 60], [1; 4]));
    drop(held.remove(2));
    held.push(gate.enter(&nobody, Class::Stream).unwrap());
    assert_eq!(counts(), ([1, 1, 3, 0, 1, 60], [1; 4]));
    drop((connections, coming, held));
    assert_eq!(counts(), ([0; 6], [0; 4]));
    assert_eq!([&one, &nobody].map(|visitor| (visitor.requests.now(), visitor.streams.now())), [(0, 0); 2]);
}

#[test]
fn too_much_is_refused_with_a_delay_and_leaves_no_trace() {
    let gate = gate();
    let (one, other, third) =
        (visitor(Standing::Caller), visitor(Standing::Nobody), visitor(Standing::Caller));
    let mut held = vec![gate.enter(&one, Class::Call).unwrap(), gate.enter(&one, Class::Call).unwrap()];
    let refused = gate.enter(&one, Class::Call).unwrap_err();
    assert_eq!((refused.reason, refused.retry_after), (Reason::Overloaded, Some(WAIT)));
    assert!(refused.message.contains("on this connection"));
    held.push(gate.enter(&other, Class::Call).unwrap());
    assert!(gate.enter(&third, Class::Call).unwrap_err().message.starts_with("more than 3 requests"));
    assert_eq!((gate.requests.now(), one.requests.now(), third.requests.now()), (3, 2, 0));

    assert_eq!(held[2].read(11).unwrap_err().reason, Reason::InputTooLarge);
    held[0].read(91).unwrap();
    assert_eq!(held[2].read(10).unwrap_err().reason, Reason::Overloaded);
    held[2].read(9).unwrap();

    held.remove(0);
    let fourth = visitor(Standing::Nobody);
    assert!(gate.enter(&fourth, Class::Call).unwrap_err().message.contains("without a caller"));
    assert_eq!((gate.requests.now(), fourth.requests.now()), (2, 0));
    gate.enter(&third, Class::Call).unwrap();
}

#[test]
fn streams_of_nobody_are_few_and_take_no_place_of_his_calls() {
    let gate = gate();
    let (one, other, third) =
        (visitor(Standing::Nobody), visitor(Standing::Nobody), visitor(Standing::Nobody));
    let first = gate.enter(&one, Class::Stream).unwrap();
    let refused = gate.enter(&one, Class::Stream).unwrap_err();
    assert!(refused.message.contains("streams are open on this connection"), "{refused}");
    let second = gate.enter(&other, Class::Stream).unwrap();
    let refused = gate.enter(&third, Class::Stream).unwrap_err();
    assert_eq!(refused.reason, Reason::Overloaded);
    assert!(refused.message.contains("2 streams without a caller"), "{refused}");
    gate.enter(&one, Class::Call).unwrap();
    drop(first);
    gate.enter(&third, Class::Stream).unwrap();
    drop(second);
    // A caller's are his requests.
    let caller = visitor(Standing::Caller);
    let _held = [gate.enter(&caller, Class::Stream).unwrap(), gate.enter(&caller, Class::Stream).unwrap()];
}

#[test]
fn a_stop_and_an_act_find_room_where_nothing_else_does() {
    let gate = gate();
    let (one, nobody) = (visitor(Standing::Caller), visitor(Standing::Nobody));
    let full = [
        gate.enter(&one, Class::Call).unwrap(),
        gate.enter(&one, Class::Call).unwrap(),
        gate.enter(&nobody, Class::Call).unwrap(),
    ];
    full[0].read(100).unwrap();
    for visitor in [&one, &nobody, &visitor(Standing::Spare)] {
        let stop = gate.enter(visitor, Class::Stop).unwrap();
        assert_eq!(stop.read(11).unwrap_err().reason, Reason::InputTooLarge);
        stop.read(10).unwrap();
        let act = gate.enter(visitor, Class::Act).unwrap();
        act.read(10).unwrap();
        // Beyond that it is a request like others.
        assert!(act.read(1).is_err());
    }
    assert_eq!((gate.requests.now(), gate.bytes.now()), (3, 100));
    let spare = gate.enter(&visitor(Standing::Spare), Class::Call).unwrap_err();
    assert!(spare.reason == Reason::Overloaded && spare.message.contains("stops and signed acts"), "{spare}");
}

#[test]
fn a_stop_that_is_still_being_read_makes_room_and_one_that_is_under_way_does_not() {
    use futures_util::FutureExt as _;
    let gate = gate();
    let visitors: Vec<_> =
        (1..=4).map(|last| Visitor::new(origin(last), Standing::Nobody, Cut::default())).collect();
    let is_cut = |number: usize| visitors[number].cut().reached().now_or_never().is_some();
    let _read = gate.enter(&visitors[0], Class::Stop).unwrap();
    let under_way = gate.enter(&visitors[1], Class::Stop).unwrap();
    assert!(is_cut(0) && !is_cut(1));
    under_way.has_arrived();
    let _third = gate.enter(&visitors[2], Class::Stop).unwrap();
    assert!(!is_cut(1) && !is_cut(2));
    // An act makes room also when it has arrived.
    let act = gate.enter(&visitors[3], Class::Act).unwrap();
    act.has_arrived();
    let _next = gate.enter(&visitors[2], Class::Act).unwrap();
    assert!(is_cut(3));
}

#[test]
fn beyond_the_bound_a_connection_is_a_spare_one_and_each_kind_has_its_own_room() {
    let gate = gate();
    let standing = |admitted: &Admitted| admitted.visitor().standing();
    let callers: Vec<_> = (0..4).map(|_| gate.arrive(origin(1)).known(true)).collect();
    use Standing::{Caller, Nobody, Spare};
    assert_eq!(callers.iter().map(standing).collect::<Vec<_>>(), [Caller, Caller, Spare, Spare]);
    let nobodies: Vec<_> = (0..4).map(|_| gate.arrive(origin(1)).known(false)).collect();
    assert!(nobodies.iter().all(|admitted| standing(admitted) == Nobody));
    let locals: Vec<_> = (0..3).map(|_| gate.local(0)).collect();
    assert_eq!(locals.iter().map(standing).collect::<Vec<_>>(), [Caller, Spare, Spare]);
    let rooms = [&gate.handshakes, &gate.anonymous_connections, &gate.spare, &gate.local_spare];
    assert_eq!(rooms.map(|room| room.now()), [0, 1, 1, 1]);
}

#[test]
fn a_count_beyond_the_end_of_numbers_is_refused() {
    let count = Count::default();
    assert!(count.add(5, 10));
    assert!(!count.add(usize::MAX, usize::MAX));
    assert_eq!(count.now(), 5);
}
