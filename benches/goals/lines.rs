//! The director: one line of the table after another, rounds by turns, and what came of them.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::part::Part;
use super::plot;
use super::servers::{self, Doors};

/// How much is done.
#[derive(Clone, Copy)]
struct Scale {
    rounds: usize,
    millis: usize,
    /// Tabs that do nothing.
    idle: usize,
    /// Most tabs that work.
    tabs: usize,
    /// For how long quiet tabs are watched.
    quiet: u64,
}

/// Everything that runs all the time.
struct Stage {
    scale: Scale,
    gateway: Gateway,
    _crm: Part,
    echo: (Part, String),
    bytes: (Part, String),
    naive: Option<(Part, String, Part)>,
    /// Lost, doubled or out of order, in all runs.
    wrong: usize,
    /// All messages.
    messages: usize,
}

struct Gateway {
    part: Part,
    web: String,
    tls: String,
    links: String,
    ready_us: f64,
    /// Where another program keeps its things; gone after it.
    _folder: Option<TempDir>,
}

impl Gateway {
    fn start(links: usize) -> Self {
        Self::with(links, "")
    }

    /// With so many links, and one that is posted to where `post` is an address. It is part of this program, or the program that
    /// `BENCH_CTIGATE` names.
    fn with(links: usize, post: &str) -> Self {
        if let Some(program) = std::env::var_os("BENCH_CTIGATE") {
            return Self::foreign(&std::fs::canonicalize(program).unwrap(), links, post);
        }
        let mut part = Part::start("gateway", &[("LINKS", links.to_string()), ("POST", post.to_owned())]);
        let (web, tls, links) = (part.line(), part.line(), part.line());
        let ready_us = part.line().parse().unwrap();
        Self { part, web, tls, links, ready_us, _folder: None }
    }

    fn foreign(program: &Path, links: usize, post: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let doors = Doors::free(links);
        let config = folder.path().join("ctigate.toml");
        std::fs::write(&config, servers::configuration(folder.path(), &doors, post)).unwrap();
        let began = Instant::now();
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(config).current_dir(folder.path());
        let part = Part::foreign(command);
        while [doors.web].iter().chain(&doors.links).any(|door| TcpStream::connect(door).is_err()) {
            assert!(began.elapsed() < Duration::from_secs(30), "{} does not listen", program.display());
            std::thread::sleep(Duration::from_millis(1));
        }
        let ready_us = began.elapsed().as_micros() as f64;
        let links = doors.links.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        Self { part, web: doors.web.to_string(), tls: doors.tls.to_string(), links, ready_us, _folder: Some(folder) }
    }

    fn crm(&self) -> Part {
        let mut crm = Part::start("crm", &[("LINKS", self.links.clone())]);
        self.links.split(' ').for_each(|_| assert_eq!(crm.line(), "linked"));
        crm
    }
}

/// What one run of a load gave.
struct Run {
    /// Server CPU a message.
    cpu_us: f64,
    p50_us: f64,
    p99_us: f64,
    /// Messages a second.
    rate: f64,
}

/// What the tabs do.
struct Load<'a> {
    role: &'a str,
    kind: &'a str,
    tabs: usize,
    flight: usize,
    bytes: usize,
    pace: usize,
    links: usize,
}

const CALL: Load<'_> = Load { role: "tabs", kind: "call", tabs: 100, flight: 1, bytes: 128, pace: 0, links: 1 };

impl Load<'_> {
    /// The same, against an echo.
    const fn echo(&self) -> Self {
        Self { role: "tabs", kind: "echo", ..*self }
    }
}

