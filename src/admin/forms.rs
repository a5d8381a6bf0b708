//! `/api/v1/forms`: forms for programs.

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use ctigate_proto::hub::input::Ask;
use ctigate_proto::hub::output::Answer;
use ctigate_proto::telephony::{CallId, FormOrder};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Caller;
use super::answer::{self, Nothing, Refusal, ok};
use super::picture::FormNow;
use super::{Failure, Shared, body, look};

/// The longest a form may stay open, milliseconds.
const LONGEST: u64 = 24 * 3_600_000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list, open)).routes(routes!(close))
}

/// Forms open now.
#[derive(Serialize, ToSchema)]
struct OpenForms<'a> {
    /// The oldest first.
    items: Vec<FormNow<'a>>,
}

/// The forms that are open
#[utoipa::path(
    get, path = "/api/v1/forms", tag = "forms",
    responses((status = 200, description = "All of them, the oldest first", body = OpenForms)),
)]
async fn list(State(shared): State<Shared>) -> Result<Response, Failure> {
    let now = look(&*shared.door).await?;
    Ok(ok(&OpenForms { items: now.forms.iter().map(FormNow::of).collect() }))
}

/// A form to be opened.
#[derive(ToSchema)]
#[schema(example = json!({"name": "clientcard", "userlogin": "ivanov", "parameters": {"phone": "79001112233"}}))]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
struct FormWanted {
    /// Its name, as the configuration has it.
    name: String,
    /// For whom, by login.
    userlogin: String,
    /// What it shows.
    #[schema(value_type = Option<Object>)]
    parameters: Option<()>,
    /// The conversation it belongs to.
    chainid: Option<String>,
    /// How long it stays open, milliseconds; without it as long as the configuration says.
    #[schema(minimum = 1, maximum = 86400000)]
    expire_ms: Option<u64>,
}

/// A form that was opened.
#[derive(Serialize, ToSchema)]
struct FormOpened<'a> {
    /// Its id.
    #[schema(example = "5e2b7c11-0000-4000-8000-000000000000")]
    formid: &'a str,
}

/// Open a form for somebody
///
/// It stays open over a restart of the gateway.
#[utoipa::path(
    post, path = "/api/v1/forms", tag = "forms", request_body = FormWanted,
    responses(
        (status = 201, description = "It is open", body = FormOpened),
        (status = 404, description = "There is no such form or user", body = Refusal),
        (status = 429, description = "Too many forms", body = Refusal),
    ),
)]
async fn open(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Failure> {
    let mut fields = body(request).await?;
    let form = FormOrder {
        name: fields.needed("name")?,
        user: fields.needed("userlogin")?,
        parameters: fields.object("parameters")?.unwrap_or_default(),
        call: Some(fields.text("chainid")?).filter(|chain| !chain.is_empty()).map(CallId),
        expire: fields.millis("expire_ms", 1..=LONGEST)?,
    };
    fields.finish()?;
    caller.about(shared.desk.as_ref(), &form.user)?;
    match shared.door.ask(Ask::OpenForm(form)).await {
        Answer::FormOpened { id } => Ok(answer::with(StatusCode::CREATED, &FormOpened { formid: &id })),
        other => Err(Failure::unexpected(&other)),
    }
}

/// Close a form
#[utoipa::path(
    delete, path = "/api/v1/forms/{id}", tag = "forms",
    params(("id" = String, Path, description = "The form's id")),
    responses(
        (status = 200, description = "It is closed", body = Nothing),
        (status = 404, description = "No such form is open", body = Refusal),
        (status = 409, description = "Somebody has answered it", body = Refusal),
    ),
)]
async fn close(State(shared): State<Shared>, id: Result<Path<String>, PathRejection>) -> Result<Response, Failure> {
    let Path(id) = id.map_err(|_| Failure::bad("the form's id in the address is not UTF-8"))?;
    match shared.door.ask(Ask::CloseForm { id: id.into() }).await {
        Answer::Done => Ok(ok(&Nothing {})),
        other => Err(Failure::unexpected(&other)),
    }
}
