//! What a known browser client makes of what it hears: it keeps no model of calls, but asks for the line whenever an event
//! tells it to, at once or some time later, and derives one of six states from the answer (`proto-spec/methods/call.md`).

use std::time::Duration;

use ctigate_proto::Time;
use ctigate_proto::message::{Object, Value};

/// A tab with the memory of such a client.
#[derive(Debug, Default)]
pub(crate) struct Client {
    /// The states it went through.
    pub(crate) states: Vec<String>,
    /// Whether the gateway dials for it and no later answer has cleared that.
    pending: bool,
    state: &'static str,
    /// When to look at the line again.
    pub(crate) reloads: Vec<Time>,
    /// Talks it was told to have begun and not to have ended.
    pub(crate) talks: i32,
}

impl Client {
    pub(crate) fn hears(&mut self, now: Time, event: &str, body: &Object) {
        let after = |ms: u64| now + Duration::from_millis(ms);
        match event {
            "phoneevent_acmcallstarted" => {
                self.pending = true;
                self.reloads.push(now);
            }
            "phoneevent_ringstarted" | "phoneevent_ringstopped" | "confcompositionchanged" => self.reloads.push(now),
            "phoneevent_acmcallstopped" => self.reloads.push(after(700)),
            "phoneevent_commstarted" => {
                self.talks += 1;
                let conference = body.get("isconference").and_then(Value::to_bool).unwrap_or(false);
                assert!(!conference || body.get("confid").is_some(), "a conference without its id");
                self.reloads.push(if conference { now } else { after(700) });
            }
            "phoneevent_commstopped" => {
                self.talks -= 1;
                self.reloads.push(after(700));
            }
            "linestatechanged" | "flashstatechanged" => self.reloads.push(after(500)),
            "userstatechanged" => {
                if !matches!(body.get("userstateid").and_then(Value::to_i64), Some(5 | 7)) {
                    self.reloads.push(now);
                }
                self.reloads.push(after(400));
            }
            _ => {}
        }
        self.reloads.sort();
        self.reloads.dedup();
    }

    /// The answer of `getextendedlineinfo`.
    pub(crate) fn sees(&mut self, line: &Object) {
        let empty = Object::new();
        let abonent = line.get("abonent").and_then(Value::as_object).expect("an object, always");
        let flag = |name: &str| abonent.get(name).and_then(Value::to_bool).unwrap_or(false);
        let text = |name: &str| abonent.get(name).and_then(Value::to_text).unwrap_or_default();
        let state_name = line.get("linestatestr").and_then(Value::to_text).expect("a state");
        if !abonent.is_empty() && !flag("isivr") {
            assert!(!text("number").is_empty() || flag("isconference"), "a party without a number: {line:?}");
            assert!(["username", "name", "caption"].iter().any(|n| !text(n).is_empty()), "without a name: {line:?}");
        }
        let talks = flag("iscommutated") || flag("iswaitinginflash") || flag("isconference");
        let menu = &*state_name == "lsCommutated" && flag("isivr") && !flag("iswaitingforanswer");
        let state = if self.pending && !flag("isautocall") && self.state == "ready" {
            "backring"
        } else if flag("isautocall") {
            self.pending = false;
            "call"
        } else if flag("isringing") && (&*text("direction") == "acm_callback" || self.state == "backring") {
            "backring"
        } else if flag("isringing") {
            "ring"
        } else if (!self.pending && talks) || menu {
            "talk"
        } else if !text("number").is_empty() || !text("extline").is_empty() {
            self.pending = false;
            "call"
        } else if &*state_name == "lsDisconnected" {
            "disconnected"
        } else {
            self.pending = false;
            "ready"
        };
        self.state = state;
        let party = if flag("isivr") { text("ivrname") } else { text("number") };
        let party = if flag("isconference") { "conference".into() } else { party };
        let mut seen = state.to_owned();
        if !party.is_empty() {
            seen.push(' ');
            seen.push_str(&party);
        }
        if line.get("isflashing").and_then(Value::to_bool) == Some(true) {
            let held = line.get("flashed").and_then(Value::as_object).unwrap_or(&empty);
            let held = held.get("number").and_then(Value::to_text).unwrap_or_default();
            assert!(!held.is_empty(), "somebody on hold without a number: {line:?}");
            seen = format!("{seen} + {held}");
        }
        if self.states.last() != Some(&seen) {
            self.states.push(seen);
        }
    }
}
