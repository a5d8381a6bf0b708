//! The picture of the PBX: which channels there are and how they hang together, as the events of the Manager Interface tell
//! it. Every event says how something *is*; one that comes twice or late changes nothing that a newer one has said about the
//! same channel.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::super::ami::Message;
use super::channel::{Bridge, Channel, Dial, Gone, Kind, State, kind_of};
use super::places;

/// Most channels at a time; what comes beyond is not followed.
const CHANNELS: usize = 50_000;
/// How many channels that are gone are known, so that a late event does not raise the dead.
const GONE: usize = 20_000;
/// Most bridges, devices and queue members that are followed.
const THINGS: usize = 50_000;

/// The picture.
#[derive(Debug, Default)]
pub(super) struct Board {
    channels: HashMap<String, Channel>,
    /// Uniqueid by name.
    names: HashMap<String, String>,
    bridges: HashMap<String, Bridge>,
    /// Who is in a bridge.
    members: HashMap<String, BTreeSet<String>>,
    /// State of a device (`PJSIP/101`).
    pub(super) devices: BTreeMap<String, String>,
    /// Who serves which queue: queue and interface, and whether it pauses.
    pub(super) serving: BTreeMap<(String, String), Option<String>>,
    /// Who calls, or called, which channels.
    called: HashMap<String, BTreeSet<String>>,
    gone: VecDeque<String>,
    gone_set: HashSet<String>,
    serial: u64,
    /// Whether anything has changed since it was last asked.
    changed: bool,
    /// Channels about which anything was said since they were last looked at.
    touched: BTreeSet<String>,
    /// Channels that are gone and were not forgotten yet.
    dead: BTreeSet<String>,
}

impl Board {
    /// Takes an event. What it does not know it leaves.
    pub(super) fn heard(&mut self, wall_ms: i64, message: &Message) {
        match message.event() {
            "Newchannel" | "Newstate" | "NewCallerid" | "NewConnectedLine" | "NewAccountCode" => {
                self.see(wall_ms, message, "");
            }
            "Newexten" => {
                if let Some(channel) = self.see(wall_ms, message, "") {
                    channel.app = message.get("Application").to_owned();
                    channel.app_data = message.get("AppData").to_owned();
                }
            }
            "DialBegin" => self.dial_begins(wall_ms, message),
            "DialState" => {
                self.see(wall_ms, message, "");
                if let Some(channel) = self.see(wall_ms, message, "Dest") {
                    channel.rang |= message.get("DialStatus") == "RINGING";
                }
            }
            "DialEnd" => self.dial_ends(wall_ms, message),
            "BridgeCreate" | "BridgeListItem" => self.bridge_is(message),
            "BridgeDestroy" => {
                self.bridges.remove(message.get("BridgeUniqueid"));
                self.members.remove(message.get("BridgeUniqueid"));
            }
            "BridgeEnter" => {
                self.bridge_is(message);
                let bridge = message.get("BridgeUniqueid").to_owned();
                // Whose place it takes leaves by an event of its own, which may be late.
                let swapped = message.get("SwapUniqueid").to_owned();
                if self.channels.get(&swapped).is_some_and(|c| c.bridge.as_deref() == Some(&*bridge)) {
                    self.put_into(&swapped, None);
                }
                if let Some(uid) = self.see(wall_ms, message, "").map(|c| c.uid.clone()) {
                    self.put_into(&uid, Some(bridge));
                }
            }
            "BridgeLeave" => {
                let bridge = message.get("BridgeUniqueid");
                if let Some(channel) = self.see(wall_ms, message, "")
                    && channel.bridge.as_deref() == Some(bridge)
                {
                    let uid = channel.uid.clone();
                    self.put_into(&uid, None);
                }
            }
            "Hold" | "Unhold" => {
                let held = message.event() == "Hold";
                if let Some(channel) = self.see(wall_ms, message, "") {
                    channel.hold = held;
                }
            }
            "MusicOnHoldStart" | "MusicOnHoldStop" | "ConfbridgeJoin" | "ConfbridgeLeave" => {
                self.see(wall_ms, message, "");
            }
            "QueueCallerJoin" | "QueueEntry" => self.queues(wall_ms, message, Some(message.get("Queue").to_owned())),
            "QueueCallerLeave" | "QueueCallerAbandon" => self.queues(wall_ms, message, None),
            "QueueMember" | "QueueMemberAdded" | "QueueMemberStatus" | "QueueMemberPause" => {
                let interface = [message.get("Location"), message.get("Interface")].into_iter().find(|i| !i.is_empty());
                if let Some(interface) = interface.filter(|_| self.serving.len() < THINGS) {
                    let key = (message.get("Queue").to_owned(), interface.to_owned());
                    let why = || message.get("PausedReason").to_owned();
                    self.serving.insert(key, (message.get("Paused") == "1").then(why));
                }
            }
            "QueueMemberRemoved" => {
                self.serving.remove(&(message.get("Queue").to_owned(), message.get("Interface").to_owned()));
            }
            "ChanSpyStart" => {
                let spied = message.get("SpyeeUniqueid").to_owned();
                self.see(wall_ms, message, "Spyee");
                if let Some(channel) = self.see(wall_ms, message, "Spyer") {
                    channel.spies = Some(spied);
                }
            }
            "ChanSpyStop" => {
                if let Some(channel) = self.see(wall_ms, message, "Spyer") {
                    channel.spies = None;
                }
            }
            "HangupRequest" => {
                if let Some(channel) = self.see(wall_ms, message, "") {
                    channel.left = true;
                }
            }
            "BlindTransfer" if message.get("Result") == "Success" => {
                if let Some(channel) = self.see(wall_ms, message, "Transferer") {
                    channel.transferred = true;
                }
            }
            "AttendedTransfer" if message.get("Result") == "Success" => {
                for prefix in ["OrigTransferer", "SecondTransferer"] {
                    if let Some(channel) = self.see(wall_ms, message, prefix) {
                        channel.transferred = true;
                    }
                }
            }
            "Hangup" => {
                let cause = message.get("Cause").parse().unwrap_or(0);
                if let Some(uid) = self.see(wall_ms, message, "").map(|c| c.uid.clone()) {
                    self.ends(&uid, Gone::Hung(cause));
                }
            }
            "DeviceStateChange" if self.devices.len() < THINGS || self.devices.contains_key(message.get("Device")) => {
                self.devices.insert(message.get("Device").to_owned(), message.get("State").to_owned());
            }
            "CoreShowChannel" => self.lists(wall_ms, message),
            _ => return,
        }
        self.changed = true;
    }

