//! What a person does with the own phone: look, answer, hang up. `proto-spec/methods/call.md`.

use crate::message::{Body, CallError, Code};
use crate::telephony::Command;

use crate::hub::Hub;
use crate::hub::output::Output;
use crate::hub::route::{Caller, Handled};
use crate::hub::user::Line;

impl Hub {
    pub(in crate::hub) fn line_of(&self, caller: &Caller) -> Handled {
        Ok(Some(Body::from(self.line_info(self.acting(caller)?))))
    }

    pub(in crate::hub) fn answer_call(&mut self, caller: &Caller) -> Handled {
        let user = self.acting(caller)?;
        match self.users[user].line {
            Line::Ringing(_) => {
                let number = self.users[user].account.number.clone();
                self.out.push_back(Output::Pbx(Command::Answer { number }));
                Ok(Some(Body::new()))
            }
            Line::Idle | Line::Talking(..) => Err(CallError::new(Code::InvalidLineState, "the phone does not ring")),
        }
    }

    pub(in crate::hub) fn hang_up(&mut self, caller: &Caller, decline: bool) -> Handled {
        let user = self.acting(caller)?;
        match self.users[user].line {
            Line::Idle => Err(CallError::new(Code::InvalidLineState, "the phone is idle")),
            Line::Talking(..) if decline => {
                Err(CallError::new(Code::InvalidLineState, "the phone does not ring: end a talk with pbxabortcall"))
            }
            Line::Ringing(_) | Line::Talking(..) => {
                let number = self.users[user].account.number.clone();
                self.out.push_back(Output::Pbx(Command::Hangup { number }));
                Ok(Some(Body::new()))
            }
        }
    }
}
