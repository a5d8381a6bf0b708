//! The door for CRMs: each accepting link has a port of its own, and whoever comes there must show before the handshake
//! completes that it is that link's CRM. A failure is answered by HTTP, on a connection that stays for another try.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use argon2::PasswordVerifier;
use axum::body::Body;
use ctigate_proto::auth::throttle::Throttled;
use ctigate_proto::auth::{self, Identity, Proof, basic, digest, ticket};
use ctigate_proto::dialog::{self, Role};
use ctigate_proto::hub::input::LinkState;
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::{Auth, Cidr, Config, Link, Secret};
use crate::engine::outbox;
use crate::telemetry::Event;

use super::http::{self, Answer, Refusal};
use super::listen::{self, Admitted, Arrival, Caller, Door, Security, too_many};
use super::network::Carrier;
use super::{Transport, upgrade};

/// How much may wait for a link: some of its largest messages, and a burst of events of all its users.
pub(super) const OUTBOX: outbox::Limit = outbox::Limit { messages: 65_536, bytes: 64 << 20 };

/// How long a password that was checked by a slow hash is known without checking it again.
const KNOWN_FOR: Duration = Duration::from_secs(300);

/// What an accepting link's listener is told.
pub struct Gate {
    door: Arc<Door>,
    allow_from: Vec<Cidr>,
    demand: Demand,
    ticket: Option<Secret>,
}

/// What the CRM must show.
enum Demand {
    Nothing,
    Basic {
        login: String,
        password: Password,
        /// Whether it is taken without TLS from other machines.
        insecure: bool,
    },
    Digest {
        gate: Mutex<digest::Gate>,
        login: String,
        secret: digest::Secret,
    },
}

/// How the password of Basic is kept.
enum Password {
    Plain(Secret),
    /// As argon2id, with the hash of the last header that was right, and when it was checked.
    Slow {
        hash: String,
        known: Mutex<Option<([u8; 32], Instant)>>,
    },
}

impl Gate {
    /// From the configuration.
    pub fn new(config: &Config, link: &Link, security: Security) -> Self {
        let settings = Arc::new(dialog_settings(config, link));
        let password = || link.password.as_ref().map_or("", Secret::expose);
        let demand = match link.effective_auth() {
            Auth::None => Demand::Nothing,
            Auth::Basic => Demand::Basic {
                login: link.login.clone(),
                insecure: link.insecure_basic,
                password: match &link.password_hash {
                    Some(hash) => Password::Slow { hash: hash.expose().to_owned(), known: Mutex::new(None) },
                    None => Password::Plain(Secret::new(password())),
                },
            },
            Auth::Digest => Demand::Digest {
                gate: Mutex::new(digest::Gate::new(rand::random())),
                login: link.login.clone(),
                secret: digest::Secret::new(&link.login, password()),
            },
        };
        let web = &config.web;
        Self {
            door: Arc::new(Door {
                name: link.name.as_str().into(),
                security,
                origins: upgrade::Origins::new(web.allowed_origins.iter().map(String::as_str), &web.public_url),
                trusted_proxies: web.trusted_proxies.clone(),
                plain: Arc::clone(&settings),
                tls: settings,
                outbox: OUTBOX,
                deflate: link.deflate,
            }),
            allow_from: link.allow_from.clone(),
            demand,
            ticket: link.ticket.clone(),
        }
    }

