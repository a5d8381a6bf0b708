//! The CRM links: who is connected, what it offers, who came through its tunnel. `proto-spec/link.md`.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::{Index, IndexMut};
use std::sync::Arc;
use std::time::Duration;

use crate::Time;
use crate::message::{Body, CloseReason, Envelope, Introduction, Object, PeerId, Qid, Shared, Text, Value};
use crate::method::Head;

use super::circuit::Circuit;
use super::declaration::{self, Form, Method};
use super::ids::ExecutionId;
use super::input::{LinkState, Opening, Undelivered};
use super::output::{Notice, Output};
use super::settings::LinkSettings;
use super::timer::{Key, Timer};
use super::trace::{About, What};
use super::user::{UserIx, Users};
use super::{Hub, Peer};

/// How long a CRM may think about a question of the introduction.
const QUESTION_WAIT: Duration = Duration::from_secs(10);
/// So many replacements within the window mean that two CRMs compete.
const CONTEST: (usize, Duration) = (3, Duration::from_secs(60));
/// For how long newcomers are turned away then.
const CONTEST_PAUSE: Duration = Duration::from_secs(30);
/// What the connections of a link are told that is removed.
const LINK_REMOVED: CloseReason = CloseReason::new(1001, "the link was removed from the configuration");
/// What the detail of a link says then.
const COMPETING: &str = "; two CRMs compete for this link";
/// Most people a CRM may name in `activeusers`, and most tabs of one of them.
const MAX_ACTIVE: usize = 10_000;
const MAX_TUNNEL_TABS: usize = 64;
/// After how long nothing means somebody or something that was removed any more: the longest life of what is under way.
pub(super) const FORGOTTEN: Duration = Duration::from_secs(7200);

/// All links. A link keeps its place as long as the node runs; one that was removed stays as a shadow, which nobody meets: it has
/// no peer, no users and no name that is found. Its place is taken by a link of the same name, or after a while by another.
#[derive(Debug)]
pub(super) struct Links {
    all: Vec<Link>,
    /// The places of those that are there, in the order of the configuration.
    order: Vec<usize>,
}

/// One link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) settings: LinkSettings,
    /// Since when it is but a shadow.
    pub(super) gone: Option<Time>,
    /// Users it is for; `None`: everybody.
    users: Option<BTreeSet<UserIx>>,
    /// The open connection.
    pub(super) peer: Option<PeerId>,
    /// Whether events are sent to it (a link that is only posted to gets none).
    pub(super) hears_events: bool,
    pub(super) introduction: Option<Introduction>,
    pub(super) methods: Vec<Arc<Method>>,
    pub(super) forms: Vec<Arc<Form>>,
    /// People the CRM named in `activeusers`, and their tabs.
    pub(super) active: BTreeMap<UserIx, Vec<Text>>,
    /// People who are logged in through it.
    pub(super) tunnel: BTreeMap<UserIx, Tunnel>,
    /// How many executions wait for its answer.
    pub(super) in_flight: usize,
    /// Executions that its people asked for through it.
    pub(super) asked: BTreeSet<ExecutionId>,
    /// Failures in a row, by method.
    pub(super) circuits: HashMap<Text, Circuit>,
    questions: BTreeMap<Text, (Question, Key)>,
    grace: Option<Key>,
    /// Events were lost, and not all users have been told of yet.
    pub(super) telling: Option<Key>,
    replaced: VecDeque<Time>,
    contested: bool,
    pub(super) state: &'static str,
    pub(super) since_ms: i64,
    pub(super) detail: String,
}

/// What we asked a CRM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Methods,
    Forms,
    Users,
}

/// One person behind a link.
#[derive(Debug, Default)]
pub(super) struct Tunnel {
    pub(super) tabs: Vec<TunnelTab>,
    /// The hash of the session, for a person who logged in; `None` for one the link vouches for.
    pub(super) session: Option<Text>,
}

/// One tab behind a link.
#[derive(Debug)]
pub(super) struct TunnelTab {
    pub(super) id: Text,
    pub(super) since_ms: i64,
    pub(super) focus: Option<Time>,
    pub(super) has_focus: bool,
}

