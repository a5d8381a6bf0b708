//! One connection to the Manager Interface: opened and logged in by [`Session::open`], then either used action by action
//! ([`Session::ask`]) or run as a stream of messages beside a queue of actions ([`run`]), which opens a new one whenever one
//! is lost.

use std::fmt;
use std::time::Duration;

use md5::{Digest, Md5};
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use crate::config::Secret;
use crate::telemetry::logging::tame;

use super::backoff::Backoff;
use super::message::{Action, Message, Reader, Wrong};

/// The classes of events that are wanted. Without `dialplan` and `cdr`: seven lines of ten would be steps of the dialplan.
pub const EVENTS: &str = "system,call,agent,user,dtmf";

/// The ids of our own actions begin so; whoever uses the connection chooses others.
const OWN: &str = "gateway-";
/// How Asterisk greets.
const GREETING: &str = "Asterisk Call Manager/";
/// How much is read and written at a time, bytes.
const CHUNK: usize = 16 * 1024;

/// Where Asterisk is, and who we are there.
#[derive(Clone)]
pub struct Account {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The user, a section of manager.conf.
    pub user: String,
    /// Its secret.
    pub secret: Secret,
    /// What speaks TLS, if that is wanted.
    pub tls: Option<TlsConnector>,
    /// How patient we are.
    pub patience: Patience,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// To connect, TLS included.
    pub connect: Duration,
    /// To answer during login, and whatever [`Session::ask`] asks.
    pub answer: Duration,
    /// To say that it is fully booted, after the login.
    pub booted: Duration,
    /// How often it is asked whether it is there.
    pub ping: Duration,
    /// How long it may say nothing at all.
    pub silence: Duration,
    /// How long it may refuse to read.
    pub write: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(5),
            booted: Duration::from_secs(3),
            ping: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            write: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}", self.user, self.host, self.port)
    }
}

/// Why there is no connection, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// Nobody there, or not in time.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// TLS failed.
    #[error("TLS failed: {0}; is tlsenable = yes in manager.conf, and is this the tlsbindaddr?")]
    Tls(String),
    /// There is a server, but another one.
    #[error("what listens there is no Asterisk manager: it said {0:?}")]
    Other(String),
    /// It refuses the account.
    #[error(
        "it refuses the login of {user:?}: {why}. Compare user and secret with the section [{user}] of manager.conf, and see \
         that its permit names this machine; then run: asterisk -rx 'manager reload'"
    )]
    Refused {
        /// The user.
        user: String,
        /// What it said.
        why: String,
    },
    /// The secret would have to be sent so that the network can read it.
    #[error("it offers no MD5 challenge, and the secret is not sent in clear over the network: set tls = true")]
    Clear,
    /// What it says cannot be read.
    #[error("it sent {0}")]
    Unreadable(#[from] Wrong),
    /// It says nothing any more.
    #[error("it said nothing for {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// It does not read any more.
    #[error("it took nothing for {} s", .0.as_secs_f32())]
    Stuck(Duration),
    /// It closed the connection.
    #[error("it closed the connection")]
    Closed,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
}

impl Fault {
    /// Whether trying again soon is useless, since a person has to change something.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Clear | Self::Other(_))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn broken(error: std::io::Error) -> Fault {
    Fault::Broken(error.to_string())
}

/// What [`run`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// We are logged in; everything that was known before may have changed.
    Up {
        /// The version of the interface, like `11.0.0`.
        version: String,
    },
    /// Asterisk said something, or an action could not be sent: then in its name, as a response with `Error`.
    Message(Message),
    /// The connection is lost, or could not be made. What was asked is not answered any more.
    Down(Fault),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection that is logged in.
pub struct Session {
    /// The version of the interface.
    pub version: String,
    read: Reading,
    write: WriteHalf<Box<dyn Stream>>,
    patience: Patience,
    asked: u64,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("version", &self.version).finish_non_exhaustive()
    }
}

/// The half that reads.
struct Reading {
    io: ReadHalf<Box<dyn Stream>>,
    reader: Reader,
    chunk: Vec<u8>,
}

impl Reading {
    /// Reads some more; the end is an error. Cancel safe.
    async fn more(&mut self) -> Result<(), Fault> {
        match self.io.read(&mut self.chunk).await.map_err(broken)? {
            0 => Err(Fault::Closed),
            n => {
                self.reader.push(&self.chunk[..n]);
                Ok(())
            }
        }
    }

    /// The next message. Cancel safe.
    async fn message(&mut self) -> Result<Message, Fault> {
        loop {
            match self.reader.next_message()? {
                Some(message) => return Ok(message),
                None => self.more().await?,
            }
        }
    }

    async fn greeting(&mut self) -> Result<String, Fault> {
        loop {
            match self.reader.greeting()? {
                Some(line) => return Ok(line),
                None => self.more().await?,
            }
        }
    }
}

