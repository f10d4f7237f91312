//! The address of an anchor: `https://`, and the object's own path. It is in a record for ever, in metrics and on pages
//! that anybody reads, so nothing that gives a right may be in it.

use std::fmt;
use std::str::FromStr;

use http::Uri;

const LONGEST: usize = 512;

/// An address without user, query and fragment.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Address {
    text: String,
    host: String,
    port: u16,
    path: String,
}

/// Not the address of an anchor.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotAnAddress {
    /// Not `https`, or no host, or no object.
    #[error(
        "expected the address of one object, like https://anchor.example.org/countersign/log, of at most {LONGEST} bytes, \
         scheme and host in lower case"
    )]
    Shape,
    /// Something that may be a secret stands in it.
    #[error(
        "an anchor's address has no user, no `?` and no `#`, because it is recorded and shown: name where the secret is with \
         `basic`, `bearer` or `query`"
    )]
    Secret,
}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        if text.contains(['?', '#', '@']) {
            return Err(NotAnAddress::Secret);
        }
        if text.len() > LONGEST || !text.starts_with("https://") {
            return Err(NotAnAddress::Shape);
        }
        let uri: Uri = text.parse().map_err(|_shape| NotAnAddress::Shape)?;
        let host = uri.host().unwrap_or_default();
        let path = uri.path();
        let lower = !host.bytes().any(|byte| byte.is_ascii_uppercase());
        let port = match uri.port() {
            None => uri.authority().is_some_and(|authority| authority.as_str() == host).then_some(443),
            Some(port) => Some(port.as_u16()).filter(|port| *port != 0),
        };
        let (true, Some(port)) = (!host.is_empty() && lower && !path.ends_with('/'), port) else {
            return Err(NotAnAddress::Shape);
        };
        Ok(Self {
            text: text.to_owned(),
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
            path: path.to_owned(),
        })
    }
}

impl Address {
    /// The host's name or number.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The object's path, from its `/` on.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// What stands between `https://` and the path: the header `Host`.
    pub(super) fn authority(&self) -> &str {
        let rest = self.text.trim_start_matches("https://");
        rest.split('/').next().unwrap_or(rest)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        for (text, host, port, authority) in [
            ("https://anchor.example.org/countersign/log", "anchor.example.org", 443, "anchor.example.org"),
            ("https://10.0.0.7:8443/log", "10.0.0.7", 8443, "10.0.0.7:8443"),
            ("https://[::1]:8443/log", "::1", 8443, "[::1]:8443"),
            ("https://[::1]/log", "::1", 443, "[::1]"),
        ] {
            let address: Address = text.parse().unwrap();
            let path = &text[8 + authority.len()..];
            assert_eq!((address.host(), address.port(), address.path()), (host, port, path), "{text}");
            assert_eq!((address.authority(), address.to_string().as_str()), (authority, text));
        }
    }

    #[test]
    fn what_is_no_object_or_holds_a_right_is_refused() {
        let shape = [
            "",
            "anchor.example.org/log",
            "http://anchor.example.org/log",
            "https://",
            "https:///log",
            "https://anchor.example.org",
            "https://anchor.example.org/",
            "https://anchor.example.org/logs/",
            "https://Anchor.example.org/log",
            "HTTPS://anchor.example.org/log",
            "https://anchor.example.org:/log",
            "https://anchor.example.org:0/log",
            "https://anchor.example.org:70000/log",
            "https://anchor.example.org/a b",
        ];
        for text in shape {
            assert_eq!(text.parse::<Address>(), Err(NotAnAddress::Shape), "{text}");
        }
        assert_eq!(
            format!("https://a.example/{}", "x".repeat(LONGEST)).parse::<Address>(),
            Err(NotAnAddress::Shape)
        );
        for text in ["https://u:p@a.example/log", "https://a.example/log?sig=1", "https://a.example/log#x"] {
            assert_eq!(text.parse::<Address>(), Err(NotAnAddress::Secret), "{text}");
        }
    }
}
