//! `user`: accounts of the store, whether a gateway runs or not.

use std::io::{self, IsTerminal, Read};
use std::path::Path;

use hyper::Method;
use serde_json::json;

use super::admin_client::{ANSWER, AdminClient};
use super::args::{Choice, Password, Person, Target, UserOrder};
use super::password::{ask_twice, first_line};
use super::terminal::{Cell, Style, Terminal, escaped};
use super::{Exit, Failure, block_on, sources, unusable};
use crate::app;
use crate::config::{Config, RightChange, Secret};
use crate::people::{Desk, Doer, Patch, Refused};

/// The longest table that is read, bytes.
const LONGEST: u64 = 16 << 20;

pub(super) fn user(order: UserOrder, terminal: &mut Terminal) -> Result<(), Failure> {
    match order {
        UserOrder::Add { login, person, password, choice } => {
            let mut patch = patch(person);
            match password_of(&password, io::stdin().is_terminal())? {
                None if !password.generate => {
                    return Err(Failure::new("no password is given")
                        .help("type it on a terminal, or use --password-stdin or --generate")
                        .exit(Exit::Usage));
                }
                given => patch.password = given,
            }
            patch.generate_password = password.generate;
            let made = with_desk(&choice, async |desk| desk.add(&login, patch, &doer()).await)?;
            said(&choice, &format!("{} is added", escaped(&login)), made.as_ref(), terminal)
        }
        UserOrder::Set { login, person, password, ask, no_second_factor, choice } => {
            let mut patch = patch(person);
            patch.password = password_of(&password, ask)?;
            patch.generate_password = password.generate;
            let another = patch.changes_password();
            let made = with_desk(&choice, async |desk| {
                if no_second_factor {
                    desk.remove_second_factor(&login, &doer()).await?;
                }
                match no_second_factor && patch.is_empty() {
                    true => Ok(None),
                    false => desk.set(&login, patch, &doer()).await,
                }
            })?;
            if another {
                terminal.line("the password is another now: sessions of the console have ended; whoever works with telephones stays until the next login")?;
            }
            said(&choice, &format!("{} is changed", escaped(&login)), made.as_ref(), terminal)
        }
        UserOrder::Remove { login, choice } => {
            with_desk(&choice, async |desk| desk.remove(&login, &doer()).await)?;
            said(&choice, &format!("{} is removed", escaped(&login)), None, terminal)
        }
        UserOrder::List { target } => list(&target, terminal),
        UserOrder::Import { file, only_try, choice } => import(&file, only_try, &choice, terminal),
    }
}

fn patch(person: Person) -> Patch {
    let Person { name, number, department, role, right, subordinate, api_calls, must_change, id } = person;
    let subordinates = subordinate.map(|all| all.into_iter().filter(|login| !login.is_empty()).collect());
    Patch {
        name,
        number,
        department,
        role,
        right,
        subordinates,
        api_call_enabled: api_calls,
        must_change_password: must_change,
        id,
        ..Patch::default()
    }
}

fn password_of(password: &Password, ask: bool) -> Result<Option<Secret>, Failure> {
    match password {
        Password { password_stdin: true, .. } => Ok(Some(Secret::new(first_line(io::stdin().lock())?))),
        Password { generate: true, .. } => Ok(None),
        _ if ask => Ok(Some(Secret::new(ask_twice()?))),
        _ => Ok(None),
    }
}

fn list(target: &Target, terminal: &mut Terminal) -> Result<(), Failure> {
    let people = with_desk(&target.choice, async |desk| desk.people().await)?;
    let rights = |all: &[RightChange]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    if target.json {
        for listed in people {
            let user = &listed.user;
            let line = json!({
                "login": user.login, "name": user.display_name(), "number": user.number, "department": user.department,
                "role": user.role, "rights": user.rights, "subordinates": user.subordinates,
                "api_call_enabled": user.api_call_enabled, "must_change_password": user.must_change_password,
                "origin": listed.origin, "last_sign_in_ms": listed.last_sign_in_ms, "second_factor": listed.second_factor,
            });
            terminal.line(&line.to_string())?;
        }
        return Ok(());
    }
    if people.is_empty() {
        return Ok(terminal.line("no users; add one with: ctigate user add LOGIN")?);
    }
    let rows = people.iter().map(|listed| {
        let user = &listed.user;
        let mut notes = Vec::new();
        let flags = [
            (user.must_change_password, "must change the password"),
            (listed.second_factor, "second factor"),
            (user.api_call_enabled, "programs may call"),
        ];
        notes.extend(flags.into_iter().filter_map(|(is, note)| is.then_some(note)));
        vec![
            Cell::styled(&user.login, Style::Bold),
            Cell::from(user.display_name()),
            Cell::from(&user.number),
            Cell::from(&user.department),
            Cell::from(user.role.as_str()),
            Cell::from(rights(&user.rights)),
            Cell::from(listed.origin),
            Cell::from(moment(listed.last_sign_in_ms)),
            Cell::from(notes.join(", ")),
        ]
    });
    let names = ["LOGIN", "NAME", "NUMBER", "DEPARTMENT", "ROLE", "RIGHTS", "FROM", "LAST SIGN-IN", ""];
    Ok(terminal.table(&names, rows.collect())?)
}

