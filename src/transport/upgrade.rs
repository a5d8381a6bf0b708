//! The WebSocket handshake, as the server sees it: RFC 6455 section 4.2, and the draft hybi-10, whose version is 8 and which
//! frames alike. Pure: a head goes in, what to answer comes out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctigate_proto::message::Format;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Uri, Version};

use crate::telemetry::logging::tame;

use super::deflate::{self, Agreed};
use super::http::Refusal;
use super::socket;

/// The versions that are accepted, as they stand in an answer.
const VERSIONS: &str = "13, 8";

const KEY: HeaderName = HeaderName::from_static("sec-websocket-key");
const VERSION: HeaderName = HeaderName::from_static("sec-websocket-version");
const EXTENSIONS: HeaderName = HeaderName::from_static("sec-websocket-extensions");
const PROTOCOL: HeaderName = HeaderName::from_static("sec-websocket-protocol");
/// How much of an origin is remembered, in characters.
const LONGEST_SHOWN: usize = 200;
/// Where version 8 has its `Origin`.
const OLD_ORIGIN: HeaderName = HeaderName::from_static("sec-websocket-origin");

/// A handshake that may succeed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    key: HeaderValue,
    /// The chosen sub-protocol, as it was offered.
    protocol: Option<HeaderValue>,
    /// The format it stands for. None: the channel opens and is closed with its first message.
    pub format: Option<Format>,
    /// What was agreed on for compression, and the header's value that says so.
    deflate: Option<(Agreed, String)>,
}

impl Wanted {
    /// The same, with compression as far as the client offers what can be kept: RFC 7692 section 5.1.
    pub(super) fn with_deflate(mut self, head: &Parts) -> Self {
        let lines = head.headers.get_all(EXTENSIONS).iter().map(HeaderValue::as_bytes);
        self.deflate = deflate::offer::choose(lines);
        self
    }

    /// What was agreed on for compression.
    pub(super) fn deflate(&self) -> Option<Agreed> {
        self.deflate.as_ref().map(|(agreed, _)| *agreed)
    }

    /// The head of the answer that completes the handshake. Its names are spelled as RFC 6455 does: there are old clients
    /// that look for them letter by letter.
    pub(super) fn answer(&self) -> Vec<u8> {
        let mut head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n".to_vec();
        head.extend_from_slice(b"Sec-WebSocket-Accept: ");
        head.extend_from_slice(socket::accept_key(self.key.as_bytes()).as_bytes());
        if let Some(protocol) = &self.protocol {
            head.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
            head.extend_from_slice(protocol.as_bytes());
        }
        if let Some((_, extension)) = &self.deflate {
            head.extend_from_slice(b"\r\nSec-WebSocket-Extensions: ");
            head.extend_from_slice(extension.as_bytes());
        }
        head.extend_from_slice(b"\r\n\r\n");
        head
    }
}

/// Whether the request is meant as a WebSocket handshake, good or bad.
pub(super) fn is_meant(head: &Parts) -> bool {
    has_token(&head.headers, &header::UPGRADE, "websocket") || head.headers.contains_key(KEY)
}

/// Judges a handshake, all but who is asking.
///
/// # Errors
/// What to answer instead of 101.
pub(super) fn judge(head: &Parts, origins: &Origins) -> Result<Wanted, Refusal> {
    let headers = &head.headers;
    if head.method != Method::GET {
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "a WebSocket handshake is a GET")
            .with(header::ALLOW, HeaderValue::from_static("GET")));
    }
    if head.version != Version::HTTP_11 {
        return Err(Refusal::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "a WebSocket handshake is HTTP/1.1"));
    }
    if !has_token(headers, &header::UPGRADE, "websocket") || !has_token(headers, &header::CONNECTION, "upgrade") {
        return Err(upgrade_required("the handshake needs Upgrade: websocket and Connection: Upgrade"));
    }
    if headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
    {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "a WebSocket handshake has no body"));
    }
    let key = only(headers, &KEY).filter(|key| is_key(key)).cloned().ok_or_else(|| {
        Refusal::new(StatusCode::BAD_REQUEST, "the handshake needs one Sec-WebSocket-Key, which is 16 bytes in base64")
    })?;
    if !only(headers, &VERSION).is_some_and(|version| version == "13" || version == "8") {
        return Err(upgrade_required("the handshake needs one Sec-WebSocket-Version, which is 13 or 8"));
    }
    for origin in headers.get_all(header::ORIGIN).iter().chain(headers.get_all(OLD_ORIGIN)) {
        origins.check(origin, headers.get(header::HOST))?;
    }
    let (protocol, format) = choose(headers)?;
    Ok(Wanted { key, protocol, format, deflate: None })
}

/// The origin that keeps a page out, and the host it asked for, both tame.
pub(super) fn foreign_origin(head: &Parts, origins: &Origins) -> Option<(String, String)> {
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let all = head.headers.get_all(header::ORIGIN).iter().chain(head.headers.get_all(OLD_ORIGIN));
    let mut all = all.map(|origin| String::from_utf8_lossy(origin.as_bytes()));
    let foreign = all.find(|origin| !origins.allows(origin, host))?;
    let short = |text: &str| tame(&text.chars().take(LONGEST_SHOWN).collect::<String>());
    Some((short(&foreign), short(host)))
}

