//! A CRM that is posted to, and what an echo and a bare HTTP client cost together.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_tungstenite::tungstenite::Message;

use super::crm;
use super::part::argument;
use super::servers::upgrade;

/// How many connections a gateway posts by.
const CONNECTIONS: usize = 4;

/// The CRM: answers every POST at once.
pub(crate) async fn hook() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}/hook", listener.local_addr().unwrap());
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        tokio::spawn(posts(tcp));
    }
}

async fn posts(mut tcp: TcpStream) {
    let (mut received, mut text, mut reply) = (Vec::new(), String::new(), String::new());
    loop {
        let (body, end) = loop {
            if let Some(whole) = whole(&received) {
                break whole;
            }
            if tcp.read_buf(&mut received).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let form = std::str::from_utf8(&received[body..end]).unwrap();
        let (_, data) = form.split_once("data=").expect("the field `data`");
        let data = data.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
        text.clear();
        text.push_str(std::str::from_utf8(&STANDARD.decode(data).unwrap()).unwrap());
        received.drain(..end);
        crm::answer(0, &text, &mut reply);
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", reply.len());
        if tcp.write_all(&[head.as_bytes(), reply.as_bytes()].concat()).await.is_err() {
            return;
        }
    }
}

/// Where the body of a whole request is.
fn whole(received: &[u8]) -> Option<(usize, usize)> {
    let body = received.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&received[..body]).unwrap().to_ascii_lowercase();
    let length = head.split("content-length:").nth(1).and_then(|rest| rest.split("\r\n").next()).expect("a length");
    let end = body + length.trim().parse::<usize>().unwrap();
    (received.len() >= end).then_some((body, end))
}

/// A bare echo that posts each message to the CRM before it says it again.
pub(crate) async fn poster() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let url = argument("POST");
    let host = url.trim_start_matches("http://").trim_end_matches("/hook").to_owned();
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let tcp = TcpStream::connect(&host).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(tcp)).await.unwrap();
        tokio::spawn(connection);
        connections.push(Arc::new(Mutex::new(sender)));
    }
    for n in 0.. {
        let (tcp, _) = listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let (connection, host) = (Arc::clone(&connections[n % CONNECTIONS]), host.clone());
        tokio::spawn(async move {
            let Some(mut ws) = upgrade(tcp).await else { return };
            while let Some(Ok(Message::Text(text))) = ws.next().await {
                assert!(!post(&connection, &host, &text).await.is_empty());
                if ws.send(Message::Text(text)).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn post(connection: &Mutex<SendRequest<Full<Bytes>>>, host: &str, text: &str) -> Bytes {
    let data = STANDARD.encode(text).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let request = Request::post("/hook")
        .header("host", host)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::from(format!("format=json&data={data}")))
        .unwrap();
    let mut connection = connection.lock().await;
    connection.ready().await.unwrap();
    let response = connection.send_request(request).await.unwrap();
    response.into_body().collect().await.unwrap().to_bytes()
}
