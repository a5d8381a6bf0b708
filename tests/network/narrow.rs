//! A connection that takes a few bytes now and the next ones later, so that the gateway's writes block in the middle of things.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};
use turmoil::net::TcpStream;

/// The gateway's end of a connection.
#[derive(Debug)]
pub(crate) struct Narrow {
    io: TcpStream,
    /// How many bytes it takes in one go; 0: as many as come.
    width: usize,
    room: usize,
    /// When it takes more.
    opens: Pin<Box<Sleep>>,
    dice: SmallRng,
}

impl Narrow {
    pub(crate) fn new(io: TcpStream, width: usize, seed: u64) -> Self {
        let opens = Box::pin(sleep(Duration::ZERO));
        Self { io, width, room: width, opens, dice: SmallRng::seed_from_u64(seed) }
    }
}

impl AsyncRead for Narrow {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Narrow {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.width == 0 {
            return Pin::new(&mut self.io).poll_write(cx, buf);
        }
        if self.room == 0 {
            ready!(self.opens.as_mut().poll(cx));
            self.room = self.width;
        }
        let some = buf.len().min(self.room);
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, &buf[..some]))?;
        self.room -= written;
        if self.room == 0 {
            let pause = Duration::from_millis(self.dice.random_range(1..200));
            self.opens.as_mut().reset(Instant::now() + pause);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
