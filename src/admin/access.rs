//! Who asks, and whether they may. Who it is shows the admin token, a session of the console, or an integration key; what they may is in
//! [`super::routes`]. And no foreign page and no borrowed name stands behind a request.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use ctigate_proto::auth::grant::{Grant, Scope};
use ctigate_proto::auth::{LoginError, same_login, ticket};
use ctigate_proto::message::Code;
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::Secret;
use crate::people::{Desk, Doer, Person};

use super::routes::{self, Need};
use super::{Door, Failure};

/// The cookie of a session of the console.
pub(super) const COOKIE: &str = "ctigate_console";

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

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The address.
    pub address: IpAddr,
    /// Whether the way to us is TLS.
    pub tls: bool,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) enum By {
    /// Whoever holds the admin token.
    Token,
    /// A person who has signed in.
    Session {
        /// Who, and what they may.
        person: Person,
        /// The id of the session.
        id: Secret,
    },
    /// A program with an integration key.
    Key(Grant),
}

/// Who asks, and from where. Handlers find it among the extensions of a request.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) by: By,
    pub(super) source: Source,
}

impl Caller {
    /// For the trail.
    pub(super) fn doer(&self) -> Doer {
        let who = match &self.by {
            By::Token => "token".to_owned(),
            By::Session { person, .. } => person.login.clone(),
            By::Key(grant) => format!("key {}", grant.client),
        };
        Doer { who, from: self.source.address.to_string() }
    }

    /// The person who has signed in, and the session.
    ///
    /// # Errors
    /// 403 for the token and for keys.
    pub(super) fn person(&self) -> Result<(&Person, &Secret), Failure> {
        match &self.by {
            By::Session { person, id } => Ok((person, id)),
            By::Token | By::Key(_) => Err(refused("this is about a person who has signed in")),
        }
    }

    /// Whether a key is for this person (empty: for nobody in particular). Everybody else may ask about everybody.
    ///
    /// # Errors
    /// 403.
    pub(super) fn about(&self, desk: Option<&Arc<Desk>>, login: &str) -> Result<(), Failure> {
        let By::Key(grant) = &self.by else { return Ok(()) };
        let number = || {
            let config = desk.map(|desk| desk.effective());
            let users = config.iter().flat_map(|config| config.users.iter());
            users.filter(|user| same_login(&user.login, login)).map(|user| user.number.clone()).next()
        };
        let may = match &grant.scope {
            Scope::Service(numbers) => {
                numbers.is_all() || login.is_empty() || number().is_some_and(|number| numbers.has(&number))
            }
            Scope::Widget(own) => same_login(own, login),
        };
        if may { Ok(()) } else { Err(refused(format!("the key {} is not for {login:?}", grant.client))) }
    }
}

fn refused(detail: impl Into<String>) -> Failure {
    Failure::with(StatusCode::FORBIDDEN, Code::AccessDenied, detail)
}

/// The check before every request.
pub(super) struct Guard {
    /// `None`: whoever serves the routes has looked at the names.
    hosts: Option<Hosts>,
    /// `None`: no token counts here, and no session; only keys.
    token: Option<[u8; 32]>,
    desk: Option<Arc<Desk>>,
    door: Arc<dyn Door>,
    source: fn(&Extensions) -> Source,
}

impl Guard {
    pub(super) fn new(
        hosts: Option<Hosts>,
        token: Option<&Secret>,
        desk: Option<Arc<Desk>>,
        door: Arc<dyn Door>,
        source: fn(&Extensions) -> Source,
    ) -> Self {
        Self { hosts, token: token.map(|token| Sha256::digest(token.expose()).into()), desk, door, source }
    }

    /// Who sends a request.
    async fn who(&self, head: &Parts, source: Source) -> Result<By, Failure> {
        const CHALLENGE: &str = "Bearer realm=\"ctigate\"";
        let headers = &head.headers;
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (first, second) = (given.next(), given.next());
        if let Some(first) = first {
            let given = first.to_str().ok().filter(|_| second.is_none()).and_then(ticket::of_bearer);
            let given = given.ok_or_else(|| Failure::unauthorized("the token is wrong", CHALLENGE))?;
            // Hashes are compared, so that neither the place of a difference nor the length shows in the time it takes.
            let hash: [u8; 32] = Sha256::digest(given).into();
            if self.token.is_some_and(|token| bool::from(hash.ct_eq(&token))) {
                return Ok(By::Token);
            }
            return self.key(given, source).map_err(|why| {
                why.unwrap_or_else(|| {
                    tracing::warn!(address = %source.address, "a request with a wrong token");
                    Failure::unauthorized("the token is wrong", CHALLENGE)
                })
            });
        }
        if let (Some(id), Some(desk), true) = (cookie(headers), &self.desk, self.token.is_some()) {
            if !is_reading(&head.method) {
                own_origin(headers)?;
            }
            let person = desk.signed_in(id).await.map_err(|error| Failure::broken(&error))?;
            if let Some(person) = person {
                return Ok(By::Session { person, id: Secret::new(id) });
            }
        }
        if let Some(given) = head.uri.query().and_then(ticket::of_query) {
            return self.key(&given, source).map_err(|why| {
                why.unwrap_or_else(|| Failure::unauthorized("the ticket is no integration key that counts", CHALLENGE))
            });
        }
        let detail = match self.token {
            Some(_) => {
                "this address demands Authorization: Bearer with the token of the admin port or an integration key, or a session"
            }
            None => "this address demands an integration key, as Authorization: Bearer or ?ticket=",
        };
        Err(Failure::unauthorized(detail, CHALLENGE))
    }

