//! Where the daemon listens, as people write it: `https://host:port` or `unix:/path`.
//!
//! Promises: an address that parses can be dialled without another look at it. Deliberately does not resolve names and knows no
//! default: which instance signs is never a guess.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The port of an address that names none.
pub const DEFAULT_PORT: u16 = 7443;

/// Where the daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// TLS 1.3 over TCP.
    Network {
        /// DNS name or IP address, without brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// A Unix socket of this machine; the daemon knows the caller by its user id.
    Local {
        /// Path of the socket.
        path: PathBuf,
    },
}

/// An address that cannot be dialled, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Plain HTTP, or no scheme at all.
    #[error("`{0}` is not an address: expected `https://host:port` or `unix:/path/to/socket`")]
    Scheme(String),
    /// The part after the scheme is not `host` or `host:port`.
    #[error("`{0}` does not name a host: expected `https://host:port`, without path, user or query")]
    Host(String),
    /// The port is not a number from 1 to 65535.
    #[error("`{0}` is not a port: expected a number from 1 to 65535")]
    Port(String),
    /// A relative socket path would mean something else in every directory.
    #[error("`{0}` is not an absolute path: expected `unix:/path/to/socket`")]
    Relative(String),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if !path.starts_with('/') {
                return Err(AddressError::Relative(path.to_owned()));
            }
            return Ok(Self::Local { path: PathBuf::from(path) });
        }
        let Some(rest) = text.strip_prefix("https://") else {
            return Err(AddressError::Scheme(text.to_owned()));
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split_port(rest)?;
        if host.is_empty() || host.contains(['/', '@', '?', '#', ' ', '[', ']']) {
            return Err(AddressError::Host(text.to_owned()));
        }
        Ok(Self::Network { host: host.to_owned(), port })
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn split_port(rest: &str) -> Result<(&str, u16), AddressError> {
    let (host, port) = match rest.strip_prefix('[') {
        Some(v6) => {
            let (host, after) = v6.split_once(']').ok_or_else(|| AddressError::Host(rest.to_owned()))?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(AddressError::Host(rest.to_owned())),
            }
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let Some(port) = port else { return Ok((host, DEFAULT_PORT)) };
    match port.parse::<u16>() {
        Ok(number) if number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => Ok((host, number)),
        _ => Err(AddressError::Port(port.to_owned())),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network { host, port } if host.contains(':') => write!(f, "https://[{host}]:{port}"),
            Self::Network { host, port } => write!(f, "https://{host}:{port}"),
            Self::Local { path } => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    fn network(host: &str, port: u16) -> Address {
        Address::Network { host: host.to_owned(), port }
    }

    #[test]
    fn both_forms_parse_and_print_the_same() {
        for (text, expected) in [
            ("https://signing.example.org:7443", network("signing.example.org", 7443)),
            ("https://127.0.0.1:1", network("127.0.0.1", 1)),
            ("https://[::1]:9", network("::1", 9)),
            ("unix:/run/countersign/sign.sock", Address::Local { path: "/run/countersign/sign.sock".into() }),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address, expected);
            assert_eq!(address.to_string(), text);
        }
        assert_eq!("https://signing.example.org/".parse(), Ok(network("signing.example.org", DEFAULT_PORT)));
        assert_eq!("unix:///run/s".parse(), Ok(Address::Local { path: "/run/s".into() }));
    }

    #[test]
    fn everything_else_says_what_was_expected() {
        let cases = [
            ("http://signing.example.org", AddressError::Scheme("http://signing.example.org".into())),
            ("signing.example.org:7443", AddressError::Scheme("signing.example.org:7443".into())),
            ("https://", AddressError::Host("https://".into())),
            ("https://a/b", AddressError::Host("https://a/b".into())),
            ("https://me@a", AddressError::Host("https://me@a".into())),
            ("https://a:0", AddressError::Port("0".into())),
            ("https://a:70000", AddressError::Port("70000".into())),
            ("https://a:+7", AddressError::Port("+7".into())),
            ("https://[::1", AddressError::Host("[::1".into())),
            ("unix:run/s", AddressError::Relative("run/s".into())),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Address>(), Err(expected), "{text}");
        }
    }
}
