//! The document of the HTTP interface, as somebody else's validator reads it, and the answers of a real node held against it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::node;

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

#[tokio::test]
async fn the_document_is_valid_its_examples_fit_and_so_do_the_answers() {
    let folder = tempfile::tempdir().unwrap();
    let config = node::config(folder.path());
    let node = node::start(&config).await;
    let admin = Admin::of(&node, &config);
    let document = admin.get("/api/v1/openapi.json").await;
    let mut answers = Vec::new();
    for (method, path, asked, body) in [
        ("GET", "/readyz", "/readyz", None),
        ("GET", "/api/v1/snapshot", "/api/v1/snapshot", None),
        ("GET", "/api/v1/overview", "/api/v1/overview", None),
        ("GET", "/api/v1/sessions", "/api/v1/sessions", None),
        ("GET", "/api/v1/methods", "/api/v1/methods", None),
        ("GET", "/api/v1/journal", "/api/v1/journal?limit=5", None),
        ("GET", "/api/v1/journal", "/api/v1/journal?limit=0", None),
        ("GET", "/api/v1/journal/{chain}", "/api/v1/journal/none", None),
        ("GET", "/api/v1/logs", "/api/v1/logs", None),
        ("GET", "/api/v1/forms", "/api/v1/forms", None),
        ("POST", "/api/v1/forms", "/api/v1/forms", Some(json!({"name": "none", "userlogin": "ivanov"}))),
        ("POST", "/api/v1/forms", "/api/v1/forms", Some(json!({"name": 7}))),
        ("DELETE", "/api/v1/forms/{id}", "/api/v1/forms/none", None),
        ("POST", "/api/v1/methods/{name}", "/api/v1/methods/FindClient", Some(json!({}))),
        ("POST", "/api/v1/sim", "/api/v1/sim", Some(json!({"op": "answer", "number": "101"}))),
        ("POST", "/api/v1/sim", "/api/v1/sim", Some(json!({"op": "incoming", "caller": "7900", "called": "101"}))),
        ("GET", "/api/v1/calls", "/api/v1/calls", None),
        ("POST", "/api/v1/calls", "/api/v1/calls", Some(json!({"login": "ivanov", "number": "102"}))),
        ("DELETE", "/api/v1/calls/{chain}", "/api/v1/calls/none", None),
    ] {
        let (status, body) = admin.ask(method, asked, body.as_ref()).await;
        answers.push(json!({"method": method.to_lowercase(), "path": path, "status": status, "body": body}));
    }
    let said = judge(&document, &answers);
    assert!(said.contains(&format!("and {} answers; wrong: 0", answers.len())), "{said}");
    assert!(node.stop().await);
}
