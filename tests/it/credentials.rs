//! Credentials over HTTP: what is challenged, what is refused and how, on the way in and on the way out.

use std::net::SocketAddr;

use ctigate::config::{Auth, Config, Link, LinkMode, Secret};
use ctigate::proto::auth::digest;
use tokio::net::TcpSocket;

use crate::support::gateway::link;
use crate::support::http::{Answer, ask, ask_on};
use crate::support::{Gateway, Io, Setup, node, soon};

const TICKET: &str = "0123456789abcdef";

/// An accepting link whose CRM is `crm` with `secret`.
fn guarded(auth: Auth) -> Link {
    Link {
        auth: Some(auth),
        login: "crm".to_owned(),
        password: Some(Secret::new("secret")),
        ticket: Some(Secret::new(TICKET)),
        ..link("crm", LinkMode::AcceptWs)
    }
}

/// A link that is posted to, whose CRM posts as `shop` with `secret`. Nobody is at its url.
fn posting() -> Link {
    Link {
        url: "http://127.0.0.1:9/".to_owned(),
        rpc_login: "shop".to_owned(),
        rpc_password: Some(Secret::new("secret")),
        ticket: Some(Secret::new(TICKET)),
        ..link("shop", LinkMode::PostHttp)
    }
}

/// A place that demands credentials: a link's port, or `/rpc`.
#[derive(Clone, Copy)]
struct Place {
    at: SocketAddr,
    login: &'static str,
    rpc: bool,
}

const PING: &str = "format=json&data=WyJwaW5nIix7fV0%3D";

impl Place {
    fn method(self) -> &'static str {
        if self.rpc { "POST" } else { "GET" }
    }

    fn target(self) -> &'static str {
        if self.rpc { "/rpc" } else { "/cti?x=1" }
    }

    /// What a right request is answered with.
    fn good(self) -> u16 {
        if self.rpc { 200 } else { 101 }
    }

    fn request(self, target: &str, headers: &[(&str, &str)]) -> String {
        let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        if self.rpc {
            let form = format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}", PING.len());
            return format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n{form}\r\n{more}\r\n{PING}");
        }
        crate::support::ws::request(target, headers)
    }

    async fn ask(self, headers: &[(&str, &str)]) -> Answer {
        ask(self.at, self.request(self.target(), headers)).await.0
    }

    async fn with(self, authorization: &str) -> Answer {
        self.ask(&[("Authorization", authorization)]).await
    }

    /// The same from another address of this machine.
    async fn from(self, address: &str, headers: &[(&str, &str)]) -> Answer {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        let mut io: Io = Box::new(soon("connect", socket.connect(self.at)).await.unwrap());
        ask_on(&mut io, self.request(self.target(), headers)).await
    }

    /// A client that was challenged just now.
    async fn challenged(self, login: &str, password: &str) -> digest::Client {
        let challenge = self.ask(&[]).await;
        assert_eq!(challenge.status, 401, "{challenge:?}");
        let mut client = digest::Client::new(login, password);
        client.challenged(challenge.all("www-authenticate").into_iter().filter(|c| c.starts_with("Digest"))).unwrap();
        client
    }

    fn answer(self, client: &mut digest::Client) -> String {
        client.answer(self.method(), self.target(), rand::random()).unwrap()
    }
}

/// A node with both kinds of place. The link demands this.
async fn places(folder: &std::path::Path, auth: Auth) -> (ctigate::app::Node, [Place; 2]) {
    let mut config = node::config(folder);
    config.links.push(Link { bind: Some("127.0.0.1:0".parse().unwrap()), ..guarded(auth) });
    config.links.push(posting());
    config.links[1].ticket = Some(Secret::new("fedcba9876543210"));
    let node = node::start(&config).await;
    let door = Place { at: node.addresses.links[0].1, login: "crm", rpc: false };
    let rpc = Place { at: node.addresses.web.unwrap(), login: "shop", rpc: true };
    (node, [door, rpc])
}

