//! A call routed tab → gateway → CRM → gateway → tab, over real sockets on loopback, with gateway, CRM and tabs in processes of
//! their own, against a bare WebSocket echo under the same load. CPU is the gateway's alone, by the kernel's counters.
//! Prints figures and ratios, judges nothing. `cargo bench --bench routed`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and fails loudly")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use ctigate::config::{Config, Sources};
use ctigate::shutdown::Shutdown;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// MD5 of `bench`.
const HASH: &str = "1d28d258250876fb7dde22a17436ef9c";

fn main() {
    let role = std::env::var("BENCH_ROLE").unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match role.as_str() {
        "gateway" => runtime.block_on(gateway()),
        "echo" => runtime.block_on(echo()),
        "crm" => runtime.block_on(crm(argument("LINK"))),
        "tabs" => runtime.block_on(tabs()),
        _ => director(),
    }
}

fn argument(name: &str) -> String {
    std::env::var(format!("BENCH_{name}")).unwrap()
}

fn number(name: &str) -> usize {
    argument(name).parse().unwrap()
}

// ---------------------------------------------------------------- director

struct Part {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    _stdin: ChildStdin,
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Part {
    fn start(role: &str, arguments: &[(&str, String)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env("BENCH_ROLE", role).stdin(Stdio::piped()).stdout(Stdio::piped());
        for (name, value) in arguments {
            command.env(format!("BENCH_{name}"), value);
        }
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let stdin = child.stdin.take().unwrap();
        Self { child, lines, _stdin: stdin }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "a process of the bench ended early");
        line.trim().to_owned()
    }

    fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let total: u64 = tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
            .filter_map(|line| line.split(' ').next()?.parse::<u64>().ok())
            .sum();
        Duration::from_nanos(total)
    }
}

/// What one run of the load gave.
struct Run {
    cpu_us: f64,
    p50_us: u64,
    p99_us: u64,
    lost: usize,
}

fn load(server: &Part, target: &str, echo: bool, tabs: usize, flight: usize, bytes: usize, seconds: usize) -> Run {
    let mut part = Part::start(
        "tabs",
        &[
            ("TARGET", target.to_owned()),
            ("ECHO", usize::from(echo).to_string()),
            ("TABS", tabs.to_string()),
            ("FLIGHT", flight.to_string()),
            ("BYTES", bytes.to_string()),
            ("SECONDS", seconds.to_string()),
        ],
    );
    assert_eq!(part.line(), "ready");
    let before = server.cpu();
    writeln!(part._stdin, "go").unwrap();
    let line = part.line();
    let cpu = server.cpu() - before;
    let f: Vec<u64> = line.split(' ').map(|n| n.parse().unwrap()).collect();
    let (count, sent) = (f[0], f[1]);
    Run {
        cpu_us: cpu.as_secs_f64() * 1e6 / count.max(1) as f64,
        p50_us: f[2],
        p99_us: f[3],
        lost: (sent - count) as usize,
    }
}

fn director() {
    let rounds: usize = std::env::var("BENCH_ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(5);
    let seconds: usize = std::env::var("BENCH_SECONDS").ok().and_then(|r| r.parse().ok()).unwrap_or(3);
    let mut gateway = Part::start("gateway", &[]);
    let (web, link) = {
        let line = gateway.line();
        let mut ports = line.split(' ').map(str::to_owned);
        (ports.next().unwrap(), ports.next().unwrap())
    };
    let mut crm = Part::start("crm", &[("LINK", link)]);
    assert_eq!(crm.line(), "linked");
    let mut echo = Part::start("echo", &[]);
    let echo_at = echo.line();
    println!(
        "server CPU a call in µs, median of {rounds} rounds A B A B; ratio = echo / routed (1.00: a routed call costs what an echo costs)\n"
    );
    println!(
        "{:<34} {:>8} {:>8} {:>7}  {:>15} {:>9} {:>9} {:>5}",
        "load", "echo", "routed", "ratio", "min..max", "p50 µs", "p99 µs", "lost"
    );
    for (tabs, flight, bytes) in [(100, 1, 128), (1000, 1, 128), (100, 8, 128), (100, 1, 2048)] {
        let mut ratios = Vec::new();
        let (mut echoes, mut routed) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let a = load(&echo, &echo_at, true, tabs, flight, bytes, seconds);
            let b = load(&gateway, &web, false, tabs, flight, bytes, seconds);
            ratios.push(a.cpu_us / b.cpu_us);
            echoes.push(a);
            routed.push(b);
        }
        ratios.sort_by(f64::total_cmp);
        let middle = |runs: &mut Vec<Run>| {
            runs.sort_by(|a, b| a.cpu_us.total_cmp(&b.cpu_us));
            runs.swap_remove(runs.len() / 2)
        };
        let lost: usize = routed.iter().map(|r| r.lost).sum();
        let (a, b) = (middle(&mut echoes), middle(&mut routed));
        println!(
            "{:<34} {:>8.2} {:>8.2} {:>7.2}  {:>15} {:>9} {:>9} {:>5}",
            format!("{tabs} tabs, {flight} in flight, {bytes} B"),
            a.cpu_us,
            b.cpu_us,
            ratios[ratios.len() / 2],
            format!("{:.2}..{:.2}", ratios[0], ratios[ratios.len() - 1]),
            b.p50_us,
            b.p99_us,
            lost
        );
    }
}

