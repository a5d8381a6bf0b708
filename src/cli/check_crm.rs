//! `check-crm`: plays the telephone server against a CRM and shows what it does wrong.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use ctigate_proto::codec;
use ctigate_proto::message::{Format, Object, Text};
use serde_json::json;

use super::args::{CheckCrm, Formats};
use super::terminal::{Cell, Style, Terminal, escaped};
use super::{Exit, Failure, block_on};
use crate::config::{Link, LinkMode, Secret};
use crate::transport::tls::make_if_missing;
use crate::transport::trial::Listener;
use crate::trial::{self, Check, Row, Settings, Verdict};

/// How long a check may take before people are shown that it runs.
const QUICK: Duration = Duration::from_secs(1);

pub(super) fn check_crm(asked: CheckCrm, terminal: &mut Terminal) -> Result<(), Failure> {
    let json = asked.json;
    let settings = settings(asked)?;
    let rows = block_on(async {
        let progress = Progress::default();
        let begun = |check: &'static Check, format| progress.begun(check, format);
        if settings.link.mode.accepts() {
            let listener = Listener::bind(&settings.link).await.map_err(|error| Failure::new(error.to_string()))?;
            let scheme = if settings.link.mode.tls() { "wss" } else { "ws" };
            let auth = settings.link.effective_auth();
            Terminal::errors().line(&format!(
                "waiting at {scheme}://{}/ for the CRM to connect (auth {auth}); Ctrl-C ends it",
                listener.address()
            ))?;
            Ok(progress.during(trial::accepting(&settings, listener, &begun)).await)
        } else {
            Ok(progress.during(trial::reaching(&settings, &begun)).await)
        }
    })?;
    if json {
        terminal.line(&serde_json::Value::from_iter(rows.iter().map(for_programs)).to_string())?;
    } else {
        show(&rows, terminal)?;
    }
    let count = |verdict| rows.iter().filter(|row| row.outcome.verdict == verdict).count();
    let tell = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let (bad, notes, made) = (count(Verdict::Bad), count(Verdict::Note), rows.len() - count(Verdict::Skipped));
    if bad > 0 {
        let message = tell(bad, "check failed", "checks failed");
        return Err(Failure::new(format!("{message}, of {made}")).help("docs/check-crm.md explains every finding"));
    }
    if !json {
        let remarks = if notes == 0 { String::new() } else { format!("; {}", tell(notes, "remark", "remarks")) };
        let all = format!("{}, nothing failed{remarks}", tell(made, "check", "checks"));
        terminal.line(&all)?;
    }
    Ok(())
}

/// What the words of the command line ask for.
fn settings(asked: CheckCrm) -> Result<Settings, Failure> {
    let usage = |message: &str| Failure::new(message).exit(Exit::Usage);
    if !asked.login.is_empty() && asked.password.is_none() {
        return Err(usage("there is a login and no password").help("give --password, or set CTIGATE_CRM_PASSWORD"));
    }
    let mut link = Link {
        name: "check-crm".to_owned(),
        auth: asked.auth,
        login: asked.login,
        password: asked.password.map(Secret::new),
        ca_file: asked.ca_file,
        danger_accept_any_certificate: asked.danger_accept_any_certificate,
        ..Link::default()
    };
    match (asked.url, asked.listen) {
        (Some(url), _) => {
            let modes = [LinkMode::DialWs, LinkMode::DialWss, LinkMode::PostHttp, LinkMode::PostHttps];
            let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
            link.mode = modes
                .into_iter()
                .find(|mode| mode.scheme().eq_ignore_ascii_case(scheme))
                .ok_or_else(|| usage("the url begins with ws://, wss://, http:// or https://").help("see --help"))?;
            if url.split('/').nth(2).is_some_and(|authority| authority.contains('@')) {
                return Err(usage("the url holds credentials").help("give them by --login and --password"));
            }
            link.url = url;
        }
        (None, Some(address)) => {
            link.bind = Some(address);
            link.mode = if asked.tls { LinkMode::AcceptWss } else { LinkMode::AcceptWs };
            if asked.tls {
                make_if_missing(&asked.certificate, &asked.key, &[address], "")
                    .map_err(|error| Failure::new(error.to_string()))?;
                (link.certificate, link.key) = (Some(asked.certificate), Some(asked.key));
            }
        }
        (None, None) => return Err(usage("give the CRM's url, or --listen ADDRESS")),
    }
    let formats = match asked.format {
        Formats::Both => vec![Format::Json, Format::Xml],
        Formats::Json => vec![Format::Json],
        Formats::Xml => vec![Format::Xml],
    };
    let mut input = Object::new();
    for given in asked.input {
        let text = Text::from(given.value.to_string());
        let value = codec::decode_value(&text, 64).map_err(|error| usage(&format!("{}: {error}", given.key)))?;
        input.set(given.key, value);
    }
    Ok(Settings { link, formats, method: asked.method, input, patience: asked.timeout, arrival: asked.wait })
}

