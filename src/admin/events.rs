//! `GET /api/v1/events`: an event stream that says when it is worth looking again, and what operators should see at once.
//!
//! A follower costs a number for each part and at most 256 notices that all followers share; a slow one is told how many
//! notices it has missed, and hears once of whatever has changed meanwhile.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::response::sse::Event;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Refusal;
use super::{Failure, Shared};
use crate::engine::{Follower, Part};
use crate::telemetry::Told;

/// Between two events `changed`.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(follow))
}

/// What somebody wants to hear of.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct EventsWanted {
    /// Which parts, with commas: `links`, `calls`, `users`, `forms`, `journal`, `methods`, `settings`. Without it all.
    #[serde(default)]
    #[param(required = false)]
    about: String,
}

/// `event: changed`: these parts look different now.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"what": ["calls", "users"]}))]
struct PartsChanged {
    /// Which.
    #[schema(value_type = Vec<String>)]
    what: Vec<&'static str>,
}

/// `event: notice`: something operators should see at once.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"at_ms": 1790000000000_i64, "level": "warn", "what": "link", "text": "crm: down: closed"}))]
struct NoticeTold {
    /// When, milliseconds since 1970.
    at_ms: i64,
    /// `info`, `warn` or `error`.
    level: &'static str,
    /// What it is about: `link`, `method`, `pbx`, `store`, `peer`, `node`.
    what: &'static str,
    /// In words.
    text: String,
}

/// `event: lost`: so many were not read in time.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"count": 3}))]
pub(super) struct EventsLost {
    /// How many.
    pub(super) count: u64,
}

/// Follow what happens
///
/// An event stream. `changed` with `{"what":["calls"]}` says which parts look different now, at most four times a second; the first comes
/// at once and names all that are wanted, so that whoever comes back looks at everything. `notice` says what operators should see at
/// once. `lost` with `{"count":3}` says how many notices were not read in time. At most 64 can follow at once.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events", params(EventsWanted),
    responses(
        (status = 200, description = "The stream; events are `changed`, `notice` and `lost`", content(
            (PartsChanged = "text/event-stream"),
        )),
        (status = 429, description = "64 follow already", body = Refusal),
    ),
)]
async fn follow(
    State(shared): State<Shared>,
    wanted: Result<Query<EventsWanted>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(EventsWanted { about }) = wanted.map_err(|error| Failure::bad(error.body_text()))?;
    let part = |word: &str| {
        let all = Part::ALL.map(Part::word).join(", ");
        Part::parse(word).ok_or_else(|| Failure::bad(format!("about: {word:?} is none of {all}")))
    };
    let about: BTreeSet<Part> = match &*about {
        "" => Part::ALL.into_iter().collect(),
        list => list.split(',').map(|word| part(word.trim())).collect::<Result<_, _>>()?,
    };
    let door = &shared.door;
    let (follower, notices) = (door.pulse().follow(), door.telemetry().notices());
    let all = PartsChanged { what: about.iter().map(|part| part.word()).collect() };
    let first = event("changed", &all);
    let state = Following { follower, notices, about, next: Instant::now() + PAUSE };
    let rest = stream::unfold(state, |mut state| async move { Some((state.next().await?, state)) });
    shared.streams.events(stream_of(first, rest))
}

fn stream_of(
    first: Event,
    rest: impl stream::Stream<Item = Event> + Send + 'static,
) -> impl stream::Stream<Item = Result<Event, Infallible>> + Send + 'static {
    use futures_util::StreamExt;
    stream::once(async { first }).chain(rest).map(Ok)
}

/// An event with its name.
pub(super) fn event<T: Serialize>(name: &'static str, data: &T) -> Event {
    Event::default().event(name).json_data(data).unwrap_or_default()
}

struct Following {
    follower: Follower,
    notices: Receiver<Told>,
    about: BTreeSet<Part>,
    /// Not before is anything said of changes again.
    next: Instant,
}

impl Following {
    /// The next event. `None`: the node is going.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let changed = async {
                tokio::time::sleep_until(self.next).await;
                self.follower.changed().await
            };
            tokio::select! {
                changed = changed => {
                    let what: Vec<_> = changed.iter().filter(|p| self.about.contains(p)).map(|p| p.word()).collect();
                    if !what.is_empty() {
                        self.next = Instant::now() + PAUSE;
                        return Some(event("changed", &PartsChanged { what }));
                    }
                }
                told = self.notices.recv() => match told {
                    Ok(Told { at_ms, level, what, text }) => {
                        return Some(event("notice", &NoticeTold { at_ms, level, what, text }));
                    }
                    Err(RecvError::Lagged(count)) => return Some(event("lost", &EventsLost { count })),
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }
}
