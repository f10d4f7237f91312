//! Callers: authenticated identities.

use std::collections::BTreeMap;
use std::fmt;

use proto::term::Term;

/// How an identity was proven.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum CallerKind {
    /// A SPIFFE ID in a client certificate.
    Spiffe,
    /// A DNS name in a client certificate.
    Dns,
    /// A uid at the other end of a Unix socket.
    Unix,
}

impl CallerKind {
    /// `spiffe`, `dns` or `unix`, as records and policies call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spiffe => "spiffe",
            Self::Dns => "dns",
            Self::Unix => "unix",
        }
    }
}

impl fmt::Display for CallerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An authenticated identity. Its id is stable and names its kind: `spiffe://example.org/ci/linux`,
/// `dns:build.example.org`, `unix:1000`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Caller {
    /// How it was proven.
    pub kind: CallerKind,
    /// The stable id.
    pub id: String,
    /// Who vouches for it, where that is more than the client CAs of the guardrails.
    pub issuer: Option<String>,
    /// Verified claims, normalised.
    pub claims: BTreeMap<String, String>,
}

/// The text is no caller's id.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is no caller: expected a SPIFFE ID (spiffe://example.org/ci/linux), dns: and a DNS name without wildcard \
     (dns:build.example.org), or unix: and a uid (unix:1000)"
)]
pub struct NotACaller(String);

/// Longest id in bytes (that of a SPIFFE ID).
const LONGEST: usize = 2048;

impl Caller {
    /// The caller with this stable id, without issuer and claims.
    ///
    /// # Errors
    /// [`NotACaller`], which says the three forms.
    pub fn parse(id: &str) -> Result<Self, NotACaller> {
        let refused = || NotACaller(id.chars().take(200).collect());
        let kind = if id.len() > LONGEST {
            return Err(refused());
        } else if let Some(rest) = id.strip_prefix("spiffe://") {
            is_spiffe(rest).then_some(CallerKind::Spiffe)
        } else if let Some(name) = id.strip_prefix("dns:") {
            is_dns(name).then_some(CallerKind::Dns)
        } else if let Some(uid) = id.strip_prefix("unix:") {
            uid.parse::<u32>().is_ok_and(|number| number.to_string() == uid).then_some(CallerKind::Unix)
        } else {
            None
        };
        let kind = kind.ok_or_else(refused)?;
        Ok(Self { kind, id: id.to_owned(), issuer: None, claims: BTreeMap::new() })
    }

    /// The caller with this SPIFFE ID.
    ///
    /// # Errors
    /// [`NotACaller`].
    pub fn spiffe(id: &str) -> Result<Self, NotACaller> {
        if id.starts_with("spiffe://") {
            Self::parse(id)
        } else {
            Err(NotACaller(id.chars().take(200).collect()))
        }
    }

    /// The caller with this DNS name, which is compared in lower case.
    ///
    /// # Errors
    /// [`NotACaller`]; a wildcard is none.
    pub fn dns(name: &str) -> Result<Self, NotACaller> {
        Self::parse(&format!("dns:{}", name.to_ascii_lowercase()))
    }

    /// The local caller with this uid.
    pub fn unix(uid: u32) -> Self {
        Self { kind: CallerKind::Unix, id: format!("unix:{uid}"), issuer: None, claims: BTreeMap::new() }
    }

    /// What a stop can name that ends this caller: what every seal of its requires.
    pub fn terms(&self) -> Vec<Term> {
        let issuer = self.issuer.iter().map(|issuer| Term::Issuer(issuer.clone()));
        let claims =
            self.claims.iter().map(|(name, value)| Term::Claim { name: name.clone(), value: value.clone() });
        std::iter::once(Term::Caller(self.id.clone())).chain(issuer).chain(claims).collect()
    }

    /// The `Callers::"…"` that hold it: its kind, and everything above its id up to the id itself.
    pub fn groups(&self) -> Vec<String> {
        let mut groups = vec![self.kind.name().to_owned()];
        match self.kind {
            CallerKind::Spiffe => {
                let path = "spiffe://".len();
                groups.extend(
                    self.id
                        .match_indices('/')
                        .filter(|(at, _)| *at >= path)
                        .map(|(at, _)| self.id[..at].to_owned()),
                );
            }
            CallerKind::Dns => {
                let name = self.id.trim_start_matches("dns:");
                groups.extend(name.match_indices('.').map(|(at, _)| format!("dns:{}", &name[at + 1..])));
            }
            CallerKind::Unix => {}
        }
        groups.push(self.id.clone());
        groups
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.id)
    }
}

/// What follows `spiffe://` (SPIFFE-ID, 2.1 and 2.2): a trust domain, and a path without empty or dot segments.
fn is_spiffe(rest: &str) -> bool {
    let (domain, path) = rest.split_once('/').map_or((rest, None), |(domain, path)| (domain, Some(path)));
    let in_domain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
    let in_path = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let segment = |s: &str| !s.is_empty() && s != "." && s != ".." && s.bytes().all(in_path);
    (1..=255).contains(&domain.len())
        && domain.bytes().all(in_domain)
        && path.is_none_or(|path| path.split('/').all(segment))
}

fn is_dns(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let label = |l: &str| {
        (1..=63).contains(&l.len()) && l.bytes().all(inner) && !l.starts_with('-') && !l.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn the_three_forms_are_read_and_others_refused() {
        for (id, kind) in [
            ("spiffe://example.org/ci/linux", CallerKind::Spiffe),
            ("spiffe://example.org", CallerKind::Spiffe),
            ("dns:build.example.org", CallerKind::Dns),
            ("unix:0", CallerKind::Unix),
        ] {
            let caller = Caller::parse(id).unwrap();
            assert_eq!((caller.kind, caller.to_string().as_str()), (kind, id));
        }
        for bad in [
            "",
            "spiffe://",
            "spiffe://Example.org",
            "spiffe://a//b",
            "spiffe://a/",
            "spiffe://a/../b",
            "spiffe://a/b?c",
            "dns:",
            "dns:*.example.org",
            "dns:a..b",
            "dns:-a",
            "unix:",
            "unix:-1",
            "unix:01",
            "unix:4294967296",
            "root",
            &format!("spiffe://{}", "a/".repeat(2000)),
        ] {
            assert!(Caller::parse(bad).is_err(), "{bad}");
        }
        assert!(Caller::spiffe("unix:0").is_err());
        assert_eq!(Caller::dns("Build.Example.org").unwrap().id, "dns:build.example.org");
    }

    #[test]
    fn groups_are_everything_above_an_id_and_the_id() {
        let groups = |id: &str| Caller::parse(id).unwrap().groups();
        assert_eq!(
            groups("spiffe://example.org/ci/linux"),
            ["spiffe", "spiffe://example.org", "spiffe://example.org/ci", "spiffe://example.org/ci/linux"]
        );
        assert_eq!(groups("spiffe://example.org"), ["spiffe", "spiffe://example.org"]);
        assert_eq!(groups("dns:a.example.org"), ["dns", "dns:example.org", "dns:org", "dns:a.example.org"]);
        assert_eq!(groups("unix:7"), ["unix", "unix:7"]);
    }
}