impl Session {
    /// Connects and logs in, without sending the secret over the network.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn open(account: &Account) -> Result<Self, Fault> {
        let patience = account.patience;
        let (stream, near) = timeout(patience.connect, connect(account))
            .await
            .map_err(|_| Fault::Unreachable("it did not answer in time".to_owned()))??;
        let (io, write) = tokio::io::split(stream);
        let mut read = Reading { io, reader: Reader::default(), chunk: vec![0; CHUNK] };
        let greeting = timeout(patience.answer, read.greeting()).await;
        let greeting = greeting.map_err(|_| Fault::Silent(patience.answer))?.map_err(|fault| match fault {
            Fault::Unreadable(_) => Fault::Other("a line without an end".to_owned()),
            other => other,
        })?;
        let Some(version) = greeting.strip_prefix(GREETING) else {
            return Err(Fault::Other(tame(&greeting).chars().take(100).collect()));
        };
        let version = version.trim().to_owned();
        let mut session = Self { version, read, write, patience, asked: 0 };
        session.log_in(account, near || account.tls.is_some()).await?;
        Ok(session)
    }

    async fn log_in(&mut self, account: &Account, private: bool) -> Result<(), Fault> {
        let secret = account.secret.expose();
        let (challenge, _) = self.ask(Action::new("Challenge").with("AuthType", "MD5")).await?;
        let login = Action::new("Login").with("Username", &account.user);
        let login = match challenge.get("Challenge") {
            "" if !private => return Err(Fault::Clear),
            "" => login.with("Secret", secret),
            challenge => login.with("AuthType", "MD5").with("Key", key(challenge, secret)),
        };
        let (answer, _) = self.ask(login.with("Events", EVENTS)).await?;
        if answer.response() != "Success" {
            let why = tame(answer.get("Message"));
            return Err(Fault::Refused { user: account.user.clone(), why });
        }
        Ok(())
    }

    /// Asks one thing and waits for its response, and for the events of a list if one follows. Events of others are lost.
    ///
    /// # Errors
    /// [`Fault`]; also when the answer does not come in time, or the action cannot be sent.
    pub async fn ask(&mut self, action: Action) -> Result<(Message, Vec<Message>), Fault> {
        let id = self.send(action).await?;
        let patience = self.patience;
        let answered = async {
            let mut response = None;
            let mut events = Vec::new();
            loop {
                let message = self.read.message().await?;
                if message.action_id() != id {
                    continue;
                }
                if message.event().is_empty() {
                    let list = message.get("EventList").eq_ignore_ascii_case("start");
                    if !list {
                        return Ok((message, events));
                    }
                    response = Some(message);
                } else if message.get("EventList").eq_ignore_ascii_case("complete") {
                    return Ok((response.unwrap_or_default(), events));
                } else {
                    events.push(message);
                }
            }
        };
        timeout(patience.answer, answered).await.map_err(|_| Fault::Silent(patience.answer))?
    }

    /// Sends an action under an id of ours.
    async fn send(&mut self, action: Action) -> Result<String, Fault> {
        self.asked += 1;
        let id = format!("{OWN}{}", self.asked);
        let mut bytes = Vec::new();
        action.id(&id).encode(&mut bytes).map_err(|wrong| Fault::Broken(wrong.to_string()))?;
        let patience = self.patience;
        let written = async {
            self.write.write_all(&bytes).await?;
            self.write.flush().await
        };
        timeout(patience.write, written).await.map_err(|_| Fault::Stuck(patience.write))?.map_err(broken)?;
        Ok(id)
    }

    /// Asks one thing, and gives the event that `wanted` is true of, if it comes in time; before or after the response.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn ask_and_see(
        &mut self,
        action: Action,
        within: Duration,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Option<Message>, Fault> {
        self.send(action).await?;
        self.event(within, wanted).await
    }

    /// The next event that `wanted` is true of, if it comes in time.
    ///
    /// # Errors
    /// [`Fault`]: the connection is lost.
    pub async fn event(
        &mut self,
        within: Duration,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Option<Message>, Fault> {
        let found = async {
            loop {
                let message = self.read.message().await?;
                if wanted(&message) {
                    return Ok(message);
                }
            }
        };
        match timeout(within, found).await {
            Err(_) => Ok(None),
            Ok(found) => found.map(Some),
        }
    }

    /// Whether Asterisk says that it is fully booted. It never does to an account without `system` among its read rights.
    ///
    /// # Errors
    /// [`Fault`]: the connection is lost.
    pub async fn booted(&mut self) -> Result<bool, Fault> {
        Ok(self.event(self.patience.booted, |message| message.event() == "FullyBooted").await?.is_some())
    }
}

/// Whether what travels between us and `address` stays on this machine, and the stream.
async fn connect(account: &Account) -> Result<(Box<dyn Stream>, bool), Fault> {
    let tcp = TcpStream::connect((account.host.as_str(), account.port)).await;
    let tcp = tcp.map_err(|error| Fault::Unreachable(error.to_string()))?;
    tcp.set_nodelay(true).map_err(broken)?;
    let near = tcp.peer_addr().is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
    let Some(tls) = &account.tls else { return Ok((Box::new(tcp), near)) };
    let name = ServerName::try_from(account.host.clone()).map_err(|error| Fault::Tls(error.to_string()))?;
    let tls = tls.connect(name, tcp).await.map_err(|error| Fault::Tls(error.to_string()))?;
    Ok((Box::new(tls), near))
}

