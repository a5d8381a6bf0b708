//! Links that we open. One task for each: connect, prove ourselves, hand the connection to the pump, and when it ends wait
//! and do it again. A CRM that is not there is a normal state, which people can see.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ctigate_proto::auth::{Identity, Proof};
use ctigate_proto::dialog::Role;
use ctigate_proto::hub::input::LinkState;
use ctigate_proto::message::{Format, Text};
use hyper::Uri;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};
use tokio_rustls::{TlsConnector, TlsStream};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Link, WebSocketVersion};
use crate::telemetry::logging::tame;

use super::Transport;
use super::connection::{self, PATIENCE, Start};
use super::credentials::Credentials;
use super::frames::Side;
use super::gate::{Allowance, OUTBOX};
use super::handshake::{self, Offer};
use super::hixie76::Hixie;
use super::network::Network;
use super::retry::{Failure, Retry};
use super::socket::Socket;
use super::stream::Stream;
use super::tls::{TlsError, Trust};

/// How long TCP may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long TLS and the handshake may take.
const OPENING: Duration = Duration::from_secs(10);

/// Where to connect.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub host: String,
    pub port: u16,
    /// What `Host` says: the port only where it is not the scheme's own.
    pub authority: String,
    /// Path and query.
    pub path: String,
    pub tls: bool,
}

impl Target {
    /// From a URL that the configuration has checked.
    pub(super) fn new(url: &str) -> Result<Self, TlsError> {
        let wrong = || TlsError::new(format!("{} is no address that can be connected to", tame(url)));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let tls = match uri.scheme_str() {
            Some("ws" | "http") => false,
            Some("wss" | "https") => true,
            _ => return Err(wrong()),
        };
        let host = uri.host().ok_or_else(wrong)?;
        let implied = if tls { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(implied);
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
            authority: if port == implied { host.to_owned() } else { format!("{host}:{port}") },
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            tls,
        })
    }

    /// The scheme and host as a page's origin, for the drafts that ask programs for one too.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority)
    }
}

/// A way to a server: TCP, and TLS where the target says so.
#[derive(Clone)]
pub(super) struct Way {
    pub target: Target,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// What is used in the place of the system's network.
    network: Option<Arc<dyn Network>>,
}

impl Way {
    /// # Errors
    /// When the host is no name that a certificate can hold, or there is nobody to trust.
    pub(super) fn new(link: &Link) -> Result<Self, TlsError> {
        let target = Target::new(&link.url)?;
        let tls = if target.tls {
            let name = ServerName::try_from(target.host.clone())
                .map_err(|_| TlsError::new(format!("{} is no host name", tame(&target.host))))?;
            Some((trust(link)?.connector()?, name))
        } else {
            None
        };
        Ok(Self { target, tls, network: None })
    }

    /// The same way over another network. What is to be TLS fails there.
    pub(super) fn over(&mut self, network: Arc<dyn Network>) {
        self.network = Some(network);
    }

    /// Connects; tries every address of the host in turn.
    ///
    /// # Errors
    /// What went wrong, with the address it went wrong at.
    pub(super) async fn connect(&self) -> Result<(Stream, IpAddr), Failure> {
        let Target { host, port, .. } = &self.target;
        if let Some(network) = &self.network {
            return self.connect_over(&**network).await;
        }
        let tcp = async {
            let addresses: Vec<SocketAddr> = lookup_host((host.as_str(), *port))
                .await
                .map_err(|e| Failure::Unreachable(format!("{host} has no address: {e}")))?
                .collect();
            let mut last = Failure::Unreachable(format!("{host} has no address"));
            for address in addresses {
                match TcpStream::connect(address).await {
                    Ok(tcp) => return Ok((tcp, address.ip())),
                    Err(e) => last = Failure::Unreachable(format!("{address}: {e}")),
                }
            }
            Err(last)
        };
        let (tcp, address) = timeout(CONNECT, tcp)
            .await
            .map_err(|_| Failure::Unreachable(format!("{host}:{port}: no connection in {} s", CONNECT.as_secs())))??;
        // Fails only on a socket that is dead already.
        let _ = tcp.set_nodelay(true);
        let Some((connector, name)) = &self.tls else { return Ok((Stream::Plain(tcp), address)) };
        match timeout(OPENING, connector.connect(name.clone(), tcp)).await {
            Ok(Ok(tls)) => Ok((Stream::Tls(Box::new(TlsStream::Client(tls))), address)),
            Ok(Err(e)) => Err(Failure::Unreachable(format!("{host}:{port}: no TLS: {e}"))),
            Err(_) => Err(Failure::Unreachable(format!("{host}:{port}: no TLS in {} s", OPENING.as_secs()))),
        }
    }
}

