//! A decision as it is looked through and told: the same whether it comes out of the memory or out of the store.

use ctigate_proto::hub::trace::{Deaf, Hears, Step, What};
use ctigate_proto::message::Text;
use serde_json::{Value, json};

/// A decision.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fact {
    pub(super) at_ms: i64,
    pub(super) call: String,
    pub(super) form: String,
    pub(super) user: String,
    /// In one word.
    pub(super) what: String,
    /// What is known of it, by name.
    pub(super) detail: Value,
}

impl Fact {
    /// A text of the detail; empty when it has none of this name.
    pub(super) fn text(&self, name: &str) -> &str {
        self.detail.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number of the detail.
    pub(super) fn count(&self, name: &str) -> u64 {
        self.detail.get(name).and_then(Value::as_u64).unwrap_or_default()
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        let list = self.detail.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(Value::as_str).collect()
    }

    /// Pairs of texts: links with why they do not hear (empty: they do), rules with their events.
    pub(super) fn pairs(&self, name: &str) -> Vec<(&str, &str)> {
        let list = self.detail.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(|pair| Some((pair.get(0)?.as_str()?, pair.get(1)?.as_str()?))).collect()
    }

    pub(super) fn is(&self, what: &str) -> bool {
        self.what == what
    }

    /// Whether it is of the node, of no call, form or user.
    pub(super) fn is_of_node(&self) -> bool {
        self.call.is_empty() && self.form.is_empty() && self.user.is_empty()
    }
}

fn links(links: &[Hears]) -> Value {
    links.iter().map(|(name, hears)| json!([&**name, hears.err().map_or("", Deaf::word)])).collect()
}

fn texts(texts: &[Text]) -> Value {
    texts.iter().map(|text| Value::from(&**text)).collect()
}

impl From<Step> for Fact {
    fn from(step: Step) -> Self {
        let (what, detail) = match step.what {
            What::Began { caller, called } => ("began", json!({"caller": &*caller, "called": &*called})),
            What::NobodysNumber { number } => ("nobodys_number", json!({"number": &*number})),
            What::Over => ("over", json!({})),
            What::Triggered { on, others } => {
                let others: Value = others.into_iter().map(|(rule, on)| json!([&*rule, on.word()])).collect();
                ("triggered", json!({"on": on.word(), "others": others}))
            }
            What::NotForUser { rule, numberless } => {
                ("not_for_user", json!({"rule": &*rule, "numberless": texts(&numberless)}))
            }
            What::Fires { rule, ask } => ("fires", json!({"rule": &*rule, "ask": &*ask})),
            What::RuleAsked { rule, outcome, why } => {
                ("rule_asked", json!({"rule": &*rule, "outcome": outcome, "why": &*why}))
            }
            What::NotOpened { name, why } => ("not_opened", json!({"name": &*name, "why": &*why})),
            What::Opened { name, by } => ("opened", json!({"name": &*name, "by": by})),
            What::Shown { name, tabs, deaf, links: all } => {
                ("shown", json!({"name": &*name, "tabs": tabs, "deaf": deaf, "links": links(&all)}))
            }
            What::Ended { name, how } => ("ended", json!({"name": &*name, "how": how})),
            What::Asked { method, link, by } => ("asked", json!({"method": &*method, "link": &*link, "by": by})),
            What::NotAsked { method, outcome, why, by } => {
                ("not_asked", json!({"method": &*method, "outcome": outcome, "why": &*why, "by": by}))
            }
            What::Done { method, link, outcome, why, millis } => (
                "done",
                json!({"method": &*method, "link": &*link, "outcome": outcome, "why": &*why, "millis": millis}),
            ),
            What::Told { event, tabs, deaf, links: all } => {
                ("told", json!({"event": event, "tabs": tabs, "deaf": deaf, "links": links(&all)}))
            }
            What::TabOpened { tab, address } => ("tab_opened", json!({"tab": tab.0, "address": &*address})),
            What::TabClosed { tab } => ("tab_closed", json!({"tab": tab.0})),
            What::Subscribed { tab, events } => ("subscribed", json!({"tab": tab.0, "events": texts(&events)})),
            What::LoginRefused { why } => ("login_refused", json!({"why": &*why})),
            What::Ordered { number, act } => ("ordered", json!({"number": &*number, "act": act})),
            What::RightMissing { method, right, link } => {
                ("right_missing", json!({"method": method, "right": right, "link": &*link}))
            }
            What::Refused { method, code, why } => ("refused", json!({"method": &*method, "code": code, "why": &*why})),
            What::LinkUp { link } => ("link_up", json!({"link": &*link})),
            What::LinkDown { link, why } => ("link_down", json!({"link": &*link, "why": &*why})),
            What::Telephone { up } => ("telephone", json!({"up": up})),
            What::OriginRefused { origin, host } => ("origin_refused", json!({"origin": &*origin, "host": &*host})),
        };
        Self {
            at_ms: step.at_ms,
            call: step.call.to_string(),
            form: step.form.to_string(),
            user: step.user.to_string(),
            what: what.to_owned(),
            detail,
        }
    }
}
