//! The beginning: the connection, the sub-protocol, credentials, the introduction.

use std::time::{Duration, Instant};

use ctigate_proto::message::{Body, Format, Introduction};
use tokio::time::timeout_at;

use crate::config::{Auth, Link, Secret};
use crate::transport::trial::{Knock, Listener, NoLink, Wire};

use super::Outcome;
use super::exchange::Exchange;
use super::finding;
use super::talk::{self, Fault, Question, Talk};

/// Who came to a listener.
pub(super) struct Came {
    pub(super) wire: Option<Wire>,
    knocks: Vec<Knock>,
}

/// Waits for a CRM to connect.
pub(super) async fn arrival(listener: &mut Listener, patience: Duration) -> Came {
    let wire = timeout_at((Instant::now() + patience).into(), listener.next()).await.ok().flatten();
    Came { wire, knocks: listener.knocks() }
}

impl Came {
    /// Whether it came.
    pub(super) fn connected(&self, patience: Duration) -> Outcome {
        if self.wire.is_some() {
            return Outcome::good("the CRM connected");
        }
        let last = self.knocks.iter().rev();
        for knock in last {
            match knock {
                Knock::Wrong(why) => return Outcome::bad(&finding::CREDENTIALS, why),
                Knock::Asked => {
                    let found = "the CRM did not answer the challenge: it came without credentials";
                    return Outcome::bad(&finding::CREDENTIALS, found);
                }
                Knock::Stranger(why) => return Outcome::bad(&finding::STRANGER, why),
                Knock::Right => {}
            }
        }
        Outcome::bad(&finding::NOBODY, format!("nobody connected in {} s", patience.as_secs()))
    }

    /// What it offered.
    pub(super) fn sub_protocol(&self) -> Outcome {
        match self.wire.as_ref().and_then(|wire| wire.format) {
            Some(format) => Outcome::good(format!("it offers {}", format.word())),
            None => Outcome::bad(&finding::NO_SUB_PROTOCOL, "it offers no sub-protocol that contains json or xml"),
        }
    }

    /// How it proved itself.
    pub(super) fn authorization(&self, auth: Auth) -> Outcome {
        if auth == Auth::None {
            return Outcome::skipped("none is used: auth is none");
        }
        let asked = self.knocks.contains(&Knock::Asked);
        Outcome::good(format!("{auth}, {}", if asked { "once it was asked" } else { "unasked" }))
    }
}

/// What became of dialing.
pub(super) fn dialed(wire: &Result<Wire, NoLink>) -> Outcome {
    match wire {
        Ok(_) => Outcome::good("101"),
        Err(NoLink::SubProtocol(_)) => Outcome::good("101, but see below"),
        Err(no) => talk::no_link(no),
    }
}

/// What the server chose.
pub(super) fn chosen(wire: &Result<Wire, NoLink>, format: Format) -> Outcome {
    match wire {
        Err(no) => talk::no_link(no),
        Ok(_) => Outcome::good(format!("{} or nothing came back", format.word())),
    }
}

/// Shows a wrong password, which should be refused.
pub(super) async fn wrong_password(link: &Link, format: Format, patience: Duration) -> Outcome {
    let auth = link.effective_auth();
    if auth == Auth::None {
        return Outcome::skipped("none is used: auth is none");
    }
    let wrong = Link { password: Some(Secret::new("not-the-password-check-crm")), ..link.clone() };
    let tried = if link.mode.posts() {
        match Exchange::new(&wrong, format) {
            Ok(mut exchange) => match exchange.ask(&whoareyou(), patience).await {
                Ok(_) => Ok(()),
                Err(Fault::NoLink(no)) => Err(no),
                Err(fault) => return fault.outcome(&finding::OPEN_DOOR),
            },
            Err(error) => Err(NoLink::Unreachable(error.to_string())),
        }
    } else {
        Wire::dial(&wrong, format).await.map(|_| ())
    };
    match tried {
        Ok(()) => Outcome::note(&finding::OPEN_DOOR, "a wrong password is accepted"),
        Err(NoLink::Credentials(_) | NoLink::Declined(_)) => Outcome::good(format!("{auth}; a wrong one is refused")),
        Err(no) => talk::no_link(&no),
    }
}

/// The introduction of a CRM.
pub(super) async fn introduction(talk: &mut Talk, patience: Duration) -> Outcome {
    let introduced = match talk {
        Talk::Socket(conversation) => conversation.introduction(patience).await,
        Talk::Post(exchange) => exchange.ask(&whoareyou(), patience).await.map(|iam| {
            let text = |name| iam.body.text(name).unwrap_or_default();
            Introduction { kind: text("type"), name: text("name"), version: text("version"), ..Introduction::default() }
        }),
    };
    match introduced {
        Ok(who) => Outcome::good(format!("{} {} ({})", who.name, who.version, who.kind)),
        Err(fault) => fault.outcome(&finding::NO_IAM),
    }
}

/// What the gateway says of itself.
fn whoareyou() -> Question {
    let body =
        Body::new().with("type", "commserver").with("name", "ctigate").with("version", env!("CARGO_PKG_VERSION"));
    Question::new("whoareyou", "iam", "whoareyou").with(body)
}