fn basic(login: &str, password: &str) -> String {
    ctigate::proto::auth::basic::Basic { login: login.to_owned(), password: password.to_owned() }.header().unwrap()
}

fn is_stale(answer: &Answer) -> bool {
    let digests: Vec<_> = answer.all("www-authenticate").into_iter().filter(|c| c.starts_with("Digest")).collect();
    assert_eq!(digests.len(), 2, "{answer:?}");
    digests.iter().all(|c| c.contains("stale=true"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn digest_counts_once_from_wherever_and_for_this_request_only() {
    let folder = tempfile::tempdir().unwrap();
    let (_node, places) = places(folder.path(), Auth::Digest).await;
    for place in places {
        let mut client = place.challenged(place.login, "secret").await;
        let first = place.answer(&mut client);
        assert_eq!(place.with(&first).await.status, place.good());
        for address in ["127.0.0.1", "127.0.0.9"] {
            let replayed = place.from(address, &[("Authorization", &first)]).await;
            assert_eq!((replayed.status, is_stale(&replayed)), (401, true), "{address}: {replayed:?}");
        }
        let (second, third) = (place.answer(&mut client), place.answer(&mut client));
        assert_eq!(place.with(&third).await.status, place.good(), "counts may leave gaps");
        assert!(is_stale(&place.with(&second).await), "but never fall");

        let fresh = async || place.answer(&mut place.challenged(place.login, "secret").await);
        let changed = async |from: &str, to: &str| {
            let header = fresh().await;
            assert!(header.contains(from), "{from} in {header}");
            place.with(&header.replacen(from, to, 1)).await
        };
        // Not an answer to this request, or not as the RFC wants it.
        for (from, to) in [
            ("realm=\"ctigate\"", "realm=\"other\""),
            ("uri=\"/", "uri=\"/x"),
            ("qop=auth, ", ""),
            ("nc=00000001", "nc=1"),
            ("nc=00000001", "nc=00000000"),
            ("nonce=", "monce="),
            ("cnonce=", "dnonce="),
            ("response=", "respond="),
            ("username=", "user="),
            ("nc=00000001", "nc=00000001, nc=00000001"),
            ("qop=auth", "qop=auth, QOP=auth"),
            ("realm=", "realm=\"ctigate\", realm="),
            ("algorithm=SHA-256", "algorithm=SHA-256, algorithm=SHA-256"),
            ("username=", "username=\"x\", username="),
            ("Digest ", "Digest =, "),
        ] {
            let answer = changed(from, to).await;
            assert_eq!(answer.status, 400, "{from} -> {to}: {answer:?}");
        }
        // What is not offered is challenged anew.
        for (from, to) in [
            ("qop=auth", "qop=auth-int"),
            ("algorithm=SHA-256", "algorithm=SHA-512-256"),
            ("algorithm=SHA-256", "algorithm=SHA-256-sess"),
        ] {
            let answer = changed(from, to).await;
            assert_eq!((answer.status, is_stale(&answer)), (401, false), "{from} -> {to}: {answer:?}");
        }
        // One hash passed off as the other, another method: a wrong password.
        assert_eq!(changed("algorithm=SHA-256", "algorithm=MD5").await.status, 401);
        let mut client = place.challenged(place.login, "secret").await;
        let other = client.answer("PUT", place.target(), rand::random()).unwrap();
        assert_eq!(place.with(&other).await.status, 401);
        // A nonce nobody issued is stale for who knows the password.
        let mut client = digest::Client::new(place.login, "secret");
        client.challenged(["Digest realm=\"ctigate\", nonce=\"AAAA\", qop=\"auth\", algorithm=MD5"]).unwrap();
        assert!(is_stale(&place.with(&place.answer(&mut client)).await));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authorization_stands_there_once_and_can_be_read() {
    for auth in [Auth::Digest, Auth::Basic] {
        let folder = tempfile::tempdir().unwrap();
        let (_node, places) = places(folder.path(), auth).await;
        for place in places {
            let good = match auth {
                Auth::Basic => basic(place.login, "secret"),
                _ => place.answer(&mut place.challenged(place.login, "secret").await),
            };
            let twice = place.ask(&[("Authorization", &good), ("Authorization", &good)]).await;
            assert_eq!(twice.status, 400, "{twice:?}");
            let mixed = place.ask(&[("Authorization", "Bearer x"), ("Authorization", &good)]).await;
            assert_eq!(mixed.status, 400);
            let mut raw = place.request(place.target(), &[("Authorization", "Basic X")]).into_bytes();
            let at = raw.windows(7).position(|w| w == b"Basic X").unwrap() + 6;
            raw[at] = 0xff;
            assert_eq!(ask(place.at, raw).await.0.status, 400, "no UTF-8");
            for odd in
                ["", "Basic", "Digest", "Bearer", "Basic ====", "Basic Og", "Digest \"", "Hawk id=\"x\"", "=,=", ","]
            {
                let answer = place.with(odd).await;
                assert!(matches!(answer.status, 400 | 401), "{odd}: {answer:?}");
            }
            let long = format!("Digest {}", "a=b,".repeat(4000));
            assert!(matches!(place.with(&long).await.status, 400 | 401));
            assert_eq!(place.with(&good).await.status, place.good(), "and the right one passes still");
        }
    }
}

/// An answer without what differs by its nature: the nonce and the date.
fn shape(answer: &Answer) -> (u16, String, String) {
    let line = |line: &str| match (line.find("nonce=\""), line.starts_with("date:")) {
        (Some(at), _) => format!("{}{}", &line[..at], line[at + 7..].split_once('"').unwrap().1),
        (None, true) => String::new(),
        (None, false) => line.to_owned(),
    };
    let head: Vec<_> = answer.head.split("\r\n").map(line).collect();
    (answer.status, head.join("\n"), answer.body.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_logins_and_wrong_passwords_are_answered_alike() {
    for auth in [Auth::Digest, Auth::Basic] {
        let folder = tempfile::tempdir().unwrap();
        let (_node, places) = places(folder.path(), auth).await;
        for place in places {
            let known = place.with(&basic(place.login, "wrong")).await;
            let unknown = place.with(&basic("nobody", "secret")).await;
            assert_eq!(shape(&known), shape(&unknown));
            if auth == Auth::Digest {
                let known = place.answer(&mut place.challenged(place.login, "wrong").await);
                let unknown = place.answer(&mut place.challenged("nobody", "secret").await);
                assert_eq!(shape(&place.with(&known).await), shape(&place.with(&unknown).await));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_guessing_is_slowed_where_it_comes_from() {
    for kind in ["basic", "digest", "ticket"] {
        let folder = tempfile::tempdir().unwrap();
        let auth = if kind == "basic" { Auth::Basic } else { Auth::Digest };
        let (_node, places) = places(folder.path(), auth).await;
        for (at, place) in places.into_iter().enumerate() {
            let guess = async |password: &str| match kind {
                "basic" => basic(place.login, password),
                "digest" => place.answer(&mut place.challenged(place.login, password).await),
                _ if password == "secret" => format!("Bearer {}", [TICKET, "fedcba9876543210"][at]),
                _ => format!("Bearer {password}"),
            };
            for _ in 0..5 {
                assert_eq!(place.with(&guess("wrong").await).await.status, 401);
            }
            for password in ["wrong", "secret"] {
                let answer = place.with(&guess(password).await).await;
                assert_eq!(answer.status, 429, "{kind} {password}: {answer:?}");
                let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
                assert!((1..=60).contains(&after), "{after}");
            }
            let right = guess("secret").await;
            let elsewhere = place.from("127.0.0.9", &[("Authorization", &right)]).await;
            assert_eq!(elsewhere.status, place.good(), "{kind}: the right CRM elsewhere: {elsewhere:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_tries_many_logins_is_slowed_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let (_node, [_, place]) = places(folder.path(), Auth::Basic).await;
    for n in 0..20 {
        assert_eq!(place.with(&basic(&format!("login{n}"), "x")).await.status, 401, "{n}");
    }
    assert_eq!(place.with(&basic("shop", "secret")).await.status, 429);
    let right = basic("shop", "secret");
    assert_eq!(place.from("127.0.0.9", &[("Authorization", &right)]).await.status, 200);
}

/// A request that a trusted proxy brings for somebody far away.
async fn by_proxy(place: Place, proto: &str, authorization: Option<&str>) -> Answer {
    let mut headers = vec![("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", proto)];
    headers.extend(authorization.map(|value| ("Authorization", value)));
    place.ask(&headers).await
}

fn behind_a_proxy(config: &mut Config) {
    config.web.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn basic_is_not_taken_where_others_can_read_it() {
    for insecure in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut config = node::config(folder.path());
        behind_a_proxy(&mut config);
        let bind = Some("127.0.0.1:0".parse().unwrap());
        config.links.push(Link { bind, insecure_basic: insecure, ..guarded(Auth::Basic) });
        config.links.push(Link { insecure_basic: insecure, ticket: None, ..posting() });
        let node = node::start(&config).await;
        let door = Place { at: node.addresses.links[0].1, login: "crm", rpc: false };
        let rpc = Place { at: node.addresses.web.unwrap(), login: "shop", rpc: true };
        for place in [door, rpc] {
            let right = basic(place.login, "secret");
            assert_eq!(place.with(&right).await.status, place.good(), "from this machine");
            assert_eq!(by_proxy(place, "https", Some(&right)).await.status, place.good(), "over TLS");
            let exposed = by_proxy(place, "http", Some(&right)).await;
            if insecure {
                assert_eq!(exposed.status, place.good(), "{exposed:?}");
                continue;
            }
            assert!(matches!(exposed.status, 401 | 403), "{exposed:?}");
            assert!(exposed.body.contains("insecure_basic"), "says what to do: {exposed:?}");
            let challenge = by_proxy(place, "http", None).await;
            let offered = challenge.all("www-authenticate");
            assert!(!offered.iter().any(|c| c.starts_with("Basic")), "nobody is asked to: {offered:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rules_for_pages_hold_on_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let (_node, [door, rpc]) = places(folder.path(), Auth::Basic).await;
    for place in [door, rpc] {
        let right = basic(place.login, "secret");
        let foreign = place.ask(&[("Authorization", &right), ("Origin", "https://evil.example")]).await;
        assert_eq!(foreign.status, 403, "{foreign:?}");
    }
    // What a form of a foreign page can send without asking.
    let right = basic("shop", "secret");
    let plain =
        rpc.request("/rpc", &[("Authorization", &right)]).replace("application/x-www-form-urlencoded", "text/plain");
    assert_eq!(ask(rpc.at, plain).await.0.status, 415);
}

/// Of all the gateways of these stories the plain ones too know nothing of credentials that were not configured.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_rpc_credentials_nobody_posts() {
    let gateway: Gateway = Setup::new().start().await;
    let rpc = Place { at: gateway.web, login: "", rpc: true };
    assert_eq!(rpc.with(&basic("", "")).await.status, 404, "these stories have no such page");
    let folder = tempfile::tempdir().unwrap();
    let node = node::start(&node::config(folder.path())).await;
    let rpc = Place { at: node.addresses.web.unwrap(), login: "", rpc: true };
    for authorization in [basic("", ""), "Bearer ".to_owned(), "Bearer x".to_owned(), basic("ivanov", "Secret1")] {
        assert!(matches!(rpc.with(&authorization).await.status, 400 | 401), "{authorization}");
    }
    assert_eq!(ask(rpc.at, rpc.request("/rpc?ticket=", &[])).await.0.status, 401);
}
