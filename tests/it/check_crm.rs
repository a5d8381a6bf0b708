//! `ctigate check-crm`: a whole CRM has no finding, a broken one exactly its own.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ctigate::config::{Auth, Link, LinkMode, Secret};
use ctigate::proto::message::{Format, Object};
use ctigate::transport::trial::Listener;
use ctigate::trial::{self, Row, Settings, Verdict};
use futures_util::future::join_all;
use tokio::net::TcpListener;

use crate::support::breakable::{Breakable, Broken};
use crate::support::{http, tls, ws};

const FORMATS: [Format; 2] = [Format::Json, Format::Xml];

fn settings(mode: LinkMode, address: SocketAddr, formats: &[Format]) -> Settings {
    Settings {
        link: Link { mode, url: format!("{}://{address}/cti", mode.scheme()), ..Link::default() },
        formats: formats.to_vec(),
        method: None,
        input: Object::new(),
        patience: Duration::from_secs(3),
        arrival: Duration::from_secs(10),
    }
}

async fn tried(mode: LinkMode, broken: Broken, formats: &[Format]) -> Vec<Row> {
    let crm = if mode.posts() { Breakable::post(broken).await } else { Breakable::socket(broken).await };
    trial::reaching(&settings(mode, crm.address, formats), &|_, _| ()).await
}

fn findings(rows: &[Row]) -> BTreeSet<&'static str> {
    rows.iter().filter_map(|row| row.outcome.finding.map(|finding| finding.name)).collect()
}

