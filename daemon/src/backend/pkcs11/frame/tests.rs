#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use ceremonies::genesis::Mode;
use proptest::prelude::*;
use proto::algorithm::Algorithm;

use super::super::message::*;
use super::super::octets::{Octets, SignatureOctets};
use super::*;

fn octets() -> impl Strategy<Value = Octets> {
    proptest::collection::vec(any::<u8>(), 0..200).prop_map(Octets)
}

fn algorithms() -> impl Strategy<Value = Algorithm> {
    proptest::sample::select(Algorithm::ALL)
}

fn requests() -> impl Strategy<Value = FromDaemon> {
    let place = || Just("pkcs11:token=release;id=%01%02".parse::<super::super::uri::Uri>().unwrap());
    let ask = prop_oneof![
        (any::<u64>(), any::<u32>(), algorithms(), octets())
            .prop_map(|(epoch, key, algorithm, input)| Ask::Sign { epoch, key, algorithm, input }),
        (place(), octets()).prop_map(|(place, expected)| Ask::FindKey { place, expected }),
        (place(), octets()).prop_map(|(place, key)| Ask::Destroy { place, key }),
        (algorithms(), "\\PC{0,20}", octets()).prop_map(|(algorithm, label, id)| Ask::Generate {
            algorithm,
            label,
            id
        }),
        place().prop_map(|place| Ask::List { place }),
        Just(Ask::Probe),
        Just(Ask::Quit),
        (place(), any::<u16>(), any::<u64>()).prop_map(|(token, sessions, epoch)| Ask::Open(Box::new(
            Open {
                module: "/m.so".into(),
                token,
                mode: Some(Mode::Production),
                pin: Some(PinPlace::Credential("pin".into())),
                backend: "hsm-a".into(),
                memory: "/l".into(),
                sessions,
                call_limit: 10_000,
                epoch,
            }
        ))),
    ];
    prop_oneof![
        9 => (any::<u64>(), any::<u32>(), ask).prop_map(|(id, timeout, body)| FromDaemon::Request(Request { id, timeout, body })),
        1 => Just(FromDaemon::Hello(Hello::ours())),
    ]
}

fn replies() -> impl Strategy<Value = FromHost> {
    let fault = || "\\PC{0,30}".prop_map(|cause| Fault { class: Class::Unavailable, cause });
    let answer = prop_oneof![
        octets().prop_map(|octets| Answer::Signed(SignatureOctets::from(&octets.0[..]))),
        any::<u32>().prop_map(Answer::Key),
        fault().prop_map(Answer::Failed),
        Just(Answer::Destroyed),
    ];
    prop_oneof![
        (any::<u64>(), any::<u64>(), answer).prop_map(|(id, epoch, body)| FromHost::Reply(Reply {
            id,
            epoch,
            body
        })),
        (any::<u64>(), proptest::option::of(fault()))
            .prop_map(|(epoch, down)| FromHost::Notice(Notice { epoch, down })),
    ]
}

fn inbox(bytes: &[u8]) -> Inbox {
    let mut inbox = Inbox::default();
    inbox.room()[..bytes.len()].copy_from_slice(bytes);
    inbox.came(bytes.len());
    inbox
}

fn through<T: Serialize + DeserializeOwned>(values: &[T], cut: usize) -> Vec<T> {
    let mut bytes = Vec::new();
    for value in values {
        write(value, &mut bytes).unwrap();
    }
    let mut inbox = Inbox::default();
    let mut read = Vec::new();
    for piece in bytes.chunks(cut) {
        inbox.room()[..piece.len()].copy_from_slice(piece);
        inbox.came(piece.len());
        while let Some(found) = inbox.next(value).unwrap() {
            read.push(found.unwrap());
        }
    }
    assert!(inbox.bytes.iter().all(|byte| *byte == 0), "what was read is wiped");
    let mut reader = bytes.as_slice();
    for _ in values {
        let payload = read_payload(&mut reader).unwrap().unwrap();
        value::<T>(&payload).unwrap();
    }
    assert!(read_payload(&mut reader).unwrap().is_none());
    read
}

proptest! {
    #[test]
    fn requests_are_read_back_in_pieces(values in proptest::collection::vec(requests(), 1..5), cut in 1..64_usize) {
        prop_assert_eq!(through(&values, cut), values);
    }

    #[test]
    fn replies_are_read_back_in_pieces(values in proptest::collection::vec(replies(), 1..5), cut in 1..64_usize) {
        prop_assert_eq!(through(&values, cut), values);
    }

    #[test]
    fn hostile_bytes_are_an_error_or_a_value_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        // What reads as a value may be written differently (numbers have longer forms), but never longer than a frame.
        let _request = value::<FromDaemon>(&bytes);
        let _reply = value::<FromHost>(&bytes);
        let mut inbox = inbox(&bytes);
        while let Ok(Some(_)) = inbox.next(|payload| payload.len()) {}
        let mut reader = &bytes[..];
        while let Ok(Some(_)) = read_payload(&mut reader) {}
    }

    #[test]
    fn a_changed_byte_is_an_error_or_another_value(value in requests(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = Vec::new();
        write(&value, &mut bytes).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(Some(payload)) = read_payload(&mut bytes.as_slice()) {
            let _read = super::value::<FromDaemon>(&payload);
        }
    }
}

#[test]
fn lengths_out_of_bounds_are_refused_before_anything_is_allocated() {
    for length in [0_u32, u32::try_from(LONGEST).unwrap() + 1, u32::MAX] {
        let mut inbox = inbox(&length.to_le_bytes());
        assert!(matches!(inbox.next(|payload| payload.len()), Err(FrameError::Length(_))));
        assert!(matches!(read_payload(&mut &length.to_le_bytes()[..]), Err(FrameError::Length(_))));
    }
    let mut out = vec![1];
    assert!(matches!(write(&Octets(vec![0; LONGEST + 1]), &mut out), Err(FrameError::Length(_))));
    assert_eq!(out, [1]);
    assert!(matches!(value::<u8>(&[1, 2]), Err(FrameError::LeftOver(1))));
    assert!(matches!(read_payload(&mut &[1, 0][..]), Err(FrameError::Broken(_))));
}

#[test]
fn an_inbox_moves_what_it_has_half_of_and_leaves_no_copy() {
    let frame = |byte: u8, length: usize| {
        let mut bytes = Vec::new();
        write(&Octets(vec![byte; length]), &mut bytes).unwrap();
        bytes
    };
    let bytes: Vec<u8> = (1..=40).flat_map(|number| frame(number, 10_000 + usize::from(number))).collect();
    let mut inbox = Inbox::default();
    let (mut at, mut read) = (0, Vec::new());
    while at < bytes.len() {
        let room = inbox.room();
        assert!(!room.is_empty());
        let count = room.len().min(30_000).min(bytes.len() - at);
        room[..count].copy_from_slice(&bytes[at..at + count]);
        inbox.came(count);
        at += count;
        while let Some(found) = inbox.next(value::<Octets>).unwrap() {
            read.push(found.unwrap().0);
        }
        let (before, after) = (&inbox.bytes[..inbox.start], &inbox.bytes[inbox.end..]);
        assert!(before.iter().chain(after).all(|byte| *byte == 0), "after {at} bytes");
    }
    let expected: Vec<Vec<u8>> = (1..=40).map(|number| vec![number; 10_000 + usize::from(number)]).collect();
    assert_eq!(read, expected);
}
