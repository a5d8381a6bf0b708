//! Conferences as clients see them, and who hears of their changes. `proto-spec/methods/conference.md`.

use std::collections::BTreeMap;

use crate::calls::{ConferenceView, Member, MemberState, Phase, Touched};
use crate::message::{Body, Envelope, Object, PeerId, Text, Value};
use crate::telephony::{ConferenceId, GhostMode, LegId};

use super::subscription::Event;
use super::user::UserIx;
use super::{Hub, Peer};

/// Most connections that are told of one conference.
const MAX_WATCHERS: usize = 1000;

/// Who is told of which conference, and what was told last.
#[derive(Debug, Default)]
pub(super) struct Watches(BTreeMap<ConferenceId, Watch>);

#[derive(Debug, Default)]
struct Watch {
    who: Vec<Watcher>,
    told: Vec<(LegId, MemberState)>,
}

/// A connection that wants to know, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Watcher {
    peer: PeerId,
    user: UserIx,
    tab: Option<Text>,
}

impl Watches {
    pub(super) fn len(&self) -> usize {
        self.0.values().map(|w| w.who.len()).sum()
    }

    /// The user is told of nothing any more.
    pub(super) fn forget_user(&mut self, user: UserIx) {
        for watch in self.0.values_mut() {
            watch.who.retain(|w| w.user != user);
        }
        self.0.retain(|_, watch| !watch.who.is_empty());
    }

    /// The peer is gone.
    pub(super) fn forget_peer(&mut self, peer: PeerId) {
        for watch in self.0.values_mut() {
            watch.who.retain(|w| w.peer != peer);
        }
        self.0.retain(|_, watch| !watch.who.is_empty());
    }
}

impl Hub {
    /// Switches the events of a conference on or off for a connection. Says whether there was room.
    pub(super) fn watch(
        &mut self,
        peer: PeerId,
        user: UserIx,
        tab: Option<Text>,
        view: &ConferenceView,
        on: bool,
    ) -> bool {
        let id = view.about.id.clone();
        let watcher = Watcher { peer, user, tab };
        if !on {
            if let Some(watch) = self.watches.0.get_mut(&id) {
                watch.who.retain(|w| *w != watcher);
                if watch.who.is_empty() {
                    self.watches.0.remove(&id);
                }
            }
            return true;
        }
        let watch = self.watches.0.entry(id).or_insert_with(|| Watch { who: Vec::new(), told: composition(view) });
        if watch.who.len() >= MAX_WATCHERS {
            return false;
        }
        if !watch.who.contains(&watcher) {
            watch.who.push(watcher);
        }
        true
    }

    /// Tells those who watch a conference what changed in it: the composition first.
    pub(super) fn tell_conferences(&mut self, touched: &Touched) {
        for id in &touched.conferences {
            let Some(watch) = self.watches.0.get_mut(id) else { continue };
            let Some(view) = self.calls.conference_ever(id) else {
                self.watches.0.remove(id);
                continue;
            };
            let now = composition(&view);
            let before = std::mem::replace(&mut watch.told, now.clone());
            let who = watch.who.clone();
            if view.about.over {
                self.watches.0.remove(id);
            }
            if before == now {
                continue;
            }
            let present = |all: &[(LegId, MemberState)]| -> Vec<LegId> {
                all.iter().filter(|(_, s)| s.is_present()).map(|(leg, _)| leg.clone()).collect()
            };
            let came_or_went = present(&before) != present(&now);
            let changed: Vec<&Member> = view
                .members
                .iter()
                .filter(|m| before.iter().find(|(leg, _)| *leg == m.leg).map(|(_, s)| *s) != Some(m.state))
                .collect();
            for watcher in who {
                if came_or_went {
                    let info = Object::new()
                        .with("conferenceid", id.0.clone())
                        .with("competitorlist", self.competitors(&view, watcher.user));
                    self.tell_watcher(&watcher, "confcompositionchanged", info);
                }
                for member in &changed {
                    let info = Object::new()
                        .with("conference", Object::new().with("id", id.0.clone()))
                        .with("competitor", self.competitor(&view, member, watcher.user));
                    self.tell_watcher(&watcher, "confcompetitorstatechanged", info);
                }
            }
        }
    }

