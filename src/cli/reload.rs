//! `reload`: a running gateway reads its configuration again, and says what is another.

use hyper::{Method, StatusCode};
use serde_json::Value;

use super::admin_client::{ANSWER, AdminClient, refused};
use super::args::Target;
use super::terminal::{Cell, Style, Terminal};
use super::{Exit, Failure, block_on};

pub(super) fn reload(target: &Target, terminal: &mut Terminal) -> Result<(), Failure> {
    let client = AdminClient::of(target)?;
    // Links that are opened anew say goodbye first.
    let (status, answer) = block_on(client.ask(Method::POST, "/api/v1/reload", None, 3 * ANSWER))?;
    if target.json {
        terminal.line(&answer.to_string())?;
    }
    let findings = answer["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !target.json {
        tell_findings(findings)?;
    }
    match status {
        StatusCode::OK if target.json => Ok(()),
        StatusCode::OK => tell_changes(answer["changes"].as_array().map(Vec::as_slice).unwrap_or_default(), terminal),
        StatusCode::CONFLICT if !findings.is_empty() => {
            Err(Failure::new("the configuration has errors; nothing was changed").exit(Exit::Config))
        }
        status => Err(refused(status, &answer)),
    }
}

/// The changes as a table, with what each does.
pub(super) fn tell_changes(changes: &[Value], terminal: &mut Terminal) -> Result<(), Failure> {
    if changes.is_empty() {
        return Ok(terminal.line("nothing has changed")?);
    }
    let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
    let rows = changes.iter().map(|change| {
        let effect = text(&change["effect"]);
        let style = match effect.as_str() {
            "now" => Style::Good,
            "relink" => Style::Warn,
            _ => Style::Bad,
        };
        let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
        let was = Cell::styled(or(text(&change["was"]), "(nothing)"), Style::Dim);
        vec![
            Cell::from(text(&change["key"])),
            was,
            Cell::from(or(text(&change["is"]), "(nothing)")),
            Cell::styled(effect, style),
        ]
    });
    terminal.table(&["KEY", "WAS", "IS", "EFFECT"], rows.collect())?;
    if changes.iter().any(|change| change["effect"] == "restart") {
        terminal.line("what says restart counts after the next start of the gateway")?;
    }
    Ok(())
}

/// What is wrong or deserves a warning, on standard error.
pub(super) fn tell_findings(findings: &[Value]) -> Result<(), Failure> {
    let mut errors = Terminal::errors();
    let text = |of: &Value| super::terminal::escaped(of.as_str().unwrap_or_default());
    for finding in findings {
        let keys: Vec<String> = finding["keys"].as_array().into_iter().flatten().map(text).collect();
        let keys = if keys.is_empty() { String::new() } else { format!("{}: ", keys.join(", ")) };
        errors.line(&format!("{}: {keys}{}", text(&finding["severity"]), text(&finding["message"])))?;
        for (before, what) in [("  --> ", &finding["place"]), ("  help: ", &finding["help"])] {
            let said = text(what);
            if !said.is_empty() {
                errors.line(&format!("{before}{said}"))?;
            }
        }
    }
    Ok(())
}