    /// Whether anything has changed since it was last asked.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The channel an event is about, as the event shows it.
    fn see(&mut self, wall_ms: i64, message: &Message, prefix: &str) -> Option<&mut Channel> {
        let field = |key: &str| message.get(&format!("{prefix}{key}")).to_owned();
        let uid = field("Uniqueid");
        if uid.is_empty() || self.gone_set.contains(&uid) {
            return None;
        }
        if !self.channels.contains_key(&uid) {
            if self.channels.len() >= CHANNELS {
                return None;
            }
            self.serial += 1;
            let new = Channel { uid: uid.clone(), serial: self.serial, began_ms: wall_ms, ..Channel::default() };
            self.channels.insert(uid.clone(), new);
        }
        let channel = self.channels.get_mut(&uid)?;
        if !channel.lives() {
            return None;
        }
        if !self.touched.contains(&uid) {
            self.touched.insert(uid.clone());
        }
        let name = field("Channel");
        if !name.is_empty() && name != channel.name {
            self.names.remove(&channel.name);
            self.names.insert(name.clone(), uid);
            channel.kind = kind_of(&name);
            channel.name = name;
        }
        let state = match &*field("ChannelStateDesc") {
            "" => channel.state,
            "Up" => State::Up,
            "Ringing" => State::Rings,
            "Ring" | "Dialing" | "Dialing Offhook" | "OffHook" | "Pre-ring" => State::Calls,
            _ => State::Down,
        };
        // A channel that is there never rings again: what says so is late.
        if channel.state != State::Up {
            channel.state = state;
        }
        channel.rang |= state == State::Rings;
        channel.was_up |= state == State::Up;
        for (key, to) in [
            ("Linkedid", &mut channel.linkedid),
            ("CallerIDNum", &mut channel.caller),
            ("CallerIDName", &mut channel.caller_name),
            ("ConnectedLineNum", &mut channel.connected),
            ("Context", &mut channel.context),
            ("Exten", &mut channel.exten),
        ] {
            let value = field(key);
            if !value.is_empty() {
                *to = if value == "<unknown>" { String::new() } else { value };
            }
        }
        let dialled = !matches!(&*channel.exten, "s" | "h" | "") && !places::is_ours(&channel.context);
        if channel.first_exten.is_empty() && dialled {
            channel.first_exten.clone_from(&channel.exten);
        }
        Some(channel)
    }

