//! What a signature file may hold: the raw bytes, or base64 of them on one or more lines.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// The most bytes of a signature file that make sense: base64 of the longest signature, with room.
pub const LARGEST: usize = 64 * 1024;

/// Every reading of the file: as it is, and decoded where it is base64.
#[must_use]
pub fn readings(file: &[u8]) -> Vec<Vec<u8>> {
    let mut readings = vec![file.to_vec()];
    if let Ok(text) = std::str::from_utf8(file) {
        let text: String = text.split_whitespace().collect();
        let decoded = STANDARD.decode(&text).or_else(|_not_standard| URL_SAFE_NO_PAD.decode(&text));
        readings.extend(decoded.ok().filter(|decoded| !decoded.is_empty()));
    }
    readings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_and_both_kinds_of_base64_are_read() {
        let raw = [0xfb, 0xff, 0x00, 0x10];
        assert_eq!(readings(&raw), [raw.to_vec()]);
        for text in ["+/8AEA==", "+/8A\nEA==\n", "-_8AEA"] {
            assert!(readings(text.as_bytes()).contains(&raw.to_vec()), "{text}");
        }
        assert_eq!(readings(b"not base64!").len(), 1);
        assert_eq!(readings(b""), [Vec::<u8>::new()]);
    }
}
