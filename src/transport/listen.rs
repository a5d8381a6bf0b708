//! Accepting: one loop for each listener. It only accepts and counts; all that may take time (TLS, a head that trickles in,
//! the check of a password) happens in the task of the connection, under one deadline.

use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ctigate_proto::dialog::{self, Role};
use ctigate_proto::message::Text;
use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::config::Cidr;
use crate::engine::outbox;
use crate::telemetry::{Event, Telemetry};

use super::connection::{self, PATIENCE, Start};
use super::frames::Side;
use super::http::Refusal;
use super::limit::{Full, Permit};
use super::socket::Socket;
use super::stream::{Carrier, Stream};
use super::tls::Certificates;
use super::upgrade::Wanted;
use super::{Transport, http, upgrade};

/// How long TCP, TLS and the first head may take together.
const OPENING: Duration = Duration::from_secs(10);

/// How long accepting rests when the system has no descriptor left.
const REST: Duration = Duration::from_millis(100);

/// What a listener speaks.
#[derive(Clone, Debug)]
pub enum Security {
    /// As it is.
    Plain,
    /// TLS only.
    Tls(Arc<Certificates>),
    /// Both, told apart by the first byte.
    Both(Arc<Certificates>),
}

/// Where a request comes from. Web routes find it among the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The address; when a trusted proxy speaks for somebody, that somebody's.
    pub address: IpAddr,
    /// Whether the way to us, or to the trusted proxy, is TLS.
    pub tls: bool,
}

/// Binds a listener. The address may be bound again at once after a restart.
///
/// # Errors
/// When the address is taken or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(address.ip() != IpAddr::from([0u16; 8]))?;
    }
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    TcpListener::from_std(socket.into())
}

/// Takes over a listener that somebody else has bound.
///
/// # Errors
/// When the system does not let it be read without waiting.
pub fn adopt(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// What every kind of listener needs to know.
#[derive(Clone, Debug)]
pub struct Door {
    /// For the log: `web`, or the link's name.
    pub name: Text,
    /// What it speaks.
    pub security: Security,
    /// Which pages may connect.
    pub origins: upgrade::Origins,
    /// Whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<Cidr>,
    /// What a dialog over plain TCP is allowed.
    pub plain: Arc<dialog::Settings>,
    /// What a dialog over TLS is allowed.
    pub tls: Arc<dialog::Settings>,
    /// How much may wait for a peer.
    pub outbox: outbox::Limit,
    /// Whether messages may be compressed.
    pub deflate: bool,
}

impl Door {
    /// Judges a handshake, all but who is asking.
    ///
    /// # Errors
    /// What to answer instead of 101.
    pub(super) fn judge(&self, head: &Parts) -> Result<Wanted, Refusal> {
        let wanted = upgrade::judge(head, &self.origins)?;
        Ok(if self.deflate { wanted.with_deflate(head) } else { wanted })
    }

    fn trusts(&self, address: IpAddr) -> bool {
        trusts(&self.trusted_proxies, address)
    }

    /// Who sent this.
    pub(super) fn caller(&self, from: IpAddr, tls: bool, headers: &HeaderMap) -> Caller {
        caller(&self.trusted_proxies, from, tls, headers)
    }
}

fn trusts(proxies: &[Cidr], address: IpAddr) -> bool {
    proxies.iter().any(|range| range.contains(address))
}

/// Who sent a request that came from an address: the last one in `X-Forwarded-For` that is no trusted proxy, if a trusted proxy
/// brings it.
pub fn caller(proxies: &[Cidr], from: IpAddr, tls: bool, headers: &HeaderMap) -> Caller {
    let mut caller = Caller { address: from, tls };
    if !trusts(proxies, from) {
        return caller;
    }
    let list: Vec<_> = upgrade::values(headers, &FORWARDED_FOR).collect();
    for hop in list.iter().rev() {
        let Some(address) = std::str::from_utf8(hop).ok().and_then(address_of) else { break };
        caller.address = address;
        if !trusts(proxies, address) {
            break;
        }
    }
    if let Some(scheme) = upgrade::values(headers, &FORWARDED_PROTO).last() {
        caller.tls = scheme.eq_ignore_ascii_case(b"https") || scheme.eq_ignore_ascii_case(b"wss");
    }
    caller
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// An address, with or without port.
fn address_of(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|t| t.split_once(']')).map_or(text, |(address, _)| address);
    bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|a| a.ip())).ok().map(|a: IpAddr| a.to_canonical())
}

/// A connection whose first byte of HTTP is still to come.
pub(super) struct Arrival {
    pub io: Stream,
    pub from: IpAddr,
    pub deadline: Instant,
    pub permit: Permit,
}

