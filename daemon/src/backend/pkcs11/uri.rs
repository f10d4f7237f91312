//! PKCS#11 URIs (RFC 7512), as far as they name a token or a private key.
//!
//! Accepted path attributes: `token manufacturer model serial object id type`. Everything else is refused, by name and
//! with what to do: `pin-value` because a PIN does not belong into a command line or a configuration file; `pin-source`
//! and `module-…` because module and PIN are those of `[backend.NAME]`; `slot-…` because slots are renumbered. A URI has
//! one reading: no attribute twice, no unknown attribute, strict percent-encoding.
//!
//! Invariant: reading what was written gives the same URI; held by `what_is_written_is_read_back`.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// The longest URI that is read, in bytes.
pub const LONGEST: usize = 2048;

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A token, or a private key in a token. Absent attributes match everything.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Uri {
    /// Label of the token.
    pub token: Option<String>,
    /// Manufacturer of the token.
    pub manufacturer: Option<String>,
    /// Model of the token.
    pub model: Option<String>,
    /// Serial number of the token.
    pub serial: Option<String>,
    /// Label of the key (`CKA_LABEL`).
    pub object: Option<String>,
    /// Id of the key (`CKA_ID`), bytes.
    pub id: Option<Vec<u8>>,
    /// Whether `type=private` is written.
    pub private: bool,
}

/// Not a URI that names a token or a private key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UriError {
    /// Another scheme, or too long.
    #[error(
        "expected a PKCS#11 URI (RFC 7512) of at most {LONGEST} bytes, reserved characters counted as %XX, like \
         pkcs11:token=release;object=linux"
    )]
    Form,
    /// An attribute without a value, or with an empty one.
    #[error("expected name=value between the semicolons of a PKCS#11 URI, got `{0}`")]
    Attribute(String),
    /// A character that must be percent-encoded, or a broken percent-encoding.
    #[error(
        "`{0}` is not percent-encoded as RFC 7512 asks: every byte but letters, digits and -._~ may be written %XX"
    )]
    Encoding(String),
    /// Not UTF-8.
    #[error("the value of `{0}` is not UTF-8")]
    NotText(String),
    /// The same attribute twice.
    #[error("the attribute `{0}` stands in the URI twice")]
    Twice(String),
    /// An attribute that has no place here.
    #[error("`{name}` has no place here: {advice}")]
    Refused {
        /// The attribute.
        name: String,
        /// What to do instead.
        advice: &'static str,
    },
}

impl Uri {
    /// Whether it names a key, and not only a token.
    pub const fn names_a_key(&self) -> bool {
        self.object.is_some() || self.id.is_some()
    }

    /// The same token, without the key.
    pub fn token_only(&self) -> Self {
        Self { object: None, id: None, private: false, ..self.clone() }
    }

    /// Whether no token is both this one and that one: where both name a property, it differs.
    pub fn contradicts(&self, other: &Self) -> bool {
        let apart = |one: &Option<String>, two: &Option<String>| match (one, two) {
            (Some(one), Some(two)) => one.trim_end() != two.trim_end(),
            _ => false,
        };
        apart(&self.token, &other.token)
            || apart(&self.manufacturer, &other.manufacturer)
            || apart(&self.model, &other.model)
            || apart(&self.serial, &other.serial)
    }

    /// Whether a token with these properties is the one named. Tokens pad their properties with blanks; those are not
    /// compared.
    pub fn matches_token(&self, label: &str, manufacturer: &str, model: &str, serial: &str) -> bool {
        let same = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted.trim_end() == found.trim_end())
        };
        same(&self.token, label)
            && same(&self.manufacturer, manufacturer)
            && same(&self.model, model)
            && same(&self.serial, serial)
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let rest = text.strip_prefix("pkcs11:").filter(|_| text.len() <= LONGEST).ok_or(UriError::Form)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        for attribute in path.split(';').filter(|_| !path.is_empty()) {
            uri.take(attribute)?;
        }
        match query.split('&').find(|attribute| !attribute.is_empty()) {
            Some(attribute) => Err(refused(attribute.split_once('=').map_or(attribute, |(name, _)| name))),
            None if rest.contains('?') => Err(UriError::Form),
            // Written it may be three times as long, and what is written must be read: records and frames hold it.
            None if uri.to_string().len() > LONGEST => Err(UriError::Form),
            None => Ok(uri),
        }
    }
}

