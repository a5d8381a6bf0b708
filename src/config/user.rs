//! `[[user]]`: people, their numbers and rights.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use ctigate_proto::hub::Rights;
use ctigate_proto::method;
use serde::{Deserialize, Serialize};

use super::Secret;
use super::keyword::{as_text, keywords, refuse};

/// `[[user]]`: one person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// The login; needed, unique without regard to case.
    pub login: String,
    /// The name people see. Default: the login.
    pub name: String,
    /// The phone number this person works on; empty: none. Default empty.
    pub number: String,
    /// The department; empty: none. Default empty.
    pub department: String,
    /// What the person is; decides the rights. Default `agent`.
    pub role: Role,
    /// The password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// A file that holds the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// An environment variable that holds the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// What `ctigate hash-password` printed for the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<Secret>,
    /// Logins of the people whom this person supervises. Default none.
    pub subordinates: Vec<String>,
    /// `userid`, a UUID; empty: made from the login, the same for ever. Default empty.
    pub id: String,
    /// A picture (PNG, JPEG or GIF); empty: none. Default none.
    #[serde(with = "super::maybe_path")]
    pub photo: Option<PathBuf>,
    /// Whether programs may start calls in this person's name. Default false.
    pub api_call_enabled: bool,
    /// Whether this person must choose another password before anything else. Default false.
    pub must_change_password: bool,
    /// Rights added to those of the role (`+ghost`) or taken from them (`-files`). Default none.
    pub rights: Vec<RightChange>,
}

impl User {
    /// The name people see.
    pub fn display_name(&self) -> &str {
        if self.name.is_empty() { &self.login } else { &self.name }
    }

    /// The rights of the role with this person's changes.
    pub fn effective_rights(&self) -> Rights {
        self.rights.iter().fold(self.role.rights(), |rights, change| match change {
            RightChange::Add(right) => rights.with(right.0),
            RightChange::Remove(right) => rights.without(right.0),
        })
    }
}

keywords! {
    /// What a person is.
    #[derive(Default)]
    Role: "role" {
        /// Takes and makes calls.
        #[default]
        Agent = "agent",
        /// An agent who also listens in and sees the journal of subordinates.
        Supervisor = "supervisor",
        /// A program, or a person without a phone.
        Integrator = "integrator",
        /// Everything.
        Admin = "admin",
    }
}

impl Role {
    /// The rights that the role holds.
    pub fn rights(self) -> Rights {
        Rights::role(self.as_str()).expect("the protocol defines every role")
    }
}

/// A group of methods that somebody may call, written as its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right(pub method::Right);

impl FromStr for Right {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = method::Right::ALL.into_iter().map(method::Right::word);
        method::Right::of_word(text).map(Self).ok_or_else(|| refuse(text, "right", words))
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.word())
    }
}

as_text!(Right, "a text: right");

/// A right added to or taken from those of the role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RightChange {
    /// `+right`
    Add(Right),
    /// `-right`
    Remove(Right),
}

impl FromStr for RightChange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(right) = text.strip_prefix('+') {
            right.parse().map(Self::Add)
        } else if let Some(right) = text.strip_prefix('-') {
            right.parse().map(Self::Remove)
        } else {
            Err(format!(
                "found \"{}\"; write \"+RIGHT\" to add a right to those of the role or \"-RIGHT\" to take one away",
                text.escape_debug()
            ))
        }
    }
}

impl fmt::Display for RightChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(right) => write!(f, "+{right}"),
            Self::Remove(right) => write!(f, "-{right}"),
        }
    }
}

as_text!(RightChange, "a right in quotes, like \"+ghost\" or \"-files\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_has_the_rights_of_the_role_with_changes() {
        let user = User { rights: vec!["+ghost".parse().unwrap(), "-files".parse().unwrap()], ..User::default() };
        let rights = user.effective_rights();
        assert!(rights.has(method::Right::Ghost) && rights.has(method::Right::Call));
        assert!(!rights.has(method::Right::Files) && !rights.has(method::Right::WebApi));
        assert!(Role::ALL.iter().all(|role| role.rights().has(method::Right::Call)));
        assert!(method::Right::ALL.into_iter().all(|right| Role::Admin.rights().has(right)));
        let error = "gohst".parse::<Right>().unwrap_err();
        assert!(error.contains("allowed: call, state") && error.contains("did you mean \"ghost\"?"), "{error}");
        assert!("ghost".parse::<RightChange>().is_err());
    }
}
