//! `doctor` and `asterisk config`: what is missing, and what to write into which file.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::admin_client::AdminClient;
use super::args::{Choice, Piece, Target};
use super::terminal::{Cell, Style, Terminal};
use super::{Exit, Failure, block_on, load, sources};
use crate::app::{self, Check, Verdict};

/// How long a gateway may take to examine itself: a PBX and every CRM are asked.
const EXAMINATION: Duration = Duration::from_secs(60);

/// Prints what a running gateway says of itself; where none answers, everything is examined from here. Fails when something does not work.
pub(super) fn doctor(choice: &Choice, json: bool, terminal: &mut Terminal) -> Result<(), Failure> {
    let loaded = load(&sources(choice))?;
    let name = loaded.file.as_ref().map_or_else(|| "the defaults".to_owned(), |file| file.display().to_string());
    let mut checks = vec![match loaded.warnings.len() {
        0 => Check::good("configuration", name),
        count => Check::fair("configuration", format!("{name}, {count} warnings"), "run: ctigate check-config"),
    }];
    match by_itself(choice) {
        Some((address, found)) => {
            checks.push(Check::good("gateway", format!("runs; what follows is what it says itself at {address}")));
            checks.extend(found);
        }
        None => checks.extend(block_on(async { Ok(app::examine(&loaded.config).await) })?),
    }
    if json {
        let each = checks.iter().map(|check| {
            json!({"what": check.what, "verdict": word(check.verdict), "found": check.found, "advice": check.advice})
        });
        terminal.line(&Value::from_iter(each).to_string())?;
    } else {
        terminal.table(&["", "", ""], checks.iter().flat_map(rows).collect())?;
    }
    let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let (bad, fair) = (count(Verdict::Bad), count(Verdict::Fair));
    let tell = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    if bad > 0 {
        let message = tell(bad, "thing does not work", "things do not work");
        return Err(Failure::new(message).help("what to do stands behind each arrow above").exit(Exit::Failed));
    }
    if !json {
        let all = if fair == 0 { "everything is well".to_owned() } else { tell(fair, "remark", "remarks") };
        terminal.line(&all)?;
    }
    Ok(())
}

/// What a gateway that runs with this configuration says of itself, and where; `None`: none answers.
fn by_itself(choice: &Choice) -> Option<(SocketAddr, Vec<Check>)> {
    let target = Target { choice: choice.clone(), json: false };
    let client = AdminClient::of(&target).ok()?;
    let asked = block_on(client.ask(Method::GET, "/api/v1/doctor", None, EXAMINATION));
    let (_, told) = asked.ok().filter(|(status, _)| status.is_success())?;
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let check = |item: &Value| Check {
        what: text(item, "name_en"),
        verdict: match item["state"].as_str() {
            Some("green") => Verdict::Good,
            Some("amber") => Verdict::Fair,
            _ => Verdict::Bad,
        },
        found: text(item, "detail_en"),
        advice: text(item, "advice_en"),
    };
    Some((client.address(), told["items"].as_array()?.iter().map(check).collect()))
}

/// Prints pieces of Asterisk's configuration: one, or all under their names.
pub(super) fn asterisk_config(choice: &Choice, piece: Option<Piece>, terminal: &mut Terminal) -> Result<(), Failure> {
    let loaded = load(&sources(choice))?;
    if let Some(piece) = piece {
        return Ok(terminal.line(app::asterisk_config(&loaded.config, piece.word()).trim_end())?);
    }
    for (piece, file) in [
        (Piece::Manager, "manager.conf: the gateway's account"),
        (Piece::Dialplan, "extensions_cti.conf: a file of its own, as it is"),
        (Piece::Routes, "extensions.conf: include it, and choose a route"),
        (Piece::Phones, "pjsip.conf and the phones: hints"),
    ] {
        let head = format!("; ======== {file}");
        let head = terminal.paint(&head, Style::Bold);
        let text = app::asterisk_config(&loaded.config, piece.word());
        terminal.line(&format!("{head}\n\n{}\n", text.trim_end()))?;
    }
    Ok(())
}

/// The row of a check, and one that says what to do.
fn rows(check: &Check) -> Vec<Vec<Cell>> {
    let style = match check.verdict {
        Verdict::Good => Style::Good,
        Verdict::Fair => Style::Warn,
        Verdict::Bad => Style::Bad,
    };
    let mut rows =
        vec![vec![Cell::styled(word(check.verdict), style), Cell::from(&check.what), Cell::from(&check.found)]];
    if !check.advice.is_empty() {
        rows.push(vec![Cell::default(), Cell::default(), Cell::from(format!("-> {}", check.advice))]);
    }
    rows
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "ok",
        Verdict::Fair => "note",
        Verdict::Bad => "BAD",
    }
}