impl Uri {
    fn take(&mut self, attribute: &str) -> Result<(), UriError> {
        let (name, value) =
            attribute.split_once('=').ok_or_else(|| UriError::Attribute(shortened(attribute)))?;
        let place = match name {
            "token" => &mut self.token,
            "manufacturer" => &mut self.manufacturer,
            "model" => &mut self.model,
            "serial" => &mut self.serial,
            "object" => &mut self.object,
            "id" => {
                let bytes = decode(value)?;
                if bytes.is_empty() {
                    return Err(UriError::Attribute(shortened(attribute)));
                }
                return if self.id.replace(bytes).is_some() {
                    Err(UriError::Twice(name.to_owned()))
                } else {
                    Ok(())
                };
            }
            "type" => {
                return match (value, std::mem::replace(&mut self.private, true)) {
                    ("private", false) => Ok(()),
                    (_, true) => Err(UriError::Twice(name.to_owned())),
                    _ => Err(UriError::Refused {
                        name: attribute.to_owned(),
                        advice: "name the private key: type=private",
                    }),
                };
            }
            other => return Err(refused(other)),
        };
        let text = String::from_utf8(decode(value)?).map_err(|_bytes| UriError::NotText(name.to_owned()))?;
        match (text.is_empty(), place.replace(text)) {
            (true, _) => Err(UriError::Attribute(shortened(attribute))),
            (false, Some(_)) => Err(UriError::Twice(name.to_owned())),
            (false, None) => Ok(()),
        }
    }
}

fn refused(name: &str) -> UriError {
    let advice = match name {
        "pin-value" => "a PIN never stands in a URI; write pin = { file = \"…\" } in [backend.NAME]",
        "pin-source" => "write pin = { file = \"…\" } in [backend.NAME]",
        "module-path" | "module-name" => "write module = \"/path/module.so\" in [backend.NAME]",
        "label" => "the key's label is called `object`, the token's `token`",
        _ if name.starts_with("slot-") => "slots are renumbered; name the token by `token` and `serial`",
        _ => "expected token, manufacturer, model, serial, object, id or type",
    };
    UriError::Refused { name: shortened(name), advice }
}

/// RFC 7512, section 2.3: unreserved, `pk11-path-res-avail`, `&` and percent-encoded bytes.
fn decode(value: &str) -> Result<Vec<u8>, UriError> {
    let bytes = value.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let allowed = byte.is_ascii_alphanumeric() || b"-._~:[]@!$'()*+,=&".contains(&byte);
        let encoded = byte == b'%'
            && bytes.get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
        if !allowed && !encoded {
            return Err(UriError::Encoding(shortened(value)));
        }
        at += if encoded { 3 } else { 1 };
    }
    Ok(percent_decode_str(value).collect())
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pkcs11:")?;
        let mut between = "";
        let texts = [
            ("token", &self.token),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("serial", &self.serial),
            ("object", &self.object),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                write!(f, "{between}{name}={}", utf8_percent_encode(value, RESERVED))?;
                between = ";";
            }
        }
        if let Some(id) = &self.id {
            write!(f, "{between}id=")?;
            id.iter().try_for_each(|byte| write!(f, "%{byte:02X}"))?;
            between = ";";
        }
        if self.private { write!(f, "{between}type=private") } else { Ok(()) }
    }
}

impl TryFrom<String> for Uri {
    type Error = UriError;

    fn try_from(text: String) -> Result<Self, UriError> {
        text.parse()
    }
}

impl From<Uri> for String {
    fn from(uri: Uri) -> Self {
        uri.to_string()
    }
}

#[cfg(test)]
mod tests;
