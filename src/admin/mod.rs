//! The admin port: health, figures, and the HTTP interface that programs, the console and the `ctigate` commands use.
//! Described for people in `docs/http-api.md`, for programs at `/api/v1/openapi.json`.
//!
//! [`router`] answers requests; it opens no socket. Everything it wants from the house it asks for through the [`Door`].
//! Every request must bring the token, name a host that is ours, and come from no foreign page; but for `/healthz` and `/readyz`,
//! which ask for nothing, and the console and the reading page with their files, which ask for the host alone.
//! It never waits for anything but the [`Door`], and holds at most one body of [`BODY`] bytes a request.
//!
//! # A new address
//!
//! A module has `pub(super) fn routes() -> OpenApiRouter<Shared>`, made of `.routes(routes!(handler, …))` (one call for all methods of
//! one address), and a line in [`guarded`]. Each handler carries `#[utoipa::path(…)]`: the method, the path, a `tag` of
//! [`openapi`], `params`, `request_body`, and a response for each status of its own with its body. The first line of its
//! comment is the heading on the reading page, what follows the explanation. Left out: 401, 403, 413, 415, and the 400 of a
//! wrong body or address, which [`openapi`] adds. Bodies are structs with `Serialize` and `ToSchema`, answered by [`ok`] or
//! [`with`]; all their names are in one space, so say `KeyMade`, not `Made`. A body that [`Fields`] reads is a struct that only
//! describes. Every JSON body has an example (of the struct, or of its fields) that its own schema accepts.
//! Tests hold the document against the router and find whatever is not described.

pub mod access;
mod answer;
mod audit;
mod calls;
mod captures;
mod console;
mod doctor;
pub mod door;
mod events;
pub mod explain;
mod forms;
mod health;
mod journal;
mod keys;
mod links;
mod logs;
mod methods;
mod openapi;
pub mod operator;
pub mod orders;
mod overview;
mod picture;
mod read;
mod routes;
mod settings;
mod setup;
mod signin;
mod tail;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::http::{Extensions, StatusCode};
use axum::middleware;
use bytes::Bytes;
use ctigate_proto::hub::Snapshot;
use ctigate_proto::hub::input::Ask;
use ctigate_proto::hub::output;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use crate::config::Secret;
use crate::people::{Desk, Doer};

pub use access::Source;
pub use answer::{Failure, json, ok, with};
pub use door::{Door, Part, PartState};
pub use overview::{NodeFacts, sample};
pub use picture::{Picture, picture};
pub use read::{BODY, Broken, Fields, body, bytes};
#[cfg(test)]
pub(crate) use routes::page as rights_page;
pub use tail::{Tails, Wanted};

/// What the admin port is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What `Authorization: Bearer` must bring.
    pub token: Secret,
    /// Host names that are ours besides `localhost` and addresses.
    pub hosts: Vec<String>,
    /// Where people and programs are looked after; `None`: nowhere, and only the token counts.
    pub desk: Option<Arc<Desk>>,
    /// Where a request comes from, as the listener has noted it among the request's extensions.
    pub source: fn(&Extensions) -> Source,
    /// Ends the event streams.
    pub stop: CancellationToken,
}

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Shared {
    door: Arc<dyn Door>,
    desk: Option<Arc<Desk>>,
    tails: Tails,
    streams: tail::Streams,
    source: fn(&Extensions) -> Source,
    /// The document of all this.
    document: Bytes,
}

