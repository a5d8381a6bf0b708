//! A server that the gateway connects to.

use std::net::SocketAddr;

use ctigate::config::{Link, LinkMode};
use ctigate::proto::message::Format;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::gateway::{format_of, link};
use super::http::{Request, read_request};
use super::{Io, soon};

/// A server of a story.
pub(crate) struct Server {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<tokio_rustls::TlsAcceptor>,
}

impl Server {
    pub(crate) async fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), tls: None }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// A link that is dialed to this server.
    pub(crate) fn link(&self, format: Format) -> Link {
        let mode = if self.tls.is_some() { LinkMode::DialWss } else { LinkMode::DialWs };
        let url = format!("{}://localhost:{}/cti?a=b", mode.scheme(), self.address().port());
        Link { url, format: format_of(format), ..link("crm", mode) }
    }

    pub(crate) async fn accept(&self) -> Io {
        soon("a call", async {
            loop {
                let (tcp, _) = self.listener.accept().await.unwrap();
                match &self.tls {
                    None => return Box::new(tcp) as Io,
                    // Who does not like the certificate goes away.
                    Some(acceptor) => match acceptor.accept(tcp).await {
                        Ok(tls) => return Box::new(tls) as Io,
                        Err(_) => continue,
                    },
                }
            }
        })
        .await
    }

    /// Reads a request and answers it; what follows on the connection is the caller's business.
    pub(crate) async fn answer(&self, answer: impl FnOnce(&Request) -> String) -> (Io, Request) {
        let mut io = self.accept().await;
        let request = answer_on(&mut io, answer).await;
        (io, request)
    }
}

pub(crate) async fn answer_on(io: &mut Io, answer: impl FnOnce(&Request) -> String) -> Request {
    let request = soon("a request", read_request(io, &mut Vec::new())).await.expect("a request");
    io.write_all(answer(&request).as_bytes()).await.unwrap();
    io.flush().await.unwrap();
    request
}
