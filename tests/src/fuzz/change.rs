//! Bending a seed: what a fuzzer without feedback needs to get past the first check.

/// One change, as numbers that any engine can make up: what to do, where, how much, with which byte.
pub type Numbers = (u8, u16, u16, u8);

/// Longest input made here, in bytes; readers of more are asked by tests of their bounds.
const LONGEST: usize = 16 * 1024;

/// Changes the bytes. `words` are pieces that mean something to the reader, `other` is another seed.
pub fn apply(bytes: &mut Vec<u8>, change: Numbers, words: &[&str], other: &[u8]) {
    let (kind, at, length, byte) = change;
    let at = usize::from(at) % (bytes.len() + 1);
    let end = (at + usize::from(length) % 64).min(bytes.len());
    match kind % 9 {
        0 => {
            if let Some(place) = bytes.get_mut(at) {
                *place ^= 1 << (byte % 8);
            }
        }
        1 => {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        2 => bytes.insert(at, byte),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let piece = bytes[at..end].to_vec();
            let to = usize::from(byte) % (bytes.len() + 1);
            bytes.splice(to..to, piece);
        }
        5 => bytes.truncate(at),
        6 => {
            if let Some(word) = words.get(usize::from(byte) % words.len().max(1)) {
                bytes.splice(at..end, word.bytes());
            }
        }
        7 => {
            let from = usize::from(length) % (other.len() + 1);
            let to = (from + usize::from(byte)).min(other.len());
            bytes.splice(at..end, other[from..to].iter().copied());
        }
        _ => {
            let again = usize::from(byte) % 32;
            let piece = bytes[at..end].repeat(again);
            bytes.splice(at..at, piece);
        }
    }
    bytes.truncate(LONGEST);
}
