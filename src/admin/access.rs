//! Who may ask at all: the token, and that neither a foreign page nor a borrowed name stands behind the request.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use ctigate_proto::auth::ticket;
use ctigate_proto::message::Code;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::Secret;

use super::Failure;

/// Host names under which a port may be asked. A page of somebody else's can make a browser come here under a name of its
/// own (DNS rebinding); that name is none of these. Addresses cannot be borrowed and are always ours.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    names: Vec<String>,
}

impl Hosts {
    /// `localhost`, addresses, and these names; a port behind a name is not looked at.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self { names: names.into_iter().map(|name| name.to_ascii_lowercase()).collect() }
    }

    /// Whether the request names one of them as its host, and comes from no page or from a page of the same host.
    ///
    /// # Errors
    /// What to answer instead: 403 that says which header is wrong.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let refused = |detail| Err(Failure::with(StatusCode::FORBIDDEN, Code::AccessDenied, detail));
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).and_then(name_of);
        let Some(host) = host.filter(|host| self.holds(host)) else {
            return refused("Host names no host of this port");
        };
        match headers.get(header::ORIGIN) {
            None => Ok(()),
            Some(origin) => {
                let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
                match origin.and_then(|(_, authority)| name_of(authority)) {
                    Some(name) if name == host => Ok(()),
                    _ => refused("Origin is that of another host"),
                }
            }
        }
    }

    fn holds(&self, host: &str) -> bool {
        host == "localhost" || host.parse::<IpAddr>().is_ok() || self.names.iter().any(|name| name == host)
    }
}

/// The host of `host[:port]`, in lower case, an address of version 6 without its brackets.
fn name_of(authority: &str) -> Option<String> {
    let (name, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => authority.find(':').map_or((authority, ""), |colon| authority.split_at(colon)),
    };
    let port_is_one = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    (!name.is_empty() && port_is_one).then(|| name.to_ascii_lowercase())
}

/// The check before every request.
pub(super) struct Guard {
    hosts: Hosts,
    token: Option<[u8; 32]>,
}

impl Guard {
    /// Without a token nothing is asked for.
    pub(super) fn new(hosts: Hosts, token: Option<Secret>) -> Self {
        Self { hosts, token: token.map(|token| Sha256::digest(token.expose()).into()) }
    }

    fn admit(&self, headers: &HeaderMap) -> Result<(), Failure> {
        const CHALLENGE: &str = "Bearer realm=\"ctigate\"";
        self.hosts.check(headers)?;
        let Some(token) = &self.token else { return Ok(()) };
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (first, second) = (given.next(), given.next());
        let Some(first) = first else {
            let detail = "this address demands Authorization: Bearer with the token of the admin port";
            return Err(Failure::unauthorized(detail, CHALLENGE));
        };
        let given = first.to_str().ok().filter(|_| second.is_none()).and_then(ticket::of_bearer);
        // Hashes are compared, so that neither the place of a difference nor the length shows in the time it takes.
        let right = given.is_some_and(|given| {
            let given: [u8; 32] = Sha256::digest(given).into();
            bool::from(given.ct_eq(token))
        });
        if !right {
            tracing::warn!("a request to the admin port with a wrong token");
            return Err(Failure::unauthorized("the token is wrong", CHALLENGE));
        }
        Ok(())
    }
}

/// Lets a request pass, or answers why not.
pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Result<Response, Failure> {
    guard.admit(request.headers())?;
    Ok(next.run(request).await)
}

/// The same for what holds nothing of the node: only the names are looked at.
pub(super) async fn check_names(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    guard.hosts.check(request.headers())?;
    Ok(next.run(request).await)
}
