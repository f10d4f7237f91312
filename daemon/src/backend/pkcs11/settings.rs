//! Settings of a PKCS#11 backend.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::uri::Uri;
use crate::secret::SecretReference;

/// `[backend.NAME]` with `kind = "pkcs11"`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The vendor's module, an absolute path.
    pub module: PathBuf,
    /// The token: `pkcs11:token=release;serial=…`.
    pub token: Uri,
    /// Where the user PIN is; absent for a token that wants none.
    pub pin: Option<SecretReference>,
    /// Sessions, each with a thread of the host: the processors' number for a token in software, more for an HSM behind
    /// a network.
    #[serde(default = "sessions")]
    pub sessions: u16,
    /// How long one call of the module may take before its process is ended: `"10s"`, `"500ms"`.
    #[serde(default = "call_limit", deserialize_with = "duration")]
    pub call_limit: Duration,
    /// The socket of a host that runs as a unit of its own; absent, the daemon starts the host.
    pub host: Option<PathBuf>,
    /// Environment variables for the module, beside the daemon's own: vendors read their configuration's place from them.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// How many calls may wait, in all.
    #[serde(default = "queue")]
    pub queue: usize,
    /// How many calls of one caller may wait.
    #[serde(default = "queue_per_caller")]
    pub queue_per_caller: usize,
}

const fn sessions() -> u16 {
    4
}

const fn call_limit() -> Duration {
    Duration::from_secs(10)
}

const fn queue() -> usize {
    8192
}

const fn queue_per_caller() -> usize {
    2048
}

impl Settings {
    /// For this module and token, with the defaults for everything else.
    pub fn new(module: impl Into<PathBuf>, token: Uri, pin: Option<SecretReference>) -> Self {
        Self {
            module: module.into(),
            token,
            pin,
            sessions: sessions(),
            call_limit: call_limit(),
            host: None,
            environment: BTreeMap::new(),
            queue: queue(),
            queue_per_caller: queue_per_caller(),
        }
    }

    /// What is wrong with them, all at once. Opens nothing.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut expect = |holds: bool, what: &str| {
            if !holds {
                problems.push(what.to_owned());
            }
        };
        expect(self.module.is_absolute(), "module is an absolute path, like /usr/lib/softhsm/libsofthsm2.so");
        expect(
            self.token.token.is_some() || self.token.serial.is_some(),
            "token names the token: pkcs11:token=LABEL;serial=NUMBER",
        );
        expect(
            !self.token.names_a_key() && !self.token.private,
            "token names a token, not a key: leave out object, id and type",
        );
        expect((1..=1024).contains(&self.sessions), "sessions is 1 to 1024");
        let limit = Duration::from_millis(100)..=Duration::from_secs(600);
        expect(limit.contains(&self.call_limit), "call_limit is 100ms to 600s");
        expect(
            self.queue >= self.queue_per_caller && self.queue_per_caller > 0,
            "queue_per_caller is at least 1 and at most queue",
        );
        expect(
            self.host.as_ref().is_none_or(|host| host.is_absolute()),
            "host is the absolute path of a socket",
        );
        expect(
            self.host.is_none() || self.environment.is_empty(),
            "environment belongs into the unit of the host where `host` is set",
        );
        problems
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let expected = || serde::de::Error::custom("expected a duration like \"500ms\", \"10s\" or \"2m\"");
    let text = String::deserialize(deserializer).map_err(|_not_text: D::Error| expected())?;
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let parsed = match (number.parse::<u32>(), unit) {
        (Ok(number), "ms") => Some(Duration::from_millis(number.into())),
        (Ok(number), "s") => Some(Duration::from_secs(number.into())),
        (Ok(number), "m") => Some(Duration::from_secs(u64::from(number) * 60)),
        _ => None,
    };
    parsed.ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    fn read(more: &str) -> Result<crate::backend::Settings, toml::de::Error> {
        let text = format!("kind = \"pkcs11\"\nmodule = \"/m.so\"\ntoken = \"pkcs11:token=release\"\n{more}");
        toml::from_str(&text)
    }

    #[test]
    fn the_documented_form_is_read_and_unknown_keys_are_refused() {
        let settings =
            read("pin = { credential = \"hsm-a.pin\" }\nsessions = 8\ncall_limit = \"1500ms\"\n").unwrap();
        let crate::backend::Settings::Pkcs11(settings) = settings else { panic!("another kind") };
        assert_eq!((settings.sessions, settings.call_limit), (8, Duration::from_millis(1500)));
        assert!(settings.problems().is_empty());
        assert!(read("session = 8").unwrap_err().to_string().contains("session"));
        assert!(read("call_limit = 10").unwrap_err().to_string().contains("\"10s\""));
        assert!(read("call_limit = \"10 h\"").unwrap_err().to_string().contains("500ms"));
        let pin = read("pin = \"987654\"").unwrap_err();
        assert!(!pin.message().contains("987654"), "{pin}");
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let mut settings = Settings::new("m.so", "pkcs11:object=k".parse().unwrap(), None);
        settings.sessions = 0;
        settings.call_limit = Duration::ZERO;
        settings.queue_per_caller = 0;
        settings.host = Some("host.sock".into());
        settings.environment.insert("A".into(), "b".into());
        assert_eq!(settings.problems().len(), 8, "{:?}", settings.problems());
    }
}