impl Links {
    pub(super) fn new(settings: &[LinkSettings], users: &Users, wall_ms: i64) -> Self {
        let all: Vec<Link> = settings.iter().map(|l| Link::new(l.clone(), users, wall_ms)).collect();
        Self { order: (0..all.len()).collect(), all }
    }

    /// How many places there are, shadows included.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// In no certain order, shadows included.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Link> {
        self.all.iter()
    }

    pub(super) fn all_mut(&mut self) -> std::slice::IterMut<'_, Link> {
        self.all.iter_mut()
    }

    /// Those that are there, in the order of the configuration.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &Link> {
        self.order.iter().map(|at| &self.all[*at])
    }

    /// The same with their places.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (usize, &Link)> {
        self.order.iter().map(|at| (*at, &self.all[*at]))
    }

    /// A place for a link that is new: its own of before, else that of a shadow that nothing can mean any more, else a new one.
    pub(super) fn place_for(&self, name: &str, now: Time) -> usize {
        let own = self.all.iter().position(|l| l.settings.name == name);
        let old = || self.all.iter().position(|l| l.gone.is_some_and(|gone| now.since(gone) > FORGOTTEN));
        own.or_else(old).unwrap_or(self.all.len())
    }

    pub(super) fn put(&mut self, at: usize, link: Link) {
        if at < self.all.len() {
            self.all[at] = link;
        } else {
            self.all.push(link);
        }
    }

    /// The order of the configuration, by places.
    pub(super) fn set_order(&mut self, order: Vec<usize>) {
        self.order = order;
    }
}

impl Index<usize> for Links {
    type Output = Link;

    fn index(&self, link: usize) -> &Link {
        &self.all[link]
    }
}

impl IndexMut<usize> for Links {
    fn index_mut(&mut self, link: usize) -> &mut Link {
        &mut self.all[link]
    }
}

impl Link {
    pub(super) fn new(settings: LinkSettings, users: &Users, wall_ms: i64) -> Self {
        let state = resting(&settings);
        Self {
            users: users_of(&settings, users),
            gone: None,
            settings,
            peer: None,
            hears_events: false,
            introduction: None,
            methods: Vec::new(),
            forms: Vec::new(),
            active: BTreeMap::new(),
            tunnel: BTreeMap::new(),
            in_flight: 0,
            asked: BTreeSet::new(),
            circuits: HashMap::new(),
            questions: BTreeMap::new(),
            grace: None,
            telling: None,
            replaced: VecDeque::new(),
            contested: false,
            state,
            since_ms: wall_ms,
            detail: String::new(),
        }
    }

    /// Other settings, or other accounts behind the logins they name.
    pub(super) fn set(&mut self, settings: LinkSettings, users: &Users) {
        self.users = users_of(&settings, users);
        self.settings = settings;
    }

    /// Whether the link is for this user.
    pub(super) fn has_user(&self, user: UserIx) -> bool {
        self.gone.is_none() && self.users.as_ref().is_none_or(|u| u.contains(&user))
    }

    /// Whether the user can be reached behind this link now: through the tunnel, or named in `activeusers`.
    pub(super) fn reaches(&self, user: UserIx) -> bool {
        self.tunnel.contains_key(&user) || self.active.contains_key(&user)
    }

    /// Whether this tab of the user is known behind the link.
    pub(super) fn has_tab(&self, user: UserIx, tab: &str) -> bool {
        self.tunnel.get(&user).is_some_and(|t| t.tabs.iter().any(|t| t.id == tab))
            || self.active.get(&user).is_some_and(|tabs| tabs.iter().any(|t| t == tab))
    }

    pub(super) fn method(&self, name: &str) -> Option<&Arc<Method>> {
        self.methods.iter().find(|m| m.name == name)
    }

    pub(super) fn form(&self, name: &str) -> Option<&Arc<Form>> {
        self.forms.iter().find(|f| f.name == name)
    }

    /// Whether it is still being asked what it offers.
    pub(super) fn introducing(&self) -> bool {
        self.questions.values().any(|(q, _)| *q == Question::Methods)
    }
}

/// What a link without a connection does.
pub(super) fn resting(settings: &LinkSettings) -> &'static str {
    if settings.mode.starts_with("accept") { "waiting" } else { "dialing" }
}

