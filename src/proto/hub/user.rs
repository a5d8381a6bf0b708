//! What is known now about people: their tabs, whether they are here, what their phone does.

use std::collections::HashMap;
use std::ops::{Index, IndexMut};
use std::time::Duration;

use crate::Time;
use crate::auth::{login_key, same_login};
use crate::calls::Line;
use crate::message::{PeerId, Text};

use super::Hub;
use super::output::{Notice, Output};
use super::settings::{Account, GroupNumber};
use super::state::{Chosen, Told};
use super::timer::{Key, Timer};

/// How long a user stays online after the last tab has left: a page reload is no absence.
const LEAVE_AFTER: Duration = Duration::from_secs(5);

/// A user, by the place in the configuration.
pub(super) type UserIx = usize;

/// One user.
#[derive(Debug)]
pub(super) struct User {
    pub(super) account: Account,
    /// Direct tabs, oldest first.
    pub(super) tabs: Vec<PeerId>,
    /// What the phone does; of the moment that was told last.
    pub(super) line: Line,
    pub(super) chosen: Chosen,
    /// Whether any queue may ring the phone.
    pub(super) at_queue: bool,
    /// Whether the phone can be rung, as far as the telephone system said.
    pub(super) phone: bool,
    online: bool,
    leaving: Option<Key>,
    /// The state that was told last.
    pub(super) told: Told,
    /// When it was tried lately to change the password.
    pub(super) password_tries: Vec<Time>,
}

impl User {
    /// Whether online: a tab is open, or the last left less than five seconds ago.
    pub(super) fn online(&self) -> bool {
        self.online
    }
}

/// All users.
#[derive(Debug)]
pub(super) struct Users {
    all: Vec<User>,
    /// By [`login_key`].
    login: HashMap<Text, UserIx>,
    id: HashMap<Text, UserIx>,
    number: HashMap<Text, UserIx>,
}

impl Users {
    pub(super) fn new(accounts: Vec<Account>, groups: &[GroupNumber]) -> Self {
        let index = |key: fn(&Account) -> Text| {
            accounts.iter().map(key).enumerate().filter(|(_, key)| !key.is_empty()).map(|(i, key)| (key, i)).collect()
        };
        let login = index(|a| Text::from(&*login_key(&a.login)));
        let (id, number) = (index(|a| a.id.clone()), index(|a| a.number.clone()));
        let at_queue = |a: &Account| groups.iter().any(|g| g.members.iter().any(|m| same_login(m, &a.login)));
        let user = |account: Account| User {
            // Whoever is at a queue takes its calls until saying otherwise.
            chosen: Chosen::new(at_queue(&account)),
            at_queue: at_queue(&account),
            account,
            tabs: Vec::new(),
            line: Line::default(),
            phone: true,
            online: false,
            leaving: None,
            told: Told::default(),
            password_tries: Vec::new(),
        };
        Self { login, id, number, all: accounts.into_iter().map(user).collect() }
    }

    /// Whatever the case of its letters.
    pub(super) fn by_login(&self, login: &str) -> Option<UserIx> {
        self.login.get(&*login_key(login)).copied()
    }

    pub(super) fn by_id(&self, id: &str) -> Option<UserIx> {
        self.id.get(id).or_else(|| self.id.get(id.to_ascii_lowercase().as_str())).copied()
    }

    pub(super) fn by_number(&self, number: &str) -> Option<UserIx> {
        self.number.get(number).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (UserIx, &User)> {
        self.all.iter().enumerate()
    }
}

impl Index<UserIx> for Users {
    type Output = User;

    fn index(&self, user: UserIx) -> &User {
        &self.all[user]
    }
}
impl IndexMut<UserIx> for Users {
    fn index_mut(&mut self, user: UserIx) -> &mut User {
        &mut self.all[user]
    }
}

impl Hub {
    /// To be called after a tab of the user came or went, directly or behind a link.
    pub(super) fn presence_changed(&mut self, user: UserIx) {
        let present = !self.users[user].tabs.is_empty() || self.links.iter().any(|l| l.tunnel.contains_key(&user));
        let u = &mut self.users[user];
        match (present, u.online) {
            (true, online) => {
                if let Some(key) = u.leaving.take() {
                    self.timers.cancel(key);
                }
                if !online {
                    self.set_online(user, true);
                }
            }
            (false, true) if u.leaving.is_none() => {
                u.leaving = Some(self.timers.set(self.now + LEAVE_AFTER, Timer::UserLeaves(user)));
            }
            (false, _) => {}
        }
    }

    /// The five seconds are over.
    pub(super) fn user_leaves(&mut self, user: UserIx) {
        self.users[user].leaving = None;
        self.set_online(user, false);
    }

    fn set_online(&mut self, user: UserIx, online: bool) {
        self.users[user].online = online;
        let login = self.users[user].account.login.clone();
        self.out.push_back(Output::Notice(Notice::Presence { login, online }));
        self.tell_state(user);
    }
}
