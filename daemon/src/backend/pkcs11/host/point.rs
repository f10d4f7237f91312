//! Public keys out of PKCS#11 attributes, read leniently where modules differ and strictly in what comes out.

use proto::proof::encoding::Curve;
use proto::proof::public_key::PublicKey;

/// The curve that `CKA_EC_PARAMS` names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Named {
    /// A curve for ECDSA.
    Ecdsa(Curve),
    /// Ed25519.
    Ed25519,
}

const NAMED: [(&[u8], Named); 5] = [
    (&[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], Named::Ecdsa(Curve::P256)),
    (&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22], Named::Ecdsa(Curve::P384)),
    (&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23], Named::Ecdsa(Curve::P521)),
    (&[0x06, 0x03, 0x2b, 0x65, 0x70], Named::Ed25519),
    // SoftHSM answers this PrintableString whatever was asked for (PKCS#11 v3.0, 2.3.5 allows it).
    (b"\x13\x0cedwards25519", Named::Ed25519),
];

const UNSUPPORTED: [(&[u8], &str); 5] = [
    (&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x21], "P-224"),
    (&[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x01], "P-192"),
    (&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a], "secp256k1"),
    (&[0x06, 0x03, 0x2b, 0x65, 0x71], "Ed448"),
    (b"\x13\x0aedwards448", "Ed448"),
];

impl Named {
    /// The DER of `CKA_EC_PARAMS` for a new key.
    pub(super) fn parameters(self) -> Vec<u8> {
        NAMED.iter().find(|(_, named)| *named == self).map_or_else(Vec::new, |(der, _)| der.to_vec())
    }
}

/// The curve of a key.
///
/// # Errors
/// Its name, where nobody here supports it.
pub(super) fn curve(parameters: &[u8]) -> Result<Named, String> {
    if let Some((_, named)) = NAMED.iter().find(|(der, _)| *der == parameters) {
        return Ok(*named);
    }
    let known = UNSUPPORTED.iter().find(|(der, _)| *der == parameters).map(|(_, name)| *name);
    let name = match (known, parameters) {
        (Some(name), _) => name,
        (None, [0x06, _, 0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, ..]) => "a Brainpool curve",
        (None, [0x30, ..]) => "a curve given by its parameters",
        (None, _) => "an unknown curve",
    };
    Err(format!("{name} is not supported: use P-256, P-384, P-521 or Ed25519"))
}

/// The public key of a curve and `CKA_EC_POINT`: the point itself, or wrapped in an OCTET STRING or BIT STRING.
///
/// # Errors
/// What is wrong with the point.
pub(super) fn from_point(curve: Named, point: &[u8]) -> Result<PublicKey, String> {
    let length = match curve {
        Named::Ecdsa(curve) => 1 + 2 * curve.length(),
        Named::Ed25519 => 32,
    };
    let bare = bare(point, length)
        .ok_or_else(|| format!("CKA_EC_POINT has {} bytes where a point has {length}", point.len()))?;
    let key = match (curve, bare.first_chunk::<32>()) {
        (Named::Ecdsa(curve), _) => PublicKey::from_ec_point(curve, bare),
        (Named::Ed25519, Some(raw)) => PublicKey::from_ed25519(raw),
        (Named::Ed25519, None) => return Err("an Ed25519 point has 32 bytes".to_owned()),
    };
    key.map_err(|e| e.to_string())
}

/// Both an uncompressed point and an OCTET STRING begin with 0x04, so the length decides.
fn bare(point: &[u8], length: usize) -> Option<&[u8]> {
    let matches = |bytes: &[u8]| bytes.len() == length;
    match point {
        bare if matches(bare) => Some(bare),
        [0x04, short, rest @ ..] if usize::from(*short) == length && matches(rest) => Some(rest),
        [0x04, 0x81, short, rest @ ..] if usize::from(*short) == length && matches(rest) => Some(rest),
        [0x03, short, 0, rest @ ..] if usize::from(*short) == length + 1 && matches(rest) => Some(rest),
        [0x03, 0x81, short, 0, rest @ ..] if usize::from(*short) == length + 1 && matches(rest) => Some(rest),
        _ => None,
    }
}

/// The public key of an RSA modulus and exponent.
///
/// # Errors
/// The size, where nobody here supports it.
pub(super) fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<PublicKey, String> {
    PublicKey::from_rsa(modulus, exponent).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    const POINT: &str = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                         4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

    #[test]
    fn points_are_read_bare_and_wrapped() {
        let point = hex::decode(POINT).unwrap();
        let wrapped = [&[0x04, 65][..], &point].concat();
        let bits = [&[0x03, 66, 0][..], &point].concat();
        let key = from_point(Named::Ecdsa(Curve::P256), &point).unwrap();
        assert_eq!(from_point(Named::Ecdsa(Curve::P256), &wrapped).unwrap(), key);
        assert_eq!(from_point(Named::Ecdsa(Curve::P256), &bits).unwrap(), key);
        assert!(from_point(Named::Ecdsa(Curve::P384), &point).is_err());
        let mut off_the_curve = point;
        off_the_curve[64] ^= 1;
        assert!(from_point(Named::Ecdsa(Curve::P256), &off_the_curve).is_err());
        let raw: Vec<u8> =
            hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
        let wrapped = [&[0x04, 32][..], &raw].concat();
        assert_eq!(from_point(Named::Ed25519, &raw), from_point(Named::Ed25519, &wrapped));
    }

    #[test]
    fn curves_that_nobody_supports_are_named() {
        assert!(curve(&hex::decode("06052b81040021").unwrap()).unwrap_err().contains("P-224"));
        assert!(curve(&hex::decode("06052b8104000a").unwrap()).unwrap_err().contains("secp256k1"));
        assert!(curve(&hex::decode("06092b2403030208010107").unwrap()).unwrap_err().contains("Brainpool"));
        for named in [Named::Ecdsa(Curve::P256), Named::Ecdsa(Curve::P521), Named::Ed25519] {
            assert_eq!(curve(&named.parameters()), Ok(named));
        }
    }
}
