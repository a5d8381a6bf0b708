//! Which right each address asks for: the one table that the check, the documentation and its tests read. What does not stand here is
//! for administrators alone.

use axum::http::Method;
use ctigate_proto::auth::grant::Scope;
use ctigate_proto::hub::Rights;
use ctigate_proto::method::Right;

use super::access::By;

/// What an address asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing.
    Nothing,
    /// Somebody, whoever it is.
    Somebody,
    /// A person who has signed in.
    Person,
    /// This right. A key must be that of a service for all numbers, because the answer tells of everybody.
    Right(Right),
    /// The same; the handler looks whom it is about, so keys for some numbers or one person may ask too.
    About(Right),
    /// Administration: the admin token, or somebody with the right `admin`. Never a key.
    Admin,
}

impl Need {
    /// Whether whoever asks may.
    pub(super) fn admits(self, by: &By) -> bool {
        match (self, by) {
            (Self::Nothing | Self::Somebody, _) => true,
            (Self::Person, By::Session { .. }) => true,
            (Self::Person, By::Token | By::Key(_)) => false,
            (_, By::Token) => true,
            (Self::Admin, By::Session { person, .. }) => person.rights.has(Right::Admin),
            (Self::Right(right) | Self::About(right), By::Session { person, .. }) => {
                person.rights.has(Right::Admin) && person.rights.has(right)
            }
            (Self::Admin, By::Key(_)) => false,
            (Self::Right(right), By::Key(grant)) => {
                let whole = matches!(&grant.scope, Scope::Service(numbers) if numbers.is_all());
                whole && holds(grant, right)
            }
            (Self::About(right), By::Key(grant)) => holds(grant, right),
        }
    }

    /// In words, for a refusal.
    pub(super) fn words(self) -> String {
        match self {
            Self::Nothing | Self::Somebody => "nothing".to_owned(),
            Self::Person => "a person who has signed in".to_owned(),
            Self::Right(right) => format!("the right {}, and of a key that it is for all numbers", right.word()),
            Self::About(right) => format!("the right {}", right.word()),
            Self::Admin => "the right admin".to_owned(),
        }
    }
}

fn holds(grant: &ctigate_proto::auth::grant::Grant, right: Right) -> bool {
    Rights::of_words(grant.rights.iter().map(|word| &**word)).has(right)
}