fn run(server: &Part, target: &str, load: &Load<'_>, scale: Scale, sums: &mut (usize, usize)) -> Run {
    let mut part = Part::start(
        load.role,
        &[
            ("TARGET", target.to_owned()),
            ("KIND", load.kind.to_owned()),
            ("TABS", load.tabs.to_string()),
            ("FLIGHT", load.flight.to_string()),
            ("BYTES", load.bytes.to_string()),
            ("PACE", load.pace.to_string()),
            ("LINKS", load.links.to_string()),
            ("MILLIS", scale.millis.to_string()),
        ],
    );
    assert_eq!(part.line(), "ready");
    let before = server.cpu();
    part.go();
    let line = part.line();
    let cpu = server.cpu() - before;
    part.go();
    let f: Vec<usize> = line.split(' ').map(|n| n.parse().unwrap()).collect();
    let (done, sent, wrong) = (f[0], f[1], f[2]);
    assert!(done > 0, "nothing was measured");
    sums.0 += sent.abs_diff(done) + wrong;
    sums.1 += sent;
    Run {
        cpu_us: cpu.as_secs_f64() * 1e6 / done as f64,
        p50_us: f[3] as f64,
        p99_us: f[4] as f64,
        rate: done as f64 / (f[5] as f64 / 1e6).max(1e-9),
    }
}

/// Median, least and most.
fn spread(mut all: Vec<f64>) -> (f64, f64, f64) {
    all.sort_by(f64::total_cmp);
    (all[all.len() / 2], all[0], all[all.len() - 1])
}

