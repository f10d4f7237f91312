//! Private keys of TLS, in PEM: read, given to the cryptography, and wiped on the way.
//!
//! The reader of the TLS library leaves copies of what it reads in freed memory.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{Error, InconsistentKeys};
use zeroize::Zeroizing;

use super::Secret;

/// A private key as a file has it: PKCS#8, SEC1 or PKCS#1.
pub struct PrivateKey {
    label: &'static str,
    der: Zeroizing<Vec<u8>>,
}

/// What can be in a file, by its PEM label.
const LABELS: [&str; 3] = ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"];

/// The secret is no private key in PEM.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotKey {
    /// Nothing of the kind is in it.
    #[error("there is none (PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY)")]
    None,
    /// One with a passphrase.
    #[error(
        "it is encrypted with a passphrase, which nobody would be there to say: write it without one (openssl pkey)"
    )]
    Encrypted,
    /// It ends too early, or is no base64.
    #[error("between its first and last line stands something else than base64, or the last line is missing")]
    Broken,
}

impl PrivateKey {
    /// The first private key in PEM.
    ///
    /// # Errors
    /// [`NotKey`], which holds nothing of the secret.
    pub fn read(secret: &Secret) -> Result<Self, NotKey> {
        let text = secret.text().map_err(|_holds_no_secret| NotKey::None)?;
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            match line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) {
                Some("ENCRYPTED PRIVATE KEY") => return Err(NotKey::Encrypted),
                Some(found) => {
                    if let Some(label) = LABELS.into_iter().find(|label| *label == found) {
                        return Ok(Self { label, der: body(lines, label, text.len())? });
                    }
                }
                None => {}
            }
        }
        Err(NotKey::None)
    }

    /// The key, ready to sign for the first of these certificates.
    ///
    /// # Errors
    /// If TLS has no use for it, or it is another certificate's.
    pub fn certified(&self, chain: Vec<CertificateDer<'static>>) -> Result<CertifiedKey, Error> {
        let certified = CertifiedKey::new(chain, self.signing()?);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
            Err(error) => Err(error),
        }
    }

    fn signing(&self) -> Result<Arc<dyn SigningKey>, Error> {
        let der = self.der.as_slice();
        any_supported_type(&match self.label {
            "EC PRIVATE KEY" => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der)),
            "RSA PRIVATE KEY" => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(der)),
            _ => PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der)),
        })
    }
}

/// What stands between the first line and the last one.
fn body<'a>(
    lines: impl Iterator<Item = &'a str>,
    label: &str,
    longest: usize,
) -> Result<Zeroizing<Vec<u8>>, NotKey> {
    // Neither is moved while it is filled.
    let mut text = Zeroizing::new(String::with_capacity(longest));
    let mut der = Zeroizing::new(Vec::with_capacity(longest));
    for line in lines {
        if let Some(end) = line.strip_prefix("-----END ") {
            if end.strip_suffix("-----") != Some(label) {
                break;
            }
            let decoded = STANDARD.decode_vec(text.as_bytes(), &mut der);
            return decoded.map(|()| der).map_err(|_holds_a_byte_of_it| NotKey::Broken);
        }
        text.push_str(line);
    }
    Err(NotKey::Broken)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;
    use crate::secret::remains::Sought;

    fn read(text: &str) -> Result<PrivateKey, NotKey> {
        PrivateKey::read(&Secret::from(text.to_owned()))
    }

    #[test]
    fn the_first_private_key_is_read_whatever_else_is_in_the_file() {
        let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
        for text in [
            pem.clone(),
            pem.replace('\n', "\r\n"),
            format!(
                "# a key\n-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{pem}"
            ),
        ] {
            assert!(read(&text).unwrap().signing().is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_private_key_is_refused_by_what_it_is() {
        let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
        assert_eq!(read("no PEM").err(), Some(NotKey::None));
        assert_eq!(read(&pem.replace("PRIVATE", "PUBLIC")).err(), Some(NotKey::None));
        assert_eq!(read(&pem.replace("PRIVATE", "ENCRYPTED PRIVATE")).err(), Some(NotKey::Encrypted));
        for broken in [
            pem.replace("END PRIVATE", "END EC PRIVATE"),
            pem.split("-----END").next().unwrap().to_owned(),
            pem.replace('M', "*"),
        ] {
            assert_eq!(read(&broken).err(), Some(NotKey::Broken));
        }
        assert!(read(&pem.replace("PRIVATE KEY", "RSA PRIVATE KEY")).unwrap().signing().is_err());
    }

    #[test]
    fn what_was_read_is_left_nowhere_in_memory_but_where_it_is_used() {
        let pair = rcgen::KeyPair::generate().unwrap();
        let (pem, der) = (pair.serialize_pem(), pair.serialize_der());
        // PKCS#8 of a P-256 key: its secret number is at 36 to 68.
        let number = Sought::of(&der[40..64]);
        let text = Sought::of(&pem.as_bytes()[pem.len() / 3..pem.len() / 3 + 24]);
        let secret = Secret::from(pem);
        let before = (number.places(), text.places());
        let key = PrivateKey::read(&secret).unwrap();
        assert!(number.places() > before.0);
        let signing = key.signing().unwrap();
        drop(key);
        assert!(number.places() <= before.0 && text.places() <= before.1);
        drop((secret, signing));
        assert!(text.places() < before.1);
    }
}