/// The answer to a challenge: who listens learns nothing that works a second time.
fn key(challenge: &str, secret: &str) -> String {
    let digest = Md5::new().chain_update(challenge).chain_update(secret).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Keeps a connection for ever: opens one, tells what comes, sends what is in `actions`, and opens another when it is lost.
/// Ends only when nobody listens to `told` any more or nobody can order anything.
///
/// What stands in `actions` while there is no connection is answered with an error.
pub async fn run(account: &Account, mut actions: mpsc::Receiver<Action>, told: mpsc::Sender<Told>) {
    let mut backoff = Backoff::default();
    loop {
        let began = Instant::now();
        let fault = tokio::select! {
            fault = once(account, &mut actions, &told) => fault,
            () = told.closed() => return,
        };
        let Err(fault) = fault else { return };
        let pause = backoff.after(fault.is_refusal(), began.elapsed());
        if fault.is_refusal() {
            tracing::error!(asterisk = ?account, again_after = ?pause, "Asterisk: {fault}");
        } else {
            tracing::warn!(asterisk = ?account, again_after = ?pause, "Asterisk: {fault}");
        }
        if told.send(Told::Down(fault)).await.is_err() {
            return;
        }
        let again = tokio::time::sleep(pause);
        tokio::pin!(again);
        loop {
            tokio::select! {
                () = &mut again => break,
                action = actions.recv() => match action {
                    Some(action) => {
                        if told.send(unsent(&action, "there is no connection")).await.is_err() {
                            return;
                        }
                    }
                    None => return,
                },
                () = told.closed() => return,
            }
        }
    }
}

/// One connection, until it is lost; `Ok` when nobody needs it any more.
async fn once(account: &Account, actions: &mut mpsc::Receiver<Action>, told: &mpsc::Sender<Told>) -> Result<(), Fault> {
    let mut session = Session::open(account).await?;
    if !session.booted().await? {
        let within = account.patience.booted;
        tracing::warn!(
            asterisk = ?account,
            "Asterisk did not say within {within:?} that it is fully booted: either it still starts, or the section [{}] of \
             manager.conf lacks \"system\" in read =",
            account.user
        );
    }
    tracing::info!(asterisk = ?account, version = session.version, "logged in to Asterisk");
    // What was ordered before belongs to the connection before.
    while let Ok(action) = actions.try_recv() {
        if told.send(unsent(&action, "the connection was lost")).await.is_err() {
            return Ok(());
        }
    }
    let Session { version, read, write, patience, .. } = session;
    if told.send(Told::Up { version }).await.is_err() {
        return Ok(());
    }
    tokio::select! {
        ended = listen(read, told, patience) => ended,
        ended = speak(write, actions, told, patience) => ended,
    }
}

/// Reads until the connection is lost.
async fn listen(mut read: Reading, told: &mpsc::Sender<Told>, patience: Patience) -> Result<(), Fault> {
    loop {
        while let Some(message) = read.reader.next_message()? {
            if !message.action_id().starts_with(OWN) && told.send(Told::Message(message)).await.is_err() {
                return Ok(());
            }
        }
        timeout(patience.silence, read.more()).await.map_err(|_| Fault::Silent(patience.silence))??;
    }
}

/// Writes until the connection is lost. In a future of its own: Asterisk reads nothing while it works on an action.
async fn speak(
    mut write: WriteHalf<Box<dyn Stream>>,
    actions: &mut mpsc::Receiver<Action>,
    told: &mpsc::Sender<Told>,
    patience: Patience,
) -> Result<(), Fault> {
    let mut ping = tokio::time::interval(patience.ping);
    ping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut bytes = Vec::with_capacity(CHUNK);
    loop {
        let action = tokio::select! {
            action = actions.recv() => action,
            _ = ping.tick() => Some(Action::new("Ping").id(format!("{OWN}ping"))),
        };
        let Some(mut action) = action else { return Ok(()) };
        bytes.clear();
        loop {
            if let Err(wrong) = action.encode(&mut bytes) {
                tracing::warn!(action = action.name(), %wrong, "an action for Asterisk was not sent");
                if told.send(unsent(&action, &wrong.to_string())).await.is_err() {
                    return Ok(());
                }
            }
            if bytes.len() >= CHUNK {
                break;
            }
            match actions.try_recv() {
                Ok(next) => action = next,
                Err(_) => break,
            }
        }
        let written = async {
            write.write_all(&bytes).await?;
            write.flush().await
        };
        timeout(patience.write, written).await.map_err(|_| Fault::Stuck(patience.write))?.map_err(broken)?;
    }
}

/// The answer to an action that never reached Asterisk.
fn unsent(action: &Action, why: &str) -> Told {
    Told::Message(Message::from_fields([("Response", "Error"), ("ActionID", action.action_id()), ("Message", why)]))
}
