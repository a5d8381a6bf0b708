//! A short trial of one link, told step by step as it goes: what the console shows before a link is saved. It says hello and asks
//! what there is; it runs no method and opens no form, so it is for any CRM.

use std::net::SocketAddr;
use std::time::Duration;

use ctigate_proto::message::{CloseReason, Format};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

use crate::config::Link;
use crate::transport::trial::{Listener, NoLink, Wire};

use super::conversation::Conversation;
use super::exchange::Exchange;
use super::finding::{self, Finding};
use super::talk::Talk;
use super::{Outcome, Verdict, opening, questions};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long TCP may take.
const CONNECT: Duration = Duration::from_secs(5);

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name: `resolve`, `connect`, `tls`, `upgrade`, `sub_protocol`, `auth`, `introduction`, `ping`, `methods`, `forms`,
    /// `users`; for a CRM that comes by itself `port` and `wait` in place of the first three.
    pub step: &'static str,
    /// `running`, `ok`, `warn` or `fail`.
    pub state: &'static str,
    /// What was seen. May hold pieces of what the CRM said.
    pub detail: String,
    /// What to do, in English and in Russian; empty when there is nothing to do.
    pub advice: (&'static str, &'static str),
}

/// Tries a link; each step is told when it begins and when it ends. Ends in a bounded time, and when nobody listens any more. Says
/// whether all went well. `arrival`: how long to wait for a CRM that connects by itself.
pub async fn briefly(link: &Link, arrival: Duration, to: &Sender<Step>) -> bool {
    let mut brief = Brief { to, well: true };
    let talk = if link.mode.accepts() { brief.waits(link, arrival).await } else { brief.goes(link).await };
    if let Some(mut talk) = talk {
        brief.asks(&mut talk).await;
        if let Talk::Socket(conversation) = talk {
            conversation.into_wire().close(&CloseReason::NORMAL).await;
        }
    }
    brief.well
}

struct Brief<'a> {
    to: &'a Sender<Step>,
    well: bool,
}

const NO_ADVICE: (&str, &str) = ("", "");

impl Brief<'_> {
    async fn tell(
        &mut self,
        step: &'static str,
        state: &'static str,
        detail: impl Into<String>,
        advice: (&'static str, &'static str),
    ) {
        self.well &= state != "fail";
        // Who does not listen any more is told nothing.
        let _ = self.to.send(Step { step, state, detail: detail.into(), advice }).await;
    }

    async fn begin(&mut self, step: &'static str) {
        self.tell(step, "running", "", NO_ADVICE).await;
    }

    async fn judged(&mut self, step: &'static str, outcome: Outcome) -> bool {
        let state = match outcome.verdict {
            Verdict::Good | Verdict::Skipped => "ok",
            Verdict::Note => "warn",
            Verdict::Bad => "fail",
        };
        let advice = outcome.finding.map_or(NO_ADVICE, |finding| (english(finding), russian(finding.name)));
        self.tell(step, state, outcome.found, advice).await;
        state != "fail"
    }

    /// A CRM that we go to.
    async fn goes(&mut self, link: &Link) -> Option<Talk> {
        let uri: hyper::Uri = link.url.parse().ok()?;
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or_else(|| if link.mode.tls() { 443 } else { 80 });
        self.begin("resolve").await;
        let found = timeout(CONNECT, lookup_host((host.as_str(), port))).await;
        let addresses: Vec<SocketAddr> = match found {
            Ok(Ok(found)) => found.collect(),
            Ok(Err(why)) => {
                let advice = (
                    "write the host's name as its DNS has it, or its address",
                    "напишите имя хоста, как оно есть в DNS, или его адрес",
                );
                self.tell("resolve", "fail", format!("{host}: {why}"), advice).await;
                return None;
            }
            Err(_) => Vec::new(),
        };
        if addresses.is_empty() {
            let advice = (
                "write the host's name as its DNS has it, or its address",
                "напишите имя хоста, как оно есть в DNS, или его адрес",
            );
            self.tell("resolve", "fail", format!("{host} has no address"), advice).await;
            return None;
        }
        let all: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
        self.tell("resolve", "ok", all.join(", "), NO_ADVICE).await;

        self.begin("connect").await;
        let unreachable = (english(&finding::UNREACHABLE), russian(finding::UNREACHABLE.name));
        match timeout(CONNECT, TcpStream::connect(&addresses[..])).await {
            Ok(Ok(_)) => self.tell("connect", "ok", format!("port {port} accepts connections"), NO_ADVICE).await,
            Ok(Err(why)) => {
                self.tell("connect", "fail", format!("{host}:{port}: {why}"), unreachable).await;
                return None;
            }
            Err(_) => {
                self.tell(
                    "connect",
                    "fail",
                    format!("{host}:{port} does not answer in {} s", CONNECT.as_secs()),
                    unreachable,
                )
                .await;
                return None;
            }
        }
        let format = Format::from(link.format);
        if link.mode.posts() {
            return self.posts(link, format).await;
        }
        let opens = if link.mode.tls() { "tls" } else { "upgrade" };
        self.begin(opens).await;
        match Wire::dial(link, format).await {
            Ok(wire) => {
                if link.mode.tls() {
                    self.tell("tls", "ok", "", NO_ADVICE).await;
                }
                self.tell("upgrade", "ok", "101", NO_ADVICE).await;
                self.tell("sub_protocol", "ok", format.word(), NO_ADVICE).await;
                Some(Talk::Socket(Box::new(Conversation::new(wire, format))))
            }
            Err(no) => {
                let of_tls = link.mode.tls() && matches!(&no, NoLink::Unreachable(why) if why.contains("TLS"));
                if link.mode.tls() && !of_tls {
                    self.tell("tls", "ok", "", NO_ADVICE).await;
                }
                let step = match &no {
                    _ if of_tls => "tls",
                    NoLink::SubProtocol(_) => "sub_protocol",
                    NoLink::Credentials(_) => "auth",
                    _ => "upgrade",
                };
                self.judged(step, super::talk::no_link(&no)).await;
                None
            }
        }
    }

    async fn posts(&mut self, link: &Link, format: Format) -> Option<Talk> {
        match Exchange::new(link, format) {
            Ok(exchange) => Some(Talk::Post(Box::new(exchange))),
            Err(why) => {
                self.tell("tls", "fail", why.to_string(), NO_ADVICE).await;
                None
            }
        }
    }

    /// A CRM that comes to us.
    async fn waits(&mut self, link: &Link, arrival: Duration) -> Option<Talk> {
        self.begin("port").await;
        let mut listener = match Listener::bind(link).await {
            Ok(listener) => listener,
            Err(why) => {
                let advice =
                    ("choose a port that nothing else uses", "выберите порт, которым больше ничто не пользуется");
                self.tell("port", "fail", why.to_string(), advice).await;
                return None;
            }
        };
        self.tell("port", "ok", listener.address().to_string(), NO_ADVICE).await;
        self.begin("wait").await;
        let came = opening::arrival(&mut listener, arrival).await;
        if !self.judged("wait", came.connected(arrival)).await
            || !self.judged("sub_protocol", came.sub_protocol()).await
        {
            return None;
        }
        let wire = came.wire?;
        let format = wire.format?;
        Some(Talk::Socket(Box::new(Conversation::new(wire, format))))
    }

    async fn asks(&mut self, talk: &mut Talk) {
        self.begin("introduction").await;
        let introduced = opening::introduction(talk, PATIENCE).await;
        if !self.judged("introduction", introduced).await {
            return;
        }
        self.begin("ping").await;
        let pong = questions::ping(talk, PATIENCE).await;
        self.judged("ping", pong).await;
        self.begin("methods").await;
        let methods = questions::methods(talk, PATIENCE, &mut Vec::new()).await;
        self.judged("methods", methods).await;
        self.begin("forms").await;
        let forms = questions::forms(talk, PATIENCE, &mut Vec::new()).await;
        self.judged("forms", forms).await;
        self.begin("users").await;
        let users = questions::users(talk, PATIENCE).await;
        self.judged("users", users).await;
    }
}

