//! Who hears which events. A browser hears what it subscribed to; a link hears everything of its people and all broadcasts.

use std::sync::Arc;

use crate::message::{Body, Envelope, PeerId, Shared, Text};
use crate::method;

use super::Hub;
use super::Peer;
use super::ids::ZERO_GUID;
use super::user::UserIx;

/// A set of messages, by their place in the catalogue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Subscriptions([u64; WORDS]);

const WORDS: usize = method::MESSAGES.len().div_ceil(64);

/// One event's place in a [`Subscriptions`]; looked up once, however many tabs are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventIx(usize);

impl EventIx {
    /// `customevent` goes to every logged-in tab: known clients forget to subscribe it again.
    const ALWAYS: &str = "customevent";

    pub(super) fn of(event: &str) -> Option<Self> {
        method::place(event).map(Self)
    }
}

/// An event that is about to be told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    index: Option<EventIx>,
    always: bool,
}

impl Event {
    pub(super) fn of(name: &str) -> Self {
        Self { index: EventIx::of(name), always: name == EventIx::ALWAYS }
    }
}

impl Subscriptions {
    /// Adds an event, or all members of a group. Names nobody knows are accepted and forgotten.
    pub(super) fn add(&mut self, name: &str) {
        let one = [name];
        for member in method::group(name).map_or(&one[..], |g| g.members) {
            if let Some(EventIx(i)) = EventIx::of(member) {
                self.0[i / 64] |= 1 << (i % 64);
            }
        }
    }

    pub(super) fn has(&self, event: Event) -> bool {
        event.always || event.index.is_some_and(|EventIx(i)| self.0[i / 64] & 1 << (i % 64) != 0)
    }
}

impl Hub {
    /// An event of one user: to the tabs that subscribed and to the links whose user it is.
    pub(super) fn tell_user(&mut self, user: UserIx, event: &'static str, body: Body) {
        let mut to = self.tabs_hearing(user, event);
        if self.is_traced() {
            let call = body.text("chainid").filter(|call| *call != ZERO_GUID).unwrap_or_default();
            self.trace_told(user, event, call, to.len());
        }
        to.extend((0..self.links.len()).filter_map(|l| self.link_hears(l, Some(user), event)));
        to.extend(self.services_hearing(user, event));
        let account = &self.users[user].account;
        let (id, login) = (account.id.clone(), account.login.clone());
        self.fan(&to, event, |qid| {
            let mut whole = Body::new().with("qid", qid).with("userid", id).with("userlogin", login);
            body.into_iter().for_each(|(name, part)| whole.set(name, part));
            whole
        });
    }

    /// An event for everybody, about a number.
    pub(super) fn tell_all(&mut self, event: &'static str, number: &str, body: Body) {
        let mut to = Vec::new();
        let heard = Event::of(event);
        (0..self.users.len()).for_each(|user| self.add_tabs_hearing(user, heard, &mut to));
        to.extend((0..self.links.len()).filter_map(|l| self.link_hears(l, None, event)));
        to.extend(self.services_for(&[number]));
        self.fan(&to, event, |qid| {
            let mut whole = Body::new().with("qid", qid);
            body.into_iter().for_each(|(name, part)| whole.set(name, part));
            whole
        });
    }

    /// The direct tabs of a user that hear an event.
    pub(super) fn tabs_hearing(&self, user: UserIx, event: &str) -> Vec<PeerId> {
        let mut to = Vec::new();
        self.add_tabs_hearing(user, Event::of(event), &mut to);
        to
    }

    /// The same into a list of many people's.
    pub(super) fn add_tabs_hearing(&self, user: UserIx, event: Event, to: &mut Vec<PeerId>) {
        let user = &self.users[user];
        if user.tabs.is_empty() || user.account.must_change_password {
            return;
        }
        let hears = |peer: &&PeerId| matches!(self.peers.get(*peer), Some(Peer::Tab(t)) if t.hears(event));
        to.extend(user.tabs.iter().filter(hears));
    }

    /// The peer of a link that hears an event of this user (`None`: a broadcast).
    pub(super) fn link_hears(&self, link: usize, user: Option<UserIx>, event: &str) -> Option<PeerId> {
        let l = &self.links[link];
        let peer = l.peer.filter(|_| l.hears_events)?;
        let of_link = user.is_none_or(|u| l.has_user(u) && (!is_personal(event) || l.reaches(u)));
        (of_link && !l.settings.silent_events.iter().any(|e| e == event)).then_some(peer)
    }

    /// One message, encoded once per format, to all of these; with an event id of its own.
    pub(super) fn fan(&mut self, to: &[PeerId], name: &'static str, body: impl FnOnce(Text) -> Body) {
        if to.is_empty() {
            return;
        }
        let event = self.event(name, body);
        self.share(to, Arc::new(event));
    }

    /// An event with an id of its own, not yet sent.
    pub(super) fn event(&mut self, name: &'static str, body: impl FnOnce(Text) -> Body) -> Shared {
        let qid = self.ids.guid();
        Shared::new(Envelope::new(name, body(qid)))
    }

    /// Sends one message to all of these.
    pub(super) fn share(&mut self, to: &[PeerId], message: Arc<Shared>) {
        self.out.push_back(match to {
            [] => return,
            [to] => super::Output::Send { to: *to, message },
            to => super::Output::Fan { to: to.into(), message },
        });
    }
}

/// Words between people go through a link only to those who are behind it now.
pub(super) fn is_personal(event: &str) -> bool {
    event.starts_with("chat") || matches!(event, "usertextmessagereceived" | "shownotifymessage")
}