/// Accepts until `stop`. Each connection is handed to `arrived` in a task of its own, after TLS. `door` gives the door as it is
/// at the moment.
pub(super) async fn accept<D, H, F>(
    transport: Arc<Transport>,
    stop: CancellationToken,
    listener: Arc<TcpListener>,
    door: D,
    arrived: H,
) where
    D: Fn() -> Arc<Door>,
    H: Fn(Arrival) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let mut spare = File::open("/dev/null").ok();
    let mut told = None::<Instant>;
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let door = door();
        let (tcp, from) = match accepted {
            Ok(accepted) => accepted,
            Err(e) if is_exhausted(&e) => {
                if told.is_none_or(|at| at.elapsed() > Duration::from_secs(10)) {
                    told = Some(Instant::now());
                    tracing::error!(door = %door.name, error = %e, "no descriptor left: connections are refused");
                }
                // With the spare descriptor the first in line is accepted and let go: it hears a no instead of nothing.
                spare.take();
                let _ = timeout(Duration::ZERO, listener.accept()).await;
                spare = File::open("/dev/null").ok();
                sleep(REST).await;
                continue;
            }
            Err(e) => {
                tracing::debug!(door = %door.name, error = %e, "accept failed");
                if !is_passing(&e) {
                    sleep(REST).await;
                }
                continue;
            }
        };
        let deadline = Instant::now() + OPENING;
        let from = from.ip().to_canonical();
        match admit(&transport, &door, from) {
            Ok(permit) => {
                let (arrived, stop) = (arrived.clone(), stop.clone());
                let watch = Watch(transport.telemetry.clone());
                // In a box: it is some KiB, which the runtime moves several times on the way to its own.
                transport.tasks.spawn(Box::pin(async move {
                    let _watch = watch;
                    let opened = tokio::select! {
                        opened = Box::pin(open(tcp, &door.security, deadline)) => opened,
                        () = stop.cancelled() => None,
                    };
                    if let Some(io) = opened {
                        arrived(Arrival { io, from, deadline, permit }).await;
                    }
                }));
            }
            Err(full) => refuse(&transport, tcp, from, full),
        }
    }
}

/// Counts one more connection from this address.
fn admit(transport: &Transport, door: &Door, from: IpAddr) -> Result<Permit, Full> {
    let mut permit = transport.limits.admit()?;
    if !door.trusts(from) {
        permit.count_for(from)?;
    }
    Ok(permit)
}

/// The same as [`accept`] for one connection that another network has brought. Whom there is no room for is let go.
pub(super) fn carried<F>(
    transport: &Arc<Transport>,
    door: &Door,
    io: Box<dyn Carrier>,
    from: IpAddr,
    arrived: impl FnOnce(Arrival) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let Ok(permit) = admit(transport, door, from) else { return };
    let watch = Watch(transport.telemetry.clone());
    let deadline = Instant::now() + OPENING;
    let attended = arrived(Arrival { io: Stream::Carried(io), from, deadline, permit });
    transport.tasks.spawn(async move {
        let _watch = watch;
        attended.await;
    });
}

/// Counts a panic of what answers the requests of a connection.
struct Watch(Telemetry);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.event(Event::Panicked { task: "request" });
        }
    }
}

/// Whether accepting failed for want of descriptors: EMFILE and ENFILE, the same numbers on Linux, BSD and macOS.
fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}

/// Whether accepting failed because one peer or its network went away meanwhile: the next may be there already. accept(2).
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkDown,
        NetworkUnreachable, TimedOut,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
            | TimedOut
    )
}

/// Speaks TLS where the door says so.
async fn open(tcp: TcpStream, security: &Security, deadline: Instant) -> Option<Stream> {
    // Fails only on a socket that is dead already.
    let _ = tcp.set_nodelay(true);
    let certificates = match security {
        Security::Plain => return Some(Stream::Plain(tcp)),
        Security::Tls(certificates) => certificates,
        Security::Both(certificates) => {
            let mut first = [0];
            timeout_at(deadline, tcp.peek(&mut first)).await.ok()?.ok()?;
            // The first byte of a TLS handshake record: RFC 8446 section 5.1.
            if first[0] != 0x16 {
                return Some(Stream::Plain(tcp));
            }
            certificates
        }
    };
    match timeout_at(deadline, certificates.acceptor().accept(tcp)).await {
        Ok(Ok(tls)) => Some(Stream::Tls(Box::new(TlsStream::Server(tls)))),
        Ok(Err(e)) => {
            tracing::debug!(error = %e, "no TLS");
            None
        }
        Err(_) => {
            tracing::debug!("TLS took too long");
            None
        }
    }
}

/// Tells one too many that there is no room. Only as many as a node can spare are told; the others are dropped.
fn refuse(transport: &Transport, mut tcp: TcpStream, from: IpAddr, full: Full) {
    tracing::warn!(address = %from, ?full, "no room for another connection");
    transport.telemetry.event(Event::Refused { reason: "full" });
    if transport.tasks.len() > transport.limits.all() + 64 {
        return;
    }
    transport.tasks.spawn(async move {
        let no = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let mut some = [0; 1024];
        let said = async {
            tcp.readable().await?;
            let _ = tcp.try_read(&mut some);
            tcp.write_all(no.as_bytes()).await?;
            tcp.shutdown().await
        };
        let _ = timeout(Duration::from_secs(1), said).await;
    });
}

