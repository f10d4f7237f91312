//! Lower-case hexadecimal text of short values, on the stack: records hold several, and none needs a string of its own.

/// Hands the text of `bytes` on: two digits a byte.
pub(crate) fn with<const BYTES: usize, R>(bytes: &[u8; BYTES], hand: impl FnOnce(&str) -> R) -> R {
    let mut digits = [[0; 2]; BYTES];
    let text = digits.as_flattened_mut();
    hex::encode_to_slice(bytes, text).expect("two digits a byte were set aside");
    hand(std::str::from_utf8(text).expect("hexadecimal digits are ASCII"))
}
