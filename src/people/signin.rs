//! Signing in to the console: after the password, whether the person may, and the second factor; then a session. And what people
//! change about themselves.

use ctigate_proto::auth::password;
use ctigate_proto::hub::Rights;
use ctigate_proto::method::Right;
use serde_json::Value;

use super::{Desk, Doer, Refused, unix_ms};
use crate::config::{Role, Secret};
use crate::store::{ChangeError, Enrolment, StoreError};

/// The shortest password that people choose for themselves.
const SHORTEST: usize = 8;

/// What somebody may do.
#[derive(Clone, Debug)]
pub struct Person {
    /// The login, as its account spells it.
    pub login: String,
    /// The display name.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The rights of the role with this person's changes.
    pub rights: Rights,
    /// Whether the password must be changed before anything else.
    pub must_change_password: bool,
}

/// What came of a sign-in whose password was right.
#[derive(Debug)]
pub enum SignIn {
    /// The person is in, by this session.
    In(Secret, Person),
    /// A code of the second factor is wanted.
    NeedsCode,
    /// The code is wrong, or was used.
    WrongCode,
    /// The right `admin` is missing.
    MayNot,
}

impl Desk {
    /// Who somebody is and what they may do; `None`: nobody.
    pub fn person(&self, login: &str) -> Option<Person> {
        let user = self.user(login)?;
        Some(Person {
            name: user.display_name().to_owned(),
            role: user.role,
            rights: user.effective_rights(),
            must_change_password: self.accounts.must_change(&user.login),
            login: user.login,
        })
    }

    /// Signs somebody in whose password was checked.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn sign_in(&self, login: &str, code: Option<&str>, doer: &Doer) -> Result<SignIn, StoreError> {
        let now_ms = unix_ms();
        let Some(person) = self.person(login).filter(|person| person.rights.has(Right::Admin)) else {
            self.note(doer, "signin.refused", login, Value::Null).await?;
            return Ok(SignIn::MayNot);
        };
        if self.store.has_second_factor(login).await? {
            let Some(code) = code.filter(|code| !code.is_empty()) else { return Ok(SignIn::NeedsCode) };
            if !self.store.check_second_factor(login, code, now_ms).await? {
                self.note(doer, "signin.refused", login, Value::from("the code of the second factor is wrong")).await?;
                return Ok(SignIn::WrongCode);
            }
        }
        let session = self.store.begin_console_session(login, now_ms).await?;
        self.note(doer, "signin", &person.login, Value::Null).await?;
        Ok(SignIn::In(session, person))
    }

    /// Whose session this is, if it lives. It lives on.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn signed_in(&self, session: &str) -> Result<Option<Person>, StoreError> {
        let login = self.store.console_session(session, unix_ms()).await?;
        Ok(login.and_then(|login| self.person(&login)))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn sign_out(&self, session: &str, doer: &Doer) -> Result<(), StoreError> {
        self.store.end_console_session(session).await?;
        self.note(doer, "signout", &doer.who, Value::Null).await
    }

    /// Changes the password of a person who is in by `session`; the person's other sessions of the console end. Passwords are as typed.
    ///
    /// # Errors
    /// [`Refused::Wrong`] for the old one, [`Refused::Unfit`] for the new one.
    pub async fn change_password(
        &self,
        login: &str,
        old: &str,
        new: &str,
        session: &str,
        doer: &Doer,
    ) -> Result<(), Refused> {
        let count = new.chars().count();
        if count < SHORTEST {
            return Err(Refused::unfit(format!("new: {count} characters, expected at least {SHORTEST}")));
        }
        if new == old {
            return Err(Refused::unfit("new: it is the old one"));
        }
        let new = password::hash(new).map_err(|unfit| Refused::unfit(format!("new: {unfit}")))?;
        let old = password::hash(old).unwrap_or_default();
        match self.accounts.change(&self.store, login, &old, &new).await {
            Ok(()) => {}
            Err(ChangeError::WrongPassword) => return Err(Refused::Wrong("the old password is wrong".to_owned())),
            Err(ChangeError::Store(error)) => return Err(error.into()),
            Err(other) => return Err(Refused::unfit(other.to_string())),
        }
        self.store.end_console_sessions(login, session).await?;
        self.note(doer, "password", login, Value::Null).await?;
        self.refresh().await?;
        Ok(())
    }

    /// Whether a person has a second factor.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn has_second_factor(&self, login: &str) -> Result<bool, StoreError> {
        self.store.has_second_factor(login).await
    }

    /// Begins to set up a second factor.
    ///
    /// # Errors
    /// [`Refused::Conflict`] when there is one.
    pub async fn begin_second_factor(&self, login: &str) -> Result<Enrolment, Refused> {
        let begun = self.store.begin_second_factor(login).await?;
        begun.ok_or_else(|| Refused::Conflict("there is a second factor already; take it away first".to_owned()))
    }

    /// Lets a second factor count, once a code shows that the app has it.
    ///
    /// # Errors
    /// [`Refused::Wrong`].
    pub async fn confirm_second_factor(&self, login: &str, code: &str, doer: &Doer) -> Result<(), Refused> {
        if !self.store.confirm_second_factor(login, code, unix_ms()).await? {
            return Err(wrong_code());
        }
        Ok(self.note(doer, "second_factor.on", login, Value::Null).await?)
    }

    /// Takes the own second factor away; a code of it is needed.
    ///
    /// # Errors
    /// [`Refused::Wrong`].
    pub async fn end_second_factor(&self, login: &str, code: &str, doer: &Doer) -> Result<(), Refused> {
        if !self.store.check_second_factor(login, code, unix_ms()).await? {
            return Err(wrong_code());
        }
        self.store.remove_second_factor(login).await?;
        Ok(self.note(doer, "second_factor.off", login, Value::Null).await?)
    }

    /// Takes somebody's second factor away, because the device is lost. Says whether there was one.
    ///
    /// # Errors
    /// [`Refused::Unknown`].
    pub async fn remove_second_factor(&self, login: &str, doer: &Doer) -> Result<bool, Refused> {
        let user = self.user(login).ok_or_else(|| Refused::Unknown(format!("there is no user {login}")))?;
        let had = self.store.remove_second_factor(login).await?;
        if had {
            self.note(doer, "second_factor.off", &user.login, Value::Null).await?;
        }
        Ok(had)
    }

    /// Ends every session of the console of a person.
    ///
    /// # Errors
    /// [`Refused::Unknown`].
    pub async fn end_console_sessions(&self, login: &str, doer: &Doer) -> Result<(), Refused> {
        let user = self.user(login).ok_or_else(|| Refused::Unknown(format!("there is no user {login}")))?;
        self.store.end_console_sessions(login, "").await?;
        Ok(self.note(doer, "sessions.end", &user.login, Value::Null).await?)
    }
}

fn wrong_code() -> Refused {
    Refused::Wrong("the code is wrong, or was used already; the app shows another in a moment".to_owned())
}
