//! The rules of the house: who may import whom, and what every room has. A new door is a change here, made on purpose.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module of the server may use of the others. `proto` is open to all.
const SERVER: &[(&str, &[&str])] = &[
    ("config", &[]),
    ("shutdown", &[]),
    ("service", &[]),
    ("runtime", &[]),
    ("telemetry", &["config"]),
    ("capture", &[]),
    ("engine", &["capture", "config", "telemetry", "shutdown"]),
    ("store", &["config", "telemetry", "shutdown"]),
    ("people", &["config", "store", "telemetry"]),
    ("files", &["config", "telemetry", "shutdown"]),
    ("pbx", &["config", "telemetry", "shutdown"]),
    ("transport", &["engine", "config", "telemetry", "shutdown"]),
    ("assets", &[]),
    ("admin", &["assets", "engine", "config", "people", "telemetry", "shutdown", "pbx::Control", "pbx::Done"]),
    ("web", &["admin", "assets", "engine", "config", "files", "telemetry", "shutdown"]),
    ("demo", &["config", "shutdown", "transport"]),
    ("trial", &["config", "transport"]),
    (
        "app",
        &[
            "admin",
            "capture",
            "config",
            "demo",
            "engine",
            "files",
            "pbx",
            "people",
            "shutdown",
            "store",
            "telemetry",
            "transport",
            "trial",
            "web",
        ],
    ),
    // Doors for the commands: they read the admin token, make password hashes and backups, and speak TLS to the admin port.
    (
        "cli",
        &[
            "app",
            "capture",
            "config",
            "demo",
            "people",
            "runtime",
            "service",
            "trial",
            "telemetry",
            "shutdown",
            "store::hash_password",
            "store::token",
            "store::upkeep",
            "transport::tls",
            "transport::trial",
        ],
    ),
];

/// The same inside the protocol crate.
const PROTO: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("message", &[]),
    ("auth", &["message", "time"]),
    ("telephony", &["message"]),
    ("calls", &["message", "telephony", "time"]),
    ("method", &["message", "telephony"]),
    // A name of the catalogue is the program's own text, and no piece of the message.
    ("codec", &["message", "method", "time"]),
    ("dialog", &["message", "codec", "auth", "method", "time"]),
    ("hub", &["message", "telephony", "calls", "method", "auth", "time"]),
];

#[test]
fn modules_of_the_server_use_only_what_they_may() {
    check(Path::new("src"), SERVER);
}

#[test]
fn modules_of_the_protocol_use_only_what_they_may() {
    check(Path::new("src/proto"), PROTO);
}

#[test]
fn the_protocol_crate_has_no_runtime() {
    let manifest = read(Path::new("src/proto/Cargo.toml"));
    let dependencies = manifest.split("[dependencies]").nth(1).and_then(|s| s.split("\n[").next()).expect("a section");
    for physics in ["tokio", "mio", "rustls", "sqlx", "hyper", "tracing", "futures"] {
        assert!(!dependencies.contains(physics), "ctigate-proto must not depend on {physics}");
    }
    for file in sources(Path::new("src/proto")) {
        let text = code(&file);
        for physics in ["Instant::now", "SystemTime", "std::net::Tcp", "std::fs", "std::thread", "async fn"] {
            assert!(!text.contains(physics), "{} uses {physics}", file.display());
        }
    }
}

#[test]
fn every_source_file_opens_with_a_page() {
    let tests = |f: &PathBuf| f.file_name().is_some_and(|n| n == "tests.rs");
    for file in sources(Path::new("src")).into_iter().filter(|f| !tests(f)) {
        assert!(read(&file).starts_with("//!"), "{} does not say what it is", file.display());
    }
}

#[test]
fn no_file_is_named_for_nothing() {
    for file in sources(Path::new("src")) {
        let name = file.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        assert!(!["utils", "util", "helpers", "common", "misc", "manager"].contains(&name), "{}", file.display());
    }
}