/// The table, a piece for each format.
fn show(rows: &[Row], terminal: &mut Terminal) -> io::Result<()> {
    for part in rows.chunk_by(|a, b| a.format == b.format || b.format.is_none() || a.format.is_none()) {
        let Some(first) = part.first() else { continue };
        let format = part.iter().find_map(|row| row.format).map_or("", Format::word);
        let head = format!("{} {format}", first.way);
        let head = terminal.paint(head.trim_end(), Style::Bold);
        terminal.line(&head)?;
        let same = |a: &Row, b: &Row| a.outcome.verdict == Verdict::Skipped && a.outcome == b.outcome;
        let table = part.chunk_by(same).flat_map(|run| lines(run[0].clone(), run.len())).collect();
        terminal.table(&["", "", ""], table)?;
        terminal.line("")?;
    }
    Ok(())
}

/// The row of a check, with what was expected and what to do when it is not well. Checks that were left out for one reason
/// share a row.
fn lines(row: Row, count: usize) -> Vec<Vec<Cell>> {
    let Row { check, outcome, .. } = row;
    let style = match outcome.verdict {
        Verdict::Good => Style::Good,
        Verdict::Note => Style::Warn,
        Verdict::Bad => Style::Bad,
        Verdict::Skipped => Style::Dim,
    };
    let name = if count > 1 { format!("{} and {} more", check.name, count - 1) } else { check.name.to_owned() };
    let found = match outcome.finding {
        Some(finding) => format!("{}: {}", finding.name, outcome.found),
        None => outcome.found.clone(),
    };
    let mut rows = vec![vec![Cell::styled(outcome.verdict.word(), style), Cell::from(name), Cell::from(found)]];
    if outcome.finding.is_some() {
        for text in [format!("expected: {} ({})", check.expects, check.page), format!("-> {}", outcome.advice())] {
            rows.push(vec![Cell::default(), Cell::default(), Cell::from(text)]);
        }
    }
    rows
}

fn for_programs(row: &Row) -> serde_json::Value {
    let Row { way, format, check, outcome, took } = row;
    json!({
        "way": way.as_str(),
        "format": format.map(Format::word),
        "check": check.name,
        "does": check.does,
        "expects": check.expects,
        "page": check.page,
        "verdict": outcome.verdict.word(),
        "finding": outcome.finding.map_or("", |finding| finding.name),
        "found": escaped(&outcome.found),
        "advice": outcome.advice(),
        "ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    })
}

/// What runs now, on a terminal, when it takes more than a moment. On standard error, so that it is in nobody's file.
#[derive(Default)]
struct Progress {
    now: RefCell<Option<(String, Instant)>>,
}

impl Progress {
    fn begun(&self, check: &'static Check, format: Option<Format>) {
        let format = format.map_or_else(String::new, |format| format!("{}, ", format.word()));
        *self.now.borrow_mut() = Some((format!("{format}{}: {}", check.name, check.does), Instant::now()));
    }

    async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        if !io::stderr().is_terminal() {
            return work.await;
        }
        let mut work = std::pin::pin!(work);
        let mut tick = tokio::time::interval(QUICK / 2);
        let mut shown = false;
        loop {
            tokio::select! {
                done = &mut work => {
                    if shown {
                        draw("");
                    }
                    return done;
                }
                _ = tick.tick() => {
                    let text = match &*self.now.borrow() {
                        Some((what, since)) if since.elapsed() >= QUICK => format!("{what} ({} s)", since.elapsed().as_secs()),
                        _ => String::new(),
                    };
                    if shown || !text.is_empty() {
                        shown = !text.is_empty();
                        draw(&text);
                    }
                }
            }
        }
    }
}

/// Writes over the line that stands there. That it cannot be written is no reason to stop.
fn draw(text: &str) {
    let cut: String = text.chars().take(78).collect();
    let mut errors = io::stderr();
    let _ = write!(errors, "\r\x1b[K{cut}");
    let _ = errors.flush();
}
