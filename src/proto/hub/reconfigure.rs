//! Other people, links and rules while the node runs. Whoever stays keeps tabs, session, calls and cards, and what is new about
//! them counts from the next message on. Whoever is gone leaves in order: cards close, what waits is answered, then tabs and
//! sessions end. Places in the tables never move, so nothing under way can mean somebody else.

use std::collections::BTreeSet;

use crate::auth::login_key;
use crate::calls::Line;
use crate::message::{Body, CloseReason, Object, Value};
use crate::telephony::{Command, FormEnd};

use super::link::{Link, resting};
use super::output::Output;
use super::settings::{Account, Choices, LinkSettings};
use super::user::{UserIx, is_at_queue};
use super::{Hub, Peer, inside};

/// What the tabs of somebody are told whose account is removed.
const ACCOUNT_REMOVED: CloseReason = CloseReason::new(1008, "the account was removed");

impl Hub {
    /// The operator wants other people, links and rules.
    pub(super) fn reconfigure(&mut self, choices: Choices) {
        let Choices { accounts, links, forms, numbers, breaks, procedures, limits } = choices;
        self.settings.forms = forms;
        self.settings.numbers = numbers;
        self.settings.breaks = breaks;
        self.settings.procedures = procedures;
        self.settings.limits = limits;
        for link in self.links.numbered().map(|(at, _)| at).collect::<Vec<_>>() {
            if !links.iter().any(|l| l.name == self.links[link].settings.name) {
                self.link_removed(link);
            }
        }
        let changed = self.accounts_are(accounts);
        self.links_are(links);
        let numbers = inside(&self.settings);
        self.calls.set_inside(numbers);
        self.lines_are_now(&changed);
        self.queues_and_breaks_are_now(changed);
    }

    /// Gives every account its place. Says whom it changed or brought.
    fn accounts_are(&mut self, accounts: Vec<Account>) -> BTreeSet<UserIx> {
        let named: BTreeSet<String> = accounts.iter().map(|a| login_key(&a.login).into_owned()).collect();
        let here: Vec<UserIx> = self.users.iter().map(|(user, _)| user).collect();
        for user in here {
            if !named.contains(&*login_key(&self.users[user].account.login)) {
                self.account_removed(user);
            }
        }
        let mut changed = BTreeSet::new();
        let mut order = Vec::with_capacity(accounts.len());
        for account in &accounts {
            let known = self.users.by_login(&account.login).filter(|user| !self.users[*user].is_gone());
            let user = match known.or_else(|| self.users.shadow(&account.login)) {
                Some(user) => {
                    if self.account_is(user, account) {
                        changed.insert(user);
                    }
                    user
                }
                None => {
                    let place = self.users.forgotten(self.now);
                    place.into_iter().for_each(|shadow| self.forget_belongings(shadow));
                    let user = self.users.put(place, account.clone(), &self.settings.numbers);
                    changed.insert(user);
                    user
                }
            };
            order.push(user);
        }
        self.sessions.make_room(self.users.len());
        self.users.set_order(order);
        self.settings.accounts = accounts;
        changed
    }

    /// An account that was here before, or its shadow, is so from now on. Says whether anything is new.
    fn account_is(&mut self, user: UserIx, account: &Account) -> bool {
        let before = self.users[user].account.clone();
        let back = self.users[user].is_gone();
        if !back && before == *account {
            return false;
        }
        if !back && before.id != account.id {
            // The same login, but somebody else.
            self.account_removed(user);
        }
        if before.number != account.number {
            self.number_left(user);
        }
        if before.rights != account.rights || before.api_calls != account.api_calls {
            // They were given for the rights of that moment.
            self.files.end_passes(user);
        }
        self.users.set_gone(user, None);
        self.users[user].account = account.clone();
        if before.api_calls && !account.api_calls {
            self.close_widgets(user);
        }
        if before.must_change_password && !account.must_change_password {
            self.users[user].account.must_change_password = true;
            self.free_to_act(user);
        }
        true
    }

