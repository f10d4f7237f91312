//! The instance's own small CA: client certificates with exactly one name, which the invitation says.
//!
//! Promises: nothing is taken of a request but its public key, and that only with its signature; no certificate is for
//! another key than asked, outlives its CA, or is good for anything but showing who a client is. Does not: decide who gets
//! one.

use std::time::Duration;

use ceremonies::access::{Caller, CallerKind};
use proto::reason::Reason;
use proto::refusal::Refusal;
use proto::time::Time;
use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DistinguishedName, ExtendedKeyUsagePurpose, Issuer,
    KeyPair, KeyUsagePurpose, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use x509_parser::prelude::{FromDer as _, X509Certificate, X509CertificationRequest};

use crate::secret::{SecretError, SecretReference};

/// Largest request in bytes.
const LARGEST: usize = 16 * 1024;

/// Where the CA is, and how long its certificates are good.
#[derive(Clone, Debug)]
pub struct Settings {
    /// PEM, one certificate; it is also a `[[client_ca]]` of the guardrails.
    pub ca: SecretReference,
    /// Its private key, PEM, PKCS#8.
    pub key: SecretReference,
    /// How long a certificate is good.
    pub validity: Duration,
}

/// The CA.
pub struct Ca {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    ends: Time,
    validity: Duration,
}

/// Why there is no CA.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// A file or credential.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Not what was expected.
    #[error("[enrollment]: {0}")]
    Unusable(String),
}

/// A certificate that was issued.
#[derive(Debug)]
pub struct Issued {
    /// DER.
    pub certificate: Vec<u8>,
    /// When it ends.
    pub not_after: Time,
}

fn unusable(why: impl std::fmt::Display) -> CaError {
    CaError::Unusable(why.to_string())
}

fn malformed(why: &str) -> Refusal {
    Refusal::new(Reason::MalformedRequest, format!("csr: {why}"))
}

impl Ca {
    /// Reads certificate and key, and looks whether they belong together and may issue anything.
    ///
    /// # Errors
    /// [`CaError`], which says what was expected.
    pub fn read(settings: &Settings) -> Result<Self, CaError> {
        let path = settings.ca.path()?;
        let pem = std::fs::read(&path)
            .map_err(|why| unusable(format!("ca: cannot read {}: {why}", path.display())))?;
        let certificate = CertificateDer::from_pem_slice(&pem)
            .map_err(|why| unusable(format!("ca: expected a certificate in PEM: {why}")))?;
        let secret = settings.key.read()?;
        let text = secret.text().map_err(|why| unusable(format!("key: {why}")))?;
        let key =
            KeyPair::from_pem(text).map_err(|why| unusable(format!("key: expected PKCS#8 in PEM: {why}")))?;
        let (_, parsed) =
            X509Certificate::from_der(&certificate).map_err(|why| unusable(format!("ca: {why}")))?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(unusable("key: it is not the key of the certificate"));
        }
        if !parsed.is_ca() {
            return Err(unusable("ca: the certificate is not that of a CA (basicConstraints CA:TRUE)"));
        }
        let ends = Time::from_microseconds(parsed.validity().not_after.timestamp().saturating_mul(1_000_000));
        let issuer =
            Issuer::from_ca_cert_der(&certificate, key).map_err(|why| unusable(format!("ca: {why}")))?;
        Ok(Self { issuer, ends, validity: settings.validity, certificate })
    }

    /// Its certificate, DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// A certificate for the key of this request, which names this caller and nobody else.
    ///
    /// # Errors
    /// [`Reason::MalformedRequest`], where the request cannot be read, is not signed by its key, or the key is of another
    /// kind than P-256, P-384 and Ed25519; [`Reason::Unimplemented`], where the CA is over.
    pub fn issue(&self, caller: &Caller, csr: &[u8], now: Time) -> Result<Issued, Refusal> {
        if csr.len() > LARGEST {
            return Err(malformed("expected at most 16 KiB"));
        }
        let expected = "expected a PKCS#10 request in DER, signed by its own key: P-256, P-384 or Ed25519";
        let (rest, request) =
            X509CertificationRequest::from_der(csr).map_err(|_unread| malformed(expected))?;
        if !rest.is_empty() {
            return Err(malformed(expected));
        }
        let asked = request.certification_request_info.subject_pki.raw.to_vec();
        let read = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(csr))
            .map_err(|_unread| malformed(expected))?;
        let kinds = [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519];
        if !kinds.contains(&read.public_key.algorithm()) {
            return Err(malformed(expected));
        }
        let not_after = whole(now.later(self.validity)).min(self.ends);
        if not_after <= now {
            return Err(Refusal::new(
                Reason::Unimplemented,
                "the CA of [enrollment] is over, so it issues nothing: its operator must make another",
            ));
        }
        let failed = |_why: &dyn std::fmt::Display| {
            Refusal::new(Reason::Internal, "the certificate could not be made")
        };
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![match caller.kind {
            CallerKind::Spiffe => {
                SanType::URI(Ia5String::try_from(caller.id.as_str()).map_err(|why| failed(&why))?)
            }
            CallerKind::Dns => {
                let name = caller.id.trim_start_matches("dns:");
                SanType::DnsName(Ia5String::try_from(name).map_err(|why| failed(&why))?)
            }
            CallerKind::Unix => return Err(nobody_elsewhere()),
        }];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let mut serial = [0; 16];
        aws_lc_rs::rand::fill(&mut serial).map_err(|_nothing_said| failed(&"no random numbers"))?;
        // Positive, and of the same length always (RFC 5280, 4.1.2.2).
        serial[0] = (serial[0] & 0x3f) | 0x40;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        // Clocks of clients are not ours.
        params.not_before = date_time_ymd(1970, 1, 1) + since(now.earlier(Duration::from_secs(300)));
        params.not_after = date_time_ymd(1970, 1, 1) + since(not_after);
        let certificate = params.signed_by(&read.public_key, &self.issuer).map_err(|why| failed(&why))?;
        let certificate = certificate.der().to_vec();
        let (_, made) = X509Certificate::from_der(&certificate).map_err(|why| failed(&why))?;
        if made.public_key().raw != asked {
            return Err(malformed(expected));
        }
        Ok(Issued { certificate, not_after })
    }
}

/// The seconds of a moment, as certificates have them.
fn whole(time: Time) -> Time {
    Time::from_microseconds(time.microseconds().div_euclid(1_000_000) * 1_000_000)
}

fn since(time: Time) -> Duration {
    Duration::from_secs(u64::try_from(time.microseconds().div_euclid(1_000_000)).unwrap_or(0))
}

/// A uid is the kernel's word, not a certificate's.
pub(super) fn nobody_elsewhere() -> Refusal {
    Refusal::new(
        Reason::MalformedRequest,
        "caller: a local user needs no certificate; expected a SPIFFE ID (spiffe://example.org/ci/linux) or dns: and a \
         DNS name",
    )
}
