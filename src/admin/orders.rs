//! `POST /api/v1/sim`: what people may do to the simulated telephone system.

use axum::extract::{Request, State};
use axum::response::Response;
use ctigate_proto::message::Object;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::pbx::{Control, Done};

use super::answer::Refusal;
use super::{Door, Failure, Shared, body, json};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(order))
}

/// An order to the simulated telephone system. Which fields it needs follows from `op`.
#[derive(ToSchema)]
#[schema(example = json!({"op": "incoming", "caller": "79001112233", "called": "500", "name": "Anna"}))]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
struct Order {
    /// `incoming` (caller, called, name), `answer` (number), `hangup` (number), `hold` (number, held), `keys` (number, keys),
    /// `fax` (number, pages), `phone` (number, connected), `play` (timeline), `picture`.
    op: String,
    /// Who calls.
    caller: Option<String>,
    /// Which number is dialled.
    called: Option<String>,
    /// The caller's name; may be left out.
    name: Option<String>,
    /// A phone's number, or an outside caller's.
    number: Option<String>,
    /// Whether the others are put on hold.
    held: Option<bool>,
    /// The keys that are pressed.
    keys: Option<String>,
    /// How many pages the fax has.
    #[schema(minimum = 0)]
    pages: Option<u32>,
    /// Whether the phone can be reached from now on.
    connected: Option<bool>,
    /// What is to happen when: docs/scenarios.md.
    timeline: Option<String>,
}

/// What became of an order. For `picture` it is the picture instead.
#[derive(ToSchema)]
#[schema(example = json!({"chainid": "0b6e2f9c-0000-4000-8000-000000000000", "message": "the call has begun"}))]
#[expect(dead_code, reason = "describes the answer")]
struct Ordered {
    /// For people.
    message: Option<String>,
    /// The call that has begun.
    chainid: Option<String>,
    /// Scenarios that were taken over from a timeline.
    scenarios: Option<i64>,
    /// Things that will happen.
    cues: Option<i64>,
}

/// Order something of the simulated telephone system
#[utoipa::path(
    post, path = "/api/v1/sim", tag = "calls", request_body = Order,
    responses(
        (status = 200, description = "Done", body = Ordered),
        (status = 404, description = "Nobody has the number", body = Refusal),
        (status = 409, description = "The phone does not ring, or there is no call", body = Refusal),
        (status = 429, description = "Too many calls", body = Refusal),
        (status = 501, description = "The telephone system is a real one", body = Refusal),
        (status = 503, description = "It is busy or down", body = Refusal),
    ),
)]
async fn order(State(shared): State<Shared>, request: Request) -> Result<Response, Failure> {
    give(&*shared.door, request).await
}

/// Follows `{"op":"incoming","caller":…,"called":…,"name":…}`, `{"op":"answer","number":…}`, `{"op":"hangup","number":…}`,
/// `{"op":"hold","number":…,"held":…}`, `{"op":"keys","number":…,"keys":…}`, `{"op":"fax","number":…,"pages":…}`, `{"op":"phone","number":…,"connected":…}`,
/// `{"op":"play","timeline":…}` or `{"op":"picture"}`.
///
/// # Errors
/// The body is none of these, or the telephone system refused: why.
pub async fn give(door: &dyn Door, request: Request) -> Result<Response, Failure> {
    let mut fields = body(request).await?;
    let op = fields.needed("op")?;
    let control = match &*op {
        "incoming" => Control::Incoming {
            caller: fields.needed("caller")?,
            called: fields.needed("called")?,
            name: fields.text("name")?,
        },
        "answer" => Control::Answer { number: fields.needed("number")? },
        "hangup" => Control::Hangup { number: fields.needed("number")? },
        "hold" => Control::Hold { number: fields.needed("number")?, held: fields.flag("held")? },
        "keys" => Control::Keys { number: fields.needed("number")?, keys: fields.needed("keys")? },
        "fax" => Control::Fax { number: fields.needed("number")?, pages: fields.count("pages")? },
        "picture" => Control::Picture,
        "phone" => Control::Phone { number: fields.needed("number")?, connected: fields.flag("connected")? },
        "play" => Control::Play { timeline: fields.needed("timeline")?.to_string() },
        _ => return Err(Failure::bad("op is none of incoming, answer, hangup, hold, keys, fax, phone, play, picture")),
    };
    fields.finish()?;
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let (done, message) = match door.control(control).await? {
        Done::Nothing => (Object::new(), "done".to_owned()),
        Done::Call(call) => {
            let message = format!("the call has begun: {}", call.0);
            (Object::new().with("chainid", call.0), message)
        }
        Done::Playing { scenarios, cues } => {
            let done = Object::new().with("scenarios", count(scenarios)).with("cues", count(cues));
            (done, format!("scenarios taken over: {scenarios}; things that will happen: {cues}"))
        }
        Done::Picture(picture) => return Ok(json(&(*picture).into())),
    };
    Ok(json(&done.with("message", message).into()))
}