/// A line and what measures it.
type Named = (&'static str, fn(&mut Stage));

fn median(all: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    spread(all.iter().map(of).collect()).0
}

pub(crate) fn director() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let number = |name: &str, usual| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(usual);
    let smoke = words.iter().any(|w| w == "smoke");
    let scale = if smoke {
        Scale { rounds: 1, millis: 300, idle: 50, tabs: 50, quiet: 1 }
    } else {
        Scale {
            rounds: number("BENCH_ROUNDS", 5),
            millis: number("BENCH_MILLIS", 2000),
            idle: number("BENCH_IDLE", 9000),
            tabs: 1000,
            quiet: 20,
        }
    };
    let all = words.iter().all(|w| w == "smoke" || w == "growth");
    let wanted = |name: &str| all || words.iter().any(|w| w == name);
    let gateway = Gateway::start(1);
    let crm = gateway.crm();
    let one = |role| {
        let mut part = Part::start(role, &[]);
        let at = part.line();
        (part, at)
    };
    let mut stage =
        Stage { scale, _crm: crm, gateway, echo: one("echo"), bytes: one("bytes"), naive: None, wrong: 0, messages: 0 };
    let mut measured = 0;
    println!(
        "Server CPU by the kernel's counters, rounds A B A B, median of {} (least..most). Ratio: what the other costs by what the gateway costs.\n",
        scale.rounds
    );
    println!(
        "{:<54} {:>9} {:>9} {:>7}  {:>13}  {:>6} {:>6}",
        "line", "other µs", "own µs", "ratio", "spread", "must", "moon"
    );
    let lines: [Named; 13] = [
        ("routed", routed),
        ("flight", flight),
        ("naive", naive),
        ("large", large),
        ("xml", xml),
        ("post", post),
        ("line", line),
        ("fan", fan),
        ("latency", latency),
        ("login", login),
        ("handshake", handshake),
        ("memory", memory),
        ("start", start),
    ];
    for (name, line) in lines {
        if wanted(name) {
            line(&mut stage);
            measured += 1;
        }
    }
    if words.iter().any(|w| w == "growth") {
        growth(&mut stage);
        measured += 1;
    }
    let Stage { wrong, messages, .. } = stage;
    println!("\n15 lost, doubled, out of order or unanswered in all of it: {wrong} of {messages} messages");
    if smoke {
        println!("{} passed, {} failed", measured + usize::from(wrong == 0), usize::from(wrong > 0));
    }
    if wrong == 0 && measured > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn say(name: &str, other: f64, own: f64, ratio: (f64, f64, f64), must: &str, moonshot: &str) {
    println!(
        "{name:<54} {other:>9.2} {own:>9.2} {:>7.2}  {:>13}  {must:>6} {moonshot:>6}",
        ratio.0,
        format!("{:.2}..{:.2}", ratio.1, ratio.2)
    );
}

impl Stage {
    /// The load against the gateway and the other load against an echo, by turns; the ratio is what `other` makes of the second
    /// by the first.
    fn against_echo(&mut self, own: &Load<'_>, other: &Load<'_>) -> (Vec<Run>, Vec<Run>) {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let mut sums = (0, 0);
        for _ in 0..self.scale.rounds {
            a.push(run(&self.echo.0, &self.echo.1, other, self.scale, &mut sums));
            b.push(run(&self.gateway.part, &self.gateway.web, own, self.scale, &mut sums));
        }
        self.wrong += sums.0;
        self.messages += sums.1;
        (a, b)
    }

    fn compare(&mut self, name: &str, own: &Load<'_>, must: &str, moonshot: &str) {
        let (a, b) = self.against_echo(own, &own.echo());
        let ratio = spread(a.iter().zip(&b).map(|(a, b)| a.cpu_us / b.cpu_us).collect());
        say(name, median(&a, |r| r.cpu_us), median(&b, |r| r.cpu_us), ratio, must, moonshot);
    }
}

fn routed(stage: &mut Stage) {
    for tabs in [100, stage.scale.tabs] {
        let tabs = tabs.min(stage.scale.tabs);
        stage.compare(
            &format!(" 1 routed call, {tabs} tabs, 1 in flight, 128 B"),
            &Load { tabs, ..CALL },
            "0.70",
            "1.00",
        );
    }
}

fn flight(stage: &mut Stage) {
    let tabs = 100.min(stage.scale.tabs);
    // As the echo that writes one message at a time is loaded, and against the lone echo of line 1.
    stage.compare(
        &format!(" 2 routed call, {tabs} tabs, 8 in flight"),
        &Load { tabs, flight: 8, ..CALL },
        "1.5",
        "3.5",
    );
    let own = Load { tabs, flight: 8, ..CALL };
    let (a, b) = stage.against_echo(&own, &Load { tabs, ..CALL }.echo());
    let ratio = spread(a.iter().zip(&b).map(|(a, b)| a.cpu_us / b.cpu_us).collect());
    let name = "   the same against an echo with 1 in flight";
    say(name, median(&a, |r| r.cpu_us), median(&b, |r| r.cpu_us), ratio, "", "");
}

fn naive(stage: &mut Stage) {
    let mut part = Part::start("naive", &[]);
    let (web, link) = (part.line(), part.line());
    let mut crm = Part::start("crm", &[("LINKS", link)]);
    assert_eq!(crm.line(), "linked");
    stage.naive = Some((part, web, crm));
    for flight in [1, 8] {
        let load = Load { tabs: 100.min(stage.scale.tabs), flight, ..CALL };
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let mut sums = (0, 0);
        let Some((part, web, _)) = &stage.naive else { return };
        for _ in 0..stage.scale.rounds {
            a.push(run(part, web, &load, stage.scale, &mut sums));
            b.push(run(&stage.gateway.part, &stage.gateway.web, &load, stage.scale, &mut sums));
        }
        stage.wrong += sums.0;
        stage.messages += sums.1;
        let ratio = spread(a.iter().zip(&b).map(|(a, b)| a.cpu_us / b.cpu_us).collect());
        let name = format!(" 3 routed call, {flight} in flight, against a naive router");
        say(&name, median(&a, |r| r.cpu_us), median(&b, |r| r.cpu_us), ratio, "1.5", "1.8");
    }
    stage.naive = None;
}

fn large(stage: &mut Stage) {
    let tabs = 100.min(stage.scale.tabs);
    stage.compare(" 4 routed call, 2 KiB, 1 in flight", &Load { tabs, bytes: 2048, ..CALL }, "0.70", "0.95");
}

fn xml(stage: &mut Stage) {
    let tabs = 100.min(stage.scale.tabs);
    // Of the same content; in XML it is longer.
    let own = Load { tabs, kind: "xml", bytes: 220, ..CALL };
    let (a, b) = stage.against_echo(&own, &Load { tabs, ..CALL }.echo());
    let ratio = spread(a.iter().zip(&b).map(|(a, b)| a.cpu_us / b.cpu_us).collect());
    let name = " 5 routed call, tab in XML, link in JSON";
    say(name, median(&a, |r| r.cpu_us), median(&b, |r| r.cpu_us), ratio, "0.45", "0.60");
}

/// A CRM that is posted to: one exchange for each call.
fn post(stage: &mut Stage) {
    let mut crm = Part::start("hook", &[]);
    let url = crm.line();
    let mut bare = Part::start("poster", &[("POST", url.clone())]);
    let at = bare.line();
    let gateway = Gateway::with(0, &url);
    assert_eq!(crm.line(), "linked");
    let own = Load { tabs: 100.min(stage.scale.tabs), ..CALL };
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let mut sums = (0, 0);
    for _ in 0..stage.scale.rounds {
        a.push(run(&bare, &at, &own.echo(), stage.scale, &mut sums));
        b.push(run(&gateway.part, &gateway.web, &own, stage.scale, &mut sums));
    }
    stage.wrong += sums.0;
    stage.messages += sums.1;
    let ratio = spread(a.iter().zip(&b).map(|(a, b)| a.cpu_us / b.cpu_us).collect());
    let name = "   a call posted to the CRM; an echo that posts by hyper";
    say(name, median(&a, |r| r.cpu_us), median(&b, |r| r.cpu_us), ratio, "", "");
    println!("   exchanges a second: {:.0}, the echo's {:.0}", median(&b, |r| r.rate), median(&a, |r| r.rate));
}

fn line(stage: &mut Stage) {
    let tabs = stage.scale.tabs;
    let load = Load { tabs, kind: "line", ..CALL };
    stage.compare(&format!(" 6 getextendedlineinfo, {tabs} tabs"), &load, "0.70", "0.95");
}

fn fan(stage: &mut Stage) {
    let tabs = stage.scale.tabs;
    let load = Load { role: "fan", kind: "call", tabs, ..CALL };
    let (a, b) = stage.against_echo(&load, &Load { tabs, ..CALL }.echo());
    let ratio = spread(a.iter().zip(&b).map(|(a, b)| a.cpu_us / 2.0 / b.cpu_us).collect());
    let name = format!(" 7 a delivery to {tabs} tabs, 1 event; half an echo");
    say(&name, median(&a, |r| r.cpu_us) / 2.0, median(&b, |r| r.cpu_us), ratio, "0.75", "0.95");
    let load = Load { flight: 8, ..load };
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let mut sums = (0, 0);
    for _ in 0..stage.scale.rounds {
        let bytes = Load { tabs: 100.min(tabs), flight: 32, ..CALL }.echo();
        a.push(run(&stage.bytes.0, &stage.bytes.1, &bytes, stage.scale, &mut sums));
        b.push(run(&stage.gateway.part, &stage.gateway.web, &load, stage.scale, &mut sums));
    }
    stage.wrong += sums.0;
    stage.messages += sums.1;
    let ratio = spread(a.iter().zip(&b).map(|(a, b)| b.cpu_us / a.cpu_us).collect());
    let name = " 8 a delivery, 8 events; times a byte echo's 32 (less is better)";
    say(name, median(&a, |r| r.cpu_us), median(&b, |r| r.cpu_us), ratio, "4", "3");
}

fn latency(stage: &mut Stage) {
    let tabs = stage.scale.tabs;
    let mut sums = (0, 0);
    let most = Load { tabs, ..CALL };
    let full = run(&stage.gateway.part, &stage.gateway.web, &most, stage.scale, &mut sums);
    let (mut ratios, mut own, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..stage.scale.rounds {
        let load = Load { tabs, pace: (full.rate / 2.0) as usize, ..CALL };
        let a = run(&stage.echo.0, &stage.echo.1, &load.echo(), stage.scale, &mut sums);
        let b = run(&stage.gateway.part, &stage.gateway.web, &load, stage.scale, &mut sums);
        ratios.push(b.p99_us / a.p99_us.max(1.0));
        other.push(a);
        own.push(b);
    }
    stage.wrong += sums.0;
    stage.messages += sums.1;
    let name = format!("13 p99 at half of {:.0} calls/s, times an echo's (less)", full.rate);
    say(&name, median(&other, |r| r.p99_us), median(&own, |r| r.p99_us), spread(ratios), "2", "1.5");
    println!(
        "   p50 then {:.0} µs, an echo's {:.0}; at full load p50 {:.0} µs, p99 {:.0} µs",
        median(&own, |r| r.p50_us),
        median(&other, |r| r.p50_us),
        full.p50_us,
        full.p99_us
    );
}

fn login(stage: &mut Stage) {
    for (at_once, name) in [(1, "one after another"), (32, "32 at once")] {
        let load = Load { role: "logins", tabs: 500.min(stage.scale.idle), flight: at_once, ..CALL };
        let echo = Load { kind: "echo", ..load };
        let (b, a) = stage.against_echo(&load, &echo);
        let (middle, least, most) = spread(b.iter().map(|r| r.cpu_us).collect());
        let echo = median(&a, |r| r.cpu_us);
        println!(
            "12 accepting and logging in a tab by session, {name}: {middle:.0} µs ({least:.0}..{most:.0}); must 60, moonshot 30; a bare upgrade with one echo {echo:.0}"
        );
    }
}

fn handshake(stage: &mut Stage) {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let mut sums = (0, 0);
    let mut bare = Part::start("tls", &[]);
    let at = bare.line();
    let load = Load { role: "handshakes", tabs: 500.min(stage.scale.idle), ..CALL };
    for _ in 0..stage.scale.rounds {
        a.push(run(&bare, &at, &load, stage.scale, &mut sums));
        b.push(run(&stage.gateway.part, &stage.gateway.tls, &load, stage.scale, &mut sums));
    }
    stage.messages += sums.1;
    let ratio = spread(a.iter().zip(&b).map(|(a, b)| b.cpu_us / a.cpu_us).collect());
    let name = "11 TLS handshake with upgrade, times bare rustls (less)";
    say(name, median(&a, |r| r.cpu_us), median(&b, |r| r.cpu_us), ratio, "1.25", "1.05");
}

/// Memory of quiet tabs, and what they cost while they are quiet. Each in a gateway of its own, so that nothing was freed before.
fn memory(stage: &mut Stage) {
    for (tls, name, must, moonshot) in [(0, " 9 plain", 6.0, 3.0), (1, "10 TLS", 14.0, 9.0)] {
        let count = stage.scale.idle;
        let gateway = Gateway::start(1);
        let _crm = gateway.crm();
        let target = if tls == 1 { &gateway.tls } else { &gateway.web };
        let start = |tabs: usize| {
            let arguments = [("TARGET", target.clone()), ("TABS", tabs.to_string()), ("TLS", tls.to_string())];
            let mut part = Part::start("idle", &arguments);
            assert_eq!(part.line(), "ready");
            part
        };
        // Everybody has logged in before, so that what a person costs is not counted as a tab's.
        drop(start(count.min(servers::PEOPLE)));
        std::thread::sleep(Duration::from_secs(stage.scale.quiet.min(6)));
        let before = gateway.part.memory();
        let _idle = start(count);
        std::thread::sleep(Duration::from_secs(2));
        let each = (gateway.part.memory() - before) / count as f64 / 1024.0;
        println!("{name}: {each:.2} KiB a logged-in tab, {count} tabs; must {must}, moonshot {moonshot}");
        let cpu = gateway.part.cpu();
        std::thread::sleep(Duration::from_secs(stage.scale.quiet));
        let share = (gateway.part.cpu() - cpu).as_secs_f64() / stage.scale.quiet as f64 * 100.0;
        println!(
            "{}14 {count} quiet tabs: {share:.2} % of a core; must 3, moonshot 1 (plain)",
            if tls == 1 { "   TLS, " } else { "" }
        );
        stage.messages += count;
    }
}

fn start(stage: &mut Stage) {
    let mut all = vec![stage.gateway.ready_us / 1000.0];
    for _ in 1..stage.scale.rounds.max(2) {
        all.push(Gateway::start(1).ready_us / 1000.0);
    }
    let (middle, least, most) = spread(all);
    println!(
        "16 start to ready, 1,000 people, empty store: {middle:.0} ms ({least:.0}..{most:.0}); must 300, moonshot 100"
    );
    // What `BENCH_CTIGATE` measures is what is looked at.
    let shipped = std::env::var_os("BENCH_CTIGATE").unwrap_or_else(|| "target/guided/ctigate".into());
    match std::fs::metadata(&shipped) {
        Ok(binary) => println!("   binary: {:.1} MB; must 25, moonshot 15", binary.len() as f64 / 1e6),
        Err(_) => println!("   binary: no {} to look at (scripts/guided.sh)", shipped.display()),
    }
}

/// The most tabs of one run: what an address may connect is bounded, and the links and the load connect as well.
const MOST: usize = 9500;

/// The cost of a call by the number of tabs and of links.
fn growth(stage: &mut Stage) {
    let mut lines = Vec::new();
    println!("\ngrowth: µs CPU a call\n{:>8} {:>8} {:>8} {:>8}", "tabs", "1 link", "4 links", "16 links");
    let sizes: Vec<usize> =
        [10, 100, 1000, MOST].into_iter().filter(|n| *n <= stage.scale.idle.max(1000) + 1000).collect();
    let mut table = vec![Vec::new(); sizes.len()];
    for links in [1, 4, 16] {
        let gateway = Gateway::start(links);
        let _crm = gateway.crm();
        let mut points = Vec::new();
        for (row, tabs) in sizes.iter().enumerate() {
            let mut sums = (0, 0);
            let load = Load { tabs: *tabs, links, ..CALL };
            let runs: Vec<Run> =
                (0..3).map(|_| run(&gateway.part, &gateway.web, &load, stage.scale, &mut sums)).collect();
            stage.wrong += sums.0;
            stage.messages += sums.1;
            let cost = median(&runs, |r| r.cpu_us);
            table[row].push(cost);
            points.push((*tabs as f64, cost));
        }
        let name = if links == 1 { "1 link".to_owned() } else { format!("{links} links") };
        lines.push(plot::Line { name, points });
    }
    let mut points = Vec::new();
    for tabs in &sizes {
        let mut sums = (0, 0);
        let load = Load { tabs: *tabs, ..CALL }.echo();
        let runs: Vec<Run> = (0..3).map(|_| run(&stage.echo.0, &stage.echo.1, &load, stage.scale, &mut sums)).collect();
        points.push((*tabs as f64, median(&runs, |r| r.cpu_us)));
    }
    for (tabs, (row, echo)) in sizes.iter().zip(table.iter().zip(&points)) {
        let cells: Vec<_> = row.iter().map(|c| format!("{c:>8.2}")).collect();
        println!("{tabs:>8} {}   echo {:.2}", cells.join(" "), echo.1);
    }
    lines.push(plot::Line { name: "bare echo".to_owned(), points });
    let svg = plot::draw("A routed call, one in flight, 128 bytes", "tabs", "µs CPU of the server", &lines);
    std::fs::write("docs/performance.svg", svg).unwrap();
    println!("drawn: docs/performance.svg");
}
