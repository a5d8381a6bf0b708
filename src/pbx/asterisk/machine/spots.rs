//! What each channel does: a pure function of the board, and of what the gateway asked for.

use std::collections::BTreeMap;

use ctigate_proto::message::Text;
use ctigate_proto::telephony::Sequence;

use super::Machine;
use super::channel::{Channel, Kind, State};
use super::look::is_number;
use super::places::{self, HOLD, Own, WAIT};

/// What a channel does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// It is gone.
    Gone,
    /// It listens in to a channel.
    Spies(String),
    /// It is in a conference.
    Room(String),
    /// It talks with another channel.
    Talks(String),
    /// Another channel has put it aside.
    Held(String),
    /// It has put others aside, and hears nobody.
    Waits,
    /// It is called.
    Rings,
    /// It waits for who is called.
    Calls,
    /// It waits in a queue, by number.
    Queue(Text),
    /// It hears something of the PBX.
    Menu(String),
    /// It is between two places.
    Still,
}

impl Machine {
    /// What a channel does.
    pub(super) fn spot(&self, channel: &Channel) -> Spot {
        if !channel.lives() {
            return Spot::Gone;
        }
        if let Some(spied) = &channel.spies {
            return Spot::Spies(spied.clone());
        }
        if let Some(target) = self.asked.get(&channel.uid).and_then(|asked| asked.target.clone()) {
            return Spot::Spies(target);
        }
        if let Some((id, bridge)) = self.board.bridge_of(channel) {
            let far = || self.board.bridge_of(self.voice(channel))?.1.room();
            if let Some(room) = bridge.room().or_else(far) {
                return Spot::Room(room.to_owned());
            }
            if bridge.kind == "parking" {
                return Spot::Menu(bridge.kind.clone());
            }
            match &self.board.beside(&channel.uid)[..] {
                [] => {}
                [other] => return Spot::Talks(other.uid.clone()),
                _ => return Spot::Room(format!("bridge {id}")),
            }
        }
        if channel.is_at(HOLD) {
            return match self.holder(&channel.uid) {
                Some(holder) => Spot::Held(holder.to_owned()),
                None => Spot::Still,
            };
        }
        if channel.is_at(WAIT) {
            return Spot::Waits;
        }
        if channel.is_called() {
            return Spot::Rings;
        }
        let voice = self.voice(channel);
        if let Some(queue) = &voice.queue {
            return Spot::Queue(self.plan.queues.get(queue).cloned().unwrap_or_else(|| Text::from(queue.as_str())));
        }
        // Who was called first waits for the user, whose phone is called now.
        if voice.uid != channel.uid && Own::of(&voice.uid) == Some(Own::Dial(Sequence::Abonent)) {
            return Spot::Still;
        }
        if self.board.calls(&voice.uid) || channel.state != State::Up {
            return Spot::Calls;
        }
        let dials = self.book.present(&channel.uid).is_some_and(|(_, leg)| leg.fact.autocall == Some(Sequence::User))
            || Own::of(&channel.uid) == Some(Own::Dial(Sequence::User));
        let hears = matches!(
            &*voice.app,
            "AGI"
                | "EAGI"
                | "AsyncAGI"
                | "BackGround"
                | "Background"
                | "Playback"
                | "Read"
                | "WaitExten"
                | "Echo"
                | "MusicOnHold"
                | "Milliwatt"
                | "Record"
                | "VoiceMail"
                | "VoiceMailMain"
                | "Stasis"
                | "SayDigits"
                | "SayNumber"
                | "ControlPlayback"
                | "Directory"
                | "DISA"
                | "MeetMe"
                | "SayAlpha"
                | "Morsecode"
        );
        if hears && voice.context != places::CONTEXT {
            return Spot::Menu(voice.context.clone());
        }
        // Which application a channel runs is not always told; a service that has answered is heard.
        let asked = self.asked.get(&channel.uid).map(|asked| &asked.toward).filter(|toward| !toward.is_empty());
        let first = asked.map_or(&*channel.first_exten, |toward| &**toward);
        let number = if is_number(&channel.exten) { &*channel.exten } else { first };
        if self.plan.services.contains(number) {
            return Spot::Menu(number.to_owned());
        }
        if dials && channel.context != places::CONTEXT || channel.dial.is_none() {
            return Spot::Calls;
        }
        Spot::Still
    }

    /// The channel that does what a party hears: the far half of a local channel with which it is alone, else itself.
    pub(super) fn voice<'a>(&'a self, channel: &'a Channel) -> &'a Channel {
        let mut at = channel;
        for _ in 0..4 {
            let Some(bridge) = at.bridge.as_deref() else { break };
            let mut others = self.board.members(bridge).filter(|c| c.uid != at.uid && c.kind != Kind::Inner);
            let (Some(local), None) = (others.next(), others.next()) else { break };
            match self.board.half(local).filter(|_| local.kind == Kind::Local) {
                Some(far) => at = far,
                None => break,
            }
        }
        at
    }

    /// Who has put a channel aside.
    pub(super) fn holder(&self, uid: &str) -> Option<&str> {
        self.holds.get(uid).map(String::as_str)
    }

    /// The channels that somebody has put aside by way of the gateway, in the order in which they came.
    pub(super) fn aside(&self, holder: &str) -> Vec<&Channel> {
        let mut aside: Vec<&Channel> = self
            .holds
            .iter()
            .filter(|(_, by)| *by == holder)
            .filter_map(|(uid, _)| self.board.live(uid))
            .filter(|c| c.is_at(HOLD))
            .collect();
        aside.sort_by_key(|c| c.serial);
        aside
    }

    /// The inside number of an endpoint.
    pub(super) fn number_of(&self, endpoint: &str) -> Option<&Text> {
        self.numbers.get(endpoint)
    }

    /// The parties of a conversation, those that have just gone included, in the order in which they came.
    pub(super) fn parties_in(&self, root: &str) -> Vec<Channel> {
        let channels = self.book.channels.get(root).into_iter().flat_map(BTreeMap::values);
        channels.filter_map(|uid| self.board.channel(uid)).cloned().collect()
    }
}