    fn dial_begins(&mut self, wall_ms: i64, message: &Message) {
        let by = self.see(wall_ms, message, "").map(|c| (c.uid.clone(), c.exten.clone()));
        let Some(channel) = self.see(wall_ms, message, "Dest") else { return };
        let status = channel.dial.as_ref().and_then(|dial| dial.status.clone());
        let (by, exten) = by.map_or((None, String::new()), |(by, exten)| (Some(by), exten));
        let uid = channel.uid.clone();
        self.set_dial(&uid, Dial { by, string: message.get("DialString").to_owned(), exten, status });
    }

    fn dial_ends(&mut self, wall_ms: i64, message: &Message) {
        let by = self.see(wall_ms, message, "").map(|c| (c.uid.clone(), c.exten.clone()));
        let Some(channel) = self.see(wall_ms, message, "Dest") else { return };
        let mut dial = channel.dial.clone().unwrap_or_default();
        // Who picks up somebody else's call calls itself, or is called by Asterisk; now it answers that caller.
        if let Some((by, exten)) = by
            && dial.by.as_ref() != Some(&by)
        {
            (dial.by, dial.exten) = (Some(by), exten);
        }
        let status = message.get("DialStatus");
        if dial.status.as_deref() != Some("ANSWER") && !status.is_empty() {
            dial.status = Some(status.to_owned());
        }
        let uid = channel.uid.clone();
        self.set_dial(&uid, dial);
    }

    fn set_dial(&mut self, uid: &str, dial: Dial) {
        let Some(channel) = self.channels.get_mut(uid) else { return };
        let before = channel.dial.replace(dial).and_then(|dial| dial.by);
        let by = channel.dial.as_ref().and_then(|dial| dial.by.clone());
        if before != by {
            self.uncall(before.as_deref(), uid);
        }
        if let Some(by) = by {
            self.called.entry(by).or_default().insert(uid.to_owned());
        }
    }

    fn uncall(&mut self, by: Option<&str>, uid: &str) {
        let Some(by) = by else { return };
        if let Some(called) = self.called.get_mut(by) {
            called.remove(uid);
            if called.is_empty() {
                self.called.remove(by);
            }
        }
    }

    fn bridge_is(&mut self, message: &Message) {
        let id = message.get("BridgeUniqueid");
        if id.is_empty() || self.bridges.len() >= THINGS && !self.bridges.contains_key(id) {
            return;
        }
        let bridge = self.bridges.entry(id.to_owned()).or_default();
        for (key, to) in
            [("BridgeType", &mut bridge.kind), ("BridgeCreator", &mut bridge.creator), ("BridgeName", &mut bridge.name)]
        {
            let value = message.get(key);
            if !value.is_empty() && value != "<unknown>" {
                value.clone_into(to);
            }
        }
    }

    fn put_into(&mut self, uid: &str, bridge: Option<String>) {
        let Some(channel) = self.channels.get_mut(uid) else { return };
        if channel.bridge == bridge {
            return;
        }
        if let Some(left) = channel.bridge.take()
            && let Some(members) = self.members.get_mut(&left)
        {
            members.remove(uid);
            if members.is_empty() {
                self.members.remove(&left);
            }
        }
        // A hold is one of this talk.
        channel.hold = false;
        channel.bridge.clone_from(&bridge);
        if let Some(bridge) = bridge {
            self.members.entry(bridge).or_default().insert(uid.to_owned());
        }
    }

    fn queues(&mut self, wall_ms: i64, message: &Message, queue: Option<String>) {
        if let Some(channel) = self.see(wall_ms, message, "") {
            channel.queue = queue;
        }
    }

    fn ends(&mut self, uid: &str, how: Gone) {
        self.put_into(uid, None);
        if let Some(channel) = self.channels.get_mut(uid)
            && channel.gone.is_none()
        {
            self.touched.insert(uid.to_owned());
            self.dead.insert(uid.to_owned());
            channel.gone = Some(how);
            channel.queue = None;
            channel.spies = None;
            self.changed = true;
        }
    }

    // A list of all channels.

    /// A list of all channels begins.
    pub(super) fn list_begins(&mut self) {
        self.channels.values_mut().for_each(|channel| channel.listed = false);
        // They are listed anew, and their ends may have been missed.
        self.bridges.clear();
    }

