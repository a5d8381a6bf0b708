//! `check-config` and `print-config`: the configuration without running it.

use std::collections::{BTreeMap, BTreeSet};

use super::args::Choice;
use super::terminal::{Cell, Style, Terminal};
use super::{Exit, Failure, load, sources};
use crate::app;
use crate::config::{Config, Link, Loaded, PbxKind, Place};

/// Sums up a configuration that can be used.
pub(super) fn check(choice: &Choice, terminal: &mut Terminal) -> Result<(), Failure> {
    let loaded = load(&sources(choice))?;
    Terminal::errors().findings(&[], &loaded.warnings)?;
    app::check(&loaded.config).map_err(|error| Failure::new(error.to_string()).exit(Exit::Config))?;
    let name = loaded.file.as_ref().map_or_else(|| "the defaults".to_owned(), |file| file.display().to_string());
    let ok = terminal.paint("OK", Style::Good);
    terminal.line(&format!("{ok}  {name}"))?;
    terminal.table(&["", ""], summary(&loaded))?;
    Ok(())
}

/// Prints the configuration in effect.
pub(super) fn print(choice: &Choice, terminal: &mut Terminal) -> Result<(), Failure> {
    let loaded = load(&sources(choice))?;
    Ok(terminal.line(loaded.to_toml().trim_end())?)
}

fn summary(loaded: &Loaded) -> Vec<Vec<Cell>> {
    let config = &loaded.config;
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![Cell::from(format!("  {name}")), Cell::from(value)]);
    let web = &config.web;
    let tls = web.tls_bind.map_or_else(String::new, |address| format!("  https://{address}"));
    row("web", format!("http://{}{tls}", web.bind));
    let scheme = if web.admin_tls { "https" } else { "http" };
    row("admin", format!("{scheme}://{}", web.admin_bind));
    row("store", config.store.url.to_string());
    let stored = of_store(loaded);
    if !stored.is_empty() {
        row("", format!("has its say in {stored}"));
    }
    let pbx = match config.pbx.kind {
        PbxKind::Simulator => config
            .pbx
            .timeline
            .as_ref()
            .map_or_else(|| "simulator".to_owned(), |timeline| format!("simulator, plays {}", timeline.display())),
        PbxKind::Asterisk => {
            let asterisk = &config.pbx.asterisk;
            let tls = if asterisk.tls { ", TLS" } else { "" };
            let (user, host, port) = (&asterisk.user, &asterisk.host, asterisk.port);
            format!("asterisk, {user} at {host}:{port}{tls}, context {}", asterisk.context)
        }
    };
    row("telephone", pbx);
    if let (PbxKind::Asterisk, Some(bind)) = (config.pbx.kind, config.pbx.asterisk.agi_bind) {
        row("dialplan", format!("asks at agi://{bind}"));
    }
    row("users", people(config));
    if config.links.is_empty() {
        row("links", "none".to_owned());
    }
    for (at, link) in config.links.iter().enumerate() {
        row(if at == 0 { "links" } else { "" }, described(link));
    }
    for (at, form) in config.forms.iter().enumerate() {
        let ask = if form.ask.is_empty() { String::new() } else { format!(", asks {}", form.ask) };
        row(if at == 0 { "forms" } else { "" }, format!("{}: on {}{ask}", form.name, form.on));
    }
    for (at, queue) in config.queues.iter().enumerate() {
        let name = if queue.name.is_empty() { String::new() } else { format!(" {}", queue.name) };
        row(if at == 0 { "queues" } else { "" }, format!("{}{name}: {} users", queue.number, queue.users.len()));
    }
    rows
}

/// What the store says of the configuration: `2 users, 1 link, 3 settings`; nothing when it says nothing.
fn of_store(loaded: &Loaded) -> String {
    let mut counts = [("user", 0), ("link", 0), ("setting", 0)];
    let rows: BTreeSet<&str> = loaded
        .origins
        .values()
        .filter_map(|place| match place {
            Place::Store(row) => Some(row.as_str()),
            _ => None,
        })
        .collect();
    for row in rows {
        let kind = row.split(' ').next().unwrap_or_default();
        counts.iter_mut().filter(|(name, _)| *name == kind).for_each(|(_, count)| *count += 1);
    }
    let some = counts.iter().filter(|(_, count)| *count > 0);
    let told = some.map(|(name, count)| format!("{count} {name}{}", if *count == 1 { "" } else { "s" }));
    told.collect::<Vec<_>>().join(", ")
}

/// `5 (4 agent, 1 supervisor)`
fn people(config: &Config) -> String {
    let mut roles = BTreeMap::new();
    for user in &config.users {
        *roles.entry(user.role).or_insert(0) += 1;
    }
    match roles.is_empty() {
        true => "none".to_owned(),
        false => {
            let roles: Vec<String> = roles.iter().map(|(role, count)| format!("{count} {role}")).collect();
            format!("{} ({})", config.users.len(), roles.join(", "))
        }
    }
}

/// `crm: accept-wss 127.0.0.1:4067, digest`
fn described(link: &Link) -> String {
    let place = link.bind.map_or_else(|| link.url.clone(), |address| address.to_string());
    let format = if link.mode.accepts() { String::new() } else { format!(", {}", link.format) };
    format!("{}: {} {place}, auth {}{format}", link.name, link.mode, link.effective_auth())
}
