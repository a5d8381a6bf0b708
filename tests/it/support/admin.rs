//! The admin port of a whole node, asked as a program would.

use std::net::SocketAddr;

use ctigate::app::Node;
use ctigate::config::Config;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::http::{Answer, ask, read_head};
use super::{Io, soon};

/// Asks the admin port of one node.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
}

impl Admin {
    pub(crate) fn of(node: &Node, config: &Config) -> Self {
        let token = std::fs::read_to_string(config.admin_token()).unwrap().trim().to_owned();
        Self { address: node.addresses.admin.unwrap(), token }
    }

    fn head(&self, method: &str, path: &str) -> String {
        let Self { address, token } = self;
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n")
    }

    /// The answer as it is.
    pub(crate) async fn raw(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let head = self.head(method, path);
        let request = match body {
            None => format!("{head}\r\n"),
            Some(body) => {
                let body = body.to_string();
                let length = body.len();
                format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
            }
        };
        ask(self.address, request).await.0
    }

    /// The status and the body, which is JSON.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let answer = self.raw(method, path, body).await;
        let body = serde_json::from_str(&answer.body).unwrap_or_else(|e| panic!("{path}: {e}: {}", answer.body));
        (answer.status, body)
    }

    /// The body of a 200.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// An event stream.
    pub(crate) async fn follow(&self, path: &str) -> Events {
        let mut io: Io = Box::new(soon("connect", TcpStream::connect(self.address)).await.unwrap());
        let request = format!("{}\r\n", self.head("GET", path));
        soon("write", tokio::io::AsyncWriteExt::write_all(&mut io, request.as_bytes())).await.unwrap();
        let (head, rest) = read_head(&mut io).await;
        assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")), "{}", head.head);
        Events { io, text: String::from_utf8(rest).unwrap() }
    }
}

/// Events as they come, each as its name (`message` when it has none) and its data.
pub(crate) struct Events {
    io: Io,
    text: String,
}

impl Events {
    pub(crate) async fn next(&mut self) -> (String, Value) {
        loop {
            // Chunks are framed by their lengths in lines of their own, which no event has.
            if let Some(at) = self.text.find("\n\n") {
                let event: String = self.text.drain(..at + 2).collect();
                let field = |name: &str| event.lines().find_map(|l| l.strip_prefix(name)).map(str::trim);
                let Some(data) = field("data:") else { continue };
                let kind = field("event:").unwrap_or("message").to_owned();
                return (kind, serde_json::from_str(data).unwrap_or_else(|e| panic!("{e}: {data}")));
            }
            let mut chunk = [0; 8192];
            let n = soon("an event", self.io.read(&mut chunk)).await.unwrap();
            assert!(n > 0, "the stream has ended: {}", self.text);
            self.text.push_str(std::str::from_utf8(&chunk[..n]).unwrap());
        }
    }

    /// The next event that is wanted; those before it are passed over.
    pub(crate) async fn wait(&mut self, what: &str, mut wanted: impl FnMut(&str, &Value) -> bool) -> Value {
        let found = async {
            loop {
                let (kind, data) = self.next().await;
                if wanted(&kind, &data) {
                    return data;
                }
            }
        };
        soon(what, found).await
    }
}
