//! The document of the HTTP interface, as somebody else's validator reads it, and the answers of a real node held against it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use ctigate::proto::message::Format;
use serde_json::{Value, json};

use crate::operate;
use crate::support::admin::Admin;
use crate::support::http::ask;
use crate::support::peers::text;
use crate::support::process::free_address;
use crate::support::{FakeCrm, soon};

/// Python with the packages of `requirements.txt`: the one that the installation of the tests made, else the machine's.
fn python() -> Command {
    let own = Path::new("target/python/bin/python");
    let has = |python: &str| {
        let probe = Command::new(python).args(["-c", "import openapi_spec_validator"]).stderr(Stdio::null()).status();
        probe.is_ok_and(|status| status.success())
    };
    let own = own.to_str().filter(|own| has(own));
    Command::new(own.unwrap_or("python3"))
}

/// What the validator says; fails when anything is wrong.
fn judge(document: &Value, answers: &[Value]) -> String {
    let mut child =
        python().arg("tests/it/openapi.py").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3");
    let given = json!({"document": document, "answers": answers}).to_string();
    child.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

/// How a request shows who sends it.
#[derive(Clone, Copy)]
enum By {
    Token,
    /// The session of a person who has signed in.
    Person,
    Stranger,
}

/// Asks, and keeps what was answered.
struct Book {
    admin: Admin,
    cookie: String,
    answers: Vec<Value>,
}

impl Book {
    async fn send(&mut self, by: By, method: &str, path: &str, asked: &str, kind: &str, body: &str) -> (u16, Value) {
        let Admin { address, token } = &self.admin;
        let shown = match by {
            By::Token => format!("Authorization: Bearer {token}\r\n"),
            By::Person => format!("Cookie: {}\r\nOrigin: http://{address}\r\n", self.cookie),
            By::Stranger => String::new(),
        };
        let length = body.len();
        let request = format!(
            "{method} {asked} HTTP/1.1\r\nHost: {address}\r\n{shown}Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let (answer, _) = ask(*address, request).await;
        if let Some(cookie) = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()) {
            self.cookie = cookie.to_owned();
        }
        let kind = answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().to_owned();
        let said = match kind.as_str() {
            "application/json" => {
                serde_json::from_str(&answer.body).unwrap_or_else(|e| panic!("{asked}: {e}: {}", answer.body))
            }
            _ => Value::Null,
        };
        let row =
            json!({"method": method.to_lowercase(), "path": path, "status": answer.status, "type": kind, "body": said});
        self.answers.push(row);
        (answer.status, said)
    }

    /// Asks what is answered with this status.
    async fn hold(&mut self, status: u16, method: &str, path: &str, asked: &str, body: Value) -> Value {
        self.hold_by(By::Token, status, method, path, asked, body).await
    }

    async fn hold_by(&mut self, by: By, status: u16, method: &str, path: &str, asked: &str, body: Value) -> Value {
        let asked = if asked.is_empty() { path } else { asked };
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (found, said) = self.send(by, method, path, asked, "application/json", &text).await;
        assert_eq!(found, status, "{method} {asked} {body}: {said}");
        said
    }
}

/// The code of an authenticator app (RFC 6238) for a secret in base32, so many steps from now.
fn code(secret: &str, steps: u64) -> String {
    use hmac::{Hmac, KeyInit, Mac};

    let letter = |c: u8| u64::from(if c.is_ascii_digit() { c - b'2' + 26 } else { c - b'A' });
    let (mut bits, mut count, mut key) = (0_u64, 0, Vec::new());
    for c in secret.bytes().filter(u8::is_ascii_alphanumeric) {
        (bits, count) = (bits << 5 | letter(c), count + 5);
        if count >= 8 {
            count -= 8;
            key.push((bits >> count & 0xff) as u8);
        }
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(&key).unwrap();
    mac.update(&(now / 30 + steps).to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes([hash[at] & 0x7f, hash[at + 1], hash[at + 2], hash[at + 3]]);
    format!("{:06}", number % 1_000_000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_is_valid_its_examples_fit_and_so_does_what_every_address_answers() {
    let folder = tempfile::tempdir().unwrap();
    let node = operate::bare(folder.path()).await;
    let once = node.first_run().expect("nobody administers it");
    let admin = operate::admin(&node, folder.path());
    let document = admin.get("/api/v1/openapi.json").await;
    let mut book = Book { admin, cookie: String::new(), answers: Vec::new() };

    // The first run. The code is what counts here, not the token.
    let bind = free_address();
    let crm = json!({"name": "crm", "mode": "accept-ws", "bind": bind.to_string()});
    let by = By::Stranger;
    let setup = "/api/v1/setup";
    book.hold_by(by, 200, "GET", setup, &format!("{setup}?code={once}"), Value::Null).await;
    book.hold_by(by, 403, "GET", setup, "/api/v1/setup?code=guess", Value::Null).await;
    let wanted = |password: &str| json!({"code": once, "admin": {"login": "Anna", "password": password}, "link": crm});
    book.hold_by(by, 400, "POST", setup, "", wanted("short")).await;
    let test = "/api/v1/setup/test";
    let away = json!({"name": "away", "mode": "dial-ws", "url": format!("ws://{}/", free_address())});
    book.hold_by(by, 200, "POST", test, &format!("{test}?code={once}"), away.clone()).await;
    book.hold_by(by, 403, "POST", test, "/api/v1/setup/test?code=guess", away.clone()).await;
    book.hold_by(by, 200, "POST", setup, "", wanted("Secret1-admin")).await;

    // A person about herself.
    let by = By::Person;
    let signin = "/api/v1/signin";
    book.hold_by(by, 401, "POST", signin, "", json!({"login": "anna", "password": "wrong"})).await;
    let right = json!({"login": "anna", "password": "Secret1-admin"});
    book.hold_by(by, 200, "POST", signin, "", right).await;
    book.hold_by(by, 200, "GET", "/api/v1/me", "", Value::Null).await;
    let factor = "/api/v1/me/second_factor";
    let secret = book.hold_by(by, 200, "POST", factor, "", Value::Null).await["secret"].as_str().unwrap().to_owned();
    let confirm = "/api/v1/me/second_factor/confirm";
    book.hold_by(by, 403, "POST", confirm, "", json!({"code": "x"})).await;
    book.hold_by(by, 200, "POST", confirm, "", json!({"code": code(&secret, 0)})).await;
    book.hold_by(by, 409, "POST", factor, "", Value::Null).await;
    book.hold_by(by, 403, "DELETE", factor, "", json!({"code": "x"})).await;
    book.hold_by(by, 200, "DELETE", factor, "", json!({"code": code(&secret, 1)})).await;
    let password = "/api/v1/me/password";
    book.hold_by(by, 403, "POST", password, "", json!({"old": "wrong", "new": "Secret2-admin"})).await;
    book.hold_by(by, 200, "POST", password, "", json!({"old": "Secret1-admin", "new": "Secret2-admin"})).await;
    book.hold_by(by, 200, "POST", "/api/v1/signout", "", Value::Null).await;

    // People and programs.
    let users = "/api/v1/users";
    let petrov = json!({"login": "petrov", "number": "105", "password": "Secret3-petrov"});
    book.hold(201, "POST", users, "", petrov.clone()).await;
    book.hold(409, "POST", users, "", petrov).await;
    book.hold(200, "GET", users, "", Value::Null).await;
    let one = "/api/v1/users/{login}";
    book.hold(200, "PATCH", one, "/api/v1/users/petrov", json!({"name": "Peter"})).await;
    book.hold(404, "PATCH", one, "/api/v1/users/nobody", json!({"name": "Peter"})).await;
    book.hold(200, "PUT", one, "/api/v1/users/petrov", json!({"number": "105"})).await;
    book.hold(404, "PUT", one, "/api/v1/users/nobody", json!({})).await;
    let sessions = "/api/v1/users/{login}/sessions";
    book.hold(200, "GET", sessions, "/api/v1/users/petrov/sessions", Value::Null).await;
    book.hold(404, "GET", sessions, "/api/v1/users/nobody/sessions", Value::Null).await;
    book.hold(200, "DELETE", sessions, "/api/v1/users/petrov/sessions", Value::Null).await;
    book.hold(404, "DELETE", sessions, "/api/v1/users/nobody/sessions", Value::Null).await;
    let factor = "/api/v1/users/{login}/second_factor";
    book.hold(200, "DELETE", factor, "/api/v1/users/petrov/second_factor", Value::Null).await;
    book.hold(404, "DELETE", factor, "/api/v1/users/nobody/second_factor", Value::Null).await;
    let import = "/api/v1/users/import";
    for (asked, table, status) in [(import, "login,number\nkim,106\n", 200), (import, "what\nx\n", 400)] {
        let (found, said) = book.send(By::Token, "POST", import, asked, "text/csv", table).await;
        assert_eq!(found, status, "{said}");
    }
    book.hold(200, "DELETE", one, "/api/v1/users/kim", Value::Null).await;
    book.hold(404, "DELETE", one, "/api/v1/users/kim", Value::Null).await;
    book.hold(200, "GET", "/api/v1/departments", "", Value::Null).await;
    book.hold(200, "GET", "/api/v1/roles", "", Value::Null).await;
    let keys = "/api/v1/keys";
    let amo = json!({"client_id": "amo", "kind": "service", "rights": ["call"]});
    book.hold(201, "POST", keys, "", amo.clone()).await;
    book.hold(409, "POST", keys, "", amo).await;
    book.hold(200, "GET", keys, "", Value::Null).await;
    let replace = "/api/v1/keys/{client_id}/replace";
    book.hold(200, "POST", replace, "/api/v1/keys/amo/replace", Value::Null).await;
    book.hold(404, "POST", replace, "/api/v1/keys/none/replace", Value::Null).await;
    let key = "/api/v1/keys/{client_id}";
    book.hold(200, "DELETE", key, "/api/v1/keys/amo", Value::Null).await;
    book.hold(404, "DELETE", key, "/api/v1/keys/amo", Value::Null).await;
    book.hold(200, "GET", "/api/v1/audit", "/api/v1/audit?limit=5", Value::Null).await;
    book.hold(400, "GET", "/api/v1/audit", "/api/v1/audit?limit=0", Value::Null).await;

    // The configuration.
    let settings = "/api/v1/settings";
    book.hold(200, "GET", settings, "", Value::Null).await;
    book.hold(200, "PUT", settings, "", json!({"limits.tab_rate": 100})).await;
    book.hold(400, "PUT", settings, "", json!({"store.url": "x"})).await;
    book.hold(409, "PUT", settings, "", json!({"limits.nesting": 500})).await;
    book.hold(200, "POST", "/api/v1/reload", "", Value::Null).await;
    let drain = "/api/v1/drain";
    book.hold(200, "POST", drain, "", json!({"over_ms": 3_600_000})).await;
    book.hold(400, "POST", drain, "", json!({"over_ms": -1})).await;
    book.hold(200, "GET", drain, "", Value::Null).await;
    book.hold(200, "DELETE", drain, "", Value::Null).await;
    book.hold(200, "GET", "/api/v1/doctor", "", Value::Null).await;

    // Links.
    let links = "/api/v1/links";
    let other = json!({"name": "other", "mode": "accept-ws", "bind": free_address().to_string(), "password": "x", "login": "x"});
    book.hold(201, "POST", links, "", other.clone()).await;
    book.hold(409, "POST", links, "", other.clone()).await;
    book.hold(200, "GET", links, "", Value::Null).await;
    book.hold(200, "GET", "/api/v1/links/schema", "", Value::Null).await;
    book.hold(200, "POST", "/api/v1/links/test", "", away).await;
    book.hold(400, "POST", "/api/v1/links/test", "", json!([])).await;
    let one = "/api/v1/links/{name}";
    book.hold(200, "PUT", one, "/api/v1/links/other", other.clone()).await;
    let named_none = json!({"name": "none", "mode": "accept-ws", "bind": free_address().to_string()});
    book.hold(404, "PUT", one, "/api/v1/links/none", named_none).await;
    let again = "/api/v1/links/{name}/reconnect";
    book.hold(200, "POST", again, "/api/v1/links/other/reconnect", Value::Null).await;
    book.hold(404, "POST", again, "/api/v1/links/none/reconnect", Value::Null).await;
    book.hold(200, "DELETE", one, "/api/v1/links/other", Value::Null).await;
    book.hold(404, "DELETE", one, "/api/v1/links/other", Value::Null).await;
    let port = "/api/v1/ports/check";
    book.hold(200, "GET", port, &format!("{port}?address={bind}"), Value::Null).await;
    book.hold(400, "GET", port, "/api/v1/ports/check?address=x", Value::Null).await;

    // With a CRM.
    let mut crm = FakeCrm::connect(bind, Format::Json).await;
    let method =
        r#"[{"name":"Find","inputparameters":[{"name":"phone","type":"string","caption":"Phone","required":true}]}]"#;
    let form =
        r#"[{"name":"card","caption":"Card","inputparameters":[{"name":"phone","type":"string","caption":"Phone"}]}]"#;
    crm.introduce(method, form, r#"[{"userlogin":"petrov"}]"#).await;
    let crm = tokio::spawn(async move {
        loop {
            let heard = crm.0.hear().await;
            if heard.name == "executemethod" {
                let id = text(&heard, "executionid");
                crm.0
                    .say(&format!(
                        r#"["methodresult",{{"executionid":"{id}","result":1,"outputparameters":{{"a":1}}}}]"#
                    ))
                    .await;
            }
        }
    });
    soon("the CRM's forms", async {
        while book.admin.get("/api/v1/links/crm").await["capabilities"]["forms"] == json!([]) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    let link = book.hold(200, "GET", one, "/api/v1/links/crm", Value::Null).await;
    assert_eq!(link["introduction"], json!({"type": "test", "name": "demo", "version": "1", "more": {}}));
    let can = &link["capabilities"];
    assert_eq!(
        (&can["methods"][0]["input"][0]["name"], &can["forms"][0]["caption"]),
        (&json!("phone"), &json!("Card"))
    );
    assert_eq!((&can["events"], &can["active_users"]), (&json!({"heard": true, "users": [], "silent": []}), &json!(1)));
    book.hold(404, "GET", one, "/api/v1/links/none", Value::Null).await;
    book.hold(200, "GET", "/api/v1/methods", "", Value::Null).await;
    let call = "/api/v1/methods/{name}";
    book.hold(200, "POST", call, "/api/v1/methods/Find", json!({"input": {"phone": "1"}})).await;
    book.hold(404, "POST", call, "/api/v1/methods/None", json!({})).await;
    let forms = "/api/v1/forms";
    let opened = book.hold(201, "POST", forms, "", json!({"name": "card", "userlogin": "petrov"})).await;
    book.hold(400, "POST", forms, "", json!({"name": 7})).await;
    book.hold(200, "GET", forms, "", Value::Null).await;
    let id = format!("{forms}/{}", opened["formid"].as_str().unwrap());
    book.hold(200, "DELETE", "/api/v1/forms/{id}", &id, Value::Null).await;
    book.hold(404, "DELETE", "/api/v1/forms/{id}", &id, Value::Null).await;

    // Calls, and what is left of them.
    let captures = "/api/v1/captures";
    let capture = book.hold(201, "POST", captures, "", json!({})).await["id"].to_string();
    book.hold(400, "POST", captures, "", json!({"seconds": 0})).await;
    book.hold(200, "GET", captures, "", Value::Null).await;
    let sim = "/api/v1/sim";
    let called = book.hold(200, "POST", sim, "", json!({"op": "incoming", "caller": "7900", "called": "105"})).await;
    book.hold(404, "POST", sim, "", json!({"op": "incoming", "caller": "7900", "called": "999"})).await;
    let chain = called["chainid"].as_str().unwrap().to_owned();
    soon("the call", async {
        while book.admin.get("/api/v1/calls").await["items"] == json!([]) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    book.hold(200, "GET", "/api/v1/calls", "", Value::Null).await;
    book.hold(200, "GET", "/api/v1/snapshot", "", Value::Null).await;
    book.hold(200, "DELETE", "/api/v1/calls/{chain}", &format!("/api/v1/calls/{chain}"), Value::Null).await;
    soon("the end of the call", async {
        while book.admin.get("/api/v1/journal").await["items"] == json!([]) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    book.hold(404, "DELETE", "/api/v1/calls/{chain}", &format!("/api/v1/calls/{chain}"), Value::Null).await;
    book.hold(201, "POST", "/api/v1/calls", "", json!({"login": "petrov", "number": "79001112233"})).await;
    book.hold(404, "POST", "/api/v1/calls", "", json!({"login": "nobody", "number": "1"})).await;
    let journal = "/api/v1/journal";
    book.hold(200, "GET", journal, "", Value::Null).await;
    book.hold(400, "GET", journal, "/api/v1/journal?limit=0", Value::Null).await;
    book.hold(200, "GET", "/api/v1/journal/{chain}", &format!("{journal}/{chain}"), Value::Null).await;
    book.hold(404, "GET", "/api/v1/journal/{chain}", "/api/v1/journal/none", Value::Null).await;
    book.hold(200, "GET", "/api/v1/journal.csv", "", Value::Null).await;
    book.hold(400, "GET", "/api/v1/journal.csv", "/api/v1/journal.csv?direction=up", Value::Null).await;
    let explain = "/api/v1/explain/{kind}/{id}";
    book.hold(200, "GET", explain, &format!("/api/v1/explain/call/{chain}"), Value::Null).await;
    book.hold(404, "GET", explain, "/api/v1/explain/call/none", Value::Null).await;
    let one = "/api/v1/captures/{id}";
    book.hold(200, "GET", one, &format!("{captures}/{capture}"), Value::Null).await;
    book.hold(404, "GET", one, "/api/v1/captures/77", Value::Null).await;
    book.hold(200, "DELETE", one, &format!("{captures}/{capture}"), Value::Null).await;
    book.hold(404, "DELETE", one, "/api/v1/captures/77", Value::Null).await;

    // What passes, what was logged, and the whole.
    book.hold(200, "GET", "/api/v1/events", "/api/v1/events?about=calls", Value::Null).await;
    book.hold(400, "GET", "/api/v1/events", "/api/v1/events?about=weather", Value::Null).await;
    book.hold(200, "GET", "/api/v1/tail", "/api/v1/tail?format=xml", Value::Null).await;
    book.hold(400, "GET", "/api/v1/tail", "/api/v1/tail?format=csv", Value::Null).await;
    book.hold(200, "GET", "/api/v1/logs", "", Value::Null).await;
    book.hold(400, "GET", "/api/v1/logs", "/api/v1/logs?level=loud", Value::Null).await;
    book.hold(200, "GET", "/api/v1/logs/follow", "", Value::Null).await;
    book.hold(400, "GET", "/api/v1/logs/follow", "/api/v1/logs/follow?level=loud", Value::Null).await;
    for path in ["/api/v1/overview", "/api/v1/sessions", "/metrics", "/healthz", "/readyz"] {
        book.hold(200, "GET", path, "", Value::Null).await;
    }
    crm.abort();

    // Every address has answered with what was wanted, and has refused: where nothing else is wrong, a stranger.
    let operations: Vec<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())))
        .collect();
    assert!(operations.len() > 60, "{operations:?}");
    for (method, path) in &operations {
        let has = |book: &Book, refused: bool| {
            let of = |row: &&Value| row["path"] == **path && row["method"] == method.to_lowercase();
            book.answers.iter().filter(of).any(|row| (row["status"].as_u64().unwrap() >= 400) == refused)
        };
        assert!(has(&book, false), "{method} {path} was never asked");
        // Whoever watches the process asks without a name, and gets an answer.
        if !has(&book, true) && path != "/healthz" && path != "/readyz" {
            book.hold_by(By::Stranger, 401, method, path, "", Value::Null).await;
        }
    }
    let said = judge(&document, &book.answers);
    assert!(said.contains(&format!("and {} answers; wrong: 0", book.answers.len())), "{said}");
    assert!(node.stop().await);
}
