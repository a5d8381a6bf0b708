//! `/api/v1/calls`: calls that go on; started and ended in people's names.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use ctigate_proto::calls::LiveParty;
use ctigate_proto::hub::input::{Ask, Run};
use ctigate_proto::hub::output::Answer;
use ctigate_proto::hub::snapshot::CallView;
use ctigate_proto::message::{Body, Text};
use futures_util::future::join_all;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

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
    /// In whose name, by login or number. The account must have `api_call_enabled`.
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
async fn start(State(shared): State<Shared>, request: Request) -> Result<Response, Failure> {
    let mut fields = body(request).await?;
    let login = fields.needed("login")?;
    let number = fields.needed("number")?;
    let sequence = fields.text("sequence")?;
    fields.finish()?;
    let mut body = Body::new().with("number", number);
    match &*sequence {
        "" => {}
        "user" | "abonent" => body.set("sequence", sequence),
        _ => return Err(Failure::bad("sequence is none of user, abonent")),
    }
    run(&shared, login, "pbxautocallstart", body).await?;
    Ok(answer::with(StatusCode::CREATED, &Nothing {}))
}

/// End a call
///
/// Everybody inside who takes part hangs up, in their names; their accounts must have `api_call_enabled`. When nobody inside does,
/// the caller hangs up, if the telephone system is a simulated one.
#[utoipa::path(
    delete, path = "/api/v1/calls/{chain}", tag = "calls",
    params(("chain" = String, Path, description = "The conversation")),
    responses(
        (status = 200, description = "They have hung up", body = Nothing),
        (status = 404, description = "No such call goes on", body = Refusal),
        (status = 409, description = "It has changed meanwhile", body = Refusal),
        (status = 501, description = "Nobody inside takes part, and the telephone system cannot end the call", body = Refusal),
        (status = 503, description = "The phone or the telephone system is away", body = Refusal),
        (status = 504, description = "The telephone system did not answer", body = Refusal),
    ),
)]
async fn end(State(shared): State<Shared>, chain: Result<Path<String>, PathRejection>) -> Result<Response, Failure> {
    let Path(chain) = chain.map_err(|_| Failure::bad("the call's chain in the address is not UTF-8"))?;
    let now = look(&*shared.door).await?;
    let call = now.calls.iter().find(|call| *call.chain == *chain);
    let call = call.ok_or_else(|| Failure::not_found(format!("no call {chain} goes on")))?;
    let mut inside: Vec<Text> = call.parties.iter().filter(|p| p.inside).map(|p| p.number.clone()).collect();
    inside.sort();
    inside.dedup();
    if inside.is_empty() {
        let number = call.parties.first().map_or_else(|| call.caller.clone(), |party| party.number.clone());
        shared.door.control(Control::Hangup { number }).await?;
        return Ok(ok(&Nothing {}));
    }
    let ended = join_all(inside.into_iter().map(|number| run(&shared, number, "pbxabortcall", Body::new()))).await;
    // When one hangs up the other may have nothing left to end.
    let mut first = None;
    for result in ended {
        match result {
            Ok(()) => return Ok(ok(&Nothing {})),
            Err(refused) => first = first.or(Some(refused)),
        }
    }
    Err(first.unwrap_or_else(|| Failure::not_found(format!("no call {chain} goes on"))))
}

/// Runs a method in the name of a user, by id, login or number.
async fn run(shared: &Shared, user: Text, method: &'static str, body: Body) -> Result<(), Failure> {
    let run = Run { login: Text::new(), user, method: method.into(), body };
    match shared.door.ask(Ask::Run(run)).await {
        Answer::Ran(_) => Ok(()),
        other => Err(Failure::unexpected(&other)),
    }
}