impl Way {
    async fn connect_over(&self, network: &dyn Network) -> Result<(Stream, IpAddr), Failure> {
        let Target { host, port, tls, .. } = &self.target;
        if *tls {
            return Err(Failure::Unreachable("TLS is spoken over the system's network only".to_owned()));
        }
        match timeout(CONNECT, network.connect(host, *port)).await {
            Ok(Ok((io, address))) => Ok((Stream::Carried(io), address)),
            Ok(Err(e)) => Err(Failure::Unreachable(format!("{host}:{port}: {e}"))),
            Err(_) => Err(Failure::Unreachable(format!("{host}:{port}: no connection in {} s", CONNECT.as_secs()))),
        }
    }
}

/// Whom the link is to believe.
fn trust(link: &Link) -> Result<Trust, TlsError> {
    if link.danger_accept_any_certificate {
        tracing::warn!(link = link.name, "danger_accept_any_certificate: whoever stands between can read everything");
        return Ok(Trust::Anybody);
    }
    if !link.pin_sha256.is_empty() {
        let wrong = || TlsError::new(format!("pin_sha256 of link {} is not 64 hexadecimal digits", link.name));
        let digits: Vec<u8> = link.pin_sha256.bytes().filter(|b| *b != b':').collect();
        if digits.len() != 64 || !digits.is_ascii() {
            return Err(wrong());
        }
        let mut pin = [0; 32];
        for (byte, pair) in pin.iter_mut().zip(digits.chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        return Ok(Trust::Pin(pin));
    }
    Ok(match &link.ca_file {
        Some(path) => Trust::File(path.clone()),
        None => Trust::System,
    })
}

/// A link to be dialed.
pub struct Dialed {
    name: Text,
    way: Way,
    format: Format,
    version: WebSocketVersion,
    deflate: bool,
    credentials: Credentials,
    allowance: Allowance,
    /// Of the pauses between attempts.
    seed: u64,
}

impl Dialed {
    /// From the configuration.
    ///
    /// # Errors
    /// When its address, its authorities or its pin cannot be used.
    pub fn new(config: &Config, link: &Link) -> Result<Self, TlsError> {
        Ok(Self {
            name: link.name.as_str().into(),
            way: Way::new(link)?,
            format: link.format.into(),
            version: link.websocket_version,
            deflate: link.deflate,
            credentials: Credentials::of(link),
            allowance: Allowance::new(config, link),
            seed: rand::random(),
        })
    }

    /// The same link over another network, with pauses by this seed.
    #[must_use]
    pub fn over(mut self, network: Arc<dyn Network>, seed: u64) -> Self {
        self.way.over(network);
        self.seed = seed;
        self
    }

    /// What it is allowed, to be changed while it lives.
    pub fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }

    /// Connects and shakes hands. A Digest challenge is answered once, on the same connection where that is possible.
    pub(super) async fn open(&mut self) -> Result<(Socket, IpAddr), Failure> {
        let limit = self.allowance.now().max_message_guest;
        let mut kept = None;
        // One challenge, one answer, and once more for a nonce that has just become stale.
        for _ in 0..3 {
            let (mut io, address) = match kept.take() {
                Some(kept) => kept,
                None => self.way.connect().await?,
            };
            let target = &self.way.target;
            let offer = Offer {
                target,
                format: self.format,
                authorization: self.credentials.authorization("GET", &target.path),
                deflate: self.deflate,
            };
            let opened = match self.version {
                WebSocketVersion::V13 => timeout(OPENING, handshake::upgrade(&mut io, &offer, 13)).await,
                WebSocketVersion::V8 => timeout(OPENING, handshake::upgrade(&mut io, &offer, 8)).await,
                WebSocketVersion::V0 => timeout(OPENING, handshake::upgrade_hixie(&mut io, &offer)).await,
            };
            let answer = opened
                .unwrap_or_else(|_| Err(Failure::Unreachable(format!("no answer in {} s", OPENING.as_secs()))))?;
            match answer {
                handshake::Answer::Open { early, deflate } => {
                    let socket = match self.version {
                        WebSocketVersion::V0 => Socket::Hixie(Hixie::new(io, early, limit, PATIENCE)),
                        _ => Socket::with(io, early, Side::Client, limit, PATIENCE, deflate),
                    };
                    return Ok((socket, address));
                }
                handshake::Answer::Unauthorized { challenges, keeps } => {
                    self.credentials.challenged(&challenges).map_err(Failure::Refused)?;
                    kept = keeps.then_some((io, address));
                }
            }
        }
        Err(Failure::Refused("the CRM refused our credentials (401)".to_owned()))
    }
}

