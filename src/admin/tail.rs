//! `GET /api/v1/tail`: the messages that pass, live, as an event stream.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use ctigate_proto::message::Code;
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::engine::{self, Filter};

use super::answer::Refusal;
use super::{Door, Failure, Shared};

/// How many may follow at once.
const MOST: usize = 16;
/// How often a quiet stream shows that it is alive.
const ALIVE: Duration = Duration::from_secs(15);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(follow))
}

/// Most who follow events at once, and most who follow the log.
const MOST_OTHERS: usize = 64;

/// The streams of events and of the log: how many there may be, and what ends them. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    events: Arc<Semaphore>,
    logs: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Streams {
    pub(super) fn new(stop: CancellationToken) -> Self {
        let seats = || Arc::new(Semaphore::new(MOST_OTHERS));
        Self { events: seats(), logs: seats(), stop }
    }

    /// These events as a response, if there is a seat.
    pub(super) fn events<S>(&self, events: S) -> Result<Response, Failure>
    where
        S: Stream<Item = Result<Event, Infallible>> + Send + 'static,
    {
        self.stream(&self.events, events)
    }

    /// The same for the log.
    pub(super) fn logs<S>(&self, events: S) -> Result<Response, Failure>
    where
        S: Stream<Item = Result<Event, Infallible>> + Send + 'static,
    {
        self.stream(&self.logs, events)
    }

    fn stream<S>(&self, seats: &Arc<Semaphore>, events: S) -> Result<Response, Failure>
    where
        S: Stream<Item = Result<Event, Infallible>> + Send + 'static,
    {
        respond(seats, MOST_OTHERS, &self.stop, events)
    }
}

/// An event stream that has a seat as long as it lives and ends with the node.
fn respond<S>(seats: &Arc<Semaphore>, most: usize, stop: &CancellationToken, events: S) -> Result<Response, Failure>
where
    S: Stream<Item = Result<Event, Infallible>> + Send + 'static,
{
    let Ok(seat) = Arc::clone(seats).try_acquire_owned() else {
        let detail = format!("{most} follow already");
        return Err(Failure::with(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, detail));
    };
    let events = events.map(move |event| {
        // Held as long as the stream lives.
        let _ = &seat;
        event
    });
    let events = events.take_until(stop.clone().cancelled_owned());
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)).into_response())
}

/// Those who follow. Clones are the same.
#[derive(Clone, Debug)]
pub struct Tails {
    seats: Arc<Semaphore>,
    stop: CancellationToken,
}

/// What of it somebody wants to see.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Only of this user, by login.
    #[serde(default)]
    user: String,
    /// Only of this link.
    #[serde(default)]
    link: String,
    /// Only of this tab: the `id` of its connection, or the `tabid` of a tab behind a link.
    #[serde(default)]
    tab: String,
    /// `json` (the default): the text in JSON; `xml`: in XML; `wire`: as it went.
    #[serde(default)]
    #[param(inline, required = false)]
    format: Shown,
}

/// How the text is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Shown {
    #[default]
    Json,
    Xml,
    Wire,
}

impl Tails {
    /// Nobody yet. `stop` ends all streams.
    pub fn new(stop: CancellationToken) -> Self {
        Self { seats: Arc::new(Semaphore::new(MOST)), stop }
    }

    /// An event stream of the lines that are wanted. A reader that is too slow loses lines and gets one that says how
    /// many.
    ///
    /// # Errors
    /// 400 when what is wanted cannot be read, 429 when too many follow already.
    pub fn stream(&self, door: &dyn Door, wanted: Result<Query<Wanted>, QueryRejection>) -> Result<Response, Failure> {
        let Query(Wanted { user, link, tab, format }) = wanted.map_err(|error| Failure::bad(error.body_text()))?;
        let shown = match format {
            Shown::Json => engine::Shown::Json,
            Shown::Xml => engine::Shown::Xml,
            Shown::Wire => engine::Shown::Wire,
        };
        let lines = door.tail(Filter { user, link, tab, shown });
        let events = lines.map(|line| Ok(Event::default().json_data(&line).unwrap_or_default()));
        respond(&self.seats, MOST, &self.stop, events)
    }
}

/// One message that passed.
#[derive(ToSchema)]
#[schema(example = json!({"ms": 1790000000000_i64, "direction": "in", "peer": "link crm", "id": 1, "tab": "", "format": "xml", "link": "crm", "user": "", "method": "ping", "qid": "1", "bytes": 20, "text": "[\"ping\",{\"qid\":\"1\"}]"}))]
#[expect(dead_code, reason = "describes the line of the engine")]
struct MessageThatPassed {
    /// When, milliseconds since 1970.
    ms: u64,
    /// `in` or `out`, seen from the gateway; `lost`: so many were not read in time.
    direction: String,
    /// The peer in words.
    peer: String,
    /// The number of the peer: that of a connection.
    id: u64,
    /// The tab: the `tabid` of one behind a link, else the number of its connection; empty for a link.
    tab: String,
    /// `json` or `xml`, as it went over the wire; empty when nobody knows.
    format: String,
    /// The link, or empty.
    link: String,
    /// The user it is from, for or about, or empty.
    user: String,
    /// The method or event.
    method: String,
    /// The qid as it was written, or empty.
    qid: String,
    /// Length of the text.
    bytes: usize,
    /// The text, secrets masked, cut at 4 KiB.
    text: String,
}

/// Follow the messages that pass
///
/// An event stream; each `data` is one message. A reader that is too slow loses events and gets one with `direction` `lost`
/// that says how many. At most 16 can follow at once.
#[utoipa::path(
    get, path = "/api/v1/tail", tag = "events", params(Wanted),
    responses(
        (status = 200, description = "The stream", body = MessageThatPassed, content_type = "text/event-stream"),
        (status = 429, description = "16 follow already", body = Refusal),
    ),
)]
async fn follow(
    State(shared): State<Shared>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Failure> {
    shared.tails.stream(&*shared.door, wanted)
}
