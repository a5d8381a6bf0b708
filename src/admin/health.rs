//! `/healthz`, `/readyz` and `/metrics`: what supervisors, balancers and Prometheus ask for.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{PartState, Shared, answer, look};

/// Open to everybody: they name nobody and nothing.
pub(super) fn open_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(alive)).routes(routes!(ready))
}

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// Does the process live
#[utoipa::path(
    get, path = "/healthz", tag = "health",
    responses(
        (status = 200, description = "It does", body = String, content_type = "text/plain", example = "ok\n"),
        (status = 503, description = "A panic left it half changed: start it anew", body = String, content_type = "text/plain"),
    ),
)]
async fn alive(State(shared): State<Shared>) -> Response {
    match shared.door.alive() {
        true => "ok\n".into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, "fallen: start it anew\n").into_response(),
    }
}

/// Can it do its work
///
/// And how each of its parts is: `store`, `links`, `telephone`, `certificate`, `web`.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses(
        (status = 200, description = "It can", body = Readiness),
        (status = 503, description = "A part is down", body = Readiness),
    ),
)]
async fn ready(State(shared): State<Shared>) -> Response {
    let parts = shared.door.parts().await;
    let ready = parts.iter().all(|part| part.state != PartState::Down);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let parts =
        parts.iter().map(|part| (part.name, Health { state: part.state.word(), detail: &part.detail })).collect();
    answer::with(status, &Readiness { ready, parts: Parts(parts) })
}

/// Whether the node can do its work.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"ready": true, "parts": {"store": {"state": "ok", "detail": ""}, "links": {"state": "degraded", "detail": "1 of 2 up"}}}))]
struct Readiness<'a> {
    /// Whether no part is down.
    ready: bool,
    /// How each part is, by its name.
    #[schema(value_type = std::collections::BTreeMap<String, Health>)]
    parts: Parts<'a>,
}

/// The parts, in their order.
struct Parts<'a>(Vec<(&'static str, Health<'a>)>);

impl Serialize for Parts<'_> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, health)| (name, health)))
    }
}

/// How one part is.
#[derive(Serialize, ToSchema)]
struct Health<'a> {
    /// `ok`, `degraded` or `down`.
    state: &'static str,
    /// What people should know.
    detail: &'a str,
}

/// Figures for Prometheus
///
/// Every figure is described in docs/operations.md.
#[utoipa::path(
    get, path = "/metrics", tag = "health",
    responses((status = 200, description = "The figures", body = String, content_type = "text/plain", example = "ctigate_links 1\n")),
)]
async fn metrics(State(shared): State<Shared>) -> Response {
    let now = look(&*shared.door).await.ok();
    let page = shared.door.metrics(now.as_ref());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response()
}
