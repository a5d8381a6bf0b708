//! HTTP/1.1 of one accepted connection: the rules every request obeys, whichever door it came through, and the way out of HTTP
//! for those that become a WebSocket.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::connection::PATIENCE;
use super::heads::Heads;
use super::stream::Stream;
use super::upgrade;
use super::wire;

/// Longest request target.
const LONGEST_TARGET: usize = 16 << 10;
/// Largest head.
const LARGEST_HEAD: usize = 64 << 10;
/// Most header lines.
const MOST_HEADERS: usize = 100;
/// How long a kept connection may wait for its next request, head included.
const IDLE: Duration = Duration::from_secs(30);
/// How long a body may pause, and what it gets on top of its least rate.
const BODY_PAUSE: Duration = Duration::from_secs(10);
/// The least rate of a body, bytes a second.
const BODY_RATE: u64 = 1024;
/// How long a peer may take to end its half when we have ended ours.
const LINGER: Duration = Duration::from_secs(1);

/// What a door says to a request.
pub(super) enum Answer<T> {
    /// This.
    Respond(Response<Body>),
    /// HTTP ends here, without a word of HTTP: `T` knows what follows.
    Leave(T),
}

/// A connection that has left HTTP.
pub(super) struct Left<T> {
    pub io: Stream,
    /// What the peer sent behind its head.
    pub early: Vec<u8>,
    pub plan: T,
}