fn users_of(settings: &LinkSettings, users: &Users) -> Option<BTreeSet<UserIx>> {
    settings.users.as_ref().map(|logins| logins.iter().filter_map(|l| users.by_login(l)).collect())
}

impl Hub {
    pub(super) fn link_index(&self, name: &str) -> Option<usize> {
        self.links.numbered().find(|(_, l)| l.settings.name == name).map(|(at, _)| at)
    }

    /// A CRM has introduced itself: the newest wins, unless two of them fight for the place.
    pub(super) fn link_opened(&mut self, link: usize, peer: PeerId, opening: Opening) {
        let now = self.now;
        if opening.visitor {
            self.peers.insert(peer, Peer::Link(link));
            return;
        }
        if let Some(old) = self.links[link].peer {
            if self.links[link].contested {
                let reason = CloseReason::new(1013, "two CRMs compete for this link, try again later");
                self.out.push_back(Output::Close { peer, reason });
                return;
            }
            self.note_replacement(link);
            // The old connection is forgotten first, so that what waits on it fails and its close changes nothing.
            self.peers.remove(&old);
            self.out.push_back(Output::Close { peer: old, reason: CloseReason::REPLACED });
            self.link_peer_gone(link, old);
            self.fail_in_flight(link);
        }
        self.stop_telling(link);
        self.peers.insert(peer, Peer::Link(link));
        let wall = self.wall(now);
        let l = &mut self.links[link];
        if let Some(key) = l.grace.take() {
            self.timers.cancel(key);
        }
        l.peer = Some(peer);
        l.hears_events = !opening.post || opening.polls;
        l.introduction = opening.introduction;
        (l.state, l.since_ms) = ("up", wall);
        l.detail = match (opening.post, l.settings.mode.starts_with("dial")) {
            (true, _) => format!("posted to at {}", opening.address),
            (false, true) => format!("connected to {}", opening.address),
            (false, false) => format!("connected from {}", opening.address),
        };
        if l.contested {
            l.detail.push_str(COMPETING);
        }
        for (_, key) in std::mem::take(&mut l.questions).into_values() {
            self.timers.cancel(key);
        }
        let name = l.settings.name.clone();
        self.step(About::default(), What::LinkUp { link: name.clone() });
        self.out.push_back(Output::Notice(Notice::LinkUp { link: name }));
        self.forms_forget_link(link);
        self.ask_capabilities(link);
    }

    fn note_replacement(&mut self, link: usize) {
        let now = self.now;
        let l = &mut self.links[link];
        l.replaced.push_back(now);
        while l.replaced.front().is_some_and(|t| now.since(*t) > CONTEST.1) {
            l.replaced.pop_front();
        }
        if l.replaced.len() >= CONTEST.0 && !l.contested {
            l.contested = true;
            let name = l.settings.name.clone();
            self.out.push_back(Output::Notice(Notice::LinkContested { link: name }));
            self.timers.set(now + CONTEST_PAUSE, Timer::ContestOver(link));
        }
    }

    pub(super) fn contest_over(&mut self, link: usize) {
        let l = &mut self.links[link];
        l.contested = false;
        l.replaced.clear();
        if let Some(detail) = l.detail.strip_suffix(COMPETING) {
            l.detail = detail.to_owned();
        }
    }

    /// The three questions, in their order; asked again when the CRM says that its methods changed.
    pub(super) fn ask_capabilities(&mut self, link: usize) {
        let Some(peer) = self.links[link].peer else { return };
        for (name, question) in [
            ("getavailablemethods", Question::Methods),
            ("getavailableforms", Question::Forms),
            ("getactiveusers", Question::Users),
        ] {
            let qid = self.call_qid();
            let key = self.timers.set(self.now + QUESTION_WAIT, Timer::Question(link, qid.clone()));
            self.links[link].questions.insert(qid.clone(), (question, key));
            self.send(peer, Envelope::new(name, Body::new().with("qid", qid)));
        }
    }

