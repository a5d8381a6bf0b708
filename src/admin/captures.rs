//! `/api/v1/captures`: a while of what happens, kept in memory for the inspector, to be downloaded. `docs/replay.md` describes the
//! format. A capture that begins here begins in the middle: what passed is played as it was, and nothing can be compared.

use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ctigate_proto::message::Code;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::engine::{Captured, Filter, Wanted};

use super::answer::{self, Nothing, Refusal, ok};
use super::{Failure, Shared, body};

/// How long a capture runs when nobody says, and at most.
const USUAL: Duration = Duration::from_secs(600);
const LONGEST_S: u64 = 3600;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(captures, begin_capture)).routes(routes!(capture, end_capture))
}

/// A capture.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"id": 1, "begun_ms": 1790000000000_i64, "link": "crm", "user": "", "tab": "", "runs": true, "bytes": 52000}))]
struct CaptureNow {
    /// Its id.
    id: u64,
    /// Since when, milliseconds since 1970.
    begun_ms: i64,
    /// The link it is narrowed to, or empty.
    link: String,
    /// The user it is narrowed to, or empty.
    user: String,
    /// The tab it is narrowed to, or empty.
    tab: String,
    /// Whether it goes on.
    runs: bool,
    /// How large it is.
    bytes: usize,
}

/// All captures in memory.
#[derive(Serialize, ToSchema)]
struct CapturesNow {
    /// The oldest first, at most 8.
    items: Vec<CaptureNow>,
}

/// What is to be captured.
#[derive(ToSchema)]
#[schema(example = json!({"user": "ivanov", "seconds": 60}))]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
struct CaptureWanted {
    /// Only of this link.
    link: Option<String>,
    /// Only of this user, by login.
    user: Option<String>,
    /// Only of this tab: the number of its connection, or the `tabid` behind a link.
    tab: Option<String>,
    /// Whether the words with the telephone system belong to it; they do unless this is false.
    pbx: Option<bool>,
    /// How long it runs at most, seconds; without it ten minutes.
    #[schema(minimum = 1, maximum = 3600)]
    seconds: Option<u64>,
}

/// A capture has begun.
#[derive(Serialize, ToSchema)]
struct CaptureBegun {
    /// Its id.
    #[schema(example = 1)]
    id: u64,
}

/// The captures in memory
#[utoipa::path(
    get, path = "/api/v1/captures", tag = "events",
    responses((status = 200, description = "All of them, the oldest first", body = CapturesNow)),
)]
async fn captures(State(shared): State<Shared>) -> Response {
    let now = |captured: Captured| {
        let Captured { id, begun_ms, filter: Filter { user, link, tab, .. }, runs, bytes } = captured;
        CaptureNow { id, begun_ms, link, user, tab, runs, bytes }
    };
    ok(&CapturesNow { items: shared.door.captures().into_iter().map(now).collect() })
}

/// Begin a capture
///
/// Of everything, or narrowed. It ends by itself after its time, or at 32 MiB. At most 8 are kept; the oldest that has ended makes
/// room.
#[utoipa::path(
    post, path = "/api/v1/captures", tag = "events", request_body = CaptureWanted,
    responses(
        (status = 201, description = "It runs", body = CaptureBegun),
        (status = 429, description = "As many run as may", body = Refusal),
    ),
)]
async fn begin_capture(State(shared): State<Shared>, request: Request) -> Result<Response, Failure> {
    let mut fields = body(request).await?;
    let filter = Filter {
        link: fields.text("link")?.to_string(),
        user: fields.text("user")?.to_string(),
        tab: fields.text("tab")?.to_string(),
        ..Filter::default()
    };
    let pbx = fields.flag_or("pbx", true)?;
    let longest = fields.whole("seconds", 1..=LONGEST_S)?.map_or(USUAL, Duration::from_secs);
    fields.finish()?;
    let wanted = Wanted { filter, pbx, longest };
    match shared.door.begin_capture(wanted) {
        Some(id) => Ok(answer::with(StatusCode::CREATED, &CaptureBegun { id })),
        None => {
            let detail = "8 captures run already: end one";
            Err(Failure::with(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, detail))
        }
    }
}

/// Download a capture
///
/// What it holds so far: a file that `ctigate replay` plays, message by message. Secrets are not in it.
#[utoipa::path(
    get, path = "/api/v1/captures/{id}", tag = "events",
    params(("id" = u64, Path, description = "Its id")),
    responses(
        (status = 200, description = "Lines of JSON", body = String, content_type = "application/x-ndjson"),
        (status = 404, description = "There is none of this id", body = Refusal),
    ),
)]
async fn capture(State(shared): State<Shared>, id: Result<Path<u64>, PathRejection>) -> Result<Response, Failure> {
    let id = id_of(id)?;
    let lines = shared.door.captured(id).ok_or_else(nothing)?;
    let name = format!("attachment; filename=\"capture-{id}.jsonl\"");
    let mut response = lines.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&name).expect("ASCII letters"));
    Ok(response)
}

/// End a capture
///
/// It can still be downloaded.
#[utoipa::path(
    delete, path = "/api/v1/captures/{id}", tag = "events",
    params(("id" = u64, Path, description = "Its id")),
    responses(
        (status = 200, description = "It has ended", body = Nothing),
        (status = 404, description = "There is none of this id", body = Refusal),
    ),
)]
async fn end_capture(State(shared): State<Shared>, id: Result<Path<u64>, PathRejection>) -> Result<Response, Failure> {
    if shared.door.end_capture(id_of(id)?) { Ok(ok(&Nothing {})) } else { Err(nothing()) }
}

fn id_of(id: Result<Path<u64>, PathRejection>) -> Result<u64, Failure> {
    let Path(id) = id.map_err(|_| nothing())?;
    Ok(id)
}

fn nothing() -> Failure {
    Failure::not_found("no capture of this id is kept")
}