/// Serves requests until the connection ends, or leaves HTTP. The first head must be here by `deadline`.
pub(super) async fn serve<T, H, F>(io: Stream, deadline: Instant, stop: &CancellationToken, door: H) -> Option<Left<T>>
where
    T: Send + 'static,
    H: Fn(Request<Body>) -> F,
    F: Future<Output = Answer<T>> + Send + 'static,
{
    let (leave, mut leaving) = mpsc::channel(1);
    let seen = Arc::new(AtomicBool::new(false));
    let heads = Heads::default();
    let service = service_fn(|request: Request<Incoming>| {
        seen.store(true, Ordering::Relaxed);
        let leave = leave.clone();
        let closes = request.headers().contains_key(header::TRANSFER_ENCODING);
        let slow = Arc::new(AtomicBool::new(false));
        let both = heads.next_has_both();
        let answer = check(&request, both).map(|()| {
            let (head, body) = request.into_parts();
            let empty = hyper::body::Body::is_end_stream(&body);
            let body = if empty { Body::empty() } else { Body::new(Timed::new(body, Arc::clone(&slow))) };
            door(Request::from_parts(head, body))
        });
        Box::pin(async move {
            let mut response = match answer {
                Err(refusal) => refusal.closing().response(),
                Ok(answer) => match answer.await {
                    Answer::Respond(response) => response,
                    Answer::Leave(plan) => {
                        // The receiver drops this future together with the whole of HTTP.
                        let _ = leave.try_send(plan);
                        pending().await
                    }
                },
            };
            if slow.load(Ordering::Relaxed) {
                response = Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly").closing().response();
            }
            if closes {
                // Where such a body ends is a matter of opinion as soon as somebody stands between us.
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_headers(MOST_HEADERS)
        .max_buf_size(LARGEST_HEAD)
        .max_header_size(LARGEST_HEAD)
        .half_close(false)
        .serve_connection(TokioIo::new(Patient { io, heads: heads.clone(), stuck: None }), service);
    let first_head = sleep_until(deadline);
    tokio::pin!(first_head);
    let (mut waits, mut stopping) = (true, false);
    let plan = loop {
        tokio::select! {
            biased;
            // An error here is the peer's: bytes that are no HTTP, or a connection that went away. It has had its answer.
            _ = &mut connection => break None,
            plan = leaving.recv() => break plan,
            () = first_head.as_mut(), if waits => {
                if !seen.load(Ordering::Relaxed) {
                    return None;
                }
                waits = false;
            }
            () = stop.cancelled(), if !stopping => {
                if !seen.load(Ordering::Relaxed) {
                    return None;
                }
                stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    let parts = connection.into_parts();
    let mut io = parts.io.into_inner().io;
    match plan {
        Some(plan) => Some(Left { io, early: parts.read_buf.to_vec(), plan }),
        None => {
            wire::linger(&mut io, LINGER).await;
            None
        }
    }
}

/// The rules that hold for every request.
fn check<B>(request: &Request<B>, has_both: bool) -> Result<(), Refusal> {
    let headers = request.headers();
    if has_both {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "Transfer-Encoding and Content-Length exclude each other"));
    }
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > LONGEST_TARGET {
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, "the address is longer than 16 KiB"));
    }
    match *request.method() {
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::PATCH | Method::DELETE | Method::OPTIONS => {}
        Method::TRACE | Method::CONNECT => {
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this method is not served")
                .with(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")));
        }
        _ => return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "this method is not known")),
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() == Version::HTTP_10 => {}
        (Some(host), None) if is_host(host) => {}
        _ => return Err(Refusal::new(StatusCode::BAD_REQUEST, "the request needs one Host")),
    }
    if upgrade::values(headers, &header::TRANSFER_ENCODING).any(|coding| !coding.eq_ignore_ascii_case(b"chunked"))
        || upgrade::values(headers, &header::TRANSFER_ENCODING).count() > 1
    {
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "the only transfer coding that is known is chunked"));
    }
    if upgrade::values(headers, &header::EXPECT).any(|wish| !wish.eq_ignore_ascii_case(b"100-continue")) {
        return Err(Refusal::new(StatusCode::EXPECTATION_FAILED, "the only known expectation is 100-continue"));
    }
    if upgrade::values(headers, &header::CONTENT_ENCODING).any(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bodies are taken as they are, not compressed"));
    }
    Ok(())
}

fn is_host(host: &HeaderValue) -> bool {
    host.to_str().is_ok_and(|host| {
        host.parse::<hyper::http::uri::Authority>().is_ok_and(|authority| {
            !authority.host().is_empty()
                && !host.contains('@')
                && (authority.port().is_none() || authority.port_u16().is_some())
        })
    })
}

/// An answer that is no: a status, a line of text, a few headers.
#[derive(Debug)]
pub(super) struct Refusal {
    pub status: StatusCode,
    text: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// A status and a line that says what was wrong.
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), headers: Vec::new() }
    }

    /// The same with one more header.
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same, after which the connection ends.
    pub(super) fn closing(mut self) -> Self {
        self.headers.push((header::CONNECTION, HeaderValue::from_static("close")));
        self
    }

    /// As a response with a length.
    pub(super) fn response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(format!("{}\n", self.text)));
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// A stream whose peer must take what is written to it.
struct Patient {
    io: Stream,
    heads: Heads,
    /// Runs while the peer takes nothing.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    /// Lets a write that waits have its time and no more.
    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        ready!(stuck.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        self.heads.pass(&buf.filled()[before..]);
        read
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.watch(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.io).poll_shutdown(cx);
        self.watch(cx, ended)
    }
}

/// A body that must not pause for long, and must not trickle.
struct Timed {
    body: Incoming,
    slow: Arc<AtomicBool>,
    began: Option<Instant>,
    bytes: u64,
    pause: Pin<Box<Sleep>>,
}

impl Timed {
    fn new(body: Incoming, slow: Arc<AtomicBool>) -> Self {
        Self { body, slow, began: None, bytes: 0, pause: Box::pin(sleep(BODY_PAUSE)) }
    }
}

impl hyper::body::Body for Timed {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let now = Instant::now();
        let began = *this.began.get_or_insert_with(|| {
            this.pause.as_mut().reset(now + BODY_PAUSE);
            now
        });
        let due = began + BODY_PAUSE + Duration::from_secs(this.bytes / BODY_RATE);
        if this.pause.as_mut().poll(cx).is_ready() || now > due {
            this.slow.store(true, Ordering::Relaxed);
            return Poll::Ready(Some(Err("the body came too slowly".into())));
        }
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            this.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            this.pause.as_mut().reset(now + BODY_PAUSE);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
