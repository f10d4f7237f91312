//! Frames of the host protocol, whichever way they go: two readers agree, pieces of any size give the same frames, and a
//! value that was read is written and read again.

use std::fmt::Debug;

use daemon::backend::pkcs11::frame::{self, FrameError, Inbox, LONGEST};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value's frame.
#[must_use]
pub fn of<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write(value, &mut out).unwrap();
    out
}

/// Holds the bytes of a connection against all of it. Whether a value was read.
pub fn check<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) -> bool {
    let payloads = taken(&[bytes]);
    // The first byte decides where the stream is cut: the same frames, however they arrive.
    let at = usize::from(bytes.first().copied().unwrap_or(0)) % (bytes.len() + 1);
    assert_eq!(taken(&[&bytes[..at], &bytes[at..]]), payloads, "cut at {at}");
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(taken(&single), payloads, "byte by byte");
    assert_eq!(read(bytes), payloads, "by the other reader");
    payloads.iter().filter(|payload| value::<T>(payload)).count() > 0
}

/// By the daemon's reader.
fn taken(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut inbox = Inbox::default();
    let mut payloads = Vec::new();
    for mut piece in pieces.iter().copied() {
        while !piece.is_empty() {
            let room = inbox.room();
            let count = room.len().min(piece.len());
            assert_ne!(count, 0, "an inbox has room where no whole frame waits");
            room[..count].copy_from_slice(&piece[..count]);
            inbox.came(count);
            piece = &piece[count..];
            loop {
                match inbox.next(<[u8]>::to_vec) {
                    Ok(Some(payload)) => {
                        assert!((1..=LONGEST).contains(&payload.len()));
                        payloads.push(payload);
                    }
                    Ok(None) => break,
                    Err(FrameError::Length(length)) => {
                        assert!(!(1..=LONGEST).contains(&length), "{length} is a good length");
                        return payloads;
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
    }
    payloads
}

/// By the host's reader.
fn read(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = bytes;
    let mut payloads = Vec::new();
    while let Ok(Some(payload)) = frame::read_payload(&mut reader) {
        payloads.push(payload);
    }
    payloads
}

fn value<T: DeserializeOwned + Serialize + PartialEq + Debug>(payload: &[u8]) -> bool {
    let Ok(value) = frame::value::<T>(payload) else { return false };
    let mut out = Vec::new();
    match frame::write(&value, &mut out) {
        Ok(()) => {
            let again: T =
                frame::value(&out[4..]).unwrap_or_else(|e| panic!("{value:?} does not read again: {e}"));
            assert_eq!(again, value);
        }
        // A URI may be longer in its one form than as it was read.
        Err(FrameError::Length(length)) => assert!(length > LONGEST && out.is_empty()),
        Err(other) => panic!("{value:?} was read and is not written: {other}"),
    }
    true
}