/// What is known of a peer whose handshake was accepted.
pub(super) struct Admitted {
    pub wanted: Wanted,
    pub role: Role,
    pub caller: Caller,
}

/// Completes a handshake, and leaves the connection to a task of its own: the one that accepted it is larger than one that
/// lives for days should be.
pub(super) async fn connect(transport: &Arc<Transport>, door: &Door, left: http::Left<Admitted>, permit: Shared) {
    let http::Left { mut io, early, plan: Admitted { wanted, role, caller } } = left;
    let answer = wanted.answer();
    if !matches!(timeout(PATIENCE, answer_with(&mut io, &answer)).await, Ok(Ok(()))) {
        return;
    }
    let settings = if caller.tls { &door.tls } else { &door.plain };
    let limit = settings.max_message_guest;
    let socket = Socket::with(io, early, Side::Server, limit, PATIENCE, wanted.deflate());
    let start = Start {
        role,
        format: wanted.format,
        dialog: Arc::clone(settings),
        outbox: door.outbox,
        address: caller.address,
        tls: caller.tls,
        name: door.name.clone(),
        permit: Some(permit.into_inner()),
    };
    transport.tasks.spawn(connection::run(transport, socket, start));
}

async fn answer_with(io: &mut Stream, head: &[u8]) -> io::Result<()> {
    io.write_all(head).await?;
    io.flush().await
}

/// A permit that the requests of one connection share.
pub(super) struct Shared(Mutex<Permit>);

impl Shared {
    pub(super) fn new(permit: Permit) -> Self {
        Self(Mutex::new(permit))
    }

    fn into_inner(self) -> Permit {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the connection for the address that its first request names.
    pub(super) fn count_for(&self, address: IpAddr) -> Result<(), Full> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count_for(address)
    }
}

/// What one connection too many of an address behind a proxy is told.
pub(super) fn too_many() -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many connections from this address")
        .with(header::RETRY_AFTER, HeaderValue::from_static("5"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(trusted: &[&str]) -> Door {
        Door {
            name: Text::from_static("web"),
            security: Security::Plain,
            origins: upgrade::Origins::default(),
            trusted_proxies: trusted.iter().map(|range| range.parse().unwrap()).collect(),
            plain: Arc::new(dialog::Settings::tab()),
            tls: Arc::new(dialog::Settings::tab()),
            outbox: outbox::Limit { messages: 1, bytes: 1 },
            deflate: false,
        }
    }

    fn caller(trusted: &[&str], from: &str, forwarded: &[&str], proto: Option<&str>) -> (String, bool) {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        if let Some(proto) = proto {
            headers.append(FORWARDED_PROTO, proto.parse().unwrap());
        }
        let caller = door(trusted).caller(from.parse().unwrap(), false, &headers);
        (caller.address.to_string(), caller.tls)
    }

    #[test]
    fn accepting_rests_after_what_does_not_pass_by_itself() {
        let error = |number| io::Error::from_raw_os_error(number);
        // ECONNABORTED; EMFILE and ENFILE; ENOBUFS and ENOMEM: numbers of Linux.
        assert!(is_passing(&error(103)) && !is_exhausted(&error(103)));
        for number in [23, 24] {
            assert!(is_exhausted(&error(number)));
        }
        for number in [105, 12] {
            assert!(!is_passing(&error(number)));
        }
    }

    #[test]
    fn only_a_trusted_proxy_speaks_for_others() {
        assert_eq!(caller(&[], "10.0.0.1", &["1.2.3.4"], Some("https")), ("10.0.0.1".to_owned(), false));
        let proxy = ["10.0.0.0/8"];
        assert_eq!(caller(&proxy, "10.0.0.1", &["1.2.3.4"], Some("https")), ("1.2.3.4".to_owned(), true));
        assert_eq!(caller(&proxy, "10.0.0.1", &[], None), ("10.0.0.1".to_owned(), false));
        assert_eq!(
            caller(&proxy, "10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.9"], None).0,
            "1.2.3.4",
            "what stands before the last stranger is the stranger's own invention"
        );
        assert_eq!(caller(&proxy, "10.0.0.1", &["1.2.3.4", "5.6.7.8:99"], None).0, "5.6.7.8");
        assert_eq!(caller(&proxy, "10.0.0.1", &["[2001:db8::7]:1"], None).0, "2001:db8::7");
        assert_eq!(caller(&proxy, "10.0.0.1", &["1.2.3.4, unknown"], None).0, "10.0.0.1");
    }
}
