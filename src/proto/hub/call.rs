//! Calls and phones as the telephone system tells them, and what people and forms hear of it. A telling that comes twice or
//! for a call nobody knows changes nothing.

use std::collections::BTreeMap;

use crate::message::{Body, Object, Text};
use crate::telephony::{CallId, Event, Parties};

use super::Hub;
use super::ids::ZERO_GUID;
use super::settings::Trigger;
use super::user::{Line, UserIx};

/// Most calls at a time that are followed; more than any system this serves carries.
const MAX_CALLS: usize = 100_000;

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) parties: Parties,
    pub(super) since_ms: i64,
    /// `began`, `queued`, `ringing`, `talking`
    pub(super) state: &'static str,
    /// Users whose phone rings or talks.
    pub(super) users: Vec<UserIx>,
    /// The id of the current talk.
    commutation: Text,
}

/// All calls, by chain.
#[derive(Debug, Default)]
pub(super) struct Calls(BTreeMap<CallId, Call>);

impl Calls {
    pub(super) fn get(&self, call: &CallId) -> Option<&Call> {
        self.0.get(call)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&CallId, &Call)> {
        self.0.iter()
    }
}

impl Hub {
    /// The telephone system tells something.
    pub(super) fn telephone(&mut self, event: Event) {
        match event {
            Event::Began { call, parties } => {
                if self.calls.len() < MAX_CALLS {
                    let since_ms = self.wall(self.now);
                    let new = Call { parties, since_ms, state: "began", users: Vec::new(), commutation: Text::new() };
                    self.calls.0.entry(call).or_insert(new);
                }
            }
            Event::Queued { call, .. } => {
                if let Some(c) = self.calls.0.get_mut(&call) {
                    c.state = "queued";
                    self.form_trigger(Trigger::Queue, None, &call);
                }
            }
            Event::Ringing { call, number } => self.ringing(&call, &number),
            Event::RingStopped { call, number, .. } => self.ring_stopped(&call, &number),
            Event::Answered { call, number } => self.answered(&call, &number),
            Event::Left { call, number } => self.left(&call, &number),
            Event::Ended { call, .. } => self.ended(&call),
            Event::Ask { run, ask } => self.execute_for_scenario(run, ask),
            Event::AskCancelled { run } => self.scenario_gone(run),
            Event::Form { run, form } => self.form_for_scenario(run, form),
            Event::CloseForm { run } => self.close_form_of(run),
            Event::Phone { number, connected } => {
                if let Some(user) = self.users.by_number(&number) {
                    self.users[user].phone = connected;
                    self.tell_state(user);
                    self.tell_user(user, "linestatechanged", Body::from(self.line_event(user)));
                }
            }
        }
    }

    fn ringing(&mut self, call: &CallId, number: &str) {
        let Some(user) = self.users.by_number(number) else { return };
        if self.users[user].line != Line::Idle {
            return;
        }
        let Some(c) = self.calls.0.get_mut(call) else { return };
        if c.state != "talking" {
            c.state = "ringing";
        }
        c.users.push(user);
        self.users[user].line = Line::Ringing(call.clone());
        self.tell_state(user);
        self.tell_user(user, "linestatechanged", Body::from(self.line_event(user)));
        let body = self.phone_event(call);
        self.tell_user(user, "phoneevent_ringstarted", body);
        self.form_trigger(Trigger::Ring, Some(user), call);
    }

    fn ring_stopped(&mut self, call: &CallId, number: &str) {
        let Some(user) = self.users.by_number(number) else { return };
        if self.users[user].line != Line::Ringing(call.clone()) {
            return;
        }
        let body = self.phone_event(call);
        self.release_line(user, call);
        self.tell_user(user, "phoneevent_ringstopped", body);
        self.tell_user(user, "linestatechanged", Body::from(self.line_event(user)));
        self.tell_state(user);
        self.form_trigger(Trigger::Hangup, Some(user), call);
    }

    fn answered(&mut self, call: &CallId, number: &str) {
        let Some(user) = self.users.by_number(number) else { return };
        let rang = self.users[user].line == Line::Ringing(call.clone());
        if !rang && self.users[user].line != Line::Idle {
            return;
        }
        let (wall, id) = (self.wall(self.now), self.ids.guid());
        let Some(c) = self.calls.0.get_mut(call) else { return };
        c.state = "talking";
        c.commutation = id;
        if !c.users.contains(&user) {
            c.users.push(user);
        }
        self.users[user].line = Line::Talking(call.clone(), wall);
        let body = self.phone_event(call);
        if rang {
            self.tell_user(user, "phoneevent_ringstopped", body);
        } else {
            self.tell_state(user);
        }
        self.tell_user(user, "linestatechanged", Body::from(self.line_event(user)));
        let body = self.talk_event(call);
        self.tell_user(user, "phoneevent_commstarted", body);
        self.form_trigger(Trigger::Answer, Some(user), call);
    }

