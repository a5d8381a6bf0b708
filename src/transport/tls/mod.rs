//! TLS by rustls with the `ring` provider, versions 1.2 and 1.3 and nothing older; ALPN is `http/1.1`, because everything here
//! begins with HTTP/1.1.
//!
//! [`Certificates`] is what a listener shows; it is read anew when its files change, and a bad new file keeps the old
//! one. [`Trust`] is what we demand of those we dial. [`make_if_missing`] makes a certificate on the first start.

mod client;
mod self_signed;
mod server;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use thiserror::Error;

pub use client::Trust;
pub use self_signed::make_if_missing;
pub use server::{Certificates, watch};

/// Why TLS cannot be had: which file, and what is wrong with it.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct TlsError(String);

impl TlsError {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// The provider is always named: where two are compiled in, rustls cannot choose and panics.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
const ALPN: &[u8] = b"http/1.1";
