//! Secrets: PINs, private keys, identities. Wiped when dropped, never shown, named by reference only.
//!
//! A [`Secret`] has no `Clone`, no serialisation and a `Debug` that says nothing but its length class. A
//! [`SecretReference`] is what configuration holds instead of a secret: a file, or a systemd credential. Secrets never
//! come from arguments or environment variables (both are readable by others and inherited by children); the one
//! variable read is systemd's `CREDENTIALS_DIRECTORY`, which names a directory and holds no secret.
//!
//! A process that is to hold secrets calls [`guard`] first, which keeps them out of core dumps and swap.
//!
//! What this does not do: choose who reads a PIN (only the host process of its module does).

mod guard;
mod key;
mod reference;
#[cfg(test)]
pub(crate) mod remains;

use std::fmt;

pub use guard::{Unmet, guard};
pub use key::{NotKey, PrivateKey};
pub use reference::{SecretError, SecretReference};
use zeroize::{Zeroize, Zeroizing};

/// Bytes that are wiped when dropped and redacted in `Debug`.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; the caller keeps no copy.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes. Whoever calls this makes sure that they end in nothing that is logged or copied.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The secret without one line end at its end: editors and `echo` add one to files with PINs and passphrases.
    pub fn without_line_end(mut self) -> Self {
        for end in [b'\n', b'\r'] {
            if self.0.last() == Some(&end) {
                self.0.pop();
            }
        }
        self
    }

    /// The secret as text.
    ///
    /// # Errors
    /// If the bytes are not UTF-8. The error does not hold them.
    pub fn text(&self) -> Result<&str, NotText> {
        std::str::from_utf8(&self.0).map_err(|_holds_no_secret| NotText)
    }
}

/// The secret is not UTF-8 text.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the secret is not UTF-8 text")]
pub struct NotText;

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

impl Zeroize for Secret {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "Secret(empty)" } else { "Secret(redacted)" })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let secret = Secret::from("1234567".to_owned());
        let shown = format!("{secret:?} {:?}", Some(&secret));
        assert_eq!(shown, "Secret(redacted) Some(Secret(redacted))");
    }

    #[test]
    fn one_line_end_is_taken_off_and_no_more() {
        let text = |s: &str| Secret::from(s.to_owned()).without_line_end().text().unwrap().to_owned();
        assert_eq!(text("1234\n"), "1234");
        assert_eq!(text("1234\r\n"), "1234");
        assert_eq!(text("1234\n\n"), "1234\n");
        assert_eq!(text("1234 "), "1234 ");
        assert_eq!(text(""), "");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_without_showing_them() {
        let error = Secret::new(vec![0xff, 0x31, 0x32]).text().unwrap_err();
        assert_eq!(error.to_string(), "the secret is not UTF-8 text");
    }
}
