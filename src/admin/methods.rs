//! `/api/v1/methods`: dynamic methods for programs.

use std::collections::BTreeMap;

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use ctigate_proto::hub::declaration::{Method, Parameter, Target};
use ctigate_proto::hub::input::{ApiCall, Ask};
use ctigate_proto::hub::output::Answer;
use ctigate_proto::message::{CallError, Code, Object};
use ctigate_proto::telephony::Outcome;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Caller;
use super::answer::{Refusal, ok};
use super::{Failure, Shared, body, json, look};
use crate::telemetry::metrics::quantile;

/// The longest a caller may wait, milliseconds.
const LONGEST_WAIT: u64 = 60_000;
/// The longest a late result may be welcome, milliseconds.
const LONGEST_LATE: u64 = 3_600_000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(call))
}

/// What CRMs offer.
#[derive(Serialize, ToSchema)]
struct OfferedMethods<'a> {
    /// By name.
    items: Vec<OfferedMethod<'a>>,
}

/// A dynamic method that a CRM offers.
#[derive(Serialize, ToSchema)]
struct OfferedMethod<'a> {
    #[schema(example = "FindClient")]
    name: &'a str,
    /// The links that offer it, in the order in which they are asked.
    #[schema(value_type = Vec<String>, example = json!(["crm"]))]
    links: Vec<&'a str>,
    /// Who carries it out: `server`, or `client` for the user's tabs.
    #[schema(example = "server")]
    target: &'static str,
    /// How long a result is awaited.
    #[schema(example = 5000)]
    wait_ms: u64,
    /// What it takes, as the first of the links declares it; null: nothing is declared, and nothing checked.
    input: Option<Vec<MethodParameter<'a>>>,
    /// What it gives, likewise.
    output: Option<Vec<MethodParameter<'a>>>,
    /// How often it was called since the start.
    #[schema(example = 120)]
    count: u64,
    /// Half of the callers waited less; null: it was not called yet.
    p50_ms: Option<f64>,
    /// Nineteen of twenty waited less.
    p95_ms: Option<f64>,
    /// Calls that wait for a result now.
    in_flight: usize,
}

/// A declared parameter.
#[derive(Serialize, ToSchema)]
pub(super) struct MethodParameter<'a> {
    #[schema(example = "phone")]
    name: &'a str,
    /// `string`, `int`, `float`, `bool`, `datetime`, `guid`, `object` or `array`.
    #[serde(rename = "type")]
    #[schema(example = "string")]
    kind: &'static str,
    /// What people see.
    caption: &'a str,
    required: bool,
}

/// Which CRM offers what
///
/// With counts and times since the start.
#[utoipa::path(
    get, path = "/api/v1/methods", tag = "methods",
    responses((status = 200, description = "Every method that a link which is up offers", body = OfferedMethods)),
)]
async fn list(State(shared): State<Shared>) -> Result<Response, Failure> {
    let now = look(&*shared.door).await?;
    let mut items: BTreeMap<&str, OfferedMethod<'_>> = BTreeMap::new();
    for (link, method) in now.links.iter().flat_map(|link| link.declared.iter().map(move |method| (link, method))) {
        let item = items.entry(&method.name).or_insert_with(|| {
            let figures = shared.door.telemetry().metrics().method.find(&method.name);
            let counts = figures.map(|figures| figures.counts()).unwrap_or_default();
            OfferedMethod {
                name: &method.name,
                links: Vec::new(),
                target: target(method),
                wait_ms: u64::try_from(method.wait.as_millis()).unwrap_or(u64::MAX),
                input: method.input.as_deref().map(parameters),
                output: method.output.as_deref().map(parameters),
                count: counts.count(),
                p50_ms: quantile(&counts, 0.5),
                p95_ms: quantile(&counts, 0.95),
                in_flight: now.executions.iter().filter(|execution| execution.method == method.name).count(),
            }
        });
        item.links.push(&link.name);
    }
    Ok(ok(&OfferedMethods { items: items.into_values().collect() }))
}

pub(super) fn parameters(declared: &[Parameter]) -> Vec<MethodParameter<'_>> {
    let made = declared.iter().map(|parameter| {
        let Parameter { name, kind, caption, required } = parameter;
        MethodParameter { name, kind: kind.type_word(), caption, required: *required }
    });
    made.collect()
}

/// Who carries it out.
pub(super) const fn target(method: &Method) -> &'static str {
    match method.target {
        Target::Server => "server",
        Target::Client => "client",
    }
}

/// What a dynamic method is called with.
#[derive(ToSchema)]
#[schema(example = json!({"input": {"phone": "79001112233"}, "deadline_ms": 3000}))]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
struct MethodWanted {
    /// The input, checked against the method's declaration. Numbers keep every digit.
    #[schema(value_type = Option<Object>)]
    input: Option<()>,
    /// How long to wait; without it as long as the method declares.
    #[schema(minimum = 1, maximum = 60000)]
    deadline_ms: Option<u64>,
    /// How long a late result is still welcome to the CRM.
    #[schema(minimum = 0, maximum = 3600000)]
    late_ms: Option<u64>,
    /// The output to answer with when there is no result.
    #[schema(value_type = Option<Object>)]
    fallback: Option<()>,
    /// Which link to ask; without it the first that can.
    link: Option<String>,
    /// The user it is about, or whose pages are to answer.
    userlogin: Option<String>,
    /// The conversation it is about.
    chainid: Option<String>,
}

/// How a dynamic method ended.
#[derive(ToSchema)]
#[schema(example = json!({"outcome": "ok", "output": {"name": "Anna"}, "error": 0, "errormsg": "", "executionid": "8d7e2f9c-0000-4000-8000-000000000000"}))]
#[expect(dead_code, reason = "describes the answer, which keeps every digit of what the CRM gave")]
struct MethodOutcome {
    /// `ok`, `fallback`, `bad_input`, `no_method`, `failed`, `no_link`, `open_circuit`, `cancelled` or `timeout`.
    outcome: String,
    /// The values.
    #[schema(value_type = Object)]
    output: (),
    /// The code of the CRM or of the gateway; 0 for none.
    error: i64,
    /// What went wrong.
    errormsg: String,
    /// The execution; empty when none was begun.
    executionid: String,
}

/// Call a dynamic method
///
/// A client that closes the connection before the answer withdraws the call: the CRM is told.
#[utoipa::path(
    post, path = "/api/v1/methods/{name}", tag = "methods", request_body = MethodWanted,
    params(("name" = String, Path, description = "The method's name")),
    responses(
        (status = 200, description = "`ok`, `fallback`: output holds the values", body = MethodOutcome),
        (status = 400, description = "`bad_input`: the input does not fit the declaration; or the request is wrong", body = MethodOutcome),
        (status = 404, description = "`no_method`: no CRM offers it", body = MethodOutcome),
        (status = 429, description = "Too many are in flight", body = Refusal),
        (status = 502, description = "`failed`: the CRM failed, or what it answered does not fit its declaration", body = MethodOutcome),
        (status = 503, description = "`no_link`, `open_circuit`, `cancelled`: nobody can be asked now", body = MethodOutcome),
        (status = 504, description = "`timeout`: nothing in time", body = MethodOutcome),
    ),
)]
async fn call(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
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
    caller.about(shared.desk.as_ref(), &call.user)?;
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
