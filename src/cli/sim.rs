//! `sim`: orders for the telephone simulator of a running gateway.

use hyper::Method;
use serde_json::{Value, json};

use super::admin_client::AdminClient;
use super::args::{Order, Target};
use super::terminal::Terminal;
use super::{Failure, block_on};

pub(super) fn sim(target: &Target, order: &Order, terminal: &mut Terminal) -> Result<(), Failure> {
    let body = match order {
        Order::Incoming { caller, called } => json!({"op": "incoming", "caller": caller, "called": called}),
        Order::Answer { number } => json!({"op": "answer", "number": number}),
        Order::Hangup { number } => json!({"op": "hangup", "number": number}),
        Order::Play { file } => {
            let timeline = std::fs::read_to_string(file)
                .map_err(|error| Failure::new(format!("cannot read {}: {error}", file.display())))?;
            json!({"op": "play", "timeline": timeline})
        }
    };
    let client = AdminClient::of(target)?;
    let answer = block_on(client.ask_ok(Method::POST, "/api/v1/sim", Some(&body)))?;
    if target.json {
        return Ok(terminal.line(&answer.to_string())?);
    }
    match answer.get("message").and_then(Value::as_str) {
        Some(said) if !said.is_empty() => Ok(terminal.line(&super::terminal::escaped(said))?),
        _ => Ok(terminal.line("done")?),
    }
}
