//! What the stories of this folder are told with: a gateway on ports of its own ([`gateway`]), peers that speak by bytes
//! ([`ws`], [`http`]) or by messages ([`peers`]). Nothing here uses the gateway's own code to speak, so that a fault there
//! cannot hide itself. Every wait has a bound.

#![allow(dead_code, reason = "not every story needs every helper")]

pub(crate) mod admin;
pub(crate) mod breakable;
pub(crate) mod curl;
pub(crate) mod database;
pub(crate) mod gateway;
pub(crate) mod http;
pub(crate) mod node;
pub(crate) mod peers;
#[path = "../../asterisk/ports.rs"]
pub(crate) mod ports;
pub(crate) mod post_crm;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod server;
pub(crate) mod tls;
pub(crate) mod ws;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) use gateway::{Gateway, Setup};
pub(crate) use peers::{FakeCrm, FakeTab};
pub(crate) use ws::{Frame, Ws};

/// How long anything may take that is to happen.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A stream of bytes, whatever carries it.
pub(crate) trait Bytes: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Bytes for T {}
pub(crate) type Io = Box<dyn Bytes>;

/// Waits for what is to happen soon.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.unwrap_or_else(|_| panic!("{what}: not within {} s", SOON.as_secs()))
}

/// Asks again and again until the answer is yes.
pub(crate) async fn until(what: &str, mut yes: impl FnMut() -> bool) {
    let asked = async {
        while !yes() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(what, asked).await;
}
