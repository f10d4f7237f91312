//! Client certificates by invitation: a token for somebody else, and a certificate for a token.
//!
//! Promises: the private key is made here and never leaves; what comes back is a certificate for that key and for the name that
//! the answer says. A lost answer is said as such: whether the token was used is then not known.

use proto::wire::v1;
use proto::wire::v1::enrollment_service_client::EnrollmentServiceClient;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tonic::Response;

use crate::connection::{CallError, Connection};
use crate::refused::NoAnswer;
use crate::retry::{Patience, patiently};

/// Invites a caller.
///
/// # Errors
/// Where it is refused or never answered. An invitation that nobody heard of is worth nothing and ends by itself.
pub async fn invite(
    connection: &Connection,
    caller: &str,
    valid_for: Option<std::time::Duration>,
    patience: Patience,
) -> Result<v1::InviteResponse, CallError> {
    let client = EnrollmentServiceClient::new(connection.channel());
    let valid_for = valid_for
        .map(prost_types::Duration::try_from)
        .transpose()
        .map_err(|cause| CallError::Answer(cause.to_string()))?;
    let request = v1::InviteRequest { caller: caller.to_owned(), valid_for };
    let answer = patiently(patience, |patience| {
        let mut client = client.clone();
        let request = patience.request(request.clone());
        async move { client.invite(request).await.map(Response::into_inner) }
    })
    .await?;
    Ok(answer)
}

/// A private key that was made here, and the request for a certificate for it.
pub struct Fresh {
    key: KeyPair,
    csr: Vec<u8>,
}

impl Fresh {
    /// A new key: P-256. The request says nothing but its public half.
    ///
    /// # Errors
    /// Where there are no random numbers.
    pub fn make() -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let csr = params.serialize_request(&key)?.der().to_vec();
        Ok(Self { key, csr })
    }

    /// PKCS#8, PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// Exchanges a token for a certificate for this key. Asked once: an answer that is lost may have been given.
    ///
    /// # Errors
    /// Where it is refused or not answered, or what came is no certificate for this key and that name.
    pub async fn enroll(
        &self,
        connection: &Connection,
        token: &str,
        patience: Patience,
    ) -> Result<v1::EnrollResponse, CallError> {
        let mut client = EnrollmentServiceClient::new(connection.channel());
        let request = v1::EnrollRequest { token: token.to_owned(), csr: self.csr.clone() };
        let asked = client.enroll(patience.request(request)).await;
        let answer = asked.map_err(|status| NoAnswer::of(&status))?.into_inner();
        self.fits(&answer)?;
        Ok(answer)
    }

    fn fits(&self, answer: &v1::EnrollResponse) -> Result<(), CallError> {
        let no = |why: &str| CallError::Answer(why.to_owned());
        let key = PrivateKeyDer::from_pem_slice(self.pem().as_bytes()).map_err(|_unread| no("no key"))?;
        let chain = vec![CertificateDer::from(answer.certificate.clone())];
        CertifiedKey::from_der(chain, key, &default_provider())
            .map_err(|_mismatch| no("the certificate is not for the key that was made here"))?;
        let name = answer.caller.strip_prefix("dns:").unwrap_or(&answer.caller).as_bytes();
        let named = !name.is_empty() && answer.certificate.windows(name.len()).any(|window| window == name);
        if named { Ok(()) } else { Err(no("the certificate does not name whom the answer says")) }
    }
}

/// DER as PEM.
#[must_use]
pub fn certificate_pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem + "-----END CERTIFICATE-----\n"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use rcgen::{SanType, string::Ia5String};

    use super::*;

    fn answer(key: &KeyPair, name: &str) -> v1::EnrollResponse {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(name).unwrap())];
        let certificate = params.self_signed(key).unwrap().der().to_vec();
        let caller = "spiffe://example.org/ci".to_owned();
        v1::EnrollResponse { caller, certificate, ..v1::EnrollResponse::default() }
    }

    #[test]
    fn a_certificate_for_another_key_or_another_name_is_not_taken() {
        let (fresh, other) = (Fresh::make().unwrap(), KeyPair::generate().unwrap());
        fresh.fits(&answer(&fresh.key, "spiffe://example.org/ci")).unwrap();
        let why = |answer| fresh.fits(&answer).unwrap_err().to_string();
        assert!(why(answer(&other, "spiffe://example.org/ci")).contains("not for the key"));
        assert!(why(answer(&fresh.key, "spiffe://example.org/other")).contains("does not name"));
        assert!(why(v1::EnrollResponse::default()).contains("not for the key"));
    }

    #[test]
    fn pem_is_read_back() {
        let fresh = Fresh::make().unwrap();
        let der = answer(&fresh.key, "spiffe://example.org/ci").certificate;
        let read = CertificateDer::from_pem_slice(certificate_pem(&der).as_bytes()).unwrap();
        assert_eq!(read.as_ref(), der);
    }
}