    fn lists(&mut self, wall_ms: i64, message: &Message) {
        let began_ms = wall_ms - duration_ms(message.get("Duration"));
        let known = self.channels.contains_key(message.get("Uniqueid"));
        let Some(channel) = self.see(wall_ms, message, "") else { return };
        channel.listed = true;
        if !known {
            channel.began_ms = began_ms;
        }
        channel.app = message.get("Application").to_owned();
        channel.app_data = message.get("ApplicationData").to_owned();
        let (uid, bridge) = (channel.uid.clone(), message.get("BridgeId").to_owned());
        self.put_into(&uid, Some(bridge).filter(|bridge| !bridge.is_empty()));
    }

    /// The list is complete: what it had not and was not seen since it began has ended unseen. Gives how many.
    pub(super) fn list_ends(&mut self, began_serial: u64) -> usize {
        let unlisted = |c: &&Channel| c.lives() && !c.listed && c.serial <= began_serial;
        let missing: Vec<String> = self.channels.values().filter(unlisted).map(|c| c.uid.clone()).collect();
        missing.iter().for_each(|uid| self.ends(uid, Gone::Unseen));
        self.guess();
        missing.len()
    }

    /// The number of the newest channel.
    pub(super) fn newest(&self) -> u64 {
        self.serial
    }

    /// Fills in what a list does not say: who is called by whom, and who listens in to whom.
    fn guess(&mut self) {
        let mut dials = Vec::new();
        let mut spies = Vec::new();
        for channel in self.channels.values().filter(|c| c.lives() && c.listed) {
            if channel.dial.is_none() && matches!(&*channel.app, "AppDial" | "AppQueue") {
                let calls = |c: &&Channel| {
                    c.lives() && c.linkedid == channel.linkedid && matches!(&*c.app, "Dial" | "Queue" | "FollowMe")
                };
                let by = self.channels.values().filter(calls).min_by_key(|c| c.serial);
                let status = (channel.state == State::Up).then(|| "ANSWER".to_owned());
                dials.push((channel.uid.clone(), by.map(|c| (c.uid.clone(), c.exten.clone())), status));
            }
            if channel.spies.is_none() && channel.app == "ChanSpy" {
                let name = channel.app_data.split(',').next().unwrap_or_default();
                spies.extend(self.names.get(name).map(|spied| (channel.uid.clone(), spied.clone())));
            }
        }
        for (uid, by, status) in dials {
            let (by, exten) = by.map_or((None, String::new()), |(by, exten)| (Some(by), exten));
            self.set_dial(&uid, Dial { by, string: String::new(), exten, status });
        }
        for (uid, spied) in spies {
            if let Some(channel) = self.channels.get_mut(&uid) {
                channel.spies = Some(spied);
            }
        }
    }

    // Looking.

    pub(super) fn channel(&self, uid: &str) -> Option<&Channel> {
        self.channels.get(uid)
    }

    /// A channel that is there.
    pub(super) fn live(&self, uid: &str) -> Option<&Channel> {
        self.channels.get(uid).filter(|c| c.lives())
    }

    pub(super) fn by_name(&self, name: &str) -> Option<&Channel> {
        self.names.get(name).and_then(|uid| self.channels.get(uid))
    }

    /// The channels about which anything was said since this was last asked, in the order in which they came.
    pub(super) fn take_touched(&mut self) -> Vec<Channel> {
        let touched = std::mem::take(&mut self.touched);
        let mut touched: Vec<Channel> = touched.iter().filter_map(|uid| self.channels.get(uid)).cloned().collect();
        touched.sort_by_key(|c| c.serial);
        touched
    }

    /// Everything has to be looked at.
    pub(super) fn touch_all(&mut self) {
        self.touched.extend(self.channels.keys().cloned());
    }

