//! `GET /api/v1/audit`: who changed what.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Refusal, ok};
use super::{Failure, Shared};

/// How many entries are given when nobody says, and at most.
const LIMIT: (i64, i64) = (100, 1000);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(trail))
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    limit: i64,
    after: String,
    since_ms: i64,
    ticket: String,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { limit: LIMIT.0, after: String::new(), since_ms: 0, ticket: String::new() }
    }
}

/// Entries of the trail.
#[derive(Serialize, ToSchema)]
struct AuditTrail {
    /// The newest first.
    items: Vec<AuditEntry>,
    /// What `after` is to be for the next ones; empty: there are no more.
    #[schema(example = "901")]
    next: String,
}

/// Something that was changed.
#[derive(Serialize, ToSchema)]
struct AuditEntry {
    /// Its number; rising.
    #[schema(example = 902)]
    number: i64,
    /// When, milliseconds since 1970.
    #[schema(example = 1790000000000_i64)]
    at_ms: i64,
    /// Who: a login, `token`, `key CLIENT_ID`, or somebody at the command line.
    #[schema(example = "sidorova")]
    who: String,
    /// From which address, or `this machine`.
    #[schema(example = "10.0.0.7")]
    from_where: String,
    /// What.
    #[schema(example = "user.set")]
    what: String,
    /// About whom or what.
    #[schema(example = "petrov")]
    about: String,
    /// What was and what is, without secrets; null when there is nothing to say.
    #[schema(value_type = Option<Object>)]
    detail: serde_json::Value,
}

/// Who changed what
///
/// Every change by commands, by this interface and in the console. Entries are kept for a year, a million at most.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "people",
    params(
        ("limit" = Option<i64>, Query, description = "How many at most, 1 to 1000; 100 when nothing is said"),
        ("after" = Option<String>, Query, description = "`next` of the answer before"),
        ("since_ms" = Option<i64>, Query, description = "Nothing older, milliseconds since 1970"),
    ),
    responses(
        (status = 200, description = "The newest first", body = AuditTrail),
        (status = 500, description = "The store cannot be read", body = Refusal),
    ),
)]
async fn trail(
    State(shared): State<Shared>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(Wanted { limit, after, since_ms, ticket: _ }) =
        wanted.map_err(|error| Failure::bad(error.body_text()))?;
    if !(1..=LIMIT.1).contains(&limit) {
        return Err(Failure::bad(format!("limit is {limit}, expected 1 to {}", LIMIT.1)));
    }
    let below = match after.as_str() {
        "" => 0,
        text => text.parse().map_err(|_| Failure::bad("after is no `next` of an answer before"))?,
    };
    let noted = shared.desk()?.audit(since_ms, below, limit + 1).await.map_err(|error| Failure::broken(&error))?;
    let full = usize::try_from(limit).unwrap_or(0);
    let more = noted.len() > full;
    let items: Vec<AuditEntry> = noted
        .into_iter()
        .take(full)
        .map(|noted| AuditEntry {
            number: noted.number,
            at_ms: noted.at_ms,
            who: noted.change.who,
            from_where: noted.change.from,
            what: noted.change.what,
            about: noted.change.about,
            detail: noted.change.detail,
        })
        .collect();
    let next = items.last().filter(|_| more).map(|last| last.number.to_string()).unwrap_or_default();
    Ok(ok(&AuditTrail { items, next }))
}