/// Each break in each format, all at once: they mostly wait.
async fn each_has_its_own(mode: LinkMode, breaks: &[(Broken, &'static str)]) {
    let all = breaks.iter().flat_map(|one| FORMATS.map(|format| (*one, format)));
    let ended = join_all(
        all.map(async |((broken, finding), format)| (broken, finding, format, tried(mode, broken, &[format]).await)),
    )
    .await;
    for (broken, finding, format, rows) in ended {
        assert_eq!(findings(&rows), BTreeSet::from([finding]), "{broken:?} by {mode} in {format:?}: {rows:#?}");
        let bad = rows.iter().filter(|row| row.outcome.verdict == Verdict::Bad);
        assert!(bad.clone().count() >= 1 && bad.clone().all(|row| !row.outcome.advice().is_empty()));
    }
}

#[tokio::test]
async fn a_whole_crm_has_no_finding() {
    for mode in [LinkMode::DialWs, LinkMode::PostHttp] {
        let rows = tried(mode, Broken::Nothing, &FORMATS).await;
        assert_eq!(findings(&rows), BTreeSet::new(), "{mode}: {rows:#?}");
        for format in FORMATS {
            let good = rows.iter().filter(|row| row.format == Some(format) && row.outcome.verdict == Verdict::Good);
            let expected = if mode.posts() { 15 } else { 19 };
            assert_eq!(good.count(), expected, "{mode} {format:?}: {rows:#?}");
        }
    }
}

#[tokio::test]
async fn each_break_by_web_socket_has_exactly_its_finding() {
    let breaks = [
        (Broken::SubProtocol, "sub-protocol"),
        (Broken::NoIam, "no-iam"),
        (Broken::NoQid, "qid-missing"),
        (Broken::QidType, "qid-type"),
        (Broken::AnswersCancelled, "answer-after-cancel"),
        (Broken::LateAfterAbort, "late-after-abort"),
        (Broken::NoObject, "output-no-object"),
        (Broken::IllTyped, "output-type"),
        (Broken::Base64, "base64-answer"),
        (Broken::Slow, "slow"),
        (Broken::Disorder, "multipart-order"),
    ];
    each_has_its_own(LinkMode::DialWs, &breaks).await;
}

#[tokio::test]
async fn each_break_by_post_has_exactly_its_finding() {
    let breaks = [
        (Broken::NoIam, "no-iam"),
        (Broken::NoQid, "qid-missing"),
        (Broken::QidType, "qid-type"),
        (Broken::NoObject, "output-no-object"),
        (Broken::IllTyped, "output-type"),
        (Broken::Base64, "base64-answer"),
        (Broken::Html, "html-answer"),
        (Broken::Slow, "slow"),
    ];
    each_has_its_own(LinkMode::PostHttp, &breaks).await;
}

#[tokio::test]
async fn over_tls_it_is_the_same_and_a_stranger_is_not_believed() {
    let pair = tls::Pair::new();
    for mode in [LinkMode::DialWss, LinkMode::PostHttps] {
        let crm = Breakable::serve(Broken::Nothing, mode.posts(), Some(&pair)).await;
        let mut settings = settings(mode, crm.address, &[Format::Json]);
        let unknown = trial::reaching(&settings, &|_, _| ()).await;
        assert_eq!(findings(&unknown), BTreeSet::from(["unreachable"]), "{mode}: {unknown:#?}");
        settings.link.ca_file = Some(pair.certificate.clone());
        let rows = trial::reaching(&settings, &|_, _| ()).await;
        assert_eq!(findings(&rows), BTreeSet::new(), "{mode}: {rows:#?}");
    }
}

#[tokio::test]
async fn a_crm_that_takes_any_password_is_remarked() {
    for mode in [LinkMode::DialWs, LinkMode::PostHttp] {
        let crm = Breakable::serve(Broken::Nothing, mode.posts(), None).await;
        let mut settings = settings(mode, crm.address, &[Format::Json]);
        settings.link.auth = Some(Auth::Basic);
        settings.link.login = "crm".to_owned();
        settings.link.password = Some(Secret::new("secret"));
        let rows = trial::reaching(&settings, &|_, _| ()).await;
        assert_eq!(findings(&rows), BTreeSet::from(["open-door"]), "{mode}: {rows:#?}");
        assert!(rows.iter().all(|row| row.outcome.verdict != Verdict::Bad), "a remark is no failure");
    }
}

/// What is found when somebody comes to a listener as `come` does.
async fn at_the_door(auth: Auth, come: impl AsyncFnOnce(SocketAddr)) -> BTreeSet<&'static str> {
    let link = Link {
        mode: LinkMode::AcceptWs,
        bind: Some("127.0.0.1:0".parse().unwrap()),
        auth: Some(auth),
        login: "crm".to_owned(),
        password: Some(Secret::new("secret")),
        ..Link::default()
    };
    let listener = Listener::bind(&link).await.unwrap();
    let address = listener.address();
    let settings = Settings { link, arrival: Duration::from_secs(2), ..settings(LinkMode::DialWs, address, &FORMATS) };
    let (rows, ()) = tokio::join!(trial::accepting(&settings, listener, &|_, _| ()), come(address));
    findings(&rows)
}

#[tokio::test]
async fn whoever_comes_wrongly_to_a_listener_is_told_why() {
    let upgrade = |headers: &[(&str, &str)]| ws::request("/", headers);
    let says = async |auth: Auth, request: String| {
        at_the_door(auth, async |address| drop(http::ask(address, request).await)).await
    };
    assert_eq!(at_the_door(Auth::None, async |_| ()).await, BTreeSet::from(["nobody-came"]));
    assert_eq!(says(Auth::None, upgrade(&[])).await, BTreeSet::from(["no-sub-protocol"]));
    assert_eq!(says(Auth::Digest, upgrade(&[])).await, BTreeSet::from(["credentials"]));
    let wrong = upgrade(&[("Authorization", "Basic Y3JtOndyb25n")]);
    assert_eq!(says(Auth::Basic, wrong.clone()).await, BTreeSet::from(["credentials"]));
    assert_eq!(says(Auth::Digest, wrong).await, BTreeSet::from(["credentials"]));
    let plain = "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned();
    assert_eq!(says(Auth::None, plain).await, BTreeSet::from(["no-handshake"]));
}

#[tokio::test]
async fn of_both_formats_one_is_enough_and_a_break_is_told_once() {
    let rows = tried(LinkMode::DialWs, Broken::SubProtocol, &FORMATS).await;
    assert_eq!(findings(&rows), BTreeSet::from(["sub-protocol"]));
    assert_eq!(rows.iter().filter(|row| row.outcome.verdict == Verdict::Bad).count(), 1, "{rows:#?}");
    let other = rows.iter().find(|row| row.check.name == "format").unwrap();
    assert_eq!((other.format, other.outcome.verdict), (Some(Format::Xml), Verdict::Skipped));
}

#[tokio::test]
async fn a_crm_that_never_answers_ends_in_bounded_time() {
    let began = Instant::now();
    let rows = tried(LinkMode::DialWs, Broken::Mute, &[Format::Json]).await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(findings(&rows).contains("no-pong"));
    let skipped = rows.iter().filter(|row| row.outcome.found.contains("stopped answering")).count();
    assert!(skipped > 5, "{rows:#?}");

    // One that takes connections and reads nothing.
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = deaf.local_addr().unwrap();
    let began = Instant::now();
    let (dialed, posted) = tokio::join!(
        async { trial::reaching(&settings(LinkMode::DialWs, address, &FORMATS), &|_, _| ()).await },
        async { trial::reaching(&settings(LinkMode::PostHttp, address, &FORMATS), &|_, _| ()).await },
    );
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(findings(&dialed), BTreeSet::from(["unreachable"]));
    assert_eq!(findings(&posted), BTreeSet::from(["no-iam"]));
    drop(deaf);
}

/// The program with these arguments: its exit code, what it printed, what it complained of.
fn run(args: &[&str]) -> (i32, String, String) {
    let output = command(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ctigate"));
    command.args(args).stdin(Stdio::null()).env_remove("CTIGATE_CRM_PASSWORD");
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_prints_a_table_or_json_and_ends_with_a_code() {
    let crm = Breakable::socket(Broken::IllTyped).await;
    let url = format!("ws://{}/", crm.address);
    let (code, out, err) = run(&["check-crm", &url, "--format", "json"]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("BAD  run a method"), "{out}");
    assert!(out.contains("output-type: outputparameters of Find: vip is the string \"yes\", expected bool"), "{out}");
    assert!(out.contains("proto-spec/dynamic.md#execution") && out.contains("-> send what"), "{out}");
    assert!(err.contains("1 check failed"), "{err}");

    let (code, out, _) = run(&["check-crm", &url, "--format", "xml", "--json"]);
    let rows: serde_json::Value = serde_json::from_str(&out).unwrap();
    let bad: Vec<_> = rows.as_array().unwrap().iter().filter(|row| row["verdict"] == "BAD").collect();
    assert_eq!((code, bad.len()), (1, 1), "{out}");
    assert_eq!((&bad[0]["finding"], &bad[0]["format"]), (&"output-type".into(), &"xml".into()));

    let crm = Breakable::socket(Broken::Painter).await;
    let (code, out, err) = run(&["check-crm", &format!("ws://{}/", crm.address), "--format", "json"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("nothing failed") && out.contains("red"), "{out}");
    assert!(!out.contains('\x1b') && !out.contains('\x07') && !out.contains('\u{202e}'), "{out:?}");

    assert_eq!(run(&["check-crm", "http://127.0.0.1:9/"]).0, 1, "nobody there");
    for wrong in [
        &["check-crm"][..],
        &["check-crm", "ftp://x/"],
        &["check-crm", "ws://a:b@x/"],
        &["check-crm", "ws://x", "--tls"],
        &["check-crm", "ws://x", "--login", "crm"],
    ] {
        assert_eq!(run(wrong).0, 2, "{wrong:?}");
    }
}

#[test]
fn the_demo_crm_connects_and_has_no_finding() {
    let folder = tempfile::tempdir().unwrap();
    let listen =
        ["check-crm", "--listen", "127.0.0.1:0", "--tls", "--login", "crm", "--password", "demo-crm", "--wait", "20s"];
    let mut check =
        command(&listen).current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(check.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    let url = line.split_whitespace().find(|word| word.starts_with("wss://")).unwrap_or_else(|| panic!("{line}"));
    let mut crm = command(&["demo-crm", "--url", url, "--ca-file", "certs/server.pem"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = check.wait_with_output().unwrap();
    crm.kill().unwrap();
    crm.wait().unwrap();
    let mut rest = String::new();
    errors.read_to_string(&mut rest).unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), rest.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("21 checks, nothing failed\n") && out.contains("it connected again"), "{out}");
    assert!(out.contains("digest, once it was asked"), "{out}");
}