// ---------------------------------------------------------------- gateway and echo

async fn gateway() {
    let mut text = String::from(
        "[web]\nbind = \"127.0.0.1:0\"\ntls_bind = \"\"\nadmin_bind = \"127.0.0.1:0\"\n[store]\nurl = \"sqlite::memory:\"\n\
         [limits]\ntab_rate = 0\nconnections_per_address = 20000\nconnections = 20000\n\
         [[link]]\nname = \"crm\"\nmode = \"accept-ws\"\nbind = \"127.0.0.1:0\"\nauth = \"none\"\n",
    );
    for n in 0..1000 {
        text.push_str(&format!("[[user]]\nlogin = \"u{n}\"\nnumber = \"{}\"\npassword = \"bench\"\n", 1000 + n));
    }
    let loaded = Config::load(&Sources::text(text)).unwrap_or_else(|e| panic!("{e}"));
    let shutdown = Shutdown::new();
    let node = ctigate::app::start(&loaded.config, false, shutdown).await.unwrap_or_else(|e| panic!("{e}"));
    println!("{} {}", node.addresses.web.unwrap(), node.addresses.links[0].1);
    parent_gone().await;
}

async fn echo() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let serve = async {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            tcp.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                let config = WebSocketConfig::default().read_buffer_size(4096);
                let mut ws =
                    tokio_tungstenite::accept_hdr_async_with_config(tcp, choose_json, Some(config)).await.unwrap();
                while let Some(Ok(message)) = ws.next().await {
                    if message.is_text() && ws.send(message).await.is_err() {
                        return;
                    }
                }
            });
        }
    };
    tokio::select! {
        () = serve => {}
        () = parent_gone() => {}
    }
}

#[expect(clippy::result_large_err, reason = "the library's type")]
fn choose_json(
    _: &tokio_tungstenite::tungstenite::handshake::server::Request,
    mut response: tokio_tungstenite::tungstenite::handshake::server::Response,
) -> Result<
    tokio_tungstenite::tungstenite::handshake::server::Response,
    tokio_tungstenite::tungstenite::handshake::server::ErrorResponse,
> {
    response.headers_mut().insert("sec-websocket-protocol", "json".parse().unwrap());
    Ok(response)
}

/// Ends with the director, whose end closes our standard input.
async fn parent_gone() {
    tokio::task::spawn_blocking(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
    })
    .await
    .unwrap();
}

// ---------------------------------------------------------------- CRM and tabs

async fn connect(address: &str) -> WebSocketStream<TcpStream> {
    let address: SocketAddr = address.parse().unwrap();
    let tcp = TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let mut request = format!("ws://{address}/").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "json".parse().unwrap());
    let config = WebSocketConfig::default().read_buffer_size(16 << 10);
    tokio_tungstenite::client_async_with_config(request, tcp, Some(config)).await.unwrap().0
}

/// The value of a string member, found by its name: the messages are ours and simple.
fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let at = text.find(&format!("\"{name}\":\""))? + name.len() + 4;
    text[at..].split('"').next()
}

