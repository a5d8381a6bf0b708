//! `serve`, `demo`, `demo-crm`: what runs until it is stopped.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command};

use super::args::{Choice, DemoCrm, Setting};
use super::terminal::{Cell, Style, Terminal};
use super::{Exit, Failure, sources, unusable, with_settings};
use crate::app::{self, Addresses, BeginError, Begun, Node, StartError};
use crate::config::{Auth, Config, Finding, Link, LinkMode, Log, Secret, Sources};
use crate::demo;
use crate::runtime;
use crate::service::{self, Manager};
use crate::shutdown::Shutdown;
use crate::telemetry::logging;

/// The variable by which the demo CRM is told its password, so that it is in no list of processes.
pub(super) const CRM_PASSWORD: &str = "CTIGATE_CRM_PASSWORD";

pub(super) fn serve(choice: &Choice, log: Option<String>, record: Option<PathBuf>) -> Result<(), Failure> {
    run(with_log(sources(choice), log), false, record, |_, node| match node.first_run() {
        Some(code) => Ok(invite(node, &code)?),
        None => Ok(()),
    })
}

pub(super) fn demo(
    set: &[Setting],
    log: Option<String>,
    alone: bool,
    record: Option<PathBuf>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let mut crm = None;
    run(with_log(with_settings(Sources::demo(), set), log), true, record, |config, node| {
        if !alone {
            crm = Some(Companion::start(config, &node.addresses)?);
        }
        Ok(welcome(config, &node.addresses, terminal)?)
    })
}

/// Runs the demo CRM.
pub(super) fn demo_crm(crm: DemoCrm) -> Result<(), Failure> {
    let mode = match crm.url.split_once("://") {
        Some(("ws", _)) => LinkMode::DialWs,
        Some(("wss", _)) => LinkMode::DialWss,
        _ => return Err(Failure::new("the url begins with ws:// or wss://").exit(Exit::Usage)),
    };
    let link = Link {
        name: "gateway".to_owned(),
        mode,
        ca_file: mode.tls().then_some(crm.ca_file),
        url: crm.url,
        auth: Some(Auth::Digest),
        login: crm.login,
        password: Some(Secret::new(crm.password)),
        ..Link::default()
    };
    start_log(&Log::default())?;
    runtime()?.block_on(async {
        let shutdown = Shutdown::on_signals().map_err(no_signals)?;
        let crm = demo::run(&link, shutdown.token(), |line| tracing::info!(target: "ctigate::demo_crm", "{line}"));
        tracing::info!(url = link.url, "the demo CRM runs");
        crm.await;
        Ok(())
    })
}

/// Reads the configuration, with what the store says of it, and begins the log with it.
async fn begin(sources: Sources) -> Result<Begun, Failure> {
    let begun = app::begin(sources).await.map_err(|error| match error {
        BeginError::Config(refused) => unusable(&refused),
        BeginError::Store(error) => not_started(error.into()),
    })?;
    let loaded = &begun.loaded;
    start_log(&loaded.config.log)?;
    let file = loaded.file.as_ref().map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), config = file, "starting");
    for Finding { keys, message, help, .. } in &loaded.warnings {
        tracing::warn!(keys = keys.join(", "), help, "{message}");
    }
    Ok(begun)
}

/// Runs a gateway until it is told to stop. `ready` is called once, when it listens.
fn run(
    sources: Sources,
    demo: bool,
    record: Option<PathBuf>,
    ready: impl FnOnce(&Config, &Node) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // Before there are threads.
    let manager = Manager::from_environment();
    let inherited = service::inherited().map_err(|error| {
        Failure::new(format!("a listener that the service manager passes on cannot be used: {error}")).exit(Exit::Start)
    })?;
    runtime()?.block_on(async {
        let mut begun = begin(sources).await?;
        begun.record = record;
        let config = begun.loaded.config.clone();
        let shutdown = Shutdown::on_signals().map_err(no_signals)?;
        let node = app::start_begun(begun, demo, shutdown, inherited).await.map_err(not_started)?;
        tracing::info!(addresses = ?node.addresses, "ready");
        let told = ready(&config, &node);
        if told.is_ok() {
            manager.tell("READY=1\nSTATUS=ready");
            manager.guard(node.stop_requested(), || node.is_alive()).await;
        }
        let within = node.longest_stop().as_micros();
        manager.tell(&format!("STOPPING=1\nSTATUS=saying goodbye\nEXTEND_TIMEOUT_USEC={within}"));
        let clean = node.stop().await;
        told?;
        if clean {
            return Ok(());
        }
        let help = "the lines above say what; a longer [limits] stop_grace lets calls in flight end";
        Err(Failure::new("the gateway stopped, but something was cut off or lost").help(help).exit(Exit::Unclean))
    })
}

