//! The admin port: health, figures, and the HTTP interface that programs and the `ctigate` commands use. Described for people
//! in `docs/http-api.md`.
//!
//! [`router`] answers requests; it opens no socket. Everything it wants from the house it asks for through the [`Door`].
//! Every request but `/healthz` and `/readyz` must bring the token, name a host that is ours, and come from no foreign page.
//! It never waits for anything but the [`Door`], and holds at most one body of [`BODY`] bytes a request.

pub mod access;
mod answer;
pub mod door;
mod forms;
mod methods;
pub mod orders;
mod picture;
mod read;
mod tail;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use ctigate_proto::hub::Snapshot;
use ctigate_proto::hub::input::Ask;
use ctigate_proto::hub::output;
use ctigate_proto::message::Object;
use tokio_util::sync::CancellationToken;

use crate::config::Secret;

pub use answer::{Failure, json};
pub use door::{Door, Part, PartState};
pub use picture::picture;
pub use read::{BODY, Broken, Fields, body, bytes};
pub use tail::{Tails, Wanted};

/// What the admin port is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What `Authorization: Bearer` must bring.
    pub token: Secret,
    /// Host names that are ours besides `localhost` and addresses.
    pub hosts: Vec<String>,
    /// Ends the event streams.
    pub stop: CancellationToken,
}

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Shared {
    door: Arc<dyn Door>,
    tails: Tails,
}

/// Everything the admin port answers.
pub fn router(door: Arc<dyn Door>, settings: Settings) -> Router {
    let Settings { token, hosts, stop } = settings;
    let guard = Arc::new(access::Guard::new(access::Hosts::new(hosts), Some(token)));
    let shared = Shared { door, tails: Tails::new(stop) };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/api/v1/snapshot", get(snapshot))
        .route("/api/v1/tail", get(tail::follow))
        .route("/api/v1/methods/{name}", post(methods::call))
        .route("/api/v1/forms", post(forms::open))
        .route("/api/v1/forms/{id}", delete(forms::close))
        .route("/api/v1/sim", post(order))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(guard, access::check))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .layer(middleware::map_response(answer::harden))
        .with_state(shared)
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

async fn snapshot(State(shared): State<Shared>) -> Result<Response, Failure> {
    Ok(json(&picture(&look(&*shared.door).await?).into()))
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let now = look(&*shared.door).await.ok();
    let page = shared.door.metrics(now.as_ref());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response()
}

async fn ready(State(shared): State<Shared>) -> Response {
    let parts = shared.door.parts().await;
    let ready = parts.iter().all(|part| part.state != PartState::Down);
    let part = |part: &Part| Object::new().with("state", part.state.word()).with("detail", part.detail.clone());
    let parts = parts.iter().fold(Object::new(), |all, one| all.with(one.name, part(one)));
    let mut response = json(&Object::new().with("ready", ready).with("parts", parts).into());
    if !ready {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

async fn alive(State(shared): State<Shared>) -> Response {
    match shared.door.alive() {
        true => "ok\n".into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, "fallen: start it anew\n").into_response(),
    }
}

async fn order(State(shared): State<Shared>, request: axum::extract::Request) -> Result<Response, Failure> {
    orders::give(&*shared.door, request).await
}

async fn nothing_here() -> Failure {
    Failure::not_found("nothing is served under this address")
}

async fn wrong_method() -> Failure {
    Failure::wrong_method()
}

#[cfg(test)]
pub(crate) mod tests;
