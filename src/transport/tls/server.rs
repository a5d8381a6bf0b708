//! The certificate a listener shows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use notify::{RecursiveMode, Watcher};
use rustls::ServerConfig;
use rustls::crypto::ring::Ticketer;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{ALPN, TlsError, VERSIONS, provider};

/// How long the files must be left alone before they are read: a certificate and its key change one after the other.
const SETTLE: Duration = Duration::from_millis(300);

/// A chain of certificates with its key, from two PEM files, and what follows from them. May change while it is used: each
/// handshake sees what was current when it began.
#[derive(Debug)]
pub struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    config: ArcSwap<ServerConfig>,
    /// Of both files as they were read last, so that an event without a change does nothing.
    digest: Mutex<[u8; 32]>,
    /// When the first of the chain ends, seconds since 1970.
    expires: AtomicI64,
    /// Whose the first of the chain is.
    subject: Mutex<String>,
}

impl Certificates {
    /// Reads both files.
    ///
    /// # Errors
    /// When a file cannot be read, holds no certificate or key, or the two do not belong together.
    pub fn load(certificate: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let Read { config, digest, expires, subject } = read(certificate, key)?;
        Ok(Arc::new(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            config: ArcSwap::from_pointee(config),
            digest: Mutex::new(digest),
            expires: AtomicI64::new(expires),
            subject: Mutex::new(subject),
        }))
    }

    /// Reads both files again. Says whether they have changed.
    ///
    /// # Errors
    /// As [`Self::load`]; then everything stays as it was.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let Read { config, digest, expires, subject } = read(&self.certificate, &self.key)?;
        let mut last = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == digest {
            return Ok(false);
        }
        *last = digest;
        self.config.store(Arc::new(config));
        self.expires.store(expires, Ordering::Relaxed);
        *self.subject.lock().unwrap_or_else(PoisonError::into_inner) = subject;
        Ok(true)
    }

    /// When the first certificate of the chain in use ends, seconds since 1970.
    pub fn expires(&self) -> i64 {
        self.expires.load(Ordering::Relaxed)
    }

    /// Whose certificate it is, as it says itself: RFC 5280 section 4.1.2.6.
    pub fn subject(&self) -> String {
        self.subject.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What accepts the next handshake.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }

    /// Reads both files again, and tells the operator what came of it.
    fn refresh(&self) {
        let certificate = self.certificate.display();
        match self.reload() {
            Ok(true) => tracing::info!(%certificate, "a new certificate is in use"),
            Ok(false) => tracing::debug!(%certificate, "the certificate is unchanged"),
            Err(e) => tracing::error!(%certificate, error = %e, "the old certificate stays in use"),
        }
    }
}

/// Reads certificates again when their files change, and on SIGHUP, until `stop`. Connections that are open keep what they
/// have.
///
/// # Errors
/// When the system refuses to watch a folder.
pub async fn watch(all: Vec<Arc<Certificates>>, stop: CancellationToken) -> Result<(), TlsError> {
    let (changed, mut changes) = mpsc::channel(1);
    // A full channel already says all there is to say.
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|e| !e.kind.is_access()) {
            let _ = changed.try_send(());
        }
    })
    .map_err(|e| TlsError::new(format!("files cannot be watched: {e}")))?;
    // Folders, not files: editors and orchestrators put a new file in the place of the old.
    for folder in folders(&all) {
        watcher
            .watch(&folder, RecursiveMode::NonRecursive)
            .map_err(|e| TlsError::new(format!("{} cannot be watched: {e}", folder.display())))?;
    }
    let mut hangup = Hangup::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = hangup.recv() => {}
            _ = changes.recv() => {
                while timeout(SETTLE, changes.recv()).await.is_ok() {
                    sleep(SETTLE / 10).await;
                }
            }
        }
        for certificates in &all {
            certificates.refresh();
        }
    }
}

fn folders(all: &[Arc<Certificates>]) -> BTreeSet<PathBuf> {
    all.iter()
        .flat_map(|c| [&c.certificate, &c.key])
        .filter_map(|file| file.parent())
        .map(|folder| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
        .collect()
}

/// The signal that asks to read files again, on systems that have it.
struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    async fn recv(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal {
            signal.recv().await;
            return;
        }
        std::future::pending().await
    }
}

/// What two files say.
struct Read {
    config: ServerConfig,
    digest: [u8; 32],
    expires: i64,
    subject: String,
}

fn read(certificate: &Path, key: &Path) -> Result<Read, TlsError> {
    let open = |path: &Path| fs::read(path).map_err(|e| TlsError::new(format!("{}: {e}", path.display())));
    let (chain_pem, key_pem) = (open(certificate)?, open(key)?);
    let chain = CertificateDer::pem_slice_iter(&chain_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| TlsError::new(format!("{}: no certificate in PEM: {e}", certificate.display())))?;
    if chain.is_empty() {
        return Err(TlsError::new(format!("{}: no certificate in PEM", certificate.display())));
    }
    let about = chain.iter().map(|one| about(one)).collect::<Result<Vec<_>, _>>();
    let about = about.map_err(|e| TlsError::new(format!("{}: {e}", certificate.display())))?;
    let private = PrivateKeyDer::from_pem_slice(&key_pem)
        .map_err(|e| TlsError::new(format!("{}: no private key in PEM: {e}", key.display())))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .map_err(|e| TlsError::new(e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|e| {
            TlsError::new(format!("{} and {} do not belong together: {e}", certificate.display(), key.display()))
        })?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Who comes back is spared half the handshake, and we need not remember anybody for it.
    config.ticketer = Ticketer::new().map_err(|e| TlsError::new(e.to_string()))?;
    let digest = Sha256::new().chain_update(&chain_pem).chain_update([0]).chain_update(&key_pem).finalize();
    let expires = about.iter().map(|(expires, _)| *expires).min().unwrap_or_default();
    let subject = about.into_iter().next().map(|(_, subject)| subject).unwrap_or_default();
    Ok(Read { config, digest: digest.into(), expires, subject })
}

/// Until when a certificate is valid, seconds since 1970 (RFC 5280 section 4.1.2.5), and whose it is.
fn about(certificate: &[u8]) -> Result<(i64, String), String> {
    let (_, parsed) =
        x509_parser::parse_x509_certificate(certificate).map_err(|e| format!("no X.509 certificate: {e}"))?;
    Ok((parsed.validity().not_after.timestamp(), parsed.subject().to_string()))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn the_chain_ends_with_the_first_that_does() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        let pair = KeyPair::generate().unwrap();
        let until = |year| {
            let mut params = CertificateParams::new(vec!["cti.example".to_owned()]).unwrap();
            params.not_after = date_time_ymd(year, 1, 2);
            params.self_signed(&pair).unwrap().pem()
        };
        fs::write(&key, pair.serialize_pem()).unwrap();
        fs::write(&certificate, until(2060) + &until(2049)).unwrap();
        let loaded = Certificates::load(&certificate, &key).unwrap();
        assert_eq!(loaded.expires(), date_time_ymd(2049, 1, 2).unix_timestamp());
        fs::write(&certificate, until(2060)).unwrap();
        assert!(loaded.reload().unwrap());
        assert_eq!(loaded.expires(), date_time_ymd(2060, 1, 2).unix_timestamp());
    }
}