/// The addresses. A method is that of HTTP; a part in braces is any.
pub(super) const ROUTES: &[(&str, &str, Need)] = &[
    ("POST", "/api/v1/signin", Need::Nothing),
    ("POST", "/api/v1/signout", Need::Person),
    ("GET", "/api/v1/me", Need::Somebody),
    ("POST", "/api/v1/me/password", Need::Person),
    ("POST", "/api/v1/me/second_factor", Need::Person),
    ("POST", "/api/v1/me/second_factor/confirm", Need::Person),
    ("DELETE", "/api/v1/me/second_factor", Need::Person),
    ("GET", "/api/v1/setup", Need::Nothing),
    ("POST", "/api/v1/setup", Need::Nothing),
    ("POST", "/api/v1/setup/test", Need::Nothing),
    ("GET", "/api/v1/snapshot", Need::Right(Right::Users)),
    ("GET", "/api/v1/sessions", Need::Right(Right::Users)),
    ("GET", "/api/v1/departments", Need::Right(Right::Users)),
    ("GET", "/api/v1/calls", Need::Right(Right::Call)),
    ("POST", "/api/v1/calls", Need::Right(Right::Call)),
    ("DELETE", "/api/v1/calls/{chain}", Need::Right(Right::Call)),
    ("GET", "/api/v1/forms", Need::Right(Right::Forms)),
    ("POST", "/api/v1/forms", Need::About(Right::Forms)),
    ("DELETE", "/api/v1/forms/{id}", Need::Right(Right::Forms)),
    ("GET", "/api/v1/methods", Need::Right(Right::Dynamic)),
    ("POST", "/api/v1/methods/{name}", Need::About(Right::Dynamic)),
    ("GET", "/api/v1/journal", Need::Right(Right::Journal)),
    ("GET", "/api/v1/journal/{chain}", Need::Right(Right::Journal)),
    ("GET", "/api/v1/journal.csv", Need::Right(Right::Journal)),
    ("GET", "/api/v1/events", Need::Right(Right::Users)),
    ("GET", "/api/v1/tail", Need::Admin),
    ("POST", "/api/v1/sim", Need::Admin),
    ("GET", "/api/v1/overview", Need::Admin),
    ("GET", "/api/v1/links", Need::Admin),
    ("POST", "/api/v1/links", Need::Admin),
    ("GET", "/api/v1/links/schema", Need::Admin),
    ("POST", "/api/v1/links/test", Need::Admin),
    ("GET", "/api/v1/links/{name}", Need::Admin),
    ("PUT", "/api/v1/links/{name}", Need::Admin),
    ("DELETE", "/api/v1/links/{name}", Need::Admin),
    ("POST", "/api/v1/links/{name}/reconnect", Need::Admin),
    ("GET", "/api/v1/ports/check", Need::Admin),
    ("GET", "/api/v1/users", Need::Admin),
    ("POST", "/api/v1/users", Need::Admin),
    ("POST", "/api/v1/users/import", Need::Admin),
    ("PUT", "/api/v1/users/{login}", Need::Admin),
    ("PATCH", "/api/v1/users/{login}", Need::Admin),
    ("DELETE", "/api/v1/users/{login}", Need::Admin),
    ("DELETE", "/api/v1/users/{login}/second_factor", Need::Admin),
    ("GET", "/api/v1/users/{login}/sessions", Need::Admin),
    ("DELETE", "/api/v1/users/{login}/sessions", Need::Admin),
    ("GET", "/api/v1/roles", Need::Admin),
    ("GET", "/api/v1/keys", Need::Admin),
    ("POST", "/api/v1/keys", Need::Admin),
    ("POST", "/api/v1/keys/{client_id}/replace", Need::Admin),
    ("DELETE", "/api/v1/keys/{client_id}", Need::Admin),
    ("GET", "/api/v1/audit", Need::Admin),
    ("POST", "/api/v1/captures", Need::Admin),
    ("GET", "/api/v1/captures", Need::Admin),
    ("GET", "/api/v1/captures/{id}", Need::Admin),
    ("DELETE", "/api/v1/captures/{id}", Need::Admin),
    ("GET", "/api/v1/explain/{kind}/{id}", Need::Admin),
    ("GET", "/api/v1/doctor", Need::Admin),
    ("GET", "/api/v1/settings", Need::Admin),
    ("PUT", "/api/v1/settings", Need::Admin),
    ("POST", "/api/v1/reload", Need::Admin),
    ("GET", "/api/v1/drain", Need::Admin),
    ("POST", "/api/v1/drain", Need::Admin),
    ("DELETE", "/api/v1/drain", Need::Admin),
    ("GET", "/api/v1/logs", Need::Admin),
    ("GET", "/api/v1/logs/follow", Need::Admin),
    ("GET", "/metrics", Need::Admin),
];

/// What an address asks for; `path` as the router matched it, `None` when there is nothing under it.
pub(super) fn need(method: &Method, path: Option<&str>) -> Need {
    let Some(path) = path else { return Need::Somebody };
    // Whoever may read may ask for the head alone.
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let mut rows = ROUTES.iter().filter(|(_, known, _)| *known == path);
    match rows.clone().find(|(known, ..)| *known == method) {
        Some((.., need)) => *need,
        // Another method is refused by the router, which names the right ones.
        None if rows.next().is_some() => Need::Somebody,
        None => Need::Admin,
    }
}

