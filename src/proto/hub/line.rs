//! A line as clients see it: the answer of `getextendedlineinfo`, the parties in it, and what its user may do now.
//! `proto-spec/methods/call.md`.

use crate::calls::{Line, Party, Phase};
use crate::message::{Object, Text, Value};
use crate::method::Right;
use crate::telephony::CallId;

use super::Hub;
use super::ids::ZERO_GUID;
use super::user::UserIx;

impl Hub {
    /// The answer of `getextendedlineinfo`, from memory.
    pub(super) fn line_info(&self, user: UserIx) -> Object {
        let u = &self.users[user];
        let line = &u.line;
        let state = self.line_state(user);
        let mut abonent = match &line.party {
            Some(party) => self.abonent(party),
            None => Object::new(),
        };
        let flag = |abonent: &mut Object, name: &'static str| abonent.set(name, true);
        match &line.phase {
            Phase::Idle | Phase::Alone => abonent = Object::new(),
            Phase::Planned => flag(&mut abonent, "isautocall"),
            Phase::Ringing => {
                flag(&mut abonent, "isringing");
                if line.callback {
                    abonent.set("direction", "acm_callback");
                }
            }
            Phase::Waiting | Phase::Queued(_) => flag(&mut abonent, "iswaitingforanswer"),
            Phase::Talking(_) => flag(&mut abonent, "iscommutated"),
            Phase::OnHold(_) => flag(&mut abonent, "iswaitinginflash"),
            Phase::Conferring(_) => flag(&mut abonent, "isconference"),
            Phase::Menu { name, .. } => {
                flag(&mut abonent, "isivr");
                abonent.set("ivrname", name.clone());
            }
        }
        let present = !abonent.is_empty();
        // A chain beside an empty party would make known clients show somebody who is not there.
        let chain = line.call.as_ref().filter(|_| present).map_or(Text::from_static(ZERO_GUID), |c| c.0.clone());
        let mut info = Object::with_room(8).with("linestatestr", state).with("isflashing", line.flashed.is_some());
        info.set("chainid", chain);
        if present {
            info.set("calledid", line.called.clone());
        }
        if let Some(held) = &line.flashed {
            info.set("flashed", self.abonent(held));
        }
        if line.talks() {
            info.set("timertalklensec", ((self.wall(self.now) - line.since_ms) / 1000).max(0));
        }
        info.set("abonent", abonent);
        info.set("actions", self.actions(user).map(Value::from).collect::<Vec<_>>());
        info
    }

    /// `linestatestr`
    fn line_state(&self, user: UserIx) -> &'static str {
        let u = &self.users[user];
        match &u.line.phase {
            Phase::Ringing => "lsRing",
            Phase::Waiting | Phase::Queued(_) => "lsWaiting",
            Phase::Talking(_) | Phase::Conferring(_) | Phase::Menu { .. } => "lsCommutated",
            Phase::OnHold(_) => "lsFlash",
            Phase::Alone => "lsHookUp",
            Phase::Idle | Phase::Planned if u.phone && !u.account.number.is_empty() => "lsReady",
            Phase::Idle | Phase::Planned => "lsDisconnected",
        }
    }

    /// What `linestatechanged` says beside whose line it is.
    pub(super) fn line_event(&self, user: UserIx) -> Object {
        let u = &self.users[user];
        let state = self.line_state(user);
        let number = match state {
            "lsDisconnected" => 1,
            "lsHookUp" => 8,
            "lsRing" => 16,
            "lsCommutated" => 32,
            "lsWaiting" => 64,
            "lsFlash" => 128,
            _ => 4,
        };
        Object::new()
            .with("lineid", u.account.number_id.clone())
            .with("linenumber", format!("{:0>5}", u.account.number))
            .with("linestate", number)
            .with("linestatestr", state)
            .with("chainid", u.line.call.as_ref().map_or(Text::from_static(ZERO_GUID), |c: &CallId| c.0.clone()))
    }

    /// A party with all that is known of it: a user, a queue, somebody outside, a conference.
    pub(super) fn abonent(&self, party: &Party) -> Object {
        if let Some(id) = &party.conference {
            let about = self.calls.conference_ever(id).map(|c| c.about).unwrap_or_default();
            let room = about.room.to_string();
            let name = if about.name.is_empty() { Text::from(format!("Conference {room}")) } else { about.name };
            return Object::new()
                .with("number", room)
                .with("name", name.clone())
                .with("conferenceid", id.0.clone())
                .with("conferencename", name)
                .with("conferenceroom", about.room);
        }
        let number = &party.number;
        let mut abonent = Object::new().with("number", number.clone()).with("callerid", number.clone());
        let group = || self.settings.numbers.iter().find(|g| g.number == *number).map(|g| g.name.clone());
        match self.users.by_number(number).filter(|_| !party.outside) {
            Some(user) => {
                let account = &self.users[user].account;
                abonent.set("name", account.name.clone());
                abonent.set("userid", account.id.clone());
                abonent.set("username", account.name.clone());
                abonent.set("userlogin", account.login.clone());
            }
            None => {
                let named = (!party.name.is_empty()).then(|| party.name.clone());
                let name = named.or_else(group).unwrap_or_else(|| number.clone());
                abonent.set("name", name);
            }
        }
        abonent.set("isextline", party.outside);
        if !party.line.is_empty() {
            abonent.set("extline", party.line.clone());
        }
        abonent
    }

    /// What the user may do with the own phone now, in the words of `proto-spec/methods/call.md`.
    pub(super) fn actions(&self, user: UserIx) -> impl Iterator<Item = &'static str> {
        let u = &self.users[user];
        let rights = u.account.rights;
        let actions: &[&str] = if !u.phone || u.account.number.is_empty() {
            &[]
        } else if self.only_listens(user) {
            // Who only listens in can but stop.
            &["leave"]
        } else {
            possible(&u.line)
        };
        actions.iter().copied().filter(move |action| rights.has(needs(action)))
    }
}

/// The right that an action needs.
fn needs(action: &str) -> Right {
    match action {
        "ghost" => Right::Ghost,
        "conference" | "takein" | "invite" => Right::Conference,
        _ => Right::Call,
    }
}

/// What may be done with a line as it is.
pub(super) fn possible(line: &Line) -> &'static [&'static str] {
    let held = line.flashed.is_some();
    match &line.phase {
        Phase::Idle if held => &["call", "toggle", "hangup"],
        Phase::Idle | Phase::Alone => &["call", "intercom", "conference", "ghost"],
        Phase::Planned => &["stopdialling"],
        Phase::Ringing if line.callback => &["answer", "stopdialling", "decline"],
        Phase::Ringing => &["answer", "decline"],
        Phase::Waiting | Phase::Queued(_) | Phase::Menu { .. } => &["hangup"],
        Phase::Talking(_) if held => &["toggle", "join", "return", "drophold", "transfer", "conference"],
        Phase::Talking(_) => &["call", "hold", "hangup", "transfer", "conference"],
        Phase::OnHold(_) => &["hangup"],
        Phase::Conferring(_) if held => &["toggle", "takein", "invite", "leave"],
        Phase::Conferring(_) => &["hold", "invite", "leave"],
    }
}