async fn crm(link: String) {
    let mut ws = connect(&link).await;
    ws.send(Message::text(r#"["iam",{"type":"bench","name":"bench","version":"1"}]"#)).await.unwrap();
    let serve = async {
        while let Some(Ok(message)) = ws.next().await {
            let Message::Text(text) = message else { continue };
            let qid = member(&text, "qid").unwrap_or_default();
            let reply = if text.starts_with("[\"executemethod\"") {
                let id = member(&text, "executionid").unwrap();
                format!(
                    r#"["methodresult",{{"qid":"{qid}","executionid":"{id}","result":1,"outputparameters":{{"clientid":"42","vip":true}}}}]"#
                )
            } else if text.starts_with("[\"getavailablemethods\"") {
                format!(r#"["availablemethods",{{"qid":"{qid}","methods":[{{"name":"Find"}}]}}]"#)
            } else if text.starts_with("[\"getactiveusers\"") {
                println!("linked");
                format!(r#"["activeusers",{{"qid":"{qid}","users":[]}}]"#)
            } else {
                continue;
            };
            ws.send(Message::text(reply)).await.unwrap();
        }
    };
    tokio::select! {
        () = serve => {}
        () = parent_gone() => {}
    }
}

async fn tabs() {
    let (target, echo) = (argument("TARGET"), number("ECHO") == 1);
    let (tabs, flight, bytes) = (number("TABS"), number("FLIGHT"), number("BYTES"));
    let time = Duration::from_secs(number("SECONDS") as u64);
    let mut sockets = Vec::new();
    for n in 0..tabs {
        let mut ws = connect(&target).await;
        if !echo {
            ws.send(Message::text(format!(r#"["login",{{"qid":"l","userlogin":"u{n}","Password":"{HASH}"}}]"#)))
                .await
                .unwrap();
            let reply = ws.next().await.unwrap().unwrap();
            assert!(reply.to_text().unwrap().contains("\"result\":1"), "{reply}");
        }
        sockets.push(ws);
    }
    println!("ready");
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await.unwrap().unwrap();
    let head = r#"["executemethod",{"qid":"","name":"Find","inputparameters":{"note":""}}]"#.len() + 6;
    let note = "x".repeat(bytes.saturating_sub(head));
    let until = Instant::now() + time;
    let all: Vec<_> = sockets
        .into_iter()
        .map(|mut ws| {
            let note = note.clone();
            tokio::spawn(async move {
                let (mut sent, mut done) = (0usize, 0usize);
                let mut began = std::collections::VecDeque::new();
                let mut took = Vec::new();
                let message = |n: usize| {
                    Message::text(format!(
                        r#"["executemethod",{{"qid":"{n:06}","name":"Find","inputparameters":{{"note":"{note}"}}}}]"#
                    ))
                };
                for _ in 0..flight {
                    ws.feed(message(sent)).await.unwrap();
                    began.push_back(Instant::now());
                    sent += 1;
                }
                ws.flush().await.unwrap();
                while done < sent {
                    let Ok(Some(Ok(reply))) = tokio::time::timeout(Duration::from_secs(10), ws.next()).await else {
                        break;
                    };
                    let text = reply.to_text().unwrap();
                    let qid = member(text, "qid").unwrap_or_default();
                    assert!(flight > 1 || qid == format!("{done:06}"), "{text}");
                    took.push(began.pop_front().map_or(0, |t: Instant| t.elapsed().as_micros() as u64));
                    done += 1;
                    if Instant::now() < until {
                        ws.send(message(sent)).await.unwrap();
                        began.push_back(Instant::now());
                        sent += 1;
                    }
                }
                (done, sent, took)
            })
        })
        .collect();
    let (mut done, mut sent, mut took) = (0, 0, Vec::new());
    for tab in all {
        let (d, s, mut t) = tab.await.unwrap();
        done += d;
        sent += s;
        took.append(&mut t);
    }
    took.sort_unstable();
    let at = |share: f64| took.get((took.len() as f64 * share) as usize).copied().unwrap_or(0);
    println!("{done} {sent} {} {}", at(0.50), at(0.99));
}
