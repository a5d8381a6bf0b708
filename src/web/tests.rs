use std::net::Ipv4Addr;

use axum::body::Body;
use ctigate_proto::auth::digest::Client;
use ctigate_proto::codec::post;
use ctigate_proto::hub::output::Answer;
use ctigate_proto::message::{Body as Parameters, Envelope, Format, Text};

use super::*;
use crate::admin::tests::{House, Seen, ask};
use crate::config::{LinkMode, Secret};

fn links() -> Vec<Link> {
    let link = |name: &str, login: &str, password: &str, ticket: Option<&str>, mode| Link {
        name: name.to_owned(),
        rpc_login: login.to_owned(),
        rpc_password: (!password.is_empty()).then(|| Secret::new(password)),
        ticket: ticket.map(Secret::from),
        mode,
        ..Link::default()
    };
    vec![
        link("shop", "shop", "s3cret", Some("ticket-of-the-shop"), LinkMode::PostHttp),
        link("desk", "desk", "other", None, LinkMode::PostHttp),
        link("crm", "", "", Some("ticket-of-the-crm"), LinkMode::AcceptWss),
    ]
}

fn settings(demo: bool) -> Settings {
    let person = Person {
        login: Text::from_static("ivanov"),
        name: Text::from_static("Ivan"),
        password: Text::from_static("demo"),
    };
    Settings {
        links: links(),
        max_message: 4096,
        nesting: 8,
        origins: Arc::new(|origin, host| origin == "https://crm.example" || origin.ends_with(&format!("//{host}"))),
        caller: |noted| {
            noted.get().copied().unwrap_or_else(|| Caller { address: Ipv4Addr::LOCALHOST.into(), tls: false })
        },
        files: None,
        insecure_basic: false,
        api: None,
        demo: demo.then(|| vec![person]),
        stop: CancellationToken::new(),
    }
}

fn web(house: &Arc<House>, demo: bool) -> Router {
    router(Arc::clone(house) as Arc<dyn Door>, settings(demo))
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let request = Request::builder().method(method).uri(path).header("host", "localhost:4055");
    headers.iter().fold(request, |r, (name, value)| r.header(*name, *value)).body(Body::from(body.to_owned())).unwrap()
}

async fn get(path: &str) -> Seen {
    ask(&web(&House::new(), true), request("GET", path, &[], "")).await
}

#[tokio::test]
async fn every_file_is_served_under_its_own_path_with_its_type() {
    let names = assets::names();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let seen = get(&format!("/{name}")).await;
        // Notes about the folder, and what only the admin port serves.
        if !name.contains('/') || ["api/", "console/", "vendor/"].iter().any(|only| name.starts_with(only)) {
            assert_eq!(seen.status, 404, "{name}");
            continue;
        }
        assert_eq!(seen.status, 200, "{name}");
        let kind = match name.rsplit('.').next().unwrap() {
            "html" => "text/html; charset=utf-8",
            "js" | "mjs" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "ts" => "text/plain; charset=utf-8",
            _ => seen.header("content-type"),
        };
        assert_eq!(seen.header("content-type"), kind, "{name}");
        assert_ne!(kind, "application/octet-stream", "{name}: a type has to be given in assets.rs");
        assert_eq!(seen.header("cache-control"), "no-cache", "{name}");
    }
}

#[tokio::test]
async fn pages_stand_at_their_addresses() {
    let agent = get("/").await;
    assert_eq!(agent.status, 200);
    assert!(agent.body.contains("/agent/agent.js"));
    assert!(get("/demo").await.body.contains("/demo/demo.js"));
    for (path, to) in [("/agent", "/"), ("/agent/", "/"), ("/demo/", "/demo")] {
        let seen = get(path).await;
        assert_eq!((seen.status, seen.header("location")), (308, to), "{path}");
    }
}

