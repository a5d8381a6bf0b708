//! Accounts: who there is, and changing those of the store.

use std::collections::HashMap;

use ctigate_proto::auth::{login_key, same_login};
use serde_json::{Map, Value, json};

use super::merge::mistakes;
use super::{Desk, Doer, Patch, Refused, unix_ms};
use crate::config::{Secret, User};

/// An account, for people to see.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The account. Its password prints nowhere.
    pub user: User,
    /// `file` or `store`.
    pub origin: &'static str,
    /// When the person signed in last, milliseconds since 1970; 0: never.
    pub last_sign_in_ms: i64,
    /// Whether the person has a second factor.
    pub second_factor: bool,
}

impl Desk {
    /// Everybody, in the order of the file and then by login.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn people(&self) -> Result<Vec<Listed>, Refused> {
        let file = self.file.load();
        let config = self.effective();
        let mut signed_in: HashMap<String, i64> = self.store.sign_ins().await?.into_iter().collect();
        let factors = self.store.second_factors().await?;
        let listed = |user: &User| {
            let key = login_key(&user.login);
            let of_file = file.users.iter().any(|known| same_login(&known.login, &user.login));
            // One that was changed by its person a moment ago is known to the accounts first.
            let must_change_password = self.accounts.must_change(&user.login);
            Listed {
                user: User { must_change_password, ..user.clone() },
                origin: if of_file { "file" } else { "store" },
                last_sign_in_ms: signed_in.remove(&*key).unwrap_or(0),
                second_factor: factors.contains(&key.into_owned()),
            }
        };
        Ok(config.users.iter().map(listed).collect())
    }

    /// Adds an account. Gives its password, if one was made.
    ///
    /// # Errors
    /// [`Refused::Conflict`] when the login is taken, [`Refused::Unfit`] when the account does not fit the others.
    pub async fn add(&self, login: &str, patch: Patch, doer: &Doer) -> Result<Option<Secret>, Refused> {
        self.refresh().await?;
        if self.user(login).is_some() || self.row(login).await?.is_some() {
            let help = "choose another login, or change that one with: ctigate user set";
            return Err(Refused::Conflict(format!("there is a user {login} already; {help}")));
        }
        let mut user = User { login: login.to_owned(), ..User::default() };
        let made = patch.apply(&mut user)?;
        self.fits(std::slice::from_ref(&user))?;
        self.store.put_accounts(std::slice::from_ref(&user), unix_ms()).await?;
        self.note(doer, "user.add", login, json!({ "is": shown(&user) })).await?;
        Ok(made)
    }

    /// Changes an account of the store. Gives its password, if one was made. With another password the person's sessions of the
    /// console end, and the second factor stays.
    ///
    /// # Errors
    /// [`Refused::Unknown`], [`Refused::Conflict`] for an account of the file, [`Refused::Unfit`].
    pub async fn set(&self, login: &str, patch: Patch, doer: &Doer) -> Result<Option<Secret>, Refused> {
        let before = self.of_store(login).await?;
        let mut user = before.clone();
        let made = patch.apply(&mut user)?;
        self.put(&before, user, "user.set", doer).await?;
        Ok(made)
    }

    /// Puts another account in the place of one of the store: what is not named is as it is by default, but for the password and
    /// the id.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub async fn replace(&self, login: &str, patch: Patch, doer: &Doer) -> Result<Option<Secret>, Refused> {
        let before = self.of_store(login).await?;
        let mut user = User {
            login: before.login.clone(),
            id: before.id.clone(),
            password_hash: before.password_hash.clone(),
            ..User::default()
        };
        let made = patch.apply(&mut user)?;
        self.put(&before, user, "user.set", doer).await?;
        Ok(made)
    }

    async fn put(&self, before: &User, user: User, what: &str, doer: &Doer) -> Result<(), Refused> {
        self.fits(std::slice::from_ref(&user))?;
        self.store.put_accounts(std::slice::from_ref(&user), unix_ms()).await?;
        if before.password_hash != user.password_hash {
            // Whoever knew the password of before is out.
            self.store.end_console_sessions(&user.login, "").await?;
        }
        let (was, is) = difference(before, &user);
        self.note(doer, what, &user.login, json!({ "was": was, "is": is })).await?;
        Ok(())
    }

    /// Removes an account of the store, with all that is its own.
    ///
    /// # Errors
    /// [`Refused::Unknown`], [`Refused::Conflict`] for an account of the file, [`Refused::Unfit`] while others name it.
    pub async fn remove(&self, login: &str, doer: &Doer) -> Result<(), Refused> {
        let user = self.of_store(login).await?;
        let stored = self.store.accounts().await?;
        let key = login_key(login).into_owned();
        let stored: Vec<_> = stored.into_iter().filter(|row| row.key != key).collect();
        let (config, _) = self.layered(&stored);
        let wrong: Vec<String> = mistakes(&config).into_iter().map(|(_, key, why)| format!("{key}: {why}")).collect();
        if !wrong.is_empty() {
            return Err(Refused::Unfit(wrong));
        }
        self.store.remove_account(login).await?;
        self.note(doer, "user.remove", &user.login, json!({ "was": shown(&user) })).await?;
        Ok(())
    }

    /// The file with these accounts of the store, nothing left out.
    fn layered(&self, stored: &[crate::store::StoredUser]) -> (crate::config::Config, usize) {
        let file = self.file.load();
        let mut config = crate::config::Config::clone(&file);
        let of_file = |user: &User| file.users.iter().any(|known| same_login(&known.login, &user.login));
        config
            .users
            .extend(stored.iter().filter_map(|row| row.user.as_ref().ok()).filter(|user| !of_file(user)).cloned());
        (config, file.users.len())
    }

    /// Whether accounts fit all the others.
    pub(super) fn fits(&self, changed: &[User]) -> Result<(), Refused> {
        let wrong = self.misfits(changed);
        let line = |(login, key, why): (Option<String>, String, String)| match (login, key.as_str()) {
            (Some(_), "") | (None, "") => why,
            (Some(login), key) if changed.len() > 1 => format!("{login}: {key}: {why}"),
            (_, key) => format!("{key}: {why}"),
        };
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(Refused::Unfit(wrong.into_iter().map(line).collect())),
        }
    }

    /// What is wrong when these accounts are as given: whose account, which key, why.
    pub(super) fn misfits(&self, changed: &[User]) -> Vec<(Option<String>, String, String)> {
        let mut config = crate::config::Config::clone(&self.effective());
        for user in changed {
            match config.users.iter_mut().find(|known| same_login(&known.login, &user.login)) {
                Some(known) => *known = user.clone(),
                None => config.users.push(user.clone()),
            }
        }
        let named = |(at, key, why): (Option<usize>, String, String)| {
            (at.and_then(|at| config.users.get(at)).map(|user| user.login.clone()), key, why)
        };
        mistakes(&config).into_iter().map(named).collect()
    }

    /// The account of the store of this login, whatever the file says.
    pub(super) async fn row(&self, login: &str) -> Result<Option<User>, Refused> {
        let key = login_key(login).into_owned();
        let row = self.store.accounts().await?.into_iter().find(|row| row.key == key);
        match row.map(|row| row.user) {
            None => Ok(None),
            Some(Ok(user)) => Ok(Some(user)),
            Some(Err(why)) => Err(Refused::Conflict(format!("in the store, user {key}: {why}"))),
        }
    }

    /// The account of the store that is in effect.
    pub(super) async fn of_store(&self, login: &str) -> Result<User, Refused> {
        self.refresh().await?;
        if self.file.load().users.iter().any(|user| same_login(&user.login, login)) {
            let text = format!("the user {login} stands in the configuration file; change it there");
            return Err(Refused::Conflict(text));
        }
        self.row(login).await?.ok_or_else(|| Refused::Unknown(format!("there is no user {login}")))
    }
}

/// An account without secrets.
pub(super) fn shown(user: &User) -> Value {
    difference(&User::default(), user).1.into()
}

/// What two accounts differ in: as it was, and as it is. A secret is `"***"`.
pub(super) fn difference(before: &User, after: &User) -> (Map<String, Value>, Map<String, Value>) {
    let fields = |user: &User| serde_json::to_value(user).unwrap_or_default();
    let (old, new) = (fields(before), fields(after));
    let mut names: Vec<&String> = old.as_object().into_iter().chain(new.as_object()).flat_map(Map::keys).collect();
    names.sort();
    names.dedup();
    let (mut was, mut is) = (Map::new(), Map::new());
    for name in names {
        let secret = name.starts_with("password");
        let another = match secret {
            true => before.password_hash != after.password_hash && name == "password_hash",
            false => old.get(name) != new.get(name),
        };
        if another {
            let of = |value: Option<&Value>| match (secret, value) {
                (_, None) => Value::Null,
                (true, Some(_)) => Value::from("***"),
                (false, Some(value)) => value.clone(),
            };
            was.insert(name.clone(), of(old.get(name)));
            is.insert(name.clone(), of(new.get(name)));
        }
    }
    (was, is)
}
