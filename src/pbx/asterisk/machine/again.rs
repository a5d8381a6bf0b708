//! Reading the whole state of Asterisk after a connection, so that what was missed is made good: what is gone ends, what is
//! there goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use ctigate_proto::Time;
use ctigate_proto::message::Text;
use ctigate_proto::telephony::Event;
use uuid::Uuid;

use super::super::ami::{Action, Message};
use super::places::{CONSULT, CONTEXT};
use super::{Machine, Now, Out};

/// How long the reading may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A reading that goes on.
#[derive(Debug)]
pub(super) struct Reading {
    /// What is awaited: what was asked by the id of the action.
    open: BTreeMap<String, Question>,
    /// The newest channel that was known when it began.
    newest: u64,
    until: Time,
    listed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Question {
    /// A list, which ends with an event.
    List,
    /// Whom a channel has put aside.
    Aside(String),
    /// The state of a phone, by number.
    Phone(Text),
    /// Into which file a channel is recorded.
    Tape(String),
}

impl Machine {
    /// Asks for everything.
    pub(super) fn read_all(&mut self, now: Now, out: &mut Out) {
        self.board.list_begins();
        self.board.serving.clear();
        let newest = self.board.newest();
        let mut open = BTreeMap::new();
        // What kind a bridge is has to be known before who is in it.
        for name in ["BridgeList", "CoreShowChannels", "QueueStatus", "DeviceStateList"] {
            open.insert(self.send(Action::new(name), out), Question::List);
        }
        self.reading = Some(Reading { open, newest, until: now.mono + PATIENCE, listed: false });
    }

    /// Something that belongs to the reading. Whether it did.
    pub(super) fn read(&mut self, now: Now, message: &Message, out: &mut Out) -> bool {
        let Some(reading) = &mut self.reading else { return false };
        let id = message.action_id();
        let Some(question) = reading.open.get(id).cloned() else { return false };
        let done = match &question {
            // Of a list only the last event ends it; there is no list of nothing but an error.
            Question::List => message.get("EventList") == "Complete" || message.response() == "Error",
            Question::Aside(_) | Question::Phone(_) | Question::Tape(_) => !message.response().is_empty(),
        };
        if !done {
            return false;
        }
        reading.open.remove(id);
        match question {
            Question::List => {}
            Question::Aside(uid) => {
                let aside = self.board.by_name(message.get("Value")).map(|c| c.uid.clone());
                if let Some(aside) = aside {
                    self.holds.insert(aside, uid);
                }
            }
            Question::Tape(uid) => {
                let file = message.get("Value").rsplit('/').next().unwrap_or_default();
                if let Some(id) = file.strip_suffix(".wav").filter(|id| Uuid::parse_str(id).is_ok()) {
                    self.taped.insert(uid, id.into());
                }
            }
            Question::Phone(number) => self.note_phone(&number, message),
        }
        self.read_on(now, out);
        true
    }

    fn read_on(&mut self, now: Now, out: &mut Out) {
        let Some(reading) = &self.reading else { return };
        if !reading.open.is_empty() {
            return;
        }
        if reading.listed {
            return self.have_read(now, out);
        }
        // The lists are there; some things have to be asked one by one.
        let (newest, until) = (reading.newest, reading.until);
        let missing = self.board.list_ends(newest);
        if missing > 0 {
            tracing::warn!(channels = missing, "calls have ended while Asterisk was not heard");
        }
        let ours = |c: &&super::channel::Channel| c.lives() && matches!(&*c.context, CONTEXT | CONSULT);
        let mut channels: Vec<&super::channel::Channel> = self.board.channels().collect();
        channels.sort_by_key(|c| c.serial);
        let places: Vec<(String, String)> =
            channels.iter().copied().filter(ours).map(|c| (c.uid.clone(), c.name.clone())).collect();
        let taped =
            |c: &&super::channel::Channel| c.lives() && c.bridge.is_some() && self.number_of(c.endpoint()).is_some();
        let known = |c: &&super::channel::Channel| self.book.root_of.contains_key(&c.uid);
        let taped: Vec<(String, String)> = match self.plan.recordings {
            None => Vec::new(),
            Some(_) => {
                let channels = channels.iter().copied().filter(taped).filter(|c| !known(c));
                channels.map(|c| (c.uid.clone(), c.name.clone())).collect()
            }
        };
        let mut open = BTreeMap::new();
        for (uid, name) in places {
            let ask = Action::new("Getvar").with("Channel", name).with("Variable", "CTI_HELD");
            open.insert(self.send(ask, out), Question::Aside(uid));
        }
        for (uid, name) in taped {
            let ask = Action::new("Getvar").with("Channel", name).with("Variable", "MIXMONITOR_FILENAME");
            open.insert(self.send(ask, out), Question::Tape(uid));
        }
        for (number, endpoint) in self.unheard_phones() {
            let ask = Action::new("Getvar").with("Variable", format!("DEVICE_STATE({endpoint})"));
            open.insert(self.send(ask, out), Question::Phone(number));
        }
        self.reading = Some(Reading { open, newest, until, listed: true });
        if self.reading.as_ref().is_some_and(|reading| reading.open.is_empty()) {
            self.have_read(now, out);
        }
    }

    fn have_read(&mut self, now: Now, out: &mut Out) {
        self.reading = None;
        self.asked.values_mut().for_each(|asked| asked.pending = false);
        self.write_lasting(out);
        self.stale = false;
        self.board.touch_all();
        self.dirty.extend(self.book.calls.keys().cloned());
        self.look_soon(now);
    }

    /// A reading that takes too long ends with what there is. Channels that were not listed are not ended by it.
    pub(super) fn read_timed_out(&mut self, now: Now, out: &mut Out) {
        if self.reading.as_ref().is_some_and(|reading| reading.until <= now.mono) {
            tracing::warn!("Asterisk has not told all of its state in time");
            self.have_read(now, out);
        }
    }

    pub(super) fn reading_due(&self) -> Option<Time> {
        self.reading.as_ref().map(|reading| reading.until)
    }

    /// Tells which phones can be rung, if it has changed. Of a PBX that is not heard none can.
    pub(super) fn tell_phones(&mut self, out: &mut Out) {
        for (number, phone) in &self.plan.phones {
            let state = self.board.devices.get(&phone.endpoint).map_or("", String::as_str);
            let connected = self.up && !matches!(state, "UNAVAILABLE" | "INVALID" | "");
            if self.phones.get(number) != Some(&connected) {
                self.phones.insert(number.clone(), connected);
                out.events.push(Event::Phone { number: number.clone(), connected });
            }
        }
    }
}
