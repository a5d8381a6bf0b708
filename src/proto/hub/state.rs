//! What people say of themselves: ready, on a break, not to be disturbed; in the call centre or not; redirected. And what
//! follows: the state that is told, and what the telephone system is told of a phone. `proto-spec/methods/user.md`.

use crate::calls::Phase;
use crate::message::{Body, CallError, Code, Object, Text, Value};
use crate::telephony::Command;

use super::Hub;
use super::output::Output;
use super::user::{User, UserIx};

/// What a person chose. It is kept while the person is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) free: Free,
    pub(super) callcenter: bool,
    /// In the call centre, but takes no calls of queues by itself.
    pub(super) manual: bool,
    pub(super) redirect: bool,
    /// The reason of the break, of the configured ones; 0: none.
    pub(super) reason: i64,
    /// The reason in words.
    pub(super) reason_text: Text,
}

/// How a person is when the phone is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Free {
    #[default]
    Ready,
    Break,
    Off,
    /// Busy without a call: the work after one.
    Busy,
}

impl Chosen {
    pub(super) fn new(callcenter: bool) -> Self {
        Self { free: Free::Ready, callcenter, manual: false, redirect: false, reason: 0, reason_text: Text::new() }
    }
}

/// What a user's state was when it was told last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) state: i64,
    pub(super) flags: Object,
    /// Why queues were told that they may not ring the phone; `None`: they may.
    pub(super) away: Option<Text>,
    /// Where the telephone system was told that calls go.
    pub(super) redirect: Option<(Text, bool)>,
}

/// The longest reason in words.
const LONGEST_REASON: usize = 256;

impl User {
    /// `userstateid`: 0 away, 1 ready, 2 on a break, 3 not to be disturbed, 5 busy, 7 without a phone.
    pub(super) fn state(&self) -> i64 {
        if self.line.busy() {
            return 5;
        }
        if !self.online() {
            return 0;
        }
        match self.chosen.free {
            _ if !self.phone || self.account.number.is_empty() => 7,
            Free::Ready => 1,
            Free::Break => 2,
            Free::Off => 3,
            Free::Busy => 5,
        }
    }

    /// Whether queues may ring the phone, unless the person said otherwise. Of no importance for who is at none.
    pub(super) fn available(&self) -> bool {
        !self.at_queue || self.chosen.callcenter && !self.chosen.manual && self.chosen.free == Free::Ready
    }
}

impl Hub {
    /// Tells the user's tabs and links when the user's state is another than told last; everybody who watches numbers when
    /// its number is; and the telephone system what follows for it.
    pub(super) fn tell_state(&mut self, user: UserIx) {
        let block = self.state_block(user);
        let (state, away) = (self.users[user].state(), self.away(user));
        let told = std::mem::take(&mut self.users[user].told);
        let number = self.users[user].account.number.clone();
        let redirect = self.redirect_of(user);
        let changed = told.flags != block;
        self.users[user].told = Told { state, flags: block.clone(), away: away.clone(), redirect: redirect.clone() };
        if changed && !(told.flags.is_empty() && state == 0) {
            self.tell_user(user, "userstatechanged", Body::from(block));
        }
        if number.is_empty() {
            return;
        }
        if state != told.state {
            let changed = Object::new().with("num", number.clone()).with("numstateid", state);
            let body = Body::new().with("numbers", vec![Value::Object(changed)]);
            self.tell_all("pbxnumberstatechanged", &number, body);
        }
        // A telephone system that has heard nothing rings everybody and redirects nothing.
        if away != told.away {
            self.out.push_back(Output::Pbx(Box::new(Command::Agent { number: number.clone(), away })));
        }
        if redirect != told.redirect {
            self.tell_redirect(number, redirect);
        }
    }

    /// Why queues may not ring the phone, in words for people; `None`: they may.
    fn away(&self, user: UserIx) -> Option<Text> {
        let person = &self.users[user];
        if person.available() {
            return None;
        }
        let chosen = &person.chosen;
        let named = || self.settings.breaks.iter().find(|reason| reason.id == chosen.reason).map(|r| r.name.clone());
        let plain = match chosen.free {
            Free::Break => named().or_else(|| Some(chosen.reason_text.clone())).filter(|why| !why.is_empty()),
            _ => None,
        };
        Some(plain.unwrap_or_else(|| {
            Text::from_static(match chosen.free {
                Free::Break => "break",
                Free::Off => "do not disturb",
                Free::Busy => "busy",
                Free::Ready if chosen.manual => "manual",
                Free::Ready => "out of the queues",
            })
        }))
    }

