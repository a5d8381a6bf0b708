//! `/api/v1/setup`: the first run in the browser. Whoever has the one-time code, which was printed where the gateway was started, makes
//! the administrator and names the CRM. Without a first run there is nothing here.

use axum::extract::{Query, Request, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Refusal;
use super::links::{self, TrialStep};
use super::operator::{Administrator, Operator};
use super::settings::{ConfigChanged, ConfigRefused, note, operator, told};
use super::{Failure, Shared, body, ok};
use crate::config::Secret;
use crate::people::Doer;

/// What asks for the code in place of the token.
pub(super) fn open_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(setup, set_up)).routes(routes!(test_first_link))
}

/// What the first run still needs.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"needed": true, "steps": ["admin", "link", "test"], "schema": {"items": []}}))]
struct SetupTold {
    /// Always: with a code that counts there is a first run.
    needed: bool,
    /// What is asked for, in this order.
    steps: [&'static str; 3],
    /// The ways to connect, as `/api/v1/links/schema` has them.
    #[schema(value_type = Object)]
    schema: Value,
}

#[derive(Deserialize)]
struct Code {
    #[serde(default)]
    code: String,
}

/// The administrator and the CRM.
#[derive(ToSchema)]
#[schema(example = json!({"code": "…", "admin": {"login": "admin", "password": "a long password", "name": "Anna"},
    "link": {"name": "crm", "mode": "dial-ws", "url": "ws://127.0.0.1:9000/"}}))]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
struct SetupWanted {
    /// The one-time code.
    code: String,
    /// Login, password and name of the administrator.
    #[schema(value_type = Object)]
    admin: (),
    /// The keys of the first link; without it there is none yet.
    #[schema(value_type = Option<Object>)]
    link: Option<()>,
}

/// Whether a first run is under way
#[utoipa::path(
    get, path = "/api/v1/setup", tag = "settings", params(("code" = String, Query, description = "The one-time code")),
    responses(
        (status = 200, description = "It is, and the code counts", body = SetupTold),
        (status = 403, description = "There is none, or the code is wrong", body = Refusal),
    ),
)]
async fn setup(State(shared): State<Shared>, Query(Code { code }): Query<Code>) -> Result<Response, Failure> {
    admitted(&shared, &code)?;
    Ok(ok(&SetupTold { needed: true, steps: ["admin", "link", "test"], schema: links::ways_value() }))
}

/// Make the administrator and the first link
///
/// The code counts once: after this there is no first run any more.
#[utoipa::path(
    post, path = "/api/v1/setup", tag = "settings", request_body = SetupWanted,
    responses(
        (status = 200, description = "What changed", body = ConfigChanged),
        (status = 400, description = "The password is too short, or something is missing", body = Refusal),
        (status = 403, description = "There is no first run, or the code is wrong", body = Refusal),
        (status = 409, description = "Something is wrong with what was wanted; nothing was changed", body = ConfigRefused),
    ),
)]
async fn set_up(State(shared): State<Shared>, request: Request) -> Result<Response, Failure> {
    let from = (shared.source)(request.extensions()).address.to_string();
    let mut fields = body(request).await?;
    let code = fields.needed("code")?;
    let operator = admitted(&shared, &code)?;
    let admin = links::values(&fields.object("admin")?.ok_or_else(|| Failure::bad("admin is missing"))?);
    let link = fields.object("link")?.map(|link| links::values(&link));
    fields.finish()?;
    let text = |name: &str| admin.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let admin = Administrator { login: text("login"), name: text("name"), password: Secret::new(text("password")) };
    let doer = Doer { who: admin.login.trim().to_owned(), from };
    let result = operator.set_up(admin, link).await;
    note(&shared, &doer, "setup", &result).await?;
    Ok(told(result))
}

/// Try the first link
///
/// As `/api/v1/links/test`, with the code in place of a token.
#[utoipa::path(
    post, path = "/api/v1/setup/test", tag = "settings", params(("code" = String, Query, description = "The one-time code")),
    request_body = links::LinkWanted,
    responses(
        (status = 200, description = "The steps", body = TrialStep, content_type = "text/event-stream"),
        (status = 403, description = "There is no first run, or the code is wrong", body = Refusal),
    ),
)]
async fn test_first_link(
    State(shared): State<Shared>,
    Query(Code { code }): Query<Code>,
    request: Request,
) -> Result<Response, Failure> {
    let operator = admitted(&shared, &code)?;
    let link = links::values(&body(request).await?.all());
    Ok(links::stream(operator.try_link(link)))
}

/// The operator, for whoever has the code.
///
/// # Errors
/// 403.
fn admitted<'a>(shared: &'a Shared, code: &str) -> Result<&'a dyn Operator, Failure> {
    let operator = operator(shared)?;
    match operator.is_setup(code) {
        true => Ok(operator),
        false => Err(ctigate_proto::message::CallError::new(
            ctigate_proto::message::Code::AccessDenied,
            "there is no first run now, or this is not its code: the address was printed where the gateway was started",
        )
        .into()),
    }
}
