//! `POST /rpc`: messages that CRMs post to us. The form is that of [`ctigate_proto::codec::post`]; what is answered is the
//! replies, plain. Who posts is known by the link's `rpc_login` and `rpc_password` (Basic or Digest) or its `ticket`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ctigate_proto::auth::throttle::Throttled;
use ctigate_proto::auth::{self, basic, digest, ticket};
use ctigate_proto::codec::{self, DecodeError, post};
use ctigate_proto::message::{Body as Parameters, CallError, Code, Envelope, Format, Text};

use crate::admin::{Broken, Door, bytes};
use crate::config::{Link, Secret};

use super::{Caller, Origins};

/// What a post may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes of the messages, before base64.
    pub(super) max_message: usize,
    /// Deepest nesting.
    pub(super) nesting: usize,
}

impl Limits {
    /// The largest body: base64 makes four bytes of three, and a sender may percent-encode some of them.
    fn body(self) -> usize {
        self.max_message.saturating_mul(2).saturating_add(1024)
    }
}

/// The door for CRMs that post.
pub(super) struct Rpc {
    door: Arc<dyn Door>,
    links: Vec<Poster>,
    gate: Mutex<digest::Gate>,
    limits: Limits,
    origins: Origins,
    caller: fn(&Extensions) -> Caller,
}

/// A link whose CRM may post.
struct Poster {
    name: String,
    login: String,
    password: Option<Secret>,
    digest: Option<digest::Secret>,
    ticket: Option<Secret>,
    /// Whether Basic is taken without TLS from other machines.
    insecure_basic: bool,
}

impl Rpc {
    pub(super) fn new(
        door: Arc<dyn Door>,
        links: &[Link],
        limits: Limits,
        origins: Origins,
        caller: fn(&Extensions) -> Caller,
    ) -> Self {
        let poster = |link: &Link| {
            let password = link.rpc_password.clone().filter(|_| !link.rpc_login.is_empty());
            let ticket = link.ticket.clone().filter(|_| link.mode.posts());
            (password.is_some() || ticket.is_some()).then(|| Poster {
                name: link.name.clone(),
                login: link.rpc_login.clone(),
                digest: password.as_ref().map(|password| digest::Secret::new(&link.rpc_login, password.expose())),
                password,
                ticket,
                insecure_basic: link.insecure_basic,
            })
        };
        let links = links.iter().filter_map(poster).collect();
        Self { door, links, gate: Mutex::new(digest::Gate::new(rand::random())), limits, origins, caller }
    }