    /// `availablemethods`, `availableforms` or `activeusers`, asked or unasked.
    pub(super) fn capabilities(&mut self, link: usize, envelope: &Envelope) {
        let question = match &*envelope.name {
            "availablemethods" => Question::Methods,
            "availableforms" => Question::Forms,
            _ => Question::Users,
        };
        self.question_done(link, envelope.qid().and_then(|q| q.to_text()).as_ref(), question);
        let odd = match question {
            Question::Methods => {
                let (methods, odd) = declaration::methods(envelope.body.value("methods").as_ref());
                self.links[link].methods = methods.into_iter().map(Arc::new).collect();
                self.links[link].circuits.clear();
                odd
            }
            Question::Forms => {
                let (forms, odd) = declaration::forms(envelope.body.value("forms").as_ref());
                self.links[link].forms = forms.into_iter().map(Arc::new).collect();
                self.show_forms_on_link(link, None);
                odd
            }
            Question::Users => self.active_users(link, envelope.body.value("users").as_ref()),
        };
        for what in odd {
            self.odd(format!("link {}", self.links[link].settings.name), what);
        }
    }

    /// Takes the question out; an answer without our qid counts for the oldest question of its kind.
    fn question_done(&mut self, link: usize, qid: Option<&Text>, question: Question) {
        let questions = &mut self.links[link].questions;
        let known = qid.filter(|q| questions.contains_key(*q)).cloned();
        let found = known.or_else(|| questions.iter().find(|(_, (q, _))| *q == question).map(|(id, _)| id.clone()));
        if let Some((_, key)) = found.and_then(|id| questions.remove(&id)) {
            self.timers.cancel(key);
        }
    }

    /// No answer in time: the CRM simply has none.
    pub(super) fn question_unanswered(&mut self, link: usize, qid: &str) {
        let l = &mut self.links[link];
        match l.questions.remove(qid) {
            Some((Question::Methods, _)) => l.methods.clear(),
            Some((Question::Forms, _)) => l.forms.clear(),
            Some((Question::Users, _)) => drop(self.active_users(link, Some(&Value::Array(Vec::new())))),
            None => {}
        }
    }

    fn active_users(&mut self, link: usize, list: Option<&Value>) -> Vec<String> {
        let Some(items) = list.and_then(Value::as_array) else {
            return vec!["activeusers: users is no array; taken as empty".to_owned()];
        };
        let mut odd = Vec::new();
        let mut active: BTreeMap<UserIx, Vec<Text>> = BTreeMap::new();
        for item in items.iter().take(MAX_ACTIVE) {
            let text =
                |name| item.as_object().and_then(|o| o.get(name)).and_then(Value::to_text).filter(|t| !t.is_empty());
            let by_id = text("userid").map(|id| self.users.by_id(&id));
            let by_login = text("userlogin").map(|login| self.users.by_login(&login));
            let user = match (by_id, by_login) {
                (Some(a), Some(b)) if a != b => None,
                (Some(user), _) | (None, Some(user)) => user,
                (None, None) => None,
            };
            match user.filter(|u| self.links[link].has_user(*u)) {
                Some(user) => {
                    let tabs =
                        item.as_object().and_then(|o| o.get("tabs")).and_then(Value::as_array).unwrap_or_default();
                    let tabs = tabs.iter().filter_map(Value::to_text).filter(|t| t.len() <= Head::TABID_MAX);
                    let known = active.entry(user).or_default();
                    for tab in tabs {
                        if known.len() < MAX_TUNNEL_TABS && !known.contains(&tab) {
                            known.push(tab);
                        }
                    }
                }
                None if odd.len() < 8 => odd.push(
                    "activeusers names somebody who is no user of this link, or two users in one item".to_owned(),
                ),
                None => {}
            }
        }
        let new = |u: &&UserIx| !self.links[link].reaches(**u);
        let new: Vec<UserIx> = active.keys().filter(new).copied().collect();
        let before: Vec<UserIx> = self.links[link].active.keys().copied().collect();
        self.links[link].active = active;
        if self.links[link].settings.trust_users {
            self.trust_active_users(link);
        }
        self.grace_while_down(link);
        before.into_iter().for_each(|user| self.forms_tab_left(link, user));
        for user in new {
            self.show_forms_on_link(link, Some((user, &Text::new())));
            self.deliver_texts(user);
        }
        self.show_forms_on_link(link, None);
        odd
    }

