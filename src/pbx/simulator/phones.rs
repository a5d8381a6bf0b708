//! Phones: who rings, answers, declines and hangs up.

use std::collections::BTreeSet;

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{Event, RingEnd};

use super::call::{Call, CallKey, Wait};
use super::machine::{Due, Machine, NoteKind};
use super::script::{Behaviour, Block};
use super::timers::Alarm;
use crate::pbx::{ControlError, Extension};

/// The phone of an inside number. It has one line.
#[derive(Debug)]
pub(super) struct Phone {
    login: Text,
    behaviour: Behaviour,
    connected: bool,
    line: Line,
    /// When it does something by itself.
    alarm: Option<Alarm>,
}

/// What a phone does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Answer,
    HangUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Idle,
    Ringing(CallKey),
    Talking(CallKey),
}

impl Phone {
    pub(super) fn new(extension: &Extension) -> Self {
        Self {
            login: extension.login.clone().unwrap_or_default(),
            behaviour: Behaviour::default(),
            connected: true,
            line: Line::Idle,
            alarm: None,
        }
    }

    /// Whether a queue may ring it.
    pub(super) fn free(&self) -> bool {
        self.connected && self.line == Line::Idle
    }
}

impl Machine {
    /// The number a scenario means: an inside number, or the login of one.
    pub(super) fn inside(&self, number_or_login: &str) -> Option<Text> {
        self.settings.directory.find(number_or_login).map(|extension| extension.number.clone())
    }

    /// Rings phones for a call; gives those that ring. Why the others do not is told.
    pub(super) fn ring(&mut self, call: &Call, numbers: impl IntoIterator<Item = Text>) -> BTreeSet<Text> {
        let mut ringing = BTreeSet::new();
        for number in numbers {
            let Some(phone) = self.phones.get_mut(&number) else { continue };
            let refused = match phone {
                Phone { connected: false, .. } => Some(RingEnd::Unreachable),
                Phone { line: Line::Idle, behaviour, .. } if *behaviour != Behaviour::Busy => None,
                Phone { line: Line::Ringing(key), .. } if *key == call.key => continue,
                Phone { .. } => Some(RingEnd::Busy),
            };
            if let Some(cause) = refused {
                self.ring_stopped(&call.id, &number, cause);
                continue;
            }
            phone.line = Line::Ringing(call.key);
            phone.alarm = match phone.behaviour {
                Behaviour::Answers { after, .. } => Some((after, Act::Answer)),
                Behaviour::Refuses { after } => Some((after, Act::HangUp)),
                _ => None,
            }
            .map(|(after, act)| self.timers.set(self.now + after, Due::Phone(number.clone(), act)));
            self.tell(Event::Ringing { call: call.id.clone(), number: number.clone() });
            ringing.insert(number);
        }
        ringing
    }

    /// Stops every phone that rings for a call.
    pub(super) fn stop_ringing(&mut self, call: &mut Call, cause: RingEnd) {
        let phones = call.ringing().map(std::mem::take).unwrap_or_default();
        for number in phones {
            self.free(&number);
            self.ring_stopped(&call.id, &number, cause);
        }
    }

    /// The phone is not used any more.
    pub(super) fn free(&mut self, number: &Text) {
        if let Some(phone) = self.phones.get_mut(number) {
            phone.line = Line::Idle;
            self.timers.cancel(&mut phone.alarm);
        }
    }

    /// Somebody answers a ringing phone.
    pub(super) fn pick_up(&mut self, number: &Text) -> Result<(), ControlError> {
        let Some(phone) = self.phones.get_mut(number) else { return Err(ControlError::NoSuchNumber(number.clone())) };
        let Line::Ringing(key) = phone.line else { return Err(ControlError::NotRinging(number.clone())) };
        if phone.behaviour == Behaviour::Deaf {
            return Err(ControlError::NeverAnswers(number.clone()));
        }
        let Some(mut call) = self.calls.remove(&key) else { return Err(ControlError::NotRinging(number.clone())) };
        phone.line = Line::Talking(key);
        self.timers.cancel(&mut phone.alarm);
        if let Behaviour::Answers { talks: Some(talks), .. } = phone.behaviour {
            phone.alarm = Some(self.timers.set(self.now + talks, Due::Phone(number.clone(), Act::HangUp)));
        }
        call.scope.answered = Some((number.clone(), phone.login.clone(), self.now));
        if let Some(phones) = call.ringing() {
            phones.remove(number);
        }
        self.stop_ringing(&mut call, RingEnd::Elsewhere);
        self.timers.cancel(&mut call.alarm);
        let talking = match std::mem::replace(&mut call.wait, Wait::Nothing) {
            Wait::Ring { talking, .. } => talking,
            Wait::Queue(wait) => {
                self.leave_queue(&wait.queue, key);
                wait.talking
            }
            // Phones ring only for a call that rings or waits in a queue.
            _ => Block::default(),
        };
        call.talking = Some(number.clone());
        call.turn_to(&talking);
        self.tell(Event::Answered { call: call.id.clone(), number: number.clone() });
        self.note(Some(&call.id), NoteKind::Step, format!("{number} answers"));
        self.calls.insert(key, call);
        self.advance(key);
        Ok(())
    }

