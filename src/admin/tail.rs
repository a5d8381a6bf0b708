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
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::engine::Filter;

use super::{Door, Failure, Shared};

/// How many may follow at once.
const MOST: usize = 16;
/// How often a quiet stream shows that it is alive.
const ALIVE: Duration = Duration::from_secs(15);

/// Those who follow. Clones are the same.
#[derive(Clone, Debug)]
pub struct Tails {
    seats: Arc<Semaphore>,
    stop: CancellationToken,
}

/// What of it somebody wants to see.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    /// Only of this user, by login.
    #[serde(default)]
    user: String,
    /// Only of this link.
    #[serde(default)]
    link: String,
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
        let Query(Wanted { user, link }) = wanted.map_err(|error| Failure::bad(error.body_text()))?;
        let Ok(seat) = Arc::clone(&self.seats).try_acquire_owned() else {
            let detail = format!("{MOST} follow already");
            return Err(Failure::with(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, detail));
        };
        let lines = door.tail(Filter { user, link }).map(move |line| {
            // Held as long as the stream lives.
            let _ = &seat;
            Ok::<_, Infallible>(Event::default().json_data(&line).unwrap_or_default())
        });
        let lines = lines.take_until(self.stop.clone().cancelled_owned());
        Ok(Sse::new(lines).keep_alive(KeepAlive::new().interval(ALIVE)).into_response())
    }
}

pub(super) async fn follow(
    State(shared): State<Shared>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Failure> {
    shared.tails.stream(&*shared.door, wanted)
}
