//! `drain`: a running gateway takes nobody new, and lets whoever is there go.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::admin_client::AdminClient;
use super::args::Target;
use super::terminal::Terminal;
use super::{Failure, block_on};

/// How often it is asked how it goes.
const LOOK: Duration = Duration::from_millis(500);

pub(super) struct Wanted {
    pub(super) over: Duration,
    pub(super) back: Duration,
    pub(super) cancel: bool,
    pub(super) wait: bool,
}

pub(super) fn drain(target: &Target, wanted: &Wanted, terminal: &mut Terminal) -> Result<(), Failure> {
    let client = AdminClient::of(target)?;
    block_on(async {
        let (method, body) = match wanted.cancel {
            true => (Method::DELETE, None),
            false => {
                let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                (Method::POST, Some(json!({"over_ms": millis(wanted.over), "back_ms": millis(wanted.back)})))
            }
        };
        let mut now = client.ask_ok(method, "/api/v1/drain", body.as_ref()).await?;
        while wanted.wait && left(&now) > 0 && now["draining"] == true {
            tokio::time::sleep(LOOK).await;
            now = client.ask_ok(Method::GET, "/api/v1/drain", None).await?;
        }
        if target.json {
            return Ok(terminal.line(&now.to_string())?);
        }
        let left = left(&now);
        Ok(terminal.line(&match (now["draining"].as_bool(), left) {
            (Some(true), 0) => "nobody is left: the gateway may be stopped".to_owned(),
            (Some(true), left) => format!("connections left: {left}; they go within {} s", seconds(&now)),
            _ => format!("the gateway takes everybody; connections: {left}"),
        })?)
    })
}

fn left(now: &Value) -> u64 {
    now["left"].as_u64().unwrap_or_default()
}

fn seconds(now: &Value) -> u64 {
    now["takes_ms"].as_u64().unwrap_or_default().div_ceil(1000)
}
