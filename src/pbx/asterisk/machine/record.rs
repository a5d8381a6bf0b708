//! Recordings. Asterisk does not say which file it writes, so the name is chosen here and kept.

use std::collections::BTreeSet;

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{ConferenceId, Fact};

use super::super::ami::{Action, Message};
use super::book::Tape;
use super::{Machine, Now, Out};

impl Machine {
    /// Begins to record talks that have begun, and tells of the recordings of talks that are over.
    pub(super) fn tell_recordings(&mut self, _now: Now, ready: &BTreeSet<String>, news: &mut Vec<Fact>, out: &mut Out) {
        let Some(folder) = self.plan.recordings.clone() else { return };
        let keys = self.book.talks.iter().filter(|(_, talk)| ready.contains(&talk.root));
        let keys: Vec<(String, String)> = keys.map(|(key, _)| key.clone()).collect();
        for key in keys {
            let Some(talk) = self.book.talks.get(&key) else { continue };
            let goes_on = talk.together && !talk.held;
            let current = talk.recording.as_ref().map(|tape| tape.talk == talk.id);
            if current.is_some() && (!goes_on || current == Some(false)) {
                self.stop_tape(&key, news, out);
            }
            let Some(talk) = self.book.talks.get(&key).filter(|talk| goes_on && talk.recording.is_none()) else {
                continue;
            };
            let id = talk.id.clone();
            // The inside phone's side is there for the whole of the talk, whatever the line outside does.
            let sides = [&key.0, &key.1].map(|uid| self.board.live(uid));
            let inside = |c: &&&super::channel::Channel| self.number_of(c.endpoint()).is_some();
            let sides: Vec<_> = sides.iter().flatten().collect();
            let Some(side) = sides.iter().find(|c| inside(c)).or_else(|| sides.first()) else { continue };
            let (channel, name) = (side.uid.clone(), side.name.clone());
            let file: Text = format!("{}.wav", id.0).into();
            if self.taped.get(&channel) == Some(&id.0) {
                // An earlier life of the gateway began it, and it goes on.
                if let Some(talk) = self.book.talks.get_mut(&key) {
                    talk.recording = Some(Tape { talk: id, channel, file, asked: None });
                }
                continue;
            }
            let begin = Action::new("MixMonitor")
                .with("Channel", name)
                .with("File", format!("{folder}/{file}"))
                .with("Options", "b");
            let asked = Some(self.send(begin, out));
            if let Some(talk) = self.book.talks.get_mut(&key) {
                talk.recording = Some(Tape { talk: id, channel, file, asked });
            }
        }
    }

    fn stop_tape(&mut self, key: &(String, String), news: &mut Vec<Fact>, out: &mut Out) {
        let Some(talk) = self.book.talks.get_mut(key) else { return };
        let Some(tape) = talk.recording.take() else { return };
        let call = self.book.calls.get(&talk.root).map(|call| call.fact.call.clone());
        if let Some(channel) = self.board.live(&tape.channel) {
            let stop = Action::new("StopMixMonitor").with("Channel", &*channel.name);
            self.send(stop, out);
        }
        // What Asterisk has not begun is no recording.
        if let Some(call) = call.filter(|_| tape.asked.is_none()) {
            news.push(Fact::Recording { call, talk: tape.talk, file: tape.file });
        }
    }

    /// Records a conference from now on; the file.
    pub(super) fn record_room(&mut self, room: &str, id: &ConferenceId, out: &mut Out) -> Option<Text> {
        let folder = self.plan.recordings.clone()?;
        let file: Text = format!("{}.wav", id.0).into();
        let begin = Action::new("ConfbridgeStartRecord")
            .with("Conference", room)
            .with("RecordFile", format!("{folder}/{file}"));
        self.send(begin, out);
        Some(file)
    }

    /// The response to the beginning of a recording. Whether it was one.
    pub(super) fn tape_answered(&mut self, message: &Message) -> bool {
        let id = message.action_id();
        let its = |tape: &Tape| tape.asked.as_deref() == Some(id);
        let Some(talk) = self.book.talks.values_mut().find(|talk| talk.recording.as_ref().is_some_and(its)) else {
            return false;
        };
        if message.response() == "Success" {
            if let Some(tape) = &mut talk.recording {
                tape.asked = None;
            }
        } else if message.response() == "Error" {
            // It stays known, so that it is not asked for again and again, and is told of nobody.
            if let Some(tape) = &mut talk.recording {
                tape.asked = Some(String::new());
            }
        }
        true
    }
}
