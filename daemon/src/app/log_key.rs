//! The log's private keys as files, `PRIVATE+KEY+<origin>+<hash>+<base64>`, and `countersignd log-key`, which makes the next one.
//!
//! The form is that of Go's `golang.org/x/mod/sumdb/note`, so that other tools can use the key if they must: base64 of the
//! algorithm byte 1 and the Ed25519 seed; the hash is the key id of the verifier key.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::origin::Origin;
use zeroize::Zeroizing;

use crate::config::{Config, LogSection};
use crate::log::{LogKey, Signers};
use crate::secret::{Secret, SecretReference};

use super::Failed;
use super::init;

const BEGIN: &str = "PRIVATE+KEY+";
const EXPECTED: &str =
    "expected the log key as PRIVATE+KEY+<origin>+<8 hex digits>+<base64>, as `countersignd init` writes it";

/// The key as text, from its origin and seed.
pub(super) fn encode(key: &LogKey, seed: &[u8; 32]) -> Zeroizing<String> {
    let mut data = Zeroizing::new([1; 33]);
    data[1..].copy_from_slice(seed);
    let body = Zeroizing::new(STANDARD.encode(data.as_slice()));
    Zeroizing::new(format!(
        "{BEGIN}{}+{}+{}\n",
        key.origin(),
        hex::encode(key.verifier().key_id()),
        body.as_str()
    ))
}

/// Reads the key.
pub(super) fn read(reference: &SecretReference) -> Result<LogKey, Failed> {
    let secret = reference.read()?.without_line_end();
    parse(&secret).map_err(|why| Failed::new(format!("{reference}: {why}")))
}

/// Reads the keys that the configuration names: the one in force, and the next one while a `log.rekey` is held.
pub(super) fn signers(section: &LogSection) -> Result<Signers, Failed> {
    let next = section.next_key.as_ref().map(read).transpose()?;
    Ok(Signers::new(read(&section.key)?, next)?)
}

/// Makes the next key of the configured log, in a file that was not there, and says what to do with it.
pub(super) fn make(config: &Config, file: &Path) -> Result<(), Failed> {
    let origin: Origin = read(&config.log.key)?.origin().parse()?;
    let file = std::path::absolute(file)?;
    let (key, _line, secret) = init::new_key(&origin)?;
    init::secret(file.clone(), secret.as_bytes())?;
    say(&key, &file);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the task")]
fn say(key: &LogKey, file: &Path) {
    println!("The next log key is in {}. Nothing signs with it yet.\n", file.display());
    println!("  log key   {}\n", key.verifier());
    println!(
        "Next: name it in [log], restart the daemon, and hold the ceremony `log.rekey`, whose statement names it:\n"
    );
    println!("  next_key = {{ file = {file:?} }}");
}

fn parse(secret: &Secret) -> Result<LogKey, String> {
    let text = secret.text().map_err(|e| e.to_string())?;
    let rest = text.strip_prefix(BEGIN).ok_or(EXPECTED)?;
    let mut parts = rest.splitn(3, '+');
    let (Some(origin), Some(hash), Some(data)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(EXPECTED.to_owned());
    };
    let data = Zeroizing::new(STANDARD.decode(data).map_err(|_not_base64| EXPECTED)?);
    let seed = data.strip_prefix(&[1]).ok_or(EXPECTED)?;
    let key = LogKey::from_seed(origin, seed).map_err(|e| e.to_string())?;
    if hex::encode(key.verifier().key_id()) == hash {
        Ok(key)
    } else {
        Err("the key does not have the hash that it names: the file is damaged".to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn the_key_is_read_back_and_damage_is_noticed_without_showing_it() {
        let seed = [7; 32];
        let key = LogKey::from_seed("rehearsal.example.org", &seed).unwrap();
        let text = encode(&key, &seed);
        let read = |text: &str| parse(&Secret::new(text.as_bytes().to_vec()).without_line_end());
        assert_eq!(read(&text).unwrap().verifier().to_string(), key.verifier().to_string());
        let damaged = text.replacen("BwcH", "BwcI", 1);
        assert_ne!(damaged, *text);
        let why = read(&damaged).unwrap_err();
        assert!(why.contains("damaged") && !why.contains("Bwc"), "{why}");
        for bad in ["", "PRIVATE+KEY+a", "PRIVATE+KEY+a+00000000+!!", "rehearsal.example.org+1+2"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
