//! The other end of a link: what a CRM does to connect. For the demo's CRM, which uses nothing but the public protocol.

use std::net::IpAddr;

use ctigate_proto::message::{CloseReason, Text};

use crate::config::{Config, Link};

use super::dial::Dialed;
use super::socket::{Heard, Socket};

/// A connection that a CRM has opened.
#[derive(Debug)]
pub struct Client {
    socket: Socket,
    /// Where it is connected to.
    pub address: IpAddr,
}

/// The connection is over: why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Ended(pub String);

impl Client {
    /// Connects as the link says (url, format, auth, whom to trust), and shakes hands.
    ///
    /// # Errors
    /// Where it failed and why.
    pub async fn connect(link: &Link) -> Result<Self, Ended> {
        let mut dialed = Dialed::new(&Config::default(), link).map_err(|e| Ended(e.to_string()))?;
        let (mut socket, address) = dialed.open().await.map_err(|e| Ended(e.to_string()))?;
        socket.set_limit(16 << 20);
        Ok(Self { socket, address })
    }

    /// The next message. Pings are answered on the way.
    ///
    /// # Errors
    /// [`Ended`] when the connection is closed, cut or broken.
    pub async fn next(&mut self) -> Result<Text, Ended> {
        loop {
            match self.socket.next().await {
                Heard::Text(text) => return Ok(text),
                Heard::Binary(_) => {}
                Heard::Alive => self.flush().await?,
                Heard::Close(reason) => {
                    let _ = self.socket.flush().await;
                    return Err(Ended(format!("closed by the gateway: {} {}", reason.code, reason.text)));
                }
                Heard::Broken(reason) => return Err(Ended(format!("broken: {}", reason.text))),
                Heard::Gone(why) => return Err(Ended(why)),
            }
        }
    }

    /// Sends one message.
    ///
    /// # Errors
    /// [`Ended`] when the gateway does not read.
    pub async fn send(&mut self, text: &str) -> Result<(), Ended> {
        self.socket.put_text(&Text::from(text));
        self.flush().await
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        self.socket.put_close(&CloseReason::NORMAL);
        let _ = self.socket.flush().await;
    }

    async fn flush(&mut self) -> Result<(), Ended> {
        self.socket.flush().await.map_err(|_| Ended("the gateway does not read".to_owned()))
    }
}
