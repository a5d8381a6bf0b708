//! Sessions: a person's standing permission to come back without a password. Kept by the hash of their id, so that neither
//! the store nor a memory image gives one away.

use std::collections::HashMap;
use std::time::Duration;

use crate::Time;
use crate::auth::{Identity, LoginBy, LoginError, Proof, same_login};
use crate::message::Text;

use super::ids::session_hash;
use super::output::{Output, Record, StoredSession};
use super::route::Caller;
use super::user::UserIx;
use super::{Hub, Peer};

/// Life of a session whose login names none.
const DEFAULT_LIFE: Duration = Duration::from_secs(24 * 3600);
/// The longest life a login may ask for.
const MAX_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) user: UserIx,
    expires_ms: i64,
    life_ms: i64,
    /// How many open tabs and tunnel logins use it: it does not expire while one does.
    uses: usize,
}

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_hash: HashMap<Text, Session>,
    /// Hashes of each user's sessions, oldest first.
    of_user: Vec<Vec<Text>>,
}

impl Sessions {
    pub(super) fn new(users: usize) -> Self {
        Self { by_hash: HashMap::new(), of_user: vec![Vec::new(); users] }
    }

    pub(super) fn get(&self, hash: &str) -> Option<&Session> {
        self.by_hash.get(hash)
    }

    pub(super) fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// There is room for the sessions of so many users.
    pub(super) fn make_room(&mut self, users: usize) {
        self.of_user.resize(users.max(self.of_user.len()), Vec::new());
    }

    fn insert(&mut self, hash: Text, session: Session) {
        self.of_user[session.user].push(hash.clone());
        self.by_hash.insert(hash, session);
    }

    fn remove(&mut self, hash: &str) -> Option<Session> {
        let session = self.by_hash.remove(hash)?;
        self.of_user[session.user].retain(|h| h != hash);
        Some(session)
    }
}

impl Hub {
    /// Whether `id` is a living session of `login`: the check of a login by session.
    ///
    /// # Errors
    /// [`LoginError::NoSession`] and [`LoginError::ForeignSession`].
    pub fn check_session(&self, now: Time, id: &str, login: &str) -> Result<Identity, LoginError> {
        let session = self.sessions.get(&session_hash(id)).filter(|s| s.uses > 0 || s.expires_ms > self.wall(now));
        let session = session.ok_or(LoginError::NoSession)?;
        let account = &self.users[session.user].account;
        if !same_login(&account.login, login) {
            return Err(LoginError::ForeignSession);
        }
        let by = LoginBy::Session(Text::from(id));
        Ok(Identity::user(account.login.clone(), by, Proof::live_session()))
    }

    /// Puts a session back that a store kept.
    pub fn restore_session(&mut self, stored: StoredSession) {
        if let Some(user) = self.users.by_login(&stored.login)
            && self.sessions.get(&stored.hash).is_none()
        {
            let session = Session { user, expires_ms: stored.expires_ms, life_ms: stored.life_ms, uses: 0 };
            self.sessions.insert(stored.hash, session);
        }
    }

    /// Whether the session of a login is still there; a login by password makes one.
    pub(super) fn session_lives(&self, by: &LoginBy) -> bool {
        match by {
            LoginBy::Password => true,
            LoginBy::Session(id) => self.sessions.get(&session_hash(id)).is_some(),
        }
    }

    /// Begins or goes on with a session at a login. Gives its id for the reply, and its hash for whoever uses it now.
    pub(super) fn begin_session(&mut self, user: UserIx, by: &LoginBy, expires: Option<i64>) -> (Text, Text) {
        let (id, hash) = match by {
            LoginBy::Session(id) => (id.clone(), session_hash(id)),
            LoginBy::Password => {
                let id = self.ids.session();
                let hash = session_hash(&id);
                (id, hash)
            }
        };
        if self.sessions.get(&hash).is_none() {
            while self.sessions.of_user[user].len() >= self.settings.limits.sessions_per_user {
                // The oldest that nobody uses ends, else the oldest.
                let of_user = &self.sessions.of_user[user];
                let idle = of_user.iter().find(|h| self.sessions.by_hash.get(*h).is_some_and(|s| s.uses == 0));
                let oldest = idle.or_else(|| of_user.first()).cloned().expect("the limit is at least one");
                self.end_session(&oldest);
            }
            let session = Session { user, expires_ms: 0, life_ms: 0, uses: 0 };
            self.sessions.insert(hash.clone(), session);
        }
        let asked = expires.and_then(|s| u64::try_from(s).ok()).filter(|s| *s > 0).map(Duration::from_secs);
        if let Some(session) = self.sessions.by_hash.get_mut(&hash) {
            session.uses += 1;
            if asked.is_some() || session.life_ms == 0 {
                let life = asked.unwrap_or(DEFAULT_LIFE).min(MAX_LIFE);
                session.life_ms = i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
            }
        }
        self.prolong(&hash);
        (id, hash)
    }

    /// A tab or tunnel login that used the session is gone.
    pub(super) fn release_session(&mut self, hash: &str) {
        if let Some(session) = self.sessions.by_hash.get_mut(hash) {
            session.uses = session.uses.saturating_sub(1);
            self.prolong(hash);
        }
    }

    /// The hashes of a user's sessions, oldest first.
    pub(super) fn sessions_of(&self, user: UserIx) -> Vec<Text> {
        self.sessions.of_user[user].clone()
    }

    /// The hash of the session by which a call came.
    pub(super) fn session_of(&self, caller: &Caller) -> Option<Text> {
        match self.peers.get(&caller.peer) {
            Some(Peer::Tab(tab)) => Some(tab.session.clone()),
            Some(Peer::Link(link)) => self.links[*link].tunnel.get(&caller.user?)?.session.clone(),
            Some(Peer::Service(_)) | None => None,
        }
    }

    /// Ends a session: closes its tabs, leaves its tunnel logins, forgets it.
    pub(super) fn end_session(&mut self, hash: &str) {
        let Some(session) = self.sessions.remove(hash) else { return };
        self.out.push_back(Output::Record(Record::SessionEnded { hash: Text::from(hash) }));
        self.close_tabs_of_session(session.user, hash);
        self.leave_tunnels_of_session(session.user, hash);
    }

    /// Forgets what has expired.
    pub(super) fn sweep_sessions(&mut self) {
        let wall = self.wall(self.now);
        for user in 0..self.sessions.of_user.len() {
            let dead = |h: &&Text| self.sessions.by_hash.get(*h).is_none_or(|s| s.uses == 0 && s.expires_ms <= wall);
            let expired: Vec<Text> = self.sessions.of_user[user].iter().filter(dead).cloned().collect();
            for hash in expired {
                self.sessions.remove(&hash);
                self.out.push_back(Output::Record(Record::SessionEnded { hash }));
            }
        }
    }

    fn prolong(&mut self, hash: &str) {
        let wall = self.wall(self.now);
        let Some(session) = self.sessions.by_hash.get_mut(hash) else { return };
        session.expires_ms = wall.saturating_add(session.life_ms);
        let stored = StoredSession {
            hash: Text::from(hash),
            login: self.users[session.user].account.login.clone(),
            expires_ms: session.expires_ms,
            life_ms: session.life_ms,
        };
        self.out.push_back(Output::Record(Record::Session(stored)));
    }
}
