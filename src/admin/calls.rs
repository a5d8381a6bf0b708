//! `/api/v1/calls`: calls that go on; started and ended in people's names.

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use ctigate_proto::calls::LiveParty;
use ctigate_proto::hub::input::{Ask, Run};
use ctigate_proto::hub::output::Answer;
use ctigate_proto::hub::snapshot::CallView;
use ctigate_proto::message::{Body, Code, Text};
use ctigate_proto::telephony::CallId;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{By, Caller};
use super::answer::{self, Nothing, Refusal, ok};
use super::{Failure, Shared, body, look};
use crate::pbx::Control;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list, start)).routes(routes!(end))
}

/// Calls that go on.
#[derive(Serialize, ToSchema)]
struct LiveCalls<'a> {
    /// The oldest first.
    items: Vec<LiveCall<'a>>,
}

/// A call that goes on.
#[derive(Serialize, ToSchema)]
struct LiveCall<'a> {
    /// The conversation.
    #[schema(example = "0b6e2f9c-0000-4000-8000-000000000000")]
    chain: &'a str,
    /// Since when, milliseconds since 1970.
    #[schema(example = 1790000000000_i64)]
    since_ms: i64,
    /// `began`, `queued`, `ringing` or `talking`.
    #[schema(example = "talking")]
    state: &'static str,
    /// Who calls.
    #[schema(example = "79001112233")]
    caller: &'a str,
    /// Which number was dialled.
    #[schema(example = "500")]
    called: &'a str,
    /// Who takes part now, in the order in which they came.
    parties: Vec<CallParty<'a>>,
    /// The number of the queue in which somebody waits; empty for none.
    #[schema(example = "")]
    queue: &'a str,
    /// Whether a talk that goes on is recorded.
    recording: bool,
}

impl<'a> LiveCall<'a> {
    fn of(call: &'a CallView) -> Self {
        let CallView { chain, caller, called, state, number: _, since_ms, parties, queue, recording } = call;
        let parties = parties.iter().map(CallParty::of).collect();
        Self { chain, since_ms: *since_ms, state, caller, called, parties, queue, recording: *recording }
    }
}

/// Somebody who takes part in a call.
#[derive(Serialize, ToSchema)]
struct CallParty<'a> {
    /// The number; may be empty for somebody outside.
    #[schema(example = "101")]
    number: &'a str,
    /// The name; may be empty.
    #[schema(example = "Ivan Ivanov")]
    name: &'a str,
    /// Whether inside.
    inside: bool,
    /// `planned`, `ringing`, `waiting`, `up`, or `held` for who has put the others aside.
    #[schema(example = "up")]
    state: &'static str,
    /// Since when, milliseconds since 1970.
    #[schema(example = 1790000000000_i64)]
    since_ms: i64,
    /// Where the voice goes: `none`, `talk`, `conference`, `queue` or `menu`.
    #[schema(example = "talk")]
    place: &'static str,
    /// Which talk, conference, queue or menu; may be empty.
    place_name: &'a str,
}

impl<'a> CallParty<'a> {
    fn of(party: &'a LiveParty) -> Self {
        let LiveParty { number, name, inside, state, since_ms, place, place_name } = party;
        Self { number, name, inside: *inside, state, since_ms: *since_ms, place, place_name }
    }
}

/// Calls that go on
#[utoipa::path(
    get, path = "/api/v1/calls", tag = "calls",
    responses((status = 200, description = "All of them, the oldest first", body = LiveCalls)),
)]
async fn list(State(shared): State<Shared>) -> Result<Response, Failure> {
    let now = look(&*shared.door).await?;
    Ok(ok(&LiveCalls { items: now.calls.iter().map(LiveCall::of).collect() }))
}

/// A call to be started.
#[derive(ToSchema)]
#[schema(example = json!({"login": "ivanov", "number": "79001112233"}))]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
struct CallWanted {
    /// In whose name, by login or number. Asked by an integration key, the account must have `api_call_enabled`.
    login: String,
    /// The number to reach.
    number: String,
    /// Who is called first: `user` (without it) or `abonent`.
    sequence: Option<String>,
}

/// Dial for somebody
///
/// In a talk it calls a second party. Answered when the telephone system has said yes or no.
#[utoipa::path(
    post, path = "/api/v1/calls", tag = "calls", request_body = CallWanted,
    responses(
        (status = 201, description = "The telephone system dials", body = Nothing),
        (status = 404, description = "There is no such user or number, or it is busy", body = Refusal),
        (status = 409, description = "The line is in use", body = Refusal),
        (status = 429, description = "Too many orders wait", body = Refusal),
        (status = 503, description = "The phone or the telephone system is away", body = Refusal),
        (status = 504, description = "The telephone system did not answer", body = Refusal),
    ),
)]
async fn start(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Failure> {
    let mut fields = body(request).await?;
    let login = fields.needed("login")?;
    let number = fields.needed("number")?;
    let sequence = fields.text("sequence")?;
    fields.finish()?;
    let mut body = Body::new().with("number", number.clone());
    match &*sequence {
        "" => {}
        "user" | "abonent" => body.set("sequence", sequence),
        _ => return Err(Failure::bad("sequence is none of user, abonent")),
    }
    let handed_on = matches!(caller.by, By::Key(_));
    let run = Run { login: Text::new(), user: login.clone(), handed_on, method: "pbxautocallstart".into(), body };
    match shared.door.ask(Ask::Run(run)).await {
        Answer::Ran(_) => {}
        other => return Err(Failure::unexpected(&other)),
    }
    shared.noted(&caller.doer(), "call.start", &login, json!({ "number": &*number })).await?;
    Ok(answer::with(StatusCode::CREATED, &Nothing {}))
}

/// End a call
///
/// It ends for everybody who takes part, inside and outside, on hold too. Asked by an integration key, the accounts of all who take
/// part inside must have `api_call_enabled`.
#[utoipa::path(
    delete, path = "/api/v1/calls/{chain}", tag = "calls",
    params(("chain" = String, Path, description = "The conversation")),
    responses(
        (status = 200, description = "It is ended; the telephone system hangs up for everybody", body = Nothing),
        (status = 404, description = "No such call goes on", body = Refusal),
        (status = 503, description = "The telephone system is away", body = Refusal),
    ),
)]
async fn end(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    chain: Result<Path<String>, PathRejection>,
) -> Result<Response, Failure> {
    let Path(chain) = chain.map_err(|_| Failure::bad("the call's chain in the address is not UTF-8"))?;
    let now = look(&*shared.door).await?;
    let call = now.calls.iter().find(|call| *call.chain == *chain);
    let call = call.ok_or_else(|| Failure::not_found(format!("no call {chain} goes on")))?;
    if let By::Key(_) = &caller.by {
        let users = &shared.desk()?.effective().users;
        let inside = |number: &str| call.parties.iter().any(|party| party.inside && *party.number == *number);
        let closed =
            users.iter().find(|user| !user.api_call_enabled && !user.number.is_empty() && inside(&user.number));
        if let Some(user) = closed {
            let detail = format!("programs may not call for {}: api_call_enabled", user.login);
            return Err(Failure::with(StatusCode::FORBIDDEN, Code::AccessDenied, detail));
        }
    }
    let parties: Vec<&str> = call.parties.iter().map(|party| &*party.number).collect();
    shared.door.control(Control::End { call: CallId(call.chain.clone()) }).await?;
    shared.noted(&caller.doer(), "call.end", &chain, json!({ "parties": parties })).await?;
    Ok(ok(&Nothing {}))
}