fn import(file: &Path, only_try: bool, choice: &Choice, terminal: &mut Terminal) -> Result<(), Failure> {
    let unreadable = |why: String| Failure::new(format!("cannot read {}: {why}", file.display()));
    let mut bytes = Vec::new();
    let read = match file.to_str() {
        Some("-") => io::stdin().lock().take(LONGEST + 1).read_to_end(&mut bytes),
        _ => std::fs::File::open(file).and_then(|table| table.take(LONGEST + 1).read_to_end(&mut bytes)),
    };
    read.map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > LONGEST {
        return Err(unreadable("it is larger than 16 MiB".to_owned()));
    }
    let table = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        unreadable(format!("line {line} is not UTF-8; save the table as \"CSV UTF-8\""))
    })?;
    let done = with_desk(choice, async |desk| desk.import(&table, only_try, &doer()).await)?;
    for refused in &done.refused {
        let place = match (refused.line, refused.column.as_str()) {
            (0, column) => column.to_owned(),
            (line, "") => format!("line {line}"),
            (line, column) => format!("line {line}, {column}"),
        };
        terminal.line(&format!("{}: {}", escaped(&place), escaped(&refused.why)))?;
    }
    let counts = format!("{} new, {} changed", done.added, done.changed);
    match (done.refused.len(), only_try) {
        (0, true) => Ok(terminal.line(&format!("it would be {counts}"))?),
        (0, false) => said(choice, &counts, None, terminal),
        (count, _) => {
            let what = if count == 1 { "mistake" } else { "mistakes" };
            Err(Failure::new(format!("{count} {what}; nothing was changed")))
        }
    }
}

/// Says what was done and the password that was made, and tells a gateway that runs.
pub(super) fn said(choice: &Choice, what: &str, made: Option<&Secret>, terminal: &mut Terminal) -> Result<(), Failure> {
    if let Some(password) = made {
        // On a line of its own, so that a script can take it; it is shown nowhere else.
        terminal.line(&format!("password: {}", password.expose()))?;
    }
    let told = tell(choice);
    terminal.line(&format!("{what}; {told}"))?;
    Ok(())
}

/// Tells a running gateway to look at its store anew. It need not run.
fn tell(choice: &Choice) -> &'static str {
    let target = Target { choice: choice.clone(), json: false };
    let Ok(client) = AdminClient::of(&target) else { return "no gateway runs here, it counts from the next start" };
    match block_on(client.ask(Method::POST, "/api/v1/reload", Some(&json!({})), ANSWER)) {
        Ok((status, _)) if status.is_success() => "the gateway that runs knows",
        Ok(_) => "the gateway that runs refused to look at it; it counts from its next start",
        Err(_) => "no gateway runs here, it counts from the next start",
    }
}

/// Does something at the desk over the store of a configuration.
pub(super) fn with_desk<T>(choice: &Choice, work: impl AsyncFnOnce(&Desk) -> Result<T, Refused>) -> Result<T, Failure> {
    let sources = sources(choice);
    // A row of the store that makes no configuration must not keep anybody from putting it right.
    let config = match block_on(async { Ok(app::effective(&sources).await) })? {
        Ok((loaded, _)) => app::without_stored_accounts(&loaded),
        Err(refused) => Config::load(&sources).map_err(|_| unusable(&refused))?.config,
    };
    block_on(async {
        let desk = Desk::open(config).await.map_err(failure)?;
        let done = work(&desk).await.map_err(failure);
        desk.close().await;
        done
    })
}

fn failure(refused: Refused) -> Failure {
    match refused {
        Refused::Store(error) => {
            let why = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
            Failure::new(format!("{error}{why}")).help(error.advice())
        }
        other => Failure::new(escaped_lines(&other.to_string())),
    }
}

fn escaped_lines(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n")
}

/// Who types this.
pub(super) fn doer() -> Doer {
    let name = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let who = match name.filter(|name| !name.is_empty()) {
        Some(name) => format!("{name} (command line)"),
        None => "command line".to_owned(),
    };
    Doer { who, from: "this machine".to_owned() }
}

/// A moment in the machine's own time; empty for none.
pub(super) fn moment(ms: i64) -> String {
    use chrono::{Local, TimeZone};

    match Local.timestamp_millis_opt(ms).single().filter(|_| ms != 0) {
        Some(moment) => moment.format("%Y-%m-%d %H:%M").to_string(),
        None => String::new(),
    }
}