    /// Whether the request may pass.
    ///
    /// # Errors
    /// What to answer instead.
    async fn admit(&self, transport: &Transport, head: &Parts, caller: Caller) -> Result<Proof, Refusal> {
        let judge = Judge { gate: self, transport, caller };
        if !self.allow_from.is_empty() && !self.allow_from.iter().any(|range| range.contains(caller.address)) {
            let text = format!("{} may not connect to this link; allow_from lists who may", caller.address);
            return Err(judge.refused(StatusCode::FORBIDDEN, text, "allow_from"));
        }
        let mut headers = head.headers.get_all(header::AUTHORIZATION).iter();
        let authorization = match (headers.next().map(|value| std::str::from_utf8(value.as_bytes())), headers.next()) {
            (None, _) => None,
            (Some(Ok(value)), None) => Some(value),
            _ => {
                let text = "Authorization must stand there once, in UTF-8";
                return Err(judge.refused(StatusCode::BAD_REQUEST, text, "malformed"));
            }
        };
        if let Some(expected) = &self.ticket {
            let in_query = || head.uri.query().and_then(ticket::of_query);
            let given = authorization.and_then(ticket::of_bearer).map(str::to_owned).or_else(in_query);
            if let Some(given) = given {
                judge.throttle("ticket")?;
                return match ticket::verify(&given, expected.expose()) {
                    Some(proof) => Ok(judge.passed("ticket", proof)),
                    None => Err(judge.wrong("ticket", "the ticket is wrong")),
                };
            }
        }
        match &self.demand {
            Demand::Nothing => Ok(Proof::open_listener()),
            // A proxy on this machine may have brought it from elsewhere.
            Demand::Basic { insecure: false, .. } if !caller.tls && !caller.address.is_loopback() => {
                let text = "Basic without TLS is taken from this machine only: insecure_basic";
                Err(judge.refused(StatusCode::FORBIDDEN, text, "insecure"))
            }
            Demand::Basic { login, password, .. } => {
                let Some(authorization) = authorization else {
                    return Err(judge.challenge("this link demands Basic", false));
                };
                let given = basic::Basic::parse(authorization)
                    .map_err(|e| judge.challenge(format!("Authorization: {e}"), false))?;
                judge.throttle(&given.login)?;
                let tried = given.login.clone();
                match password.check(login, given).await {
                    Some(proof) => Ok(judge.passed(&tried, proof)),
                    None => Err(judge.wrong(&tried, "wrong login or password")),
                }
            }
            Demand::Digest { gate, login, secret } => {
                let is_digest = |value: &&str| auth::scheme(value).eq_ignore_ascii_case("Digest");
                let Some(authorization) = authorization.filter(is_digest) else {
                    return Err(judge.challenge("this link demands Digest", false));
                };
                judge.throttle(login)?;
                let target = head.uri.to_string();
                let request = digest::Request { method: head.method.as_str(), target: &target };
                let now = transport.engine.now();
                let verdict =
                    gate.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .verify(now, request, authorization, |given| (given == login).then_some(secret));
                match verdict {
                    Ok(accepted) => Ok(judge.passed(login, accepted.proof)),
                    Err(digest::Refusal::Wrong { .. }) => Err(judge.wrong(login, "wrong login or password")),
                    Err(why) if why.status() == 400 => {
                        Err(judge.refused(StatusCode::BAD_REQUEST, why.to_string(), "malformed"))
                    }
                    Err(why) => Err(judge.challenge(why.to_string(), why.is_stale())),
                }
            }
        }
    }
}

/// One request before one gate.
struct Judge<'a> {
    gate: &'a Gate,
    transport: &'a Transport,
    caller: Caller,
}

