//! `audit`: who changed what.

use serde_json::{Value, json};

use super::Failure;
use super::args::Audit;
use super::terminal::{Cell, Style, Terminal};
use super::user::{moment, with_desk};
use crate::people::unix_ms;

pub(super) fn audit(asked: &Audit, terminal: &mut Terminal) -> Result<(), Failure> {
    let since = i64::try_from(asked.since.as_millis()).unwrap_or(i64::MAX);
    let since_ms = unix_ms().saturating_sub(since);
    let work = async |desk: &crate::people::Desk| Ok(desk.audit(since_ms, 0, i64::from(asked.limit)).await?);
    let mut noted = with_desk(&asked.target.choice, work)?;
    // As it happened: the newest last, where a terminal ends.
    noted.reverse();
    if asked.target.json {
        for entry in noted {
            let change = entry.change;
            let line = json!({
                "number": entry.number, "at_ms": entry.at_ms, "who": change.who, "from_where": change.from, "what": change.what,
                "about": change.about, "detail": change.detail,
            });
            terminal.line(&line.to_string())?;
        }
        return Ok(());
    }
    if noted.is_empty() {
        return Ok(terminal.line("nothing was changed in this time")?);
    }
    let rows = noted.iter().map(|entry| {
        let change = &entry.change;
        let detail = match &change.detail {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        vec![
            Cell::from(moment(entry.at_ms)),
            Cell::from(&change.who),
            Cell::from(&change.from),
            Cell::styled(&change.what, Style::Bold),
            Cell::from(&change.about),
            Cell::styled(detail, Style::Dim),
        ]
    });
    Ok(terminal.table(&["WHEN", "WHO", "FROM", "WHAT", "ABOUT", "DETAIL"], rows.collect())?)
}
