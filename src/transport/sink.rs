//! The two ways of a connection's bytes, so that one task can read while another writes: in, for the connection's own task
//! alone; out, for whoever has something to send. Neither ever waits by itself.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::Connection;
use tokio::io::AsyncWrite;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_rustls::TlsStream;

use super::stream::Stream;

/// Where bytes for the peer go.
#[derive(Debug)]
pub(super) enum Sink {
    /// As they are.
    Plain(OwnedWriteHalf),
    /// Through TLS.
    Tls(Box<Tls>),
}

/// What TLS needs for both ways: it writes, and it opens what was read, for both change its one state.
#[derive(Debug)]
pub(super) struct Tls {
    session: Connection,
    tcp: OwnedWriteHalf,
}

/// Takes a stream apart. What TLS has received and nobody has read yet stays with the sink: [`Sink::open`] gives it.
pub(super) fn split(stream: Stream) -> (OwnedReadHalf, Sink) {
    match stream {
        Stream::Plain(tcp) => {
            let (source, tcp) = tcp.into_split();
            (source, Sink::Plain(tcp))
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
            (source, Sink::Tls(Box::new(Tls { session, tcp })))
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
        }
    }

    /// Waits until another try may succeed. Only for the connection's own task: one waits at a time.
    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => &tls.tcp,
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
            Self::Plain(_) => {
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
        };
        // Of TCP it never waits.
        match Pin::new(tcp).poll_shutdown(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(done) => done,
            Poll::Pending => Ok(()),
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
