//! TLS for the peers of the stories: certificates made on the spot, and clients that look at nothing but what they show.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{Io, soon};

/// A certificate with its key, in files.
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    _folder: Option<TempDir>,
}

impl Pair {
    /// A new one for `localhost` and the loopback addresses.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pair = Self::at(folder.path());
        Self { _folder: Some(folder), ..pair }
    }

    fn at(folder: &Path) -> Self {
        let (certificate, key) = (folder.join("server.pem"), folder.join("server.key"));
        ctigate::transport::tls::make_if_missing(&certificate, &key, &[], "").unwrap();
        Self { certificate, key, _folder: None }
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(&self.certificate).unwrap()
    }

    /// What a server of a test accepts with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.der()], PrivateKeyDer::from_pem_file(&self.key).unwrap())
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Connects with TLS, whatever the certificate; gives the certificate too.
pub(crate) async fn connect(address: SocketAddr) -> (Io, CertificateDer<'static>) {
    over(soon("connect", TcpStream::connect(address)).await.unwrap()).await
}

/// The same over what is connected.
pub(crate) async fn over(tcp: TcpStream) -> (Io, CertificateDer<'static>) {
    let seen = Arc::new(Seen::default());
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&seen) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let tls = soon("TLS", TlsConnector::from(Arc::new(config)).connect(name, tcp)).await.unwrap();
    let certificate = seen.0.lock().unwrap().take().unwrap();
    (Box::new(tls), certificate)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Remembers what it was shown.
#[derive(Debug, Default)]
struct Seen(Mutex<Option<CertificateDer<'static>>>);

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.0.lock().unwrap() = Some(end_entity.clone().into_owned());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
