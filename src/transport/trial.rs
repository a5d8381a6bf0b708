//! Our end of a WebSocket link to a CRM that is tried out: dialed, or accepted on a port that serves for nothing else. The
//! handshake and the frames are those of every link; what differs is that whoever holds a [`Wire`] sees everything.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use ctigate_proto::Time;
use ctigate_proto::auth::{self, basic, digest};
use ctigate_proto::message::{CloseReason, Format, Text};
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};
use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::config::{Auth, Config, Link, Secret};

use super::connection::PATIENCE;
use super::dial::Dialed;
use super::frames::Side;
use super::http::{self, Answer, Refusal};
use super::retry::Failure;
use super::socket::{Heard, Socket};
use super::stream::Stream;
use super::tls::{Certificates, TlsError};
use super::upgrade::{self, Origins, Wanted};

/// The largest message that is taken.
const LARGEST: usize = 16 << 20;
/// How long TLS and the handshake of a connection that comes may take.
const OPENING: Duration = Duration::from_secs(10);
/// How many knocks are remembered.
const KNOCKS: usize = 100;

/// Why there is no link.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoLink {
    /// No connection, or one that broke off.
    #[error("{0}")]
    Unreachable(String),
    /// There is a server, but not for us.
    #[error("{0}")]
    Declined(String),
    /// It chose a sub-protocol that was not offered.
    #[error("{0}")]
    SubProtocol(String),
    /// It answered what is no message.
    #[error("{0}")]
    BadAnswer(String),
    /// The credentials are wrong.
    #[error("{0}")]
    Credentials(String),
}

impl From<Failure> for NoLink {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unreachable(why) => Self::Unreachable(why),
            Failure::Declined(why) => Self::Declined(why),
            Failure::SubProtocol(why) => Self::SubProtocol(why),
            Failure::BadAnswer(why) => Self::BadAnswer(why),
            Failure::Refused(why) => Self::Credentials(why),
        }
    }
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sound {
    /// A text message.
    Text(Text),
    /// A binary message.
    Binary,
    /// A WebSocket ping or pong.
    Alive,
    /// The connection is over: why.
    Ended(String),
}

/// A WebSocket to a CRM.
#[derive(Debug)]
pub struct Wire {
    socket: Socket,
    /// What the sub-protocol stands for; `None` when it names neither json nor xml.
    pub format: Option<Format>,
}

impl Wire {
    /// Connects as the link says (url, auth, whom to trust) and offers the format.
    ///
    /// # Errors
    /// Where it failed and why.
    pub async fn dial(link: &Link, format: Format) -> Result<Self, NoLink> {
        let chosen = match format {
            Format::Json => crate::config::LinkFormat::Json,
            Format::Xml => crate::config::LinkFormat::Xml,
        };
        let link = Link { format: chosen, ..link.clone() };
        let mut dialed = Dialed::new(&Config::default(), &link).map_err(|e| NoLink::Unreachable(e.to_string()))?;
        let (mut socket, _) = dialed.open().await?;
        socket.set_limit(LARGEST);
        Ok(Self { socket, format: Some(format) })
    }

    /// The next thing. Cancel safe. What it asks for in answer (a pong, the echo of a close) waits for [`Self::flush`].
    pub async fn next(&mut self) -> Sound {
        match self.socket.next().await {
            Heard::Text(text) => Sound::Text(text),
            Heard::Binary(_) => Sound::Binary,
            Heard::Alive => Sound::Alive,
            Heard::Close(reason) if reason.text.is_empty() => Sound::Ended(format!("the CRM closed ({})", reason.code)),
            Heard::Close(reason) => Sound::Ended(format!("the CRM closed ({} {})", reason.code, reason.text)),
            Heard::Broken(reason) => Sound::Ended(format!("the CRM broke the rules of WebSocket: {}", reason.text)),
            Heard::Gone(why) => Sound::Ended(why),
        }
    }

    /// Appends a message to what is written next.
    pub fn put(&mut self, text: &Text) {
        self.socket.put_text(text);
    }

    /// Appends a WebSocket ping.
    pub fn put_ping(&mut self) {
        self.socket.put_ping();
    }

