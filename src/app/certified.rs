//! The certificates that listeners show, by the key of the configuration that names them. Each is read once, watched for changes of
//! its files, and shared by all who show it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Config;
use crate::shutdown::Shutdown;
use crate::transport::tls::{self, Certificates};

use super::{StartError, needs_certificate, settings};

/// The key of the certificate that everything shows that names none of its own.
const OF_WEB: &str = "web.certificate";

/// Certificates in use.
pub(super) struct Certified {
    shown: Mutex<Vec<One>>,
    shutdown: Shutdown,
}

struct One {
    key: String,
    files: (PathBuf, PathBuf),
    certificates: Arc<Certificates>,
}

impl Certified {
    pub(super) fn new(shutdown: Shutdown) -> Self {
        Self { shown: Mutex::default(), shutdown }
    }

    /// The certificate of `[web]`, if anything shows it; made when both its files are missing.
    ///
    /// # Errors
    /// [`StartError::Tls`].
    pub(super) fn of_web(&self, config: &Config) -> Result<Option<Arc<Certificates>>, StartError> {
        if !needs_certificate(config) {
            return Ok(None);
        }
        let (certificate, key) = (&config.web.certificate, &config.web.key);
        let (bound, host) = settings::certificate_names(config);
        tls::make_if_missing(certificate, key, &bound, host)
            .map_err(|why| StartError::Tls { key: OF_WEB.to_owned(), why })?;
        self.load(OF_WEB, certificate, key).map(Some)
    }

    /// The certificate in these files.
    ///
    /// # Errors
    /// [`StartError::Tls`].
    pub(super) fn load(&self, key: &str, certificate: &Path, private: &Path) -> Result<Arc<Certificates>, StartError> {
        let files = (certificate.to_owned(), private.to_owned());
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shown.iter().find(|one| one.files == files) {
            return Ok(Arc::clone(&known.certificates));
        }
        let certificates =
            Certificates::load(certificate, private).map_err(|why| StartError::Tls { key: key.to_owned(), why })?;
        shown.retain(|one| one.key != key);
        shown.push(One { key: key.to_owned(), files, certificates: Arc::clone(&certificates) });
        let (watched, stop) = (vec![Arc::clone(&certificates)], self.shutdown.token());
        self.shutdown.spawn("certificates", async move {
            if let Err(why) = tls::watch(watched, stop).await {
                tracing::warn!(%why, "certificates are not watched: a change needs SIGHUP or a restart");
            }
        });
        Ok(certificates)
    }

    /// Until when each is valid, seconds since 1970.
    pub(super) fn expires(&self) -> Vec<(String, i64)> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.iter().map(|one| (one.key.clone(), one.certificates.expires())).collect()
    }

    /// Whose each is, and until when, seconds since 1970.
    pub(super) fn shown(&self) -> Vec<(String, String, i64)> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.iter().map(|one| (one.key.clone(), one.certificates.subject(), one.certificates.expires())).collect()
    }

    /// Forgets those of links that are no more, so that nobody is warned of them.
    pub(super) fn keep_only(&self, config: &Config) {
        let named = |one: &One| {
            let by_link = config.links.iter().any(|l| l.certificate.as_ref() == Some(&one.files.0));
            by_link || one.key == OF_WEB
        };
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).retain(named);
    }
}
