//! What the telephone system tells, and what people, links, forms and the ledger hear of it. Every event is the difference
//! between two looks at the model of calls ([`crate::calls`]); so what is told twice or in another order is told on once.

use crate::calls::{Change, Line, Phase, Touched, changes};
use crate::message::{Body, Object, Text, Value};
use crate::telephony::{CallId, Event, Fact, FaxId, Parties};

use super::Hub;
use super::ids::ZERO_GUID;
use super::output::{Output, Record};
use super::settings::Trigger;
use super::user::UserIx;

impl Hub {
    /// The telephone system tells something.
    pub(super) fn telephone(&mut self, event: Event) {
        match event {
            Event::Facts(facts) => self.facts(facts),
            Event::Phone { number, connected } => self.phone_connected(&number, connected),
            Event::Done { order, result } => self.order_done(order, result),
            Event::ScriptDone { order, result } => self.script_done(order, result),
            Event::Ask { run, ask } => self.execute_for_scenario(run, ask),
            Event::AskCancelled { run } => self.scenario_gone(run),
            Event::Form { run, form } => self.form_for_scenario(run, form),
            Event::CloseForm { run } => self.close_form_of(run),
        }
    }

    fn facts(&mut self, facts: Vec<Fact>) {
        if self.is_traced() {
            self.trace_facts(&facts);
        }
        let touched = self.calls.apply(self.now, facts);
        for (call, _) in &touched.queued {
            self.form_trigger(Trigger::Queue, None, call);
        }
        // First every line is what it is now, then it is told: who asks because of an event sees the new state.
        let mut moved = Vec::new();
        for number in &touched.numbers {
            let Some(user) = self.users.by_number(number) else { continue };
            let after = self.calls.line(number);
            let before = std::mem::replace(&mut self.users[user].line, after);
            if before != self.users[user].line {
                moved.push((user, before));
            }
        }
        // Whoever gets busy is busy before the first event of the call, whoever gets free after the last.
        for (user, _) in &moved {
            if self.users[*user].line.busy() {
                self.tell_state(*user);
            }
        }
        for (user, before) in &moved {
            let after = self.users[*user].line.clone();
            for change in changes(&self.calls, before, &after) {
                self.tell_change(*user, before, &after, change);
            }
        }
        for (call, fax) in &touched.faxes {
            self.tell_fax(call, fax);
        }
        for (user, _) in &moved {
            self.tell_state(*user);
        }
        self.tell_conferences(&touched);
        self.keep_entries(&touched);
    }

    fn keep_entries(&mut self, touched: &Touched) {
        for call in &touched.over {
            self.form_trigger(Trigger::Hangup, None, call);
            if let Some(entry) = self.calls.entry(call) {
                self.out.push_back(Output::Record(Record::Call(Box::new(entry))));
            }
        }
    }

    fn phone_connected(&mut self, number: &Text, connected: bool) {
        // A telephone system that tells of a phone may just have begun to run: it is told what the phone's user wants.
        if connected {
            self.tell_wishes(number);
        }
        self.users.note_phone(number, connected);
        let Some(user) = self.users.by_number(number) else { return };
        if self.users[user].phone == connected {
            return;
        }
        self.users[user].phone = connected;
        self.tell_state(user);
        self.tell_user(user, "linestatechanged", Body::from(self.line_event(user)));
    }