#[test]
fn unsafe_code_is_forbidden_everywhere() {
    assert!(read(Path::new("Cargo.toml")).contains(r#"unsafe_code = "forbid""#));
    for manifest in ["Cargo.toml", "src/proto/Cargo.toml"] {
        assert!(
            read(Path::new(manifest)).contains("[lints]\nworkspace = true"),
            "{manifest} does not take the workspace's lints"
        );
    }
}

/// The table of docs/reliability.md names tests that are there.
#[test]
fn every_test_that_the_page_of_reliability_names_exists() {
    let page = read(Path::new("docs/reliability.md"));
    let rows: Vec<&str> =
        page.lines().filter(|line| line.split('|').count() == 5 && !line.contains("behaviour")).collect();
    let rows: Vec<&str> = rows.into_iter().filter(|line| !line.starts_with("|---")).collect();
    assert!(rows.len() > 70, "{} rows", rows.len());
    let mut numbers = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert!(numbers.insert(cells[1]), "{} stands there twice", cells[1]);
        let tests: Vec<&str> = cells[3].split('`').skip(1).step_by(2).filter(|name| name.contains("::")).collect();
        assert!(!tests.is_empty(), "{} names no test", cells[1]);
        for test in tests {
            let (file, name) = test.rsplit_once("::").expect("a file and a name");
            let text = read(Path::new(file));
            let at = text.find(&format!("fn {name}(")).unwrap_or_else(|| panic!("{}: no {name} in {file}", cells[1]));
            let before = text[..at].lines().rev().take(4).collect::<String>();
            assert!(before.contains("test]") || before.contains("test("), "{}: {name} is no test", cells[1]);
        }
    }
    let targets: Vec<String> = read(Path::new("fuzz/Cargo.toml"))
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"').map(str::to_owned))
        .filter(|name| name != "ctigate-fuzz")
        .collect();
    for target in targets {
        assert!(page.contains(&format!("`{target}`")), "the fuzz target {target} is missing");
    }
}

/// What goes to Asterisk is named in the code, and here: a new action is a change of this list, made on purpose. None of them
/// runs a command of the system or of the console, or changes a file.
#[test]
fn only_listed_actions_go_to_asterisk() {
    const LISTED: &[&str] = &[
        "Bridge",
        "Challenge",
        "ConfbridgeStartRecord",
        "CoreSettings",
        "DBDel",
        "DBPut",
        "DeviceStateList",
        "Getvar",
        "Hangup",
        "ListCommands",
        "Login",
        "MixMonitor",
        "ModuleCheck",
        "Originate",
        "PJSIPNotify",
        "Ping",
        "PlayDTMF",
        "QueueAdd",
        "QueuePause",
        "QueueRemove",
        "QueueStatus",
        "Redirect",
        "Setvar",
        "ShowDialPlan",
        "StopMixMonitor",
    ];
    let mut found = BTreeSet::new();
    for file in sources(Path::new("src/pbx")).into_iter().filter(|f| f.file_name().is_some_and(|n| n != "tests.rs")) {
        if file.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let text = code(&file);
        for (at, _) in text.match_indices("Action::new(") {
            let argument = text[at + "Action::new(".len()..].split(')').next().unwrap_or_default().trim();
            // By a name that is chosen among several the names are looked for below.
            found.extend(argument.strip_prefix('"').and_then(|a| a.strip_suffix('"')).map(str::to_owned));
        }
    }
    let unlisted: Vec<&String> = found.iter().filter(|name| !LISTED.contains(&name.as_str())).collect();
    assert!(unlisted.is_empty(), "{unlisted:?} go to Asterisk and are not listed");
    for dangerous in ["\"Command\"", "\"UpdateConfig\"", "\"GetConfig\"", "\"AGI\"", "\"CreateConfig\"", "\"Reload\""] {
        for file in sources(Path::new("src/pbx/asterisk")) {
            let sent = format!("Action::new({dangerous}");
            assert!(!code(&file).contains(&sent), "{} sends {dangerous}", file.display());
        }
    }
}

/// The wall clock may jump: it is for what people and other machines read, and no deadline hangs on it.
#[test]
fn deadlines_go_by_a_clock_that_only_goes_on() {
    let clocks = |root: &str| -> Vec<PathBuf> {
        sources(Path::new(root)).into_iter().filter(|file| code(file).contains("SystemTime::now")).collect()
    };
    assert_eq!(clocks("src/transport"), Vec::<PathBuf>::new());
    assert_eq!(clocks("src/engine"), [PathBuf::from("src/engine/tap.rs")], "the times that people read");
    assert!(!code(Path::new("src/engine/mod.rs")).contains("SystemTime"));
}

#[test]
fn what_is_installed_has_no_feature_of_the_suites() {
    let manifest = read(Path::new("Cargo.toml"));
    let features = manifest.split_once("[features]").expect("features").1.split("\n[").next().unwrap_or_default();
    assert!(features.contains("echo = []"), "the echo is a feature");
    assert!(!features.lines().any(|line| line.starts_with("default")), "no feature is on by itself");
    for builder in ["scripts/deb.sh", "scripts/image.sh", "Dockerfile"] {
        assert!(!read(Path::new(builder)).contains("--features"), "{builder} builds what it says");
    }
}

/// Fails with every import that the table does not allow, and for a module that the table does not know.
fn check(root: &Path, table: &[(&str, &[&str])]) {
    let mut wrong = BTreeSet::new();
    let known: BTreeSet<&str> = table.iter().map(|(name, _)| *name).collect();
    let unit_tests = |file: &PathBuf| file.file_name().is_some_and(|name| name == "tests.rs");
    for file in sources(root).into_iter().filter(|file| !unit_tests(file)) {
        let inside = file.strip_prefix(root).expect("below the root");
        let first = inside.components().next().and_then(|c| c.as_os_str().to_str()).unwrap_or_default();
        let module = first.trim_end_matches(".rs");
        if module == "lib" || module == "main" || (root == Path::new("src") && module == "proto") {
            continue;
        }
        let Some((_, allowed)) = table.iter().find(|(name, _)| *name == module) else {
            wrong.insert(format!("{}: the module {module} has no row in the table", file.display()));
            continue;
        };
        for import in imports(&code(&file)) {
            let target = import.split("::").next().unwrap_or_default();
            let free = target == module || !known.contains(target);
            let by_name = allowed.iter().any(|a| *a == target || import.starts_with(a));
            if !free && !by_name {
                wrong.insert(format!("{}: {module} may not use crate::{import}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

/// Every path that follows `crate::`, with groups in braces opened one level.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let path: String = rest.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':')).collect();
        match rest[path.len()..].strip_prefix('{').and_then(|group| group.split('}').next()) {
            Some(group) => found.extend(group.split(',').map(|item| format!("{path}{}", item.trim()))),
            None => found.push(path),
        }
    }
    found
}

/// The file without comments and without its unit tests, which may look at anything.
fn code(file: &Path) -> String {
    let text = read(file);
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the house") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}