    fn left(&mut self, call: &CallId, number: &str) {
        let Some(user) = self.users.by_number(number) else { return };
        if !matches!(&self.users[user].line, Line::Talking(c, _) if c == call) {
            return;
        }
        let body = self.talk_event(call);
        self.release_line(user, call);
        self.tell_user(user, "phoneevent_commstopped", body);
        self.tell_user(user, "linestatechanged", Body::from(self.line_event(user)));
        self.tell_state(user);
        self.form_trigger(Trigger::Hangup, Some(user), call);
    }

    fn ended(&mut self, call: &CallId) {
        let Some(c) = self.calls.0.get(call) else { return };
        for user in c.users.clone() {
            let number = self.users[user].account.number.clone();
            match self.users[user].line {
                Line::Ringing(_) => self.ring_stopped(call, &number),
                Line::Talking(..) => self.left(call, &number),
                Line::Idle => {}
            }
        }
        self.form_trigger(Trigger::Hangup, None, call);
        self.calls.0.remove(call);
    }

    fn release_line(&mut self, user: UserIx, call: &CallId) {
        self.users[user].line = Line::Idle;
        if let Some(c) = self.calls.0.get_mut(call) {
            c.users.retain(|u| *u != user);
            if c.users.is_empty() {
                c.state = "began";
            }
        }
    }

    /// The other party of a call as an abonent object.
    pub(super) fn party(&self, call: &CallId) -> Object {
        self.calls.get(call).map(|c| self.party_of(&c.parties)).unwrap_or_default()
    }

    pub(super) fn party_of(&self, parties: &Parties) -> Object {
        let caller = &parties.caller;
        let inside = self.users.by_number(caller);
        let name = match inside {
            Some(user) => self.users[user].account.name.clone(),
            None if parties.caller_name.is_empty() => caller.clone(),
            None => parties.caller_name.clone(),
        };
        let mut party =
            Object::new().with("number", caller.clone()).with("callerid", caller.clone()).with("name", name.clone());
        if let Some(user) = inside {
            let account = &self.users[user].account;
            party.set("userid", account.id.clone());
            party.set("username", name);
            party.set("userlogin", account.login.clone());
        }
        party.with("isextline", inside.is_none())
    }

    pub(super) fn called(&self, call: &CallId) -> Text {
        self.calls.get(call).map(|c| c.parties.called.clone()).unwrap_or_default()
    }

    fn line_event(&self, user: UserIx) -> Object {
        let info = self.line_info(user);
        let mut event = Object::new();
        event.set("lineid", self.users[user].account.number_id.clone());
        event.set("linenumber", format!("{:0>5}", self.users[user].account.number));
        let number = match info.get("linestatestr").and_then(crate::message::Value::as_str) {
            Some("lsDisconnected") => 1,
            Some("lsRing") => 16,
            Some("lsCommutated") => 32,
            _ => 4,
        };
        event.set("linestate", number);
        for name in ["linestatestr", "chainid"] {
            if let Some(v) = info.get(name) {
                event.set(name, v.clone());
            }
        }
        event
    }

    /// The common fields of `phoneevent_*`.
    fn phone_event(&self, call: &CallId) -> Body {
        let party = self.party(call);
        let outside = party.get("isextline").and_then(crate::message::Value::to_bool).unwrap_or(true);
        let text = |field: &str| party.get(field).and_then(crate::message::Value::to_text).unwrap_or_default();
        Body::new()
            .with("chainid", call.0.clone())
            .with("callerid", text("number"))
            .with("callername", text("name"))
            .with("callerdescription", "")
            .with("callercomment", "")
            .with("callerinfo", "")
            .with("callerdirection", if outside { "oktell_ext" } else { "oktell_pbx" })
            .with("callerlineid", ZERO_GUID)
            .with("callerlinenum", "00000")
            .with("connectionindex", 0)
            .with("isextline", outside)
            .with("isconference", false)
            .with("istask", false)
            .with("canfax", false)
            .with("canvideo", false)
    }

    fn talk_event(&self, call: &CallId) -> Body {
        let commutation = self.calls.get(call).map(|c| c.commutation.clone()).unwrap_or_default();
        self.phone_event(call).with("commutationid", commutation)
    }
}
