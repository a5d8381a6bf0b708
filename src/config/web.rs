//! `[web]`: the ports that people and programs reach, and `[log]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Cidr;
use super::keyword::keywords;

/// `[web]`: HTTP and WebSocket for browsers, and the admin port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Web {
    /// HTTP and WebSocket for browsers, both on one port. Default `127.0.0.1:4055`.
    #[serde(with = "address")]
    pub bind: SocketAddr,
    /// The same with TLS; `""` switches it off. Default `127.0.0.1:4056`.
    #[serde(with = "off_or_address")]
    pub tls_bind: Option<SocketAddr>,
    /// Chain of certificates, PEM; made on first start when both files are missing. Default `certs/server.pem`.
    pub certificate: PathBuf,
    /// Private key, PEM. Default `certs/server.key`.
    pub key: PathBuf,
    /// Answer the first frame of a plain browser channel with `websocketredirect`; needs `public_url` on https port 443.
    /// Default false.
    pub require_tls: bool,
    /// Origins that browsers may come from besides the gateway's own host name, like `https://crm.example`. Default none.
    pub allowed_origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed. Default none.
    pub trusted_proxies: Vec<Cidr>,
    /// The address that people type when a proxy stands in front, like `https://cti.example`; empty: none. Default empty.
    pub public_url: String,
    /// Whether TLS has its own port (`separate`) or is told apart on `bind` too (`both`). Default `separate`.
    pub tls: TlsPort,
    /// Whether browsers may connect to the gateway itself. Default true.
    pub browsers: bool,
    /// Agree on permessage-deflate with browsers that offer it. Default true.
    pub deflate: bool,
    /// Accept the `password` hash of logins (MD5 of the lower-cased password) beside `Password`; it ignores case, so it is
    /// weaker. Counts for logins through links too. Default false.
    pub legacy_password_case: bool,
    /// Take people's passwords by HTTP Basic (recordings, commands for programs) without TLS from other machines too.
    /// Default false.
    pub insecure_basic: bool,
    /// The admin port: health, metrics, `/api/v1`, console. Default `127.0.0.1:4058`.
    #[serde(with = "address")]
    pub admin_bind: SocketAddr,
    /// Serve the admin port with TLS, by `certificate` and `key`; it must be on when `admin_bind` is outside loopback.
    /// Default false.
    pub admin_tls: bool,
    /// The file that holds the token of the admin port, made on the first start. Default `data/admin.token`.
    pub admin_token: PathBuf,
}

keywords! {
    /// Where TLS is spoken.
    TlsPort: "way to serve TLS" {
        /// On `tls_bind` only.
        Separate = "separate",
        /// On `bind` too: plain and TLS are told apart by the first byte.
        Both = "both",
    }
}

impl Default for Web {
    fn default() -> Self {
        Self {
            bind: loopback(4055),
            tls_bind: Some(loopback(4056)),
            certificate: PathBuf::from("certs/server.pem"),
            key: PathBuf::from("certs/server.key"),
            require_tls: false,
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            public_url: String::new(),
            tls: TlsPort::Separate,
            browsers: true,
            deflate: true,
            legacy_password_case: false,
            insecure_basic: false,
            admin_bind: loopback(4058),
            admin_token: PathBuf::from("data/admin.token"),
            admin_tls: false,
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// `[log]`: what is told on standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`), or levels by module like
    /// `info,ctigate::transport=debug`. Default `info`.
    pub filter: String,
    /// `text` for people, `json` for programs. Default `text`.
    pub format: LogFormat,
}

keywords! {
    /// How log lines are written.
    LogFormat: "log format" {
        /// One readable line each, in colours on a terminal.
        Text = "text",
        /// One JSON object each.
        Json = "json",
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

/// An address with a port.
pub(super) mod address {
    use std::net::SocketAddr;

    use serde::de::Error;
    use serde::{Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(address: &SocketAddr, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(address)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
        super::off_or_address::deserialize(from)?.ok_or_else(|| {
            D::Error::custom(
                "found \"\", but this listener cannot be switched off; write an address like \"127.0.0.1:4055\"",
            )
        })
    }
}

/// An address, or `""` for none.
pub(super) mod off_or_address {
    use std::fmt;
    use std::net::SocketAddr;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    struct Text;

    impl Visitor<'_> for Text {
        type Value = Option<SocketAddr>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an address and port in quotes, like \"127.0.0.1:4055\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Option<SocketAddr>, E> {
            if text.is_empty() {
                return Ok(None);
            }
            text.parse().map(Some).map_err(|_| {
                E::custom(format_args!(
                    "found \"{}\", which is no IP address with a port; write one like \"127.0.0.1:4055\" or \"[::1]:4055\"",
                    text.escape_debug()
                ))
            })
        }
    }

    pub(crate) fn serialize<S: Serializer>(address: &Option<SocketAddr>, to: S) -> Result<S::Ok, S::Error> {
        match address {
            None => to.serialize_str(""),
            Some(address) => to.collect_str(address),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
        from.deserialize_str(Text)
    }
}