/// The advice of a finding in English. Where the command names its flags, a page names its fields.
fn english(finding: &Finding) -> &'static str {
    match finding.name {
        "unreachable" => {
            "start the CRM, and compare host, port and scheme; for TLS give the certificate of its authority (trusted authorities)"
        }
        "no-handshake" => {
            "the CRM must open a WebSocket (version 13), with TLS exactly where the chosen way to connect has it"
        }
        "credentials" => "compare login, password and authorization with what the CRM knows",
        _ => finding.advice,
    }
}

/// The advice of a finding in Russian, for those that a short trial can have.
fn russian(finding: &str) -> &'static str {
    match finding {
        "unreachable" => "запустите CRM и сверьте хост, порт и схему; при TLS укажите файл доверенных центров",
        "nobody-came" => "пусть CRM подключится по этому адресу; шлюз не должен сейчас слушать его сам",
        "no-handshake" => "CRM должна открыть WebSocket (версия 13), с TLS только там, где он выбран",
        "declined" => "адрес должен быть тем, где CRM ждёт телефонный сервер; загляните в журнал её веб-сервера",
        "sub-protocol" => "верните json или xml без изменений или не посылайте Sec-WebSocket-Protocol вовсе",
        "no-sub-protocol" => "предложите json или xml в Sec-WebSocket-Protocol: без этого сообщения не читаются",
        "credentials" => "сверьте логин, пароль и способ проверки с тем, что знает CRM",
        "no-iam" => "ответьте на whoareyou сообщением iam с тем же qid; без него связь закрывается через 10 с",
        "no-pong" => "ответьте на ping сообщением pong с теми же параметрами",
        "no-list" => "ответьте на вопрос списком, хотя бы пустым; без ответа за 10 с считается, что его нет",
        "bad-list" => "пошлите массив объектов под тем именем, которое даёт описание; пока он считается пустым",
        "odd-declaration" => "дайте каждому методу, форме и параметру имя и один из известных типов",
        "html-answer" => "посылайте только сообщения: выключите страницы ошибок и отладочный вывод",
        "unreadable" => "посылайте [\"имя\",{...}] в json или <message name=\"...\"> в xml, в UTF-8, и больше ничего",
        "base64-answer" => "посылайте сообщение как есть: base64 только в том, что шлёт шлюз",
        "other-format" => "отвечайте в том виде, который выбран",
        "broke-off" => "держите соединение открытым и загляните в журнал CRM, почему оно закончилось",
        _ => "",
    }
}
