//! `/api/v1/journal`: calls of the past. One row for each talk of a call, and one for a call without a talk; the newest first.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ctigate_proto::calls::{Direction, Entry, JournalPlace, JournalQuery, JournalRow, Outcome, Step};
use ctigate_proto::message::Text;
use ctigate_proto::telephony::{CallId, End};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::{Refusal, ok};
use super::door::Recorded;
use super::{Door, Failure, Shared};

/// How many rows are given when nobody says how many, and at most.
const LIMIT: (usize, usize) = (50, 500);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(entry)).routes(routes!(export))
}

/// Which calls somebody wants to see.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
struct JournalWanted {
    /// Only what began then or later, milliseconds since 1970.
    from_ms: Option<i64>,
    /// Only what began before, milliseconds since 1970.
    to_ms: Option<i64>,
    /// Only where this number called, was dialled or took part.
    #[param(required = false)]
    number: String,
    /// `incoming`, `outgoing` or `internal`.
    #[param(required = false)]
    direction: String,
    /// `answered`, `abandoned`, `cancelled`, `noanswer`, `busy`, `refused`, `unreachable`, `menu` or `failed`.
    #[param(required = false)]
    outcome: String,
    /// Only what waited last in this queue.
    #[param(required = false)]
    queue: String,
    /// How many rows, 1 to 500; without it 50. An export has all.
    limit: Option<usize>,
    /// `next` of the page before.
    #[param(required = false)]
    after: String,
}

impl JournalWanted {
    fn query(self) -> Result<JournalQuery, Failure> {
        let Self { from_ms, to_ms, number, direction, outcome, queue, limit, after } = self;
        let text = |text: String| Some(Text::from(text)).filter(|text| !text.is_empty());
        let direction = text(direction).map(|word| {
            Direction::parse(&word).ok_or_else(|| Failure::bad("direction is none of incoming, outgoing, internal"))
        });
        let outcome = text(outcome).map(|word| {
            let all = Outcome::ALL.map(Outcome::word).join(", ");
            Outcome::parse(&word).ok_or_else(|| Failure::bad(format!("outcome is none of {all}")))
        });
        let after = text(after)
            .map(|cursor| place(&cursor).ok_or_else(|| Failure::bad("after is no `next` of a page of the journal")));
        let limit = limit.unwrap_or(LIMIT.0);
        if !(1..=LIMIT.1).contains(&limit) {
            return Err(Failure::bad(format!("limit is {limit}, expected 1 to {}", LIMIT.1)));
        }
        Ok(JournalQuery {
            from_ms,
            until_ms: to_ms,
            number: text(number),
            direction: direction.transpose()?,
            outcome: outcome.transpose()?,
            queue: text(queue),
            after: after.transpose()?,
            limit,
            ..JournalQuery::default()
        })
    }
}

/// Where a page ends, as a text nobody has to understand.
fn cursor(place: &JournalPlace) -> String {
    let JournalPlace { began_ms, call, talk } = place;
    URL_SAFE_NO_PAD.encode(format!("{began_ms}\n{call}\n{talk}"))
}

fn place(cursor: &str) -> Option<JournalPlace> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let mut parts = text.splitn(3, '\n');
    let (began_ms, call, talk) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
    Some(JournalPlace { began_ms, call: call.into(), talk: talk.into() })
}

/// A page of the journal.
#[derive(Serialize, ToSchema)]
struct JournalPage {
    /// The newest first.
    items: Vec<JournalItem>,
    /// What to ask for `after` next; empty: there is no more.
    next: String,
}

/// A talk, or a call without a talk.
#[derive(Serialize, ToSchema)]
struct JournalItem {
    /// The call.
    #[schema(value_type = String, example = "0b6e2f9c-0000-4000-8000-000000000000")]
    chain: Text,
    /// The talk; empty for a call without one.
    #[schema(value_type = String)]
    talk: Text,
    /// When it began, milliseconds since 1970.
    #[schema(example = 1790000000000_i64)]
    began_ms: i64,
    /// How long they talked.
    #[schema(example = 65000)]
    length_ms: i64,
    /// `incoming`, `outgoing` or `internal`.
    #[schema(example = "incoming")]
    direction: &'static str,
    /// How the call went: `answered`, `abandoned`, `cancelled`, `noanswer`, `busy`, `refused`, `unreachable`, `menu`, `failed`.
    #[schema(example = "answered")]
    outcome: &'static str,
    /// Who called.
    #[schema(value_type = String, example = "79001112233")]
    caller: Text,
    /// Which number was dialled.
    #[schema(value_type = String, example = "500")]
    called: Text,
    /// The inside numbers that talked; without a talk those that called or were rung.
    #[schema(value_type = Vec<String>, example = json!(["101"]))]
    inside: Vec<Text>,
    /// The outside numbers that talked.
    #[schema(value_type = Vec<String>, example = json!(["79001112233"]))]
    outside: Vec<Text>,
    /// From the beginning of the call to its first talk, or to its end.
    #[schema(example = 8000)]
    wait_ms: i64,
    /// The queue in which it waited last; empty for none.
    #[schema(value_type = String)]
    queue: Text,
    /// The path of the recording on the web port; empty for none.
    #[schema(value_type = String, example = "/record/00112233445566778899aabbccddeeff")]
    recording: Text,
}

