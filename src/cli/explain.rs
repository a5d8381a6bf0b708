//! `explain`: what happened to a call, a user or a form, and why something did not happen.

use hyper::{Method, StatusCode};
use serde_json::Value;

use super::admin_client::{ANSWER, AdminClient, escape, refused};
use super::args::{Explained, Language, Target};
use super::terminal::{Cell, Style, Terminal, escaped};
use super::{Exit, Failure, block_on};

pub(super) fn explain(
    target: &Target,
    kind: Explained,
    id: Option<&str>,
    last: bool,
    lang: Option<Language>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let lang = lang.unwrap_or_else(of_environment);
    let kind = match kind {
        Explained::Call => "call",
        Explained::User if last => {
            return Err(
                Failure::new("a user is named by login, number or id; --last is for calls and forms").exit(Exit::Usage)
            );
        }
        Explained::User => "user",
        Explained::Form => "form",
    };
    let id = id.filter(|_| !last).unwrap_or("last");
    let client = AdminClient::of(target)?;
    let path = format!("/api/v1/explain/{kind}/{}", escape(id));
    let (status, answer) = block_on(client.ask(Method::GET, &path, None, ANSWER))?;
    if target.json && (status.is_success() || status == StatusCode::CONFLICT) {
        return Ok(terminal.line(&answer.to_string())?);
    }
    if status == StatusCode::CONFLICT {
        terminal.table(&["id", "when", ""], candidates(&answer))?;
        return Err(refused(status, &answer).help(format!("ctigate explain {kind} with one of these ids")));
    }
    if !status.is_success() {
        return Err(refused(status, &answer));
    }
    show(&answer, lang, terminal)?;
    Ok(())
}

/// The language of the environment, by the rules of POSIX: the first of these that is set.
fn of_environment() -> Language {
    let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    if set.is_some_and(|value| value.starts_with("ru")) { Language::Ru } else { Language::En }
}

fn candidates(answer: &Value) -> Vec<Vec<Cell>> {
    let list = answer["candidates"].as_array().map(Vec::as_slice).unwrap_or_default();
    let row = |one: &Value| {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        vec![Cell::styled(text("id"), Style::Bold), Cell::from(moment(one)), Cell::from(text("text"))]
    };
    list.iter().map(row).collect()
}

fn show(answer: &Value, lang: Language, terminal: &mut Terminal) -> std::io::Result<()> {
    let suffix = if lang == Language::Ru { "ru" } else { "en" };
    let said = |value: &Value, name: &str| escaped(value[format!("{name}_{suffix}")].as_str().unwrap_or_default());
    let subject = &answer["subject"];
    let title = terminal.paint(&said(subject, "text"), Style::Bold);
    let id = terminal.paint(&escaped(subject["id"].as_str().unwrap_or_default()), Style::Dim);
    terminal.line(&format!("{title}  {id}"))?;
    let items = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = items.iter().map(|item| {
        let style = match item["level"].as_str() {
            Some("good") => Style::Good,
            Some("warn") => Style::Warn,
            Some("bad") => Style::Bad,
            _ => Style::Plain,
        };
        vec![
            Cell::styled(moment(item), Style::Dim),
            Cell::from(item["login"].as_str().unwrap_or_default()),
            Cell::styled(said(item, "text"), style),
        ]
    });
    terminal.table(&["", "", ""], rows.collect())?;
    let findings = answer["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    terminal.line("")?;
    if findings.is_empty() {
        let nothing = match lang {
            Language::En => "Nothing is known that would have kept something from happening.",
            Language::Ru => "Причин, которые чему-либо помешали, не найдено.",
        };
        return terminal.line(nothing);
    }
    let head = if lang == Language::Ru { "Причины:" } else { "Why:" };
    let head = terminal.paint(head, Style::Bold);
    terminal.line(&head)?;
    for finding in findings {
        let cause = terminal.paint(finding["cause"].as_str().unwrap_or_default(), Style::Bad);
        terminal.line(&format!("  {cause}  {}", said(finding, "text")))?;
        terminal.line(&format!("    → {}", said(finding, "advice")))?;
    }
    Ok(())
}

/// The local time of day, with its date when it is not of today.
fn moment(value: &Value) -> String {
    use chrono::{Local, TimeZone};

    let at = value["at_ms"].as_i64().and_then(|ms| Local.timestamp_millis_opt(ms).single());
    at.map_or_else(String::new, |at| {
        let today = at.date_naive() == Local::now().date_naive();
        at.format(if today { "%H:%M:%S%.3f" } else { "%Y-%m-%d %H:%M:%S%.3f" }).to_string()
    })
}
