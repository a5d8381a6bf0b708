//! The client's half of the WebSocket handshake, for versions 13, 8 and 0. Written by hand: the request as the draft or RFC
//! spells it, the answer read with more patience than libraries have (CRMs are old), but with all that proves anything.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctigate_proto::message::Format;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::telemetry::logging::tame;

use super::deflate::{self, Agreed};
use super::dial::Target;
use super::hixie76::Challenge;
use super::retry::Failure;
use super::socket;
use super::stream::Stream;

/// Largest head of an answer.
const LARGEST_HEAD: usize = 64 << 10;
/// Most header lines of an answer.
const MOST_HEADERS: usize = 100;
/// The largest body of a refusal that is read so that the connection can be used again.
const LARGEST_REFUSAL: usize = 64 << 10;

/// What we ask for.
pub(super) struct Offer<'a> {
    pub target: &'a Target,
    pub format: Format,
    /// The value of `Authorization`.
    pub authorization: Option<String>,
    /// Whether to offer compression; by the versions that have extensions.
    pub deflate: bool,
}

/// What a server answered that is no failure.
pub(super) enum Answer {
    /// It is a WebSocket now.
    Open {
        /// What came behind the head.
        early: Vec<u8>,
        /// What was agreed on for compression.
        deflate: Option<Agreed>,
    },
    /// It wants credentials.
    Unauthorized {
        /// The values of `WWW-Authenticate`.
        challenges: Vec<String>,
        /// Whether the connection can be used again.
        keeps: bool,
    },
}

/// Asks for a WebSocket of version 13 (RFC 6455) or 8 (hybi-10).
pub(super) async fn upgrade(io: &mut Stream, offer: &Offer<'_>, version: u8) -> Result<Answer, Failure> {
    let key = STANDARD.encode(rand::random::<[u8; 16]>());
    let mut request = head(offer, "websocket");
    put(&mut request, "Sec-WebSocket-Key", &key);
    put(&mut request, "Sec-WebSocket-Version", &version.to_string());
    if offer.deflate {
        put(&mut request, "Sec-WebSocket-Extensions", deflate::offer::OFFER);
    }
    if version == 8 {
        put(&mut request, "Sec-WebSocket-Origin", &offer.target.origin());
    }
    request.extend_from_slice(b"\r\n");
    send(io, &request).await?;
    let mut reading = Reading::default();
    let head = reading.head(io).await?;
    if head.status != 101 {
        return reading.refused(io, &head).await;
    }
    check_upgrade(&head, offer.format)?;
    let accept = head.only("sec-websocket-accept");
    if accept != Some(&socket::accept_key(key.as_bytes())) {
        return Err(Failure::Declined("the server did not read our key: its Sec-WebSocket-Accept is wrong".to_owned()));
    }
    let deflate = extensions(&head, offer)?;
    Ok(Answer::Open { early: reading.bytes, deflate })
}

/// Asks for a WebSocket of version 0 (hixie-76).
pub(super) async fn upgrade_hixie(io: &mut Stream, offer: &Offer<'_>) -> Result<Answer, Failure> {
    let challenge = Challenge::new(&mut rand::rng());
    let mut request = head(offer, "WebSocket");
    put(&mut request, "Origin", &offer.target.origin());
    put(&mut request, "Sec-WebSocket-Key1", &challenge.keys[0]);
    put(&mut request, "Sec-WebSocket-Key2", &challenge.keys[1]);
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(&challenge.body);
    send(io, &request).await?;
    let mut reading = Reading::default();
    let head = reading.head(io).await?;
    if head.status != 101 {
        return reading.refused(io, &head).await;
    }
    check_upgrade(&head, offer.format)?;
    while reading.bytes.len() < 16 {
        reading.more(io).await?;
    }
    if reading.bytes[..16] != challenge.answer() {
        return Err(Failure::Declined("the server did not read our keys: its answer to them is wrong".to_owned()));
    }
    Ok(Answer::Open { early: reading.bytes.split_off(16), deflate: None })
}

/// What the server agreed on of the extensions that we offered: RFC 6455 section 4.1, RFC 7692 section 5.1.
fn extensions(head: &Head, offer: &Offer<'_>) -> Result<Option<Agreed>, Failure> {
    let first = head.only("sec-websocket-extensions");
    match (first, offer.deflate) {
        (None, _) => Ok(None),
        (Some(extensions), false) => {
            Err(Failure::Declined(format!("the server uses an extension we did not offer: {}", tame(extensions))))
        }
        (Some(extensions), true) => deflate::offer::agreed(head.all("sec-websocket-extensions")).map_err(|wrong| {
            Failure::Declined(format!("the server's Sec-WebSocket-Extensions {wrong}: {}", tame(extensions)))
        }),
    }
}

/// What all versions say.
fn head(offer: &Offer<'_>, upgrade: &str) -> Vec<u8> {
    let mut request = format!("GET {} HTTP/1.1\r\n", offer.target.path).into_bytes();
    put(&mut request, "Host", &offer.target.authority);
    put(&mut request, "Upgrade", upgrade);
    put(&mut request, "Connection", "Upgrade");
    put(&mut request, "Sec-WebSocket-Protocol", offer.format.word());
    put(&mut request, "User-Agent", concat!("ctigate/", env!("CARGO_PKG_VERSION")));
    if let Some(authorization) = &offer.authorization {
        put(&mut request, "Authorization", authorization);
    }
    request
}

