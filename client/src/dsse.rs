//! DSSE: what is signed for a payload and its type (secure-systems-lab/dsse v1.0.2).

/// The longest payload type, in bytes.
pub const LONGEST_TYPE: usize = 256;

/// The pre-authentication encoding: `DSSEv1 <len> <type> <len> <payload>`.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut encoded = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    encoded.extend_from_slice(payload);
    encoded
}

/// Splits `TYPE:FILE` at the first colon that does not begin `//`, so that types may be URIs.
#[must_use]
pub fn split(text: &str) -> Option<(&str, &str)> {
    let at = text.match_indices(':').map(|(at, _)| at).find(|at| !text[at + 1..].starts_with("//"))?;
    let (kind, file) = (&text[..at], &text[at + 1..]);
    (!kind.is_empty() && kind.len() <= LONGEST_TYPE && !file.is_empty()).then_some((kind, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_that_of_the_specification() {
        // The example of the DSSE protocol, "hello world".
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
        assert_eq!(pae("a", b""), b"DSSEv1 1 a 0 ");
    }

    #[test]
    fn type_and_file_are_told_apart() {
        assert_eq!(
            split("application/vnd.in-toto+json:a.json"),
            Some(("application/vnd.in-toto+json", "a.json"))
        );
        assert_eq!(split("https://example.org/t:dir/a:b"), Some(("https://example.org/t", "dir/a:b")));
        for bad in ["", "a", ":f", "t:", "https://example.org/t"] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }
}
