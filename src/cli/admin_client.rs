//! A client of the admin port of a running gateway: HTTP/1.1 on one connection, with the token from its file.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use base64::Engine;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::args::Target;
use super::{Failure, load, sources};
use crate::config::{Config, Secret};
use crate::store::token;
use crate::telemetry::logging::tame;
use crate::transport::tls::Trust;

/// How long connecting and TLS may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take, beside what the question itself waits for.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// The largest answer.
const LARGEST: usize = 64 << 20;

/// Which gateway, and the right to ask it.
pub(super) struct AdminClient {
    address: SocketAddr,
    token: Secret,
    trust: Option<Trust>,
}

impl AdminClient {
    /// The gateway that the configuration of a command describes.
    pub(super) fn of(target: &Target) -> Result<Self, Failure> {
        let config = load(&sources(&target.choice))?.config;
        let path = config.admin_token();
        let token = token::read(&path).map_err(|error| {
            let why = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
            Failure::new(format!("{error}{why}")).help(
                "the gateway makes the token at its first start, in the file that [web] admin_token names: run the command in the \
                 same folder, or with the same --config, as the user who runs the gateway",
            )
        })?;
        Ok(Self { address: reachable(config.web.admin_bind), token, trust: trust(&config)? })
    }

    /// Where it is asked.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks, and gives the status and the JSON of the answer. `wait` is how long the answer may take.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        wait: Duration,
    ) -> Result<(StatusCode, Value), Failure> {
        let answer = timeout(wait, self.send(method, path, body, "application/json")).await;
        let response = answer.map_err(|_| self.too_slow(wait))??;
        let status = response.status();
        let body = timeout(ANSWER, Limited::new(response.into_body(), LARGEST).collect()).await;
        let body = body.map_err(|_| self.too_slow(ANSWER))?.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Failure::new("the answer is larger than 64 MiB")
            } else {
                self.broken(&error.to_string())
            }
        })?;
        let bytes = body.to_bytes();
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok((status, value)),
            Err(_) if bytes.is_empty() => Ok((status, Value::Null)),
            Err(error) => {
                let text = tame(&String::from_utf8_lossy(&bytes));
                Err(Failure::new(format!("the answer of {} ({status}) is not JSON: {error}: {text}", self.address))
                    .help("is it ctigate that listens there?"))
            }
        }
    }

    /// As [`Self::ask`], for an answer that must be 200; any other is told as the failure.
    pub(super) async fn ask_ok(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let (status, value) = self.ask(method, path, body, ANSWER).await?;
        if status.is_success() { Ok(value) } else { Err(refused(status, &value)) }
    }

    /// Opens a stream of events.
    pub(super) async fn stream(&self, path: &str) -> Result<Incoming, Failure> {
        let answer = timeout(ANSWER, self.send(Method::GET, path, None, "text/event-stream")).await;
        let response = answer.map_err(|_| self.too_slow(ANSWER))??;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let body =
            Limited::new(response.into_body(), LARGEST).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        Err(refused(status, &serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        accept: &'static str,
    ) -> Result<Response<Incoming>, Failure> {
        let tcp = match timeout(CONNECT, TcpStream::connect(self.address)).await {
            Ok(Ok(tcp)) => tcp,
            Ok(Err(error)) => return Err(self.not_there(&error.to_string())),
            Err(_) => return Err(self.not_there("no answer in 5 s")),
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", self.token.expose()))
            .header(ACCEPT, accept)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.map(Value::to_string).unwrap_or_default())))
            .map_err(|error| Failure::new(format!("this cannot be asked: {error}")))?;
        let response = match &self.trust {
            None => self.exchange(tcp, request).await?,
            Some(trust) => {
                let connector = trust.connector().map_err(|error| Failure::new(error.to_string()))?;
                let name = self.address.ip().into();
                let tls = timeout(CONNECT, connector.connect(name, tcp)).await;
                let tls = tls.map_err(|_| self.too_slow(CONNECT))?.map_err(|error| {
                    Failure::new(format!("{} cannot be spoken to by TLS: {error}", self.address))
                        .help("does the gateway run with the same [web] certificate and admin_tls?")
                })?;
                self.exchange(tls, request).await?
            }
        };
        if response.status() == StatusCode::UNAUTHORIZED {
            return Err(Failure::new(format!("the gateway at {} does not take our admin token", self.address))
                .help("it runs with another configuration: run the command in its folder, or with its --config"));
        }
        Ok(response)
    }

    async fn exchange<S>(&self, stream: S, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broken = |error: hyper::Error| self.broken(&error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Ends with the connection; what goes wrong on it is told by the exchange.
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(broken)
    }

    fn not_there(&self, why: &str) -> Failure {
        Failure::new(format!("no gateway answers at {} ({why})", self.address)).help(
            "start one with \"ctigate serve\" or \"ctigate demo\"; for another address give its --config, or --set web.admin_bind=…",
        )
    }

    fn broken(&self, why: &str) -> Failure {
        Failure::new(format!("the connection to {} broke: {why}", self.address))
            .help("is it ctigate that listens there?")
    }

    fn too_slow(&self, waited: Duration) -> Failure {
        Failure::new(format!("the gateway at {} did not answer in {} s", self.address, waited.as_secs()))
    }
}

/// What the gateway says when it does not do what it was asked.
pub(super) fn refused(status: StatusCode, body: &Value) -> Failure {
    let said = ["errormsg", "message", "detail"].iter().find_map(|name| body.get(name)?.as_str());
    // Where `error` is a number, the text stands beside it.
    let said = said.or_else(|| body.get("error")?.as_str());
    match said.filter(|said| !said.is_empty()) {
        Some(said) => Failure::new(tame(said)),
        None => Failure::new(format!("the gateway answered {status}")),
    }
}

/// A text as one step of a path or a value of a query.
pub(super) fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
        escaped
    })
}

/// Where a listener that is bound to every address is reached.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// With TLS, exactly the gateway's own certificate is taken: it stands in a file that we know.
fn trust(config: &Config) -> Result<Option<Trust>, Failure> {
    if !config.web.admin_tls {
        return Ok(None);
    }
    let path = &config.web.certificate;
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("cannot read the certificate {}: {error}", path.display())))?;
    let first = text
        .split_once("-----BEGIN CERTIFICATE-----")
        .and_then(|(_, rest)| rest.split_once("-----END CERTIFICATE-----"))
        .map(|(body, _)| body.split_whitespace().collect::<String>())
        .and_then(|body| base64::engine::general_purpose::STANDARD.decode(body).ok());
    match first {
        Some(der) => Ok(Some(Trust::Pin(Sha256::digest(der).into()))),
        None => Err(Failure::new(format!("{} holds no certificate in PEM", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_reached_on_loopback() {
        let reached = |address: &str| reachable(address.parse().unwrap()).to_string();
        assert_eq!(reached("0.0.0.0:4058"), "127.0.0.1:4058");
        assert_eq!(reached("[::]:4058"), "[::1]:4058");
        assert_eq!(reached("10.0.0.1:4058"), "10.0.0.1:4058");
    }

    #[test]
    fn names_fit_into_paths() {
        assert_eq!(escape("Find/Client ?é"), "Find%2FClient%20%3F%C3%A9");
    }
}
