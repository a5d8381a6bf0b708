//! nginx in front: it ends TLS, and speaks for those behind it.

use std::fs;
use std::process::{Child, Command, Stdio};

use ctigate::config::{Cidr, LinkMode};
use ctigate::proto::message::Format;
use tokio::io::AsyncWriteExt;

use crate::support::gateway::link;
use crate::support::http::{ask_on, read_answer};
use crate::support::{FakeCrm, FakeTab, Io, Setup, Ws, soon, tls};

/// An nginx of our own, with its files in a folder of its own.
struct Nginx {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM, so that it ends its workers too.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Nginx {
    fn start(port: u16, web: std::net::SocketAddr, crm: std::net::SocketAddr, pair: &tls::Pair) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        let (certificate, key) = (pair.certificate.display(), pair.key.display());
        let config = format!(
            "daemon off; worker_processes 1; pid {at}/nginx.pid; error_log {at}/error.log;
            events {{ worker_connections 256; }}
            http {{
              access_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/f;
              uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;
              server {{
                listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};
                proxy_http_version 1.1;
                proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
                proxy_set_header Host $host:$server_port;
                proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                proxy_set_header X-Forwarded-Proto $scheme;
                location / {{ proxy_pass http://{web}; }}
                location /link {{ proxy_pass http://{crm}; }}
              }}
              map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
            }}"
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, config).unwrap();
        let child = Command::new("nginx")
            .args(["-c", file.to_str().unwrap(), "-p", folder.path().to_str().unwrap(), "-e", "stderr"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is not installed: apt-get install nginx-light");
        Self { child, _folder: folder }
    }
}

async fn connect(port: u16) -> Io {
    soon("nginx", async {
        loop {
            // It takes a moment to listen.
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return tls::connect(([127, 0, 0, 1], port).into()).await.0;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tabs_pages_and_a_crm_come_through_nginx() {
    let pair = tls::Pair::new();
    let mut crm = link("crm", LinkMode::AcceptWs);
    // Whoever nginx speaks for is judged, not nginx.
    crm.allow_from = vec!["127.0.0.0/8".parse::<Cidr>().unwrap()];
    let trusting = |c: &mut ctigate::config::Config| c.web.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let gateway = Setup::new().link(crm).with(trusting).start().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _nginx = Nginx::start(free, gateway.web, gateway.link("crm"), &pair);

    let mut io = connect(free).await;
    let page = ask_on(&mut io, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!((page.status, page.body.as_str()), (200, "hello"));
    for format in [Format::Json, Format::Xml] {
        let mut tab = FakeTab::over(connect(free).await, format).await;
        tab.log_in("ivanov").await;
        tab.ping().await;
        let origin = format!("https://127.0.0.1:{free}");
        let headers = [("Origin", origin.as_str()), ("Sec-WebSocket-Protocol", format.word())];
        let own = Ws::shake(connect(free).await, "/", &headers).await;
        drop(own);
        let ws = Ws::shake(connect(free).await, "/link", &[("Sec-WebSocket-Protocol", format.word())]).await;
        let mut crm = FakeCrm(crate::support::peers::Channel::new(ws, format));
        crm.introduce_bare().await;
        gateway.link_state("crm", "up").await;
    }
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut io = tls::over(socket.connect(([127, 0, 0, 1], free).into()).await.unwrap()).await.0;
    let forged = crate::support::ws::request("/link", &[("X-Forwarded-For", "192.0.2.66")]);
    io.write_all(forged.as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut io).await.status, 101, "what a client says of its own address counts for nothing");
}