    /// With `trust_users` the list is the tunnel: tabs come and go with it. People who logged in by themselves stay.
    fn trust_active_users(&mut self, link: usize) {
        let wall = self.wall(self.now);
        let active = self.links[link].active.clone();
        let gone: Vec<UserIx> = self.links[link]
            .tunnel
            .iter()
            .filter(|(u, t)| t.session.is_none() && !active.contains_key(u))
            .map(|(u, _)| *u)
            .collect();
        for user in gone {
            self.links[link].tunnel.remove(&user);
            self.tunnel_tabs_changed(user);
            self.presence_changed(user);
            self.forms_tab_left(link, user);
        }
        for (user, ids) in active {
            let tunnel = self.links[link].tunnel.entry(user).or_default();
            let ids = if ids.is_empty() { vec![Text::new()] } else { ids };
            let before = tunnel.tabs.len();
            tunnel.tabs.retain(|t| ids.contains(&t.id));
            let mut changed = tunnel.tabs.len() != before;
            for id in ids {
                if !tunnel.tabs.iter().any(|t| t.id == id) {
                    tunnel.tabs.push(TunnelTab { id, since_ms: wall, focus: None, has_focus: false });
                    changed = true;
                }
            }
            if changed {
                self.tunnel_tabs_changed(user);
            }
            self.presence_changed(user);
        }
    }

    /// A person is behind the link with this tab; makes both known.
    pub(super) fn enter_tunnel(&mut self, link: usize, user: UserIx, tab: &Text, session: Option<Text>) {
        let wall = self.wall(self.now);
        let tunnel = self.links[link].tunnel.entry(user).or_default();
        if session.is_some()
            && let Some(old) = std::mem::replace(&mut tunnel.session, session)
        {
            self.release_session(&old);
        }
        self.touch_tunnel_tab(link, user, tab, wall);
        self.grace_while_down(link);
        self.presence_changed(user);
        self.show_forms_on_link(link, Some((user, tab)));
        self.deliver_texts(user);
    }

    fn touch_tunnel_tab(&mut self, link: usize, user: UserIx, tab: &Text, wall: i64) {
        let Some(tunnel) = self.links[link].tunnel.get_mut(&user) else { return };
        if !tunnel.tabs.iter().any(|t| t.id == *tab) && tunnel.tabs.len() < MAX_TUNNEL_TABS {
            // A login without a tab id stands for all tabs of the person; it gives way to the first that has one.
            tunnel.tabs.retain(|t| !t.id.is_empty() || tab.is_empty());
            tunnel.tabs.push(TunnelTab { id: tab.clone(), since_ms: wall, focus: None, has_focus: false });
            self.tunnel_tabs_changed(user);
        }
    }

    /// Somebody has other tabs behind a link than before.
    fn tunnel_tabs_changed(&mut self, user: UserIx) {
        let login = self.users[user].account.login.clone();
        self.out.push_back(Output::Notice(Notice::Tabs { login }));
    }

    /// A tunnelled request named a tab: it exists, then.
    pub(super) fn saw_tunnel_tab(&mut self, link: usize, user: UserIx, tab: Option<&Text>) {
        if let Some(tab) = tab {
            let wall = self.wall(self.now);
            self.touch_tunnel_tab(link, user, tab, wall);
        }
    }

    /// A person leaves the tunnel: with a tab id only that tab, and the person with the last one.
    pub(super) fn leave_tunnel(&mut self, link: usize, user: UserIx, tab: Option<&Text>) {
        let Some(tunnel) = self.links[link].tunnel.get_mut(&user) else { return };
        if let Some(tab) = tab {
            tunnel.tabs.retain(|t| t.id != *tab);
            if !tunnel.tabs.is_empty() {
                self.tunnel_tabs_changed(user);
                return self.forms_tab_left(link, user);
            }
        }
        let session = tunnel.session.take();
        self.links[link].tunnel.remove(&user);
        self.links[link].active.remove(&user);
        if let Some(hash) = session {
            self.release_session(&hash);
        }
        self.tunnel_tabs_changed(user);
        self.presence_changed(user);
        self.forms_tab_left(link, user);
    }