    /// Tells one change of a line, and what forms make of it.
    fn tell_change(&mut self, user: UserIx, before: &Line, after: &Line, change: Change) {
        let line = if change.is_of_before() { before } else { after };
        let call = line.call.clone().unwrap_or_default();
        let tell = |hub: &mut Self, event: &'static str, body: Body| hub.tell_user(user, event, body);
        match change {
            Change::Flash(flash) => {
                let call = before.call.as_ref().or(after.call.as_ref()).cloned().unwrap_or_default();
                let body = Body::new().with("chainid", call.0).with("flashtypeid", flash as i64);
                tell(self, "flashstatechanged", body);
            }
            Change::Line => {
                let body = Body::from(self.line_event(user));
                tell(self, "linestatechanged", body);
            }
            Change::DiallingStarted => {
                let body = self.phone_event(line);
                tell(self, "phoneevent_acmcallstarted", body);
            }
            Change::DiallingStopped => {
                let body = self.phone_event(line);
                tell(self, "phoneevent_acmcallstopped", body);
            }
            Change::RingStarted => {
                let body = self.phone_event(line);
                tell(self, "phoneevent_ringstarted", body);
                if !line.callback {
                    self.form_trigger(Trigger::Ring, Some(user), &call);
                }
            }
            Change::RingStopped => {
                let body = self.phone_event(line);
                tell(self, "phoneevent_ringstopped", body);
                if after.call != before.call {
                    self.form_trigger(Trigger::Hangup, Some(user), &call);
                }
            }
            Change::TalkStarted => {
                let mut body = self.talk_event(line);
                if let Phase::Conferring(id) = &line.phase {
                    body.set("confid", id.0.clone());
                }
                tell(self, "phoneevent_commstarted", body);
                if !before.talks() {
                    self.form_trigger(Trigger::Answer, Some(user), &call);
                }
            }
            Change::TalkStopped => {
                let body = self.talk_event(line);
                tell(self, "phoneevent_commstopped", body);
                if after.call != before.call {
                    self.form_trigger(Trigger::Hangup, Some(user), &call);
                }
            }
            Change::FaxStarted => {
                let body = self.phone_event(line);
                tell(self, "phoneevent_faxstarted", body);
            }
            Change::FaxStopped => {
                let body = self.phone_event(line);
                tell(self, "phoneevent_faxstopped", body);
            }
            Change::MenuStarted => {
                let routing = matches!(line.phase, Phase::Menu { routing: true, .. });
                let body = self.phone_event(line).with("isroutingivr", routing);
                tell(self, "phoneevent_ivrstarted", body);
            }
            Change::MenuStopped => {
                let body = self.phone_event(line);
                tell(self, "phoneevent_ivrstopped", body);
            }
        }
    }

    /// A fax has arrived: whoever took it learns where it is.
    fn tell_fax(&mut self, call: &CallId, fax: &FaxId) {
        let Some(arrived) = self.calls.arrived_fax(call, fax) else { return };
        let Some(user) = self.users.by_number(&arrived.to) else { return };
        let name: Text = arrived.file.rsplit('/').next().unwrap_or_default().into();
        let body = self.phone_event(&arrived.line).with("filename", name).with("filelink", fax.link());
        self.tell_user(user, "phoneevent_faxreceived", body.with("pages", i64::from(arrived.pages)));
    }

    /// The caller of a conversation as an abonent object.
    pub(super) fn party_of(&self, parties: &Parties) -> Object {
        let inside = self.users.by_number(&parties.caller).is_some();
        let party = crate::calls::Party {
            number: parties.caller.clone(),
            name: parties.caller_name.clone(),
            outside: !inside,
            ..crate::calls::Party::default()
        };
        self.abonent(&party)
    }

    /// The common fields of `phoneevent_*`.
    fn phone_event(&self, line: &Line) -> Body {
        let abonent = line.party.as_ref().map(|p| self.abonent(p)).unwrap_or_default();
        let text = |field: &str| abonent.get(field).and_then(Value::to_text).unwrap_or_default();
        let outside = line.party.as_ref().is_some_and(|p| p.outside);
        let out_line = line.party.as_ref().map(|p| p.line.clone()).filter(|l| !l.is_empty());
        Body::new()
            .with("chainid", line.call.as_ref().map_or(Text::from_static(ZERO_GUID), |c| c.0.clone()))
            .with("callerid", text("number"))
            .with("callername", text("name"))
            .with("callerdescription", "")
            .with("callercomment", "")
            .with("callerinfo", "")
            .with("callerdirection", if outside { "oktell_ext" } else { "oktell_pbx" })
            .with("callerlineid", ZERO_GUID)
            .with("callerlinenum", out_line.unwrap_or_else(|| Text::from_static("00000")))
            .with("connectionindex", 0)
            .with("isextline", outside)
            .with("isconference", matches!(line.phase, Phase::Conferring(_)))
            .with("istask", line.call.as_ref().is_some_and(|c| self.calls.was_queued(c)))
            .with("canfax", line.fax.is_some())
            .with("canvideo", false)
    }

    fn talk_event(&self, line: &Line) -> Body {
        let body = self.phone_event(line);
        match &line.phase {
            Phase::Conferring(id) => body.with("commutationid", id.0.clone()),
            Phase::Talking(talk) => body.with("commutationid", talk.0.clone()),
            _ => body.with("commutationid", ZERO_GUID),
        }
    }
}
