//! The gateway, and the others it is measured against.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ctigate::config::{Config, Sources};
use ctigate::shutdown::Shutdown;
use dashmap::DashMap;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::part::{argument, number};

/// People of the gateway; tabs share them.
pub(crate) const PEOPLE: usize = 1000;

/// Where a gateway listens. Port 0 is one that is free.
pub(crate) struct Doors {
    pub(crate) web: SocketAddr,
    pub(crate) tls: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) links: Vec<SocketAddr>,
}

impl Doors {
    /// Any, for so many links.
    fn any(links: usize) -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { web: any, tls: any, admin: any, links: vec![any; links] }
    }

    /// Ports that are free now.
    pub(crate) fn free(links: usize) -> Self {
        // All are held until all are known, so that none is given twice.
        let held: Vec<_> =
            (0..3 + links).map(|_| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
        let mut ports = held.iter().map(|held| held.local_addr().unwrap());
        let mut next = || ports.next().unwrap();
        Self { web: next(), tls: next(), admin: next(), links: ports.collect() }
    }
}

/// What a gateway of the bench is configured with: links that are accepted, one that is posted to where that is given, people.
pub(crate) fn configuration(folder: &Path, doors: &Doors, post: &str) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    let mut text = format!(
        "[web]\nbind = \"{}\"\ntls_bind = \"{}\"\nadmin_bind = \"{}\"\n\
         certificate = \"{}\"\nkey = \"{}\"\n[store]\nurl = \"sqlite://{}\"\n[log]\nfilter = \"warn\"\n\
         [limits]\ntab_rate = 0\ntabs_per_user = 1000\nconnections_per_address = 20000\nconnections = 20000\nin_flight_link = 20000\n",
        doors.web,
        doors.tls,
        doors.admin,
        at("server.pem"),
        at("server.key"),
        at("ctigate.db")
    );
    for (n, door) in doors.links.iter().enumerate() {
        text.push_str(&format!(
            "[[link]]\nname = \"crm{n}\"\nmode = \"accept-ws\"\nbind = \"{door}\"\nauth = \"none\"\n"
        ));
    }
    if !post.is_empty() {
        text.push_str(&format!("[[link]]\nname = \"hook\"\nmode = \"post-http\"\nurl = \"{post}\"\nauth = \"none\"\n"));
    }
    for n in 0..PEOPLE {
        text.push_str(&format!("[[user]]\nlogin = \"u{n}\"\nnumber = \"{}\"\npassword = \"bench\"\n", 10_000 + n));
    }
    text
}

/// The gateway itself, with so many links that each offer a method of their own, and one that is posted to where that is given. Says where
/// it listens.
pub(crate) async fn gateway() {
    let began = std::time::Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let text = configuration(folder.path(), &Doors::any(number("LINKS")), &argument("POST"));
    let loaded = Config::load(&Sources::text(text)).unwrap_or_else(|e| panic!("{e}"));
    let node = ctigate::app::start(&loaded.config, false, Shutdown::new()).await.unwrap_or_else(|e| panic!("{e}"));
    let links: Vec<_> = node.addresses.links.iter().map(|(_, address)| address.to_string()).collect();
    println!("{}", node.addresses.web.unwrap());
    println!("{}", node.addresses.web_tls.unwrap());
    println!("{}", links.join(" "));
    println!("{}", began.elapsed().as_micros());
    std::future::pending::<()>().await;
}

