//! The two ways of a connection's bytes, so that one task can read while another writes: in, for the connection's own task
//! alone; out, for whoever has something to send. Neither ever waits by itself.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use rustls::Connection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_rustls::TlsStream;

use super::stream::{Carrier, Stream};

/// Where bytes for the peer go.
#[derive(Debug)]
pub(super) enum Sink {
    /// As they are.
    Plain(OwnedWriteHalf),
    /// Through TLS.
    Tls(Box<Tls>),
    /// Over another network.
    Carried(Box<Carried>),
}

/// Where bytes of the peer come from, as they are on the network.
#[derive(Debug)]
pub(super) enum Source {
    /// The system's own TCP.
    Tcp(OwnedReadHalf),
    /// Another network.
    Carried(ReadHalf<Box<dyn Carrier>>),
}

/// What another network needs to be tried: it takes bytes or lets wait, but cannot say which of the two it would.
#[derive(Debug)]
pub(super) struct Carried {
    io: WriteHalf<Box<dyn Carrier>>,
    /// Taken from us and not yet by the network.
    held: Vec<u8>,
    /// Who waits for the network; a try in between must not take its place.
    waker: Option<Waker>,
}

/// What TLS needs for both ways: it writes, and it opens what was read, for both change its one state.
#[derive(Debug)]
pub(super) struct Tls {
    session: Connection,
    tcp: OwnedWriteHalf,
}

/// Takes a stream apart. What TLS has received and nobody has read yet stays with the sink: [`Sink::open`] gives it.
pub(super) fn split(stream: Stream) -> (Source, Sink) {
    match stream {
        Stream::Plain(tcp) => {
            let (source, tcp) = tcp.into_split();
            (Source::Tcp(source), Sink::Plain(tcp))
        }
        Stream::Tls(tls) => {
            let (tcp, session) = match *tls {
                TlsStream::Server(tls) => {
                    let (tcp, session) = tls.into_inner();
                    (tcp, Connection::from(session))
                }
                TlsStream::Client(tls) => {
                    let (tcp, session) = tls.into_inner();
                    (tcp, Connection::from(session))
                }
            };
            let (source, tcp) = tcp.into_split();
            (Source::Tcp(source), Sink::Tls(Box::new(Tls { session, tcp })))
        }
        Stream::Carried(io) => {
            let (source, io) = tokio::io::split(io);
            (Source::Carried(source), Sink::Carried(Box::new(Carried { io, held: Vec::new(), waker: None })))
        }
    }
}

impl Sink {
    /// Takes some of the bytes and says how many. They are on their way once [`Self::try_flush`] has succeeded too.
    ///
    /// # Errors
    /// `WouldBlock` when none are taken now; else the connection has failed.
    pub(super) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.try_write(bytes),
            Self::Tls(tls) => {
                tls.try_flush()?;
                io::Write::write(&mut tls.session.writer(), bytes)
            }
            Self::Carried(carried) => {
                carried.try_flush()?;
                carried.held.extend_from_slice(bytes);
                Ok(bytes.len())
            }
        }
    }

    /// Hands on what was taken and is still here.
    ///
    /// # Errors
    /// `WouldBlock` when not all of it goes now; else the connection has failed.
    pub(super) fn try_flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => tls.try_flush(),
            Self::Carried(carried) => carried.try_flush(),
        }
    }

    /// Waits until another try may succeed. Only for the connection's own task: one waits at a time.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => &tls.tcp,
            Self::Carried(carried) => return carried.poll_flush(cx),
        };
        tcp.as_ref().poll_write_ready(cx)
    }

    /// Opens what was received and appends it to `plain`. True when the peer has said that nothing follows. What was good before
    /// an error is in `plain` all the same.
    ///
    /// # Errors
    /// When it is not what TLS allows. The peer is told, as far as it reads.
    pub(super) fn open(&mut self, received: &[u8], plain: &mut Vec<u8>) -> io::Result<bool> {
        match self {
            Self::Plain(_) | Self::Carried(_) => {
                plain.extend_from_slice(received);
                Ok(false)
            }
            Self::Tls(tls) => tls.open(received, plain),
        }
    }

    /// Whether TLS has something to say by itself, as an answer to what was opened.
    pub(super) fn has_own_words(&self) -> bool {
        matches!(self, Self::Tls(tls) if tls.session.wants_write())
    }

    /// Ends our half.
    pub(super) fn shutdown(&mut self) -> io::Result<()> {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => {
                tls.session.send_close_notify();
                // Whoever does not read does not need it.
                let _ = tls.try_flush();
                &mut tls.tcp
            }
            Self::Carried(carried) => {
                let io = Pin::new(&mut carried.io);
                let done = io.poll_shutdown(&mut Context::from_waker(Waker::noop()));
                return if let Poll::Ready(done) = done { done } else { Ok(()) };
            }
        };
        // Of TCP it never waits.
        match Pin::new(tcp).poll_shutdown(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => done,
            Poll::Pending => Ok(()),
        }
    }
}

impl Source {
    /// Lets the kernel forget what was not sent.
    pub(super) fn abandon(&self) {
        if let Self::Tcp(tcp) = self {
            // Fails only on a socket that is dead already.
            let _ = tcp.as_ref().set_zero_linger();
        }
    }
}

impl AsyncRead for Source {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Carried(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl Carried {
    /// Hands on what is held.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waker = Some(cx.waker().clone());
        while !self.held.is_empty() {
            match ready!(Pin::new(&mut self.io).poll_write(cx, &self.held))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => drop(self.held.drain(..written)),
            }
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn try_flush(&mut self) -> io::Result<()> {
        let waits = self.waker.take();
        let flushed = self.poll_flush(&mut Context::from_waker(waits.as_ref().unwrap_or(Waker::noop())));
        self.waker = waits;
        match flushed {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Tls {
    fn try_flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            if self.session.write_tls(&mut Now(&self.tcp))? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    fn open(&mut self, mut received: &[u8], plain: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            if self.take(plain)? {
                return Ok(true);
            }
            if received.is_empty() {
                return Ok(false);
            }
            self.session.read_tls(&mut received)?;
            if let Err(error) = self.session.process_new_packets() {
                self.take(plain)?;
                // The alert that says why.
                let _ = self.try_flush();
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }

    /// Takes what is open. True when nothing follows.
    fn take(&mut self, plain: &mut Vec<u8>) -> io::Result<bool> {
        let mut reader = self.session.reader();
        loop {
            match io::BufRead::fill_buf(&mut reader) {
                Ok([]) => return Ok(true),
                Ok(some) => {
                    plain.extend_from_slice(some);
                    let taken = some.len();
                    io::BufRead::consume(&mut reader, taken);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Writes what the socket takes now.
struct Now<'a>(&'a OwnedWriteHalf);

impl io::Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, all: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(all)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
