//! Each kind of secret is planted and used on every way, rightly and wrongly, with the log at its most talkative in both formats;
//! then everything that people can read of a node is searched for them.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctigate::config::{Auth, Link, LinkMode, Log, LogFormat, PbxKind, Role, Secret, User};
use ctigate::proto::auth::{basic::Basic, digest, password};
use ctigate::proto::message::Format;
use ctigate::telemetry::logging;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::admin::Admin;
use crate::support::gateway::link;
use crate::support::http::{Answer, ask, ask_on};
use crate::support::peers::text;
use crate::support::post_crm::PostCrm;
use crate::support::server::Server;
use crate::support::ws::request;
use crate::support::{FakeCrm, FakeTab, Io, node, soon};

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What was planted, by what it is, and what people read, by where.
#[derive(Default)]
struct Search {
    secrets: BTreeMap<String, String>,
    pages: Vec<(String, String)>,
}

impl Search {
    fn plant(&mut self, what: &str, secret: impl Into<String>) -> String {
        let secret = secret.into();
        assert!(secret.len() >= 6, "{what} is too short to be looked for: {secret}");
        self.secrets.insert(what.to_owned(), secret.clone());
        secret
    }

    fn page(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.pages.push((place.into(), text.into()));
    }

    /// An answer that refuses.
    fn refusal(&mut self, place: &str, answer: &Answer) {
        assert!(answer.status >= 400, "{place}: {answer:?}");
        self.page(place, format!("{}{}", answer.head, answer.body));
    }

    fn run(&self) {
        for (what, secret) in &self.secrets {
            for (place, page) in &self.pages {
                if let Some(at) = page.find(secret.as_str()) {
                    let start = page[..at].char_indices().rev().nth(80).map_or(0, |(i, _)| i);
                    let end = page[at..].char_indices().nth(80).map_or(page.len(), |(i, _)| at + i);
                    panic!("{what} stands in {place}: {}", &page[start..end]);
                }
            }
        }
    }
}

/// An Asterisk that offers no challenge, so that the secret comes as it is, and refuses it.
async fn asterisk(listener: TcpListener, seen: Arc<Mutex<String>>) {
    loop {
        let Ok((mut io, _)) = listener.accept().await else { return };
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            let _ = io.write_all(b"Asterisk Call Manager/9.0.0\r\n").await;
            let mut all = String::new();
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = io.read(&mut chunk).await {
                all.push_str(&String::from_utf8_lossy(&chunk[..n]));
                seen.lock().unwrap().push_str(&String::from_utf8_lossy(&chunk[..n]));
                while let Some(end) = all.find("\r\n\r\n") {
                    let packet: String = all.drain(..end + 4).collect();
                    let id = packet.lines().find_map(|l| l.strip_prefix("ActionID: ")).unwrap_or_default().to_owned();
                    let no = format!("Response: Error\r\nActionID: {id}\r\nMessage: Authentication failed\r\n\r\n");
                    let _ = io.write_all(no.as_bytes()).await;
                }
            }
        });
    }
}

fn basic(login: &str, password: &str) -> String {
    Basic { login: login.to_owned(), password: password.to_owned() }.header().unwrap()
}