impl JournalItem {
    fn of((row, link): (JournalRow, Option<Text>)) -> Self {
        let JournalRow { call, talk, began_ms, length_ms, direction, outcome, caller, called, .. } = row;
        Self {
            chain: call.0,
            talk: talk.map(|talk| talk.0).unwrap_or_default(),
            began_ms,
            length_ms,
            direction: direction.word(),
            outcome: outcome.word(),
            caller,
            called,
            inside: row.inside,
            outside: row.outside,
            wait_ms: row.wait_ms,
            queue: row.queue,
            recording: link.unwrap_or_default(),
        }
    }
}

/// Calls of the past
#[utoipa::path(
    get, path = "/api/v1/journal", tag = "journal", params(JournalWanted),
    responses(
        (status = 200, description = "A page, the newest first", body = JournalPage),
        (status = 500, description = "The store cannot be read", body = Refusal),
    ),
)]
async fn list(
    State(shared): State<Shared>,
    wanted: Result<Query<JournalWanted>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(wanted) = wanted.map_err(|error| Failure::bad(error.body_text()))?;
    let mut query = wanted.query()?;
    let limit = query.limit;
    // One more says whether there is another page.
    query.limit += 1;
    let mut rows = shared.door.journal(query).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|(row, _)| cursor(&row.place())).unwrap_or_default();
    Ok(ok(&JournalPage { items: rows.into_iter().map(JournalItem::of).collect(), next }))
}

/// A call of the past, whole.
#[derive(Serialize, ToSchema)]
struct JournalEntry {
    /// The call.
    #[schema(value_type = String)]
    chain: Text,
    began_ms: i64,
    ended_ms: i64,
    #[schema(value_type = String)]
    caller: Text,
    /// The caller's name, if the telephone system knew one.
    #[schema(value_type = String)]
    caller_name: Text,
    #[schema(value_type = String)]
    called: Text,
    direction: &'static str,
    outcome: &'static str,
    wait_ms: i64,
    /// How long anybody talked with whom it began with.
    talk_ms: i64,
    /// Everybody who had a part in it, in the order in which they came.
    legs: Vec<JournalLeg>,
    /// Every talk and conference, in the order in which they began.
    talks: Vec<JournalTalk>,
    /// Every stay in a queue.
    queues: Vec<JournalQueue>,
    /// Every fax that arrived.
    faxes: Vec<JournalFax>,
    /// Its way, the oldest first.
    steps: Vec<JournalStep>,
}

/// Who was at an end.
#[derive(Serialize, ToSchema)]
struct JournalEnd {
    #[schema(value_type = String)]
    number: Text,
    /// The name that the telephone system knew of somebody outside.
    #[schema(value_type = String)]
    name: Text,
    inside: bool,
}

impl JournalEnd {
    fn of(end: &End) -> Self {
        let name = match end {
            End::Inside(_) => Text::new(),
            End::Outside { name, .. } => name.clone(),
        };
        Self { number: end.number().clone(), name, inside: end.is_inside() }
    }
}

/// One party's part.
#[derive(Serialize, ToSchema)]
struct JournalLeg {
    #[schema(value_type = String)]
    leg: Text,
    end: JournalEnd,
    began_ms: i64,
    /// When it was there; null: never.
    answered_ms: Option<i64>,
    ended_ms: i64,
    /// Why it ended.
    #[schema(example = "hangup")]
    cause: &'static str,
}

/// One talk or conference.
#[derive(Serialize, ToSchema)]
struct JournalTalk {
    #[schema(value_type = String)]
    talk: Text,
    began_ms: i64,
    ended_ms: i64,
    parties: Vec<JournalEnd>,
    conference: bool,
    /// The file of the recording below the folder of recordings; empty for none.
    #[schema(value_type = String)]
    recording: Text,
}