    pub(super) fn leave_tunnels_of_session(&mut self, user: UserIx, hash: &str) {
        for link in 0..self.links.len() {
            if self.links[link].tunnel.get(&user).is_some_and(|t| t.session.as_deref() == Some(hash)) {
                self.links[link].tunnel.remove(&user);
                self.tunnel_tabs_changed(user);
                self.presence_changed(user);
                self.forms_tab_left(link, user);
            }
        }
    }

    /// A link is removed. Whoever waits for it is told, its people leave it, its connections end.
    pub(super) fn link_removed(&mut self, link: usize) {
        let mut peers: Vec<PeerId> = self
            .peers
            .iter()
            .filter(|(_, p)| matches!(p, Peer::Link(l) if *l == link))
            .map(|(peer, _)| *peer)
            .collect();
        peers.sort_unstable();
        peers.iter().for_each(|peer| self.link_peer_gone(link, *peer));
        self.fail_in_flight(link);
        self.stop_telling(link);
        let was_up = self.links[link].peer.take().is_some();
        let l = &mut self.links[link];
        l.hears_events = false;
        l.introduction = None;
        l.methods.clear();
        l.forms.clear();
        l.circuits.clear();
        l.contested = false;
        (l.state, l.detail) = ("removed", String::new());
        for (_, key) in std::mem::take(&mut l.questions).into_values() {
            self.timers.cancel(key);
        }
        if let Some(key) = self.links[link].grace.take() {
            self.timers.cancel(key);
        }
        self.tunnel_grace_over(link);
        self.forms_forget_link(link);
        self.files.end_passes_of_link(link);
        for peer in peers {
            self.peers.remove(&peer);
            self.watches.forget_peer(peer);
            self.files.forget_peer(peer);
            self.out.push_back(Output::Close { peer, reason: LINK_REMOVED });
        }
        let l = &mut self.links[link];
        l.gone = Some(self.now);
        if was_up {
            let (link, why) = (l.settings.name.clone(), LINK_REMOVED.text.into_owned());
            self.out.push_back(Output::Notice(Notice::LinkDown { link, why }));
        }
    }

    /// People whom the link is not for any more leave it, and those it only vouched for when it may not do that any more.
    pub(super) fn leave_foreign_tunnels(&mut self, link: usize) {
        let l = &self.links[link];
        let foreign = |user: &&UserIx| {
            let vouched = l.tunnel.get(user).is_some_and(|t| t.session.is_none());
            !l.has_user(**user) || (vouched && !l.settings.trust_users)
        };
        let mut leaving: Vec<UserIx> = l.tunnel.keys().filter(foreign).copied().collect();
        leaving.extend(l.active.keys().filter(|user| !l.has_user(**user)));
        for user in leaving {
            self.leave_link(link, user);
        }
    }

    /// A person is not behind the link any more, however the person came there.
    pub(super) fn leave_link(&mut self, link: usize, user: UserIx) {
        self.leave_tunnel(link, user, None);
        if self.links[link].active.remove(&user).is_some() {
            self.forms_tab_left(link, user);
        }
    }

    pub(super) fn link_closed(&mut self, link: usize, peer: PeerId, reason: &CloseReason) {
        self.link_peer_gone(link, peer);
        if self.links[link].peer != Some(peer) {
            return;
        }
        self.stop_telling(link);
        let wall = self.wall(self.now);
        let l = &mut self.links[link];
        l.peer = None;
        l.hears_events = false;
        (l.state, l.since_ms) = (resting(&l.settings), wall);
        l.detail =
            format!("lost: {}", if reason.text.is_empty() { "the CRM closed the connection" } else { &reason.text });
        for (_, key) in std::mem::take(&mut l.questions).into_values() {
            self.timers.cancel(key);
        }
        let (name, why) = (l.settings.name.clone(), l.detail.clone());
        self.step(About::default(), What::LinkDown { link: name.clone(), why: why.as_str().into() });
        self.out.push_back(Output::Notice(Notice::LinkDown { link: name, why }));
        self.grace_while_down(link);
        self.forms_forget_link(link);
        self.fail_in_flight(link);
    }