    pub(super) fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values()
    }

    pub(super) fn bridge_of<'a>(&'a self, channel: &'a Channel) -> Option<(&'a str, &'a Bridge)> {
        let id = channel.bridge.as_deref()?;
        Some((id, self.bridges.get(id)?))
    }

    /// The other half of a local channel.
    pub(super) fn half(&self, channel: &Channel) -> Option<&Channel> {
        let (base, side) = channel.name.rsplit_once(';')?;
        self.by_name(&format!("{base};{}", if side == "1" { 2 } else { 1 }))
    }

    /// The parties with whom a channel shares a bridge, seen through local channels.
    pub(super) fn beside(&self, uid: &str) -> Vec<&Channel> {
        let mut found = BTreeMap::new();
        let mut seen: HashSet<&str> = HashSet::new();
        let mut bridges: Vec<&str> = self.live(uid).and_then(|c| c.bridge.as_deref()).into_iter().collect();
        while let Some(bridge) = bridges.pop() {
            if !seen.insert(bridge) {
                continue;
            }
            for channel in self.members.get(bridge).into_iter().flatten().filter_map(|uid| self.live(uid)) {
                match channel.kind {
                    Kind::Party if channel.uid != uid => {
                        found.insert(channel.serial, channel);
                    }
                    Kind::Local => bridges.extend(self.half(channel).and_then(|half| half.bridge.as_deref())),
                    Kind::Party | Kind::Inner => {}
                }
            }
        }
        found.into_values().collect()
    }

    /// The party that called a channel, seen through local channels.
    pub(super) fn caller_of(&self, channel: &Channel) -> Option<&Channel> {
        let mut at = channel;
        for _ in 0..8 {
            let by = self.channel(at.dial.as_ref()?.by.as_deref()?)?;
            if by.kind != Kind::Local {
                return Some(by);
            }
            at = self.half(by)?;
        }
        None
    }

    /// The parties that are called by a channel now, seen through local channels.
    pub(super) fn called_by(&self, uid: &str) -> Vec<&Channel> {
        let mut found = Vec::new();
        let mut callers = vec![uid];
        for _ in 0..64 {
            let Some(by) = callers.pop() else { break };
            for channel in self.calling(by) {
                match channel.kind {
                    Kind::Local => callers.extend(self.half(channel).map(|half| &*half.uid)),
                    _ => found.push(channel),
                }
            }
        }
        found
    }

    /// The channels that are called by a channel now.
    fn calling(&self, by: &str) -> impl Iterator<Item = &Channel> {
        let open = |c: &&Channel| c.dial.as_ref().is_some_and(|dial| dial.status.is_none());
        self.called.get(by).into_iter().flatten().filter_map(|uid| self.live(uid)).filter(open)
    }

    /// Whether a channel calls anybody now.
    pub(super) fn calls(&self, by: &str) -> bool {
        self.calling(by).next().is_some()
    }

    /// Whether somebody whom a channel called has answered.
    pub(super) fn was_answered(&self, by: &str) -> bool {
        let answered = |c: &Channel| c.dial.as_ref().is_some_and(|dial| dial.status.as_deref() == Some("ANSWER"));
        self.called.get(by).into_iter().flatten().filter_map(|uid| self.channel(uid)).any(answered)
    }

    /// The channels in a bridge.
    pub(super) fn members(&self, bridge: &str) -> impl Iterator<Item = &Channel> {
        self.members.get(bridge).into_iter().flatten().filter_map(|uid| self.live(uid))
    }

    /// The channels that are gone and were not forgotten yet.
    pub(super) fn gone(&self) -> impl Iterator<Item = &Channel> {
        self.dead.iter().filter_map(|uid| self.channels.get(uid))
    }

    /// Forgets a channel that is gone.
    pub(super) fn bury(&mut self, uid: &str) {
        self.dead.remove(uid);
        let Some(channel) = self.channels.remove(uid) else { return };
        if self.names.get(&channel.name).is_some_and(|named| named == uid) {
            self.names.remove(&channel.name);
        }
        self.called.remove(uid);
        self.uncall(channel.dial.as_ref().and_then(|dial| dial.by.as_deref()), uid);
        self.touched.remove(uid);
        if self.gone.len() >= GONE
            && let Some(oldest) = self.gone.pop_front()
        {
            self.gone_set.remove(&oldest);
        }
        self.gone.push_back(uid.to_owned());
        self.gone_set.insert(uid.to_owned());
    }

    /// The channels that a channel has called, answered or not, and that are there.
    pub(super) fn called_ever(&self, by: &str) -> impl Iterator<Item = &Channel> {
        self.called.get(by).into_iter().flatten().filter_map(|uid| self.live(uid))
    }

    /// Forgets one channel.
    pub(super) fn forget(&mut self, uid: &str) {
        self.ends(uid, Gone::Hung(26));
        self.bury(uid);
    }

    /// How many channels are known.
    pub(super) fn len(&self) -> usize {
        self.channels.len()
    }
}

/// A `Duration` of a list, `HH:MM:SS`.
fn duration_ms(text: &str) -> i64 {
    let seconds = text.split(':').try_fold(0_i64, |sum, part| Some(sum * 60 + part.parse::<i64>().ok()?));
    seconds.unwrap_or(0).saturating_mul(1000)
}