    /// Tells a telephone system that begins to run what is not as it would think.
    pub(super) fn tell_wishes(&mut self, number: &Text) {
        let Some(user) = self.users.by_number(number) else { return };
        if let Some(why) = self.away(user) {
            self.out.push_back(Output::Pbx(Box::new(Command::Agent { number: number.clone(), away: Some(why) })));
        }
        if let Some(redirect) = self.redirect_of(user) {
            self.tell_redirect(number.clone(), Some(redirect));
        }
    }

    fn tell_redirect(&mut self, number: Text, redirect: Option<(Text, bool)>) {
        let (to, cascade) = redirect.map_or((None, false), |(to, cascade)| (Some(to), cascade));
        self.out.push_back(Output::Pbx(Box::new(Command::Redirect { number, to, cascade })));
    }

    /// The block of `getuserstate` and `userstatechanged`, without the identity.
    pub(super) fn state_block(&self, user: UserIx) -> Object {
        let u = &self.users[user];
        let state = u.state();
        let name = match state {
            0 => "usDisconnected",
            2 => "usLunch",
            3 => "usOff",
            5 => "usFullbusy",
            7 => "usWOphone",
            _ => "usReady",
        };
        let chosen = &u.chosen;
        let on_break = chosen.free == Free::Break;
        let task = matches!(u.line.phase, Phase::Ringing | Phase::Talking(_) | Phase::OnHold(_))
            && u.line.call.as_ref().is_some_and(|c| self.calls.was_queued(c));
        Object::new()
            .with("userstateid", state)
            .with("userstate", state)
            .with("userstatestr", name)
            .with("oncallcenter", chosen.callcenter)
            .with("onccmanual", chosen.manual)
            .with("onlunch", on_break)
            .with("onredirect", chosen.redirect)
            .with("lunchreasonid", if on_break { chosen.reason } else { 0 })
            .with("lunchreasonmsg", if on_break { chosen.reason_text.clone() } else { Text::new() })
            .with("ontask", task)
    }

    /// Changes what a person says of itself. Parameters that are absent stay as they are.
    pub(super) fn choose(&mut self, user: UserIx, body: &Body) -> Result<(), CallError> {
        let wrong = |field: &str, found: &str, expected: &str| {
            CallError::new(Code::BadRequest, format!("{field} is {found}, expected {expected}"))
        };
        let flag = |field: &'static str| match body.value(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.to_bool() {
                Some(flag) => Ok(Some(flag)),
                None => Err(wrong(field, value.kind(), "true or false")),
            },
        };
        let mut chosen = self.users[user].chosen.clone();
        let state = match body.value("userstateid") {
            None | Some(Value::Null) => None,
            Some(value) => Some(value.to_i64().ok_or_else(|| wrong("userstateid", value.kind(), "1, 2, 3 or 5"))?),
        };
        if let Some(state) = state {
            chosen.free = match state {
                1 => Free::Ready,
                2 => Free::Break,
                3 => Free::Off,
                5 => Free::Busy,
                other => return Err(wrong("userstateid", &other.to_string(), "1, 2, 3 or 5")),
            };
        }
        // A break is a break of the call centre.
        chosen.callcenter = flag("oncallcenter")?.unwrap_or(chosen.callcenter || chosen.free == Free::Break);
        chosen.manual = flag("onccmanual")?.unwrap_or(chosen.manual) && chosen.callcenter;
        chosen.redirect = flag("onredirect")?.unwrap_or(chosen.redirect);
        if let Some(reason) = body.text("lunchreasonid").filter(|r| !r.is_empty()) {
            let known = self.settings.breaks.iter().find(|b| b.id.to_string() == *reason);
            let known = known.map(|b| b.id).or_else(|| (&*reason == "0").then_some(0));
            chosen.reason = known.ok_or_else(|| {
                let ids: Vec<String> = self.settings.breaks.iter().map(|b| b.id.to_string()).collect();
                CallError::new(Code::NotFound, format!("lunchreasonid {reason} is none of {}", ids.join(", ")))
            })?;
        }
        if let Some(text) = body.text("lunchreasonmsg") {
            if text.len() > LONGEST_REASON {
                let detail = format!("lunchreasonmsg has {} bytes, expected at most {LONGEST_REASON}", text.len());
                return Err(CallError::new(Code::BadRequest, detail));
            }
            chosen.reason_text = text;
        }
        if chosen.free == Free::Break && chosen.reason == 0 && chosen.reason_text.is_empty() {
            chosen.reason = self.settings.breaks.first().map_or(0, |b| b.id);
        }
        self.users[user].chosen = chosen;
        self.tell_state(user);
        Ok(())
    }
}
