//! Half an hour under load, after a warm-up of half as long (`make soak`): a gateway in a process of its own, tabs that come and go, a CRM whose link breaks, calls,
//! forms and dynamic methods without a pause. Its memory must stay flat and its descriptors must come back.
//!
//! `MINUTES=n` for another length. Prints a line every half minute and the figures at the end; fails when they do not hold.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ctigate::proto::message::Format;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::support::admin::Admin;
use crate::support::peers::{HASH, text};
use crate::support::process::{Process, free_addresses, serve};
use crate::support::{FakeCrm, FakeTab, soon, until};

/// How much memory may grow after warm-up, MiB an hour.
const GROWTH: f64 = 1.0;
/// How many more descriptors there may be in the end than in the beginning: connections of the store are opened when they are needed.
const DESCRIPTORS: usize = 8;
const TABS: usize = 24;
const PEOPLE: usize = 8;

/// What happened so far.
#[derive(Default)]
struct Counts {
    messages: AtomicU64,
    logins: AtomicU64,
    executions: AtomicU64,
    forms: AtomicU64,
    calls: AtomicU64,
    links: AtomicU64,
    over: AtomicBool,
}

impl Counts {
    fn one(count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// The memory of its own (what is mapped from files is the program's code, and comes as it is touched), MiB; and descriptors.
fn memory(process: &Process) -> (f64, usize) {
    let of = |file: &str| format!("/proc/{}/{file}", process.id());
    let status = std::fs::read_to_string(of("status")).expect("Linux, and the gateway lives");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("RssAnon");
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    (kib / 1024.0, std::fs::read_dir(of("fd")).expect("descriptors").count())
}

/// The slope of a line through the points, per hour.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
    let (over, under) = points
        .iter()
        .fold((0.0, 0.0), |(over, under), p| (over + (p.0 - x) * (p.1 - y), under + (p.0 - x) * (p.0 - x)));
    if under == 0.0 { 0.0 } else { 3600.0 * over / under }
}

#[test]
fn a_slope_is_that_of_the_line() {
    let points: Vec<(f64, f64)> = (0..100).map(|i| (f64::from(i) * 36.0, 50.0 + f64::from(i) * 0.02)).collect();
    assert!((slope(&points) - 2.0).abs() < 1e-9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "three quarters of an hour: make soak"]
#[expect(clippy::print_stdout, reason = "its figures are what it is for")]
async fn memory_stays_flat_and_descriptors_come_back() {
    let minutes: u64 = std::env::var("MINUTES").ok().and_then(|m| m.parse().ok()).unwrap_or(30);
    // With the warm-up.
    let length = Duration::from_secs(90 * minutes);
    let folder = tempfile::tempdir().unwrap();
    let [web, admin, link] = free_addresses();
    let mut config = format!(
        "[web]\nbind = \"{web}\"\ntls_bind = \"\"\nadmin_bind = \"{admin}\"\n[log]\nfilter = \"warn\"\n\
         [[link]]\nname = \"crm\"\nmode = \"accept-ws\"\nbind = \"{link}\"\ntrust_users = true\n"
    );
    for n in 0..PEOPLE {
        config += &format!("[[user]]\nlogin = \"user{n}\"\nnumber = \"{}\"\npassword = \"Secret1\"\n", 101 + n);
    }
    std::fs::write(folder.path().join("ctigate.toml"), config).unwrap();
    let gateway = serve(folder.path(), web).await;
    let file = folder.path().join("data/admin.token");
    until("the token of the admin port", || std::fs::read_to_string(&file).is_ok_and(|token| !token.is_empty())).await;
    let token = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    let admin = Admin { address: admin, token };
    let (_, before) = memory(&gateway);

    let counts = Arc::new(Counts::default());
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..TABS {
        tasks.spawn(tab(web, n, Arc::clone(&counts)));
    }
    tasks.spawn(crm(link, Arc::clone(&counts)));
    tasks.spawn(programs(admin, Arc::clone(&counts)));
    let began = Instant::now();
    let (mut points, mut told) = (Vec::new(), Instant::now());
    while began.elapsed() < length {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
            Some(ended) = tasks.join_next() => panic!("somebody gave up: {ended:?}"),
        }
        let (mib, descriptors) = memory(&gateway);
        points.push((began.elapsed().as_secs_f64(), mib));
        if told.elapsed() >= Duration::from_secs(30) {
            told = Instant::now();
            println!(
                "{:5.0} s: {mib:.1} MiB, {descriptors} descriptors, {} messages",
                began.elapsed().as_secs_f64(),
                counts.messages.load(Ordering::Relaxed)
            );
        }
    }
    counts.over.store(true, Ordering::Relaxed);
    soon("everybody goes", async { while tasks.join_next().await.is_some() {} }).await;
    let mut after = memory(&gateway).1;
    for _ in 0..100 {
        if after <= before + DESCRIPTORS {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        after = memory(&gateway).1;
    }
    // The first third is warm-up: caches of the database, memories that have a bound and are not full yet, and the peaks for which the C
    // library keeps room ever after, of which the highest come late.
    let warm = &points[points.len() / 3..];
    let (growth, least) = (slope(warm), warm.iter().map(|p| p.1).fold(f64::MAX, f64::min));
    let most = warm.iter().map(|p| p.1).fold(0.0, f64::max);
    println!(
        "{minutes} minutes after a warm-up of half as long: {} messages, {} logins, {} executions, {} forms, {} calls, {} links\n\
         memory after warm-up: {least:.1} to {most:.1} MiB, {growth:+.2} MiB an hour (at most {GROWTH})\n\
         descriptors: {before} before, {after} after (at most {} more)",
        counts.messages.load(Ordering::Relaxed),
        counts.logins.load(Ordering::Relaxed),
        counts.executions.load(Ordering::Relaxed),
        counts.forms.load(Ordering::Relaxed),
        counts.calls.load(Ordering::Relaxed),
        counts.links.load(Ordering::Relaxed),
        DESCRIPTORS
    );
    for (what, count) in [
        ("logins", &counts.logins),
        ("executions", &counts.executions),
        ("forms", &counts.forms),
        ("calls", &counts.calls),
        ("links", &counts.links),
    ] {
        assert!(count.load(Ordering::Relaxed) >= minutes, "hardly any {what}");
    }
    assert!(after <= before + DESCRIPTORS, "descriptors leak: {before} before, {after} after");
    assert!(growth < GROWTH, "memory grows by {growth:.2} MiB an hour");
}

/// A tab that comes, works, goes and comes back by its session.
async fn tab(web: SocketAddr, n: usize, counts: Arc<Counts>) {
    let mut dice = SmallRng::seed_from_u64(n as u64);
    let login = format!("user{}", n % PEOPLE);
    let format = if n.is_multiple_of(2) { Format::Json } else { Format::Xml };
    let mut session = None::<String>;
    while !counts.is_over() {
        let mut tab = FakeTab::connect(web, format).await;
        let proof = match &session {
            Some(session) => format!(r#""sessionid":"{session}""#),
            None => format!(r#""Password":"{HASH}""#),
        };
        tab.0.say(&format!(r#"["login",{{"qid":"l","userlogin":"{login}",{proof}}}]"#)).await;
        let reply = tab.0.hear_named("loginresult").await;
        assert_eq!(reply.body.int("result"), Some(1), "{reply:?}");
        session = Some(text(&reply, "sessionid"));
        Counts::one(&counts.logins);
        let events = r#"["userstatechanged","pbxnumberstatechanged","linestatechanged","phoneevent","dlgcard"]"#;
        tab.0.say(&format!(r#"["subscribeevent",{{"qid":"s","eventmethod":{events}}}]"#)).await;
        for round in 0..dice.random_range(20..80) {
            if counts.is_over() {
                break;
            }
            let order = match dice.random_range(0..12) {
                0 => format!(r#"["pbxautocallstart",{{"qid":"o","number":"{}"}}]"#, 101 + dice.random_range(0..PEOPLE)),
                1 | 2 => r#"["pbxanswercall",{"qid":"o"}]"#.to_owned(),
                3 | 4 => r#"["pbxabortcall",{"qid":"o"}]"#.to_owned(),
                5..=7 => {
                    Counts::one(&counts.executions);
                    format!(r#"["executemethod",{{"qid":"o","name":"Find","inputparameters":{{"phone":"{round}"}}}}]"#)
                }
                8 => r#"["getpbxnumbers",{"qid":"o"}]"#.to_owned(),
                _ => r#"["getextendedlineinfo",{"qid":"o"}]"#.to_owned(),
            };
            tab.0.say(&order).await;
            // Its reply, and whatever else is told meanwhile; a card is answered.
            loop {
                let heard = tab.0.hear().await;
                Counts::one(&counts.messages);
                if &*heard.name == "dlgcard_showformdialog" {
                    Counts::one(&counts.forms);
                    let card = text(&heard, "cardid");
                    tab.0
                        .say(&format!(r#"["dlgcard_values",{{"qid":"c","cardid":"{card}","values":{{"note":"x"}}}}]"#))
                        .await;
                }
                if heard.body.text("qid").as_deref() == Some("o") {
                    break;
                }
            }
            tokio::time::sleep(Duration::from_millis(dice.random_range(20..300))).await;
        }
        if dice.random_bool(0.5) {
            tab.0.ws.close(1000, "").await;
        }
    }
}

/// A CRM whose link breaks now and then.
async fn crm(link: SocketAddr, counts: Arc<Counts>) {
    let methods = r#"[{"name":"Find","inputparameters":[{"name":"phone","type":"string"}],"outputparameters":[{"name":"who","type":"string"}]}]"#;
    while !counts.is_over() {
        let mut crm = FakeCrm::connect(link, Format::Json).await;
        crm.introduce(methods, "[]", "[]").await;
        Counts::one(&counts.links);
        let until = Instant::now() + Duration::from_secs(25);
        while Instant::now() < until && !counts.is_over() {
            let Ok(heard) = tokio::time::timeout(Duration::from_millis(500), crm.0.hear()).await else { continue };
            if &*heard.name == "executemethod" {
                let (qid, id) = (text(&heard, "qid"), text(&heard, "executionid"));
                crm.0
                    .say(&format!(
                        r#"["methodresult",{{"qid":"{qid}","executionid":"{id}","result":1,"outputparameters":{{"who":"Ann"}}}}]"#
                    ))
                    .await;
            }
        }
    }
}

/// Calls from outside and forms, by the interface; and somebody who looks.
async fn programs(admin: Admin, counts: Arc<Counts>) {
    let mut dice = SmallRng::seed_from_u64(7);
    while !counts.is_over() {
        let person = dice.random_range(0..PEOPLE);
        let (method, path, body) = match dice.random_range(0..6) {
            0 | 1 => {
                Counts::one(&counts.calls);
                let called = (101 + person).to_string();
                ("POST", "/api/v1/sim", Some(json!({"op": "incoming", "caller": "79001112233", "called": called})))
            }
            2 => ("POST", "/api/v1/sim", Some(json!({"op": "hangup", "number": (101 + person).to_string()}))),
            3 => ("POST", "/api/v1/forms", Some(json!({"name": "card", "userlogin": format!("user{person}")}))),
            4 => ("GET", "/metrics", None),
            _ => ("GET", "/api/v1/overview", None),
        };
        // What does not fit the moment is refused.
        admin.raw(method, path, body.as_ref()).await;
        tokio::time::sleep(Duration::from_millis(dice.random_range(100..600))).await;
    }
}
