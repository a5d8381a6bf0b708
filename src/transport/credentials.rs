//! What we prove ourselves with to the servers we dial and post to.

use ctigate_proto::auth::basic::Basic;
use ctigate_proto::auth::digest;

use crate::config::{Auth, Link};

/// The credentials of one link.
#[derive(Debug)]
pub(super) enum Credentials {
    None,
    /// Sent with every request, unasked.
    Basic(Option<String>),
    /// Sent once a challenge has come. Never falls back to Basic, which would give the password away.
    Digest(digest::Client),
}

impl Credentials {
    /// What the configuration says.
    pub(super) fn of(link: &Link) -> Self {
        let password = || link.password.as_ref().map_or_else(String::new, |p| p.expose().to_owned());
        match link.effective_auth() {
            Auth::None => Self::None,
            Auth::Basic => Self::Basic(Basic { login: link.login.clone(), password: password() }.header()),
            Auth::Digest => Self::Digest(digest::Client::new(link.login.clone(), password())),
        }
    }

    /// The value of `Authorization` for a request, where there is one to send.
    pub(super) fn authorization(&mut self, method: &str, target: &str) -> Option<String> {
        match self {
            Self::None => None,
            Self::Basic(header) => header.clone(),
            Self::Digest(client) => client.answer(method, target, rand::random()),
        }
    }

    /// Takes the challenges of a 401.
    ///
    /// # Errors
    /// Why asking again is of no use.
    pub(super) fn challenged(&mut self, challenges: &[String]) -> Result<(), String> {
        match self {
            Self::None => Err("the CRM demands credentials, and the link has none (auth)".to_owned()),
            Self::Basic(_) => Err("the CRM refused login or password of the link".to_owned()),
            Self::Digest(client) => client.challenged(challenges.iter().map(String::as_str)).map_err(|e| e.to_string()),
        }
    }
}
