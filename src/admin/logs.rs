//! `/api/v1/logs`: the last lines of the log, and those that come.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize, Serializer};
use tracing::Level;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Refusal, ok};
use super::events::{EventsLost, event};
use super::{Failure, Shared};
use crate::telemetry::logs::{self, LogLine, Logs};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(follow))
}

/// Which lines somebody wants.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct LinesWanted {
    /// At least so important: `error`, `warn`, `info`, `debug` or `trace`. Without it all.
    #[serde(default)]
    #[param(required = false)]
    level: String,
    /// Only lines that hold this text in their message, module, or values; the case of letters does not matter.
    #[serde(default)]
    #[param(required = false)]
    search: String,
    /// Only lines after the one of this number. For following, without it only those that are yet to come.
    after: Option<u64>,
}

/// Which lines, checked.
struct Wanted {
    level: Level,
    search: String,
    after: Option<u64>,
}

impl Wanted {
    fn of(query: Result<Query<LinesWanted>, QueryRejection>) -> Result<Self, Failure> {
        let Query(LinesWanted { level, search, after }) = query.map_err(|error| Failure::bad(error.body_text()))?;
        let level = match &*level {
            "" => Level::TRACE,
            "error" | "warn" | "info" | "debug" | "trace" => level.parse().unwrap_or(Level::TRACE),
            _ => return Err(Failure::bad("level is none of error, warn, info, debug, trace")),
        };
        Ok(Self { level, search: search.to_lowercase(), after })
    }

    fn fits(&self, line: &LogLine) -> bool {
        line.fits(self.level, &self.search)
    }
}

/// Lines of the log.
#[derive(Serialize, ToSchema)]
struct LogLines {
    /// The oldest first.
    items: Vec<LogEntry>,
    /// What to ask for `after` next.
    #[schema(example = 1042)]
    next: u64,
}

/// One line of the log.
#[derive(ToSchema)]
#[schema(example = json!({"number": 1042, "at_ms": 1790000000000_i64, "level": "warn", "target": "ctigate::telemetry::events", "message": "link down", "fields": {"link": "crm", "why": "closed"}}))]
#[expect(dead_code, reason = "describes what is written of the line in memory")]
struct LogEntryFields {
    /// Its number; rises by one with each line since the start.
    number: u64,
    /// When, milliseconds since 1970.
    at_ms: i64,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    level: String,
    /// The module that says it.
    target: String,
    /// What it says.
    message: String,
    /// The values it names, in words.
    fields: std::collections::BTreeMap<String, String>,
}

/// A line of the memory, which writes itself.
#[derive(ToSchema)]
#[schema(value_type = LogEntryFields)]
struct LogEntry(Arc<LogLine>);

impl Serialize for LogEntry {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        /// Values by name, in their order.
        struct Values<'a>(&'a [(&'static str, String)]);
        impl Serialize for Values<'_> {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
            }
        }
        let LogLine { number, at_ms, level, target, message, fields } = &*self.0;
        let mut line = to.serialize_struct("LogEntry", 6)?;
        line.serialize_field("number", number)?;
        line.serialize_field("at_ms", at_ms)?;
        line.serialize_field("level", level)?;
        line.serialize_field("target", target)?;
        line.serialize_field("message", message)?;
        line.serialize_field("fields", &Values(fields))?;
        line.end()
    }
}

/// The last lines of the log
///
/// The last 2000 lines that the log's own filter lets pass are kept in memory, with secrets masked as there. Ask again with
/// `after` of the answer's `next`.
#[utoipa::path(
    get, path = "/api/v1/logs", tag = "events", params(LinesWanted),
    responses((status = 200, description = "Those that are wanted, the oldest first", body = LogLines)),
)]
async fn list(query: Result<Query<LinesWanted>, QueryRejection>) -> Result<Response, Failure> {
    let wanted = Wanted::of(query)?;
    let lines = logs::memory().after(wanted.after.unwrap_or(0));
    let next = lines.last().map_or_else(|| wanted.after.unwrap_or(0), |line| line.number);
    Ok(ok(&LogLines { items: lines.into_iter().filter(|line| wanted.fits(line)).map(LogEntry).collect(), next }))
}

/// Follow the log
///
/// An event stream; each `data` is one line, with its number as the event's id. A reader that is too slow gets `event: lost` with
/// `{"count":3}`. At most 64 can follow at once.
#[utoipa::path(
    get, path = "/api/v1/logs/follow", tag = "events", params(LinesWanted),
    responses(
        (status = 200, description = "The stream", body = LogEntry, content_type = "text/event-stream"),
        (status = 429, description = "64 follow already", body = Refusal),
    ),
)]
async fn follow(
    State(shared): State<Shared>,
    query: Result<Query<LinesWanted>, QueryRejection>,
) -> Result<Response, Failure> {
    let wanted = Wanted::of(query)?;
    let logs = logs::memory();
    let at = wanted.after.unwrap_or_else(|| logs.last());
    let batches = stream::unfold((logs.clone(), at), |(logs, at)| async move {
        logs.wait(at).await;
        let lines = lines_after(&logs, at);
        let last = lines.1.last().map_or(at, |line| line.number);
        Some((lines, (logs, last)))
    });
    let events = batches.flat_map(move |(lost, lines)| {
        let lost = (lost > 0).then(|| event("lost", &EventsLost { count: lost }));
        let line = |line: Arc<LogLine>| {
            let id = line.number.to_string();
            axum::response::sse::Event::default().id(id).json_data(LogEntry(line)).unwrap_or_default()
        };
        let lines: Vec<_> = lines.into_iter().filter(|line| wanted.fits(line)).map(line).collect();
        stream::iter(lost.into_iter().chain(lines).map(Ok))
    });
    shared.streams.logs(events)
}

/// How many lines after that number are gone already, and those that are kept.
fn lines_after(logs: &Logs, number: u64) -> (u64, Vec<Arc<LogLine>>) {
    let lines = logs.after(number);
    let lost = lines.first().map_or(0, |first| first.number - number - 1);
    (lost, lines)
}
