//! The door for browsers: pages and `/rpc` for whoever asks by HTTP, a tab's channel for whoever asks for a WebSocket, on any
//! path, both on one port.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use ctigate_proto::auth::{Identity, LoginError, Proof, ticket};
use ctigate_proto::dialog::{self, Role};
use ctigate_proto::message::Text;
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::service::Service;
use hyper::{Request, StatusCode};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use crate::config::Config;
use crate::engine::outbox;
use crate::telemetry::Event;

use super::http::{self, Answer, Refusal};
use super::listen::{self, Admitted, Arrival, Caller, Door, Security};
use super::network::Carrier;
use super::{Transport, upgrade};

/// How much may wait for a tab.
const OUTBOX: outbox::Limit = outbox::Limit { messages: 4096, bytes: 8 << 20 };

/// What the web listeners are told.
#[derive(Clone, Debug)]
pub struct Browsers {
    door: Arc<Door>,
    /// Whether tabs may connect at all.
    open: bool,
    router: Router,
}

impl Browsers {
    /// From the configuration. `router` answers everything that is no WebSocket.
    pub fn new(config: &Config, security: Security, router: Router) -> Self {
        let limits = &config.limits;
        let dialog = dialog::Settings {
            max_message: limits.max_message_tab,
            max_message_guest: limits.max_message_guest,
            max_multipart: limits.multipart_size,
            max_packets: limits.multipart_packets,
            multipart_life: limits.multipart_timeout,
            depth: limits.nesting,
            rate: (limits.tab_rate, limits.tab_burst),
            ..dialog::Settings::tab()
        };
        let redirecting = dialog::Settings { redirect: config.web.require_tls, ..dialog.clone() };
        let door = Door {
            name: Text::from_static("tab"),
            security,
            origins: upgrade::Origins::new(
                config.web.allowed_origins.iter().map(String::as_str),
                &config.web.public_url,
            ),
            trusted_proxies: config.web.trusted_proxies.clone(),
            plain: Arc::new(redirecting),
            tls: Arc::new(dialog),
            outbox: OUTBOX,
            deflate: config.web.deflate,
        };
        Self { door: Arc::new(door), open: config.web.browsers, router }
    }
}

/// Serves browsers on one listener until the transport stops. What is put into `browsers` counts for those who come then.
pub async fn serve(transport: Arc<Transport>, listener: TcpListener, browsers: Arc<ArcSwap<Browsers>>) {
    let arrived = {
        let (transport, browsers) = (Arc::clone(&transport), Arc::clone(&browsers));
        move |arrival| {
            let now = browsers.load();
            attend(Arc::clone(&transport), Arc::clone(&now.door), now.open, now.router.clone(), arrival)
        }
    };
    let stop = transport.stop.clone();
    let door = || Arc::clone(&browsers.load().door);
    listen::accept(transport, stop, Arc::new(listener), door, arrived).await;
}

/// Serves one connection that another network has brought.
pub fn serve_carried(transport: &Arc<Transport>, browsers: &Browsers, io: Box<dyn Carrier>, from: IpAddr) {
    let Browsers { door, open, router } = browsers.clone();
    let kept = Arc::clone(transport);
    listen::carried(transport, &Arc::clone(&door), io, from, |arrival| attend(kept, door, open, router, arrival));
}

/// One connection, from its first byte of HTTP to its end.
async fn attend(transport: Arc<Transport>, door: Arc<Door>, open: bool, router: Router, arrival: Arrival) {
    let Arrival { io, from, deadline, permit } = arrival;
    let tls = io.is_tls();
    let permit = listen::Shared::new(permit);
    let answer = |mut request: Request<Body>| {
        let caller = door.caller(from, tls, request.headers());
        let counted = permit.count_for(caller.address);
        request.extensions_mut().insert(caller);
        let (head, body) = request.into_parts();
        let judged = match counted {
            Err(_) => Err(listen::too_many()),
            Ok(()) if !upgrade::is_meant(&head) => Ok(None),
            Ok(()) if transport.draining().is_some() => Err(transport.turned_away().unwrap_or_else(listen::too_many)),
            Ok(()) if !open => Err(Refusal::new(StatusCode::FORBIDDEN, "browsers are switched off: web.browsers")),
            Ok(()) => door.judge(&head).and_then(|wanted| Ok((wanted, program(&transport, &head, caller)?))).map(Some),
        };
        let judged = judged.map_err(|refusal| (refusal, upgrade::foreign_origin(&head, &door.origins)));
        let (router, transport) = (router.clone(), Arc::clone(&transport));
        async move {
            match judged {
                Ok(Some((wanted, role))) => Answer::Leave(Admitted { wanted, role, caller }),
                Err((refusal, foreign)) => {
                    transport.told_of_origin(foreign);
                    Answer::Respond(refusal.closing().response())
                }
                Ok(None) => {
                    let other_upgrade = head.headers.contains_key(header::UPGRADE);
                    let routed = TowerToHyperService::new(router).call(Request::from_parts(head, body));
                    let mut response = routed.await.unwrap_or_else(|never| match never {});
                    if other_upgrade {
                        // We speak no other protocol: answered as if it had not asked, and ended.
                        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                    }
                    Answer::Respond(response)
                }
            }
        }
    };
    if let Some(left) = http::serve(io, deadline, &transport.stop, answer).await {
        listen::connect(&transport, &door, left, permit).await;
    }
}

/// Who connects: a program that shows an integration key, else a tab, which is to log in.
fn program(transport: &Transport, head: &Parts, caller: Caller) -> Result<Role, Refusal> {
    let mut lines = head.headers.get_all(header::AUTHORIZATION).iter();
    let line = match (lines.next(), lines.next()) {
        (line, None) => line.and_then(|line| line.to_str().ok()),
        _ => return Err(Refusal::new(StatusCode::BAD_REQUEST, "Authorization must stand there once")),
    };
    let by_query = || head.uri.query().and_then(ticket::of_query);
    let Some(key) = line.and_then(ticket::of_bearer).map(str::to_owned).or_else(by_query) else {
        return Ok(Role::Tab);
    };
    let refused = |status, text, reason| {
        tracing::info!(address = %caller.address, reason, "a program was refused");
        transport.telemetry.event(Event::Refused { reason });
        Refusal::new(status, text)
    };
    match transport.engine.grant(&key, caller.address) {
        Ok(grant) => Ok(Role::Program(Identity::program(grant, Proof::known_key()))),
        Err(LoginError::Throttled) => {
            let refusal = refused(StatusCode::TOO_MANY_REQUESTS, "too many wrong keys", "throttled");
            Err(refusal.with(header::RETRY_AFTER, HeaderValue::from_static("60")))
        }
        Err(_) => Err(refused(StatusCode::UNAUTHORIZED, "this is no integration key that counts", "credentials")),
    }
}
