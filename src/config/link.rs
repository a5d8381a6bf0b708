//! `[[link]]`: the CRMs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ctigate_proto::hub::Rights;
use serde::{Deserialize, Serialize};

use super::keyword::keywords;
use super::units::{duration, size};
use super::user::Right;
use super::web::off_or_address;
use super::{Cidr, Secret};

/// `[[link]]`: one CRM. Which keys count depends on the mode; a key that does not count is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Link {
    /// The name in logs, console and commands; needed, unique; letters, digits, `-`, `_` and `.`, at most 64.
    pub name: String,
    /// How the two find each other. Default `accept-wss`.
    pub mode: LinkMode,
    /// Accepting: where the CRM connects; needed, a port of its own.
    #[serde(with = "off_or_address")]
    pub bind: Option<SocketAddr>,
    /// Dialing and posting: the CRM's full address, `ws`, `wss`, `http` or `https` by the mode; needed.
    pub url: String,
    /// Dialing and posting: `json` or `xml`. Default `json`.
    pub format: LinkFormat,
    /// Dialing: 13, 8 (hybi-10) or 0 (hixie-76). Default 13.
    pub websocket_version: WebSocketVersion,
    /// By WebSocket: agree on permessage-deflate; dialing, offer it. Default false.
    pub deflate: bool,
    /// Accepting: what is demanded; dialing and posting: what is sent. Default: `digest` when `login` is set, else `none`.
    /// Read it by [`Link::effective_auth`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// The user name for Basic and Digest.
    pub login: String,
    /// The password for Basic and Digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// A file that holds the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// An environment variable that holds the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// Accepting with Basic: what `ctigate hash-password` printed for the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<Secret>,
    /// Accepting and posting: a ticket for CRMs that cannot answer a challenge, as `?ticket=` or `Authorization: Bearer`; at
    /// least 16 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Secret>,
    /// A file that holds the ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_file: Option<PathBuf>,
    /// An environment variable that holds the ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_env: Option<String>,
    /// Accepting: who may connect; empty: anybody who passes `auth`. Default empty.
    pub allow_from: Vec<Cidr>,
    /// Without TLS: allow Basic with a peer that is not on loopback all the same. Default false.
    pub insecure_basic: bool,
    /// Accepting with TLS: chain of certificates, PEM; empty: the one of `[web]`.
    #[serde(with = "super::maybe_path")]
    pub certificate: Option<PathBuf>,
    /// Accepting with TLS: private key, PEM; empty: the one of `[web]`.
    #[serde(with = "super::maybe_path")]
    pub key: Option<PathBuf>,
    /// Dialing and posting with TLS: PEM file of the authorities to trust in place of the system's; empty: the system's.
    #[serde(with = "super::maybe_path")]
    pub ca_file: Option<PathBuf>,
    /// Dialing and posting with TLS: SHA-256 of the only certificate that is accepted, 64 hex digits; empty: none. The
    /// certificate may then be self-signed.
    pub pin_sha256: String,
    /// Dialing and posting with TLS: accept any certificate; whoever stands between can read and change everything.
    /// Default false.
    pub danger_accept_any_certificate: bool,
    /// Whether the CRM may act for a user who has not logged in through it. Default false.
    pub trust_users: bool,
    /// Logins of the users who belong to this link; empty: all. Default empty.
    pub users: Vec<String>,
    /// The rights of the CRM itself; those of its users are cut with them. Default
    /// `call state conference queue journal forms dynamic`.
    pub rights: Vec<Right>,
    /// How long users behind the link are kept after it is lost. Default 60 s.
    #[serde(with = "duration")]
    pub tunnel_grace: Duration,
    /// Messages to the link longer than this go as multipart. Default 64 KiB, at least 1 KiB.
    #[serde(with = "size")]
    pub multipart_threshold: usize,
    /// Names of events that the link is not sent. Default none.
    pub silent_events: Vec<String>,
    /// Posting: how often the CRM is asked whether it wants something; at least 250 ms; `off`: never. Default `off`.
    #[serde(with = "duration::option")]
    pub poll_interval: Option<Duration>,
    /// Posting: connections for dynamic methods beside the ordered one, from 1 to 64. Default 4.
    pub post_connections: usize,
    /// Posting: the user name that the CRM sends to `/rpc`; unique over all links; empty: none.
    pub rpc_login: String,
    /// Posting: its password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc_password: Option<Secret>,
    /// A file that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc_password_file: Option<PathBuf>,
    /// An environment variable that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc_password_env: Option<String>,
}

