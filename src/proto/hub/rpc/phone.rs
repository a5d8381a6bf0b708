//! What a person does with the own phone: look, dial, answer, hold, hand on, hang up. `proto-spec/methods/call.md`.

use crate::auth::same_login;
use crate::calls::{Line, Phase};
use crate::hub::Hub;
use crate::hub::route::{Caller, Handled};
use crate::hub::user::UserIx;
use crate::message::{Body, CallError, Code, Text};
use crate::method::Typed;
use crate::method::call::{FlashMode, PbxAutoCallStart, PbxMakeFlash, PbxMakeTransfer, PbxTransferCall, Sequence};
use crate::telephony::{self, Act};

/// What somebody is told who listens in and wants more of the conference than to hear and leave it.
pub(in crate::hub) const ONLY_LISTENS: &str = "the user only listens in";

/// The longest number that can be dialled.
const LONGEST_NUMBER: usize = 64;

impl Hub {
    pub(in crate::hub) fn line_of(&self, caller: &Caller) -> Handled {
        Ok(Some(Body::from(self.line_info(self.acting(caller)?))))
    }

    pub(in crate::hub) fn held_party(&self, caller: &Caller) -> Handled {
        let held = &self.users[self.acting(caller)?].line.flashed;
        let abonent = held.as_ref().map(|p| self.abonent(p)).unwrap_or_default();
        Ok(Some(Body::new().with("containsflashed", held.is_some()).with("abonent", abonent)))
    }

    pub(in crate::hub) fn dial(&mut self, caller: &Caller, body: &Body) -> Handled {
        let user = self.phone_of(caller)?;
        let call = PbxAutoCallStart::from_body(body)?;
        let to = dialled("number", &call.number)?;
        if to == self.users[user].account.number {
            return Err(CallError::new(Code::NumberNotFound, "number is the user's own"));
        }
        let line = &self.users[user].line;
        match &line.phase {
            Phase::Idle | Phase::Alone => {}
            Phase::Talking(_) if line.flashed.is_none() => {}
            Phase::Talking(_) => return Err(wrong_state(line, "somebody is on hold already")),
            _ => return Err(wrong_state(line, "expected a free phone, or a talk that can be put on hold")),
        }
        let sequence = match call.sequence.unwrap_or_default() {
            Sequence::User => telephony::Sequence::User,
            Sequence::Abonent => telephony::Sequence::Abonent,
        };
        let intercom = call.intercom.unwrap_or(false);
        self.act(caller, "pbxautocallstart", user, Act::Dial { to, sequence, intercom })
    }

    pub(in crate::hub) fn stop_dialling(&mut self, caller: &Caller) -> Handled {
        let user = self.phone_of(caller)?;
        let line = &self.users[user].line;
        match line.phase {
            Phase::Planned => self.act(caller, "pbxautocallabort", user, Act::StopDialling),
            Phase::Ringing if line.callback => self.act(caller, "pbxautocallabort", user, Act::Decline),
            Phase::Waiting => self.act(caller, "pbxautocallabort", user, Act::Hangup),
            _ => Err(wrong_state(line, "nothing is being dialled")),
        }
    }

    pub(in crate::hub) fn answer_call(&mut self, caller: &Caller) -> Handled {
        let user = self.phone_of(caller)?;
        let line = &self.users[user].line;
        match line.phase {
            Phase::Ringing => self.act(caller, "pbxanswercall", user, Act::Answer),
            _ => Err(wrong_state(line, "the phone does not ring")),
        }
    }

    pub(in crate::hub) fn decline_call(&mut self, caller: &Caller) -> Handled {
        let user = self.phone_of(caller)?;
        let line = &self.users[user].line;
        match line.phase {
            Phase::Ringing => self.act(caller, "pbxdeclinecall", user, Act::Decline),
            _ => Err(wrong_state(line, "the phone does not ring: end a talk with pbxabortcall")),
        }
    }

    /// Hangs up; with somebody on hold it joins the two others and lets the user go.
    pub(in crate::hub) fn hang_up(&mut self, caller: &Caller) -> Handled {
        let user = self.phone_of(caller)?;
        let line = &self.users[user].line;
        let act = match (&line.phase, &line.flashed) {
            (Phase::Idle, None) => return Err(wrong_state(line, "the phone is idle")),
            (Phase::Planned, _) => Act::StopDialling,
            (Phase::Ringing, _) => Act::Decline,
            (Phase::Talking(_), Some(held)) if held.conference.is_none() => Act::Join,
            (Phase::Waiting, Some(_)) => Act::Return,
            _ => Act::Hangup,
        };
        self.act(caller, "pbxabortcall", user, act)
    }

