//! SIP by hand (RFC 3261): messages as text, and the little of SDP (RFC 4566) that a telephone needs.

use std::net::SocketAddr;

/// A request or a response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sip {
    /// The first line.
    pub(crate) first: String,
    /// Every header, in order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Sip {
    /// Reads a datagram; `None` when it is no message (a keep-alive, say).
    pub(crate) fn parse(datagram: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(datagram).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let first = lines.next().filter(|line| line.contains("SIP/2.0"))?.to_owned();
        let headers = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        });
        Some(Self { first, headers: headers.collect(), body: body.to_owned() })
    }

    pub(crate) fn request(method: &str, uri: &str) -> Self {
        Self { first: format!("{method} {uri} SIP/2.0"), ..Self::default() }
    }

    /// A response to this request, with this tag of ours in `To` if it has none.
    pub(crate) fn reply(&self, status: &str, tag: &str) -> Self {
        let mut reply = Self { first: format!("SIP/2.0 {status}"), ..Self::default() };
        for (name, value) in &self.headers {
            match name.to_ascii_lowercase().as_str() {
                "via" | "from" | "call-id" | "cseq" => reply.headers.push((name.clone(), value.clone())),
                "to" if value.contains(";tag=") => reply.headers.push((name.clone(), value.clone())),
                "to" => reply.headers.push((name.clone(), format!("{value};tag={tag}"))),
                _ => {}
            }
        }
        reply
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn sdp(mut self, body: String) -> Self {
        self.body = body;
        self.with("Content-Type", "application/sdp")
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.first);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{}", self.body.len(), self.body));
        text.into_bytes()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or("", |(_, v)| v)
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> Option<u16> {
        self.first.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The method of a request.
    pub(crate) fn method(&self) -> &str {
        self.first.split(' ').next().unwrap_or_default()
    }

    /// The address of a request.
    pub(crate) fn uri(&self) -> &str {
        self.first.split(' ').nth(1).unwrap_or_default()
    }

    /// The number and the method of `CSeq`.
    pub(crate) fn cseq(&self) -> (u32, &str) {
        let (number, method) = self.header("CSeq").split_once(' ').unwrap_or_default();
        (number.parse().unwrap_or_default(), method)
    }

    /// Where the other side wants the sound, by its SDP.
    pub(crate) fn media(&self) -> Option<SocketAddr> {
        let line = |start: &str| self.body.lines().find_map(|line| line.strip_prefix(start));
        let host = line("c=IN IP4 ")?.trim();
        let port = line("m=audio ")?.split(' ').next()?;
        format!("{host}:{port}").parse().ok()
    }
}

/// What stands between `<` and `>`, or the value before its parameters.
pub(crate) fn address(value: &str) -> &str {
    match value.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or_default(),
        None => value.split(';').next().unwrap_or_default(),
    }
}

/// The user part of a SIP address.
pub(crate) fn user(address: &str) -> &str {
    let rest = address.split_once(':').map_or(address, |(_, rest)| rest);
    rest.split(['@', ';']).next().unwrap_or_default()
}

/// The tag of a `From` or `To`.
pub(crate) fn tag(value: &str) -> &str {
    value.split_once(";tag=").map_or("", |(_, rest)| rest.split([';', '>']).next().unwrap_or_default())
}

/// An offer or answer: plain telephone sound at this address, in this direction (`sendrecv`, `sendonly`).
pub(crate) fn offer(media: SocketAddr, version: u32, direction: &str) -> String {
    let (host, port) = (media.ip(), media.port());
    format!(
        "v=0\r\no=- 1 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    )
}
