//! `call`: a dynamic method of a CRM, from the command line.

use std::time::Duration;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::admin_client::{ANSWER, AdminClient, escape, refused};
use super::args::Call;
use super::terminal::{Cell, Style, Terminal};
use super::{Exit, Failure, block_on};

/// The longest that a method may declare.
const LONGEST: Duration = Duration::from_secs(60);

pub(super) fn call(call: &Call, terminal: &mut Terminal) -> Result<(), Failure> {
    let client = AdminClient::of(&call.target)?;
    let input: Map<String, Value> = call.input.iter().map(|input| (input.key.clone(), input.value.clone())).collect();
    let mut body = json!({
        "input": input,
        "late_ms": millis(call.late),
        "fallback": call.fallback,
        "link": call.link,
        "userlogin": call.user,
        "chainid": call.chain,
    });
    if let Some(deadline) = call.deadline {
        body["deadline_ms"] = millis(deadline).into();
    }
    let path = format!("/api/v1/methods/{}", escape(&call.method));
    let wait = call.deadline.unwrap_or(LONGEST) + ANSWER;
    let (status, answer) = block_on(client.ask(Method::POST, &path, Some(&body), wait))?;
    let outcome = answer.get("outcome").and_then(Value::as_str);
    let found = matches!(outcome, Some("ok" | "fallback"));
    if call.target.json {
        terminal.line(&answer.to_string())?;
        return if found { Ok(()) } else { Err(Failure::quiet(Exit::Failed)) };
    }
    let Some(outcome) = outcome else { return Err(refused(status, &answer)) };
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    if !found {
        let said = super::terminal::escaped(text("errormsg"));
        let why = if said.is_empty() { outcome.to_owned() } else { format!("{outcome}: {said}") };
        return Err(Failure::new(why).help(advice(outcome)));
    }
    let shown = terminal.paint(outcome, if outcome == "ok" { Style::Good } else { Style::Warn });
    let line = format!("{shown}  {}", super::terminal::escaped(text("executionid")));
    terminal.line(line.trim_end())?;
    let output = answer.get("output").and_then(Value::as_object);
    let rows = output.into_iter().flatten().map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        vec![Cell::from(format!("  {name}")), Cell::from(value)]
    });
    let rows = rows.collect();
    Ok(terminal.table(&["", ""], rows)?)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What to do about an outcome that is no result.
fn advice(outcome: &str) -> &'static str {
    match outcome {
        "no_link" => "\"ctigate status\" shows which links are up",
        "open_circuit" => "the CRM failed too often; it is tried again after 10 s",
        "timeout" => "a longer --deadline gives the CRM more time",
        _ => "",
    }
}