impl Link {
    /// What is demanded of the CRM (accepting) or sent to it (dialing, posting).
    pub fn effective_auth(&self) -> Auth {
        self.auth.unwrap_or(if self.login.is_empty() { Auth::None } else { Auth::Digest })
    }

    /// The rights of the CRM itself.
    pub fn default_rights() -> Vec<Right> {
        Rights::LINK_DEFAULT.map(Right).to_vec()
    }
}

impl Default for Link {
    fn default() -> Self {
        Self {
            name: String::new(),
            mode: LinkMode::AcceptWss,
            bind: None,
            url: String::new(),
            format: LinkFormat::Json,
            websocket_version: WebSocketVersion::V13,
            deflate: false,
            auth: None,
            login: String::new(),
            password: None,
            password_file: None,
            password_env: None,
            password_hash: None,
            ticket: None,
            ticket_file: None,
            ticket_env: None,
            allow_from: Vec::new(),
            insecure_basic: false,
            certificate: None,
            key: None,
            ca_file: None,
            pin_sha256: String::new(),
            danger_accept_any_certificate: false,
            trust_users: false,
            users: Vec::new(),
            rights: Self::default_rights(),
            tunnel_grace: Duration::from_secs(60),
            multipart_threshold: 64 << 10,
            silent_events: Vec::new(),
            poll_interval: None,
            post_connections: 4,
            rpc_login: String::new(),
            rpc_password: None,
            rpc_password_file: None,
            rpc_password_env: None,
        }
    }
}

keywords! {
    /// The six ways to connect.
    LinkMode: "link mode" {
        /// The CRM connects to us.
        AcceptWs = "accept-ws",
        /// The CRM connects to us, with TLS.
        AcceptWss = "accept-wss",
        /// We connect to the CRM.
        DialWs = "dial-ws",
        /// We connect to the CRM, with TLS.
        DialWss = "dial-wss",
        /// We post to the CRM.
        PostHttp = "post-http",
        /// We post to the CRM, with TLS.
        PostHttps = "post-https",
    }
}

impl LinkMode {
    /// Whether the CRM connects to us.
    pub const fn accepts(self) -> bool {
        matches!(self, Self::AcceptWs | Self::AcceptWss)
    }

    /// Whether we connect to the CRM by WebSocket.
    pub const fn dials(self) -> bool {
        matches!(self, Self::DialWs | Self::DialWss)
    }

    /// Whether we post to the CRM.
    pub const fn posts(self) -> bool {
        matches!(self, Self::PostHttp | Self::PostHttps)
    }

    /// Whether the connection has TLS.
    pub const fn tls(self) -> bool {
        matches!(self, Self::AcceptWss | Self::DialWss | Self::PostHttps)
    }

    /// The scheme of the CRM's url; empty when the CRM connects to us.
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::AcceptWs | Self::AcceptWss => "",
            Self::DialWs => "ws",
            Self::DialWss => "wss",
            Self::PostHttp => "http",
            Self::PostHttps => "https",
        }
    }
}

keywords! {
    /// How a peer proves itself by HTTP.
    Auth: "kind of authorization" {
        /// Not at all.
        None = "none",
        /// Basic, RFC 7617.
        Basic = "basic",
        /// Digest, RFC 7616.
        Digest = "digest",
    }
}

keywords! {
    /// What messages are written in.
    LinkFormat: "message format" {
        /// JSON.
        Json = "json",
        /// XML.
        Xml = "xml",
    }
}

impl From<LinkFormat> for ctigate_proto::message::Format {
    fn from(format: LinkFormat) -> Self {
        match format {
            LinkFormat::Json => Self::Json,
            LinkFormat::Xml => Self::Xml,
        }
    }
}

/// The version of the WebSocket protocol that is dialed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebSocketVersion {
    /// 13: RFC 6455.
    V13,
    /// 8: hybi-10.
    V8,
    /// 0: hixie-76.
    V0,
}

impl Serialize for WebSocketVersion {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(match self {
            Self::V13 => 13,
            Self::V8 => 8,
            Self::V0 => 0,
        })
    }
}

impl<'de> Deserialize<'de> for WebSocketVersion {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match i64::deserialize(from)? {
            13 => Ok(Self::V13),
            8 => Ok(Self::V8),
            0 => Ok(Self::V0),
            other => Err(serde::de::Error::custom(format_args!(
                "found {other}, which is no WebSocket version; allowed: 13, 8, 0"
            ))),
        }
    }
}