impl Judge<'_> {
    /// Whether this login may be looked at from this address.
    fn throttle(&self, login: &str) -> Result<(), Refusal> {
        let now = self.transport.engine.now();
        let checked = self.transport.engine.throttle().check(now, self.caller.address, &self.account(login));
        checked.map_err(|Throttled { retry_after }| {
            let seconds = HeaderValue::from(retry_after.as_secs().max(1));
            self.refused(StatusCode::TOO_MANY_REQUESTS, "too many wrong passwords", "throttled")
                .with(header::RETRY_AFTER, seconds)
        })
    }

    fn passed(&self, login: &str, proof: Proof) -> Proof {
        self.transport.engine.throttle().succeeded(self.caller.address, &self.account(login));
        proof
    }

    fn wrong(&self, login: &str, text: &str) -> Refusal {
        let now = self.transport.engine.now();
        let last = self.transport.engine.throttle().failed(now, self.caller.address, &self.account(login));
        let (link, address) = (&*self.gate.door.name, self.caller.address);
        tracing::warn!(link, %address, throttled = last, "a CRM was refused: {text}");
        self.transport.telemetry.event(Event::Refused { reason: "credentials" });
        self.challenge(text, false)
    }

    fn refused(&self, status: StatusCode, text: impl Into<String>, reason: &'static str) -> Refusal {
        let refusal = Refusal::new(status, text);
        tracing::info!(link = &*self.gate.door.name, address = %self.caller.address, reason, "a CRM was refused");
        self.transport.telemetry.event(Event::Refused { reason });
        refusal
    }

    /// 401 with what the link demands. The connection stays, for the answer.
    fn challenge(&self, text: impl Into<String>, stale: bool) -> Refusal {
        let challenges = match &self.gate.demand {
            Demand::Nothing => Vec::new(),
            Demand::Basic { .. } => vec![basic::CHALLENGE.to_owned()],
            Demand::Digest { gate, .. } => {
                let gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
                gate.challenges(self.transport.engine.now(), rand::random(), stale).into()
            }
        };
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, text);
        challenges
            .iter()
            .filter_map(|c| HeaderValue::from_str(c).ok())
            .fold(refusal, |refusal, challenge| refusal.with(header::WWW_AUTHENTICATE, challenge))
    }

    /// What the throttle calls a login here: links have names of their own, apart from people's.
    fn account(&self, login: &str) -> String {
        format!("{}/{login}", self.gate.door.name)
    }
}

impl Password {
    async fn check(&self, login: &str, given: basic::Basic) -> Option<Proof> {
        match self {
            Self::Plain(password) => given.verify(login, password.expose()),
            Self::Slow { hash, known } => {
                let seen: [u8; 32] = Sha256::digest(format!("{}\0{}", given.login, given.password)).into();
                let is_known = |known: &Mutex<Option<([u8; 32], Instant)>>| {
                    let known = known.lock().unwrap_or_else(PoisonError::into_inner);
                    known.as_ref().is_some_and(|(last, at)| bool::from(last.ct_eq(&seen)) && at.elapsed() < KNOWN_FOR)
                };
                if is_known(known) {
                    return Some(Proof::slow_hash());
                }
                let right_login = bool::from(given.login.as_bytes().ct_eq(login.as_bytes()));
                let fits = fits(hash.clone(), given.password).await;
                if !(right_login && fits) {
                    return None;
                }
                *known.lock().unwrap_or_else(PoisonError::into_inner) = Some((seen, Instant::now()));
                Some(Proof::slow_hash())
            }
        }
    }
}

/// Whether a password fits an argon2 hash, which is made of the password's hash as clients make it. Costs tens of
/// milliseconds, so it runs beside the network's threads, and as many at a time as there are cores.
async fn fits(hash: String, password: String) -> bool {
    static TURNS: LazyLock<Semaphore> =
        LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, Into::into)));
    let Ok(_turn) = TURNS.acquire().await else { return false };
    spawn_blocking(move || {
        let Ok(hashed) = auth::password::hash(&password) else { return false };
        argon2::Argon2::default().verify_password(hashed.as_bytes(), hash.as_str()).is_ok()
    })
    .await
    .unwrap_or(false)
}

/// What a link's dialog is allowed.
pub(super) fn dialog_settings(config: &Config, link: &Link) -> dialog::Settings {
    let limits = &config.limits;
    dialog::Settings {
        max_message: limits.max_message_link,
        max_message_guest: limits.max_message_guest,
        max_multipart: limits.multipart_size,
        max_packets: limits.multipart_packets,
        multipart_life: limits.multipart_timeout,
        depth: limits.nesting,
        multipart_threshold: link.multipart_threshold,
        ..dialog::Settings::link()
    }
}

