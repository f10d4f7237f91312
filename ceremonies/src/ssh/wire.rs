//! The data types of SSH (RFC 4251, section 5), as far as keys and signatures need them.

use proto::proof::encoding::{Curve, EcdsaFixed};

/// What remains to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

/// Bytes that are no SSH value of the expected type, or more than one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Malformed;

/// `r` or `s` of P-256 in bytes.
const SCALAR: usize = 32;

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The bytes that must come next.
    pub(super) fn magic(&mut self, expected: &[u8]) -> Result<(), Malformed> {
        if self.bytes(expected.len())? == expected { Ok(()) } else { Err(Malformed) }
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.bytes(1)?[0])
    }

    pub(super) fn number(&mut self) -> Result<u32, Malformed> {
        let bytes: [u8; 4] = self.bytes(4)?.try_into().map_err(|_wrong_length| Malformed)?;
        Ok(u32::from_be_bytes(bytes))
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.number()?).map_err(|_too_long| Malformed)?;
        self.bytes(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.string()?).map_err(|_not_text| Malformed)
    }

    /// A positive integer in its shortest form, put at the end of `into`.
    fn scalar(&mut self, into: &mut [u8]) -> Result<(), Malformed> {
        let bytes = self.string()?;
        let digits = match bytes {
            // A zero goes before a first bit that would be read as a minus, and nowhere else.
            [0, first, ..] if *first >= 0x80 => &bytes[1..],
            [first, ..] if (1..0x80).contains(first) => bytes,
            _ => return Err(Malformed),
        };
        let start = into.len().checked_sub(digits.len()).ok_or(Malformed)?;
        into[start..].copy_from_slice(digits);
        Ok(())
    }

    /// `r` and `s` of an ECDSA signature on P-256 (RFC 5656, 3.1.2), and nothing after them.
    pub(super) fn ecdsa(mut self) -> Result<EcdsaFixed, Malformed> {
        let mut fixed = [0; 2 * SCALAR];
        let (r, s) = fixed.split_at_mut(SCALAR);
        self.scalar(r)?;
        self.scalar(s)?;
        self.end()?;
        EcdsaFixed::parse(Curve::P256, &fixed).map_err(|_out_of_range| Malformed)
    }

    pub(super) fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// Appends a string with its length.
pub(super) fn put(into: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("what is written here is short");
    into.extend_from_slice(&length.to_be_bytes());
    into.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    fn two(r: &[u8], s: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, r);
        put(&mut out, s);
        out
    }

    #[test]
    fn scalars_have_their_shortest_form() {
        let long = [[0].as_slice(), &[0xff; 32]].concat();
        let fixed = Reader::new(&two(&[1], &long)).ecdsa().unwrap();
        assert_eq!(fixed.as_bytes(), [&[0; 31][..], &[1], &[0xff; 32]].concat());
        assert!(Reader::new(&two(&[0x7f; 32], &[0, 0x80])).ecdsa().is_ok());
        for bad in [&[][..], &[0], &[0x80], &[0, 1], &[0, 0, 0x80], &[0x7f; 33], &[0, 0xff].repeat(20)] {
            assert_eq!(Reader::new(&two(bad, &[1])).ecdsa().unwrap_err(), Malformed, "{bad:?}");
            assert_eq!(Reader::new(&two(&[1], bad)).ecdsa().unwrap_err(), Malformed, "{bad:?}");
        }
        assert_eq!(Reader::new(&[two(&[1], &[1]), vec![0]].concat()).ecdsa().unwrap_err(), Malformed);
    }

    #[test]
    fn a_length_beyond_the_end_is_refused() {
        assert_eq!(Reader::new(&[0, 0, 0, 2, 1]).string(), Err(Malformed));
        assert_eq!(Reader::new(&[0xff; 4]).string(), Err(Malformed));
        assert_eq!(Reader::new(&[0, 0, 0]).number(), Err(Malformed));
        assert_eq!(Reader::new(&[]).byte(), Err(Malformed));
        assert_eq!(Reader::new(&[0, 0, 0, 1, 0xff]).text(), Err(Malformed));
    }
}