    /// What a key allows. Without a failure: it is none.
    fn key(&self, given: &str, source: Source) -> Result<By, Option<Failure>> {
        match self.door.grant(given, source.address) {
            Ok(grant) => Ok(By::Key(grant)),
            Err(LoginError::Throttled) => Err(Some(Failure::throttled())),
            Err(_) => Err(None),
        }
    }
}

/// The id of a session that a cookie brings.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value).filter(|value| !value.is_empty())
}

fn is_reading(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// A browser sends the cookie by itself: what changes something must come from a page of this very host and port.
fn own_origin(headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let (host, origin) = (text(header::HOST).unwrap_or_default(), text(header::ORIGIN).unwrap_or_default());
    let same = match origin.split_once("://") {
        Some((scheme, authority)) => {
            let port = if scheme == "https" { ":443" } else { ":80" };
            let bare = |authority: &str| authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase();
            bare(authority) == bare(host)
        }
        None => false,
    };
    if same {
        Ok(())
    } else {
        Err(refused("with a session, what changes something needs Origin of this host and port"))
    }
}

/// Lets a request pass with who sends it, or answers why not.
pub(super) async fn check(
    State(guard): State<Arc<Guard>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let source = (guard.source)(request.extensions());
    if let Some(hosts) = &guard.hosts {
        hosts.check(request.headers())?;
    }
    let matched = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let need = routes::need(request.method(), matched.as_deref());
    if need == Need::Nothing && guard.token.is_some() {
        request.extensions_mut().insert(source);
        return Ok(next.run(request).await);
    }
    let (head, body) = request.into_parts();
    let by = guard.who(&head, source).await?;
    let mut request = Request::from_parts(head, body);
    if let By::Session { person, .. } = &by
        && person.must_change_password
        && !matches!(need, Need::Person | Need::Somebody)
    {
        return Err(refused("the password must be changed first").and("need", "password"));
    }
    if !need.admits(&by) {
        return Err(refused(format!("this needs {}", need.words())));
    }
    let caller = Caller { by, source };
    let noted = noted(request.method(), request.uri().path(), need);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    request.extensions_mut().insert(caller.clone());
    let response = next.run(request).await;
    if let Some(desk) = guard.desk.as_ref().filter(|_| noted && response.status().is_success()) {
        let matched = matched.as_deref().unwrap_or(&path);
        let (what, about) = match (method.as_str(), matched) {
            ("POST", "/api/v1/captures") => ("capture.begin".to_owned(), ""),
            ("DELETE", "/api/v1/captures/{id}") => {
                ("capture.end".to_owned(), path.rsplit('/').next().unwrap_or_default())
            }
            ("POST", "/api/v1/sim") => ("sim.order".to_owned(), ""),
            (method, matched) => (format!("{method} {matched}"), path.as_str()),
        };
        desk.noted(&caller.doer(), &what, about, Value::Null).await.map_err(|error| Failure::broken(&error))?;
    }
    Ok(response)
}

/// Whether a request of an administrator is noted here, because no handler notes what exactly it has changed.
fn noted(method: &Method, path: &str, need: Need) -> bool {
    const BY_THEMSELVES: [&str; 6] = [
        "/api/v1/users",
        "/api/v1/keys",
        "/api/v1/settings",
        "/api/v1/reload",
        // A try of a link changes nothing.
        "/api/v1/links",
        "/api/v1/drain",
    ];
    need == Need::Admin && !is_reading(method) && !BY_THEMSELVES.iter().any(|own| path.starts_with(own))
}

/// The same for what holds nothing of the node: only the names are looked at.
pub(super) async fn check_names(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    if let Some(hosts) = &guard.hosts {
        hosts.check(request.headers())?;
    }
    Ok(next.run(request).await)
}
