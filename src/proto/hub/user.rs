//! What is known now about people: their tabs, whether they are here, what their phone does.

use std::collections::{BTreeSet, HashMap};
use std::ops::{Index, IndexMut};
use std::time::Duration;

use crate::Time;
use crate::auth::{login_key, same_login};
use crate::calls::Line;
use crate::message::{PeerId, Text};

use super::Hub;
use super::link::FORGOTTEN;
use super::output::{Notice, Output};
use super::settings::{Account, GroupNumber};
use super::state::{Chosen, Told};
use super::timer::{Key, Timer};

/// How long a user stays online after the last tab has left: a page reload is no absence.
const LEAVE_AFTER: Duration = Duration::from_secs(5);

/// Most numbers whose phones are known to be away.
const MOST_AWAY: usize = 65_536;

/// A user, by a place that stays the user's as long as the node runs.
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
    /// Since when the account is gone.
    gone: Option<Time>,
}

impl User {
    fn new(account: Account, groups: &[GroupNumber]) -> Self {
        // Whoever is at a queue takes its calls until saying otherwise.
        let at_queue = is_at_queue(&account, groups);
        Self {
            chosen: Chosen::new(at_queue),
            at_queue,
            account,
            tabs: Vec::new(),
            line: Line::default(),
            phone: true,
            online: false,
            leaving: None,
            told: Told::default(),
            password_tries: Vec::new(),
            gone: None,
        }
    }

    /// Whether the account was removed: nobody is found here any more.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.is_some()
    }

    /// Whether online: a tab is open, or the last left less than five seconds ago.
    pub(super) fn online(&self) -> bool {
        self.online
    }
}

/// Whether any of these queues names the account.
pub(super) fn is_at_queue(account: &Account, groups: &[GroupNumber]) -> bool {
    groups.iter().any(|g| g.members.iter().any(|m| same_login(m, &account.login)))
}

/// All users. One whose account was removed stays as a shadow that no search finds, with what belongs to it: whoever comes back by
/// the same login has it again. After a while another may take the place.
#[derive(Debug)]
pub(super) struct Users {
    all: Vec<User>,
    /// The places of those that are there, in the order of the configuration.
    order: Vec<UserIx>,
    /// Numbers whose phones cannot be reached, as the telephone system said, whoever has them.
    away: BTreeSet<Text>,
    /// By [`login_key`].
    login: HashMap<Text, UserIx>,
    id: HashMap<Text, UserIx>,
    number: HashMap<Text, UserIx>,
}

impl Users {
    pub(super) fn new(accounts: Vec<Account>, groups: &[GroupNumber]) -> Self {
        let all: Vec<User> = accounts.into_iter().map(|account| User::new(account, groups)).collect();
        let (login, id, number) = (HashMap::new(), HashMap::new(), HashMap::new());
        let order = (0..all.len()).collect();
        let mut users = Self { all, order, away: BTreeSet::new(), login, id, number };
        users.enter_all();
        users
    }

    /// Enters everybody who is there under login, id and number.
    fn enter_all(&mut self) {
        let all = &self.all;
        let index = |key: fn(&Account) -> Text| {
            let keyed = self.order.iter().map(|user| (key(&all[*user].account), *user));
            keyed.filter(|(key, _)| !key.is_empty()).collect()
        };
        self.login = index(|a| Text::from(&*login_key(&a.login)));
        self.id = index(|a| a.id.clone());
        self.number = index(|a| a.number.clone());
    }

    /// The shadow of this login, if there is one.
    pub(super) fn shadow(&self, login: &str) -> Option<UserIx> {
        self.all.iter().position(|u| u.is_gone() && same_login(&u.account.login, login))
    }

    /// A shadow that nothing can mean any more.
    pub(super) fn forgotten(&self, now: Time) -> Option<UserIx> {
        self.all.iter().position(|u| u.gone.is_some_and(|gone| now.since(gone) > FORGOTTEN))
    }

    /// Somebody new, at the place of a shadow or at a new one.
    pub(super) fn put(&mut self, at: Option<UserIx>, account: Account, groups: &[GroupNumber]) -> UserIx {
        let user = User::new(account, groups);
        match at {
            Some(at) => {
                self.all[at] = user;
                at
            }
            None => {
                self.all.push(user);
                self.all.len() - 1
            }
        }
    }

    /// Whether the user's account is there from now on.
    pub(super) fn set_gone(&mut self, user: UserIx, gone: Option<Time>) {
        self.all[user].gone = gone;
    }

    /// These are there from now on, in this order.
    pub(super) fn set_order(&mut self, order: Vec<UserIx>) {
        self.order = order;
        self.enter_all();
    }

    /// The telephone system says whether a phone can be reached.
    pub(super) fn note_phone(&mut self, number: &Text, connected: bool) {
        if connected {
            self.away.remove(number);
        } else if self.away.len() < MOST_AWAY {
            self.away.insert(number.clone());
        }
    }

    /// Whether a phone can be rung, as far as the telephone system said.
    pub(super) fn phone_of(&self, number: &str) -> bool {
        !self.away.contains(number)
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

    /// How many places there are, shadows included.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Those that are there, in the order of the configuration.
    pub(super) fn iter(&self) -> impl Iterator<Item = (UserIx, &User)> {
        self.order.iter().map(|user| (*user, &self.all[*user]))
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

    /// The account is gone: the person leaves without the five seconds.
    pub(super) fn leave_at_once(&mut self, user: UserIx) {
        if let Some(key) = self.users[user].leaving.take() {
            self.timers.cancel(key);
        }
        if self.users[user].online {
            self.set_online(user, false);
        }
    }

    fn set_online(&mut self, user: UserIx, online: bool) {
        self.users[user].online = online;
        let login = self.users[user].account.login.clone();
        self.out.push_back(Output::Notice(Notice::Presence { login, online }));
        self.tell_state(user);
    }
}