    fn account_removed(&mut self, user: UserIx) {
        for form in self.forms.of_user(user) {
            self.end_form(&form, FormEnd::Closed, None);
        }
        self.cancel_executions_of(user);
        for peer in self.users[user].tabs.clone() {
            let Some(Peer::Tab(tab)) = self.peers.remove(&peer) else { continue };
            self.watches.forget_peer(peer);
            self.files.forget_peer(peer);
            tab.asked.iter().for_each(|id| self.cancel_execution(*id, "the account is gone"));
            tab.serving.iter().for_each(|id| self.target_gone(*id, peer));
            self.out.push_back(Output::Close { peer, reason: ACCOUNT_REMOVED });
        }
        self.users[user].tabs.clear();
        for hash in self.sessions_of(user) {
            self.end_session(&hash);
        }
        for link in 0..self.links.len() {
            self.leave_link(link, user);
        }
        self.leave_at_once(user);
        self.watches.forget_user(user);
        self.files.end_passes(user);
        self.number_left(user);
        self.users[user].password_tries.clear();
        self.users.set_gone(user, Some(self.now));
    }

    /// What a shadow left, before another takes its place.
    fn forget_belongings(&mut self, user: UserIx) {
        self.files.forget(user);
        self.redirects.forget(user);
        self.texts.forget(user);
        self.chats.forget(user);
    }

    /// The user's number is the user's no more: whoever watches numbers sees it free of anybody, and the telephone system forgets
    /// what the user wished for it.
    fn number_left(&mut self, user: UserIx) {
        let told = std::mem::take(&mut self.users[user].told);
        self.users[user].line = Line::default();
        let number = self.users[user].account.number.clone();
        if number.is_empty() {
            return;
        }
        if told.state != 0 {
            let changed = Object::new().with("num", number.clone()).with("numstateid", 0);
            let body = Body::new().with("numbers", vec![Value::Object(changed)]);
            self.tell_all("pbxnumberstatechanged", &number, body);
        }
        if told.away.is_some() {
            self.out.push_back(Output::Pbx(Box::new(Command::Agent { number: number.clone(), away: None })));
        }
        if told.redirect.is_some() {
            self.out.push_back(Output::Pbx(Box::new(Command::Redirect { number, to: None, cascade: false })));
        }
    }

    /// Gives every link its place. Those that are to go have gone.
    fn links_are(&mut self, links: Vec<LinkSettings>) {
        let wall = self.wall(self.now);
        let mut order = Vec::with_capacity(links.len());
        for settings in &links {
            let link = match self.link_index(&settings.name) {
                Some(link) => {
                    let l = &mut self.links[link];
                    l.set(settings.clone(), &self.users);
                    if l.peer.is_none() && matches!(l.state, "waiting" | "dialing") {
                        l.state = resting(settings);
                    }
                    self.leave_foreign_tunnels(link);
                    link
                }
                None => {
                    let place = self.links.place_for(&settings.name, self.now);
                    self.links.put(place, Link::new(settings.clone(), &self.users, wall));
                    place
                }
            };
            order.push(link);
        }
        self.links.set_order(order);
        self.settings.links = links;
    }

    /// Lines follow their numbers. No card opens or closes by it: nothing has happened on a phone.
    fn lines_are_now(&mut self, changed: &BTreeSet<UserIx>) {
        for user in changed {
            let number = self.users[*user].account.number.clone();
            let (line, phone) = match number.is_empty() {
                true => (Line::default(), true),
                false => (self.calls.line(&number), self.users.phone_of(&number)),
            };
            let u = &mut self.users[*user];
            if (&u.line, u.phone) == (&line, phone) {
                continue;
            }
            (u.line, u.phone) = (line, phone);
            if u.online() {
                let event = Body::from(self.line_event(*user));
                self.tell_user(*user, "linestatechanged", event);
            }
        }
    }

    /// Who is at a queue, and which breaks there are; whoever is in another state by all this is told so.
    fn queues_and_breaks_are_now(&mut self, mut changed: BTreeSet<UserIx>) {
        let breaks: Vec<i64> = self.settings.breaks.iter().map(|b| b.id).collect();
        for user in self.users.iter().map(|(user, _)| user).collect::<Vec<_>>() {
            let at_queue = is_at_queue(&self.users[user].account, &self.settings.numbers);
            let u = &mut self.users[user];
            if u.at_queue != at_queue {
                u.at_queue = at_queue;
                u.chosen.callcenter |= at_queue;
                changed.insert(user);
            }
            if u.chosen.reason != 0 && !breaks.contains(&u.chosen.reason) {
                u.chosen.reason = 0;
                changed.insert(user);
            }
        }
        changed.into_iter().for_each(|user| self.tell_state(user));
    }
}
