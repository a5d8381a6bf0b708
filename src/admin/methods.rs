//! `POST /api/v1/methods/{name}`: dynamic methods for programs.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use ctigate_proto::hub::input::{ApiCall, Ask};
use ctigate_proto::hub::output::Answer;
use ctigate_proto::message::{CallError, Code, Object};
use ctigate_proto::telephony::Outcome;

use super::{Failure, Shared, body, json};

/// The longest a caller may wait, milliseconds.
const LONGEST_WAIT: u64 = 60_000;
/// The longest a late result may be welcome, milliseconds.
const LONGEST_LATE: u64 = 3_600_000;

/// Calls a dynamic method. When the client goes away before the end, so does the call.
pub(super) async fn call(
    State(shared): State<Shared>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Failure> {
    let Path(name) = name.map_err(|_| Failure::bad("the method's name in the address is not UTF-8"))?;
    let mut fields = body(request).await?;
    let call = ApiCall {
        method: name.clone().into(),
        input: fields.object("input")?.unwrap_or_default(),
        deadline: fields.millis("deadline_ms", 1..=LONGEST_WAIT)?,
        late: fields.millis("late_ms", 0..=LONGEST_LATE)?.unwrap_or_default(),
        fallback: fields.object("fallback")?,
        link: fields.text("link")?,
        user: fields.text("userlogin")?,
        chain: fields.text("chainid")?,
    };
    fields.finish()?;
    match shared.door.ask(Ask::Call(call)).await {
        Answer::Outcome { outcome, execution, error } => {
            let (status, word, output, error) = told(outcome, error, &name);
            let message = error.as_ref().map(|(_, message)| message.clone()).unwrap_or_default();
            let body = Object::new()
                .with("outcome", word)
                .with("output", output)
                .with("error", error.map_or(0, |(code, _)| code))
                .with("errormsg", message)
                .with("executionid", execution);
            let mut response = json(&body.into());
            *response.status_mut() = status;
            Ok(response)
        }
        other => Err(Failure::unexpected(&other)),
    }
}

/// The status, the word, the output, and the error with its text.
fn told(outcome: Outcome, error: i64, name: &str) -> (StatusCode, &'static str, Object, Option<(i64, String)>) {
    let nothing = Object::new;
    let failed = |code: Code, detail: &str| Some((code.number(), CallError::new(code, detail).errormsg()));
    match outcome {
        Outcome::Ok(output) => (StatusCode::OK, "ok", output, None),
        Outcome::Fallback(output) => (StatusCode::OK, "fallback", output, None),
        Outcome::Failed(why) => {
            let known = Code::ALL.into_iter().find(|code| code.number() == error);
            let text = known.map_or_else(|| why.clone(), |code| CallError::new(code, why.clone()).errormsg());
            (StatusCode::BAD_GATEWAY, "failed", nothing(), Some((error, text)))
        }
        Outcome::Timeout => (StatusCode::GATEWAY_TIMEOUT, "timeout", nothing(), failed(Code::Timeout, "")),
        Outcome::Cancelled => {
            let error = failed(Code::NotFound, "the execution was cancelled");
            (StatusCode::SERVICE_UNAVAILABLE, "cancelled", nothing(), error)
        }
        Outcome::NoLink => (StatusCode::SERVICE_UNAVAILABLE, "no_link", nothing(), failed(Code::CrmNotConnected, "")),
        Outcome::OpenCircuit => {
            let error =
                failed(Code::CrmNotConnected, "it failed several times in a row and is left alone for some seconds");
            (StatusCode::SERVICE_UNAVAILABLE, "open_circuit", nothing(), error)
        }
        Outcome::NoMethod => {
            let error = failed(Code::NotFound, &format!("no CRM offers the method {name}"));
            (StatusCode::NOT_FOUND, "no_method", nothing(), error)
        }
        Outcome::BadInput(why) => (StatusCode::BAD_REQUEST, "bad_input", nothing(), failed(Code::BadRequest, &why)),
    }
}