#[tokio::test]
async fn every_answer_is_strict_with_browsers() {
    for path in ["/", "/client/ctigate.js", "/nothing", "/rpc", "/demo/api/snapshot"] {
        let house = House::answering(Answer::Done);
        let seen = ask(&web(&house, true), request("GET", path, &[], "")).await;
        assert_eq!(seen.header("x-content-type-options"), "nosniff", "{path}");
        assert!(seen.header("content-security-policy").starts_with("default-src 'none'; script-src 'self';"), "{path}");
        assert!(seen.header("content-security-policy").ends_with("frame-ancestors 'none'"), "{path}");
        assert!(!seen.header("cache-control").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_file_the_browser_has_is_not_sent_again() {
    let tag = get("/client/ctigate.js").await.header("etag").to_owned();
    assert!(tag.len() == 34 && tag.starts_with('"'), "{tag}");
    let weak = format!("\"other\", W/{tag}");
    for (known, status) in [(&*tag, 304), (&weak, 304), ("*", 304), ("\"other\"", 200), ("", 200)] {
        let request = request("GET", "/client/ctigate.js", &[("if-none-match", known)], "");
        let seen = ask(&web(&House::new(), false), request).await;
        assert_eq!((seen.status, seen.body.is_empty()), (status, status == 304), "{known}");
        assert_eq!(seen.header("etag"), tag);
    }
    assert_ne!(get("/page/page.css").await.header("etag"), tag);
}

#[tokio::test]
async fn head_is_get_without_the_body_and_other_methods_are_told() {
    let house = House::new();
    let seen = ask(&web(&house, true), request("HEAD", "/", &[], "")).await;
    assert_eq!((seen.status, &*seen.body), (200, ""));
    assert_eq!(seen.header("content-type"), "text/html; charset=utf-8");
    for (method, path, allow) in [
        ("POST", "/", "GET,HEAD"),
        ("DELETE", "/client/ctigate.js", "GET,HEAD"),
        ("GET", "/rpc", "POST"),
        ("PUT", "/rpc", "POST"),
        ("POST", "/demo", "GET,HEAD"),
        ("GET", "/demo/api/sim", "POST"),
    ] {
        let seen = ask(&web(&house, true), request(method, path, &[], "")).await;
        assert_eq!((seen.status, seen.header("allow")), (405, allow), "{method} {path}");
    }
}

#[tokio::test]
async fn nothing_but_the_embedded_files_can_be_reached() {
    for path in [
        "/nothing",
        "/README.md",
        "/agent/nothing.js",
        "/agent/../client/ctigate.js",
        "/agent/%2e%2e/client/ctigate.js",
        "/agent/..%2f..%2fCargo.toml",
        "/client/../../Cargo.toml",
        "/client//ctigate.js",
        "/client/./ctigate.js",
        "/client/",
        "/client",
        "//agent/agent.js",
        "/agent/agent.js/",
        "/agent/agent.js%00",
        "/upload",
    ] {
        let seen = get(path).await;
        assert_eq!(seen.status, 404, "{path}");
        assert!(seen.body.contains("Nothing is here"), "{path}: {}", seen.body);
    }
    let seen = ask(&web(&House::new(), false), request("POST", "/nothing", &[], "")).await;
    assert_eq!((seen.status, &*seen.body), (404, "nothing is served under this address\n"));
}

#[tokio::test]
async fn allowed_origins_may_load_the_library_and_nothing_else() {
    let shared = |path: &'static str, origin: &'static str| async move {
        let seen = ask(&web(&House::new(), true), request("GET", path, &[("origin", origin)], "")).await;
        seen.header("access-control-allow-origin").to_owned()
    };
    assert_eq!(shared("/client/ctigate.js", "https://crm.example").await, "https://crm.example");
    assert_eq!(shared("/client/ctigate.js", "https://evil.example").await, "");
    assert_eq!(shared("/agent/agent.js", "https://crm.example").await, "");
    assert_eq!(shared("/", "https://crm.example").await, "");
    assert_eq!(get("/client/ctigate.js").await.header("vary"), "Origin");
}

#[tokio::test]
async fn without_a_demonstration_there_is_none() {
    let house = House::new();
    for path in ["/demo", "/demo/", "/demo/demo.js", "/demo/api/snapshot", "/demo/api/sim", "/demo/api/tail"] {
        for method in ["GET", "POST", "HEAD"] {
            let seen = ask(&web(&house, false), request(method, path, &[], "")).await;
            assert_eq!(seen.status, 404, "{method} {path}");
        }
    }
    assert!(house.asked().is_empty());
}

#[tokio::test]
async fn the_demonstration_tells_and_obeys_this_machine_only() {
    let house = House::answering(Answer::Snapshot(Box::default()));
    let seen = ask(&web(&house, true), request("GET", "/demo/api/snapshot", &[], "")).await;
    assert_eq!(
        seen.body,
        r#"{"links":[],"users":[],"forms":[],"executions":[],"calls":[],"services":[],"people":[{"login":"ivanov","name":"Ivan","password":"demo"}]}"#
    );
    let json = ("content-type", "application/json");
    let order = r#"{"op":"incoming","caller":"79001112233","called":"500"}"#;
    let seen = ask(&web(&house, true), request("POST", "/demo/api/sim", &[json], order)).await;
    assert_eq!(seen.status, 200);
    let plain = ("content-type", "text/plain");
    assert_eq!(ask(&web(&house, true), request("POST", "/demo/api/sim", &[plain], order)).await.status, 415);
    house.asked();
    for (name, value) in [("host", "evil.example"), ("origin", "https://evil.example")] {
        for (method, path) in
            [("GET", "/demo/api/snapshot"), ("POST", "/demo/api/sim"), ("GET", "/demo/api/tail"), ("GET", "/demo")]
        {
            let mut request = request(method, path, &[json], order);
            request.headers_mut().insert(name, value.parse().unwrap());
            assert_eq!(ask(&web(&house, true), request).await.status, 403, "{path} {name}");
        }
    }
    assert!(house.asked().is_empty());
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
/// shop:s3cret
const BASIC: (&str, &str) = ("authorization", "Basic c2hvcDpzM2NyZXQ=");

fn ping() -> String {
    post::form(Format::Json, r#"["ping",{"qid":"1"}]"#)
}

fn pong(house: &House) {
    *house.replies.lock().unwrap() = vec![Envelope::new("pong", Parameters::new().with("qid", "1"))];
}

async fn posted(house: &Arc<House>, headers: &[(&str, &str)], body: &str) -> Seen {
    ask(&web(house, false), request("POST", "/rpc", headers, body)).await
}

#[tokio::test]
async fn a_crm_posts_messages_and_gets_its_replies() {
    let house = House::new();
    pong(&house);
    let seen = posted(&house, &[FORM, BASIC], &ping()).await;
    assert_eq!((seen.status, &*seen.body), (200, r#"["pong",{"qid":"1"}]"#));
    assert_eq!(seen.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(house.asked(), ["rpc shop json ping"]);

    let two = post::form(Format::Xml, r#"<messages><message name="ping"/><message name="whoareyou"/></messages>"#);
    let pair = || Envelope::new("pong", Parameters::new());
    *house.replies.lock().unwrap() = vec![pair(), pair()];
    let seen = posted(&house, &[FORM, BASIC], &two).await;
    assert_eq!(seen.body, r#"<messages><message name="pong"/><message name="pong"/></messages>"#);
    assert_eq!(seen.header("content-type"), "text/xml; charset=utf-8");
    assert_eq!(house.asked(), ["rpc shop xml ping,whoareyou"]);

    assert_eq!(posted(&house, &[FORM, BASIC], &ping()).await.status, 204, "nothing to say");
    house.asked();
    assert_eq!(posted(&house, &[FORM, BASIC], "format=json&data=").await.status, 204, "nothing said");
    assert!(house.asked().is_empty());
}

#[tokio::test]
async fn a_crm_is_known_by_basic_digest_or_ticket() {
    let house = House::new();
    let status = |headers: Vec<(&'static str, &'static str)>, path: &'static str| {
        let web = web(&house, false);
        async move {
            let headers: Vec<_> = headers.into_iter().chain([FORM]).collect();
            ask(&web, request("POST", path, &headers, &ping())).await.status
        }
    };
    assert_eq!(status(vec![BASIC], "/rpc").await, 204);
    // desk:other
    assert_eq!(status(vec![("authorization", "Basic ZGVzazpvdGhlcg==")], "/rpc").await, 204);
    assert_eq!(status(vec![("authorization", "Bearer ticket-of-the-shop")], "/rpc").await, 204);
    assert_eq!(status(vec![], "/rpc?ticket=ticket-of-the-shop").await, 204);
    let links: Vec<String> = house.asked();
    assert_eq!(links, ["rpc shop json ping", "rpc desk json ping", "rpc shop json ping", "rpc shop json ping"]);

    // shop:other, :, desk:, the ticket of a link that does not post, nothing
    for wrong in
        ["Basic c2hvcDpvdGhlcg==", "Basic Og==", "Basic ZGVzazo=", "Bearer ticket-of-the-crm", "Bearer ", "Hawk x"]
    {
        assert_eq!(status(vec![("authorization", wrong)], "/rpc").await, 401, "{wrong}");
    }
    assert_eq!(status(vec![], "/rpc").await, 401);
    assert_eq!(status(vec![], "/rpc?ticket=").await, 401);
    assert_eq!(status(vec![("authorization", "Basic ???")], "/rpc").await, 400);
    assert_eq!(status(vec![BASIC, BASIC], "/rpc").await, 400);
    assert!(house.asked().is_empty());
}

#[tokio::test]
async fn basic_is_not_taken_where_others_can_read_it() {
    for (address, tls, status) in
        [([10, 0, 0, 5], false, 401), ([10, 0, 0, 5], true, 204), ([127, 0, 0, 1], false, 204)]
    {
        let mut request = request("POST", "/rpc", &[FORM, BASIC], &ping());
        request.extensions_mut().insert(Caller { address: address.into(), tls });
        let seen = ask(&web(&House::new(), false), request).await;
        assert_eq!(seen.status, status, "{address:?} {tls}");
        assert!(!seen.all("www-authenticate").iter().any(|challenge| challenge.starts_with("Basic")));
    }
    let mut allowed = settings(false);
    allowed.links[0].insecure_basic = true;
    let web = router(House::new(), allowed);
    // shop:s3cret, desk:other
    for (basic, status) in [("Basic c2hvcDpzM2NyZXQ=", 204), ("Basic ZGVzazpvdGhlcg==", 401)] {
        let mut request = request("POST", "/rpc", &[FORM, ("authorization", basic)], &ping());
        request.extensions_mut().insert(Caller { address: [10, 0, 0, 5].into(), tls: false });
        assert_eq!(ask(&web, request).await.status, status);
    }
}

#[tokio::test]
async fn digest_is_challenged_answered_once_and_not_again() {
    let house = House::new();
    let web = web(&house, false);
    let challenged = ask(&web, request("POST", "/rpc", &[FORM], &ping())).await;
    assert_eq!(challenged.status, 401);
    let challenges = challenged.all("www-authenticate");
    assert_eq!(challenges.len(), 3);
    assert!(challenges[0].contains("SHA-256") && challenges[2].starts_with("Basic"), "{challenges:?}");

    let mut client = Client::new("shop", "s3cret");
    client.challenged(challenges.iter().copied()).unwrap();
    let answer = client.answer("POST", "/rpc", [7; 16]).unwrap();
    let answered = |answer: &str| request("POST", "/rpc", &[FORM, ("authorization", answer)], &ping());
    assert_eq!(ask(&web, answered(&answer)).await.status, 204);
    assert_eq!(house.asked(), ["rpc shop json ping"]);
    let replayed = ask(&web, answered(&answer)).await;
    assert_eq!(replayed.status, 401);
    assert!(replayed.all("www-authenticate")[0].contains("stale=true"));
    let again = client.answer("POST", "/rpc", [8; 16]).unwrap();
    assert_eq!(ask(&web, answered(&again)).await.status, 204);

    let mut liar = Client::new("shop", "wrong");
    liar.challenged(challenges.iter().copied()).unwrap();
    let wrong = ask(&web, answered(&liar.answer("POST", "/rpc", [9; 16]).unwrap())).await;
    assert_eq!(wrong.status, 401);
    assert!(!wrong.all("www-authenticate")[0].contains("stale"));
    let elsewhere = client.answer("POST", "/other", [9; 16]).unwrap();
    assert_eq!(ask(&web, answered(&elsewhere)).await.status, 400);
}

#[tokio::test]
async fn guessing_is_slowed() {
    let house = House::new();
    let wrong = [FORM, ("authorization", "Basic c2hvcDpvdGhlcg==")];
    for _ in 0..5 {
        assert_eq!(posted(&house, &wrong, &ping()).await.status, 401);
    }
    let seen = posted(&house, &wrong, &ping()).await;
    assert_eq!(seen.status, 429);
    assert!(seen.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(posted(&house, &[FORM, BASIC], &ping()).await.status, 429, "the right password too, from there");
    assert_eq!(posted(&house, &[FORM, ("authorization", "Basic ZGVzazpvdGhlcg==")], &ping()).await.status, 204);
}

#[tokio::test]
async fn posts_that_are_wrong_are_told_what_is_wrong() {
    let house = House::new();
    let large = post::form(Format::Json, &format!(r#"["x",{{"a":"{}"}}]"#, "x".repeat(5000)));
    let huge = "x".repeat(20_000);
    let deep = post::form(Format::Json, &format!(r#"["x",{{"a":{}{}}}]"#, "[".repeat(9), "]".repeat(9)));
    let broken = post::form(Format::Json, r#"["ping""#);
    let broken_xml = post::form(Format::Xml, "<message/>");
    for (kind, body, status, told) in [
        ("text/plain", &*ping(), 415, "application/x-www-form-urlencoded"),
        ("application/json", "[]", 415, "application/x-www-form-urlencoded"),
        ("application/x-www-form-urlencoded", "", 400, "the form: no field `format`"),
        ("application/x-www-form-urlencoded", "format=json&data=!", 400, "the form: "),
        ("application/x-www-form-urlencoded", &large, 413, "larger than 4096 bytes"),
        ("application/x-www-form-urlencoded", &huge, 413, "larger than 4096 bytes"),
        ("application/x-www-form-urlencoded", &deep, 400, "[\"error\",{\"error\":59002,\"errormsg\":\"Bad request: "),
        ("application/x-www-form-urlencoded", &broken, 400, "[\"error\",{\"error\":59002,\"errormsg\":\"Bad request: "),
        ("application/x-www-form-urlencoded", &broken_xml, 400, "<message name=\"error\">"),
    ] {
        let seen = posted(&house, &[("content-type", kind), BASIC], body).await;
        assert_eq!(seen.status, status, "{body}: {}", seen.body);
        assert!(seen.body.contains(told), "{body}: {}", seen.body);
    }
    let charset = ("content-type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8");
    assert_eq!(posted(&house, &[charset, BASIC], &ping()).await.status, 204);
    assert_eq!(house.asked().len(), 1);
}

#[tokio::test]
async fn a_foreign_page_cannot_post() {
    let house = House::new();
    let foreign = [FORM, BASIC, ("origin", "https://evil.example")];
    assert_eq!(posted(&house, &foreign, &ping()).await.status, 403);
    let allowed = [FORM, BASIC, ("origin", "https://crm.example")];
    assert_eq!(posted(&house, &allowed, &ping()).await.status, 204);
    assert_eq!(house.asked().len(), 1);
}
