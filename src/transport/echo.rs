//! A peer that gives back what it hears, at either end, for the suites that judge a WebSocket by its echo (`make conformance`). The
//! handshake, the frames and the compression are those of every connection; only the dialog is missing. Not in the program that is
//! installed: it takes the feature `echo`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::Request;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Link};

use super::dial::Dialed;
use super::frames::{Opcode, Side};
use super::http::{self, Answer};
use super::line::Stuck;
use super::socket::{Heard, Socket};
use super::stream::Stream;
use super::tls::Certificates;
use super::upgrade::{self, Origins};

/// The largest message that is given back.
const LARGEST: usize = 64 << 20;
/// How long TLS and the handshake may take.
const OPENING: Duration = Duration::from_secs(10);
/// How long a suite may take nothing: it is slow where it plays large messages on a busy machine.
const UNHURRIED: Duration = Duration::from_secs(60);
/// How long last words may take.
const GOODBYE: Duration = Duration::from_secs(3);

/// Why there is no echo, or no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoEcho(String);

/// Serves one connection after the other, each in a task of its own, with compression for whoever offers it. Never returns.
pub async fn serve(listener: TcpListener, certificates: Option<Arc<Certificates>>) {
    loop {
        if let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(attend(tcp, certificates.clone()));
        }
    }
}

/// One connection, from its first byte.
async fn attend(tcp: TcpStream, certificates: Option<Arc<Certificates>>) {
    // Fails only on a socket that is dead already.
    let _ = tcp.set_nodelay(true);
    let io = match certificates {
        None => Stream::Plain(tcp),
        Some(certificates) => match timeout(OPENING, certificates.acceptor().accept(tcp)).await {
            Ok(Ok(tls)) => Stream::Tls(Box::new(TlsStream::Server(tls))),
            _ => return,
        },
    };
    let answer = |request: Request<Body>| {
        let (head, _) = request.into_parts();
        let judged = upgrade::judge(&head, &Origins::default()).map(|wanted| wanted.with_deflate(&head));
        async move {
            match judged {
                Ok(wanted) => Answer::Leave(wanted),
                Err(refusal) => Answer::Respond(refusal.closing().response()),
            }
        }
    };
    let left = http::serve(io, Instant::now() + OPENING, &CancellationToken::new(), answer).await;
    let Some(mut left) = left else { return };
    if left.io.write_all(&left.plan.answer()).await.is_err() || left.io.flush().await.is_err() {
        return;
    }
    let agreed = left.plan.deflate();
    echo(Socket::with(left.io, left.early, Side::Server, LARGEST, UNHURRIED, agreed)).await;
}

/// Connects as a link does, and gives back what is heard until the end.
///
/// # Errors
/// When there is no connection.
pub async fn dial(link: &Link) -> Result<(), NoEcho> {
    echo(connect(link).await?).await;
    Ok(())
}

/// Connects as a link does, and waits for the first text and the end.
///
/// # Errors
/// When there is no connection, or it ends without a text.
pub async fn ask(link: &Link) -> Result<String, NoEcho> {
    let mut socket = connect(link).await?;
    let mut answer = None;
    loop {
        match socket.next().await {
            Heard::Text(text) => answer = Some(text.to_string()),
            Heard::Binary(_) | Heard::Alive => {}
            other => {
                goodbye(socket, &other).await;
                return answer.ok_or_else(|| NoEcho(format!("no text came: {other:?}")));
            }
        }
    }
}

/// Connects and waits for the end, whatever is heard.
///
/// # Errors
/// When there is no connection.
pub async fn visit(link: &Link) -> Result<(), NoEcho> {
    let mut socket = connect(link).await?;
    loop {
        match socket.next().await {
            Heard::Text(_) | Heard::Binary(_) | Heard::Alive => {}
            other => {
                goodbye(socket, &other).await;
                return Ok(());
            }
        }
    }
}

async fn connect(link: &Link) -> Result<Socket, NoEcho> {
    let mut dialed = Dialed::new(&Config::default(), link).map_err(|e| NoEcho(e.to_string()))?;
    let (mut socket, _) = dialed.open().await.map_err(|e| NoEcho(e.to_string()))?;
    socket.set_limit(LARGEST);
    socket.retire(UNHURRIED);
    Ok(socket)
}

async fn echo(mut socket: Socket) {
    loop {
        let heard = socket.next().await;
        let given = match &heard {
            Heard::Text(text) => give(&mut socket, Opcode::Text, text.as_bytes()).await,
            Heard::Binary(bytes) => give(&mut socket, Opcode::Binary, bytes).await,
            Heard::Alive => socket.flush().await,
            _ => return goodbye(socket, &heard).await,
        };
        if given.is_err() {
            return;
        }
    }
}

async fn give(socket: &mut Socket, opcode: Opcode, payload: &[u8]) -> Result<(), Stuck> {
    socket.put(opcode, payload);
    socket.flush().await
}

/// Ends as every connection does.
async fn goodbye(mut socket: Socket, heard: &Heard) {
    socket.retire(GOODBYE);
    if let Heard::Broken(reason) = heard {
        socket.put_close(reason);
    }
    if !matches!(heard, Heard::Gone(_)) && socket.flush().await.is_ok() {
        socket.linger(GOODBYE).await;
    }
}
