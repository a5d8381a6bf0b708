//! Who a peer is, as values. Nothing here reads a clock or a file; time, secrets and random bytes are arguments.
//!
//! - [`basic`], [`digest`], [`ticket`]: what CRMs show at the door, and what we show at theirs.
//! - [`password`]: what people log in with.
//! - [`grant`]: what an integration key allows a program.
//! - [`throttle`]: slowing down who guesses.
//!
//! Every check that passes gives a [`Proof`], and only a proof makes an [`Identity`].

pub mod basic;
pub mod digest;
pub mod grant;
mod header;
mod hex;
pub mod password;
mod secret;
pub mod throttle;
pub mod ticket;

use std::borrow::Cow;

use crate::message::{Body, CallError, Code, Text};

use grant::Grant;

pub use header::{HeaderError, scheme};

/// That somebody's word was checked. Only the checks of this module make one; whoever holds it cannot have skipped them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof(());

impl Proof {
    /// A link we dialed or post to: vouched for by its configured URL (and by TLS, where the URL says so).
    pub const fn configured_url() -> Self {
        Self(())
    }

    /// A listener that demands nothing (`auth = "none"`): vouched for by the address it is bound to or allows.
    pub const fn open_listener() -> Self {
        Self(())
    }

    /// A CRM that posts to us, whose credentials the route has checked for this request.
    pub const fn checked_request() -> Self {
        Self(())
    }

    /// A session that the Hub has found alive and the user's own.
    pub const fn live_session() -> Self {
        Self(())
    }

    /// An integration key whose hash the shell has found among those it keeps.
    pub const fn known_key() -> Self {
        Self(())
    }

    /// A password whose slow hash the shell has checked: such hashes need threads, which this crate has not.
    pub const fn slow_hash() -> Self {
        Self(())
    }
}

/// A peer whose identity was checked. The Hub takes nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    who: Who,
}

/// Whom an identity names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The CRM of this link, by its name in the configuration.
    Link(Text),
    /// A person, by login, with the session the login made or resumed.
    User {
        /// The login, in the spelling of the account.
        login: Text,
        /// How the login was proved.
        by: LoginBy,
    },
    /// A program with an integration key.
    Program(Box<Grant>),
}

/// How a person was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginBy {
    /// By password: a new session is due.
    Password,
    /// By a session that exists; its id as the client sent it.
    Session(Text),
}

impl Identity {
    /// A link, once its check has passed.
    pub fn link(name: impl Into<Text>, _proof: Proof) -> Self {
        Self { who: Who::Link(name.into()) }
    }

    /// A person, once the check has passed.
    pub fn user(login: impl Into<Text>, by: LoginBy, _proof: Proof) -> Self {
        Self { who: Who::User { login: login.into(), by } }
    }

    /// A program, once its key was found.
    pub fn program(grant: Grant, _proof: Proof) -> Self {
        Self { who: Who::Program(Box::new(grant)) }
    }

    /// Whom it names.
    pub fn who(&self) -> &Who {
        &self.who
    }
}

/// What a login is found by: its lower-casing by Unicode. The one rule, wherever logins are compared.
pub fn login_key(login: &str) -> Cow<'_, str> {
    if login.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        Cow::Borrowed(login)
    } else {
        Cow::Owned(login.to_lowercase())
    }
}

/// Whether two spellings are the login of one person.
pub fn same_login(a: &str, b: &str) -> bool {
    a == b || login_key(a) == login_key(b)
}

/// What a peer's `login` brings: `proto-spec/auth.md`.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    /// `userlogin`.
    pub login: Text,
    /// `Password`: MD5 of the password as typed, lower-case hex.
    pub hash: Option<Text>,
    /// `password`: MD5 of the lower-cased password.
    pub folded_hash: Option<Text>,
    /// `sessionid`, used when no hash is given.
    pub session: Option<Text>,
    /// `expires`, seconds.
    pub expires: Option<i64>,
    /// `usewebrtc`.
    pub webrtc: bool,
    /// `workplace`.
    pub workplace: Option<Text>,
}

impl Attempt {
    /// Reads the parameters of a `login`.
    ///
    /// # Errors
    /// 59002 naming the field.
    pub fn of_body(body: &Body) -> Result<Self, CallError> {
        let login = body.text("userlogin").filter(|l| !l.is_empty());
        let login = login.ok_or_else(|| CallError::new(Code::BadRequest, "userlogin is missing"))?;
        Ok(Self {
            login,
            hash: body.text("Password"),
            folded_hash: body.text("password"),
            session: body.text("sessionid").filter(|s| !s.is_empty()),
            expires: body.int("expires"),
            webrtc: body.flag("usewebrtc").unwrap_or(false),
            workplace: body.text("workplace"),
        })
    }
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempt").field("login", &self.login).finish_non_exhaustive()
    }
}

/// Why a login was refused. The texts are compared literally by known clients (`proto-spec/errors.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginError {
    /// Unknown login, or the hash does not fit.
    WrongPassword,
    /// No such session, or it has expired.
    NoSession,
    /// The session belongs to somebody else.
    ForeignSession,
    /// Still starting, or the store does not answer.
    NotAvailable,
    /// 50025: `max_users` are logged in.
    NoSeat,
    /// 59012: too many failures from here.
    Throttled,
}

impl LoginError {
    /// What the peer is told.
    pub fn to_call_error(self) -> CallError {
        match self {
            Self::WrongPassword => CallError::bare("Wrong login/pass combination"),
            Self::NoSession => CallError::bare("Bad request. Session does not exist"),
            Self::ForeignSession => CallError::bare("Bad request. Invalid session user"),
            Self::NotAvailable => CallError::bare("Service not available"),
            Self::NoSeat => Code::NoSeat.into(),
            Self::Throttled => CallError::new(Code::TooManyRequests, "too many failed logins, wait a minute"),
        }
    }
}