    fn tell_watcher(&mut self, watcher: &Watcher, event: &'static str, info: Object) {
        let hears = match self.peers.get(&watcher.peer) {
            Some(Peer::Tab(tab)) => tab.hears(Event::of(event)),
            Some(Peer::Link(link)) => self.link_hears(*link, Some(watcher.user), event) == Some(watcher.peer),
            Some(Peer::Service(_)) => true,
            None => false,
        };
        if !hears {
            return;
        }
        let mut body = Body::new().with("qid", self.ids.guid());
        self.identity(watcher.user).into_iter().for_each(|(name, value)| body.set(name, value));
        if let Some(tab) = &watcher.tab {
            body.set("tabid", tab.clone());
        }
        self.send(watcher.peer, Envelope::new(event, body.with("eventinfo", info)));
    }

    /// Every member that this user may see.
    pub(super) fn competitors(&self, view: &ConferenceView, user: UserIx) -> Vec<Value> {
        let seen = view.members.iter().filter(|m| self.sees(view, m, user));
        seen.map(|m| self.competitor(view, m, user).into()).collect()
    }

    /// A listener who is not heard by all is seen by listeners alone.
    fn sees(&self, view: &ConferenceView, member: &Member, user: UserIx) -> bool {
        let open = view.about.ghost.as_ref().is_none_or(|g| g.mode == GhostMode::Conference);
        !member.spy || open || self.is_spy(view, user)
    }

    /// Whether the user listens in.
    pub(super) fn is_spy(&self, view: &ConferenceView, user: UserIx) -> bool {
        view.member_at(&self.users[user].account.number).is_some_and(|m| m.spy)
    }

    /// Whether all that the user's phone does is to listen in.
    pub(super) fn only_listens(&self, user: UserIx) -> bool {
        match &self.users[user].line.phase {
            Phase::Conferring(id) => self.calls.conference(&id.0).is_some_and(|view| self.is_spy(&view, user)),
            _ => false,
        }
    }

    fn competitor(&self, view: &ConferenceView, member: &Member, user: UserIx) -> Object {
        let mut competitor = Object::new().with("competitorid", member.leg.0.clone());
        for (name, value) in self.abonent(&member.party) {
            competitor.set(name, value);
        }
        let spy_looks = self.is_spy(view, user);
        competitor
            .with("iscreator", member.creator)
            .with("isdirector", false)
            .with("isghost", spy_looks && member.spied.is_some())
            .with("isghostmajor", spy_looks && member.spied == Some(true))
            .with("ishidden", member.spy && !spy_looks)
            .with("confstatestr", member.state.word())
    }

    /// What a conference says of itself to this user.
    pub(super) fn about_conference(&self, view: &ConferenceView, user: UserIx) -> Object {
        let about = &view.about;
        let mut said = Object::new()
            .with("id", about.id.0.clone())
            .with("room", about.room)
            .with("name", about.name.clone())
            .with("description", about.description.clone())
            .with("accessmode", "free")
            .with("isselector", false)
            .with("record", about.record)
            .with("recordrights", "selected")
            .with("everyonecaninvite", true)
            .with("canvieweachother", true);
        let spy = about.ghost.as_ref().filter(|_| self.is_spy(view, user));
        said.set("isghost", spy.is_some());
        if let Some(ghost) = spy {
            said.set("ghostmode", mode_word(ghost.mode));
        }
        said
    }
}

fn mode_word(mode: GhostMode) -> &'static str {
    match mode {
        GhostMode::Monitor => "monitor",
        GhostMode::Conference => "conference",
        GhostMode::Help => "help",
    }
}

fn composition(view: &ConferenceView) -> Vec<(LegId, MemberState)> {
    view.members.iter().map(|m| (m.leg.clone(), m.state)).collect()
}