/// The table for `docs/rights.md`.
#[cfg(test)]
pub(crate) fn page() -> String {
    use crate::config::Role;

    let mut page = String::from("## Addresses of the HTTP interface\n\n");
    page.push_str("The columns of roles are for people who have signed in to the console, for which they need the right `admin`. The last \
                   column is for integration keys: the right that the key must hold.\n\n");
    let roles: Vec<String> = Role::ALL.iter().map(|role| format!("`{role}`")).collect();
    page.push_str(&format!("| address | method | admin token | {} | key |\n", roles.join(" | ")));
    page.push_str(&format!("|---|---|---|{}---|\n", "---|".repeat(roles.len())));
    for (method, path, need) in ROUTES {
        let yes = |may: bool| if may { "yes" } else { "" };
        let of_role = |role: &Role| {
            let rights = role.rights();
            yes(match need {
                Need::Nothing | Need::Somebody | Need::Person => true,
                Need::Admin => rights.has(Right::Admin),
                Need::Right(right) | Need::About(right) => rights.has(Right::Admin) && rights.has(*right),
            })
        };
        let key = match need {
            Need::Nothing | Need::Somebody => "yes".to_owned(),
            Need::Person | Need::Admin => String::new(),
            Need::Right(right) => format!("`{}`, for all numbers", right.word()),
            Need::About(right) => format!("`{}`", right.word()),
        };
        let cells: Vec<&str> = Role::ALL.iter().map(of_role).collect();
        let token = yes(*need != Need::Person);
        page.push_str(&format!("| `{path}` | {method} | {token} | {} | {key} |\n", cells.join(" | ")));
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use ctigate_proto::auth::grant::Grant;
    use ctigate_proto::hub::output::Answer;
    use ctigate_proto::message::{CallError, Code};
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;
    use tokio_util::sync::CancellationToken;

    use super::super::tests::{House, Seen, ask, source};
    use super::super::{Door, Settings, for_programs, router};
    use super::*;
    use crate::config::{Config, DatabaseUrl, Role, Secret, User};
    use crate::people::Desk;
    use crate::store::{Accounts, Store, totp};
    use crate::telemetry::Telemetry;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    const HOST: &str = "127.0.0.1:4058";

    /// A desk with somebody of each role, named for it.
    async fn desk() -> Arc<Desk> {
        let mut config = Config {
            store: crate::config::Store { url: DatabaseUrl::Memory, ..crate::config::Store::default() },
            ..Config::default()
        };
        let user = |(at, role): (usize, &Role)| User {
            login: role.as_str().into(),
            number: format!("10{at}"),
            role: *role,
            password: Some(Secret::new("secret")),
            ..User::default()
        };
        config.users = Role::ALL.iter().enumerate().map(user).collect();
        let store = Arc::new(Store::open(&config.store, Telemetry::default()).await.unwrap());
        let desk = Arc::new(Desk::new(store, Accounts::new(&config), config));
        desk.refresh().await.unwrap();
        desk
    }

    fn admin(house: &Arc<House>, desk: &Arc<Desk>) -> Router {
        let settings = Settings {
            token: Secret::new(TOKEN),
            hosts: Vec::new(),
            desk: Some(Arc::clone(desk)),
            source,
            stop: CancellationToken::new(),
        };
        router(Arc::clone(house) as Arc<dyn Door>, settings)
    }

    /// Who asks, in a request.
    #[derive(Clone, Debug)]
    enum As {
        Token,
        Role(Role),
        Key(&'static str),
        Nobody,
    }

    async fn request(desk: &Desk, by: &As, method: &str, path: &str, body: &str) -> Request<Body> {
        let request = Request::builder().method(method).uri(path).header("host", HOST);
        let request = match by {
            As::Token => request.header("authorization", format!("Bearer {TOKEN}")),
            As::Key(key) => request.header("authorization", format!("Bearer {key}")),
            As::Role(role) => {
                let id = desk.store().begin_console_session(role.as_str(), crate::people::unix_ms()).await.unwrap();
                let cookie = format!("other=1; ctigate_console={}", id.expose());
                request.header("cookie", cookie).header("origin", format!("http://{HOST}"))
            }
            As::Nobody => request,
        };
        match body {
            "" => request.body(Body::empty()).unwrap(),
            body => request.header("content-type", "application/json").body(Body::from(body.to_owned())).unwrap(),
        }
    }

    /// Whether whoever asks is let in, whatever then comes of it.
    async fn is_admitted(house: &Arc<House>, routes: &Router, request: Request<Body>) -> bool {
        for _ in 0..3 {
            house.answers.lock().unwrap().push_back(Answer::Refused(CallError::bare("nothing")));
        }
        let response = TowerToHyperService::new(routes.clone()).call(request).await.unwrap();
        let (head, body) = response.into_parts();
        match head.status.as_u16() {
            401 => false,
            403 => {
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                let text = String::from_utf8_lossy(&body).into_owned();
                !text.contains("this needs") && !text.contains("is not for")
            }
            _ => true,
        }
    }

    fn grants(house: &House) {
        let all: Vec<_> = Right::ALL.iter().filter(|r| **r != Right::Admin).map(|r| r.word().into()).collect();
        let mut grants = house.grants.lock().unwrap();
        let mut put = |name: &'static str, scope: Scope, rights: Vec<ctigate_proto::message::Text>| {
            grants.insert(name.to_owned(), Grant { client: name.into(), scope, rights });
        };
        put("all", Scope::Service("".parse().unwrap()), all.clone());
        put("some", Scope::Service("100-199".parse().unwrap()), all.clone());
        put("widget", Scope::Widget("agent".into()), all);
        put("bare", Scope::Service("".parse().unwrap()), Vec::new());
        for right in Right::ALL {
            put(right.word(), Scope::Service("".parse().unwrap()), vec![right.word().into()]);
        }
    }

    /// The addresses that a router serves, with their methods.
    async fn served(routes: &Router) -> BTreeSet<(String, String)> {
        let debug = format!("{routes:?}");
        let paths: BTreeSet<&str> = debug.split('"').filter(|part| part.starts_with("/api/v1/")).collect();
        let mut all = BTreeSet::new();
        for path in paths.into_iter().filter(|path| *path != "/api/v1/openapi.json") {
            let bare = Request::builder().method("OPTIONS").uri(filled(path)).header("host", HOST);
            let bare = bare.header("authorization", format!("Bearer {TOKEN}")).body(Body::empty()).unwrap();
            let seen = ask(routes, bare).await;
            let methods = seen.header("allow").split(',').filter(|m| *m != "HEAD" && !m.is_empty()).map(str::to_owned);
            all.extend(methods.map(|method| (method, path.to_owned())));
        }
        all
    }

    fn filled(path: &str) -> String {
        let parts: Vec<&str> = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect();
        parts.join("/")
    }

    /// What is asked without a token: it asks for a password or the one-time code itself.
    const OPEN: [&str; 3] = ["/api/v1/signin", "/api/v1/setup", "/api/v1/setup/test"];

    /// The cells are read from the page that people read, not from the code that decides.
    #[tokio::test]
    async fn each_cell_of_the_page_is_what_the_router_does() {
        let (house, desk) = (House::new(), desk().await);
        grants(&house);
        let routes = admin(&house, &desk);
        let served = served(&routes).await;
        assert!(served.len() > 25, "{served:?}");
        for (method, path) in &served {
            let known = ROUTES.iter().any(|(m, p, _)| m == method && p == path);
            assert!(known, "{method} {path} has no row in the table");
        }
        let page = page();
        let mut cells = 0;
        for line in page.lines().filter(|line| line.starts_with("| `/")) {
            let row: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let (path, method) = (row[0].trim_matches('`'), row[1]);
            if !served.contains(&(method.to_owned(), path.to_owned())) {
                continue;
            }
            let open = OPEN.contains(&path);
            let mut who = vec![(As::Token, row[2] == "yes"), (As::Nobody, open)];
            who.extend(Role::ALL.iter().zip(&row[3..7]).map(|(role, cell)| (As::Role(*role), *cell == "yes")));
            let key = row[7];
            let right = key.split('`').nth(1);
            let anybody = key == "yes";
            who.push((As::Key("all"), anybody || right.is_some()));
            who.push((As::Key("bare"), anybody));
            // Whom a handler looks at itself is asked of it below.
            if right.is_none() || key.contains("all numbers") {
                who.push((As::Key("some"), anybody));
                who.push((As::Key("widget"), anybody));
            }
            who.extend(Right::ALL.map(|r| (As::Key(r.word()), anybody || right == Some(r.word()))));
            for (by, expected) in who {
                let expected = expected || path == "/api/v1/signin";
                // Wrong credentials are no lack of a right, nor is a wrong code of the first run.
                if path == "/api/v1/signin" || path.starts_with("/api/v1/setup") {
                    continue;
                }
                let request = request(&desk, &by, method, &filled(path), "").await;
                assert_eq!(is_admitted(&house, &routes, request).await, expected, "{by:?} {method} {path}");
                cells += 1;
            }
        }
        assert!(cells > 500, "{cells} cells only");
    }

    #[tokio::test]
    async fn on_the_web_port_only_keys_count() {
        let (house, desk) = (House::new(), desk().await);
        grants(&house);
        let door = Arc::clone(&house) as Arc<dyn Door>;
        let routes = for_programs(door, Arc::clone(&desk), source, CancellationToken::new());
        for (by, path, expected) in [
            (As::Token, "/api/v1/me", false),
            (As::Nobody, "/api/v1/me", false),
            (As::Role(Role::Admin), "/api/v1/me", false),
            (As::Key("wrong"), "/api/v1/me", false),
            (As::Key("widget"), "/api/v1/me", true),
            (As::Key("all"), "/api/v1/snapshot", true),
            (As::Key("some"), "/api/v1/snapshot", false),
            (As::Key("all"), "/api/v1/users", false),
            (As::Key("all"), "/api/v1/audit", false),
        ] {
            let request = request(&desk, &by, "GET", path, "").await;
            assert_eq!(is_admitted(&house, &routes, request).await, expected, "{by:?} {path}");
        }
        let sign_in = request(&desk, &As::Nobody, "POST", "/api/v1/signin", r#"{"login":"admin","password":"secret"}"#);
        assert_eq!(ask(&routes, sign_in.await).await.status, 401, "nobody signs in there");
        let ticket = Request::builder().uri("/api/v1/me?ticket=all").body(Body::empty()).unwrap();
        let seen = ask(&routes, ticket).await;
        assert!(seen.status == 200 && seen.body.contains(r#""by":"key""#), "{}", seen.body);
    }

    #[tokio::test]
    async fn a_key_for_some_people_asks_about_those_only() {
        let (house, desk) = (House::new(), desk().await);
        grants(&house);
        let routes = admin(&house, &desk);
        for (key, login, expected) in [
            ("some", "agent", true),
            ("some", "", true),
            ("some", "nobody", false),
            ("widget", "AGENT", true),
            ("widget", "supervisor", false),
            ("widget", "", false),
            ("all", "nobody", true),
        ] {
            let body = format!(r#"{{"userlogin":"{login}"}}"#);
            let request = request(&desk, &As::Key(key), "POST", "/api/v1/methods/Find", &body).await;
            assert_eq!(is_admitted(&house, &routes, request).await, expected, "{key} about {login:?}");
        }
        let form = request(&desk, &As::Key("widget"), "POST", "/api/v1/forms", r#"{"name":"c","userlogin":"admin"}"#);
        assert!(!is_admitted(&house, &routes, form.await).await);
    }

    async fn sign_in(house: &Arc<House>, desk: &Arc<Desk>, body: &str) -> Seen {
        ask(&admin(house, desk), request(desk, &As::Nobody, "POST", "/api/v1/signin", body).await).await
    }

    fn with_cookie(cookie: &str, method: &str, path: &str, origin: &str) -> Request<Body> {
        let request = Request::builder().method(method).uri(path).header("host", HOST).header("cookie", cookie);
        let request = if origin.is_empty() { request } else { request.header("origin", origin) };
        request.body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn an_administrator_signs_in_and_a_session_changes_things_from_its_own_page_only() {
        let (house, desk) = (House::new(), desk().await);
        let seen = sign_in(&house, &desk, r#"{"login":"admin","password":"wrong"}"#).await;
        assert_eq!((seen.status, seen.header("set-cookie")), (401, ""));
        let seen = sign_in(&house, &desk, r#"{"login":"agent","password":"secret"}"#).await;
        assert!(seen.status == 403 && seen.body.contains("the right admin is missing"), "{}", seen.body);
        let seen = sign_in(&house, &desk, r#"{"login":"admin","password":"secret"}"#).await;
        assert_eq!(seen.status, 200, "{}", seen.body);
        let cookie = seen.header("set-cookie").to_owned();
        assert!(cookie.starts_with("ctigate_console=") && !cookie.contains("Secure"), "{cookie}");
        for attribute in ["; Path=/;", "; HttpOnly;", "; SameSite=Strict"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let routes = admin(&house, &desk);
        let me = ask(&routes, with_cookie(&cookie, "GET", "/api/v1/me", "")).await;
        assert!(
            me.status == 200 && me.body.contains(r#""login":"admin""#) && me.body.contains(r#""by":"session""#),
            "{}",
            me.body
        );
        for origin in ["", "null", "http://127.0.0.1:4055", "https://127.0.0.1", "http://evil.example"] {
            let seen = ask(&routes, with_cookie(&cookie, "POST", "/api/v1/signout", origin)).await;
            assert_eq!(seen.status, 403, "{origin:?}: {}", seen.body);
        }
        let seen = ask(&routes, with_cookie(&cookie, "POST", "/api/v1/signout", "http://127.0.0.1:4058")).await;
        assert!(seen.status == 200 && seen.header("set-cookie").contains("Max-Age=0"), "{}", seen.body);
        assert_eq!(ask(&routes, with_cookie(&cookie, "GET", "/api/v1/me", "")).await.status, 401);
        let trail = desk.audit(0, 0, 10).await.unwrap();
        let told: Vec<&str> = trail.iter().rev().map(|noted| noted.change.what.as_str()).collect();
        assert_eq!(told, ["signin.refused", "signin", "signout"]);
    }

    #[tokio::test]
    async fn a_second_factor_is_asked_for_once_it_was_confirmed_and_its_guesses_are_counted() {
        let (house, desk) = (House::new(), desk().await);
        let routes = admin(&house, &desk);
        let admin_role = As::Role(Role::Admin);
        let begun = ask(&routes, request(&desk, &admin_role, "POST", "/api/v1/me/second_factor", "").await).await;
        let begun: serde_json::Value = serde_json::from_str(&begun.body).unwrap();
        let secret = begun["secret"].as_str().unwrap();
        assert!(begun["uri"].as_str().unwrap().starts_with("otpauth://totp/ctigate:admin?secret="));
        let code = |steps: i64| totp(secret, crate::people::unix_ms() + steps * 30_000);
        let body = |code: &str| format!(r#"{{"code":"{code}"}}"#);
        let confirm = async |code: &str| {
            let path = "/api/v1/me/second_factor/confirm";
            ask(&routes, request(&desk, &admin_role, "POST", path, &body(code)).await).await.status
        };
        assert_eq!(confirm("12345").await, 403);
        assert_eq!(confirm(&code(0)).await, 200);
        let credentials = |code: &str| format!(r#"{{"login":"admin","password":"secret","code":"{code}"}}"#);
        let seen = sign_in(&house, &desk, r#"{"login":"admin","password":"secret"}"#).await;
        assert!(seen.status == 403 && seen.body.contains(r#""need":"code""#), "{}", seen.body);
        let next = code(1);
        assert_eq!(sign_in(&house, &desk, &credentials(&next)).await.status, 200);
        assert_eq!(sign_in(&house, &desk, &credentials(&next)).await.status, 401, "a code counts once");
        for _ in 0..4 {
            assert_eq!(sign_in(&house, &desk, &credentials("12345")).await.status, 401);
        }
        assert_eq!(
            sign_in(&house, &desk, &credentials("12345")).await.status,
            429,
            "a right password hides no guesses"
        );
        desk.remove_second_factor("admin", &crate::people::Doer { who: "x".into(), from: "y".into() }).await.unwrap();
    }

    #[tokio::test]
    async fn whoever_must_change_the_password_can_do_only_that() {
        let (house, desk) = (House::new(), desk().await);
        let mut config = Config::clone(&desk.effective());
        config.users.iter_mut().for_each(|user| user.must_change_password = true);
        desk.file_is(config);
        desk.refresh().await.unwrap();
        let routes = admin(&house, &desk);
        let by = As::Role(Role::Admin);
        let seen = ask(&routes, request(&desk, &by, "GET", "/api/v1/users", "").await).await;
        assert!(seen.status == 403 && seen.body.contains(r#""need":"password""#), "{}", seen.body);
        let me = ask(&routes, request(&desk, &by, "GET", "/api/v1/me", "").await).await;
        assert!(me.body.contains(r#""must_change_password":true"#), "{}", me.body);
        let change = async |old: &str, new: &str| {
            house.answers.lock().unwrap().push_back(Answer::Done);
            let body = format!(r#"{{"old":"{old}","new":"{new}"}}"#);
            ask(&routes, request(&desk, &by, "POST", "/api/v1/me/password", &body).await).await
        };
        assert_eq!(change("wrong", "Another-1").await.status, 403);
        assert_eq!(change("secret", "short").await.status, 400);
        assert_eq!(change("secret", "Another-1").await.status, 200);
        house.answers.lock().unwrap().push_back(Answer::Refused(Code::Internal.into()));
        let seen = ask(&routes, request(&desk, &by, "GET", "/api/v1/users", "").await).await;
        assert_eq!(seen.status, 200, "{}", seen.body);
    }
}