/// Keeps one link open until `stop`.
pub async fn run(transport: Arc<Transport>, mut link: Dialed, stop: CancellationToken) {
    let mut retry = Retry::new(link.seed);
    loop {
        if stop.run_until_cancelled(transport.taking()).await.is_none() {
            return;
        }
        transport.link_state(&link.name, LinkState::Dialing);
        let opened = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            opened = link.open() => opened,
        };
        let (failure, open_for) = match opened {
            Ok((socket, address)) => {
                tracing::debug!(link = &*link.name, %address, "dialed");
                let start = Start {
                    role: Role::Link(Identity::link(link.name.clone(), Proof::configured_url())),
                    format: Some(link.format),
                    dialog: link.allowance.now(),
                    outbox: OUTBOX,
                    address,
                    tls: link.way.target.tls,
                    name: link.name.clone(),
                    permit: None,
                };
                let ended = Box::pin(connection::run(&transport, socket, start)).await;
                let why = format!("the connection ended: {} {}", ended.reason.code, ended.reason.text);
                (Failure::Unreachable(why), ended.open_for)
            }
            Err(failure) => {
                tracing::warn!(link = &*link.name, why = failure.to_string(), "the link cannot be opened");
                (failure, None)
            }
        };
        if stop.is_cancelled() {
            return;
        }
        let (state, after) = retry.after(failure, open_for);
        transport.link_state(&link.name, state);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = sleep(after) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_to_connect() {
        for (url, host, port, authority, path, tls) in [
            ("ws://crm.example", "crm.example", 80, "crm.example", "/", false),
            ("wss://crm.example/cti?a=b", "crm.example", 443, "crm.example", "/cti?a=b", true),
            ("http://127.0.0.1:8080/hook.php", "127.0.0.1", 8080, "127.0.0.1:8080", "/hook.php", false),
            ("https://[::1]:443/", "::1", 443, "[::1]", "/", true),
            ("ws://[::1]:9000", "::1", 9000, "[::1]:9000", "/", false),
        ] {
            let target = Target::new(url).unwrap();
            assert_eq!(
                (&*target.host, target.port, &*target.authority, &*target.path, target.tls),
                (host, port, authority, path, tls),
                "{url}"
            );
        }
        for bad in ["", "crm.example", "ftp://crm.example", "ws:///path"] {
            assert!(Target::new(bad).is_err(), "{bad}");
        }
    }
}