/// The answer to who should have asked for a WebSocket in another way.
pub(super) fn upgrade_required(text: &'static str) -> Refusal {
    Refusal::new(StatusCode::UPGRADE_REQUIRED, text)
        .with(header::UPGRADE, HeaderValue::from_static("websocket"))
        .with(header::CONNECTION, HeaderValue::from_static("Upgrade"))
        .with(VERSION, HeaderValue::from_static(VERSIONS))
}

/// The first offered sub-protocol whose name contains json or xml in whatever case, and what it stands for.
fn choose(headers: &HeaderMap) -> Result<(Option<HeaderValue>, Option<Format>), Refusal> {
    for offered in values(headers, &PROTOCOL) {
        if offered.is_empty() {
            continue;
        }
        if !offered.iter().all(|b| is_token_byte(*b)) {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "Sec-WebSocket-Protocol holds what is no token"));
        }
        if let Some(format) = format_of(offered) {
            let echo = HeaderValue::from_bytes(offered)
                .map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "Sec-WebSocket-Protocol holds what is no token"))?;
            return Ok((Some(echo), Some(format)));
        }
    }
    Ok((None, None))
}

/// The format that a sub-protocol's name stands for.
pub(super) fn format_of(name: &[u8]) -> Option<Format> {
    let holds = |word: &str| name.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
    [Format::Json, Format::Xml].into_iter().find(|format| holds(format.word()))
}

fn is_key(key: &HeaderValue) -> bool {
    STANDARD.decode(key.as_bytes()).is_ok_and(|bytes| bytes.len() == 16)
}

/// The value of a header that must be there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut all = headers.get_all(name).iter();
    all.next().filter(|_| all.next().is_none())
}

/// The items of a list header, over all its lines.
pub(super) fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(name).iter().flat_map(|line| line.as_bytes().split(|b| *b == b',')).map(<[u8]>::trim_ascii)
}

/// Whether a list header holds a token, in whatever case.
pub(super) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    values(headers, name).any(|value| value.eq_ignore_ascii_case(token.as_bytes()))
}

/// RFC 9110 section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Which pages may connect: RFC 6455 section 10.2. Programs send no origin and are not meant.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    allowed: Vec<String>,
    own: Vec<String>,
}

impl Origins {
    /// `allowed` are origins like `https://crm.example`; `public_url`, where it is not empty, is an address whose host name
    /// is ours too. An origin with the host name that the request was sent to is always allowed.
    pub fn new<'a>(allowed: impl IntoIterator<Item = &'a str>, public_url: &str) -> Self {
        Self {
            allowed: allowed.into_iter().map(|origin| normal(origin.trim_end_matches('/'))).collect(),
            own: host_of(public_url).into_iter().collect(),
        }
    }

    /// Whether a page from `origin` may reach us, who were asked for as `host`.
    pub fn allows(&self, origin: &str, host: &str) -> bool {
        if self.allowed.contains(&normal(origin)) {
            return true;
        }
        let Some(name) = host_of(origin) else { return false };
        self.own.contains(&name) || host_of(&format!("http://{host}")).is_some_and(|own| own == name)
    }

    fn check(&self, origin: &HeaderValue, host: Option<&HeaderValue>) -> Result<(), Refusal> {
        let origin = String::from_utf8_lossy(origin.as_bytes());
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        if self.allows(&origin, host) {
            return Ok(());
        }
        tracing::info!(origin = &*origin, host, "origin refused");
        Err(Refusal::new(
            StatusCode::FORBIDDEN,
            format!("pages of the origin {} may not connect; web.allowed_origins allows them", tame(&origin)),
        ))
    }
}

/// Lower case, without the port that the scheme implies.
fn normal(origin: &str) -> String {
    let origin = origin.to_ascii_lowercase();
    let without = match origin.split_once("://") {
        Some(("http" | "ws", rest)) => rest.strip_suffix(":80").map(str::len),
        Some(("https" | "wss", rest)) => rest.strip_suffix(":443").map(str::len),
        _ => None,
    };
    match without {
        Some(len) => origin[..origin.find("://").map_or(0, |at| at + 3) + len].to_owned(),
        None => origin,
    }
}