    /// Somebody declines or hangs up, inside or outside.
    pub(super) fn hang_up(&mut self, number: &Text) -> Result<(), ControlError> {
        match self.phones.get(number).map(|phone| phone.line) {
            Some(Line::Ringing(key)) => {
                self.ringing_ended(key, number, RingEnd::Refused);
                Ok(())
            }
            Some(Line::Talking(key)) => {
                self.finish(key, &format!("{number} hangs up"));
                Ok(())
            }
            Some(Line::Idle) => Err(ControlError::NoCall(number.clone())),
            None => {
                let calls = self.calls.values().rev();
                let mut theirs = calls.filter(|call| call.live() && call.scope.parties.caller == *number);
                match theirs.next().map(|call| call.key) {
                    Some(key) => {
                        self.caller_leaves(key);
                        Ok(())
                    }
                    None => Err(ControlError::NoCall(number.clone())),
                }
            }
        }
    }

    pub(super) fn caller_leaves(&mut self, key: CallKey) {
        self.finish(key, "the caller hangs up");
    }

    /// A call ends; its `after` begins.
    fn finish(&mut self, key: CallKey, why: &str) {
        if let Some(mut call) = self.calls.remove(&key) {
            if call.live() {
                self.end_call(&mut call, why);
            }
            self.calls.insert(key, call);
            self.advance(key);
        }
    }

    /// A phone that answers, declines or hangs up by itself does so now.
    pub(super) fn phone_acts(&mut self, number: &Text, act: Act) {
        if let Some(phone) = self.phones.get_mut(number) {
            phone.alarm = None;
        }
        let acted = match act {
            Act::Answer => self.pick_up(number),
            Act::HangUp => self.hang_up(number),
        };
        if let Err(why) = acted {
            self.note(None, NoteKind::Odd, why.to_string());
        }
    }

    /// A phone stops ringing without an answer.
    fn ringing_ended(&mut self, key: CallKey, number: &Text, cause: RingEnd) {
        self.free(number);
        let Some(mut call) = self.calls.remove(&key) else { return };
        self.ring_stopped(&call.id, number, cause);
        let nobody = call.ringing().is_some_and(|phones| {
            phones.remove(number);
            phones.is_empty()
        });
        if nobody {
            match &call.wait {
                Wait::Queue(_) => self.rest(&mut call),
                _ => {
                    self.timers.cancel(&mut call.alarm);
                    call.wait = Wait::Nothing;
                }
            }
        }
        self.calls.insert(key, call);
        self.advance(key);
    }

    /// Connects or disconnects a phone.
    pub(super) fn connect(&mut self, number: &Text, connected: bool) -> Result<(), ControlError> {
        let Some(phone) = self.phones.get_mut(number) else { return Err(ControlError::NoSuchNumber(number.clone())) };
        if phone.connected == connected {
            return Ok(());
        }
        phone.connected = connected;
        let line = phone.line;
        self.tell(Event::Phone { number: number.clone(), connected });
        match line {
            Line::Ringing(key) => self.ringing_ended(key, number, RingEnd::Unreachable),
            Line::Talking(key) => self.finish(key, &format!("the phone of {number} is gone")),
            Line::Idle => {}
        }
        Ok(())
    }

    /// Changes how a phone behaves from the next call on; whether it is connected changes at once.
    pub(super) fn behave(&mut self, number: &Text, behaviour: Behaviour) {
        let connected = behaviour.connected();
        if let Some(phone) = self.phones.get_mut(number)
            && connected
        {
            phone.behaviour = behaviour;
        }
        if let Err(why) = self.connect(number, connected) {
            self.note(None, NoteKind::Odd, why.to_string());
        }
    }
}
