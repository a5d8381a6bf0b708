//! What we demand of the servers we dial.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio_rustls::TlsConnector;

use super::{ALPN, TlsError, VERSIONS, provider};

/// Whom we believe that they are the server that the URL names.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Whoever has a certificate for the name from an authority of the operating system.
    System,
    /// Whoever has a certificate for the name from an authority in this PEM file. A certificate that signed itself may stand
    /// there as its own authority.
    File(std::path::PathBuf),
    /// Whoever shows the certificate with this SHA-256 (of the whole certificate, in DER). Name, authority and age do not
    /// count then.
    Pin([u8; 32]),
    /// Anybody. Whoever stands between can read and change everything.
    Anybody,
}

impl Trust {
    /// What dials with this trust.
    ///
    /// # Errors
    /// When there are no authorities to trust, or the file cannot be read.
    pub(crate) fn connector(&self) -> Result<TlsConnector, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .map_err(|e| TlsError::new(e.to_string()))?;
        let mut config = match self {
            Self::System => builder.with_webpki_verifier(webpki(system_roots()?)?),
            Self::File(path) => builder.with_webpki_verifier(webpki(roots_of(path)?)?),
            Self::Pin(pin) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Without { pin: Some(*pin), provider: provider() })),
            Self::Anybody => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Without { pin: None, provider: provider() })),
        }
        .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn webpki(roots: RootCertStore) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|e| TlsError::new(e.to_string()))
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map_or_else(String::new, |e| format!(": {e}"));
        return Err(TlsError::new(format!(
            "the system has no list of authorities{why}; install one (ca-certificates) or set ca_file in the link"
        )));
    }
    Ok(roots)
}

fn roots_of(path: &Path) -> Result<RootCertStore, TlsError> {
    let wrong = |e: String| TlsError::new(format!("{}: {e}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| wrong(e.to_string()))? {
        let certificate = certificate.map_err(|e| wrong(e.to_string()))?;
        roots.add(certificate).map_err(|e| wrong(format!("an authority is not usable: {e}")))?;
    }
    if roots.is_empty() {
        return Err(wrong("no certificate in PEM".to_owned()));
    }
    Ok(roots)
}

/// Looks at no authority: only at the pin, where there is one. That the peer holds the certificate's key is always checked.
#[derive(Debug)]
struct Without {
    pin: Option<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Without {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(pin) = self.pin else { return Ok(ServerCertVerified::assertion()) };
        let seen = Sha256::digest(end_entity.as_ref());
        if bool::from(seen.as_slice().ct_eq(&pin)) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