/// The demo CRM as a process of its own. It ends with this value.
struct Companion(Child);

impl Companion {
    fn start(config: &Config, addresses: &Addresses) -> Result<Self, Failure> {
        let failed = |why: String| Failure::new(format!("the demo CRM could not be started: {why}")).exit(Exit::Start);
        let link = config.links.first().ok_or_else(|| failed("the demo has no link".to_owned()))?;
        let address = addresses.links.iter().find(|(name, _)| *name == link.name).map(|(_, address)| address);
        let address = address.ok_or_else(|| failed("the link does not listen".to_owned()))?;
        let scheme = if link.mode.tls() { "wss" } else { "ws" };
        let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
        let child = Command::new(program)
            .args(["demo-crm", "--url", &format!("{scheme}://{address}"), "--login", &link.login, "--ca-file"])
            .arg(link.certificate.as_ref().unwrap_or(&config.web.certificate))
            .env(CRM_PASSWORD, link.password.as_ref().map(Secret::expose).unwrap_or_default())
            .stdout(io::stderr())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        tracing::info!(process = child.id(), "the demo CRM is a process of its own");
        Ok(Self(child))
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        // It may be gone already: somebody ends it to see what happens.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where the first run goes on. Asked for by nobody and printed once: whoever sees it may make the administrator.
fn invite(node: &Node, code: &str) -> io::Result<()> {
    let Some(admin) = node.addresses.admin else { return Ok(()) };
    let mut errors = Terminal::errors();
    let title = errors.paint("Nobody administers this gateway yet.", Style::Good);
    errors.line(&format!("{title} Open this address once, in a browser on this machine:"))?;
    let address = errors.paint(&format!("http://{admin}/setup?code={code}"), Style::Bold);
    errors.line(&format!("  {address}"))?;
    errors.line("It makes the administrator and connects the first CRM. It ends when it is used, or at the next start.")
}

/// What to open.
fn welcome(config: &Config, addresses: &Addresses, terminal: &mut Terminal) -> io::Result<()> {
    let people: Vec<&str> = config.users.iter().map(|user| user.login.as_str()).collect();
    let web = addresses.web.map_or_else(String::new, |address| format!("http://{address}"));
    let title = terminal.paint("The demo runs.", Style::Good);
    terminal.line(&format!("{title} Open in a browser:"))?;
    let row = |what: &str, place: String, hint: String| {
        vec![Cell::from(format!("  {what}")), Cell::styled(place, Style::Bold), Cell::from(hint)]
    };
    let rows = vec![
        row("agent's page", format!("{web}/"), format!("log in as {}; password demo", people.join(", "))),
        row("board", format!("{web}/demo"), "links, users with their tabs, messages, live".to_owned()),
        row("simulator", format!("{web}/demo/simulator"), "be the caller: dial, press keys, hold, hang up".to_owned()),
    ];
    terminal.table(&["", "", ""], rows)?;
    let line = config.queues.first().map_or("101", |queue| queue.number.as_str());
    terminal.line(&format!("Let a caller ring, in another terminal: ctigate sim incoming 79001112233 {line}"))
}

/// `--log` is short for a key.
fn with_log(sources: Sources, log: Option<String>) -> Sources {
    match log {
        None => sources,
        Some(filter) => sources.with_flag("log.filter", filter),
    }
}

fn start_log(log: &Log) -> Result<(), Failure> {
    logging::init(log).map_err(|error| Failure::new(error.to_string()).exit(Exit::Start))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidInput => Failure::new(error.to_string()),
        _ => Failure::new(format!("the system gives no threads: {error}")),
    };
    runtime::build().map_err(|error| refused(error).exit(Exit::Start))
}

#[expect(clippy::needless_pass_by_value, reason = "as it comes")]
fn no_signals(error: io::Error) -> Failure {
    Failure::new(format!("the system gives no signal handlers: {error}")).exit(Exit::Start)
}

#[expect(clippy::needless_pass_by_value, reason = "as it comes")]
fn not_started(error: StartError) -> Failure {
    let help = match &error {
        StartError::Store(error) => error.advice(),
        _ => "",
    };
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    Failure::new(message).help(help).exit(Exit::Start)
}
