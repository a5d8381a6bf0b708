//! `status`: links, users, forms and calls of a running gateway.

use std::time::{SystemTime, UNIX_EPOCH};

use hyper::Method;
use serde::Deserialize;

use super::admin_client::AdminClient;
use super::args::Target;
use super::terminal::{Cell, Style, Terminal};
use super::{Failure, block_on};

/// The picture, as `/api/v1/snapshot` gives it. What it does not say is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Snapshot {
    links: Vec<Link>,
    users: Vec<User>,
    forms: Vec<Form>,
    executions: Vec<Execution>,
    calls: Vec<Call>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Link {
    name: String,
    mode: String,
    state: String,
    since_ms: i64,
    detail: String,
    crm: String,
    methods: Vec<String>,
    forms: Vec<String>,
    in_flight: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct User {
    login: String,
    name: String,
    number: String,
    state: i64,
    online: bool,
    tabs: Vec<Tab>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tab {
    door: String,
    link: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Form {
    name: String,
    login: String,
    since_ms: i64,
    shown: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Execution {
    method: String,
    link: String,
    asked_by: String,
    since_ms: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Call {
    caller: String,
    called: String,
    state: String,
    number: String,
    since_ms: i64,
}

pub(super) fn status(target: &Target, terminal: &mut Terminal) -> Result<(), Failure> {
    let client = AdminClient::of(target)?;
    let answer = block_on(client.ask_ok(Method::GET, "/api/v1/snapshot", None))?;
    if target.json {
        return Ok(terminal.line(&answer.to_string())?);
    }
    let snapshot: Snapshot = serde_json::from_value(answer).map_err(|error| {
        Failure::new(format!("the picture cannot be read: {error}")).help("is the gateway of another version?")
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(show(&snapshot, i64::try_from(now.as_millis()).unwrap_or(i64::MAX), terminal)?)
}

fn show(snapshot: &Snapshot, now_ms: i64, terminal: &mut Terminal) -> std::io::Result<()> {
    let links = snapshot.links.iter().map(|link| {
        let style = match link.state.as_str() {
            "up" => Style::Good,
            "refused" | "competing" => Style::Bad,
            _ => Style::Warn,
        };
        vec![
            Cell::styled(&link.name, Style::Bold),
            Cell::from(&link.mode),
            Cell::styled(&link.state, style),
            Cell::from(age(link.since_ms, now_ms)),
            Cell::from(&link.crm),
            Cell::from(link.methods.join(" ")),
            Cell::from(link.forms.join(" ")),
            Cell::from(link.in_flight.to_string()),
            Cell::from(&link.detail),
        ]
    });
    let names = ["LINK", "MODE", "STATE", "FOR", "CRM", "METHODS", "FORMS", "WAITING", "DETAIL"];
    section(terminal, "no links", &names, links.collect())?;
    let users = snapshot.users.iter().map(|user| {
        let (online, style) = if user.online { ("yes", Style::Good) } else { ("no", Style::Dim) };
        vec![
            Cell::styled(&user.login, Style::Bold),
            Cell::from(&user.name),
            Cell::from(&user.number),
            Cell::styled(online, style),
            Cell::from(state_name(user.state)),
            Cell::from(tabs(&user.tabs)),
        ]
    });
    terminal.line("")?;
    section(terminal, "no users", &["USER", "NAME", "NUMBER", "ONLINE", "STATE", "TABS"], users.collect())?;
    let calls = snapshot.calls.iter().map(|call| {
        [&call.caller, &call.called, &call.state, &call.number, &age(call.since_ms, now_ms)].map(Cell::from).to_vec()
    });
    optional(terminal, &["CALLER", "CALLED", "STATE", "NUMBER", "FOR"], calls.collect())?;
    let forms = snapshot.forms.iter().map(|form| {
        [&form.name, &form.login, &form.shown.to_string(), &age(form.since_ms, now_ms)].map(Cell::from).to_vec()
    });
    optional(terminal, &["FORM", "USER", "TABS", "FOR"], forms.collect())?;
    let executions = snapshot
        .executions
        .iter()
        .map(|run| [&run.method, &run.link, &run.asked_by, &age(run.since_ms, now_ms)].map(Cell::from).to_vec());
    optional(terminal, &["METHOD", "LINK", "ASKED BY", "FOR"], executions.collect())
}

fn section(terminal: &mut Terminal, nothing: &str, names: &[&str], rows: Vec<Vec<Cell>>) -> std::io::Result<()> {
    if rows.is_empty() { terminal.line(nothing) } else { terminal.table(names, rows) }
}

fn optional(terminal: &mut Terminal, names: &[&str], rows: Vec<Vec<Cell>>) -> std::io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    terminal.line("")?;
    terminal.table(names, rows)
}

/// `2 direct, 1 crm`
fn tabs(tabs: &[Tab]) -> String {
    let mut doors: Vec<(&str, usize)> = Vec::new();
    for tab in tabs {
        let door = if tab.link.is_empty() { tab.door.as_str() } else { tab.link.as_str() };
        match doors.iter_mut().find(|(name, _)| *name == door) {
            Some((_, count)) => *count += 1,
            None => doors.push((door, 1)),
        }
    }
    doors.iter().map(|(door, count)| format!("{count} {door}")).collect::<Vec<_>>().join(", ")
}

/// How long ago, in the two largest units.
fn age(since_ms: i64, now_ms: i64) -> String {
    if since_ms == 0 {
        return String::new();
    }
    let seconds = (now_ms - since_ms).max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// `userstateid` in a word.
fn state_name(state: i64) -> String {
    match state {
        0 => "offline".to_owned(),
        1 => "ready".to_owned(),
        2 => "break".to_owned(),
        3 => "away".to_owned(),
        5 => "busy".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_two_units() {
        let ages = [(1, "1s"), (61, "1m01s"), (3_700, "1h01m"), (90_000, "1d01h")];
        for (seconds, text) in ages {
            assert_eq!(age(1, 1 + seconds * 1000), text);
        }
        assert_eq!((age(0, 5), age(9, 5)), (String::new(), "0s".to_owned()));
    }
}
