//! HTTP by bytes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Io, soon};

/// An answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The head as it came.
    pub(crate) head: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// What came behind a 101.
    pub(crate) rest: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }
}

/// A request, as a server of a test reads it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// Sends bytes on a new connection and reads one answer with its body; the connection, for more.
pub(crate) async fn ask(address: SocketAddr, bytes: impl AsRef<[u8]>) -> (Answer, Io) {
    let mut io: Io = Box::new(soon("connect", TcpStream::connect(address)).await.unwrap());
    let answer = ask_on(&mut io, bytes).await;
    (answer, io)
}

/// The same on a connection that is there.
pub(crate) async fn ask_on(io: &mut Io, bytes: impl AsRef<[u8]>) -> Answer {
    soon("write", io.write_all(bytes.as_ref())).await.unwrap();
    read_answer(io).await
}

/// Reads an answer with its body, which must have a length.
pub(crate) async fn read_answer(io: &mut Io) -> Answer {
    let (mut answer, mut body) = read_head(io).await;
    if answer.status == 101 {
        answer.rest = body;
        return answer;
    }
    let length: usize = answer.header("content-length").map_or(0, |l| l.parse().unwrap());
    while body.len() < length {
        let mut chunk = [0; 4096];
        let n = soon("a body", io.read(&mut chunk)).await.unwrap();
        assert!(n > 0, "the body is shorter than it said");
        body.extend_from_slice(&chunk[..n]);
    }
    answer.body = String::from_utf8(body).unwrap();
    answer
}

/// Reads the head of an answer, and what came with it.
pub(crate) async fn read_head(io: &mut Io) -> (Answer, Vec<u8>) {
    let (head, rest) = read_to_blank_line(io).await;
    let (line, headers) = split(&head);
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("no answer: {head:?}"));
    (Answer { status, headers, head, ..Answer::default() }, rest)
}

/// Reads the head of a request, and what came with it.
pub(crate) async fn read_request_head(io: &mut Io) -> (Request, Vec<u8>) {
    let (head, rest) = read_to_blank_line(io).await;
    let (line, headers) = split(&head);
    (Request { line, headers, body: Vec::new() }, rest)
}

/// Reads a whole request. `None` when the connection ends first.
pub(crate) async fn read_request(io: &mut Io, rest: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        if let Some(at) = rest.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        let mut chunk = [0; 16 << 10];
        match io.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => rest.extend_from_slice(&chunk[..n]),
        }
    };
    let head = String::from_utf8(rest.drain(..end).collect()).unwrap();
    let (line, headers) = split(&head);
    let mut request = Request { line, headers, body: Vec::new() };
    let length: usize = request.header("content-length").map_or(0, |l| l.parse().unwrap());
    while rest.len() < length {
        let mut chunk = [0; 16 << 10];
        match io.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => rest.extend_from_slice(&chunk[..n]),
        }
    }
    request.body = rest.drain(..length).collect();
    Some(request)
}

/// Whether the other end ends the connection now, with nothing more said.
pub(crate) async fn ends(io: &mut Io) -> bool {
    let mut more = Vec::new();
    match soon("the end", io.read_to_end(&mut more)).await {
        Ok(_) => more.is_empty(),
        Err(_) => true,
    }
}

async fn read_to_blank_line(io: &mut Io) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let rest = bytes.split_off(at + 4);
            return (String::from_utf8(bytes).unwrap(), rest);
        }
        let mut chunk = [0; 4096];
        let n = soon("a head", io.read(&mut chunk)).await.unwrap_or(0);
        assert!(n > 0, "the connection ended in the head: {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&chunk[..n]);
    }
}

fn split(head: &str) -> (String, Vec<(String, String)>) {
    let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default().to_owned();
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    (first, headers)
}

/// Challenges of a server that would take either; the strongest is to be answered.
pub(crate) const DIGEST: &str = "WWW-Authenticate: Basic realm=\"x\"\r\n\
     WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\", algorithm=MD5\r\n\
     WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\", algorithm=SHA-256\r\n";

/// Whether a request answers the SHA-256 challenge of [`DIGEST`] for `ctigate` and `secret`: RFC 7616, made here from the
/// request's own parameters.
pub(crate) fn digest_is_right(request: &Request, method: &str, target: &str) -> bool {
    use sha2::{Digest, Sha256};
    let header = request.header("authorization").expect("credentials").to_owned();
    let param = |name: &str| {
        let at = header.find(&format!("{name}=")).unwrap_or_else(|| panic!("{name} in {header}")) + name.len() + 1;
        header[at..].trim_start_matches('"').split(['"', ',']).next().unwrap().to_owned()
    };
    let hash = |text: String| Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert!(header.starts_with("Digest ") && header.contains("algorithm=SHA-256"), "{header}");
    assert_eq!(param("uri"), target);
    let secret = hash("ctigate:r:secret".to_owned());
    let asked = hash(format!("{method}:{target}"));
    param("response") == hash(format!("{secret}:n1:{}:{}:auth:{asked}", param("nc"), param(" cnonce")))
}
