//! `POST /api/v1/forms` and `DELETE /api/v1/forms/{id}`: forms for programs.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use ctigate_proto::hub::input::Ask;
use ctigate_proto::hub::output::Answer;
use ctigate_proto::message::Object;
use ctigate_proto::telephony::{CallId, FormOrder};

use super::{Failure, Shared, body, json};

/// The longest a form may stay open, milliseconds.
const LONGEST: u64 = 24 * 3_600_000;

/// Opens a form for a user.
pub(super) async fn open(State(shared): State<Shared>, request: Request) -> Result<Response, Failure> {
    let mut fields = body(request).await?;
    let form = FormOrder {
        name: fields.needed("name")?,
        user: fields.needed("userlogin")?,
        parameters: fields.object("parameters")?.unwrap_or_default(),
        call: Some(fields.text("chainid")?).filter(|chain| !chain.is_empty()).map(CallId),
        expire: fields.millis("expire_ms", 1..=LONGEST)?,
    };
    fields.finish()?;
    match shared.door.ask(Ask::OpenForm(form)).await {
        Answer::FormOpened { id } => {
            let mut response = json(&Object::new().with("formid", id).into());
            *response.status_mut() = StatusCode::CREATED;
            Ok(response)
        }
        other => Err(Failure::unexpected(&other)),
    }
}

/// Closes a form. One that is not open any more: 404, or 409 when somebody has answered it.
pub(super) async fn close(
    State(shared): State<Shared>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Failure> {
    let Path(id) = id.map_err(|_| Failure::bad("the form's id in the address is not UTF-8"))?;
    match shared.door.ask(Ask::CloseForm { id: id.into() }).await {
        Answer::Done => Ok(json(&Object::new().into())),
        other => Err(Failure::unexpected(&other)),
    }
}