    /// Writes what waits. Not cancel safe.
    ///
    /// # Errors
    /// When the CRM does not read.
    pub async fn flush(&mut self) -> Result<(), String> {
        self.socket.flush().await.map_err(|_| "the CRM does not read what it is sent".to_owned())
    }

    /// Says goodbye and ends the connection.
    pub async fn close(mut self, reason: &CloseReason) {
        self.socket.put_close(reason);
        if self.socket.flush().await.is_ok() {
            self.socket.linger(Duration::from_millis(500)).await;
        }
    }
}

/// A port to which a CRM connects.
pub struct Listener {
    door: Arc<Door>,
    wires: mpsc::Receiver<Wire>,
    address: SocketAddr,
    /// Ends the tasks with the listener.
    _tasks: JoinSet<()>,
}

impl Listener {
    /// Listens as the link says: address, what is demanded, certificate and key where it has TLS.
    ///
    /// # Errors
    /// When the address cannot be had, or the certificate not be used.
    pub async fn bind(link: &Link) -> Result<Self, TlsError> {
        let at = link.bind.ok_or_else(|| TlsError::new("there is no address to listen on"))?;
        let certificates = match (&link.certificate, &link.key) {
            (Some(certificate), Some(key)) if link.mode.tls() => Some(Certificates::load(certificate, key)?),
            _ if link.mode.tls() => return Err(TlsError::new("TLS needs a certificate and its key")),
            _ => None,
        };
        let no = |e: std::io::Error| TlsError::new(format!("{at} cannot be listened on: {e}"));
        let tcp = TcpListener::bind(at).await.map_err(no)?;
        let address = tcp.local_addr().map_err(no)?;
        let door = Arc::new(Door::new(link, certificates));
        let (open, wires) = mpsc::channel(4);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(tcp, Arc::clone(&door), open));
        Ok(Self { door, wires, address, _tasks: tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection that showed what is demanded. Cancel safe.
    pub async fn next(&mut self) -> Option<Wire> {
        self.wires.recv().await
    }

    /// What else came to the door since this was asked last: why each was not let in, and who was.
    pub fn knocks(&self) -> Vec<Knock> {
        std::mem::take(&mut *self.door.knocks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Somebody at the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knock {
    /// Without credentials, and was told which are demanded.
    Asked,
    /// With wrong ones: why.
    Wrong(String),
    /// Not as a WebSocket over what is spoken here: why.
    Stranger(String),
    /// As it should be.
    Right,
}

struct Door {
    certificates: Option<Arc<Certificates>>,
    demand: Auth,
    login: String,
    password: String,
    secret: digest::Secret,
    gate: Mutex<digest::Gate>,
    began: Instant,
    knocks: Mutex<Vec<Knock>>,
}

impl Door {
    fn new(link: &Link, certificates: Option<Arc<Certificates>>) -> Self {
        let password = link.password.as_ref().map_or("", Secret::expose);
        Self {
            certificates,
            demand: link.effective_auth(),
            login: link.login.clone(),
            password: password.to_owned(),
            secret: digest::Secret::new(&link.login, password),
            gate: Mutex::new(digest::Gate::new(rand::random())),
            began: Instant::now(),
            knocks: Mutex::default(),
        }
    }

    fn note(&self, knock: Knock) {
        let mut knocks = self.knocks.lock().unwrap_or_else(PoisonError::into_inner);
        if knocks.len() < KNOCKS {
            knocks.push(knock);
        }
    }

    fn now(&self) -> Time {
        Time::from_millis(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// What a request gets.
    fn judge(&self, head: &Parts) -> Result<Wanted, Refusal> {
        if !upgrade::is_meant(head) {
            self.note(Knock::Stranger(format!("{} {} is no WebSocket handshake", head.method, head.uri.path())));
            return Err(upgrade::upgrade_required("a CRM connects here by WebSocket"));
        }
        let wanted = upgrade::judge(head, &Origins::default()).inspect_err(|refusal| {
            self.note(Knock::Stranger(format!("its handshake is not right ({})", refusal.status.as_u16())));
        })?;
        let given =
            head.headers.get(header::AUTHORIZATION).and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
        match (self.demand, given) {
            (Auth::None, _) => {}
            (_, None) => {
                self.note(Knock::Asked);
                return Err(self.challenge(false));
            }
            (Auth::Basic, Some(given)) => {
                let right = basic::Basic::parse(given)
                    .map_err(|e| e.to_string())
                    .and_then(|given| given.verify(&self.login, &self.password).ok_or_else(wrong_password));
                self.known(right.map(|_| ()))?;
            }
            (Auth::Digest, Some(given)) if !auth::scheme(given).eq_ignore_ascii_case("Digest") => {
                self.known(Err(format!("it sends {} where Digest is demanded", auth::scheme(given))))?;
            }
            (Auth::Digest, Some(given)) => {
                let target = head.uri.to_string();
                let request = digest::Request { method: head.method.as_str(), target: &target };
                let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
                let known = |login: &str| (login == self.login).then_some(&self.secret);
                let verdict = gate.verify(self.now(), request, given, known).map(|_| ());
                drop(gate);
                self.known(verdict.map_err(|e| e.to_string()))?;
            }
        }
        self.note(Knock::Right);
        Ok(wanted)
    }

    fn known(&self, verdict: Result<(), String>) -> Result<(), Refusal> {
        verdict.map_err(|why| {
            self.note(Knock::Wrong(why));
            self.challenge(false)
        })
    }

    fn challenge(&self, stale: bool) -> Refusal {
        let challenges = match self.demand {
            Auth::None => Vec::new(),
            Auth::Basic => vec![basic::CHALLENGE.to_owned()],
            Auth::Digest => {
                let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
                gate.challenges(self.now(), rand::random(), stale).into()
            }
        };
        let values = challenges.iter().filter_map(|challenge| HeaderValue::from_str(challenge).ok());
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "credentials are demanded here");
        values.fold(refusal, |refusal, challenge| refusal.with(header::WWW_AUTHENTICATE, challenge))
    }
}

fn wrong_password() -> String {
    "wrong login or password".to_owned()
}

async fn accept(tcp: TcpListener, door: Arc<Door>, open: mpsc::Sender<Wire>) {
    let mut guests = JoinSet::new();
    loop {
        tokio::select! {
            arrived = tcp.accept() => {
                if let Ok((io, _)) = arrived {
                    guests.spawn(attend(io, Arc::clone(&door), open.clone()));
                }
            }
            Some(_) = guests.join_next() => {}
        }
    }
}

/// One connection, from its first byte to the wire it becomes.
async fn attend(tcp: TcpStream, door: Arc<Door>, open: mpsc::Sender<Wire>) {
    // Fails only on a socket that is dead already.
    let _ = tcp.set_nodelay(true);
    let io = match &door.certificates {
        None => Stream::Plain(tcp),
        Some(certificates) => match timeout(OPENING, certificates.acceptor().accept(tcp)).await {
            Ok(Ok(tls)) => Stream::Tls(Box::new(TlsStream::Server(tls))),
            Ok(Err(e)) => return door.note(Knock::Stranger(format!("no TLS: {e}"))),
            Err(_) => return door.note(Knock::Stranger(format!("no TLS in {} s", OPENING.as_secs()))),
        },
    };
    let answer = |request: Request<Body>| {
        let (head, _) = request.into_parts();
        let judged = door.judge(&head);
        async move {
            match judged {
                Ok(wanted) => Answer::Leave(wanted),
                Err(refusal) => Answer::Respond(refusal.response()),
            }
        }
    };
    let deadline = tokio::time::Instant::now() + OPENING;
    let Some(mut left) = http::serve(io, deadline, &CancellationToken::new(), answer).await else { return };
    let format = left.plan.format;
    if left.io.write_all(&left.plan.answer()).await.is_err() || left.io.flush().await.is_err() {
        return;
    }
    let socket = Socket::new(left.io, left.early, Side::Server, LARGEST, PATIENCE);
    // Nobody listens any more: then the connection ends here.
    let _ = open.send(Wire { socket, format }).await;
}