/// tokio-tungstenite with a small buffer, a task for each connection: a bare echo.
pub(crate) async fn echo() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        tokio::spawn(async move {
            let Some(mut ws) = upgrade(tcp).await else { return };
            while let Some(Ok(message)) = ws.next().await {
                if message.is_text() && ws.send(message).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// A WebSocket with a small buffer, when its handshake is done.
pub(crate) async fn upgrade(tcp: TcpStream) -> Option<WebSocketStream<TcpStream>> {
    let config = WebSocketConfig::default().read_buffer_size(4096);
    tokio_tungstenite::accept_hdr_async_with_config(tcp, choose, Some(config)).await.ok()
}

#[expect(clippy::result_large_err, reason = "the library's type")]
fn choose(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    if let Some(protocol) = request.headers().get("sec-websocket-protocol") {
        response.headers_mut().insert("sec-websocket-protocol", protocol.clone());
    }
    Ok(response)
}

/// Bytes back as they come, behind a handshake: what the kernel costs.
pub(crate) async fn bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    loop {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        tokio::spawn(async move {
            let mut buffer = vec![0; 16 << 10];
            let mut head = Vec::new();
            while !head.windows(4).any(|w| w == b"\r\n\r\n") {
                if tcp.read_buf(&mut head).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            if tcp.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").await.is_err() {
                return;
            }
            loop {
                match tcp.read(&mut buffer).await {
                    Ok(n) if n > 0 => {
                        if tcp.write_all(&buffer[..n]).await.is_err() {
                            return;
                        }
                    }
                    _ => return,
                }
            }
        });
    }
}

/// A router as people write it: a table of all connections, a channel and a writing task for each, every message a tree of
/// values. It checks nothing and bounds nothing.
pub(crate) async fn naive() {
    let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", web.local_addr().unwrap());
    println!("{}", link.local_addr().unwrap());
    let router = Arc::new(Router::default());
    loop {
        let (accepted, is_link) = tokio::select! {
            accepted = web.accept() => (accepted, false),
            accepted = link.accept() => (accepted, true),
        };
        let (tcp, _) = accepted.unwrap();
        tcp.set_nodelay(true).unwrap();
        tokio::spawn(Arc::clone(&router).connection(tcp, is_link));
    }
}

#[derive(Default)]
struct Router {
    peers: DashMap<u64, mpsc::UnboundedSender<Value>>,
    /// Who asked, and under which qid.
    calls: DashMap<String, (u64, Value)>,
    link: AtomicU64,
    next: AtomicU64,
}

impl Router {
    async fn connection(self: Arc<Self>, tcp: TcpStream, is_link: bool) {
        let Some(ws) = upgrade(tcp).await else { return };
        let (mut out, mut incoming) = ws.split();
        let me = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let (outbox, mut waiting) = mpsc::unbounded_channel::<Value>();
        self.peers.insert(me, outbox);
        tokio::spawn(async move {
            while let Some(message) = waiting.recv().await {
                if out.send(Message::text(message.to_string())).await.is_err() {
                    return;
                }
            }
        });
        if is_link {
            self.link.store(me, Ordering::Relaxed);
            self.send(me, json!(["getavailablemethods", {"qid": "m"}]));
            self.send(me, json!(["getactiveusers", {"qid": "u"}]));
        }
        while let Some(Ok(message)) = incoming.next().await {
            let Message::Text(text) = message else { continue };
            let Ok(message) = serde_json::from_str::<Value>(&text) else { continue };
            self.route(me, &message);
        }
        self.peers.remove(&me);
    }

    fn route(&self, from: u64, message: &Value) {
        let body = &message[1];
        match message[0].as_str().unwrap_or_default() {
            "login" => self.send(from, json!(["loginresult", {"qid": body["qid"], "result": 1}])),
            "executemethod" => {
                let id = self.next.fetch_add(1, Ordering::Relaxed).to_string();
                self.calls.insert(id.clone(), (from, body["qid"].clone()));
                let call = json!(["executemethod", {"qid": id, "executionid": id, "name": body["name"],
                    "inputparameters": body["inputparameters"], "waitresponse": true, "waitresponsems": 10000}]);
                self.send(self.link.load(Ordering::Relaxed), call);
            }
            "methodresult" => {
                let id = body["executionid"].as_str().unwrap_or_default();
                if let Some((_, (asker, qid))) = self.calls.remove(id) {
                    let reply = json!(["methodresult", {"qid": qid, "result": body["result"], "executionid": id,
                        "outputparameters": body["outputparameters"]}]);
                    self.send(asker, reply);
                }
            }
            _ => {}
        }
    }

    fn send(&self, to: u64, message: Value) {
        if let Some(peer) = self.peers.get(&to) {
            let _ = peer.send(message);
        }
    }
}

/// TLS and the answer to a handshake, and nothing else: what rustls costs.
pub(crate) async fn tls() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(mut tls) = acceptor.accept(tcp).await else { return };
            let mut head = Vec::new();
            while !head.windows(4).any(|w| w == b"\r\n\r\n") {
                if tls.read_buf(&mut head).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            let _ = tls.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").await;
            let _ = tls.read_buf(&mut head).await;
        });
    }
}