/// The code of RFC 6238 for a secret in base32, `late` steps of half a minute from now.
fn code(secret: &str, late: u64) -> String {
    use hmac::{KeyInit, Mac};
    let mut bits = 0u64;
    let (mut held, mut key) = (0, Vec::new());
    for c in secret.bytes().filter(u8::is_ascii_alphanumeric) {
        let five = if c.is_ascii_digit() { c - b'2' + 26 } else { c.to_ascii_uppercase() - b'A' };
        bits = bits << 5 | u64::from(five);
        held += 5;
        if held >= 8 {
            held -= 8;
            key.push((bits >> held) as u8);
        }
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let mut mac = hmac::Hmac::<sha1::Sha1>::new_from_slice(&key).unwrap();
    mac.update(&(now / 30 + late).to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes([hash[at] & 0x7f, hash[at + 1], hash[at + 2], hash[at + 3]]);
    format!("{:06}", number % 1_000_000)
}

#[tokio::test]
async fn no_secret_is_shown_anywhere() {
    for format in [LogFormat::Text, LogFormat::Json] {
        let log = Log { filter: "trace".to_owned(), format };
        let kept = Kept::default();
        let guard = tracing::subscriber::set_default(logging::subscriber(&log, kept.clone(), false).unwrap());
        let mut search = Search::default();
        story(&mut search).await;
        drop(guard);
        let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(log.contains("ivanov") && log.contains("connection closed"), "something is logged at all");
        search.page(format!("the log ({format:?})"), log);
        assert!(
            search.secrets.len() >= 25 && search.pages.len() >= 35,
            "{} and {}",
            search.secrets.len(),
            search.pages.len()
        );
        search.run();
    }
}

#[test]
#[should_panic(expected = "a password stands in a page")]
fn what_is_planted_is_found() {
    let mut search = Search::default();
    search.plant("a password", "sesame");
    search.page("a page", "open sesame!");
    search.run();
}

async fn story(search: &mut Search) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = node::config(folder.path());
    let bind = Some("127.0.0.1:0".parse().unwrap());
    let person = search.plant("a person's password", "Person-secret-1");
    let person_hash = search.plant("a person's hash", password::hash(&person).unwrap());
    let boss = search.plant("an administrator's password", "Boss-secret-1");
    search.plant("an administrator's hash", password::hash(&boss).unwrap());
    config.users[0].password = Some(Secret::new(person.as_str()));
    config.users[0].api_call_enabled = true;
    config.users.push(User {
        login: "boss".to_owned(),
        role: Role::Admin,
        password: Some(Secret::new(boss.as_str())),
        ..User::default()
    });
    let door_secret = search.plant("the password of an accepting link", "door-secret-1");
    let door_ticket = search.plant("the ticket of an accepting link", "door-ticket-0123456789");
    let crm = |name: &str, mode| Link { login: "crm".to_owned(), ..link(name, mode) };
    config.links.push(Link {
        auth: Some(Auth::Digest),
        password: Some(Secret::new(door_secret.as_str())),
        ticket: Some(Secret::new(door_ticket.as_str())),
        bind,
        ..crm("door", LinkMode::AcceptWs)
    });
    let (dialed, posted) = (Server::new().await, PostCrm::new(Format::Json, None).await);
    let dial_secret = search.plant("the password of a dialed link", "dial-secret-1");
    search.plant("the same as Basic", STANDARD.encode(format!("crm:{dial_secret}")));
    config.links.push(Link {
        name: "dialed".to_owned(),
        auth: Some(Auth::Basic),
        login: "crm".to_owned(),
        password: Some(Secret::new(dial_secret.as_str())),
        ..dialed.link(Format::Json)
    });
    let post_secret = search.plant("the password of a posted link", "post-secret-1");
    search.plant("the same as Basic, too", STANDARD.encode(format!("crm:{post_secret}")));
    let rpc_secret = search.plant("the password of /rpc", "rpc-secret-1");
    search.plant("the same as Basic, again", STANDARD.encode(format!("shop:{rpc_secret}")));
    let rpc_ticket = search.plant("the ticket of /rpc", "rpc-ticket-0123456789");
    config.links.push(Link {
        name: "posted".to_owned(),
        auth: Some(Auth::Basic),
        login: "crm".to_owned(),
        password: Some(Secret::new(post_secret.as_str())),
        rpc_login: "shop".to_owned(),
        rpc_password: Some(Secret::new(rpc_secret.as_str())),
        ticket: Some(Secret::new(rpc_ticket.as_str())),
        ..posted.link()
    });
    let ami = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ami_secret = search.plant("the secret of Asterisk", "ami-secret-1");
    config.pbx.kind = PbxKind::Asterisk;
    config.pbx.asterisk.port = ami.local_addr().unwrap().port();
    config.pbx.asterisk.secret = Some(Secret::new(ami_secret.as_str()));
    config.pbx.asterisk.agi_bind = None;
    let heard = Arc::new(Mutex::new(String::new()));
    tokio::spawn(asterisk(ami, Arc::clone(&heard)));

    let node = node::start(&config).await;
    let (web, door) = (node.addresses.web.unwrap(), node.addresses.links[0].1);
    let admin = Admin::of(&node, &config);
    search.plant("the token of the admin port", admin.token.clone());
    let mut tail = admin.follow("/api/v1/tail").await;
    let mut wire = admin.follow("/api/v1/tail?format=wire").await;
    let begun = admin.ask("POST", "/api/v1/captures", Some(&json!({}))).await;
    assert_eq!(begun.0, 201, "{begun:?}");

    // CRMs.
    let mut crm = FakeCrm::accept(dialed.accept().await, Format::Json).await;
    crm.introduce_bare().await;
    posted.hears("getactiveusers", 1).await;
    for (what, password) in [("a digest response", door_secret.as_str()), ("a wrong digest response", "wrong-door-1")] {
        let (challenge, _) = ask(door, request("/", &[])).await;
        let mut client = digest::Client::new("crm", password);
        client.challenged(challenge.all("www-authenticate")).unwrap();
        let answer = client.answer("GET", "/", rand::random()).unwrap();
        search.plant(what, answer.split("response=\"").nth(1).unwrap().split('"').next().unwrap());
        let (answer, _) = ask(door, request("/", &[("Authorization", &answer)])).await;
        if password != door_secret {
            search.refusal("a wrong digest", &answer);
        }
    }
    search.plant("a wrong password of a link", "wrong-door-1");
    let wrong_ticket = search.plant("a wrong ticket", "wrong-ticket-0123456789");
    ask(door, request(&format!("/cti?ticket={door_ticket}"), &[])).await;
    let (answer, _) = ask(door, request(&format!("/cti?ticket={wrong_ticket}"), &[])).await;
    search.refusal("a wrong ticket", &answer);
    let form = "format=json&data=WyJwaW5nIix7fV0%3D";
    let post = |target: &str, header: &str| {
        format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n{header}\
             Content-Length: {}\r\n\r\n{form}",
            form.len()
        )
    };
    let wrong_rpc = search.plant("a wrong password of /rpc", "wrong-rpc-1");
    ask(web, post("/rpc", &format!("Authorization: {}\r\n", basic("shop", &rpc_secret)))).await;
    ask(web, post(&format!("/rpc?ticket={rpc_ticket}"), "")).await;
    let (answer, _) = ask(web, post("/rpc", &format!("Authorization: {}\r\n", basic("shop", &wrong_rpc)))).await;
    search.refusal("/rpc by a wrong password", &answer);
    let (answer, _) = ask(web, post(&format!("/rpc?ticket={wrong_ticket}"), "")).await;
    search.refusal("/rpc by a wrong ticket", &answer);
    search.plant("a password in an address", "stray-temppass-1");
    let (answer, _) = ask(web, "GET /none?temppass=stray-temppass-1 HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    search.refusal("nothing at an address", &answer);

    // People.
    let mut tab = FakeTab::connect(web, Format::Json).await;
    tab.0.say(&format!(r#"["login",{{"qid":1,"userlogin":"ivanov","Password":"{person_hash}"}}]"#)).await;
    let session = text(&tab.0.hear_named("loginresult").await, "sessionid");
    search.plant("a session", session.as_str());
    tab.0.say(r#"["gettemphttppass",{"qid":2}]"#).await;
    search.plant("a temporary password", text(&tab.0.hear_named("gettemphttppassresult").await, "password"));
    let wrong_hash = search.plant("a wrong hash", "0123456789abcdef0123456789abcdef");
    let wrong_session = search.plant("a wrong session", "wrong-session-id-1");
    let mut again = FakeTab::connect(web, Format::Xml).await;
    for proof in [
        format!(r#""Password":"{wrong_hash}""#),
        format!(r#""sessionid":"{wrong_session}""#),
        format!(r#""sessionid":"{session}""#),
    ] {
        again.0.say(&format!(r#"["login",{{"qid":3,"userlogin":"ivanov",{proof}}}]"#)).await;
        let reply = again.0.hear_named("loginresult").await;
        if reply.body.int("result") != Some(1) {
            search.page("a refused login", crate::support::peers::json(&reply));
        }
    }
    let new_hash = search.plant("the hash of a new password", "578dd15b518cb3a96e450822ebae36d3");
    tab.0.say(&format!(r#"["changepassword",{{"qid":4,"oldpwdmd5":"{wrong_hash}","newpwdmd5":"{new_hash}"}}]"#)).await;
    search.page("a refused change", crate::support::peers::json(&tab.0.hear_named("changepasswordresult").await));
    search.plant("a password where none belongs", "stray-password-1");
    tab.0.say(r#"["nosuchmethod",{"qid":5,"password":"stray-password-1"}]"#).await;
    search.page("an unknown method", crate::support::peers::json(&tab.0.hear_named("nosuchmethodresult").await));
    search.plant("a password in what cannot be read", "broken-password-1");
    tab.0.ws.text(r#"["login",{"password":"broken-password-1"#).await;
    search.page("what cannot be read", crate::support::peers::json(&tab.0.hear_named("error").await));
    crm.0.say(&format!(r#"["login",{{"qid":6,"userlogin":"ivanov","Password":"{person_hash}","tabid":"t"}}]"#)).await;
    search.plant("a session behind a link", text(&crm.0.hear_named("loginresult").await, "sessionid"));

    // Programs.
    let (status, made) =
        admin.ask("POST", "/api/v1/keys", Some(&json!({"client_id": "amo", "rights": ["call", "users"]}))).await;
    assert_eq!(status, 201, "{made}");
    let key = search.plant("an integration key", made["key"].as_str().unwrap());
    ask(web, request(&format!("/?ticket={key}"), &[("Sec-WebSocket-Protocol", "json")])).await;
    ask(web, request("/", &[("Sec-WebSocket-Protocol", "json"), ("Authorization", &format!("Bearer {key}"))])).await;
    let wrong_key = search.plant("a wrong key", "ctk_wrong_key_1");
    let (answer, _) = ask(web, request(&format!("/?ticket={wrong_key}"), &[("Sec-WebSocket-Protocol", "json")])).await;
    search.refusal("a wrong key", &answer);
    let wrong_token = search.plant("a wrong token of the admin port", "wrong-admin-token-1");
    for target in ["/api/v1/snapshot".to_owned(), format!("/api/v1/snapshot?ticket={wrong_token}")] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {wrong_token}\r\n\r\n");
        search.refusal("a wrong token", &ask(admin.address, head).await.0);
    }

    console(search, admin.address, &boss).await;
    changes(search, &admin).await;

    // What people read.
    soon("the secret was used", async {
        while !heard.lock().unwrap().contains(&format!("Secret: {ami_secret}")) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for path in [
        "/metrics",
        "/readyz",
        "/api/v1/audit",
        "/api/v1/captures",
        "/api/v1/captures/1",
        "/api/v1/departments",
        "/api/v1/doctor",
        "/api/v1/explain/user/ivanov",
        "/api/v1/explain/user/boss",
        "/api/v1/forms",
        "/api/v1/journal",
        "/api/v1/keys",
        "/api/v1/links",
        "/api/v1/links/door",
        "/api/v1/links/dialed",
        "/api/v1/links/posted",
        "/api/v1/logs?level=trace",
        "/api/v1/methods",
        "/api/v1/overview",
        "/api/v1/sessions",
        "/api/v1/settings",
        "/api/v1/setup",
        "/api/v1/snapshot",
        "/api/v1/users",
        "/api/v1/users/ivanov/sessions",
    ] {
        let answer = admin.raw("GET", path, None).await;
        assert!(answer.body.len() > 2, "{path}: {answer:?}");
        search.page(path, answer.body);
    }
    for (name, events) in [("the tail", &mut tail), ("the tail of the wire", &mut wire)] {
        let mut seen = String::new();
        // The tunnelled login is the last that was said by a person.
        events
            .wait(name, |_, line| {
                seen.push_str(&line.to_string());
                line["method"] == "loginresult" && line["link"] == "dialed"
            })
            .await;
        assert!(seen.contains("changepassword"), "{name} shows what passes");
        search.page(name, seen);
    }
    assert!(soon("a clean stop", node.stop()).await);
}

/// Signing in to the console, with a second factor, rightly and wrongly.
async fn console(search: &mut Search, address: SocketAddr, boss: &str) {
    let mut io: Io = Box::new(soon("connect", TcpStream::connect(address)).await.unwrap());
    let mut cookie = String::new();
    let asked = async |io: &mut Io, method: &str, path: &str, cookie: &str, body: Value| -> Answer {
        let body = body.to_string();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nCookie: {cookie}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        ask_on(io, head).await
    };
    search.plant("a wrong password of the console", "wrong-console-1");
    let wrong = json!({"login": "boss", "password": "wrong-console-1"});
    let refused = asked(&mut io, "POST", "/api/v1/signin", &cookie, wrong).await;
    search.refusal("a wrong password of the console", &refused);
    let right = json!({"login": "boss", "password": boss});
    let signed = asked(&mut io, "POST", "/api/v1/signin", &cookie, right.clone()).await;
    assert_eq!(signed.status, 200, "{signed:?}");
    cookie = signed.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    search.plant("a session of the console", cookie.split('=').nth(1).unwrap());
    let factor = asked(&mut io, "POST", "/api/v1/me/second_factor", &cookie, json!({})).await;
    assert_eq!(factor.status, 200, "{factor:?}");
    let made: Value = serde_json::from_str(&factor.body).unwrap();
    let secret = search.plant("the secret of a second factor", made["secret"].as_str().unwrap());
    let refused = asked(&mut io, "POST", "/api/v1/me/second_factor/confirm", &cookie, json!({"code": "000000x"})).await;
    search.refusal("a wrong code", &refused);
    let done =
        asked(&mut io, "POST", "/api/v1/me/second_factor/confirm", &cookie, json!({"code": code(&secret, 0)})).await;
    assert_eq!(done.status, 200, "{done:?}");
    let refused = asked(&mut io, "POST", "/api/v1/signin", "", right).await;
    search.refusal("a code is wanted", &refused);
    let whole = json!({"login": "boss", "password": boss, "code": code(&secret, 1)});
    let signed = asked(&mut io, "POST", "/api/v1/signin", "", whole).await;
    assert_eq!(signed.status, 200, "{signed:?}");
    search.plant("another password", "another-secret-1");
    let change = json!({"old": "another-secret-1", "new": "another-secret-1"});
    let refused = asked(&mut io, "POST", "/api/v1/me/password", &cookie, change).await;
    search.refusal("a password that is not changed", &refused);
}

/// People and links are added with secrets, rightly and wrongly.
async fn changes(search: &mut Search, admin: &Admin) {
    let new = search.plant("the password of somebody new", "New-secret-77");
    search.plant("its hash", password::hash(&new).unwrap());
    let petrov = json!({"login": "petrov", "number": "102", "password": new});
    let added = admin.raw("POST", "/api/v1/users", Some(&petrov)).await;
    assert_eq!(added.status, 201, "{added:?}");
    search.refusal("somebody twice", &admin.raw("POST", "/api/v1/users", Some(&petrov)).await);
    let wrong = json!({"login": "kim", "number": "102", "password": new, "nonsense": 1});
    search.refusal("somebody wrong", &admin.raw("POST", "/api/v1/users", Some(&wrong)).await);
    let linked = search.plant("the password of a new link", "link-secret-77");
    for (place, link) in [
        ("a link of no kind", json!({"name": "new", "mode": "nonsense", "password": linked})),
        ("a link without an address", json!({"name": "new", "mode": "dial-ws", "login": "crm", "password": linked})),
    ] {
        search.refusal(place, &admin.raw("POST", "/api/v1/links", Some(&link)).await);
    }
    let link = json!({"name": "new", "mode": "dial-ws", "url": "ws://127.0.0.1:9/", "auth": "basic", "login": "crm", "password": linked});
    let made = admin.raw("POST", "/api/v1/links", Some(&link)).await;
    search.page("a link that was added", made.body);
    let tried = admin.raw("POST", "/api/v1/links/test", Some(&link)).await;
    search.page("a link that was tried", tried.body);
    search.page("the new link", admin.raw("GET", "/api/v1/links/new", None).await.body);
}
