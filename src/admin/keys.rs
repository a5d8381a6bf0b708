//! `/api/v1/keys`: integration keys.

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use ctigate_proto::auth::grant::Scope;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Caller;
use super::answer::{self, Nothing, Refusal, ok};
use super::read::typed;
use super::{Failure, Shared};

use crate::people::{ApiKey, KeyWish};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_keys, add_key)).routes(routes!(replace_key)).routes(routes!(remove_key))
}

/// All keys.
#[derive(Serialize, ToSchema)]
struct AllKeys {
    /// By name.
    items: Vec<KeyListed>,
}

/// A key, without the key.
#[derive(Serialize, ToSchema)]
struct KeyListed {
    /// Its name.
    #[schema(example = "amo")]
    client_id: String,
    /// `service` or `widget`.
    #[schema(example = "service")]
    kind: &'static str,
    /// The person of a widget; empty for a service.
    login: String,
    /// The numbers of a service; empty: all.
    #[schema(example = "100-199,300")]
    numbers: String,
    /// What it may.
    #[schema(value_type = Vec<String>, example = json!(["call", "users"]))]
    rights: Vec<&'static str>,
    /// When it was made, milliseconds since 1970.
    made_ms: i64,
    /// When it ends; 0: never.
    expires_ms: i64,
    /// When it was used last; 0: never.
    used_ms: i64,
    /// When it was replaced last; 0: never.
    replaced_ms: i64,
}

impl KeyListed {
    fn of(key: &ApiKey) -> Self {
        let (login, numbers) = match &key.scope {
            Scope::Service(numbers) => (String::new(), numbers.to_string()),
            Scope::Widget(login) => (login.to_string(), String::new()),
        };
        Self {
            client_id: key.client.clone(),
            kind: key.scope.word(),
            login,
            numbers,
            rights: key.rights.iter().map(|right| right.0.word()).collect(),
            made_ms: key.made_ms,
            expires_ms: key.expires_ms,
            used_ms: key.used_ms,
            replaced_ms: key.replaced_ms,
        }
    }
}

/// The integration keys
#[utoipa::path(
    get, path = "/api/v1/keys", tag = "people",
    responses((status = 200, description = "All of them, without the keys themselves", body = AllKeys)),
)]
async fn list_keys(State(shared): State<Shared>) -> Result<Response, Failure> {
    let keys = shared.desk()?.keys().await?;
    Ok(ok(&AllKeys { items: keys.iter().map(KeyListed::of).collect() }))
}

/// A key that is to be made.
#[derive(ToSchema)]
#[schema(example = json!({"client_id": "amo", "kind": "service", "numbers": "100-199,300", "rights": ["call", "users"]}))]
#[expect(dead_code, reason = "describes what KeyWish reads")]
struct KeyWanted {
    /// Its name: letters, digits and signs of `._-`.
    client_id: String,
    /// `service` for all people in its numbers, `widget` for one person.
    kind: Option<String>,
    /// The person of a widget, whose `api_call_enabled` must be on.
    login: Option<String>,
    /// The numbers of a service; without them all.
    numbers: Option<String>,
    /// What it may; without it call, state, queue, journal, users, and for a service dynamic and forms.
    rights: Option<Vec<String>>,
    /// When it ends, milliseconds since 1970; without it never.
    expires_ms: Option<i64>,
}

/// A key, once.
#[derive(Serialize, ToSchema)]
struct KeyMade<'a> {
    /// Its name.
    #[schema(example = "amo")]
    client_id: &'a str,
    /// The key itself. It is shown this once and never again.
    #[schema(example = "ctk_5f0c…")]
    key: &'a str,
}

/// Make a key
///
/// Programs show it as `Authorization: Bearer` or as `?ticket=`, here, on the web port, and when they connect by WebSocket.
#[utoipa::path(
    post, path = "/api/v1/keys", tag = "people", request_body = KeyWanted,
    responses(
        (status = 201, description = "The key, once", body = KeyMade),
        (status = 404, description = "There is no such person", body = Refusal),
        (status = 409, description = "There is a key of this name", body = Refusal),
    ),
)]
async fn add_key(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Failure> {
    let wish: KeyWish = typed(request).await?;
    let client = wish.client_id.clone();
    let key = shared.desk()?.add_key(wish, &caller.doer()).await?;
    shared.door.people_changed().await;
    Ok(answer::with(StatusCode::CREATED, &KeyMade { client_id: &client, key: key.expose() }))
}

/// Make another key under the same name
///
/// The old one counts no more, and connections that came by it are closed.
#[utoipa::path(
    post, path = "/api/v1/keys/{client_id}/replace", tag = "people",
    params(("client_id" = String, Path, description = "The key's name")),
    responses(
        (status = 200, description = "The key, once", body = KeyMade),
        (status = 404, description = "There is no such key", body = Refusal),
    ),
)]
async fn replace_key(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    client: Result<Path<String>, PathRejection>,
) -> Result<Response, Failure> {
    let client = named(client)?;
    let key = shared.desk()?.replace_key(&client, &caller.doer()).await?;
    shared.door.people_changed().await;
    Ok(ok(&KeyMade { client_id: &client, key: key.expose() }))
}

/// Take a key away
#[utoipa::path(
    delete, path = "/api/v1/keys/{client_id}", tag = "people",
    params(("client_id" = String, Path, description = "The key's name")),
    responses(
        (status = 200, description = "It counts no more", body = Nothing),
        (status = 404, description = "There is no such key", body = Refusal),
    ),
)]
async fn remove_key(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    client: Result<Path<String>, PathRejection>,
) -> Result<Response, Failure> {
    shared.desk()?.remove_key(&named(client)?, &caller.doer()).await?;
    shared.door.people_changed().await;
    Ok(ok(&Nothing {}))
}

fn named(client: Result<Path<String>, PathRejection>) -> Result<String, Failure> {
    client.map(|Path(client)| client).map_err(|_| Failure::bad("the name in the address is not UTF-8"))
}
