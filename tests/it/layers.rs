//! What the store says of the configuration, as the commands see it: they read the same layers as the gateway.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use ctigate::config;
use ctigate::store::Store;
use ctigate::telemetry::Telemetry;

use crate::support::process::{free_addresses, serve};

/// A command's code, output and complaints.
fn run(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ctigate"));
    let ended = command.args(args).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ended.status.code().unwrap(), text(ended.stdout), text(ended.stderr))
}

fn file(folder: &Path, web: SocketAddr, admin: SocketAddr, more: &str) {
    let text = format!(
        "[web]\nbind = \"{web}\"\ntls_bind = \"\"\nadmin_bind = \"{admin}\"\n\
         [[user]]\nlogin = \"ivanov\"\nnumber = \"101\"\npassword = \"Secret1\"\n{more}"
    );
    std::fs::write(folder.join("ctigate.toml"), text).unwrap();
}

async fn set(folder: &Path, settings: &[(&str, Option<&str>)]) {
    let url = format!("sqlite://{}/data/ctigate.db", folder.display()).parse().unwrap();
    let store = config::Store { url, ..config::Store::default() };
    let store = Store::open(&store, Telemetry::default()).await.unwrap();
    let rows: Vec<_> = settings.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect();
    store.put_settings(&rows, 1).await.unwrap();
    store.close(std::time::Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_is_shown_and_checked_with_what_the_store_says() {
    let folder = tempfile::tempdir().unwrap();
    let [web, admin] = free_addresses();
    file(folder.path(), web, admin, "");
    let (code, out, _) = run(folder.path(), &["check-config"]);
    assert_eq!(code, 0);
    assert!(out.contains("users      1 (1 agent)") && !out.contains("has its say"), "{out}");
    assert!(!folder.path().join("data").exists(), "a look makes no store");

    let (code, _, err) = run(folder.path(), &["user", "add", "popov", "--number", "105", "--generate"]);
    assert_eq!(code, 0, "{err}");
    // A person of the store may stand in the file.
    let link = "[[link]]\nname = \"crm\"\nmode = \"dial-ws\"\nurl = \"ws://127.0.0.1:9/\"\nusers = [\"popov\"]\n";
    file(folder.path(), web, admin, link);
    set(folder.path(), &[("limits.max_users", Some("7"))]).await;
    let (code, out, err) = run(folder.path(), &["check-config"]);
    assert_eq!(code, 0, "{err}");
    for due in ["users      2 (2 agent)", "has its say in 1 user, 1 setting"] {
        assert!(out.contains(due), "{due}: {out}");
    }
    let (code, out, err) = run(folder.path(), &["print-config", "--set", "limits.tab_rate=9"]);
    assert_eq!(code, 0, "{err}");
    let line = |key: &str| out.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
    assert!(line("max_users = 7").ends_with("# the store, setting limits.max_users"), "{out}");
    assert!(line("tab_rate = 9").ends_with("# --set limits.tab_rate"), "{out}");
    assert!(line("login = \"popov\"").ends_with("# the store, user popov"), "{out}");

    // What is wrong is told with its layer, and the environment and flags win over the store.
    set(folder.path(), &[("limits.nesting", Some("500"))]).await;
    let (code, _, err) = run(folder.path(), &["check-config"]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("limits.nesting") && err.contains("in the store, setting limits.nesting"), "{err}");
    let (code, _, err) = run(folder.path(), &["check-config", "--set", "limits.nesting=32"]);
    assert_eq!(code, 0, "{err}");
    set(folder.path(), &[("limits.nesting", None)]).await;

    // A person whose login the file has too.
    file(folder.path(), web, admin, "[[user]]\nlogin = \"Popov\"\npassword = \"Secret1\"\n");
    let (code, _, err) = run(folder.path(), &["check-config"]);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("the store has a user popov too; the one of the file counts"), "{err}");
    assert!(err.contains("in the store, user popov"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_find_a_gateway_where_the_store_has_put_it_and_the_doctor_asks_it() {
    let folder = tempfile::tempdir().unwrap();
    let [web, said, admin] = free_addresses();
    let link = "[[link]]\nname = \"crm\"\nmode = \"accept-ws\"\nbind = \"127.0.0.1:0\"\n";
    file(folder.path(), web, said, link);
    let (code, out, _) = run(folder.path(), &["doctor"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("free: ") && !out.contains("says itself"), "nobody answers: {out}");

    set(folder.path(), &[("web.admin_bind", Some(&format!("\"{admin}\"")))]).await;
    let _gateway = serve(folder.path(), web).await;
    let (code, out, err) = run(folder.path(), &["status", "--json"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let (code, out, err) = run(folder.path(), &["user", "add", "popov", "--number", "105", "--generate"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("the gateway that runs knows"), "{out}");

    let (code, out, err) = run(folder.path(), &["doctor"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains(&format!("what it says itself at {admin}")), "{out}");
    // Only a gateway that runs knows how its links are.
    assert!(out.lines().any(|line| line.contains("crm") && line.contains("waiting")), "{out}");
    let (code, out, _) = run(folder.path(), &["doctor", "--json"]);
    let rows: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0, "{out}");
    assert!(rows.as_array().unwrap().iter().any(|row| row["what"] == "gateway" && row["verdict"] == "ok"), "{out}");
}