    /// Which link's CRM this is.
    fn admit(&self, request: &Request) -> Result<&Poster, Refusal> {
        let headers = request.headers();
        if !self.origins.allow(headers) {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "pages of this origin may not post here"));
        }
        let caller = (self.caller)(request.extensions());
        let mut lines = headers.get_all(header::AUTHORIZATION).iter().map(|line| std::str::from_utf8(line.as_bytes()));
        let authorization = match (lines.next(), lines.next()) {
            (None, _) => None,
            (Some(Ok(line)), None) => Some(line),
            _ => return Err(Refusal::new(StatusCode::BAD_REQUEST, "Authorization must stand there once, in UTF-8")),
        };
        let by_query = request.uri().query().and_then(ticket::of_query);
        if let Some(given) = authorization.and_then(ticket::of_bearer).map(str::to_owned).or(by_query) {
            self.throttle(caller, "ticket")?;
            // Every ticket is looked at, whichever fits.
            let mut found = None;
            for link in &self.links {
                if link.ticket.as_ref().is_some_and(|ticket| ticket::verify(&given, ticket.expose()).is_some()) {
                    found = Some(link);
                }
            }
            return self.verdict(caller, "ticket", found);
        }
        let Some(authorization) = authorization else {
            return Err(self.challenge(
                caller,
                "this address demands the rpc_login of a link, by Basic or Digest, or its ticket",
                false,
            ));
        };
        let scheme = auth::scheme(authorization);
        if scheme.eq_ignore_ascii_case("Digest") {
            return self.admit_by_digest(request, caller, authorization);
        }
        if scheme.eq_ignore_ascii_case("Basic") {
            if !self.takes_basic(caller) {
                let text = "Basic without TLS is taken from this machine only, or for links with insecure_basic";
                return Err(self.challenge(caller, text, false));
            }
            let given = basic::Basic::parse(authorization)
                .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, format!("Authorization: {error}")))?;
            self.throttle(caller, &given.login)?;
            let mut found = None;
            for link in &self.links {
                let password = link.password.as_ref().map_or("", Secret::expose);
                let may = link.password.is_some() && (link.insecure_basic || !caller.exposed());
                if given.verify(&link.login, password).is_some() && may {
                    found = Some(link);
                }
            }
            return self.verdict(caller, &given.login, found);
        }
        Err(self.challenge(caller, "the scheme of Authorization is none of Digest, Basic and Bearer", false))
    }

    fn admit_by_digest(&self, request: &Request, caller: Caller, authorization: &str) -> Result<&Poster, Refusal> {
        let target = request.uri().to_string();
        let asked = digest::Request { method: request.method().as_str(), target: &target };
        let link_of = |login: &str| self.links.iter().find(|link| link.login == login && link.digest.is_some());
        let mut throttled = Ok(());
        let now = self.door.now();
        let verdict = self.gate().verify(now, asked, authorization, |login| {
            throttled = self.throttle(caller, login);
            link_of(login).and_then(|link| link.digest.as_ref())
        });
        throttled?;
        match verdict {
            Ok(accepted) => self.verdict(caller, &accepted.login, link_of(&accepted.login)),
            Err(digest::Refusal::Wrong { login }) => self.verdict(caller, &login, None),
            Err(why) if why.status() == 400 => Err(Refusal::new(StatusCode::BAD_REQUEST, why.to_string())),
            Err(why) => Err(self.challenge(caller, &why.to_string(), why.is_stale())),
        }
    }

    /// Whether a password may be sent as it is.
    fn takes_basic(&self, caller: Caller) -> bool {
        !caller.exposed() || self.links.iter().any(|link| link.insecure_basic)
    }

    /// Counts what came of a check.
    fn verdict<'a>(&self, caller: Caller, login: &str, found: Option<&'a Poster>) -> Result<&'a Poster, Refusal> {
        let account = account(login);
        match found {
            Some(link) => {
                self.door.throttle().succeeded(caller.address, &account);
                Ok(link)
            }
            None => {
                let now = self.door.now();
                self.door.throttle().failed(now, caller.address, &account);
                tracing::warn!(address = %caller.address, "a CRM that posts to /rpc was refused: wrong credentials");
                Err(self.challenge(caller, "wrong login, password or ticket", false))
            }
        }
    }

    fn throttle(&self, caller: Caller, login: &str) -> Result<(), Refusal> {
        let checked = self.door.throttle().check(self.door.now(), caller.address, &account(login));
        checked.map_err(|Throttled { retry_after }| {
            let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong passwords");
            refusal.with(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)))
        })
    }

    /// 401 with all that is accepted from there, Digest first.
    fn challenge(&self, caller: Caller, text: &str, stale: bool) -> Refusal {
        let digest = self.gate().challenges(self.door.now(), rand::random(), stale);
        let challenges = digest.into_iter().chain(self.takes_basic(caller).then(|| basic::CHALLENGE.to_owned()));
        challenges
            .filter_map(|challenge| HeaderValue::from_str(&challenge).ok())
            .fold(Refusal::new(StatusCode::UNAUTHORIZED, text), |refusal, challenge| {
                refusal.with(header::WWW_AUTHENTICATE, challenge)
            })
    }

    fn gate(&self) -> MutexGuard<'_, digest::Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The messages in a body.
    async fn read(&self, body: Body) -> Result<(Format, Vec<Envelope>), Refusal> {
        let too_large = || {
            let text = format!("the messages are larger than {} bytes", self.limits.max_message);
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text)
        };
        let bytes = bytes(body, self.limits.body()).await.map_err(|broken| match broken {
            Broken::TooLarge => too_large(),
            Broken::Off => Refusal::new(StatusCode::BAD_REQUEST, "the body broke off"),
        })?;
        let wrong = |error: DecodeError| Refusal::new(StatusCode::BAD_REQUEST, format!("the form: {error}"));
        let (format, text) = post::parse_form(&bytes).map_err(wrong)?;
        drop(bytes);
        if text.len() > self.limits.max_message {
            return Err(too_large());
        }
        let limits = codec::Limits { depth: self.limits.nesting, ..codec::Limits::default() };
        match codec::decode_all(format, &text, &limits) {
            Ok(messages) => Ok((format, messages)),
            Err(error) => Err(Refusal::unreadable(format, &error)),
        }
    }
}

/// What the throttle calls a login here: those of links are apart from people's.
fn account(login: &str) -> String {
    format!("/rpc/{login}")
}

/// Serves one post.
pub(super) async fn serve(State(rpc): State<Arc<Rpc>>, request: Request) -> Result<Response, Refusal> {
    let link = rpc.admit(&request)?.name.clone();
    let declared = request.headers().get(header::CONTENT_TYPE).and_then(|line| line.to_str().ok()).unwrap_or_default();
    if !declared.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(post::FORM_TYPE) {
        let text = format!("the body must have Content-Type: {}", post::FORM_TYPE);
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    let (format, messages) = rpc.read(request.into_body()).await?;
    let replies = match messages.is_empty() {
        true => Vec::new(),
        false => rpc.door.rpc(&link, format, messages).await,
    };
    if replies.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let texts: Vec<Text> = replies.iter().map(|reply| codec::encode(reply, format)).collect();
    Ok(plain(format, post::join(format, &texts)))
}

fn plain(format: Format, text: Text) -> Response {
    let mut response = Response::new(Body::from(bytes::Bytes::from(text)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(post::plain_type(format)));
    response
}

/// A post that was not taken.
pub(super) struct Refusal(Box<Response>);

impl Refusal {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self(Box::new((status, format!("{}\n", text.into())).into_response()))
    }

    /// A message that could not be read is answered with one, as on any other way.
    fn unreadable(format: Format, error: &DecodeError) -> Self {
        let error = CallError::new(Code::BadRequest, error.to_string());
        let body = Parameters::new().with("error", Code::BadRequest.number()).with("errormsg", error.errormsg());
        let mut response = plain(format, codec::encode(&Envelope::new("error", body), format));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        Self(Box::new(response))
    }

    fn with(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.0.headers_mut().append(name, value);
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}