/// Everything the admin port answers.
pub fn router(door: Arc<dyn Door>, settings: Settings) -> Router {
    let Settings { token, hosts, desk, source, stop } = settings;
    let hosts = access::Hosts::new(hosts);
    let guard = access::Guard::new(Some(hosts), Some(&token), desk.clone(), Arc::clone(&door), source);
    let guard = Arc::new(guard);
    let (guarded, open, coded, document) = described();
    let (tails, streams) = (Tails::new(stop.clone()), tail::Streams::new(stop));
    let shared = Shared { door, desk, tails, streams, source, document: openapi::text(&document) };
    guarded
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&guard), access::check))
        .merge(openapi::pages().layer(middleware::from_fn_with_state(Arc::clone(&guard), access::check_names)))
        .merge(coded.layer(middleware::from_fn_with_state(Arc::clone(&guard), access::check_names)))
        .merge(open)
        .layer(middleware::map_response(answer::harden))
        .merge(console::routes().layer(middleware::from_fn_with_state(guard, access::check_names)))
        .with_state(shared)
}

/// What programs with an integration key ask for on another port than the admin port: the same addresses, but nothing of administration,
/// and neither the token nor a session counts.
pub fn for_programs(
    door: Arc<dyn Door>,
    desk: Arc<Desk>,
    source: fn(&Extensions) -> Source,
    stop: CancellationToken,
) -> Router {
    let guard = access::Guard::new(None, None, Some(Arc::clone(&desk)), Arc::clone(&door), source);
    let (guarded, _, _, _) = described();
    let (tails, streams) = (Tails::new(stop.clone()), tail::Streams::new(stop));
    let shared = Shared { door, desk: Some(desk), tails, streams, source, document: Bytes::new() };
    guarded.layer(middleware::from_fn_with_state(Arc::new(guard), access::check)).with_state(shared)
}

/// What asks for the token.
fn guarded() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .merge(overview::routes())
        .merge(picture::routes())
        .merge(calls::routes())
        .merge(journal::routes())
        .merge(events::routes())
        .merge(logs::routes())
        .merge(tail::routes())
        .merge(methods::routes())
        .merge(forms::routes())
        .merge(explain::routes())
        .merge(captures::routes())
        .merge(orders::routes())
        .merge(health::routes())
        .merge(settings::routes())
        .merge(signin::routes())
        .merge(users::routes())
        .merge(keys::routes())
        .merge(audit::routes())
        .merge(links::routes())
        .merge(doctor::routes())
}

/// What asks for the token, what does not, what asks for the code of the first run, and the document of all.
fn described() -> (Router<Shared>, Router<Shared>, Router<Shared>, utoipa::openapi::OpenApi) {
    let (guarded, mut document) = guarded().split_for_parts();
    let (open, mut of_open) = health::open_routes().split_for_parts();
    let (coded, of_coded) = setup::open_routes().split_for_parts();
    of_open.merge(of_coded);
    openapi::finish(&mut document, of_open);
    (guarded, open, coded, document)
}

impl Shared {
    /// The desk.
    ///
    /// # Errors
    /// 503 where there is none.
    fn desk(&self) -> Result<&Arc<Desk>, Failure> {
        let nothing = || {
            let detail = "people are not looked after here";
            Failure::with(StatusCode::SERVICE_UNAVAILABLE, ctigate_proto::message::Code::Internal, detail)
        };
        self.desk.as_ref().ok_or_else(nothing)
    }

    /// Notes what was done, where there is a trail.
    ///
    /// # Errors
    /// 500: it cannot be written.
    async fn noted(&self, doer: &Doer, what: &str, about: &str, detail: Value) -> Result<(), Failure> {
        let Some(desk) = &self.desk else { return Ok(()) };
        desk.noted(doer, what, about, detail).await.map_err(|error| Failure::broken(&error))
    }
}

/// The Hub's picture of the node, if it gives one.
///
/// # Errors
/// The node gave something else.
pub async fn look(door: &dyn Door) -> Result<Snapshot, Failure> {
    match door.ask(Ask::Snapshot).await {
        output::Answer::Snapshot(snapshot) => Ok(*snapshot),
        other => Err(Failure::unexpected(&other)),
    }
}

async fn nothing_here() -> Failure {
    Failure::not_found("nothing is served under this address")
}

async fn wrong_method() -> Failure {
    Failure::wrong_method()
}

#[cfg(test)]
pub(crate) mod tests;
