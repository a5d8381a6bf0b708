//! What is known now about people: their tabs, whether they are here, what their phone does.

use std::collections::HashMap;
use std::ops::{Index, IndexMut};
use std::time::Duration;

use crate::auth::login_key;
use crate::message::{Body, Object, PeerId, Text, Value};
use crate::telephony::CallId;

use super::Hub;
use super::ids::ZERO_GUID;
use super::output::{Notice, Output};
use super::settings::Account;
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
    pub(super) line: Line,
    /// Whether the phone can be rung, as far as the telephone system said.
    pub(super) phone: bool,
    online: bool,
    leaving: Option<Key>,
    /// The state that was told last.
    told: i64,
}

/// What a user's phone does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Line {
    #[default]
    Idle,
    /// Rings for this call.
    Ringing(CallId),
    /// Talks in this call, since (milliseconds of the wall clock).
    Talking(CallId, i64),
}

impl Line {
    pub(super) fn call(&self) -> Option<&CallId> {
        match self {
            Self::Idle => None,
            Self::Ringing(call) | Self::Talking(call, _) => Some(call),
        }
    }
}

impl User {
    /// `userstateid`: 0 away, 1 ready, 5 busy, 7 without a phone.
    pub(super) fn state(&self) -> i64 {
        match self.line {
            Line::Ringing(_) | Line::Talking(..) => 5,
            Line::Idle if !self.online => 0,
            Line::Idle if !self.phone || self.account.number.is_empty() => 7,
            Line::Idle => 1,
        }
    }

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
    pub(super) fn new(accounts: Vec<Account>) -> Self {
        let index = |key: fn(&Account) -> Text| {
            accounts.iter().map(key).enumerate().filter(|(_, key)| !key.is_empty()).map(|(i, key)| (key, i)).collect()
        };
        let login = index(|a| Text::from(&*login_key(&a.login)));
        let (id, number) = (index(|a| a.id.clone()), index(|a| a.number.clone()));
        let user = |account| User {
            account,
            tabs: Vec::new(),
            line: Line::Idle,
            phone: true,
            online: false,
            leaving: None,
            told: 0,
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

    /// Tells the user's tabs and links, and everybody who watches numbers, when the user's state is another than told last.
    pub(super) fn tell_state(&mut self, user: UserIx) {
        let u = &mut self.users[user];
        let state = u.state();
        if state == u.told {
            return;
        }
        u.told = state;
        let number = u.account.number.clone();
        let block = Body::from(self.state_block(user));
        self.tell_user(user, "userstatechanged", block);
        if !number.is_empty() {
            let changed = Object::new().with("num", number).with("numstateid", state);
            let body = Body::new().with("numbers", vec![Value::Object(changed)]);
            self.tell_all("pbxnumberstatechanged", body);
        }
    }

    /// The block of `getuserstate` and `userstatechanged`, without the identity.
    pub(super) fn state_block(&self, user: UserIx) -> Object {
        let state = self.users[user].state();
        let name = match state {
            0 => "usDisconnected",
            5 => "usFullbusy",
            7 => "usWOphone",
            _ => "usReady",
        };
        Object::new()
            .with("userstateid", state)
            .with("userstate", state)
            .with("userstatestr", name)
            .with("oncallcenter", false)
            .with("onccmanual", false)
            .with("onlunch", false)
            .with("onredirect", false)
            .with("lunchreasonid", 0)
            .with("ontask", false)
    }

    /// The answer of `getextendedlineinfo`, from memory.
    pub(super) fn line_info(&self, user: UserIx) -> Object {
        let u = &self.users[user];
        let idle = |state: &'static str| {
            Object::new()
                .with("linestatestr", state)
                .with("isflashing", false)
                .with("chainid", ZERO_GUID)
                .with("abonent", Object::new())
        };
        let Some(call) = u.line.call() else {
            return idle(if u.phone && !u.account.number.is_empty() { "lsReady" } else { "lsDisconnected" });
        };
        let party = self.party(call);
        let (state, talking_ms, flag) = match u.line {
            Line::Talking(_, since) => ("lsCommutated", self.wall(self.now) - since, "iscommutated"),
            Line::Ringing(_) | Line::Idle => ("lsRing", 0, "isringing"),
        };
        let mut info = Object::new()
            .with("linestatestr", state)
            .with("isflashing", false)
            .with("chainid", call.0.clone())
            .with("calledid", self.called(call))
            .with("abonent", party.with(flag, true));
        if matches!(u.line, Line::Talking(..)) {
            info.set("timertalklensec", talking_ms / 1000);
        }
        info
    }
}