fn put(request: &mut Vec<u8>, name: &str, value: &str) {
    // Writing into memory cannot fail.
    let _ = write!(request, "{name}: {value}\r\n");
}

async fn send(io: &mut Stream, request: &[u8]) -> Result<(), Failure> {
    io.write_all(request).await?;
    Ok(io.flush().await?)
}

/// What a 101 of any version must say. A sub-protocol may be missing, but if there is one it is ours.
fn check_upgrade(head: &Head, format: Format) -> Result<(), Failure> {
    let holds = |name: &str, token: &str| {
        head.all(name).flat_map(|line| line.split(',')).any(|value| value.trim().eq_ignore_ascii_case(token))
    };
    if !holds("upgrade", "websocket") || !holds("connection", "upgrade") {
        return Err(Failure::Declined("the server answered 101, but not with an upgrade to WebSocket".to_owned()));
    }
    match head.only("sec-websocket-protocol") {
        Some(chosen) if !chosen.eq_ignore_ascii_case(format.word()) => Err(Failure::SubProtocol(format!(
            "the server chose the sub-protocol {}, we offered {}",
            tame(chosen),
            format.word()
        ))),
        _ => Ok(()),
    }
}

/// The head of an answer.
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

impl Head {
    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The value of a header that is there; the first, should there be more.
    fn only(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }
}

/// An answer while it is read.
#[derive(Default)]
struct Reading {
    bytes: Vec<u8>,
}

impl Reading {
    async fn more(&mut self, io: &mut Stream) -> Result<(), Failure> {
        if io.read_buf(&mut self.bytes).await? == 0 {
            return Err(Failure::Unreachable("the server ended the connection before it had answered".to_owned()));
        }
        Ok(())
    }

    /// Reads the head and leaves what follows it. Interim answers are read over.
    async fn head(&mut self, io: &mut Stream) -> Result<Head, Failure> {
        let mut looked = 0;
        loop {
            if let Some(end) = find(&self.bytes[looked..], b"\r\n\r\n").map(|at| looked + at + 4) {
                let head = parse(&self.bytes[..end])?;
                self.bytes.drain(..end);
                looked = 0;
                if head.status >= 200 || head.status == 101 {
                    return Ok(head);
                }
                continue;
            }
            looked = self.bytes.len().saturating_sub(3);
            if self.bytes.len() > LARGEST_HEAD {
                return Err(Failure::Declined("the head of the server's answer is larger than 64 KiB".to_owned()));
            }
            self.more(io).await?;
        }
    }

    /// Makes of an answer other than 101 what it means for us.
    async fn refused(mut self, io: &mut Stream, head: &Head) -> Result<Answer, Failure> {
        match head.status {
            401 => {
                let challenges = head.all("www-authenticate").map(str::to_owned).collect();
                let keeps = self.skip_body(io, head).await;
                Ok(Answer::Unauthorized { challenges, keeps })
            }
            403 => Err(Failure::Refused("the CRM refused us (403)".to_owned())),
            status @ (400 | 426) => {
                let versions: Vec<_> = head.all("sec-websocket-version").collect();
                let speaks = if versions.is_empty() {
                    "it names no WebSocket version that it speaks".to_owned()
                } else {
                    format!("it speaks WebSocket version {}; see websocket_version", tame(&versions.join(", ")))
                };
                Err(Failure::Declined(format!("the server answered {status}; {speaks}")))
            }
            status @ 300..=399 => {
                let to = head.only("location").unwrap_or("nowhere");
                Err(Failure::Declined(format!(
                    "the server answered {status}, which points to {}: not followed",
                    tame(to)
                )))
            }
            status => Err(Failure::Declined(format!("the server answered {status} where 101 was expected"))),
        }
    }

    /// Reads a body of known length over; whether the connection can be used again.
    async fn skip_body(&mut self, io: &mut Stream, head: &Head) -> bool {
        let closes = head.all("connection").any(|value| value.to_ascii_lowercase().contains("close"));
        let Some(length) = head.only("content-length").and_then(|length| length.trim().parse::<usize>().ok()) else {
            return false;
        };
        if closes || length > LARGEST_REFUSAL || head.only("transfer-encoding").is_some() {
            return false;
        }
        while self.bytes.len() < length {
            if self.more(io).await.is_err() {
                return false;
            }
        }
        self.bytes.len() == length
    }
}

fn parse(bytes: &[u8]) -> Result<Head, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => Ok(Head {
            status: response.code.unwrap_or_default(),
            headers: response
                .headers
                .iter()
                .map(|h| (h.name.to_owned(), String::from_utf8_lossy(h.value).into_owned()))
                .collect(),
        }),
        Ok(httparse::Status::Partial) => Err(Failure::Declined("the server's answer is no HTTP".to_owned())),
        Err(e) => Err(Failure::Declined(format!("the server's answer is no HTTP: {e}"))),
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|part| part == what)
}
