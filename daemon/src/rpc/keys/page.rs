//! Pages of a list (AIP-158): a token names where the next page begins, and is opaque to whoever carries it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proto::name::KeyName;
use proto::refusal::Refusal;
use proto::wire::{v1, value};

use super::convert;
use crate::keys::ring::Ring;

const USUAL: usize = 100;
const MOST: usize = 1000;

/// Longest prefix in bytes: that of a key name.
const LONGEST_PREFIX: usize = 128;

/// Which page is asked for.
pub struct Page {
    size: usize,
    after: Option<KeyName>,
    prefix: String,
}

/// Whether names can begin with this.
///
/// # Errors
/// `MALFORMED_REQUEST`.
pub fn check_prefix(prefix: &str) -> Result<(), Refusal> {
    let of_name =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-' | b'/');
    if prefix.len() > LONGEST_PREFIX || !prefix.bytes().all(of_name) {
        return Err(value::malformed(
            "prefix",
            "expected the beginning of a key name: at most 128 of a-z, 0-9, `.`, `_`, `-`, `/`",
        ));
    }
    Ok(())
}

impl Page {
    /// Reads which page is asked for. A size beyond 1,000 means 1,000.
    ///
    /// # Errors
    /// `MALFORMED_REQUEST` for a token that no list gave, or a prefix of no name.
    pub fn of(request: &v1::ListKeysRequest) -> Result<Self, Refusal> {
        check_prefix(&request.prefix)?;
        let after = match request.page_token.as_str() {
            "" => None,
            token => Some(read(token).ok_or_else(|| {
                value::malformed("page_token", "expected the `next_page_token` of an earlier page")
            })?),
        };
        let size = match usize::try_from(request.page_size) {
            Ok(0) => USUAL,
            size => size.unwrap_or(MOST).min(MOST),
        };
        Ok(Self { size, after, prefix: request.prefix.clone() })
    }

    /// Fills it from rings in the order of their names.
    pub fn fill<'r>(&self, rings: impl Iterator<Item = &'r Ring>) -> v1::ListKeysResponse {
        let mut matching = rings
            .filter(|ring| ring.name().as_str().starts_with(&self.prefix))
            .filter(|ring| self.after.as_ref().is_none_or(|after| ring.name() > after));
        let keys: Vec<_> = matching.by_ref().take(self.size).map(convert::key).collect();
        let more = matching.next().is_some();
        let last = keys.last().filter(|_| more);
        let next_page_token = last.map(|key| URL_SAFE_NO_PAD.encode(&key.name)).unwrap_or_default();
        v1::ListKeysResponse { keys, next_page_token }
    }
}

fn read(token: &str) -> Option<KeyName> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    std::str::from_utf8(&bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    fn page(size: u32, token: &str, prefix: &str) -> Result<Page, Refusal> {
        Page::of(&v1::ListKeysRequest { page_size: size, page_token: token.into(), prefix: prefix.into() })
    }

    #[test]
    fn sizes_are_bounded_and_tokens_are_those_of_earlier_pages() {
        assert_eq!(page(0, "", "").unwrap().size, 100);
        assert_eq!(page(7, "", "").unwrap().size, 7);
        assert_eq!(page(u32::MAX, "", "").unwrap().size, 1000);
        let token = URL_SAFE_NO_PAD.encode("release/linux");
        assert_eq!(page(0, &token, "release/").unwrap().after.unwrap().as_str(), "release/linux");
        for bad in ["?", "AAAA", "release/linux"] {
            assert!(
                page(0, bad, "").is_err_and(|refusal| refusal.message.starts_with("page_token")),
                "{bad}"
            );
        }
        assert!(page(0, "", "Re lease").is_err_and(|refusal| refusal.message.starts_with("prefix")));
    }
}
