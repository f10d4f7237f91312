//! Lower-case hexadecimal text of short values, on the stack: records hold several, and none needs a string of its own.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// What each byte is worth as a digit; beyond 15 where it is none.
const VALUES: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        values[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// Hands the text of `bytes` on: two digits a byte.
pub(crate) fn with<const BYTES: usize, R>(bytes: &[u8; BYTES], hand: impl FnOnce(&str) -> R) -> R {
    let mut digits = [[0; 2]; BYTES];
    for (pair, byte) in digits.iter_mut().zip(bytes) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    hand(std::str::from_utf8(digits.as_flattened()).expect("hexadecimal digits are ASCII"))
}

/// The bytes of which this is the text; no other form is read, and no other length.
pub(crate) fn read<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let mut bytes = [0; BYTES];
    if pairs.len() != BYTES {
        return None;
    }
    // Looked at once at the end: a branch for each digit costs more than all of them.
    let mut worth = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (VALUES[usize::from(*high)], VALUES[usize::from(*low)]);
        worth |= high | low;
        *byte = high << 4 | low & 15;
    }
    (worth < 16).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_text_is_that_of_an_independent_writer(bytes: [u8; 16]) {
            let text = hex::encode(bytes);
            prop_assert_eq!(&with(&bytes, str::to_owned), &text);
            prop_assert_eq!(read(&text), Some(bytes));
        }

        #[test]
        fn what_an_independent_reader_takes_in_lower_case_is_read(text in "[0-9a-gA-G/:`@ü]{7,9}") {
            let other = hex::decode(&text).ok().and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
            let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
            prop_assert_eq!(read::<4>(&text), other.filter(|_| lower));
        }

        #[test]
        fn one_byte_that_is_no_digit_is_enough(at in 0..8_usize, byte: char) {
            let text = "0123abcd".chars().enumerate().map(|(place, own)| if place == at { byte } else { own });
            let text: String = text.collect();
            prop_assert_eq!(read::<4>(&text).is_some(), "0123456789abcdef".contains(byte));
        }
    }
}
