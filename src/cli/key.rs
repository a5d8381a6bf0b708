//! `key`: integration keys, whether a gateway runs or not.

use ctigate_proto::auth::grant::Scope;
use serde_json::json;

use super::Failure;
use super::args::{KeyKind, KeyOrder, Target};
use super::terminal::{Cell, Style, Terminal, escaped};
use super::user::{doer, moment, said, with_desk};
use crate::config::Secret;
use crate::people::{KeyWish, Kind, unix_ms};

pub(super) fn key(order: KeyOrder, terminal: &mut Terminal) -> Result<(), Failure> {
    match order {
        KeyOrder::Add { client_id, kind, login, numbers, right, expires, choice } => {
            let after = expires.map(|after| i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
            let wish = KeyWish {
                client_id: client_id.clone(),
                kind: match kind {
                    KeyKind::Service => Kind::Service,
                    KeyKind::Widget => Kind::Widget,
                },
                login,
                numbers,
                rights: Some(right),
                expires_ms: after.map(|after| unix_ms().saturating_add(after)),
            };
            let made = with_desk(&choice, async |desk| desk.add_key(wish, &doer()).await)?;
            show(&made, terminal)?;
            said(&choice, &format!("{} is added", escaped(&client_id)), None, terminal)
        }
        KeyOrder::Replace { client_id, choice } => {
            let made = with_desk(&choice, async |desk| desk.replace_key(&client_id, &doer()).await)?;
            show(&made, terminal)?;
            said(&choice, &format!("the old key of {} counts no more", escaped(&client_id)), None, terminal)
        }
        KeyOrder::Remove { client_id, choice } => {
            with_desk(&choice, async |desk| desk.remove_key(&client_id, &doer()).await)?;
            said(&choice, &format!("{} is removed", escaped(&client_id)), None, terminal)
        }
        KeyOrder::List { target } => list(&target, terminal),
    }
}

fn show(key: &Secret, terminal: &mut Terminal) -> Result<(), Failure> {
    // On a line of its own, so that a script can take it; it is shown nowhere else.
    Ok(terminal.line(&format!("key: {}", key.expose()))?)
}

fn list(target: &Target, terminal: &mut Terminal) -> Result<(), Failure> {
    let keys = with_desk(&target.choice, async |desk| desk.keys().await)?;
    let now_ms = unix_ms();
    if target.json {
        for key in keys {
            let (login, numbers) = match &key.scope {
                Scope::Service(numbers) => (String::new(), numbers.to_string()),
                Scope::Widget(login) => (login.to_string(), String::new()),
            };
            let line = json!({
                "client_id": key.client, "kind": key.scope.word(), "login": login, "numbers": numbers, "rights": key.rights,
                "made_ms": key.made_ms, "expires_ms": key.expires_ms, "used_ms": key.used_ms, "replaced_ms": key.replaced_ms,
            });
            terminal.line(&line.to_string())?;
        }
        return Ok(());
    }
    if keys.is_empty() {
        return Ok(terminal.line("no keys; make one with: ctigate key add CLIENT_ID")?);
    }
    let rows = keys.iter().map(|key| {
        let whom = match &key.scope {
            Scope::Service(numbers) if numbers.is_all() => "everybody".to_owned(),
            Scope::Service(numbers) => numbers.to_string(),
            Scope::Widget(login) => login.to_string(),
        };
        let rights: Vec<&str> = key.rights.iter().map(|right| right.0.word()).collect();
        let (until, style) = match (key.expires_ms, key.expired(now_ms)) {
            (0, _) => ("never".to_owned(), Style::Plain),
            (at, false) => (moment(at), Style::Plain),
            (at, true) => (format!("{} (over)", moment(at)), Style::Bad),
        };
        vec![
            Cell::styled(&key.client, Style::Bold),
            Cell::from(key.scope.word()),
            Cell::from(whom),
            Cell::from(rights.join(" ")),
            Cell::from(moment(key.made_ms.max(key.replaced_ms))),
            Cell::styled(until, style),
            Cell::from(moment(key.used_ms)),
        ]
    });
    let names = ["CLIENT_ID", "KIND", "FOR", "RIGHTS", "MADE", "ENDS", "LAST USE"];
    Ok(terminal.table(&names, rows.collect())?)
}