/// A stay in a queue.
#[derive(Serialize, ToSchema)]
struct JournalQueue {
    #[schema(value_type = String)]
    queue: Text,
    began_ms: i64,
    ended_ms: i64,
}

/// A fax that arrived.
#[derive(Serialize, ToSchema)]
struct JournalFax {
    /// Its path on the web port.
    link: String,
    at_ms: i64,
    parties: Vec<JournalEnd>,
    pages: i64,
}

/// A step of a call's way.
#[derive(Serialize, ToSchema)]
struct JournalStep {
    at_ms: i64,
    /// `began`, `queued`, `ringing`, `ringstopped`, `answered`, `conference`, `left`, `ended`.
    kind: &'static str,
    /// The number it happened to; may be empty.
    #[schema(value_type = String)]
    number: Text,
    /// The talk, the conference, the queue or the cause; may be empty.
    #[schema(value_type = String)]
    detail: Text,
}

impl JournalEntry {
    fn of(entry: Entry) -> Self {
        let steps = entry.steps().into_iter();
        let steps = steps.map(|Step { at_ms, kind, number, detail }| JournalStep { at_ms, kind, number, detail });
        let ends = |ends: &[End]| ends.iter().map(JournalEnd::of).collect();
        Self {
            steps: steps.collect(),
            chain: entry.call.0,
            began_ms: entry.began_ms,
            ended_ms: entry.ended_ms,
            caller: entry.parties.caller,
            caller_name: entry.parties.caller_name,
            called: entry.parties.called,
            direction: entry.direction.word(),
            outcome: entry.outcome.word(),
            wait_ms: entry.wait_ms,
            talk_ms: entry.talk_ms,
            legs: Vec::from_iter(entry.legs.into_iter().map(|leg| JournalLeg {
                leg: leg.leg.0,
                end: JournalEnd::of(&leg.end),
                began_ms: leg.began_ms,
                answered_ms: leg.answered_ms,
                ended_ms: leg.ended_ms,
                cause: leg.cause.word(),
            })),
            talks: Vec::from_iter(entry.talks.into_iter().map(|talk| JournalTalk {
                talk: talk.talk.0,
                began_ms: talk.began_ms,
                ended_ms: talk.ended_ms,
                parties: ends(&talk.parties),
                conference: talk.conference,
                recording: talk.recording.unwrap_or_default(),
            })),
            queues: Vec::from_iter(entry.queues.into_iter().map(|queue| JournalQueue {
                queue: queue.queue,
                began_ms: queue.began_ms,
                ended_ms: queue.ended_ms,
            })),
            faxes: Vec::from_iter(entry.faxes.into_iter().map(|fax| JournalFax {
                link: fax.fax.link().to_string(),
                at_ms: fax.at_ms,
                parties: ends(&fax.parties),
                pages: fax.pages,
            })),
        }
    }
}

/// A call of the past, whole
#[utoipa::path(
    get, path = "/api/v1/journal/{chain}", tag = "journal",
    params(("chain" = String, Path, description = "The call")),
    responses(
        (status = 200, description = "Its parties, talks, queues, faxes and its way", body = JournalEntry),
        (status = 404, description = "There is no such call, or it still goes on", body = Refusal),
        (status = 500, description = "The store cannot be read", body = Refusal),
    ),
)]
async fn entry(State(shared): State<Shared>, chain: Result<Path<String>, PathRejection>) -> Result<Response, Failure> {
    let Path(chain) = chain.map_err(|_| Failure::bad("the call's chain in the address is not UTF-8"))?;
    let entry = shared.door.entry(CallId(chain.as_str().into())).await?;
    let entry = entry.ok_or_else(|| Failure::not_found(format!("the journal has no call {chain}")))?;
    Ok(ok(&JournalEntry::of(*entry)))
}

