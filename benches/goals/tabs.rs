//! The tabs: what they send, what they get, and whether all of it came once and in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsConnector;

use super::frame::{Client, member};
use super::part::{argument, number, told};
use super::servers::PEOPLE;

/// MD5 of `bench`.
const HASH: &str = "1d28d258250876fb7dde22a17436ef9c";
/// How long a reply may take before it is lost.
const LOST: Duration = Duration::from_secs(20);

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

type Tab = Client<Box<dyn Io>>;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Echo,
    Call,
    Xml,
    Line,
}

impl Kind {
    fn of(word: &str) -> Self {
        match word {
            "echo" => Self::Echo,
            "call" => Self::Call,
            "xml" => Self::Xml,
            "line" => Self::Line,
            other => panic!("no kind {other}"),
        }
    }

    const fn protocol(self) -> &'static str {
        if matches!(self, Self::Xml) { "xml" } else { "json" }
    }

    /// The `n`th message, of so many bytes where its length may be chosen.
    fn message(self, n: usize, link: usize, bytes: usize) -> String {
        let of_length = |before: String, after: &str| {
            let note = bytes.saturating_sub(before.len() + after.len());
            format!("{before}{}{after}", "x".repeat(note))
        };
        match self {
            Self::Echo | Self::Call => of_length(
                format!(r#"["executemethod",{{"qid":"{n:06}","name":"Find{link}","inputparameters":{{"note":""#),
                r#""}}]"#,
            ),
            Self::Xml => of_length(
                format!(
                    r#"<message name="executemethod"><param name="qid">{n:06}</param><param name="name">Find{link}</param><param name="inputparameters" type="object"><param name="note">"#
                ),
                "</param></param></message>",
            ),
            Self::Line => format!(r#"["getextendedlineinfo",{{"qid":"{n:06}"}}]"#),
        }
    }

    fn is_reply(self, text: &str) -> bool {
        match self {
            Self::Echo => true,
            Self::Call => text.starts_with("[\"methodresult\"") && text.contains("\"result\":1"),
            Self::Xml => text.starts_with("<message name=\"methodresult\">"),
            Self::Line => text.starts_with("[\"getextendedlineinforesult\"") && text.contains("\"result\":1"),
        }
    }
}

async fn connect(target: &str, protocol: &str) -> Tab {
    let tcp = TcpStream::connect(target).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    Client::open(Box::new(tcp) as _, target, protocol).await
}

/// Logs in with the password; gives the id of the session.
async fn login(tab: &mut Tab, kind: Kind, n: usize) -> String {
    let user = n % PEOPLE;
    tab.put(&match kind {
        Kind::Xml => format!(
            r#"<message name="login"><param name="qid">l</param><param name="userlogin">u{user}</param><param name="Password">{HASH}</param></message>"#
        ),
        _ => format!(r#"["login",{{"qid":"l","userlogin":"u{user}","Password":"{HASH}"}}]"#),
    });
    tab.send().await.unwrap();
    let text = tab.next().await.expect("a reply to the login");
    assert!(text.contains("sessionid") || text.contains("\"result\":1"), "{text}");
    member(text, "sessionid").unwrap_or_default().to_owned()
}

/// So many tabs, logged in where there is somebody to log in with.
async fn tabs(kind: Kind, target: &str, count: usize) -> Vec<Tab> {
    let mut all = Vec::with_capacity(count);
    // By the dozen: a password costs the gateway time on purpose, but is remembered.
    for first in (0..count).step_by(16) {
        let some: Vec<_> = (first..count.min(first + 16))
            .map(|n| {
                let target = target.to_owned();
                tokio::spawn(async move {
                    let mut tab = connect(&target, kind.protocol()).await;
                    if kind != Kind::Echo {
                        login(&mut tab, kind, n).await;
                    }
                    tab
                })
            })
            .collect();
        for tab in some {
            all.push(tab.await.unwrap());
        }
    }
    all
}

/// What one tab has seen.
#[derive(Default)]
struct Seen {
    sent: usize,
    done: usize,
    wrong: usize,
    took: Vec<u32>,
}

/// Calls, as many at a time as asked for (or at a pace), for as long as asked for.
pub(crate) async fn run() {
    let kind = Kind::of(&argument("KIND"));
    let (count, flight, bytes) = (number("TABS"), number("FLIGHT"), number("BYTES"));
    let time = Duration::from_millis(number("MILLIS") as u64);
    let (pace, links) = (number("PACE") as f64, number("LINKS").max(1));
    let all = tabs(kind, &argument("TARGET"), count).await;
    println!("ready");
    told(1).await;
    let began = Instant::now();
    let until = began + time;
    let work: Vec<_> = all
        .into_iter()
        .enumerate()
        .map(|(n, tab)| {
            let link = n % links;
            let interval = (pace > 0.0).then(|| Duration::from_secs_f64(count as f64 / pace));
            tokio::spawn(async move {
                match interval {
                    None => closed(tab, kind, link, flight, bytes, until).await,
                    Some(interval) => {
                        let first = began + interval.mul_f64(n as f64 / count as f64);
                        paced(tab, kind, link, bytes, first, interval, until).await
                    }
                }
            })
        })
        .collect();
    let mut sum = Seen::default();
    let mut tabs = Vec::new();
    for tab in work {
        let (tab, mut seen) = tab.await.unwrap();
        tabs.push(tab);
        sum.sent += seen.sent;
        sum.done += seen.done;
        sum.wrong += seen.wrong;
        sum.took.append(&mut seen.took);
    }
    let took = began.elapsed();
    sum.took.sort_unstable();
    let at = |share: f64| sum.took.get((sum.took.len() as f64 * share) as usize).copied().unwrap_or(0);
    println!("{} {} {} {} {} {}", sum.done, sum.sent, sum.wrong, at(0.50), at(0.99), took.as_micros());
    // The connections stay until the counters were read.
    told(2).await;
}

/// Always so many in flight; as many are sent at once as replies came at once.
async fn closed(mut tab: Tab, kind: Kind, link: usize, flight: usize, bytes: usize, until: Instant) -> (Tab, Seen) {
    let mut seen = Seen::default();
    let mut began = VecDeque::new();
    let more = |tab: &mut Tab, seen: &mut Seen, began: &mut VecDeque<Instant>, now: Instant| {
        tab.put(&kind.message(seen.sent, link, bytes));
        began.push_back(now);
        seen.sent += 1;
    };
    let now = Instant::now();
    (0..flight).for_each(|_| more(&mut tab, &mut seen, &mut began, now));
    tab.send().await.unwrap();
    while seen.done < seen.sent {
        let Ok(Some(text)) = timeout(LOST, tab.next()).await else { break };
        let mut came = usize::from(heard(kind, text, &mut seen));
        while let Some(text) = tab.next_if_here() {
            came += usize::from(heard(kind, text, &mut seen));
        }
        let now = Instant::now();
        for _ in 0..came {
            if let Some(began) = began.pop_front() {
                seen.took.push(u32::try_from((now - began).as_micros()).unwrap_or(u32::MAX));
            }
            if now < until {
                more(&mut tab, &mut seen, &mut began, now);
            }
        }
        tab.send().await.unwrap();
    }
    (tab, seen)
}

/// One at a time at a pace, whatever the server does; a time counts from when it was to be sent.
async fn paced(
    mut tab: Tab,
    kind: Kind,
    link: usize,
    bytes: usize,
    first: Instant,
    interval: Duration,
    until: Instant,
) -> (Tab, Seen) {
    let mut seen = Seen::default();
    let mut due = first;
    while due < until {
        sleep_until(due).await;
        tab.put(&kind.message(seen.sent, link, bytes));
        tab.send().await.unwrap();
        seen.sent += 1;
        let before = seen.done;
        while seen.done == before {
            let Ok(Some(text)) = timeout(LOST, tab.next()).await else { return (tab, seen) };
            heard(kind, text, &mut seen);
        }
        seen.took.push(u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX));
        due += interval;
    }
    (tab, seen)
}

/// Whether it is a reply; counts what is not the next one.
fn heard(kind: Kind, text: &str, seen: &mut Seen) -> bool {
    if !kind.is_reply(text) {
        // What else a tab hears is an event; a call that failed is neither.
        if text.contains("result") {
            seen.wrong += 1;
        }
        return false;
    }
    if member(text, "qid").and_then(|qid| qid.parse().ok()) != Some(seen.done) {
        seen.wrong += 1;
    }
    seen.done += 1;
    true
}

/// Events of one tab to all others: so many at once, the next when all have them.
pub(crate) async fn fan() {
    let (count, flight) = (number("TABS"), number("FLIGHT"));
    let time = Duration::from_millis(number("MILLIS") as u64);
    let mut all = tabs(Kind::Call, &argument("TARGET"), count + 1).await;
    let mut sender = all.pop().unwrap();
    let (came, wrong) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (tell, mut told_all) = tokio::sync::watch::channel(());
    let tell = Arc::new(tell);
    let goal = Arc::new(AtomicUsize::new(usize::MAX));
    for mut tab in all {
        let (came, wrong, tell, goal) = (Arc::clone(&came), Arc::clone(&wrong), Arc::clone(&tell), Arc::clone(&goal));
        tokio::spawn(async move {
            let mut next = 0;
            let note = |text: &str, next: &mut usize| {
                if !text.starts_with("[\"customevent\"") {
                    return;
                }
                if member(text, "eventparam").and_then(|n| n.parse().ok()) != Some(*next) {
                    wrong.fetch_add(1, Ordering::Relaxed);
                }
                *next += 1;
                if came.fetch_add(1, Ordering::AcqRel) + 1 >= goal.load(Ordering::Acquire) {
                    tell.send_replace(());
                }
            };
            loop {
                let Some(text) = tab.next().await else { return };
                note(text, &mut next);
                while let Some(text) = tab.next_if_here() {
                    note(text, &mut next);
                }
            }
        });
    }
    println!("ready");
    told(1).await;
    let until = Instant::now() + time;
    let mut sent = 0;
    let began = Instant::now();
    while Instant::now() < until {
        goal.store((sent + flight) * count, Ordering::Release);
        for _ in 0..flight {
            sender.put(&format!(
                r#"["triggercustomevent",{{"qid":"{sent:06}","eventname":"bench","eventparam":"{sent:060}","sendback":0}}]"#
            ));
            sent += 1;
        }
        sender.send().await.unwrap();
        for _ in 0..flight {
            let reply = sender.next().await.unwrap();
            assert!(reply.contains("\"result\":1"), "{reply}");
        }
        let arrived = async {
            while came.load(Ordering::Acquire) < sent * count {
                told_all.changed().await.unwrap();
            }
        };
        if timeout(LOST, arrived).await.is_err() {
            break;
        }
    }
    let (came, wrong) = (came.load(Ordering::Acquire), wrong.load(Ordering::Relaxed));
    println!("{came} {} {wrong} 0 0 {}", sent * count, began.elapsed().as_micros());
    told(2).await;
}

/// Tabs that do nothing but answer pings.
pub(crate) async fn idle() {
    let (count, target, over_tls) = (number("TABS"), argument("TARGET"), number("TLS") == 1);
    for n in 0..count {
        let mut tab = if over_tls { connect_tls(&target).await } else { connect(&target, "json").await };
        login(&mut tab, Kind::Call, n).await;
        tokio::spawn(async move { while tab.next().await.is_some() {} });
    }
    println!("ready");
    told(1).await;
}

/// Connects and logs in with a session that is there, so many tabs at once, and keeps them. With an echo: connects, and has one message echoed.
pub(crate) async fn logins() {
    let (count, target, at_once) = (number("TABS"), argument("TARGET"), number("FLIGHT"));
    let kind = Kind::of(&argument("KIND"));
    let first = if kind == Kind::Echo {
        r#"["login",{"qid":"l","result":1}]"#.to_owned()
    } else {
        let mut tab = connect(&target, "json").await;
        let session = login(&mut tab, Kind::Call, 0).await;
        assert!(!session.is_empty());
        format!(r#"["login",{{"qid":"l","userlogin":"u0","sessionid":"{session}"}}]"#)
    };
    println!("ready");
    told(1).await;
    let mut kept = Vec::new();
    while kept.len() < count {
        let some = (0..at_once.min(count - kept.len())).map(|_| async {
            let mut tab = connect(&target, "json").await;
            tab.put(&first);
            tab.send().await.unwrap();
            let reply = tab.next().await.unwrap();
            assert!(reply.contains("\"result\":1"), "{reply}");
            tab
        });
        kept.extend(futures_util::future::join_all(some).await);
    }
    println!("{} {count} 0 0 0 0", kept.len());
    told(2).await;
}

/// TLS and a handshake, one after another, each closed again; no session is resumed.
pub(crate) async fn handshakes() {
    let (count, target) = (number("TABS"), argument("TARGET"));
    println!("ready");
    told(1).await;
    for _ in 0..count {
        drop(connect_tls(&target).await);
    }
    println!("{count} {count} 0 0 0 0");
    told(2).await;
}

async fn connect_tls(target: &str) -> Tab {
    let tcp = TcpStream::connect(target).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    Client::open(Box::new(tls) as _, target, "json").await
}

/// Believes whoever answers: it is ourselves.
#[derive(Debug)]
struct Anybody;

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