    pub(in crate::hub) fn flash(&mut self, caller: &Caller, body: &Body) -> Handled {
        let user = self.phone_of(caller)?;
        let mode = PbxMakeFlash::from_body(body)?.mode.unwrap_or_default();
        let line = &self.users[user].line;
        if self.only_listens(user) {
            return Err(wrong_state(line, ONLY_LISTENS));
        }
        let held = line.flashed.is_some();
        let connected = matches!(line.phase, Phase::Talking(_) | Phase::Conferring(_));
        let act = match mode {
            FlashMode::Switch if connected || (held && line.phase == Phase::Idle) => Act::Switch,
            FlashMode::Switch => return Err(wrong_state(line, "there is nobody to put on hold or to take back")),
            FlashMode::Abort if held && (connected || matches!(line.phase, Phase::Waiting)) => Act::Return,
            FlashMode::Abort => return Err(wrong_state(line, "abort needs a present and a held party")),
            FlashMode::Next if held && connected => Act::DropHeld,
            FlashMode::Next => return Err(wrong_state(line, "next needs a present and a held party")),
        };
        self.act(caller, "pbxmakeflash", user, act)
    }

    pub(in crate::hub) fn transfer(&mut self, caller: &Caller, body: &Body) -> Handled {
        let to = PbxMakeTransfer::from_body(body)?.transferto;
        self.hand_on(caller, "pbxmaketransfer", "transferto", &to)
    }

    pub(in crate::hub) fn transfer_call(&mut self, caller: &Caller, body: &Body) -> Handled {
        let to = PbxTransferCall::from_body(body)?.transferto;
        self.hand_on(caller, "pbxtransfercall", "transferto", &to)
    }

    fn hand_on(&mut self, caller: &Caller, method: &'static str, field: &'static str, to: &Text) -> Handled {
        let user = self.phone_of(caller)?;
        let to = dialled(field, to)?;
        if to == self.users[user].account.number {
            return Err(CallError::new(Code::NumberNotFound, format!("{field} is the user's own")));
        }
        let line = &self.users[user].line;
        match &line.phase {
            Phase::Talking(_) => {
                // To the held party: the two are joined.
                let join = line.flashed.as_ref().is_some_and(|held| held.number == to);
                self.act(caller, method, user, if join { Act::Join } else { Act::Transfer { to } })
            }
            _ => Err(wrong_state(line, "only a party that is talked with can be handed on")),
        }
    }

    /// The user's phone, if there is one that can be reached.
    pub(in crate::hub) fn phone_of(&self, caller: &Caller) -> Result<UserIx, CallError> {
        let user = self.acting(caller)?;
        let u = &self.users[user];
        if u.account.number.is_empty() {
            return Err(CallError::new(Code::PhoneNotConnected, format!("{} has no number", u.account.login)));
        }
        if !u.phone && !u.line.busy() {
            let detail = format!("the phone of {} cannot be reached", u.account.number);
            return Err(CallError::new(Code::PhoneNotConnected, detail));
        }
        Ok(user)
    }

    /// Whether `of` may look after `user`.
    pub(in crate::hub) fn is_subordinate(&self, user: UserIx, of: UserIx) -> bool {
        let login = &self.users[user].account.login;
        self.users[of].account.subordinates.iter().any(|s| same_login(s, login))
    }
}

/// A number to dial: what people write between the digits is left out.
///
/// # Errors
/// 59002 when something else than digits, `*`, `#` and a leading `+` is left, or nothing, or more than 64 characters.
pub(in crate::hub) fn dialled(field: &str, number: &str) -> Result<Text, CallError> {
    let plain: String = number.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.' | '\u{a0}')).collect();
    let digits = plain.strip_prefix('+').unwrap_or(&plain);
    let good = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#'));
    if digits.is_empty() || digits.len() > LONGEST_NUMBER || !good {
        let shown: String = number.chars().take(40).collect();
        let detail = format!("{field}: found {shown:?}, expected 1 to {LONGEST_NUMBER} digits, *, # or a leading +");
        return Err(CallError::new(Code::BadRequest, detail));
    }
    Ok(plain.into())
}

pub(in crate::hub) fn wrong_state(line: &Line, detail: &str) -> CallError {
    let now = match line.phase {
        Phase::Idle if line.flashed.is_some() => "somebody is on hold",
        Phase::Idle | Phase::Alone => "the phone is idle",
        Phase::Planned => "a number is being dialled",
        Phase::Ringing => "the phone rings",
        Phase::Waiting => "a call waits for an answer",
        Phase::Queued(_) => "the call waits in a queue",
        Phase::Talking(_) => "a talk goes on",
        Phase::OnHold(_) => "the other side has put the talk on hold",
        Phase::Conferring(_) => "a conference goes on",
        Phase::Menu { .. } => "a voice menu is heard",
    };
    if detail.starts_with(now) {
        return CallError::new(Code::InvalidLineState, detail);
    }
    CallError::new(Code::InvalidLineState, format!("{now}: {detail}"))
}