    /// People behind a link without a connection stay for the grace only: after it was lost, and when a CRM that posts to us
    /// brings them while it is down.
    fn grace_while_down(&mut self, link: usize) {
        let l = &mut self.links[link];
        if l.peer.is_none() && !(l.tunnel.is_empty() && l.active.is_empty()) {
            let key = self.timers.set(self.now + l.settings.tunnel_grace, Timer::TunnelGrace(link));
            if let Some(old) = l.grace.replace(key) {
                self.timers.cancel(old);
            }
        }
    }

    pub(super) fn tunnel_grace_over(&mut self, link: usize) {
        let l = &mut self.links[link];
        l.grace = None;
        let active = std::mem::take(&mut l.active);
        for (user, tunnel) in std::mem::take(&mut l.tunnel) {
            if let Some(hash) = tunnel.session {
                self.release_session(&hash);
            }
            self.presence_changed(user);
            self.forms_tab_left(link, user);
        }
        active.into_keys().for_each(|user| self.forms_tab_left(link, user));
    }

    /// What a link that is not open does, for people to see.
    pub(super) fn link_state(&mut self, name: &str, state: LinkState) {
        let Some(link) = self.link_index(name) else { return };
        let wall = self.wall(self.now);
        let l = &mut self.links[link];
        if l.peer.is_some() {
            return;
        }
        let (word, detail) = match state {
            LinkState::Waiting => ("waiting", "waiting for the CRM".to_owned()),
            LinkState::Dialing => ("dialing", String::new()),
            LinkState::Retrying { why, after } => {
                ("retrying", format!("{why}; next try in {} s", after.as_secs().max(1)))
            }
            LinkState::Refused(why) => ("refused", why),
            LinkState::Competing => ("competing", "two CRMs compete for this link".to_owned()),
        };
        if !(word == "dialing" && l.state == "retrying") {
            if l.state != word {
                l.since_ms = wall;
            }
            (l.state, l.detail) = (word, detail);
        }
    }

    /// A message did not arrive: an execution fails, a question counts as unanswered.
    pub(super) fn undelivered(&mut self, peer: PeerId, qid: Option<&Qid>, why: &Undelivered) {
        let Some(Peer::Link(link)) = self.peers.get(&peer) else { return };
        let link = *link;
        let Some(qid) = qid.and_then(Qid::to_text) else { return };
        if self.links[link].questions.contains_key(&qid) {
            return self.question_unanswered(link, &qid);
        }
        self.execution_undelivered(link, &qid, why);
    }

    pub(super) fn send(&mut self, to: PeerId, envelope: Envelope) {
        self.out.push_back(Output::Send { to, message: Arc::new(Shared::new(envelope)) });
    }

    /// The qid of a call we make: short, unique in the node.
    pub(super) fn call_qid(&mut self) -> Text {
        let number = self.call_number();
        qid_of_call(number)
    }

    /// The same as a number; [`qid_of_call`] makes the qid of it.
    pub(super) fn call_number(&mut self) -> u64 {
        self.next_call += 1;
        self.next_call
    }

    pub(super) fn odd(&mut self, who: String, what: String) {
        self.out.push_back(Output::Notice(Notice::Odd { who, what }));
    }

    /// The identity that every message about a user carries on a link.
    pub(super) fn identity(&self, user: UserIx) -> Object {
        let account = &self.users[user].account;
        Object::new().with("userid", account.id.clone()).with("userlogin", account.login.clone())
    }
}

/// The qid of a call we make.
pub(super) fn qid_of_call(number: u64) -> Text {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(number);
    let mut qid = [b'c'; 1 + LONGEST_NUMBER];
    let qid = &mut qid[..=digits.len()];
    qid[1..].copy_from_slice(digits.as_bytes());
    std::str::from_utf8(qid).unwrap_or_default().into()
}

/// The number in a qid of a call we made.
pub(super) fn call_of_qid(qid: &str) -> Option<u64> {
    let number = qid.strip_prefix('c')?.parse().ok()?;
    (*qid_of_call(number) == *qid).then_some(number)
}

/// So many digits the largest number has.
const LONGEST_NUMBER: usize = 20;