fn host_of(url: &str) -> Option<String> {
    Some(url.parse::<Uri>().ok()?.host()?.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 6] = [
        ("Host", "cti.example:4055"),
        ("Upgrade", "websocket"),
        ("Connection", "keep-alive, Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Protocol", "json"),
    ];

    fn head(headers: &[(&str, &str)]) -> Parts {
        let mut request = hyper::Request::builder().uri("/any/path");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    /// The good head with one header replaced, added (a name in lower case) or taken out.
    fn with(name: &str, value: Option<&str>) -> Parts {
        let mut headers: Vec<_> = GOOD.iter().copied().filter(|(n, _)| *n != name).collect();
        headers.extend(value.map(|v| (name, v)));
        head(&headers)
    }

    fn status(head: &Parts) -> u16 {
        judge(head, &Origins::default()).map_or_else(|refusal| refusal.status.as_u16(), |_| 101)
    }

    #[test]
    fn the_sample_of_the_rfc_is_answered_as_there() {
        let wanted = judge(&head(&GOOD), &Origins::default()).unwrap();
        assert_eq!(wanted.format, Some(Format::Json));
        assert_eq!(
            String::from_utf8(wanted.answer()).unwrap(),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: json\r\n\r\n"
        );
    }

    #[test]
    fn each_wrong_header_has_its_answer() {
        assert_eq!(status(&with("Upgrade", Some("h2c, WebSocket"))), 101);
        assert_eq!(status(&with("Upgrade", Some("h2c"))), 426);
        assert_eq!(status(&with("Upgrade", None)), 426);
        assert_eq!(status(&with("Connection", Some("keep-alive"))), 426);
        assert_eq!(status(&with("Sec-WebSocket-Version", Some("8"))), 101);
        for version in [None, Some("12"), Some("13, 8"), Some("")] {
            assert_eq!(status(&with("Sec-WebSocket-Version", version)), 426, "{version:?}");
        }
        assert_eq!(status(&with("sec-websocket-version", Some("13"))), 426, "twice");
        for key in [None, Some("c2hvcnQ="), Some("dGhlIHNhbXBsZSBub25jZQ"), Some("")] {
            assert_eq!(status(&with("Sec-WebSocket-Key", key)), 400, "{key:?}");
        }
        assert_eq!(status(&with("sec-websocket-key", Some("dGhlIHNhbXBsZSBub25jZQ=="))), 400, "twice");
        assert_eq!(status(&with("Content-Length", Some("5"))), 400);
        let mut post = head(&GOOD);
        post.method = Method::POST;
        assert_eq!(status(&post), 405);
        let mut old = head(&GOOD);
        old.version = Version::HTTP_10;
        assert_eq!(status(&old), 505);
    }

    #[test]
    fn the_first_sub_protocol_that_names_a_format_is_chosen_as_offered() {
        for (offered, expected) in [
            ("xml, json", Some("xml")),
            ("chat, Oktell.JSON", Some("Oktell.JSON")),
            (",, v1.xml", Some("v1.xml")),
            ("chat", None),
        ] {
            let wanted = judge(&with("Sec-WebSocket-Protocol", Some(offered)), &Origins::default()).unwrap();
            assert_eq!(wanted.protocol.as_ref().map(|p| p.to_str().unwrap()), expected, "{offered}");
            assert_eq!(wanted.format.is_some(), expected.is_some());
        }
        assert_eq!(status(&with("Sec-WebSocket-Protocol", None)), 101);
        assert_eq!(status(&with("Sec-WebSocket-Protocol", Some("json/1"))), 400);
        let two = judge(&with("sec-websocket-protocol", Some("xml")), &Origins::default()).unwrap();
        assert_eq!(two.format, Some(Format::Json), "the lines are one list");
    }

    #[test]
    fn compression_is_agreed_on_where_it_is_asked_for() {
        let head = with(
            "Sec-WebSocket-Extensions",
            Some("x-webkit-deflate-frame, permessage-deflate; client_max_window_bits"),
        );
        let wanted = judge(&head, &Origins::default()).unwrap();
        assert!(!String::from_utf8(wanted.answer()).unwrap().contains("Extensions"));
        let wanted = wanted.with_deflate(&head);
        assert!(wanted.deflate().is_some());
        assert!(String::from_utf8(wanted.answer()).unwrap().ends_with(
            "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n\r\n"
        ));
        let unknown = with("Sec-WebSocket-Extensions", Some("permessage-deflate; level=9"));
        assert_eq!(judge(&unknown, &Origins::default()).unwrap().with_deflate(&unknown).deflate(), None);
    }

    #[test]
    fn pages_from_elsewhere_need_leave() {
        assert_eq!(status(&with("Origin", Some("https://cti.example"))), 101, "port and scheme do not matter");
        assert_eq!(status(&with("Origin", Some("https://CTI.example:444"))), 101);
        assert_eq!(status(&with("Origin", Some("https://cti.example.evil.example"))), 403);
        assert_eq!(status(&with("Origin", Some("null"))), 403);
        assert_eq!(status(&with("Sec-WebSocket-Origin", Some("https://evil.example"))), 403);
        let origins = Origins::new(["https://crm.example", "http://[::1]:8080/"], "https://front.example");
        for (origin, allowed) in [
            ("https://crm.example", true),
            ("https://crm.example:443", true),
            ("HTTPS://CRM.example", true),
            ("http://crm.example", false),
            ("https://crm.example:8443", false),
            ("http://[::1]:8080", true),
            ("https://front.example", true),
            ("", false),
        ] {
            assert_eq!(origins.allows(origin, "10.0.0.1:4055"), allowed, "{origin}");
        }
        assert!(origins.allows("http://[::1]:3000", "[::1]:4055"));
    }
}
