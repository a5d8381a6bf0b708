//! One POST and its answer, on a connection that is kept for the next.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ctigate_proto::codec::{self, post};
use ctigate_proto::message::{Envelope, Format, Text};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderMap};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::telemetry::logging::tame;
use crate::transport::credentials::Credentials;
use crate::transport::dial::Way;
use crate::transport::gate::Allowance;
use crate::transport::retry::Failure;

/// Largest head of an answer, and most of its lines.
const LARGEST_HEAD: usize = 64 << 10;
const MOST_HEADERS: usize = 100;

/// The server that is posted to.
pub(super) struct Server {
    way: Way,
    credentials: Mutex<Credentials>,
    format: Format,
    /// How deep and how large an answer may be.
    allowance: Allowance,
    /// Where it was reached last.
    address: Mutex<Option<IpAddr>>,
}

/// One connection to the server, opened when it is needed.
#[derive(Debug, Default)]
pub(super) struct Line {
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Server {
    pub(super) fn new(way: Way, credentials: Credentials, format: Format, allowance: Allowance) -> Self {
        Self { way, credentials: Mutex::new(credentials), format, allowance, address: Mutex::new(None) }
    }

    /// Where it was reached last.
    pub(super) fn address(&self) -> Option<IpAddr> {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether TLS is between us.
    pub(super) fn is_tls(&self) -> bool {
        self.way.target.tls
    }

    /// Posts a text, which is one message or several, and gives what the answer holds. When a kept connection turns out to have
    /// ended, the text is posted again on a new one; where that must not happen (`once`), only if it was certainly not sent.
    ///
    /// # Errors
    /// [`Failure`]; the line is usable again in any case.
    pub(super) async fn exchange(
        &self,
        line: &mut Line,
        text: &Text,
        once: bool,
        limit: Duration,
    ) -> Result<Vec<Envelope>, Failure> {
        let answer = self.answer(line, text, once, limit).await?;
        let limits = codec::Limits { depth: self.allowance.now().depth, ..codec::Limits::default() };
        codec::decode_all(self.format, &answer, &limits)
            .map_err(|e| Failure::BadAnswer(format!("the CRM's answer is no message: {e}")))
    }

    /// The same, with the answer as it came: empty when there is nothing to say.
    ///
    /// # Errors
    /// [`Failure`]; the line is usable again in any case.
    pub(super) async fn answer(
        &self,
        line: &mut Line,
        text: &Text,
        once: bool,
        limit: Duration,
    ) -> Result<Text, Failure> {
        let body = Bytes::from(post::form(self.format, text));
        match timeout(limit, self.post(line, &body, once)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failure)) => {
                // What was read to its end leaves a connection that can be used again.
                if !matches!(failure, Failure::Declined(_) | Failure::Refused(_)) {
                    line.sender = None;
                }
                Err(failure)
            }
            Err(_) => {
                line.sender = None;
                Err(Failure::Unreachable(format!("no answer in {:.1} s", limit.as_secs_f64())))
            }
        }
    }

    async fn post(&self, line: &mut Line, body: &Bytes, once: bool) -> Result<Text, Failure> {
        // One challenge, one answer, and once more for a nonce that has just become stale.
        for _ in 0..3 {
            let response = self.send(line, body, once).await?;
            let (head, body) = response.into_parts();
            let largest = self.allowance.now().max_message;
            let body = Limited::new(body, largest).collect().await.map_err(|e| {
                if e.is::<http_body_util::LengthLimitError>() {
                    Failure::BadAnswer(format!("the CRM's answer is larger than {largest} bytes"))
                } else {
                    Failure::Unreachable(format!("the CRM's answer broke off: {e}"))
                }
            })?;
            match head.status {
                StatusCode::UNAUTHORIZED => {
                    let challenges = values(&head.headers);
                    let mut credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
                    credentials.challenged(&challenges).map_err(Failure::Refused)?;
                }
                StatusCode::NO_CONTENT => return Ok(Text::new()),
                status if status.is_success() => {
                    let bytes = body.to_bytes();
                    // PHP scripts saved with a byte order mark send it.
                    let bytes = if bytes.starts_with(b"\xef\xbb\xbf") { bytes.slice(3..) } else { bytes };
                    return Text::try_from(bytes)
                        .map_err(|_| Failure::BadAnswer("the CRM's answer is not UTF-8".to_owned()));
                }
                status if status.is_redirection() => {
                    let to = head.headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
                    let to = tame(to);
                    return Err(Failure::Declined(format!(
                        "the CRM answered {}: {to} is not followed",
                        status.as_u16()
                    )));
                }
                status => return Err(Failure::Declined(format!("the CRM answered {}", status.as_u16()))),
            }
        }
        Err(Failure::Refused("the CRM challenges without end".to_owned()))
    }

    /// Sends the request and waits for the head of the answer.
    async fn send(
        &self,
        line: &mut Line,
        body: &Bytes,
        once: bool,
    ) -> Result<Response<hyper::body::Incoming>, Failure> {
        if let Some(sender) = &mut line.sender
            && sender.ready().await.is_ok()
        {
            match sender.send_request(self.request(body)?).await {
                Ok(response) => return Ok(response),
                // The server ended the kept connection, just now.
                Err(e) if e.is_canceled() || (!once && was_cut(&e)) => {}
                Err(e) => return Err(unreachable(&e)),
            }
        }
        let (io, address) = self.way.connect().await?;
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
        let (mut sender, connection) = http1::Builder::new()
            .max_headers(MOST_HEADERS)
            .max_buf_size(LARGEST_HEAD)
            .handshake(TokioIo::new(io))
            .await
            .map_err(|e| unreachable(&e))?;
        // Ends with its sender, or with the server's connection.
        tokio::spawn(async move {
            if let Err(e) = connection.await {
                tracing::debug!(error = %e, "a connection for posting ended");
            }
        });
        let response = sender.send_request(self.request(body)?).await.map_err(|e| unreachable(&e))?;
        line.sender = Some(sender);
        Ok(response)
    }

    fn request(&self, body: &Bytes) -> Result<Request<Full<Bytes>>, Failure> {
        let target = &self.way.target;
        let mut request = Request::post(&target.path)
            .header(header::HOST, &target.authority)
            .header(header::USER_AGENT, concat!("ctigate/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, post::plain_type(self.format))
            .header(header::CONTENT_TYPE, post::FORM_TYPE);
        let mut credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(authorization) = credentials.authorization("POST", &target.path) {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        request.body(Full::new(body.clone())).map_err(|e| Failure::Declined(format!("no request can be made: {e}")))
    }
}

/// Whether a connection ended under an exchange, in order or by a reset.
fn was_cut(e: &hyper::Error) -> bool {
    let by_system = std::error::Error::source(e).is_some_and(|source| source.is::<std::io::Error>());
    e.is_incomplete_message() || e.is_closed() || by_system
}

fn unreachable(e: &hyper::Error) -> Failure {
    let why = std::error::Error::source(e).map_or_else(|| e.to_string(), |source| format!("{e}: {source}"));
    Failure::Unreachable(format!("the exchange broke off: {why}"))
}

fn values(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(header::WWW_AUTHENTICATE).iter();
    lines.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
}