/// What the dialogs of a link are allowed, for whoever changes it while the link lives: it counts from the next connection on.
#[derive(Clone, Debug)]
pub struct Allowance {
    settings: Arc<ArcSwap<dialog::Settings>>,
    socket: bool,
}

impl Allowance {
    pub(super) fn new(config: &Config, link: &Link) -> Self {
        let settings = Arc::new(ArcSwap::from_pointee(dialog::Settings::link()));
        let allowance = Self { settings, socket: !link.mode.posts() };
        allowance.set(config, link);
        allowance
    }

    /// What this configuration allows.
    pub fn set(&self, config: &Config, link: &Link) {
        self.settings.store(Arc::new(dialog::Settings { socket: self.socket, ..dialog_settings(config, link) }));
    }

    pub(super) fn now(&self) -> Arc<dialog::Settings> {
        self.settings.load_full()
    }
}

/// Serves one accepting link on its listener until `stop`. A gate that is put in the place of the first counts for those who come
/// then.
pub async fn serve(
    transport: Arc<Transport>,
    listener: Arc<TcpListener>,
    gate: Arc<ArcSwap<Gate>>,
    stop: CancellationToken,
) {
    transport.link_state(&gate.load().door.name, LinkState::Waiting);
    let arrived = {
        let (transport, gate, stop) = (Arc::clone(&transport), Arc::clone(&gate), stop.clone());
        move |arrival| attend(Arc::clone(&transport), gate.load_full(), stop.clone(), arrival)
    };
    let door = || Arc::clone(&gate.load().door);
    listen::accept(transport, stop, listener, door, arrived).await;
}

/// Serves one connection to an accepting link that another network has brought.
pub fn serve_carried(
    transport: &Arc<Transport>,
    gate: &Arc<Gate>,
    stop: &CancellationToken,
    io: Box<dyn Carrier>,
    from: IpAddr,
) {
    let (kept, attended, stop) = (Arc::clone(transport), Arc::clone(gate), stop.clone());
    listen::carried(transport, &gate.door, io, from, |arrival| attend(kept, attended, stop, arrival));
}

/// One connection, from its first byte of HTTP to its end.
async fn attend(transport: Arc<Transport>, gate: Arc<Gate>, stop: CancellationToken, arrival: Arrival) {
    let Arrival { io, from, deadline, permit } = arrival;
    let tls = io.is_tls();
    let permit = listen::Shared::new(permit);
    let answer = |request: Request<Body>| {
        let (head, _) = request.into_parts();
        let caller = gate.door.caller(from, tls, &head.headers);
        let counted = permit.count_for(caller.address);
        let (transport, gate) = (Arc::clone(&transport), Arc::clone(&gate));
        async move {
            let admitted = match counted {
                Err(_) => Err(too_many().closing()),
                Ok(()) if transport.draining().is_some() => {
                    Err(transport.turned_away().unwrap_or_else(too_many).closing())
                }
                Ok(()) if !upgrade::is_meant(&head) => {
                    Err(upgrade::upgrade_required("this is a link of ctigate: a CRM connects here by WebSocket"))
                }
                Ok(()) => match gate.door.judge(&head) {
                    Err(refusal) => {
                        transport.told_of_origin(upgrade::foreign_origin(&head, &gate.door.origins));
                        Err(refusal.closing())
                    }
                    Ok(wanted) => gate.admit(&transport, &head, caller).await.map(|proof| (wanted, proof)),
                },
            };
            match admitted {
                Err(refusal) => Answer::Respond(refusal.response()),
                Ok((wanted, proof)) => {
                    let role = Role::Link(Identity::link(gate.door.name.clone(), proof));
                    Answer::Leave(Admitted { wanted, role, caller })
                }
            }
        }
    };
    if let Some(left) = http::serve(io, deadline, &stop, answer).await {
        listen::connect(&transport, &gate.door, left, permit).await;
    }
}