/// The journal as CSV
///
/// All rows that fit, the newest first, as RFC 4180 has it, in UTF-8; `began` in UTC. A cell that a table program would take for a
/// formula begins with an apostrophe; a number like `+79001112233` stays as it is. `limit` says nothing here.
#[utoipa::path(
    get, path = "/api/v1/journal.csv", tag = "journal", params(JournalWanted),
    responses(
        (status = 200, description = "The rows", body = String, content_type = "text/csv",
         example = "chain,talk,began,length_ms,direction,outcome,caller,called,inside,outside,wait_ms,queue,recording\r\n"),
        (status = 500, description = "The store cannot be read", body = Refusal),
    ),
)]
async fn export(
    State(shared): State<Shared>,
    wanted: Result<Query<JournalWanted>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(wanted) = wanted.map_err(|error| Failure::bad(error.body_text()))?;
    let query = JournalQuery { limit: LIMIT.1, ..wanted.query()? };
    // What cannot be read at all is said by a status; what breaks off later breaks the body off.
    let first = shared.door.journal(query.clone()).await?;
    let head = "chain,talk,began,length_ms,direction,outcome,caller,called,inside,outside,wait_ms,queue,recording\r\n";
    let pages = Pages { door: Arc::clone(&shared.door), query, page: Some(first), head: Some(head.to_owned()) };
    let body = stream::unfold(pages, |mut pages| async move { Some((pages.next().await?, pages)) });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"journal.csv\""));
    Ok(response)
}

/// An export under way: one page of rows in memory at a time.
struct Pages {
    door: Arc<dyn Door>,
    query: JournalQuery,
    /// The page that is to be written; `None`: the next has to be read.
    page: Option<Vec<Recorded>>,
    head: Option<String>,
}

impl Pages {
    /// The next piece of the table. `None`: it is whole.
    async fn next(&mut self) -> Option<Result<String, std::io::Error>> {
        let page = match self.page.take() {
            Some(page) => page,
            None => {
                self.query.after.as_ref()?;
                match self.door.journal(self.query.clone()).await {
                    Ok(page) => page,
                    Err(_) => {
                        self.query.after = None;
                        return Some(Err(std::io::Error::other("the store cannot be read")));
                    }
                }
            }
        };
        // A page that is not full is the last.
        self.query.after = page.last().filter(|_| page.len() >= self.query.limit).map(|(row, _)| row.place());
        let mut text = self.head.take().unwrap_or_default();
        page.iter().for_each(|(row, link)| line(&mut text, row, link.as_deref().unwrap_or_default()));
        (!text.is_empty()).then_some(Ok(text))
    }
}

fn line(to: &mut String, row: &JournalRow, link: &str) {
    let talk = row.talk.as_ref().map_or("", |talk| &*talk.0);
    let began = OffsetDateTime::from_unix_timestamp_nanos(i128::from(row.began_ms) * 1_000_000).ok();
    let began = began.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default();
    let (length, wait) = (row.length_ms.to_string(), row.wait_ms.to_string());
    let numbers = |all: &[Text]| all.iter().map(|n| &**n).collect::<Vec<_>>().join(" ");
    let (inside, outside) = (numbers(&row.inside), numbers(&row.outside));
    let cells: [&str; 13] = [
        &row.call.0,
        talk,
        &began,
        &length,
        row.direction.word(),
        row.outcome.word(),
        &row.caller,
        &row.called,
        &inside,
        &outside,
        &wait,
        &row.queue,
        link,
    ];
    for (at, text) in cells.into_iter().enumerate() {
        to.push_str(if at == 0 { "" } else { "," });
        cell(to, text);
    }
    to.push_str("\r\n");
}

/// One cell. What callers send ends in tables that people open in programs which calculate.
fn cell(to: &mut String, text: &str) {
    let number = text.strip_prefix('+').is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b' '));
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && !number;
    let apostrophe = if formula { "'" } else { "" };
    if text.contains([',', '"', '\r', '\n']) {
        to.push('"');
        to.push_str(apostrophe);
        to.push_str(&text.replace('"', "\"\""));
        to.push('"');
    } else {
        to.push_str(apostrophe);
        to.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_one_cell_and_no_formula() {
        for (text, expected) in [
            ("101", "101"),
            ("+79001112233", "+79001112233"),
            ("-1+2", "'-1+2"),
            ("+7=1", "'+7=1"),
            ("=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("a,b\r\n\"c\"", "\"a,b\r\n\"\"c\"\"\""),
            ("\rx", "\"'\rx\""),
            ("", ""),
        ] {
            let mut found = String::new();
            cell(&mut found, text);
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_cursor_comes_back_and_nothing_else_is_one() {
        let at = JournalPlace { began_ms: -5, call: "c\u{43f}".into(), talk: Text::new() };
        assert_eq!(place(&cursor(&at)), Some(at));
        for wrong in ["", "x", "5", "%%%", &URL_SAFE_NO_PAD.encode("1\nc"), &URL_SAFE_NO_PAD.encode("x\nc\nt")] {
            assert_eq!(place(wrong), None, "{wrong}");
        }
    }
}
