//! What is to be another about an account. What is not named stays.

use serde::Deserialize;

use super::{Refused, generated};
use crate::config::{RightChange, Role, Secret, User};
use crate::store::hash_password;

/// A change of an account, with the keys of `[[user]]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Patch {
    /// The login; names the account and is no change of it.
    pub login: Option<String>,
    /// The name people see.
    pub name: Option<String>,
    /// The number; empty: none.
    pub number: Option<String>,
    /// The department; empty: none.
    pub department: Option<String>,
    /// The role.
    pub role: Option<Role>,
    /// Another password.
    pub password: Option<Secret>,
    /// The same as `ctigate hash-password` printed it.
    pub password_hash: Option<Secret>,
    /// Make a password.
    pub generate_password: bool,
    /// Logins of the subordinates.
    pub subordinates: Option<Vec<String>>,
    /// `userid`, a UUID.
    pub id: Option<String>,
    /// Whether programs may start calls in this person's name.
    pub api_call_enabled: Option<bool>,
    /// Whether the person must choose another password first.
    pub must_change_password: Option<bool>,
    /// All changes of the role's rights.
    pub rights: Option<Vec<RightChange>>,
    /// Some changes of the role's rights; others stay.
    pub right: Vec<RightChange>,
}

impl Patch {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        let Self { name, number, department, role, subordinates, id, api_call_enabled, must_change_password, .. } =
            self;
        let texts = [name, number, department, id].iter().all(|text| text.is_none());
        let rest = role.is_none() && subordinates.is_none() && self.rights.is_none() && self.right.is_empty();
        texts && rest && api_call_enabled.is_none() && must_change_password.is_none() && !self.changes_password()
    }

    /// Whether it changes the password.
    pub fn changes_password(&self) -> bool {
        self.password.is_some() || self.password_hash.is_some() || self.generate_password
    }

    /// Changes an account. Gives the password, if one was made.
    ///
    /// # Errors
    /// [`Refused::Unfit`] for a password that clients cannot hash, or one that is given twice.
    pub(super) fn apply(self, user: &mut User) -> Result<Option<Secret>, Refused> {
        let given = [self.password.is_some(), self.password_hash.is_some(), self.generate_password];
        if given.iter().filter(|given| **given).count() > 1 {
            return Err(Refused::unfit(
                "password: it is given more than once, expected one of password, password_hash, generate_password",
            ));
        }
        let Self { name, number, department, role, subordinates, id, api_call_enabled, must_change_password, .. } =
            self;
        let texts = [(&mut user.name, name), (&mut user.number, number), (&mut user.department, department)];
        for (old, new) in texts {
            if let Some(new) = new {
                *old = new.trim().to_owned();
            }
        }
        user.role = role.unwrap_or(user.role);
        if let Some(subordinates) = subordinates {
            user.subordinates = subordinates;
        }
        if let Some(id) = id {
            user.id = id.to_ascii_lowercase();
        }
        user.api_call_enabled = api_call_enabled.unwrap_or(user.api_call_enabled);
        user.must_change_password = must_change_password.unwrap_or(user.must_change_password);
        if let Some(rights) = self.rights {
            user.rights = rights;
        }
        for change in self.right {
            let (RightChange::Add(right) | RightChange::Remove(right)) = change;
            user.rights.retain(|old| !matches!(old, RightChange::Add(r) | RightChange::Remove(r) if *r == right));
            // What the role has need not be added, what it has not need not be taken.
            let held = user.role.rights().has(right.0);
            if held != matches!(change, RightChange::Add(_)) {
                user.rights.push(change);
            }
        }
        let made = self.generate_password.then(generated);
        if let Some(password) = made.as_ref().or(self.password.as_ref()) {
            user.password_hash = Some(Secret::new(hash_password(password.expose())?));
        }
        if let Some(hash) = self.password_hash {
            user.password_hash = Some(hash);
        }
        user.password = None;
        Ok(made)
    }
}
